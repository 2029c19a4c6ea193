/* docker and Podman: one command line, two engines, the same container's life through
 * cooper-runtime. */
#include "peers/peers.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

static const char *prefix[24]; /* the engine's command */
static const char *state_root; /* where it keeps cooper-runtime's state */

/* Where limits cannot be raised (no CAP_SYS_RESOURCE) Podman's own defaults are too high. */
#define LIMITS "--ulimit", "nofile=1000:1000", "--ulimit", "nproc=1000:1000", "--network", "none"

static void set_prefix(const char *const words[])
{
    size_t i = 0;

    for (; words[i]; i++)
        prefix[i] = words[i];
    prefix[i] = NULL;
}

static void docker_up(void)
{
    static char host[256];
    cleanup_free char *root = NULL, *file = NULL;

    peers_setup();
    root = peers_path("docker");
    snprintf(host, sizeof host, "unix:///run/docker-peer.sock");
    file = peers_file("daemon.json", "{\"runtimes\": {\"cooper\": {\"path\": \"" RUNTIME "\"}},"
                                     " \"default-runtime\": \"cooper\"}");
    set_prefix((const char *const[]){"docker", "--host", host, NULL});
    state_root = "/run/docker-peer/runtime-cooper/moby";
    setenv("DOCKER_CONFIG", root, 1);
    peers_daemon((const char *const[]){"dockerd", "--config-file", file, "--data-root", root,
                                       "--exec-root", "/run/docker-peer", "--pidfile",
                                       "/run/docker-peer.pid", "-H", host, "--bridge", "none",
                                       "--iptables=false", "--ip6tables=false", NULL},
                 (const char *const[]){"docker", "--host", host, "version", NULL});
    EXPECT(prefix, 0, NULL, "", "load", "-i", peers_archive());
}

static void podman_up(void)
{
    cleanup_free char *file = NULL;
    static char *root;

    peers_setup();
    file = peers_file("containers.conf", "[engine.runtimes]\ncooper = [\"" RUNTIME "\"]\n");
    setenv("CONTAINERS_CONF", file, 1);
    unsetenv("DOCKER_CONFIG");
    root = peers_path("podman");
    set_prefix((const char *const[]){"podman", "--root", root, "--runroot", "/run/podman-peer",
                                     "--tmpdir", "/run/podman-peer-tmp", "--cgroup-manager",
                                     "cgroupfs", "--storage-driver", "vfs", "--events-backend",
                                     "file", "--runtime", "cooper", NULL});
    state_root = "/run/cooper-runtime";
    EXPECT(prefix, 0, NULL, "", "load", "-q", "-i", peers_archive());
}

/* --- Podman of an ordinary user
 * -------------------------------------------------------------------
 */

#define USER "61234"
#define HOME "/run/peer-user"

/* An /etc of our own with one user more, who may map ids. */
static void add_user(void)
{
    static const struct {
        const char *file, *line;
    } files[] = {
        {"/etc/passwd", "peer:x:" USER ":" USER "::" HOME ":/bin/sh"},
        {"/etc/group", "peer:x:" USER ":"},
        {"/etc/subuid", "peer:700000:65536"},
        {"/etc/subgid", "peer:700000:65536"},
    };

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        cleanup_free char *script =
            str_format("{ cat %1$s; echo '%2$s'; } >/run/etc-%3$zu && mount --bind "
                       "/run/etc-%3$zu %1$s",
                       files[i].file, files[i].line, i);
        cleanup_run struct run_result r = {0};

        RUN_OK(&r, NULL, "sh", "-c", script);
    }
}

static void user_up(void)
{
    cleanup_run struct run_result r = {0};

    peers_setup();
    add_user();
    RUN_OK(&r, NULL, "mkdir", "-p", HOME "/run");
    RUN_OK(&r, NULL, "cp", RUNTIME, peers_archive(), HOME);
    RUN_OK(&r, NULL, "chown", "-R", USER ":" USER, HOME);
    unsetenv("DOCKER_CONFIG");
    unsetenv("CONTAINERS_CONF");
    setenv("HOME", HOME, 1);
    setenv("XDG_RUNTIME_DIR", HOME "/run", 1);
    ck_assert(!chdir(HOME));
    set_prefix((const char *const[]){"setpriv", "--reuid=" USER, "--regid=" USER, "--clear-groups",
                                     "env", "TMPDIR=" HOME, "podman", "--cgroup-manager",
                                     "cgroupfs", "--storage-driver", "vfs", "--events-backend",
                                     "file", "--runtime", HOME "/cooper-runtime", NULL});
    state_root = HOME "/run/cooper-runtime";
    EXPECT(prefix, 0, NULL, "", "load", "-q", "-i", HOME "/box.tar");
}

/* Podman leaves a process behind that holds the user's namespaces for the next command. */
static void user_down(void)
{
    cleanup_buf struct buf text = {0};
    struct err err = {0};

    if (!file_load(AT_FDCWD, HOME "/run/libpod/tmp/pause.pid", 64, &text, &err) &&
        atoi(text.data) > 1)
        kill(atoi(text.data), SIGKILL);
    peers_teardown();
}

static void nothing_is_left(void)
{
    DIR *dir = opendir(state_root);
    struct dirent *entry;

    EXPECT(prefix, 0, "", "", "ps", "-aq");
    while (dir && (entry = readdir(dir)))
        ck_assert_msg(*entry->d_name == '.', "the state of %s is left", entry->d_name);
    if (dir)
        closedir(dir);
}

START_TEST(run_says_what_its_program_says)
{
    EXPECT(prefix, 0, "hi\n", "", "run", "--rm", LIMITS, IMAGE, "echo", "hi");
    EXPECT(prefix, 9, "", "", "run", "--rm", LIMITS, IMAGE, "sh", "-c", "exit 9");
    EXPECT(prefix, 0, "/dev/pts/0\r\n", "", "run", "--rm", "-t", LIMITS, IMAGE, "tty");
    EXPECT(prefix, 0, "uid=5 gid=6 groups=6\n", "", "run", "--rm", "-u", "5:6", LIMITS, IMAGE,
           "id");
    nothing_is_left();
}
END_TEST

START_TEST(what_cannot_run_gives_the_engines_codes)
{
    EXPECT(prefix, 127, "", "executable file not found in $PATH", "run", "--rm", LIMITS, IMAGE,
           "nosuch");
    EXPECT(prefix, 126, "", "is a directory", "run", "--rm", LIMITS, IMAGE, "/etc");
    nothing_is_left();
}
END_TEST

START_TEST(limits_and_mounts_arrive)
{
    bool v1 = !access("/sys/fs/cgroup/memory", F_OK);
    const char *file =
        v1 ? "/sys/fs/cgroup/memory/memory.limit_in_bytes" : "/sys/fs/cgroup/memory.max";
    cleanup_free char *bound = peers_file("bound", "from outside"),
                      *option = str_format("%s:/in:ro", bound);

    EXPECT(prefix, 0, "33554432\n", "", "run", "--rm", "--memory", "32m", LIMITS, IMAGE, "cat",
           file);
    EXPECT(prefix, 0, "from outside", "", "run", "--rm", "--read-only", "-v", option, LIMITS, IMAGE,
           "cat", "/in");
    EXPECT(prefix, 1, "", "ead-only file system", "run", "--rm", "--read-only", LIMITS, IMAGE, "sh",
           "-c", "echo x >/file");
    nothing_is_left();
}
END_TEST

START_TEST(a_containers_life)
{
    EXPECT(prefix, 0, NULL, "", "run", "-d", "--name", "web", LIMITS, IMAGE, "sh", "-c",
           "echo started; exec sleep 1000");
    AWAIT(prefix, "started", "logs", "web");
    EXPECT(prefix, 0, "uid=0 gid=0 groups=0\n", "", "exec", "web", "id");
    EXPECT(prefix, 3, "", "", "exec", "web", "sh", "-c", "exit 3");
    EXPECT(prefix, 0, "web\n", "", "pause", "web");
    EXPECT(prefix, 0, "paused\n", "", "inspect", "--format", "{{.State.Status}}", "web");
    EXPECT(prefix, 0, "web\n", "", "unpause", "web");
    EXPECT(prefix, 0, "running\n", "", "inspect", "--format", "{{.State.Status}}", "web");
    EXPECT(prefix, 0, NULL, "", "top", "web");
    EXPECT(prefix, 0, "web\n", "", "stop", "-t", "0", "web");
    EXPECT(prefix, 0, "exited 137\n", "", "inspect", "--format",
           "{{.State.Status}} {{.State.ExitCode}}", "web");
    EXPECT(prefix, 0, "web\n", "", "start", "web");
    EXPECT(prefix, 0, "web\n", "", "kill", "web");
    AWAIT(prefix, "exited", "inspect", "--format", "{{.State.Status}}", "web");
    EXPECT(prefix, 0, "web\n", "", "rm", "web");
    nothing_is_left();
}
END_TEST

START_TEST(update_reaches_the_container)
{
    bool v1 = !access("/sys/fs/cgroup/memory", F_OK);
    const char *file = v1 ? "/sys/fs/cgroup/pids/pids.max" : "/sys/fs/cgroup/pids.max";

    EXPECT(prefix, 0, NULL, "", "run", "-d", "--name", "web", LIMITS, IMAGE);
    if (!strcmp(prefix[0], "docker")) {
        EXPECT(prefix, 0, "web\n", "", "update", "--pids-limit", "33", "web");
        EXPECT(prefix, 0, "33\n", "", "exec", "web", "cat", file);
    }
    EXPECT(prefix, 0, "web\n", "", "rm", "-f", "web");
    nothing_is_left();
}
END_TEST

/* Without control groups, and in the user namespace that Podman has made: ours may not go back from
 * the container's PID namespace into the host's. */
START_TEST(an_ordinary_users_life)
{
    const char *maps = "         0      " USER "          1\n         1     700000      65536\n";

    EXPECT(prefix, 0, maps, "", "run", "--rm", LIMITS, IMAGE, "cat", "/proc/self/uid_map");
    EXPECT(prefix, 127, "", "executable file not found in $PATH", "run", "--rm", LIMITS, IMAGE,
           "nosuch");
    EXPECT(prefix, 0, NULL, "", "run", "-d", "--name", "web", LIMITS, IMAGE, "sh", "-c",
           "echo started; exec sleep 1000");
    AWAIT(prefix, "started", "logs", "web");
    EXPECT(prefix, 0, "uid=0 gid=0 groups=0\n", "", "exec", "web", "id");
    EXPECT(prefix, 3, "", "", "exec", "web", "sh", "-c", "exit 3");
    EXPECT(prefix, 0, "web\n", "", "stop", "-t", "0", "web");
    EXPECT(prefix, 0, "web\n", "", "rm", "web");
    nothing_is_left();
}
END_TEST

static const char *no_docker(void)
{
    return run_has_program("dockerd") && run_has_program("docker") ? NULL : "there is no dockerd";
}

static const char *no_podman(void)
{
    return run_has_program("podman") ? NULL : "there is no podman";
}

static const char *no_user_podman(void)
{
    if (access("/etc/subuid", F_OK) < 0 || access("/etc/subgid", F_OK) < 0)
        return "there is no /etc/subuid"; /* to mount another over */
    return run_has_program("newuidmap") ? no_podman() : "there is no newuidmap";
}

TAG("podman-user", no_user_podman)
TAG("docker", no_docker)
TAG("podman", no_podman)

static void add_case(Suite *suite, const char *name, SFun up)
{
    TCase *t = tcase_create(name);

    tcase_set_timeout(t, 240);
    tcase_set_tags(t, name);
    tcase_add_unchecked_fixture(t, up, peers_teardown);
    tcase_add_test(t, run_says_what_its_program_says);
    tcase_add_test(t, what_cannot_run_gives_the_engines_codes);
    tcase_add_test(t, limits_and_mounts_arrive);
    tcase_add_test(t, a_containers_life);
    tcase_add_test(t, update_reaches_the_container);
    suite_add_tcase(suite, t);
}

SUITE(engines)
{
    TCase *t = tcase_create("podman-user");

    add_case(suite, "docker", docker_up);
    add_case(suite, "podman", podman_up);
    tcase_set_timeout(t, 240);
    tcase_set_tags(t, "podman-user");
    tcase_add_unchecked_fixture(t, user_up, user_down);
    tcase_add_test(t, an_ordinary_users_life);
    suite_add_tcase(suite, t);
}
