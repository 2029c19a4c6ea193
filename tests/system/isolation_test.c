/* Each namespace and each wall, seen from inside. */
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "container.h"

START_TEST(init_is_alone_in_its_pid_namespace)
{
    cleanup_outcome struct outcome o;

    container_probe("self + states + fds", &o);
    ck_assert_str_eq(answer(&o, "self"),
                     "pid=1 ppid=0 sid=1 cwd=/ host=inside umask=0022 name=probe dumpable=1");
    ck_assert_str_eq(answer(&o, "states"), "1R ");
    ck_assert_str_eq(answer(&o, "fds"), "0 1 2 ");
    ck_assert_int_eq(o.status, 0);
}
END_TEST

SUITE(isolation)
{
    TCase *t = tcase_create("isolation");

    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, init_is_alone_in_its_pid_namespace);
    suite_add_tcase(suite, t);
}
