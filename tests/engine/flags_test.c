/* The flags of run that say where and how a container lives: what they do, seen from inside, and
 * docker's words when they cannot. */
#include "engine/world.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"

/* --- docker's words -------------------------------------------------------------------------- */

static const struct {
    const char *flags; /* with blanks between them */
    int code;
    const char *err;
} refusals[] = {
    {"--pid foo", 125, "cooper: --pid: invalid PID mode\n"},
    {"--pid container:", 125, "cooper: --pid: invalid PID mode\n"},
    {"--pid container:nosuch", 125, "Error response from daemon: No such container: nosuch\n"},
    {"--ipc foo", 125, "Error response from daemon: Invalid IPC mode: foo\n"},
    {"--ipc container:nosuch", 125, "Error response from daemon: No such container: nosuch\n"},
    {"--uts foo", 125, "cooper: --uts: invalid UTS mode\n"},
    {"--uts host -h x", 125, "conflicting options: hostname and the UTS mode\n"},
    {"--userns foo", 125, "cooper: --userns: invalid USER mode\n"},
    {"--cgroupns foo", 125, "cooper: --cgroupns: invalid CGROUP mode\n"},
    {"--cgroup-parent a/../b", 125, "invalid cgroup parent 'a/../b'"},
    {"--device-cgroup-rule foo", 125,
     "invalid argument \"foo\" for \"--device-cgroup-rule\" flag: invalid device cgroup format "
     "'foo'\n"},
    {"--device /nonexist", 127,
     "Error response from daemon: error gathering device information while adding custom device "
     "\"/nonexist\": no such file or directory\n"},
    {"--device /etc/passwd", 125,
     "error gathering device information while adding custom device \"/etc/passwd\": not a device "
     "node\n"},
    {"--device foo", 125, "cooper: foo is not an absolute path\n"},
    {"--memory-swappiness 101", 125,
     "cooper: invalid value: 101. Valid memory swappiness range is 0-100\n"},
    {"--blkio-weight 100000", 125,
     "invalid argument \"100000\" for \"--blkio-weight\" flag: strconv.ParseUint: parsing "
     "\"100000\": value out of range\n"},
    {"--blkio-weight-device foo", 125,
     "invalid argument \"foo\" for \"--blkio-weight-device\" flag: bad format: foo\n"},
    {"--blkio-weight-device /dev/null:5", 125, "invalid weight for device: /dev/null:5\n"},
    {"--device-read-bps foo", 125, "bad format: foo\n"},
    {"--device-read-bps /dev/null:x", 125,
     "invalid rate for device: /dev/null:x. The correct format is "
     "<device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can "
     "be kb, mb, or gb\n"},
    {"--device-read-bps /nonexist:1mb", 125, "bad format for device path: /nonexist:1mb\n"},
    {"--device-write-iops /dev/null:-5", 125,
     "invalid rate for device: /dev/null:-5. The correct format is <device-path>:<number>. Number "
     "must be a positive integer\n"},
    {"--gpus all", 125,
     "Error response from daemon: could not select device driver \"\" with capabilities: "
     "[[gpu]]\n"},
    {"--isolation hyperv", 125,
     "Error response from daemon: Invalid isolation: \"hyperv\" - linux only supports "
     "'default'\n"},
    {"--runtime foo", 125, "Error response from daemon: Unknown runtime specified foo\n"},
    {"--storage-opt size=10g", 125,
     "--storage-opt is supported only for overlay over xfs with 'pquota' mount option\n"},
    {"--storage-opt foo", 125, "cooper: invalid storage option\n"},
    {"--shm-size -1", 125, "invalid argument \"-1\" for \"--shm-size\" flag: invalid size: '-1'\n"},
    {"--sysctl foo=1", 125,
     "invalid argument \"foo=1\" for \"--sysctl\" flag: sysctl 'foo=1' is not allowed\n"},
    {"--group-add nosuch", 125, "nable to find group nosuch: no matching entries in group file"},
    {"-a foo", 125,
     "invalid argument \"foo\" for \"-a, --attach\" flag: valid streams are STDIN, STDOUT and "
     "STDERR\n"},
    {"-d -a stdout", 1, "conflicting options: cannot specify both --attach and --detach\n"},
    {"--stop-timeout x", 125,
     "invalid argument \"x\" for \"--stop-timeout\" flag: strconv.ParseInt: parsing \"x\": invalid "
     "syntax\n"},
    {"--oom-score-adj 2000", 125, "Invalid value 2000, range for oom score adj is [-1000, 1000]\n"},
    {"--health-cmd true --no-healthcheck", 125,
     "cooper: --no-healthcheck conflicts with --health-* options\n"},
    {"--no-healthcheck --health-retries 2", 125,
     "cooper: --no-healthcheck conflicts with --health-* options\n"},
    {"--health-interval 1", 125,
     "invalid argument \"1\" for \"--health-interval\" flag: time: missing unit in duration "
     "\"1\"\n"},
    {"--health-interval x", 125, "time: invalid duration \"x\"\n"},
    {"--health-interval -1s", 125, "cooper: --health-interval cannot be negative\n"},
    {"--health-retries -1", 125, "cooper: --health-retries cannot be negative\n"},
    {"--health-start-period -1s", 125, "cooper: --health-start-period cannot be negative\n"},
    {"--health-interval 1us", 125,
     "Error response from daemon: Interval in Healthcheck cannot be less than 1ms\n"},
    {"--health-timeout 1us", 125, "Timeout in Healthcheck cannot be less than 1ms\n"},
    {"--mount foo", 125,
     "invalid argument \"foo\" for \"--mount\" flag: invalid field 'foo' must be a key=value "
     "pair\n"},
    {"--mount type=bind,source=/tmp", 125, "for \"--mount\" flag: target is required\n"},
    {"--mount type=bind,source=/tmp,target=/x,readonly=foo", 125,
     "invalid value for readonly: foo\n"},
    {"--mount type=bind,source=/tmp,target=/x,foo=bar", 125, "unexpected key 'foo' in 'foo=bar'\n"},
    {"--mount type=bind,source=/tmp,target=/x,volume-nocopy=true", 125,
     "cannot mix 'volume-*' options with mount type 'bind'\n"},
    {"--mount type=volume,target=/x,tmpfs-size=5m", 125,
     "cannot mix 'tmpfs-*' options with mount type 'volume'\n"},
    {"--mount type=tmpfs,target=/x,tmpfs-mode=999", 125, "invalid value for tmpfs-mode: 999\n"},
    {"--mount type=bind,source=/tmp,target=/x,bind-recursive=foo", 125,
     "invalid value for bind-recursive: foo (must be \"enabled\", \"disabled\", \"writable\", or "
     "\"readonly\")\n"},
    {"--mount type=bind,source=/tmp,target=/x -v /tmp:/x", 125, "Duplicate mount point: /x\n"},
    {"-v /a:/b:/c:d", 125, "cooper: invalid spec: /a:/b:/c:d: too many colons\n"},
    {"-v :/x", 125, "cooper: invalid spec: :/x: empty section between colons\n"},
    {"-v xx:/y:ro,rw", 125, "Error response from daemon: invalid mode: ro,rw\n"},
    {"--tmpfs x", 125, "invalid mount path: 'x' mount path must be absolute\n"},
    {"--tmpfs /x:foo", 125, "invalid tmpfs option [\"foo\"]\n"},
    {"--volume-driver foo -v xx:/y", 125, "plugin \"foo\" not found\n"},
};

/* `run [--rm] FLAGS box:1 WORDS`, all with blanks between. */
static void expect_run(int code, const char *out, const char *err, const char *flags,
                       const char *words)
{
    cleanup_strv struct strv argv = {0};

    strv_add(&argv, "run");
    strv_split(&argv, flags, ' ');
    strv_add(&argv, BOX);
    strv_split(&argv, words, ' ');
    world_expect(flags, code, out, err, (const char *const *)argv.items);
}

START_TEST(run_explains)
{
    expect_run(refusals[_i].code, "", refusals[_i].err, refusals[_i].flags, "true");
    EXPECT(0, "", "", "ps", "-aq", "--filter", "status=running");
}
END_TEST

/* --- what they do ---------------------------------------------------------------------------- */

static const struct {
    const char *flags, *words, *out;
} effects[] = {
    {"--pid host", "sh -c test~-d~/proc/$PPID&&echo~seen", "seen\n"},
    {"--ipc none", "sh -c grep~-c~/dev/shm~/proc/self/mountinfo||true", "0\n"},
    {"--ipc private --shm-size 3m", "sh -c df~-k~/dev/shm|awk~'END{print~$2}'", "3072\n"},
    {"--ipc shareable --shm-size 2m", "sh -c df~-k~/dev/shm|awk~'END{print~$2}'", "2048\n"},
    {"-h web --domainname example.org", "sh -c hostname;cat~/proc/sys/kernel/domainname",
     "web\nexample.org\n"},
    {"--sysctl kernel.shmmax=123456", "cat /proc/sys/kernel/shmmax", "123456\n"},
    {"--sysctl net.ipv4.ip_default_ttl=77", "cat /proc/sys/net/ipv4/ip_default_ttl", "77\n"},
    {"--group-add staff --group-add 1234 -u 82", "id -G", "82 50 1234\n"},
    {"--isolation default --disable-content-trust=false", "echo x", "x\n"},
    {"--kernel-memory 10m", "echo x", "x\n"},
    {"--init", "sh -c cat~/proc/1/comm", "docker-init\n"},
    {"--init --init=false", "sh -c cat~/proc/1/comm", "cat\n"},
    {"--oom-score-adj 321", "cat /proc/self/oom_score_adj", "321\n"},
    {"--device /dev/zero:/dev/nil:r", "sh -c head~-c2~/dev/nil|wc~-c", "2\n"},
    {"--device /dev/fuse:/dev/f:r", "sh -c :~</dev/f&&echo~yes;(:~>/dev/f)||echo~no", "yes\nno\n"},
    {"--device-cgroup-rule c~1:5~r --cap-add MKNOD", "sh -c mknod~/z~c~1~5&&head~-c1~/z|wc~-c",
     "1\n"},
    {"--stop-timeout 3 --stop-signal USR1", "true", ""},
    {"--ulimit nofile=123:456", "sh -c ulimit~-n;ulimit~-Hn", "123\n456\n"},
};

static void blanks(char *text)
{
    for (; *text; text++)
        *text = *text == '~' ? ' ' : *text;
}

static void run_effect(const char *flags, const char *words, const char *out)
{
    cleanup_strv struct strv argv = {0};

    strv_add(&argv, "run");
    strv_add(&argv, "--rm");
    strv_split(&argv, flags, ' ');
    strv_add(&argv, BOX);
    strv_split(&argv, words, ' ');
    for (size_t i = 0; i < argv.len; i++)
        blanks(argv.items[i]);
    world_expect(flags, 0, out, NULL, (const char *const *)argv.items);
}

START_TEST(flags_have_effects)
{
    run_effect(effects[_i].flags, effects[_i].words, effects[_i].out);
}
END_TEST

START_TEST(namespaces_of_the_host)
{
    static const struct {
        const char *flag, *name;
    } modes[] = {{"--pid", "pid"},         {"--ipc", "ipc"},     {"--uts", "uts"},
                 {"--cgroupns", "cgroup"}, {"--network", "net"}, {"--userns", "user"}};

    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        cleanup_free char *path = str_format("/proc/self/ns/%s", modes[i].name), *text = NULL;
        char link[64];
        ssize_t n = readlink(path, link, sizeof link - 1);

        ck_assert_int_gt(n, 0);
        link[n] = 0;
        text = str_format("%s\n", link);
        EXPECT(0, text, NULL, "run", "--rm", modes[i].flag, "host", BOX, "sh", "-c",
               "ls -l $0 | sed 's/.*-> //'", path);
    }
}
END_TEST

START_TEST(a_process_namespace_is_shared)
{
    cleanup_free char *other = NULL, *text = NULL;

    EXPECT(0, NULL, "", "run", "-d", "--name", "web", BOX, "sleep", "600");
    EXPECT(0, "sleep\n", "", "run", "--rm", "--pid", "container:web", BOX, "cat", "/proc/1/comm");
    EXPECT(0, "web\n", "", "stop", "-t", "0", "web");
    other = world_inspect("web", "{{.Id}}");
    text = str_format("container %s is not running\n", other);
    EXPECT(125, "", text, "run", "--rm", "--pid", "container:web", BOX, "true");
    /* It is the container that was named, whatever its name is now, and it must run. */
    EXPECT(0, "web\n", "", "start", "web");
    EXPECT(0, NULL, "", "create", "--name", "beside", "--pid", "container:web", BOX, "cat",
           "/proc/1/comm");
    EXPECT(0, "", "", "rename", "web", "old");
    EXPECT(0, "sleep\n", "", "start", "-a", "beside");
}
END_TEST

START_TEST(shared_memory_is_shared)
{
    cleanup_free char *id = NULL, *text = NULL, *shm = NULL;

    EXPECT(0, NULL, "", "run", "-d", "--name", "donor", "--ipc", "shareable", BOX, "sh", "-c",
           "echo hi >/dev/shm/f; echo ready; sleep 600");
    world_wait_log("donor", "ready");
    EXPECT(0, "hi\n", "", "run", "--rm", "--ipc", "container:donor", BOX, "cat", "/dev/shm/f");
    id = world_inspect("donor", "{{.Id}}");
    shm = str_format("%s/run/%s/shm/f", world_root(), id);
    ck_assert_int_eq(access(shm, F_OK), 0);
    EXPECT(0, "donor\n", "", "rm", "-f", "donor");
    world_assert_nothing_left(id);
    free(id);
    EXPECT(0, NULL, "", "run", "-d", "--name", "shy", BOX, "sleep", "600");
    id = world_inspect("shy", "{{.Id}}");
    text = str_format("can't join IPC of container %s: non-shareable IPC (hint: use "
                      "IpcMode:shareable for the donor container)\n",
                      id);
    EXPECT(125, "", text, "run", "--rm", "--ipc", "container:shy", BOX, "true");
}
END_TEST

/* The shim's tmpfs in the run directory goes, even if the shim was killed. */
START_TEST(shared_memory_of_a_killed_shim_goes)
{
    cleanup_free char *id =
        OUTPUT("run", "-d", "--name", "donor", "--ipc", "shareable", BOX, "sleep", "600");

    ck_assert_int_eq(kill(world_shim_of(id), SIGKILL), 0);
    EXPECT(0, "donor\n", "", "rm", "-f", "donor");
    world_assert_nothing_left(id);
}
END_TEST

START_TEST(a_parent_of_control_groups)
{
    cleanup_free char *id = OUTPUT("run", "-d", "--name", "web", "--cgroup-parent", "cooper-test/x",
                                   BOX, "sleep", "600");
    cleanup_free char *pid = world_inspect("web", "{{.State.Pid}}");
    cleanup_free char *path = str_format("/proc/%s/cgroup", pid), *group = NULL;
    cleanup_run struct run_result r = {0};

    group = str_format("/cooper-test/x/%s", id);
    run_argv_ok(&r, NULL, (const char *const[]){"cat", path, NULL});
    ck_assert_msg(strstr(r.out.data, group) != NULL, "%s", r.out.data);
    EXPECT(0, "web\n", "", "pause", "web");
    EXPECT(0, "web\n", "", "unpause", "web");
    EXPECT(0, "web\n", "", "rm", "-f", "web");
    world_assert_nothing_left(id);
}
END_TEST

/* -a: what is not attached is in the log all the same. */
START_TEST(only_the_streams_of_a)
{
    struct run_options input = {.input = "fed\n", .input_len = 4};
    static const char *const feed[] = {"run", "-i", "-a",  "stdin", "--name",
                                       "fed", BOX,  "cat", NULL};
    cleanup_run struct run_result r = {0};
    cleanup_free char *id = NULL;

    EXPECT(0, "out\n", "", "run", "--name", "web", "-a", "stdout", BOX, "sh", "-c",
           "echo out; echo err >&2");
    EXPECT(0, "out\n", "err\n", "logs", "web");
    EXPECT(0, "", "err\n", "run", "--rm", "-a", "STDERR", BOX, "sh", "-c",
           "echo out; echo err >&2");
    EXPECT(3, "out\n", "err\n", "run", "--rm", "-a", "stdout", "-a", "stderr", BOX, "sh", "-c",
           "echo out; echo err >&2; exit 3");
    world_run(&r, &input, feed);
    ck_assert_int_eq(r.code, 0);
    id = world_inspect("fed", "{{.Id}}");
    ck_assert_msg(str_starts(r.out.data, id) && strlen(r.out.data) == 65, "'%s'", r.out.data);
    world_wait_log("fed", "fed");
}
END_TEST

/* `stop` without flags: the container's own signal, and its own patience. */
START_TEST(stop_does_as_the_container_was_told)
{
    EXPECT(0, NULL, "", "run", "-d", "--name", "polite", "--stop-signal", "USR1", "--stop-timeout",
           "-1", BOX, "sh", "-c", "trap 'exit 7' USR1; echo ready; while :; do usleep 10000; done");
    world_wait_log("polite", "ready");
    EXPECT(0, "polite\n", "", "stop", "polite");
    EXPECT(0, "7\n", "", "inspect", "-f", "{{.State.ExitCode}}", "polite");
    EXPECT(0, NULL, "", "run", "-d", "--name", "deaf", "--stop-timeout", "0", BOX, "sleep", "600");
    EXPECT(0, "deaf\n", "", "stop", "deaf");
    EXPECT(0, "137\n", "", "inspect", "-f", "{{.State.ExitCode}}", "deaf");
}
END_TEST

START_TEST(inspect_shows_them)
{
    EXPECT(0, NULL, "", "create", "--name", "web", "--health-cmd", "test -e /x",
           "--health-interval", "5s", "--health-retries", "4", "--annotation", "a=b",
           "--stop-timeout", "7", "--ipc", "shareable", "--group-add", "staff", BOX);
    EXPECT(0, "[CMD-SHELL test -e /x] 5000000000 4\n", "", "inspect", "-f",
           "{{.Config.Healthcheck.Test}} {{.Config.Healthcheck.Interval}} "
           "{{.Config.Healthcheck.Retries}}",
           "web");
    EXPECT(0, "map[a:b] 7 shareable [staff]\n", "", "inspect", "-f",
           "{{.HostConfig.Annotations}} {{.Config.StopTimeout}} {{.HostConfig.IpcMode}} "
           "{{.HostConfig.GroupAdd}}",
           "web");
}
END_TEST

static void add_tests(TCase *t)
{
    tcase_add_loop_test(t, run_explains, 0, sizeof refusals / sizeof *refusals);
    tcase_add_loop_test(t, flags_have_effects, 0, sizeof effects / sizeof *effects);
    tcase_add_test(t, namespaces_of_the_host);
    tcase_add_test(t, a_process_namespace_is_shared);
    tcase_add_test(t, shared_memory_is_shared);
    tcase_add_test(t, shared_memory_of_a_killed_shim_goes);
    tcase_add_test(t, a_parent_of_control_groups);
    tcase_add_test(t, only_the_streams_of_a);
    tcase_add_test(t, stop_does_as_the_container_was_told);
    tcase_add_test(t, inspect_shows_them);
}

SUITE(flags)
{
    TCase *t = tcase_create("flags");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, world_clear, NULL);
    add_tests(t);
    suite_add_tcase(suite, t);
}
