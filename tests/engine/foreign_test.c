/* --runtime: what another OCI runtime makes is the same container. */
#include "engine/world.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/proc.h"

/* The common one, our own program, and one that does not work on hybrid hosts. */
static const char *const names[] = {"runc", "cooper-runtime", "crun"};

static int count_runtimes(void)
{
    bool crun = run_has_program("crun") && !access("/sys/fs/cgroup/cgroup.controllers", F_OK);

    return run_has_program("runc") ? 2 + crun : 0;
}

/* As --runtime wants it. */
static char *runtime(int i)
{
    char path[PATH_MAX];

    if (i != 1)
        return str_copy(names[i]);
    ck_assert_ptr_nonnull(realpath(BUILD_DIR "/bin/cooper-runtime", path));
    return str_copy(path);
}

static const struct {
    const char *flags[5];
    const char *script, *out;
} effects[] = {
    {{NULL}, "echo out; cat /proc/1/comm; hostname | wc -c", "out\nsh\n13\n"},
    {{"-u", "www"}, "id -u; id -G; echo $HOME", "82\n82 50\n/data\n"},
    {{"-u", "7:8", "--group-add", "staff"}, "id -u; id -G", "7\n8 50\n"},
    {{"-v", "filled:/etc"}, "head -n1 /etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"},
    {{"--tmpfs", "/t:size=1m"}, "df -k /t | awk 'END {print $2}'", "1024\n"},
    {{"--read-only"}, "touch /x 2>&1 | sed 's/.*: //'", "Read-only file system\n"},
    {{"--read-only", "-v", "vol:/v"}, "touch /v/x && ls /v", "x\n"},
    {{"--shm-size", "3m"}, "df -k /dev/shm | awk 'END {print $2}'", "3072\n"},
    {{"--mount", "type=image,source=" BOX ",target=/x"},
     "test -x /x/bin/busybox && echo ok",
     "ok\n"},
    {{"--network", "none"}, "ls /sys/class/net", "lo\n"},
    {{NULL},
     "grep Seccomp: /proc/self/status; mount -t tmpfs t /tmp 2>/dev/null || echo no",
     "Seccomp:\t2\nno\n"},
    {{"--security-opt", "seccomp=unconfined"}, "grep Seccomp: /proc/self/status", "Seccomp:\t0\n"},
    {{"--init"}, "cat /proc/1/comm", "docker-init\n"},
    {{"-h", "web"}, "hostname; grep -c web /etc/hosts", "web\n1\n"},
};
#define EFFECTS ((int)(sizeof effects / sizeof *effects))

START_TEST(it_is_the_same_container)
{
    cleanup_free char *program = runtime(_i / EFFECTS);
    const char *args[16] = {"run", "--rm", "--runtime", program};
    size_t n = 4;

    for (size_t k = 0; effects[_i % EFFECTS].flags[k]; k++)
        args[n++] = effects[_i % EFFECTS].flags[k];
    args[n++] = BOX;
    args[n++] = "sh";
    args[n++] = "-c";
    args[n] = effects[_i % EFFECTS].script;
    world_expect(names[_i / EFFECTS], 0, effects[_i % EFFECTS].out, NULL, args);
    EXPECT(0, NULL, NULL, "volume", "prune", "-af");
}
END_TEST

START_TEST(its_end_is_the_same)
{
    cleanup_free char *program = runtime(_i);

    EXPECT(3, "out\n", "err\n", "run", "--name", "web", "--runtime", program, BOX, "sh", "-c",
           "echo out; echo err >&2; exit 3");
    EXPECT(0, "out\n", "err\n", "logs", "web");
    EXPECT(0, "exited 3\n", "", "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "web");
    EXPECT(3, "out\n", "err\n", "start", "-a", "web");
    EXPECT(127, "", "nosuch", "run", "--rm", "--runtime", program, BOX, "nosuch");
    EXPECT(126, "", "OCI runtime create failed", "run", "--rm", "--runtime", program, BOX, "/etc");
}
END_TEST

START_TEST(all_commands_reach_it)
{
    cleanup_free char *program = runtime(_i), *id = NULL;

    id = OUTPUT("run", "-d", "--name", "web", "--runtime", program, "-t", "--health-cmd",
                "test -e /ok", "--health-interval", "30ms", BOX, "sh", "-c",
                "trap 'exit 5' TERM; echo yes >/ok; test -t 0 && echo terminal; "
                "while :; do usleep 20000; done");
    world_wait_for("web", "{{.State.Health.Status}}", "healthy");
    world_wait_log("web", "terminal");
    EXPECT(0, "yes\n", "", "exec", "web", "cat", "/ok");
    EXPECT(0, "web\n", "", "pause", "web");
    EXPECT(0, "paused\n", "", "inspect", "-f", "{{.State.Status}}", "web");
    EXPECT(0, "web\n", "", "unpause", "web");
    ck_assert_ptr_nonnull(strstr(EXPECT(0, NULL, "", "diff", "web"), "A /ok"));
    EXPECT(0, "web\n", "", "update", "--pids-limit", "50", "web");
    EXPECT(0, "web\n", "", "stop", "web");
    EXPECT(0, "5\n", "", "inspect", "-f", "{{.State.ExitCode}}", "web");
    EXPECT(0, "web\n", "", "rm", "web");
    world_assert_nothing_left(id);
}
END_TEST

START_TEST(a_killed_shim_leaves_nothing)
{
    cleanup_free char *program = runtime(_i), *id = NULL;

    id = OUTPUT("run", "-d", "--name", "web", "--runtime", program, BOX, "sleep", "600");
    ck_assert_int_eq(kill(world_shim_of(id), SIGKILL), 0);
    world_wait_for("web", "{{.State.Status}}", "exited");
    EXPECT(0, "web\n", "", "start", "web");
    EXPECT(0, "web\n", "", "rm", "-f", "web");
    world_assert_nothing_left(id);
}
END_TEST

START_TEST(words)
{
    EXPECT(125, "", "Error response from daemon: Unknown runtime specified foo\n", "run",
           "--runtime", "foo", BOX);
    EXPECT(125, "", "Unknown runtime specified /nonexist\n", "run", "--runtime", "/nonexist", BOX);
    EXPECT(125, "", "Unknown runtime specified ls\n", "run", "--runtime", "ls", BOX);
    EXPECT(125, "", "OCI runtime create failed: '/bin/false' ended with 1\n", "run", "--name",
           "web", "--runtime", "/bin/false", BOX);
    EXPECT(0, "/bin/false created\n", "", "inspect", "-f",
           "{{.HostConfig.Runtime}} {{.State.Status}}", "web");
}
END_TEST

SUITE(foreign)
{
    TCase *t = tcase_create("foreign");
    int available = count_runtimes();

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 90);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, world_clear, NULL);
    tcase_add_loop_test(t, it_is_the_same_container, 0, available * EFFECTS);
    tcase_add_loop_test(t, its_end_is_the_same, 0, available);
    tcase_add_loop_test(t, all_commands_reach_it, 0, available);
    tcase_add_loop_test(t, a_killed_shim_leaves_nothing, 0, available);
    tcase_add_test(t, words);
    suite_add_tcase(suite, t);
}
