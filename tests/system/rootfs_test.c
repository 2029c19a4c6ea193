/* The root directory: which, how it is entered, and what goes between its mounts and the host's. */
#include "support/suite.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "bundle.h"

static char *own_mounts(void)
{
    struct buf text = {0};
    struct err err = {0};

    ck_assert_msg(!file_load(AT_FDCWD, "/proc/self/mountinfo", 1 << 20, &text, &err), "%s",
                  err.message);
    return buf_steal(&text);
}

/* --- root.path
 * ------------------------------------------------------------------------------------
 */

static const char *const paths[] = {"rootfs", "./rootfs/", "../%s/rootfs", "link", "%s/rootfs"};

START_TEST(the_root_is_what_the_path_means)
{
    cleanup_free char *bundle = container_bundle(), *path = NULL;
    cleanup_json json_t *config = container_config(bundle, "cat /etc/mark");
    cleanup_outcome struct outcome o;

    put_file(bundle, "rootfs/etc/mark", "this one");
    put_link(bundle, "link", "rootfs");
    path = str_format(paths[_i], _i == 4 ? bundle : strrchr(bundle, '/') + 1);
    container_set(config, "root.path", json_string(path));
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "cat /etc/mark"), "this one");
}
END_TEST

static const struct {
    const char *path;
    int error;
    const char *words;
} bad_paths[] = {
    {"/", EINVAL, "root.path '/' is the host's own root"},
    {"../../../../../../../../..", EINVAL, "is the host's own root"},
    {"to-the-root", EINVAL, "is the host's own root"},
    {"missing", ENOENT, "cannot open the root '"},
    {"file", ENOTDIR, "cannot open the root '"},
};

START_TEST(a_bad_root_is_refused)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");

    put_file(bundle, "file", "x");
    put_link(bundle, "to-the-root", "/");
    container_set(config, "root.path", json_string(bad_paths[_i].path));
    run_refused(bundle, config, bad_paths[_i].error, bad_paths[_i].words);
}
END_TEST

/* With what is mounted in it, be it a mount itself or not. */
START_TEST(the_root_may_be_a_mount_and_have_some)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *rootfs = path_in(bundle, "rootfs"), *sub = path_in(bundle, "rootfs/tmp");
    cleanup_json json_t *config = container_config(bundle, "cat /tmp/file + mounted /tmp");
    cleanup_outcome struct outcome o;

    if (_i)
        ck_assert(!mount(rootfs, rootfs, NULL, MS_BIND, NULL));
    ck_assert(!mount("tmpfs", sub, "tmpfs", 0, NULL));
    put_file(bundle, "rootfs/tmp/file", "in the mount below");
    container_run(bundle, config, &o);
    umount2(sub, MNT_DETACH);
    if (_i)
        umount2(rootfs, MNT_DETACH);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "cat /tmp/file"), "in the mount below");
}
END_TEST

/* --- linux.rootfsPropagation: mount_namespaces(7)
 * --------------------------------------------------
 */

static const struct {
    const char *propagation, *has, *lacks;
} propagations[] = {
    {NULL, "", " shared: master: unbindable "},
    {"private", "", " shared: master: unbindable "},
    {"rprivate", "", " shared: master: unbindable "},
    {"slave", "master:", "shared:"},
    {"rslave", "master:", "shared:"},
    {"shared", "shared:", "unbindable"},
    {"rshared", "shared:", "unbindable"},
    {"unbindable", "unbindable", "shared:"},
    {"runbindable", "unbindable", "shared:"},
};

/* On a host whose mounts are all shared, as systemd makes them: whatever the container's root shall
 * be, nothing that is mounted for the container appears there, and nothing of the host is
 * unmounted. */
START_TEST(the_root_has_its_propagation_and_the_host_does_not_notice)
{
    cleanup_free char *bundle = container_bundle(), *before = NULL, *after = NULL;
    cleanup_json json_t *config = container_config(bundle, "mounted /");
    cleanup_strv struct strv lacks = {0};
    cleanup_outcome struct outcome o;

    if (propagations[_i].propagation)
        container_set(config, "linux.rootfsPropagation", json_string(propagations[_i].propagation));
    ck_assert(!mount(NULL, "/", NULL, MS_SHARED | MS_REC, NULL));
    before = own_mounts();
    container_run(bundle, config, &o);
    after = own_mounts();
    ck_assert(!mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL));
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(before, after);
    ck_assert_msg(strstr(answer(&o, "mounted /"), propagations[_i].has) != NULL, "%s", o.output);
    strv_split(&lacks, propagations[_i].lacks, ' ');
    for (size_t i = 0; i < lacks.len; i++)
        ck_assert_msg(!*lacks.items[i] || !strstr(answer(&o, "mounted /"), lacks.items[i]), "%s",
                      o.output);
}
END_TEST

/* Who sees what the other mounts in a directory that both have. */
static const struct {
    const char *root, *options;
    bool comes_in, goes_out;
} exchanges[] = {
    {NULL, "rbind", false, false},
    {NULL, "rbind,rprivate", false, false},
    {NULL, "rbind,rslave", true, false},
    {"rslave", "rbind,rslave", true, false},
    {"rslave", "rbind,rprivate", false, false},
    {"rshared", "rbind,rshared", true, true},
    {"shared", "rbind,rslave", true, false},
    {"shared", "rbind,rprivate", false, false},
    {"private", "rbind,slave", true, false},
};

START_TEST(later_mounts_go_where_they_shall)
{
    cleanup_free char *bundle = container_bundle(), *source = path_in(bundle, "source");
    cleanup_free char *ours = path_in(bundle, "source/ours");
    cleanup_json json_t *config =
        container_config(bundle, "mount /x/theirs + wait + mounted /x/ours");
    cleanup_free char *table = NULL, *theirs = path_in(bundle, "source/theirs");
    struct running r;

    allow_everything(config);
    put_dir(bundle, "source");
    ck_assert(!mount("tmpfs", source, "tmpfs", 0, NULL));
    put_dir(bundle, "source/ours");
    put_dir(bundle, "source/theirs");
    ck_assert(!mount(NULL, "/", NULL, MS_SHARED | MS_REC, NULL));
    if (exchanges[_i].root)
        container_set(config, "linux.rootfsPropagation", json_string(exchanges[_i].root));
    container_append(config, "mounts", bind_mount(source, "/x", exchanges[_i].options));
    container_start(bundle, config, &r);
    container_await(&r, "mount /x/theirs: ok");
    ck_assert(!mount("tmpfs", ours, "tmpfs", 0, NULL));
    table = own_mounts();
    close_fd(&r.in);
    container_await(&r, exchanges[_i].comes_in ? "mounted /x/ours: rw" : "mounted /x/ours: no");
    container_end(&r);
    ck_assert(!mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL));
    umount2(source, MNT_DETACH);
    ck_assert_int_eq(strstr(table, theirs) != NULL, exchanges[_i].goes_out);
}
END_TEST

/* --- read-only
 * ------------------------------------------------------------------------------------
 */

/* The root alone, as "readonlyPaths" of it does: what is mounted in it is what its options say. */
static const char *const ways[] = {"root.readonly", "linux.readonlyPaths"};

START_TEST(a_read_only_root_has_writable_mounts)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        container_config(bundle, "put /file x + put /tmp/file x + put /dev/file x + mounted /");
    cleanup_outcome struct outcome o;

    container_append(config, "mounts", container_mount("tmpfs", "tmpfs", "/tmp", ""));
    if (_i)
        container_append(config, ways[_i], json_string("/"));
    else
        container_set(config, ways[_i], json_true());
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "put /file x"), "EROFS");
    ck_assert_str_eq(answer(&o, "put /tmp/file x"), "ok");
    ck_assert_str_eq(answer(&o, "put /dev/file x"), "ok");
    ck_assert(!exists(bundle, "rootfs/file"));
}
END_TEST

/* --- entering it
 * ----------------------------------------------------------------------------------
 */

START_TEST(nothing_leads_up_out_of_it)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "escape");
    cleanup_outcome struct outcome o;

    container_no_pivot = _i;
    put_file(bundle, "rootfs/this-is-the-container", "");
    allow_everything(config);
    run_well(bundle, config, &o);
    ck_assert_msg(strstr(answer(&o, "escape"), "this-is-the-container ") != NULL, "%s", o.output);
    container_no_pivot = false;
}
END_TEST

static bool is_mount(const char *path)
{
    struct statx st;

    return !statx(AT_FDCWD, path, 0, 0, &st) && st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

/* --no-pivot: the host's root stays below, but nothing that was mounted on it. */
START_TEST(without_pivot_the_hosts_mounts_are_gone)
{
    cleanup_free char *bundle = container_bundle(), *before = NULL, *after = NULL;
    cleanup_json json_t *config =
        container_config(bundle, "mounted /proc + cat /etc/passwd + unmount /proc + wait");
    struct running r;
    pid_t child;
    int status;

    container_no_pivot = true;
    allow_everything(config);
    if (_i) /* the host's mounts are not cut off while it is made */
        container_set(config, "linux.rootfsPropagation", json_string("rshared"));
    ck_assert(!mount(NULL, "/", NULL, MS_SHARED | MS_REC, NULL));
    before = own_mounts();
    container_start(bundle, config, &r);
    container_await(&r, "unmount /proc: ok"); /* nothing comes up from below */
    child = fork();
    if (!child) {
        cleanup_free char *path = str_format("/proc/%d/ns/mnt", runtime_pid(r.c));
        int ns = open(path, O_RDONLY | O_CLOEXEC);

        if (setns(ns, CLONE_NEWNS) < 0 || umount2("/", MNT_DETACH) < 0 ||
            setns(ns, CLONE_NEWNS) < 0)
            _exit(10);
        /* Now "/" is what was below: the host's, bare. */
        if (is_mount("/proc") || is_mount("/sys") || is_mount("/dev") || is_mount(container_dir()))
            _exit(11);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    container_end(&r);
    after = own_mounts();
    ck_assert(!mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL));
    container_no_pivot = false;
    ck_assert_int_eq(status, 0);
    ck_assert_msg(!strcmp(before, after), "before:\n%s\nafter:\n%s", before, after);
}
END_TEST

START_TEST(without_pivot_it_is_the_same_container)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        _i ? config_in_userns(bundle, "mounted / + list /proc/1 + put /x y")
           : container_config(bundle, "mounted / + list /proc/1 + put /x y");
    cleanup_free char *closed = str_format("%s/closed", bundle);
    cleanup_free char *inside = str_format("%s/inside", closed);
    cleanup_outcome struct outcome o;

    /* A mount of the host where the root of a user namespace cannot go. */
    ck_assert(!mkdir(closed, 0700) && !mkdir(inside, 0700));
    ck_assert(!mount("none", inside, "tmpfs", 0, "size=4k"));
    container_no_pivot = true;
    container_set(config, "root.readonly", json_true());
    run_well(bundle, config, &o);
    container_no_pivot = false;
    ck_assert(!umount(inside));
    ck_assert(str_starts(answer(&o, "mounted /"), "ro,"));
    ck_assert_str_eq(answer(&o, "put /x y"), "EROFS");
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(rootfs)
{
    TCase *t = tcase_create("rootfs");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    LOOP(the_root_is_what_the_path_means, paths);
    LOOP(a_bad_root_is_refused, bad_paths);
    tcase_add_loop_test(t, the_root_may_be_a_mount_and_have_some, 0, 2);
    LOOP(the_root_has_its_propagation_and_the_host_does_not_notice, propagations);
    LOOP(later_mounts_go_where_they_shall, exchanges);
    LOOP(a_read_only_root_has_writable_mounts, ways);
    tcase_add_loop_test(t, nothing_leads_up_out_of_it, 0, 2);
    tcase_add_loop_test(t, without_pivot_the_hosts_mounts_are_gone, 0, 2);
    tcase_add_loop_test(t, without_pivot_it_is_the_same_container, 0, 2);
    suite_add_tcase(suite, t);
}
