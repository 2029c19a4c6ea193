/* Mounts that come and go while the container runs. */
#include "support/suite.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "bundle.h"
#include "runtime/runtime_mounts.h"

static int change(struct running *r, const char *bundle, const json_t *config, json_t *mounts,
                  bool add, struct err *err)
{
    const struct runtime_mounts_request request = {
        .init = runtime_pid(r->c),
        .init_pidfd = runtime_pidfd(r->c),
        .bundle = bundle,
        .config = config,
        .mounts = mounts,
    };
    int result = add ? runtime_mounts_add(&request, err) : runtime_mounts_remove(&request, err);

    json_decref(mounts);
    return result;
}

static void add_well(struct running *r, const char *bundle, const json_t *config, json_t *mounts)
{
    struct err err = {0};

    ck_assert_msg(!change(r, bundle, config, mounts, true, &err), "%s", err.message);
}

static void remove_well(struct running *r, const char *bundle, const json_t *config, json_t *mounts)
{
    struct err err = {0};

    ck_assert_msg(!change(r, bundle, config, mounts, false, &err), "%s", err.message);
}

/* What the container's program finds after its input has ended. */
static void ask(struct running *r, const char *expected)
{
    close_fd(&r->in);
    container_await(r, expected);
}

static json_t *one(json_t *mount)
{
    json_t *list = json_array();

    json_push(list, mount);
    return list;
}

/* With and without a user namespace: by _i. */
static json_t *waiting(const char *bundle, const char *questions)
{
    cleanup_free char *command = str_format("self + wait + %s", questions);

    return config_in_userns(bundle, command);
}

static json_t *plain(const char *bundle, const char *questions)
{
    cleanup_free char *command = str_format("self + wait + %s", questions);

    return container_config(bundle, command);
}

static json_t *(*const kinds[])(const char *bundle, const char *questions) = {plain, waiting};

static const struct {
    const char *type, *source, *destination, *options, *question, *expected;
} additions[] = {
    {"bind", "dir", "/x", "bind", "cat /x/file", "cat /x/file: <from the host>"},
    {"bind", "dir", "/x", "bind,ro", "mounted /x", "mounted /x: ro,"},
    {"bind", "dir", "/x", "rbind,ro", "put /x/new y", "put /x/new y: EROFS"},
    {"bind", "dir/file", "/deep/er/file", "bind", "cat /deep/er/file", ": <from the host>"},
    {"bind", "dir", "/link/x", "bind", "cat /tmp/x/file", ": <from the host>"},
    {"bind", "closed/file", "/x", "bind", "mounted /x", "mounted /x: rw,"},
    {"tmpfs", "tmpfs", "/x", "size=48k,nosuid", "mounted /x", "size=48k"},
    {"tmpfs", "tmpfs", "/x", "ro", "put /x/new y", "put /x/new y: EROFS"},
    {"tmpfs", "tmpfs", "/tmp", "tmpcopyup", "cat /tmp/image", "cat /tmp/image: <the image's>"},
    {"mqueue", "mqueue", "/x", "", "mounted /x", " - mqueue "},
    {"proc", "proc", "/x", "", "link /x/self", "link /x/self: 1"},
};

START_TEST(a_mount_is_added)
{
    size_t which = (size_t)_i / 2;
    cleanup_free char *bundle = container_bundle(), *closed = path_in(bundle, "closed");
    cleanup_json json_t *config = kinds[_i % 2](bundle, additions[which].question);
    struct running r;

    put_dir(bundle, "dir");
    put_dir(bundle, "closed");
    put_file(bundle, "dir/file", "from the host");
    put_file(bundle, "closed/file", "from the host");
    put_file(bundle, "rootfs/tmp/image", "the image's");
    put_link(bundle, "rootfs/link", "/tmp");
    ck_assert(!chmod(closed, 0700));
    container_start(bundle, config, &r);
    container_await(&r, "pid=1");
    add_well(&r, bundle, config,
             one(container_mount(additions[which].type, additions[which].source,
                                 additions[which].destination, additions[which].options)));
    ask(&r, additions[which].expected);
    container_end(&r);
}
END_TEST

/* What is made in a user namespace belongs to its root. */
START_TEST(what_is_made_belongs_to_the_containers_root)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = waiting(bundle, "stat /new + stat /new/x");
    struct running r;

    container_start(bundle, config, &r);
    container_await(&r, "pid=1");
    add_well(&r, bundle, config, one(container_mount("tmpfs", "tmpfs", "/new/x", "mode=700")));
    ask(&r, "stat /new/x: 040700 0:0 ");
    container_end(&r);
    cleanup_free char *made = path_in(bundle, "rootfs/new");
    struct stat st;
    ck_assert(!stat(made, &st));
    ck_assert_uint_eq(st.st_uid, OUTSIDE);
}
END_TEST

START_TEST(a_mount_is_removed)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        kinds[_i](bundle, "mounted /x + mounted /x/below + mounted /file + mounted /tmp");
    json_t *both = json_array();
    struct running r;

    put_dir(bundle, "dir");
    put_file(bundle, "dir/file", "from the host");
    container_append(config, "mounts", container_mount("tmpfs", "tmpfs", "/tmp", ""));
    container_start(bundle, config, &r);
    container_await(&r, "pid=1");
    json_push(both, container_mount("tmpfs", "tmpfs", "/x", ""));
    json_push(both, container_mount("tmpfs", "tmpfs", "/x/below", ""));
    json_push(both, bind_mount("dir/file", "/file", "bind"));
    json_incref(both);
    add_well(&r, bundle, config, both);
    remove_well(&r, bundle, config, both);
    remove_well(&r, bundle, config, one(json_pack("{s:s}", "destination", "//tmp/")));
    ask(&r, "mounted /x: no\nmounted /x/below: no\nmounted /file: no\nmounted /tmp: no\n");
    container_end(&r);
}
END_TEST

/* --- all or none
 * ----------------------------------------------------------------------------------
 */

static const struct {
    const char *type, *source, *destination, *options;
    int error;
    const char *words;
} bad_additions[] = {
    {"tmpfs", "tmpfs", "/y", "size=foo", EINVAL,
     "mounts[2]: cannot mount 'tmpfs' on '/y': option 'size=foo'"},
    {"bind", "missing", "/y", "bind", ENOENT, "mounts[2]: cannot mount 'missing' on '/y'"},
    {"tmpfs", "tmpfs", "/proc/sys", "", EPERM, "it is inside /proc"},
    {"tmpfs", "tmpfs", "/", "", EINVAL, "the destination is the root itself"},
    {"cgroup", "cgroup", "/y", "", ENOTSUP,
     "control groups cannot be added to a running container"},
    {"nosuchfs", "x", "/y", "", ENODEV, "type 'nosuchfs'"},
};

START_TEST(none_is_added_when_one_fails)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = kinds[_i % 2](bundle, "mounted /x + mounted /file");
    json_t *list = json_array();
    int which = _i / 2;
    struct running r;
    struct err err = {0};

    put_dir(bundle, "dir");
    put_file(bundle, "dir/file", "from the host");
    container_start(bundle, config, &r);
    container_await(&r, "pid=1");
    json_push(list, container_mount("tmpfs", "tmpfs", "/x", ""));
    json_push(list, bind_mount("dir/file", "/file", "bind"));
    json_push(list,
              container_mount(bad_additions[which].type, bad_additions[which].source,
                              bad_additions[which].destination, bad_additions[which].options));
    ck_assert_int_eq(change(&r, bundle, config, list, true, &err), -bad_additions[which].error);
    ck_assert_msg(strstr(err.message, bad_additions[which].words) != NULL, "%s", err.message);
    ask(&r, "mounted /x: no\nmounted /file: no\n");
    container_end(&r);
}
END_TEST

/* What guards the kernel's files is made of mounts. A link of the container does not lead there. */
static const struct {
    const char *destination;
    int error;
    const char *words;
} bad_removals[] = {
    {"/proc/keys", EPERM, "mounts[1]: cannot unmount '/proc/keys': it is in /proc or /sys"},
    {"/proc/sys", EPERM, "it is in /proc or /sys"},
    {"/sys/firmware", EPERM, "it is in /proc or /sys"},
    {"/tmp/evil/keys", EPERM, "it is in /proc or /sys"}, /* -> /proc */
    {"/tmp/../proc/./keys", EPERM, "it is in /proc or /sys"},
    {"/tmp/link", EINVAL, "nothing is mounted there"}, /* -> /x */
    {"/etc", EINVAL, "nothing is mounted there"},
    {"/missing", ENOENT, "No such file"},
    {"/missing/below", ENOENT, "No such file"},
    {"/", EINVAL, "'/'"},
};

START_TEST(none_is_removed_when_one_cannot_be)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = plain(bundle, "size /proc/keys + mounted /x");
    json_t *list = json_array();
    struct running r;
    struct err err = {0};

    put_link(bundle, "rootfs/tmp/evil", "/proc");
    put_link(bundle, "rootfs/tmp/link", "/x");
    container_append(config, "mounts", container_mount("tmpfs", "tmpfs", "/x", "size=4k"));
    container_start(bundle, config, &r);
    container_await(&r, "pid=1");
    json_push(list, json_pack("{s:s}", "destination", "/x"));
    json_push(list, json_pack("{s:s}", "destination", bad_removals[_i].destination));
    ck_assert_int_eq(change(&r, bundle, config, list, false, &err), -bad_removals[_i].error);
    ck_assert_msg(strstr(err.message, bad_removals[_i].words) != NULL, "%s", err.message);
    ask(&r, "size /proc/keys: 0\nmounted /x: rw,");
    container_end(&r);
}
END_TEST

static const char *const not_lists[] = {"{}", "\"x\"", "[{}]", "[{\"destination\":\"\"}]"};

START_TEST(what_is_no_list_of_mounts_is_refused)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = plain(bundle, "true");
    struct running r;
    struct err err = {0};
    json_error_t where;

    container_start(bundle, config, &r);
    container_await(&r, "pid=1");
    ck_assert_int_eq(
        change(&r, bundle, config, json_loads(not_lists[_i], JSON_DECODE_ANY, &where), true, &err),
        -EINVAL);
    container_end(&r);
}
END_TEST

/* --- a hostile container
 * --------------------------------------------------------------------------
 */

/* Its names change while we mount: by then it knows how long that takes. */
START_TEST(a_place_that_changes_stays_inside)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *a = path_in(bundle, "rootfs/tmp/a"), *b = path_in(bundle, "rootfs/tmp/b");
    cleanup_json json_t *config = plain(bundle, "mounted /proc/keys + size /proc/keys");
    cleanup_free char *outside = path_in(bundle, "outside");
    struct running r;
    struct err err = {0};
    struct stat st;
    pid_t racer;

    put_dir(bundle, "rootfs/tmp/a");
    put_dir(bundle, "outside");
    ck_assert(!symlink(_i ? "/proc" : outside, b));
    container_start(bundle, config, &r);
    container_await(&r, "pid=1");
    racer = fork();
    if (!racer)
        for (;;)
            renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
    for (int i = 0; i < 30; i++) {
        json_t *list = one(container_mount("tmpfs", "tmpfs", "/tmp/a/keys", "size=4k"));

        json_incref(list);
        if (!change(&r, bundle, config, list, true, &err))
            change(&r, bundle, config, json_incref(list), false, &err);
        json_decref(list);
    }
    kill(racer, SIGKILL);
    waitpid(racer, NULL, 0);
    ck_assert(!stat(outside, &st));
    ck_assert_uint_eq(st.st_nlink, 2);
    ask(&r, "size /proc/keys: 0\n");
    container_end(&r);
}
END_TEST

/* It has covered its /proc with what looks like one: we do not go by it. */
START_TEST(a_forged_proc_is_not_trusted)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(
        bundle, "mount /proc + mkdir /proc/self + mkdir /proc/self/fd + self + wait + mounted /x");
    struct running r;

    allow_everything(config);
    container_set(config, "linux.maskedPaths", json_array());
    container_set(config, "linux.readonlyPaths", json_array());
    container_start(bundle, config, &r);
    container_await(&r, "pid=1");
    add_well(&r, bundle, config, one(container_mount("tmpfs", "tmpfs", "/x", "")));
    remove_well(&r, bundle, config, one(container_mount("tmpfs", "tmpfs", "/x", "")));
    ask(&r, "mounted /x: no");
    container_end(&r);
}
END_TEST

START_TEST(without_a_mount_namespace_it_is_refused)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = plain(bundle, "true");
    cleanup_json json_t *other = json_deep_copy(config);
    struct running r;
    struct err err = {0};

    container_start(bundle, config, &r);
    container_await(&r, "pid=1");
    container_remove_namespace(other, "mount");
    ck_assert_int_eq(change(&r, bundle, other, json_array(), true, &err), -EINVAL);
    ck_assert_ptr_ne(strstr(err.message, "no mount namespace of its own"), NULL);
    container_end(&r);
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(mount_live)
{
    TCase *t = tcase_create("mount_live");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_loop_test(t, a_mount_is_added, 0, 2 * (int)(sizeof additions / sizeof *additions));
    tcase_add_test(t, what_is_made_belongs_to_the_containers_root);
    LOOP(a_mount_is_removed, kinds);
    tcase_add_loop_test(t, none_is_added_when_one_fails, 0,
                        2 * (int)(sizeof bad_additions / sizeof *bad_additions));
    LOOP(none_is_removed_when_one_cannot_be, bad_removals);
    LOOP(what_is_no_list_of_mounts_is_refused, not_lists);
    tcase_add_loop_test(t, a_place_that_changes_stays_inside, 0, 2);
    tcase_add_test(t, a_forged_proc_is_not_trusted);
    tcase_add_test(t, without_a_mount_namespace_it_is_refused);
    suite_add_tcase(suite, t);
}
