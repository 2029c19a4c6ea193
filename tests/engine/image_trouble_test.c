/* Images when the disk is full, and when several commands want the same: what cannot be done says
 * so and leaves everything as it was. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "engine/world.h"
#include "support/fake_registry.h"
#include "support/registry_server.h"

/* --- a disk of 64 MiB ------------------------------------------------------------------------- */

#define KIB     1024ull
#define CONTENT "12" /* MiB that the image has and the disk may not */

static char *place, *disk, *root;
static struct registry_server server;
static struct fake_registry *web;
static char *pulled; /* "ADDRESS/me/app:v1" */

static void shell(const char *script)
{
    cleanup_run struct run_result r = {0};

    RUN(&r, &(struct run_options){.directory = place}, "sh", "-ec", script);
    ck_assert_msg(!r.code, "%s: %s%s", script, r.out.data, r.err.data);
}

/* What a shell command prints, below the test's directory. */
static char *shell_says(const char *script)
{
    cleanup_run struct run_result r = {0};

    RUN(&r, &(struct run_options){.directory = place}, "sh", "-ec", script);
    ck_assert_msg(!r.code, "%s: %s", script, r.err.data);
    return buf_steal(&r.out);
}

static void on_disk(struct run_result *ret, const char *const args[])
{
    const char *argv[24] = {BUILD_DIR "/bin/cooper", "--root", root};
    size_t n = 3;

    while (*args && n < 23)
        argv[n++] = *args++;
    run_argv(ret, &(struct run_options){.directory = place}, argv);
}
#define ON_DISK(ret, ...) on_disk(ret, (const char *const[]){__VA_ARGS__, NULL})
#define ON_DISK_OK(...)                                                                            \
    do {                                                                                           \
        cleanup_run struct run_result _r = {0};                                                    \
        ON_DISK(&_r, __VA_ARGS__);                                                                 \
        ck_assert_msg(!_r.code, "%s", _r.err.data);                                                \
    } while (0)

static void make(void)
{
    cleanup_free char *archive = NULL;
    static const char name[] = "pushed:1";

    place = temp_dir();
    disk = str_format("%s/disk", place);
    root = str_format("%s/root", disk);
    archive = str_format("%s/box.tar", place);
    ck_assert_int_eq(mkdir(disk, 0700), 0);
    ck_assert_int_eq(mount("tmpfs", disk, "tmpfs", 0, "size=64m"), 0);
    EXPECT(0, NULL, "", "save", "-o", archive, BOX);
    ON_DISK_OK("load", "-i", archive);
    ON_DISK_OK("run", "--network", "none", "--name", "cc", BOX, "sh", "-c",
               "dd if=/dev/urandom of=/big bs=1M count=" CONTENT " 2>/dev/null");
    ON_DISK_OK("commit", "cc", name);
    ON_DISK_OK("save", "-o", "pushed.tar", name);
    registry_server_start(&server, NULL);
    pulled = str_format("%s/me/app:v1", server.address);
    ON_DISK_OK("tag", name, pulled);
    ON_DISK_OK("push", "-q", pulled);
    ON_DISK_OK("rmi", name, pulled);
    shell("mkdir tree; head -c 12M /dev/urandom >tree/big; tar -C tree -cf tree.tar .");
}

/* Its threads are of the process that runs the test. */
static void serve_file(void)
{
    size_t len = 12u << 20;
    cleanup_free char *data = mem_alloc(len);

    memset(data, 'x', len);
    web = fake_start();
    fake_serve(web, "/file", NULL, data, len);
}

static void stop_serving(void)
{
    fake_stop(web);
    web = NULL;
}

static void drop(void)
{
    cleanup_run struct run_result r = {0};

    registry_server_stop(&server);
    ON_DISK(&r, "rm", "-f", "cc");
    umount2(disk, MNT_DETACH);
    temp_dir_remove(place);
    free(disk);
    free(root);
    free(pulled);
}

/* Leaves `bytes` free. */
static void fill(unsigned long long bytes)
{
    cleanup_free char *script = NULL;
    struct statvfs fs;

    ck_assert_int_eq(statvfs(disk, &fs), 0);
    script = str_format("fallocate -l %llu disk/fill", fs.f_bavail * fs.f_frsize - bytes);
    shell(script);
}

static unsigned long long used(void)
{
    struct statvfs fs;

    ck_assert_int_eq(statvfs(disk, &fs), 0);
    return (fs.f_blocks - fs.f_bfree) * fs.f_frsize;
}

/* All files but the database's, with their sizes. */
static char *listing(void)
{
    return shell_says("find disk -type f ! -name 'cooper.db*' ! -name fill ! -path '*/events/*' "
                      "-printf '%p %s\\n' | LC_ALL=C sort");
}

static const struct {
    const char *name, *args[6], *undo[4];
} changes[] = {
    {"load", {"load", "-i", "pushed.tar"}, {"rmi", "pushed:1"}},
    {"pull", {"pull", "PULLED"}, {"rmi", "PULLED"}},
    {"import", {"import", "tree.tar", "kid:1"}, {"rmi", "kid:1"}},
    {"commit", {"commit", "cc", "kid:1"}, {"rmi", "kid:1"}},
    {"insert", {"insert", BOX, "URL", "/data/file"}, {"image", "prune", "-f"}},
    {"save", {"save", "-o", "disk/out.tar", BOX}, {"version"}},
    {"tag", {"tag", BOX, "kid:1"}, {"rmi", "kid:1"}},
};

static void do_change(struct run_result *ret, const char *const words[], const char *url)
{
    const char *args[8] = {0};

    for (size_t i = 0; words[i]; i++)
        args[i] = !strcmp(words[i], "PULLED") ? pulled : !strcmp(words[i], "URL") ? url : words[i];
    on_disk(ret, args);
}

/* With more and more room, until it is done: before that, each time a message that says why, and
 * nothing of it is left. */
START_TEST(a_full_disk_changes_nothing)
{
    static const unsigned long long rooms[] = {0,           4 * KIB,     12 * KIB,   32 * KIB,
                                               100 * KIB,   400 * KIB,   1500 * KIB, 6000 * KIB,
                                               11000 * KIB, 13000 * KIB, 30000 * KIB};
    cleanup_free char *url = str_format("http://%s/file", fake_address(web));
    cleanup_free char *before = listing(), *after = NULL;
    unsigned failures = 0;
    bool done = false;

    for (size_t i = 0; i < sizeof rooms / sizeof *rooms && !done; i++) {
        cleanup_run struct run_result r = {0};

        fill(rooms[i]);
        do_change(&r, changes[_i].args, url);
        done = !r.code;
        if (done)
            break;
        failures++;
        ck_assert_msg(r.code == 1 && strstr(r.err.data, "No space left on device"), "%s, %llu: %s",
                      changes[_i].name, rooms[i], r.err.data);
        after = (free(after), listing());
        ck_assert_msg(!strcmp(before, after), "%s, %llu: before:\n%safter:\n%s", changes[_i].name,
                      rooms[i], before, after);
        shell("rm disk/fill");
    }
    ck_assert_msg(done && failures, "%s: %u failures", changes[_i].name, failures);
    shell("rm -f disk/fill disk/out.tar");
    {
        cleanup_run struct run_result r = {0};

        do_change(&r, changes[_i].undo, url);
        ck_assert_msg(!r.code, "%s", r.err.data);
    }
    after = (free(after), listing());
    ck_assert_str_eq(before, after);
}
END_TEST

/* Who fills a disk must be able to empty it. */
START_TEST(a_full_disk_can_be_emptied)
{
    unsigned long long before = used();
    cleanup_run struct run_result r = {0};

    ON_DISK_OK("load", "-i", "pushed.tar");
    fill(0);
    ON_DISK(&r, "images", "-q");
    ck_assert_msg(!r.code && strlen(r.out.data) == 26, "%s%s", r.out.data, r.err.data);
    ON_DISK_OK("rmi", "pushed:1");
    shell("rm disk/fill");
    ck_assert_uint_le(used(), before + 64 * KIB);
    ON_DISK_OK("run", "--network", "none", "--name", "big", BOX, "dd", "if=/dev/zero", "of=/big",
               "bs=1M", "count=5");
    fill(0);
    ON_DISK_OK("rm", "big");
    shell("rm disk/fill");
    ck_assert_uint_le(used(), before + 64 * KIB);
}
END_TEST

/* --- several at once -------------------------------------------------------------------------- */

static void make_shared(void)
{
    cleanup_free char *archive = NULL;

    place = temp_dir();
    archive = str_format("%s/kid.tar", place);
    EXPECT(0, NULL, "", "run", "--name", "cc", BOX, "sh", "-c",
           "dd if=/dev/urandom of=/big bs=1M count=2 2>/dev/null; rm /etc/group");
    EXPECT(0, NULL, "", "commit", "cc", "kid:1");
    EXPECT(0, "", "", "save", "-o", archive, "kid:1");
    EXPECT(0, NULL, "", "rmi", "kid:1");
}

static void drop_shared(void)
{
    temp_dir_remove(place);
}

/* The root's layers and blobs, as find(1) lists them. */
static char *stored(void)
{
    cleanup_free char *script = str_format(
        "cd %s && find layers blobs staging -type f -printf '%%p %%s\\n' | LC_ALL=C sort",
        world_root());

    return shell_says(script);
}

START_TEST(an_archive_loaded_by_many_at_once_is_one_image)
{
    enum { MANY = 6 };
    cleanup_free char *archive = str_format("%s/kid.tar", place), *before = stored(), *after = NULL;
    cleanup_free char *dangling = NULL;
    pid_t pids[MANY];

    for (size_t i = 0; i < MANY; i++) {
        cleanup_free char *log = str_format("%s/log%zu", place, i);

        pids[i] = START(log, "load", "-i", archive);
    }
    for (size_t i = 0; i < MANY; i++) {
        cleanup_free char *show = str_format("cat log%zu", i), *said = NULL;
        int status;

        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        said = shell_says(show);
        ck_assert_msg(!status && !strcmp(said, "Loaded image: kid:1\n"), "%d: %s", status, said);
    }
    EXPECT(0, "/big\n", "", "run", "--rm", "kid:1", "ls", "/big");
    dangling = OUTPUT("images", "-aqf", "dangling=true");
    ck_assert_str_eq(dangling, "");
    EXPECT(0, NULL, "", "rmi", "kid:1");
    after = stored();
    ck_assert_str_eq(before, after);
}
END_TEST

/* Everybody may lose, but with a reason, and what is there in the end is whole. */
START_TEST(what_is_loaded_saved_committed_and_removed_at_once_stays_whole)
{
    static const char *const scripts[] = {
        "$C load -qi kid.tar",
        "$C rmi kid:1",
        "$C save -o out.$$ kid:1 && tar -tf out.$$ >list.$$ && grep -q manifest.json list.$$",
        "$C commit cc kid:1",
        "$C run --rm --pull never --network none kid:1 ls /big",
        "$C image prune -f",
    };
    enum { COUNT = sizeof scripts / sizeof *scripts };
    cleanup_free char *archive = str_format("%s/kid.tar", place), *before = stored(), *after = NULL;
    cleanup_free char *said = NULL;
    cleanup_buf struct buf all = {0};

    buf_printf(&all, "export C='%s --root %s'; cd %s; end=$(($(date +%%s) + 6))\n",
               BUILD_DIR "/bin/cooper", world_root(), place);
    for (size_t i = 0; i < COUNT; i++)
        buf_printf(&all,
                   "(while [ $(date +%%s) -lt $end ]; do sh -c '%s' >/dev/null 2>>errors.%zu; "
                   "done) &\n",
                   scripts[i], i);
    buf_add_str(&all, "wait\n");
    shell(all.data);
    said = shell_says("cat errors.* | grep -v -e 'No such image: ' -e 'conflict: unable to ' "
                      "-e '^$' -e '^Run .cooper run --help' | sort | uniq -c; rm -f out.* list.*");
    ck_assert_str_eq(said, "");
    EXPECT(0, NULL, "", "load", "-i", archive);
    EXPECT(0, "/big\n", "", "run", "--rm", "kid:1", "ls", "/big");
    EXPECT(0, NULL, "", "rmi", "kid:1");
    EXPECT(0, NULL, "", "image", "prune", "-f");
    after = stored();
    ck_assert_str_eq(before, after);
}
END_TEST

SUITE(image_trouble)
{
    TCase *t = tcase_create("full_disk");

    tcase_set_tags(t, "needs-root needs-registry");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_unchecked_fixture(t, make, drop);
    tcase_add_checked_fixture(t, serve_file, stop_serving);
    tcase_add_loop_test(t, a_full_disk_changes_nothing, 0, sizeof changes / sizeof *changes);
    tcase_add_test(t, a_full_disk_can_be_emptied);
    suite_add_tcase(suite, t);

    t = tcase_create("at_once");
    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_unchecked_fixture(t, make_shared, drop_shared);
    tcase_add_test(t, an_archive_loaded_by_many_at_once_is_one_image);
    tcase_add_test(t, what_is_loaded_saved_committed_and_removed_at_once_stays_whole);
    suite_add_tcase(suite, t);
}
