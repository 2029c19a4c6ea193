/* The engine itself gets next to nothing: a few processes, a few megabytes. It does its work or
 * says that it could not; and what it began is gone with the next command. */
#include "engine/world.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

/* One limit, in either version of control groups. */
struct limit {
    const char *controller; /* version 1: its hierarchy */
    const char *v1_file, *v2_file;
};
static const struct limit pids = {"pids", "pids.max", "pids.max"};
static const struct limit memory = {"memory", "memory.limit_in_bytes", "memory.max"};

static char *group; /* of the commands under test */
static bool version_2;

static void poke(const char *file, const char *value)
{
    struct err err = {0};

    ck_assert_msg(!file_poke(AT_FDCWD, file, value, &err), "%s", err.message);
}

static void make_group(const struct limit *limit)
{
    version_2 = !access("/sys/fs/cgroup/cgroup.controllers", F_OK);
    if (version_2) {
        cleanup_free char *controller = str_format("+%s", limit->controller);

        poke("/sys/fs/cgroup/cgroup.subtree_control", controller);
    }
    group = str_format("/sys/fs/cgroup/%s%scooper-test-%d", version_2 ? "" : limit->controller,
                       version_2 ? "" : "/", (int)getpid());
    ck_assert_msg(!mkdir(group, 0755), "mkdir '%s': %s", group, strerror(errno));
}

static void remove_group(void)
{
    for (int i = world_ticks(10); i > 0 && rmdir(group) < 0 && errno == EBUSY; i--)
        world_tick();
    ck_assert_msg(access(group, F_OK) < 0, "somebody is left in '%s'", group);
    free(group);
    group = NULL;
}

static void set_limit(const struct limit *limit, const char *value)
{
    cleanup_free char *file =
        str_format("%s/%s", group, version_2 ? limit->v2_file : limit->v1_file);

    poke(file, value);
}

/* `cooper --root ROOT args...` in the group. The shell that goes there first becomes it. */
static void run_inside(struct run_result *ret, const char *const args[])
{
    static const struct run_options options = {.timeout_s = 40};
    cleanup_strv struct strv argv = {0};

    strv_add(&argv, "sh");
    strv_add(&argv, "-c");
    strv_add(&argv, "echo $$ >\"$0/cgroup.procs\" && exec \"$@\"");
    strv_add(&argv, group);
    strv_add(&argv, BUILD_DIR "/bin/cooper");
    strv_add(&argv, "--root");
    strv_add(&argv, world_root());
    for (size_t i = 0; args[i]; i++)
        strv_add(&argv, args[i]);
    run_argv(ret, &options, (const char *const *)argv.items);
}

/* It succeeds, or fails and says so. Who is killed for want of memory cannot say anything. */
static bool honest(const char *value, const char *const args[])
{
    cleanup_run struct run_result r = {0};

    run_inside(&r, args);
    ck_assert_msg(r.code >= 0, "with %s: cooper %s hangs: %s", value, args[0], r.err.data);
    ck_assert_msg(!r.code || r.code == 137 || r.err.len > 1, "with %s: cooper %s: a silent %d",
                  value, args[0], r.code);
    return r.code == 0;
}

/* Nothing remains of what failed, without help. A shim whose command was killed may be at work for
 * a moment longer. */
static void all_is_well(void)
{
    for (int i = world_ticks(10); i > 0 && *EXPECT(0, NULL, "", "ps", "-aq"); i--)
        world_tick();
    EXPECT(0, "", "", "ps", "-aq");
    EXPECT(0, "hello\n", "", "run", "--rm", "--network", "none", BOX, "echo", "hello");
    world_assert_nothing_left(NULL);
}

/* How many of these values were enough for a container to run. */
static int try_limits(const struct limit *limit, const char *const values[])
{
    static const char *const run[] = {"run",  "--rm", "--network", "none", "--name",
                                      "tiny", BOX,    "true",      NULL};
    cleanup_free char *tar = world_path("box.tar");
    const char *const import[] = {"import", tar, "tiny:1", NULL};
    int ran = 0;

    make_group(limit);
    for (size_t i = 0; values[i]; i++) {
        cleanup_run struct run_result r = {0};

        set_limit(limit, values[i]);
        ran += honest(values[i], run);
        all_is_well();
        honest(values[i], import);
        all_is_well();
        COOPER(&r, "rmi", "-f", "tiny:1");
    }
    remove_group();
    return ran;
}

START_TEST(few_processes)
{
    static const char *const values[] = {"1", "2", "3", "4", "5", "8", NULL};
    int ran = try_limits(&pids, values);

    ck_assert_msg(ran >= 1 && ran < 6, "%d", ran); /* or nothing was limited, or everything */
}
END_TEST

#ifdef __SANITIZE_ADDRESS__ /* its shadow takes more than the engine */
#define MUCH 1
#else
#define MUCH 2
#endif

START_TEST(little_memory)
{
    static const char *const values[] = {"64M", "16M", "8M", "4M", "2M", "1M", NULL};

    ck_assert_int_ge(try_limits(&memory, values), MUCH);
}
END_TEST

static const char *probe_controllers(void)
{
    cleanup_buf struct buf v2 = {0};
    struct err err = {0};

    if (!access("/sys/fs/cgroup/pids/pids.max", F_OK) || !access("/sys/fs/cgroup/pids", F_OK))
        return access("/sys/fs/cgroup/memory", F_OK) ? "no memory controller" : NULL;
    if (file_load(AT_FDCWD, "/sys/fs/cgroup/cgroup.controllers", 4096, &v2, &err) < 0)
        return "no control groups";
    return strstr(v2.data, "pids") && strstr(v2.data, "memory") ? NULL : "no pids and memory";
}
TAG("needs-pids-and-memory", probe_controllers)

SUITE(crash_limits)
{
    TCase *t = tcase_create("limits");

    tcase_set_tags(t, "needs-root needs-pids-and-memory");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, world_clear, NULL);
    tcase_add_test(t, few_processes);
    tcase_add_test(t, little_memory);
    suite_add_tcase(suite, t);
}
