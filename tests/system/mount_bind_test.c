/* Bind mounts, by what the container sees of the host and the host of the container. */
#include "support/suite.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "bundle.h"
#include "runtime/mount_api.h"

START_TEST(binds_are_writable_or_not)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *source = path_in(bundle, "source");
    cleanup_json json_t *config = container_config(
        bundle, "put /rw/a x + put /ro/b x + cat /ro/a + put /ro/sub/c x + cat /one");
    cleanup_free char *file = path_in(bundle, "source/one"), *sub = path_in(bundle, "source/sub");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "source/sub");
    put_file(bundle, "source/one", "1");
    ck_assert(!mount("tmpfs", sub, "tmpfs", 0, NULL));
    container_append(config, "mounts", bind_mount(source, "/rw", "rbind,rprivate"));
    container_append(config, "mounts", bind_mount(source, "/ro", "rbind,rro,rprivate"));
    container_append(config, "mounts", bind_mount(file, "/one", "bind,ro"));
    container_run(bundle, config, &o);
    umount2(sub, MNT_DETACH);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "put /rw/a x"), "ok");
    ck_assert_str_eq(answer(&o, "put /ro/b x"), "EROFS");
    ck_assert_str_eq(answer(&o, "cat /ro/a"), "x");
    ck_assert_str_eq(answer(&o, "put /ro/sub/c x"), "EROFS"); /* recursively */
    ck_assert_str_eq(answer(&o, "cat /one"), "1");
    ck_assert(exists(bundle, "source/a"));
}
END_TEST

/* "bind" is one mount, "rbind" a tree. */
static const struct {
    const char *options, *below;
} depths[] = {{"bind", "no"}, {"rbind", "tmpfs"}};

START_TEST(bind_takes_one_mount_and_rbind_the_tree)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *source = path_in(bundle, "source"), *sub = path_in(bundle, "source/sub");
    cleanup_json json_t *config = container_config(bundle, "mounted /x + mounted /x/sub");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "source/sub");
    ck_assert(!mount("tmpfs", sub, "tmpfs", 0, NULL));
    container_append(config, "mounts", container_mount("none", source, "/x", depths[_i].options));
    container_run(bundle, config, &o);
    umount2(sub, MNT_DETACH);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_ne(answer(&o, "mounted /x"), "no");
    ck_assert_ptr_ne(strstr(answer(&o, "mounted /x/sub"), depths[_i].below), NULL);
}
END_TEST

/* A host that mounts something nosuid,nodev,noexec means it inside too. */
START_TEST(binds_keep_the_flags_of_their_source)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *source = path_in(bundle, "source");
    cleanup_json json_t *config = container_config(bundle, "mounted /data");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "source");
    ck_assert(!mount("tmpfs", source, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
    container_append(config, "mounts", bind_mount(source, "/data", "rbind,ro"));
    container_run(bundle, config, &o);
    umount2(source, MNT_DETACH);
    ck_assert_msg(!o.created, "%s", o.err.message);
    ck_assert(str_starts(answer(&o, "mounted /data"), "ro,nosuid,nodev,noexec,"));
}
END_TEST

static const char *const mismatches[][2] = {{"source", "/etc/passwd"}, {"file", "/tmp"}};

START_TEST(a_directory_on_a_file_is_refused)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *source = path_in(bundle, mismatches[_i][0]);
    cleanup_json json_t *config = container_config(bundle, "true");

    put_dir(bundle, "source");
    put_file(bundle, "file", "x");
    container_append(config, "mounts", bind_mount(source, mismatches[_i][1], "rbind"));
    run_refused(
        bundle, config, ENOTDIR,
        "not a directory: one of both is a directory and the other is not. Are you trying to "
        "mount a directory onto a file (or vice-versa)? Check if the specified host path "
        "exists and is the expected type");
}
END_TEST

/* Relative to the bundle, not to where the runtime was started. */
START_TEST(a_source_is_relative_to_the_bundle)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "cat /x + cat /y");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "dir");
    put_file(bundle, "dir/file", "here");
    container_append(config, "mounts", bind_mount("dir/file", "/x", "bind"));
    container_append(config, "mounts", bind_mount("dir/../dir/file", "/y", "bind"));
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "cat /x"), "here");
    ck_assert_str_eq(answer(&o, "cat /y"), "here");
}
END_TEST

/* A socket and a device can be bound as any file can. */
START_TEST(special_files_are_bound)
{
    cleanup_free char *bundle = container_bundle(), *fifo = path_in(bundle, "fifo");
    cleanup_json json_t *config = container_config(bundle, "stat /fifo + stat /run/zero");
    cleanup_outcome struct outcome o;

    ck_assert(!mkfifo(fifo, 0640));
    container_append(config, "mounts", bind_mount(fifo, "/fifo", "bind"));
    container_append(config, "mounts", bind_mount("/dev/zero", "/run/zero", "bind"));
    run_well(bundle, config, &o);
    ck_assert(str_starts(answer(&o, "stat /fifo"), "010640 "));
    ck_assert_ptr_ne(strstr(answer(&o, "stat /run/zero"), " 1:5 "), NULL);
}
END_TEST

/* --- symlinks (crun)
 * ------------------------------------------------------------------------------
 */

static const struct {
    const char *options, *question, *expected;
} links[] = {
    {"bind", "cat /x", "behind the link"},                       /* the source is followed, */
    {"bind", "link /x", "EINVAL"},                               /* a file was made for it */
    {"bind,src-nofollow,dest-nofollow", "link /x", "../target"}, /* the link itself, seen as one */
    {"bind,copy-symlink", "link /x", "../target"},
    {"bind,copy-symlink", "mounted /x", "no"},
};

START_TEST(a_source_that_is_a_symlink)
{
    cleanup_free char *bundle = container_bundle(), *source = path_in(bundle, "dir/link");
    cleanup_json json_t *config = container_config(bundle, links[_i].question);
    cleanup_outcome struct outcome o;

    put_dir(bundle, "dir");
    put_file(bundle, "target", "behind the link");
    put_link(bundle, "dir/link", "../target");
    container_append(config, "mounts", bind_mount(source, "/x", links[_i].options));
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, links[_i].question), links[_i].expected);
}
END_TEST

/* Without the option the mount goes to what the image's link means, with it onto the link. */
static const struct {
    const char *options, *behind, *question, *expected;
} places[] = {
    {"bind", "mine", "cat /tmp/real", "mine"},
    {"bind,dest-nofollow", "mine", "cat /tmp/real", "image's"},
    {"bind,dest-nofollow", "mine", "cat /x", "mine"},
};

START_TEST(a_destination_that_is_a_symlink)
{
    cleanup_free char *bundle = container_bundle(), *source = path_in(bundle, "source");
    cleanup_json json_t *config = container_config(bundle, places[_i].question);
    cleanup_outcome struct outcome o;

    put_file(bundle, "source", places[_i].behind);
    put_file(bundle, "rootfs/tmp/real", "image's");
    put_link(bundle, "rootfs/x", "/tmp/real");
    container_append(config, "mounts", bind_mount(source, "/x", places[_i].options));
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, places[_i].question), places[_i].expected);
}
END_TEST

START_TEST(a_copied_symlink_does_not_replace_another)
{
    cleanup_free char *bundle = container_bundle(), *source = path_in(bundle, "link");
    cleanup_json json_t *config = container_config(bundle, "link /same");
    cleanup_outcome struct outcome o;

    put_link(bundle, "link", "there");
    put_link(bundle, "rootfs/same", "there");
    put_link(bundle, "rootfs/other", "elsewhere");
    container_append(config, "mounts", bind_mount(source, "/same", "bind,copy-symlink"));
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "link /same"), "there");
    container_append(config, "mounts", bind_mount(source, "/other", "bind,copy-symlink"));
    run_refused(bundle, config, EEXIST, "there is something else than a symlink to 'there'");
}
END_TEST

/* The kernel's own files are not covered by way of a link. */
static const char *const kernel_places[] = {"/proc/self/exe", "/proc/self", "/sys/class/mem/null",
                                            "/dev/pts/ptmx"};

START_TEST(nofollow_is_not_for_the_kernels_files)
{
    cleanup_free char *bundle = container_bundle(), *source = path_in(bundle, "source");
    cleanup_json json_t *config = container_config(bundle, "true");

    put_file(bundle, "source", "x");
    container_append(config, "mounts", bind_mount(source, kernel_places[_i], "bind,dest-nofollow"));
    run_refused(bundle, config, EPERM, "nothing is mounted in /proc, /sys or /dev/pts");
}
END_TEST

/* --- mapped ids
 * -----------------------------------------------------------------------------------
 */

/* A child in a new user namespace that maps root to 1; the test of the machine below kills it. */
static pid_t start_mapped(void)
{
    static const char *const files[] = {"uid_map", "gid_map"};
    int ready[2];
    pid_t pid;
    char c;

    if (pipe(ready) < 0 || (pid = fork()) < 0)
        return -1;
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (unshare(CLONE_NEWUSER) < 0 || write(ready[1], "x", 1) < 0)
            _exit(1);
        pause();
        _exit(0);
    }
    close(ready[1]);
    for (size_t i = 0; i < 2 && (i || read(ready[0], &c, 1) == 1); i++) {
        cleanup_free char *path = str_format("/proc/%d/%s", pid, files[i]);
        struct err ignored = {0};

        file_poke(AT_FDCWD, path, "0 1 1", &ignored);
    }
    close(ready[0]);
    return pid;
}

/* Here it needs a tmpfs that can (Linux 6.3); on other file systems since 5.12 and later. */
static const char *tmpfs_can_be_mapped(void)
{
    pid_t pid = start_mapped();
    cleanup_free char *path = str_format("/proc/%d/ns/user", pid);
    cleanup_close int mapping = open(path, O_RDONLY | O_CLOEXEC);
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)mapping};
    struct err ignored = {0};
    cleanup_close int made = mount_new("tmpfs", "tmpfs", NULL, 0, &ignored);
    int r = mount_setattr(made, "", AT_EMPTY_PATH, &attr, sizeof attr);

    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    return r < 0 ? "tmpfs cannot be mounted with mapped ids here (Linux 6.3)" : NULL;
}
TAG("idmapped-tmpfs", tmpfs_can_be_mapped)

static void put_owned(const char *bundle, const char *path, uid_t uid, gid_t gid)
{
    cleanup_free char *full = path_in(bundle, path);

    put_file(bundle, path, "x");
    ck_assert(!chown(full, uid, gid));
}

/* What is asked for, and whom a file of 1000:2000 on the disk belongs to inside. */
static const struct {
    const char *options;
    int uid,
        gid; /* hostID for containerID 0 of the mount's own mapping of 65536; -1: it has none */
    bool userns;
    const char *seen, *seen_below;
} mappings[] = {
    {"bind", -1, -1, false, "1000:2000", NULL},
    {"bind,idmap", 5000, 6000, false, "6000:8000", NULL},
    {"bind", 5000, 6000, false, "6000:8000", NULL}, /* the mapping alone is enough */
    {"rbind,idmap", 5000, 6000, false, "6000:8000", "1000:2000"},
    {"rbind,ridmap", 5000, 6000, false, "6000:8000", "6000:8000"},
    {"bind,idmap=uids=0-100000-65536;gids=0-200000-65536", -1, -1, false, "101000:202000", NULL},
    {"bind,idmap=uids=1000-7-1#2000-8-1;gids=2000-9-1", -1, -1, false, "7:9", NULL},
    {"rbind,ridmap=uids=0-1-5000;gids=0-2-5000", -1, -1, false, "1001:2002", "1001:2002"},
    /* In a user namespace ids that it does not map are nobody's. */
    {"bind", -1, -1, true, "65534:65534", NULL},
    {"bind,idmap", -1, -1, true, "1000:2000", NULL}, /* by the container's own mapping */
    {"rbind,ridmap", -1, -1, true, "1000:2000", "1000:2000"},
    {"bind,idmap", OUTSIDE + 5, OUTSIDE + 6, true, "1005:2006", NULL},
    {"bind,idmap=uids=@0-10-65000;gids=@0-20-65000", -1, -1, true, "1010:2020", NULL},
};

START_TEST(ids_are_mapped)
{
    cleanup_free char *bundle = container_bundle(), *source = path_in(bundle, "source");
    cleanup_free char *sub = path_in(bundle, "source/sub"), *expected = NULL, *below = NULL;
    const char *command = "stat /x/file + stat /x/sub/file";
    cleanup_json json_t *config =
        mappings[_i].userns ? config_in_userns(bundle, command) : container_config(bundle, command);
    json_t *mount_entry = bind_mount(source, "/x", mappings[_i].options);
    cleanup_outcome struct outcome o;

    put_dir(bundle, "source/sub");
    ck_assert(!mount("tmpfs", sub, "tmpfs", 0, NULL));
    put_owned(bundle, "source/file", 1000, 2000);
    put_owned(bundle, "source/sub/file", 1000, 2000);
    if (mappings[_i].uid >= 0) {
        json_put(mount_entry, "uidMappings", id_map(0, mappings[_i].uid, 65536));
        json_put(mount_entry, "gidMappings", id_map(0, mappings[_i].gid, 65536));
    }
    container_append(config, "mounts", mount_entry);
    container_run(bundle, config, &o);
    umount2(sub, MNT_DETACH);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    expected = str_format("100644 %s ", mappings[_i].seen);
    ck_assert_msg(str_starts(answer(&o, "stat /x/file"), expected), "%s",
                  answer(&o, "stat /x/file"));
    if (!mappings[_i].seen_below)
        return;
    below = str_format("100644 %s ", mappings[_i].seen_below);
    ck_assert_msg(str_starts(answer(&o, "stat /x/sub/file"), below), "%s",
                  answer(&o, "stat /x/sub/file"));
}
END_TEST

/* What is made in it belongs to the same one on the disk. */
START_TEST(a_mapped_file_is_written_with_the_ids_of_the_disk)
{
    cleanup_free char *bundle = container_bundle(), *source = path_in(bundle, "source");
    cleanup_free char *file = path_in(bundle, "source/new");
    cleanup_json json_t *config = config_in_userns(bundle, "put /x/new y");
    cleanup_outcome struct outcome o;
    struct stat st;

    put_dir(bundle, "source");
    container_append(config, "mounts", bind_mount(source, "/x", "bind,idmap"));
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "put /x/new y"), "ok");
    ck_assert(!stat(file, &st));
    ck_assert_uint_eq(st.st_uid, 0); /* root's inside, root's on the disk: not OUTSIDE */
}
END_TEST

static const struct {
    const char *options, *words;
} bad_mappings[] = {
    {"bind,idmap",
     "'idmap' needs uidMappings and gidMappings, or a container with a user namespace"},
    {"bind,idmap=uids=0-0-5", "lacks one of 'uids=' and 'gids='"},
    {"bind,idmap=uids=0-0-5;gids=x", "'x' is not FIRST-FIRST-COUNT"},
    {"bind,idmap=uids=0-0-0;gids=0-0-1", "'0-0-0' is not FIRST-FIRST-COUNT"},
    {"bind,idmap=uids=0-0-5;nids=0-0-5", "begins with neither"},
    {"bind,idmap=uids=@0-0-5;gids=@0-0-5", "does not map 0"},
    {"bind,idmap=uids=0-4294967295-5;gids=0-0-5", "uid"},
};

START_TEST(a_bad_mapping_is_refused)
{
    cleanup_free char *bundle = container_bundle(), *source = path_in(bundle, "source");
    cleanup_json json_t *config = container_config(bundle, "true");

    put_dir(bundle, "source");
    container_append(config, "mounts", bind_mount(source, "/x", bad_mappings[_i].options));
    run_refused(bundle, config, EINVAL, bad_mappings[_i].words);
}
END_TEST

START_TEST(one_mapping_without_the_other_is_refused)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    json_t *mount_entry = bind_mount("/tmp", "/x", "bind,idmap");

    json_put(mount_entry, "uidMappings", id_map(0, 1, 1));
    container_append(config, "mounts", mount_entry);
    run_refused(bundle, config, EINVAL,
                "mounts[7]: '/x' has only one of uidMappings and gidMappings");
}
END_TEST

/* /proc and /sys belong to the kernel: their files cannot be somebody else's. */
START_TEST(a_file_system_without_mappings_says_so)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");

    container_append(config, "mounts",
                     bind_mount("/sys/kernel", "/x", "bind,idmap=uids=0-1-5;gids=0-1-5"));
    run_refused(bundle, config, EINVAL, "cannot be mounted with mapped ids");
}
END_TEST

START_TEST(only_a_bind_has_its_ids_mapped)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_in_userns(bundle, "true");

    container_append(config, "mounts", container_mount("tmpfs", "tmpfs", "/x", "idmap"));
    run_refused(bundle, config, EINVAL, "for a bind mount only");
}
END_TEST

/* --- in a user namespace
 * --------------------------------------------------------------------------
 */

/* The container's root may not search the directories that lead there: its parent opens it. */
START_TEST(a_source_may_lie_where_only_the_host_gets)
{
    cleanup_free char *bundle = container_bundle(), *closed = path_in(bundle, "closed");
    cleanup_json json_t *config = config_in_userns(bundle, "cat /x + mounted /y + mounted /y/sub");
    cleanup_free char *sub = path_in(bundle, "tree/sub"), *tree = path_in(bundle, "tree");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "closed");
    put_dir(bundle, "tree/sub");
    put_file(bundle, "closed/file", "inside");
    ck_assert(!chmod(closed, 0700));
    ck_assert(!mount("tmpfs", sub, "tmpfs", 0, NULL));
    container_append(config, "mounts", bind_mount("closed/file", "/x", "bind"));
    container_append(config, "mounts", bind_mount(tree, "/y", "bind")); /* without what is below */
    container_run(bundle, config, &o);
    umount2(sub, MNT_DETACH);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "cat /x"), "inside");
    ck_assert_str_ne(answer(&o, "mounted /y"), "no");
    ck_assert_str_eq(answer(&o, "mounted /y/sub"), "no");
}
END_TEST

/* What the parent opened is a copy of the host's mount, which may be shared: nothing goes back that
 * way. */
START_TEST(a_source_from_the_parent_is_not_a_way_out)
{
    cleanup_free char *bundle = container_bundle(), *closed = path_in(bundle, "closed");
    cleanup_free char *theirs = path_in(bundle, "closed/source/theirs");
    cleanup_json json_t *config = config_in_userns(bundle, "mount /x/theirs + mounted /x/theirs");
    cleanup_buf struct buf table = {0};
    struct err err = {0};
    struct running r;

    allow_everything(config);
    put_dir(bundle, "closed/source/theirs");
    ck_assert(!chmod(closed, 0700));
    container_append(config, "mounts", bind_mount("closed/source", "/x", "bind"));
    ck_assert(!mount(NULL, "/", NULL, MS_SHARED | MS_REC, NULL));
    container_start(bundle, config, &r);
    container_await(&r, "mounted /x/theirs: rw,");
    ck_assert(!file_load(AT_FDCWD, "/proc/self/mountinfo", 1 << 20, &table, &err));
    container_end(&r);
    ck_assert(!mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL));
    ck_assert_ptr_eq(strstr(table.data, theirs), NULL);
}
END_TEST

/* The host's nosuid stays, whatever the container's root does: the kernel locks it. */
START_TEST(flags_of_the_host_are_locked)
{
    cleanup_free char *bundle = container_bundle(), *source = path_in(bundle, "source");
    cleanup_json json_t *config = config_in_userns(bundle, "mounted /x + remount /x + mounted /x");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "source");
    ck_assert(!mount("tmpfs", source, "tmpfs", MS_NOSUID | MS_NODEV, NULL));
    container_append(config, "mounts", bind_mount(source, "/x", "bind,ro"));
    container_append(config, "process.capabilities.bounding", json_string("CAP_SYS_ADMIN"));
    container_append(config, "process.capabilities.effective", json_string("CAP_SYS_ADMIN"));
    container_append(config, "process.capabilities.permitted", json_string("CAP_SYS_ADMIN"));
    json_object_clear(json_object_get(config, "annotations"));
    container_run(bundle, config, &o);
    umount2(source, MNT_DETACH);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert(str_starts(answer(&o, "mounted /x"), "ro,nosuid,nodev,"));
    ck_assert_str_eq(answer(&o, "remount /x"), "EPERM");
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(mount_bind)
{
    TCase *t = tcase_create("mount_bind"), *mapped = tcase_create("mapped ids");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, binds_are_writable_or_not);
    LOOP(bind_takes_one_mount_and_rbind_the_tree, depths);
    tcase_add_test(t, binds_keep_the_flags_of_their_source);
    LOOP(a_directory_on_a_file_is_refused, mismatches);
    tcase_add_test(t, a_source_is_relative_to_the_bundle);
    tcase_add_test(t, special_files_are_bound);
    LOOP(a_source_that_is_a_symlink, links);
    LOOP(a_destination_that_is_a_symlink, places);
    tcase_add_test(t, a_copied_symlink_does_not_replace_another);
    LOOP(nofollow_is_not_for_the_kernels_files, kernel_places);
    LOOP(a_bad_mapping_is_refused, bad_mappings);
    tcase_add_test(t, one_mapping_without_the_other_is_refused);
    tcase_add_test(t, a_file_system_without_mappings_says_so);
    tcase_add_test(t, only_a_bind_has_its_ids_mapped);
    tcase_add_test(t, a_source_may_lie_where_only_the_host_gets);
    tcase_add_test(t, a_source_from_the_parent_is_not_a_way_out);
    tcase_add_test(t, flags_of_the_host_are_locked);
    suite_add_tcase(suite, t);

    t = mapped;
    tcase_set_timeout(t, 30);
    tcase_set_tags(t, "idmapped-tmpfs");
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    LOOP(ids_are_mapped, mappings);
    tcase_add_test(t, a_mapped_file_is_written_with_the_ids_of_the_disk);
    suite_add_tcase(suite, t);
}
