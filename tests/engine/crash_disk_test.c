/* A state directory that is full, has no inode left, or cannot be written to. What cannot be done
 * is said; what runs goes on; what can be seen is seen; what makes room works; and when there is
 * room again nothing was lost. */
#include "engine/world.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define NONE "--network", "none"
/* Ends with 3 when it is told to end. */
#define PATIENT BOX, "sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done"

/* A file system of this test's own in the place of the root, with the image and two containers: one
 * that runs and one that has ended with 7. Nobody else sees it. */
static void take_place(const char *options)
{
    cleanup_free char *tar = world_path("box.tar");

    ck_assert_msg(!unshare(CLONE_NEWNS), "unshare: %s", strerror(errno));
    ck_assert(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    ck_assert_msg(!mount("small", world_root(), "tmpfs", 0, options), "mount: %s", strerror(errno));
    EXPECT(0, NULL, "", "import", "--change", "CMD [\"sh\"]", tar, BOX);
    EXPECT(0, NULL, "", "run", "-d", NONE, "--name", "lives", PATIENT);
    EXPECT(7, "", "", "run", NONE, "--name", "ended", BOX, "sh", "-c", "exit 7");
    world_wait_log("lives", "ready");
}

static char *filler(const char *name)
{
    return str_format("%s/%s", world_root(), name);
}

/* Up to the last byte. */
static void fill_space(void)
{
    static char zeros[1 << 20];
    cleanup_free char *path = filler("filler");
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    ck_assert(fd >= 0);
    for (size_t piece = sizeof zeros; piece; piece /= 2)
        while (write(fd, zeros, piece) > 0)
            ;
    ck_assert_int_eq(errno, ENOSPC);
}

static void fill_inodes(int *ret_count)
{
    int fd, n = 0;

    do {
        cleanup_free char *name = str_format("filler-%d", n);
        cleanup_free char *path = filler(name);

        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0)
            close(fd);
    } while (fd >= 0 && ++n);
    ck_assert_int_eq(errno, ENOSPC);
    *ret_count = n;
}

static void make_room(int inodes)
{
    cleanup_free char *path = filler("filler");

    unlink(path);
    for (int i = 0; i < inodes; i++) {
        cleanup_free char *name = str_format("filler-%d", i);
        cleanup_free char *file = filler(name);

        ck_assert(!unlink(file));
    }
}

/* Fails, and says why: with one of these texts. */
static void refused(const char *why, const char *const args[])
{
    cleanup_run struct run_result r = {0};

    world_run(&r, NULL, args);
    ck_assert_msg(r.code > 0 && strcasestr(r.err.data, why), "cooper %s: %d, '%s' lacks '%s'", args[0],
                  r.code, r.err.data, why);
}
#define REFUSED(why, ...) refused(why, (const char *const[]){__VA_ARGS__, NULL})

static void nothing_new_works(const char *why)
{
    cleanup_free char *tar = world_path("box.tar");

    REFUSED(why, "run", "--rm", NONE, BOX, "true");
    REFUSED(why, "run", "-d", NONE, "--name", "new", BOX, "sleep", "60");
    REFUSED(why, "create", NONE, "--name", "new", BOX, "true");
    REFUSED(why, "import", tar, "other:1");
    REFUSED(why, "commit", "ended", "other:2");
}

/* What was there is there, and seen: only reading. */
static void all_is_seen(void)
{
    EXPECT(0, "ended exited\nlives running\n", "", "ps", "-a", "--format", "{{.Names}} {{.State}}");
    EXPECT(0, BOX "\n", "", "images", "--format", "{{.Repository}}:{{.Tag}}");
    EXPECT(0, "exited 7\n", "", "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "ended");
    EXPECT(0, "ready\n", "", "logs", "lives");
    EXPECT(0, "inside\n", "", "exec", "lives", "echo", "inside");
}

static void all_works(void)
{
    cleanup_free char *tar = world_path("box.tar");

    EXPECT(0, "hello\n", "", "run", "--rm", NONE, BOX, "echo", "hello");
    EXPECT(0, NULL, "", "import", tar, "other:1");
    EXPECT(0, NULL, "", "rmi", "other:1");
    EXPECT(7, "", "", "start", "-a", "ended");
}

/* Room is made with the engine's own means, without a byte to write them down with; and the exit
 * code of what ends meanwhile is not lost. */
static void room_can_be_made(void)
{
    EXPECT(0, "lives\n", "", "stop", "lives");
    EXPECT(0, "exited 3\n", "", "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "lives");
    EXPECT(0, "lives\n", "", "rm", "lives");
    EXPECT(0, "ended\n", "", "ps", "-a", "--format", "{{.Names}}");
}

static void assert_empty(const char *name)
{
    cleanup_free char *path = str_format("%s/%s", world_root(), name);
    cleanup_closedir DIR *dir = opendir(path);
    const struct dirent *entry = file_next_entry(dir);

    ck_assert_msg(!entry, "'%s' has '%s'", path, entry ? entry->d_name : "");
}

static void leave_place(void)
{
    assert_empty("containers");
    assert_empty("staging");
    ck_assert(!umount2(world_root(), MNT_DETACH));
    world_assert_nothing_left(NULL);
}

START_TEST(a_full_disk)
{
    take_place("size=32m,mode=0700");
    fill_space();
    nothing_new_works("no space left on device");
    all_is_seen();
    room_can_be_made();
    make_room(0);
    all_works();
    EXPECT(0, "ended\n", "", "rm", "ended");
    leave_place();
}
END_TEST

START_TEST(a_full_disk_is_emptied_by_removing)
{
    take_place("size=32m,mode=0700");
    fill_space();
    EXPECT(0, "lives\n", "", "rm", "-f", "lives");
    EXPECT(0, "ended\n", "", "rm", "ended");
    EXPECT(0, NULL, "", "rmi", BOX);
    EXPECT(0, "", "", "images", "-q");
    make_room(0);
    leave_place();
}
END_TEST

/* The container's own writes fail as on any full disk, and its output, which cannot be kept, does
 * not stop it. */
START_TEST(a_container_fills_the_disk)
{
    take_place("size=32m,mode=0700");
    EXPECT(1, "", "No space left on device", "run", "--rm", NONE, BOX, "dd", "if=/dev/zero",
           "of=/file", "bs=1M");
    EXPECT(0, NULL, "", "run", "-d", NONE, "--name", "loud", BOX, "sh", "-c",
           "sleep 0.3; seq 1 20000; exit 5");
    fill_space();
    world_wait_for("loud", "{{.State.Status}} {{.State.ExitCode}}", "exited 5");
    make_room(0);
    EXPECT(0, "loud\n", "", "rm", "loud");
    all_works();
    EXPECT(0, "lives\nended\n", "", "rm", "-f", "lives", "ended");
    leave_place();
}
END_TEST

START_TEST(no_inodes_left)
{
    int inodes;

    take_place("size=64m,nr_inodes=300,mode=0700");
    fill_inodes(&inodes);
    nothing_new_works("no space left on device");
    all_is_seen();
    room_can_be_made();
    make_room(inodes);
    all_works();
    EXPECT(0, "ended\n", "", "rm", "ended");
    leave_place();
}
END_TEST

START_TEST(a_read_only_disk)
{
    take_place("size=32m,mode=0700");
    /* As a mount: a file system that is being written to cannot be made read-only. */
    ck_assert(!mount(world_root(), world_root(), NULL, MS_BIND, NULL));
    ck_assert(!mount(NULL, world_root(), NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
    nothing_new_works("read-only file system");
    all_is_seen();
    REFUSED("read-only file system", "rm", "ended");
    EXPECT(0, "lives\n", "", "stop", "lives"); /* which its policy allows without a mark */
    EXPECT(0, "lives exited\n", "", "ps", "-a", "-f", "name=lives", "--format",
           "{{.Names}} {{.State}}");
    ck_assert(!umount2(world_root(), MNT_DETACH));
    all_works();
    EXPECT(0, "lives\nended\n", "", "rm", "lives", "ended");
    leave_place();
}
END_TEST

SUITE(crash_disk)
{
    TCase *t = tcase_create("disk");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 90);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_test(t, a_full_disk);
    tcase_add_test(t, a_full_disk_is_emptied_by_removing);
    tcase_add_test(t, a_container_fills_the_disk);
    tcase_add_test(t, no_inodes_left);
    tcase_add_test(t, a_read_only_disk);
    suite_add_tcase(suite, t);
}
