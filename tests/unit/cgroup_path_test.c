/* linux.cgroupsPath without systemd: where the group is to be, and what is refused. As root; an
 * ordinary user's is below his own group. */
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "runtime/runtime.h"

static const char *not_root(void)
{
    return geteuid() ? "paths of an ordinary user begin at his own group" : NULL;
}
TAG("needs-root-paths", not_root)

static char *resolved(enum runtime_cgroup_manager manager, const char *wanted, const char *id,
                      const char *bundle)
{
    struct err err = {0};
    char *path;

    return runtime_cgroup_resolve(manager, NULL, wanted, id, bundle, &path, &err) < 0
               ? str_copy(err.message)
               : path;
}

static const struct {
    const char *wanted, *path; /* NULL: refused */
} paths[] = {{"/a/b", "/a/b"},         {"a/b", "/a/b"}, {"one", "/one"},
             {"/a b/c:d", "/a b/c:d"}, {"/", NULL},     {"//a", NULL},
             {"/a//b", NULL},          {"/a/", NULL},   {"/../a", NULL},
             {"../a", NULL},           {"/a/..", NULL}, {"/a/./b", NULL},
             {"a/../../../etc", NULL}};

START_TEST(a_path_is_plain_and_below_the_root)
{
    cleanup_free char *got = resolved(RUNTIME_CGROUPFS, paths[_i].wanted, "id1", "/bundle");

    if (paths[_i].path)
        ck_assert_str_eq(got, paths[_i].path);
    else
        ck_assert_msg(strstr(got, "is not a plain path below the root") != NULL, "%s", got);
}
END_TEST

START_TEST(without_one_it_is_the_containers_alone)
{
    cleanup_free char *one = resolved(RUNTIME_CGROUPFS, NULL, "id1", "/bundles/a");
    cleanup_free char *again = resolved(RUNTIME_CGROUPFS, "", "id1", "/bundles/a");
    cleanup_free char *elsewhere = resolved(RUNTIME_CGROUPFS, NULL, "id1", "/bundles/b");
    cleanup_free char *other = resolved(RUNTIME_CGROUPFS, NULL, "id2", "/bundles/a");

    ck_assert_msg(str_starts(one, "/cooper/id1-"), "%s", one);
    ck_assert_str_eq(one, again);
    ck_assert_str_ne(one, elsewhere);
    ck_assert_str_ne(one, other);
}
END_TEST

START_TEST(disabled_has_none)
{
    cleanup_free char *got = resolved(RUNTIME_CGROUP_DISABLED, "/a/b", "id1", "/bundle");

    ck_assert_str_eq(got, "");
}
END_TEST

START_TEST(managers_have_names)
{
    enum runtime_cgroup_manager manager;

    ck_assert_int_eq(runtime_cgroup_manager_of("systemd", &manager), 0);
    ck_assert_int_eq(manager, RUNTIME_CGROUP_SYSTEMD);
    ck_assert_str_eq(runtime_cgroup_manager_name(RUNTIME_CGROUPFS), "cgroupfs");
    ck_assert_str_eq(runtime_cgroup_manager_name(RUNTIME_CGROUP_DISABLED), "disabled");
    ck_assert_int_eq(runtime_cgroup_manager_of("openrc", &manager), -EINVAL);
}
END_TEST

SUITE(cgroup_path)
{
    TCase *t = tcase_create("paths");

    tcase_set_tags(t, "needs-root-paths");
    tcase_add_loop_test(t, a_path_is_plain_and_below_the_root, 0, sizeof paths / sizeof *paths);
    tcase_add_test(t, without_one_it_is_the_containers_alone);
    suite_add_tcase(suite, t);
    t = tcase_create("managers");
    tcase_add_test(t, disabled_has_none);
    tcase_add_test(t, managers_have_names);
    suite_add_tcase(suite, t);
}
