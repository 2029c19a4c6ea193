/* Creating a container: who says why it failed. */
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "bundle.h"

/* What the caller does beside init comes too late: init has failed and ended. */
static int come_too_late(void *context, pid_t init, struct err *err)
{
    siginfo_t ignored;

    (void)context;
    ck_assert(!waitid(P_PID, (id_t)init, &ignored, WEXITED | WNOWAIT));
    return err_set(err, ESRCH, "init has ended");
}

START_TEST(the_reason_is_what_init_says)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    const struct runtime_request request = {
        .id = strrchr(bundle, '/') + 1,
        .bundle = bundle,
        .config = config,
        .stdio = {-1, -1, -1},
        .meanwhile = come_too_late,
    };
    struct runtime_container *c = NULL;
    struct err err = {0};

    container_append(config, "mounts", container_mount("tmpfs", "tmpfs", "/x", "size=foo"));
    /* before anything that init would have to wait for: */
    json_array_remove(json_at(config, "mounts"), 4);
    ck_assert_int_eq(runtime_create(&request, &c, &err), -EINVAL);
    ck_assert_msg(strstr(err.message, "option 'size=foo'") != NULL, "%s", err.message);
}
END_TEST

SUITE(create)
{
    TCase *t = tcase_create("create");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, the_reason_is_what_init_says);
    suite_add_tcase(suite, t);
}
