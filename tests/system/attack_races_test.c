/* Somebody exchanges names in the image while the container is made: another container with the
 * same volume, or a root that two share. Every name is a directory at one moment and a symlink out
 * of the image at the next. It may fail, cleanly; what must never happen is that anything reaches
 * the host, or that something that was to be mounted is missing inside (CVE-2021-30465 and what
 * followed). */
#include "support/suite.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "bundle.h"

/* Enough on a quick machine; an emulated one has fewer in the same time. */
#define ROUNDS  40
#define SECONDS 1

/* --- the other side
 * -------------------------------------------------------------------------------
 */

/* Exchanges two entries of a directory until it is killed. */
static pid_t race(const char *bundle, const char *one, const char *other)
{
    cleanup_free char *a = path_in(bundle, one), *b = path_in(bundle, other);
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;)
        if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) < 0)
            _exit(1);
}

static void end_race(pid_t pid)
{
    int status;

    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFSIGNALED(status), "the race was over too soon");
}

/* "outside" beside the image, with a file in it, is the host. `link` in the image leads there, by
 * the host's name and by "..". */
static void prepare(const char *bundle, const char *link)
{
    cleanup_free char *up = str_format("../../../../../../../../../../..%s/outside", bundle);
    cleanup_free char *absolute = path_in(bundle, "outside");
    cleanup_free char *key = path_in(bundle, "outside/key");

    put_dir(bundle, "outside");
    put_file(bundle, "outside/key", "the host's secret");
    ck_assert(!chmod(key, 0600));
    put_link(bundle, link, getpid() & 1 ? up : absolute);
}

/* Only the key is there, as it was. */
static void check_outside(const char *bundle)
{
    cleanup_free char *dir = path_in(bundle, "outside"), *key = path_in(bundle, "outside/key");
    unsigned long long size = 0;
    struct err err = {0};
    struct stat st;

    ck_assert(!file_tree_size(AT_FDCWD, dir, &size, &err));
    ck_assert(!stat(key, &st));
    ck_assert_uint_eq(st.st_mode, S_IFREG | 0600);
    ck_assert_uint_eq(size, strlen("the host's secret"));
    ck_assert_uint_eq(st.st_nlink, 1);
    ck_assert(!stat(dir, &st));
    ck_assert_uint_eq(st.st_nlink, 2); /* no directory was made in it */
}

static bool goes_on(int round, time_t begin)
{
    return round < ROUNDS && (round < 5 || time(NULL) - begin <= SECONDS);
}

/* Runs it again and again; `check` sees what those that came up said. */
static void run_rounds(const char *bundle, const json_t *config, pid_t racer,
                       void (*check)(const struct outcome *o))
{
    time_t begin = time(NULL);

    for (int i = 0; goes_on(i, begin); i++) {
        cleanup_outcome struct outcome o;

        container_run(bundle, config, &o);
        if (!o.created && !o.started)
            check(&o);
        else
            ck_assert_str_ne(o.err.message, "");
    }
    end_race(racer);
    check_outside(bundle);
}

/* --- a mount's place
 * ------------------------------------------------------------------------------
 */

/* The container counts its mounts of this name: one that went astray would not be in its table. */
static void is_mounted(const struct outcome *o)
{
    ck_assert_msg(strstr(answer(o, "cat /proc/self/mountinfo"), "race-me") != NULL, "%s",
                  o->output);
    ck_assert_ptr_eq(strstr(o->output, "the host's secret"), NULL);
}

static const struct {
    const char *type, *destination, *options;
} mounts[] = {
    {"tmpfs", "/vol/x", "size=64k"},
    {"tmpfs", "/vol/x/made/deep", "size=64k"},
    {"tmpfs", "/vol/x", "size=64k,tmpcopyup"},
    {"tmpfs", "/vol/x/made", "iversion,size=64k"}, /* mount(2)'s way */
};

START_TEST(a_mount_point_that_changes)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        container_config(bundle, "cat /proc/self/mountinfo + cat /vol/x/key");

    put_dir(bundle, "rootfs/vol/x");
    prepare(bundle, "rootfs/vol/link");
    container_append(
        config, "mounts",
        container_mount(mounts[_i].type, "race-me", mounts[_i].destination, mounts[_i].options));
    run_rounds(bundle, config, race(bundle, "rootfs/vol/x", "rootfs/vol/link"), is_mounted);
}
END_TEST

/* A bind of a file makes the file to mount on. */
static void has_the_file(const struct outcome *o)
{
    ck_assert_msg(strstr(answer(o, "cat /proc/self/mountinfo"), "/bound-file ") != NULL, "%s",
                  o->output);
}

START_TEST(a_files_mount_point_that_changes)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "cat /proc/self/mountinfo");

    put_file(bundle, "bound-file", "content");
    put_dir(bundle, "rootfs/vol/x");
    prepare(bundle, "rootfs/vol/link");
    container_append(config, "mounts", bind_mount("bound-file", "/vol/x/made/here", "bind"));
    run_rounds(bundle, config, race(bundle, "rootfs/vol/x", "rootfs/vol/link"), has_the_file);
}
END_TEST

/* The two containers' shared volume: mounts go into a mount whose names change. */
START_TEST(a_mount_point_in_a_shared_volume_that_changes)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        container_config(bundle, "cat /proc/self/mountinfo + cat /vol/x/key");

    put_dir(bundle, "shared/x");
    prepare(bundle, "shared/link");
    container_append(config, "mounts", bind_mount("shared", "/vol", "rbind"));
    container_append(config, "mounts", container_mount("tmpfs", "race-me", "/vol/x/y", "size=64k"));
    run_rounds(bundle, config, race(bundle, "shared/x", "shared/link"), is_mounted);
}
END_TEST

static void has_groups(const struct outcome *o)
{
    ck_assert_msg(strstr(answer(o, "cat /proc/self/mountinfo"), " - cgroup") != NULL, "%s",
                  o->output);
}

START_TEST(control_groups_place_that_changes)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "cat /proc/self/mountinfo");

    put_dir(bundle, "rootfs/vol/x");
    prepare(bundle, "rootfs/vol/link");
    json_array_remove(json_at(config, "mounts"), 4);
    container_append(config, "mounts", container_mount("cgroup", "cgroup", "/vol/x", "ro"));
    run_rounds(bundle, config, race(bundle, "rootfs/vol/x", "rootfs/vol/link"), has_groups);
}
END_TEST

/* --- what is copied or made
 * -----------------------------------------------------------------------
 */

static void ignore(const struct outcome *o)
{
    ck_assert_ptr_eq(strstr(o->output, "the host's secret"), NULL);
}

START_TEST(a_volume_is_not_filled_from_the_host)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "cat /vol/x/key");
    time_t begin = time(NULL);
    pid_t racer;

    put_dir(bundle, "rootfs/vol/x");
    prepare(bundle, "rootfs/vol/link");
    container_append(config, "mounts", bind_mount("volume", "/vol/x", "rbind,x-cooper.seed"));
    racer = race(bundle, "rootfs/vol/x", "rootfs/vol/link");
    for (int i = 0; goes_on(i, begin); i++) {
        cleanup_free char *volume = path_in(bundle, "volume");
        cleanup_outcome struct outcome o;
        struct err err = {0};

        put_dir(bundle, "volume");
        container_run(bundle, config, &o);
        ck_assert(!exists(bundle, "volume/key"));
        ck_assert(!file_remove_tree(AT_FDCWD, volume, &err));
    }
    end_race(racer);
    check_outside(bundle);
}
END_TEST

START_TEST(a_working_directory_that_changes)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "list . + cat key");

    put_dir(bundle, "rootfs/vol/x");
    prepare(bundle, "rootfs/vol/link");
    container_set(config, "process.cwd", json_string("/vol/x/made/deep"));
    run_rounds(bundle, config, race(bundle, "rootfs/vol/x", "rootfs/vol/link"), ignore);
}
END_TEST

/* Nodes are made only in the directory that was there when it was opened, or nowhere. */
static const char *const device_paths[] = {"/vol/x/zero", "/vol/x/made/zero"};

START_TEST(a_devices_place_that_changes)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");

    put_dir(bundle, "rootfs/vol/x");
    prepare(bundle, "rootfs/vol/link");
    container_append(config, "linux.devices",
                     json_pack("{s:s,s:s,s:i,s:i}", "path", device_paths[_i], "type", "c", "major",
                               1, "minor", 5));
    run_rounds(bundle, config, race(bundle, "rootfs/vol/x", "rootfs/vol/link"), ignore);
}
END_TEST

/* --- what the set-up itself works on
 * ---------------------------------------------------------------
 */

/* Two containers of one root directory: /dev, /proc or /sys are exchanged while the second is made.
 * What it is given is guarded all the same, wherever its name leads by then. */
static void is_guarded(const struct outcome *o)
{
    static const char *const questions[] = {"size /proc/keys", "size /proc/iomem"};

    for (size_t i = 0; i < 2; i++)
        ck_assert_msg(!strcmp(answer(o, questions[i]), "0") ||
                          !strcmp(answer(o, questions[i]), "ENOENT") ||
                          !strcmp(answer(o, questions[i]), "ELOOP"),
                      "%s", o->output);
    ck_assert_msg(strcmp(answer(o, "put /proc/sys/kernel/shm_rmid_forced 1"), "ok"), "%s",
                  o->output);
    ck_assert_msg(strcmp(answer(o, "put /sys/kernel/mm/ksm/run 0"), "ok"), "%s", o->output);
}

static const char *const kernel_places[] = {"proc", "sys", "dev"};

START_TEST(the_kernels_places_that_change)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *place = str_format("rootfs/%s", kernel_places[_i]);
    cleanup_json json_t *config = container_config(
        bundle, "size /proc/keys + size /proc/iomem + put /proc/sys/kernel/shm_rmid_forced 1 + put "
                "/sys/kernel/mm/ksm/run 0");

    put_dir(bundle, place);
    prepare(bundle, "rootfs/link");
    run_rounds(bundle, config, race(bundle, place, "rootfs/link"), is_guarded);
}
END_TEST

/* The same with another directory of the image in its place, which holds what looks like the
 * kernel's. */
START_TEST(the_kernels_places_that_are_forged)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *place = str_format("rootfs/%s", kernel_places[_i]);
    cleanup_json json_t *config = container_config(
        bundle, "size /proc/keys + size /proc/iomem + put /proc/sys/kernel/shm_rmid_forced 1 + put "
                "/sys/kernel/mm/ksm/run 0");
    const char *fakes[] = {"rootfs/fake/keys", "rootfs/fake/null", "rootfs/fake/firmware"};

    put_dir(bundle, place);
    put_dir(bundle, "rootfs/fake");
    prepare(bundle, "rootfs/link");
    cleanup_free char *outside = path_in(bundle, "outside/key");
    for (size_t i = 0; i < sizeof fakes / sizeof *fakes; i++)
        put_link(bundle, fakes[i], outside);
    run_rounds(bundle, config, race(bundle, place, "rootfs/fake"), ignore);
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(attack_races)
{
    TCase *t = tcase_create("attack_races");

    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    LOOP(a_mount_point_that_changes, mounts);
    tcase_add_test(t, a_files_mount_point_that_changes);
    tcase_add_test(t, a_mount_point_in_a_shared_volume_that_changes);
    tcase_add_test(t, control_groups_place_that_changes);
    tcase_add_test(t, a_volume_is_not_filled_from_the_host);
    tcase_add_test(t, a_working_directory_that_changes);
    LOOP(a_devices_place_that_changes, device_paths);
    LOOP(the_kernels_places_that_change, kernel_places);
    LOOP(the_kernels_places_that_are_forged, kernel_places);
    suite_add_tcase(suite, t);
}
