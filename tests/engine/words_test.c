/* Where docker's words are an interface: each of these was asked of a docker 28 beside
 * dockerd 20.10, and is said here to the letter, on the same stream and with the same exit code.
 * "%W" is the id of the container "web", which runs, "%M" of "made", which never ran; docker is
 * called cooper. */
#include "engine/world.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define NONE      "--rm", "--network", "none"
#define DAEMON    "Error response from daemon: "
#define NO_SUCH   DAEMON "No such container: nosuch\n"
#define RUN_HINT  "\n\nRun 'cooper run --help' for more information\n"
#define RUN_USAGE "\n\nUsage:  cooper run [OPTIONS] IMAGE [COMMAND] [ARG...]" RUN_HINT

static const struct {
    int code;
    const char *err, *out, *args[10];
} words[] = {
    {125, "unknown flag: --nosuch" RUN_USAGE, "", {"run", NONE, "--nosuch", "box:1"}},
    {1,
     "cooper: 'cooper run' requires at least 1 argument\n\nUsage:  cooper run [OPTIONS] IMAGE "
     "[COMMAND] [ARG...]\n\nSee 'cooper run --help' for more information\n",
     "",
     {"run"}},
    {125,
     "cooper: " DAEMON "Minimum memory limit allowed is 6MB" RUN_HINT,
     "",
     {"run", NONE, "-m", "1m", "box:1", "true"}},
    {125,
     "cooper: " DAEMON
     "Invalid container name (q), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed" RUN_HINT,
     "",
     {"run", NONE, "--name", "q", "box:1", "true"}},
    {125,
     "cooper: conflicting options: cannot specify both --restart and --rm" RUN_HINT,
     "",
     {"run", NONE, "--restart", "always", "box:1", "true"}},
    {125,
     "cooper: conflicting options: cannot specify both --restart and --rm" RUN_HINT,
     "",
     {"run", NONE, "--restart", "foo", "box:1", "true"}},
    {125,
     "cooper: " DAEMON "create rel/path: \"rel/path\" includes invalid characters for a local "
     "volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you "
     "intended to pass a host directory, use absolute path" RUN_HINT,
     "",
     {"run", NONE, "-v", "rel/path:/x", "box:1", "true"}},
    {125,
     "cooper: " DAEMON
     "invalid mount config for type \"bind\": bind source path does not exist: /nosuchdir" RUN_HINT,
     "",
     {"run", NONE, "--mount", "type=bind,source=/nosuchdir,target=/x", "box:1", "true"}},
    {125,
     "cooper: " DAEMON
     "unable to find user nosuchuser: no matching entries in passwd file" RUN_HINT,
     "",
     {"run", NONE, "-u", "nosuchuser", "box:1", "true"}},
    {125,
     "cooper: " DAEMON "No such image: nosuch:1" RUN_HINT,
     "",
     {"run", NONE, "--pull", "never", "nosuch:1", "true"}},
    {125,
     "cooper: invalid reference format: repository name (library/UPPER) must be lowercase" RUN_HINT,
     "",
     {"run", NONE, "UPPER", "true"}},
    {1,
     "cooper: 'cooper create' requires at least 1 argument\n\nUsage:  cooper create [OPTIONS] "
     "IMAGE [COMMAND] [ARG...]\n\nSee 'cooper create --help' for more information\n",
     "",
     {"create"}},
    {1,
     DAEMON "Conflict. The container name \"/web\" is already in use by container \"%W\". You have "
            "to remove (or rename) that container to be able to reuse that name.\n",
     "",
     {"create", "--name", "web", "--network", "none", "box:1", "true"}},
    {1,
     DAEMON "No such container: nosuch\nError: failed to start containers: nosuch\n",
     "",
     {"start", "nosuch"}},
    {1,
     "cooper: 'cooper start' requires at least 1 argument\n\nUsage:  cooper start [OPTIONS] "
     "CONTAINER [CONTAINER...]\n\nSee 'cooper start --help' for more information\n",
     "",
     {"start"}},
    {1, NO_SUCH, "", {"stop", "nosuch"}},
    {1,
     "cooper: 'cooper stop' requires at least 1 argument\n\nUsage:  cooper stop [OPTIONS] "
     "CONTAINER [CONTAINER...]\n\nSee 'cooper stop --help' for more information\n",
     "",
     {"stop"}},
    {1, DAEMON "Cannot kill container: made: Container %M is not running\n", "", {"kill", "made"}},
    {1,
     DAEMON "Cannot kill container: nosuch: No such container: nosuch\n",
     "",
     {"kill", "nosuch"}},
    {1,
     DAEMON "Cannot kill container: web: The linux daemon does not support signal 99\n",
     "",
     {"kill", "-s", "99", "web"}},
    {1, DAEMON "Invalid signal: NOSUCH\n", "", {"kill", "-s", "NOSUCH", "web"}},
    {1,
     DAEMON "You cannot remove a running container %W. Stop the container before attempting "
            "removal or force remove\n",
     "",
     {"rm", "web"}},
    {1, NO_SUCH, "", {"rm", "nosuch"}},
    {1,
     "cooper: 'cooper rm' requires at least 1 argument\n\nUsage:  cooper rm [OPTIONS] CONTAINER "
     "[CONTAINER...]\n\nSee 'cooper rm --help' for more information\n",
     "",
     {"rm"}},
    {0, NO_SUCH, "", {"rm", "-f", "nosuch"}},
    {1,
     "cooper: 'cooper rename' requires 2 arguments\n\nUsage:  cooper rename CONTAINER "
     "NEW_NAME\n\nRun 'cooper rename --help' for more information\n",
     "",
     {"rename", "web"}},
    {1,
     DAEMON "Error when allocating new name: Conflict. The container name \"/made\" is already in "
            "use by container \"%M\". You have to remove (or rename) that container to be able to "
            "reuse that name.\nError: failed to rename container named web\n",
     "",
     {"rename", "web", "made"}},
    {1,
     DAEMON "No such container: nosuch\nError: failed to rename container named nosuch\n",
     "",
     {"rename", "nosuch", "x2"}},
    {1,
     DAEMON "Error when allocating new name: Invalid container name (/?), only "
            "[a-zA-Z0-9][a-zA-Z0-9_.-] are allowed\nError: failed to rename container named web\n",
     "",
     {"rename", "web", "?"}},
    {1,
     DAEMON "Renaming a container with the same name as its current name\nError: failed to rename "
            "container named web\n",
     "",
     {"rename", "web", "web"}},
    {1, DAEMON "Container %M is not running\n", "", {"pause", "made"}},
    {1, NO_SUCH, "", {"pause", "nosuch"}},
    {1, NO_SUCH, "", {"unpause", "nosuch"}},
    {1, DAEMON "Container %M is not running\n", "", {"exec", "made", "true"}},
    {1, NO_SUCH, "", {"exec", "nosuch", "true"}},
    {1,
     "cooper: 'cooper exec' requires at least 2 arguments\n\nUsage:  cooper exec [OPTIONS] "
     "CONTAINER COMMAND [ARG...]\n\nSee 'cooper exec --help' for more information\n",
     "",
     {"exec", "web"}},
    {1, "You cannot attach to a stopped container, start it first\n", "", {"attach", "made"}},
    {1, NO_SUCH, "", {"attach", "nosuch"}},
    {1, NO_SUCH, "", {"logs", "nosuch"}},
    {1,
     "invalid value for \"since\": failed to parse value as time or duration: \"x\"\n",
     "",
     {"logs", "--since", "x", "web"}},
    {1, NO_SUCH, "", {"wait", "nosuch"}},
    {1, DAEMON "Container %M is not running\n", "", {"top", "made"}},
    {1, NO_SUCH, "", {"top", "nosuch"}},
    {1, NO_SUCH, "", {"port", "nosuch"}},
    {1, NO_SUCH, "", {"diff", "nosuch"}},
    {1, NO_SUCH, "", {"cp", "nosuch:/x", "/tmp/"}},
    {1,
     DAEMON "Could not find the file /nope in container web\n",
     "",
     {"cp", "web:/nope", "/tmp/"}},
    {1, "copying between containers is not supported\n", "", {"cp", "web:/x", "made:/y"}},
    {1,
     "cooper: 'cooper cp' requires 2 arguments\n\nUsage:  cooper cp [OPTIONS] CONTAINER:SRC_PATH "
     "DEST_PATH|-\n\tcooper cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH\n\nRun 'cooper cp --help' "
     "for more information\n",
     "",
     {"cp", "a"}},
    {1, NO_SUCH, "", {"export", "nosuch"}},
    {1, NO_SUCH, "", {"commit", "nosuch"}},
    {1,
     "invalid reference format: repository name (library/UPPER) must be lowercase\n",
     "",
     {"commit", "web", "UPPER"}},
    {1, "you must provide one or more flags when using this command\n", "", {"update", "web"}},
    {1, NO_SUCH, "", {"update", "nosuch", "--cpus", "1"}},
    {1, DAEMON "Minimum memory limit allowed is 6MB\n", "", {"update", "-m", "1m", "web"}},
    {1, DAEMON "invalid restart policy 'foo'\n", "", {"update", "--restart", "foo", "web"}},
    {1, "Error: No such object: nosuch\n", "[]\n", {"inspect", "nosuch"}},
    {1,
     "template parsing error: template: :1:2: executing \"\" at <.Nope>: map has no entry for key "
     "\"Nope\"\n",
     "\n",
     {"inspect", "-f", "{{.Nope}}", "web"}},
    {64,
     "template parsing error: template: :1: unclosed action\n",
     "",
     {"inspect", "-f", "{{", "web"}},
    {1, NO_SUCH, "[]\n", {"container", "inspect", "nosuch"}},
    {1, DAEMON "network nosuch not found\n", "[]\n", {"network", "inspect", "nosuch"}},
    {1, DAEMON "get nosuch: no such volume\n", "[]\n", {"volume", "inspect", "nosuch"}},
    {125,
     "invalid argument \"x\" for \"-n, --last\" flag: strconv.ParseInt: parsing \"x\": invalid "
     "syntax\n\nUsage:  cooper ps [OPTIONS]\n\nRun 'cooper ps --help' for more information\n",
     "",
     {"ps", "-n", "x"}},
    {1,
     "cooper: 'cooper ps' accepts no arguments\n\nUsage:  cooper ps [OPTIONS]\n\nRun 'cooper ps "
     "--help' for more information\n",
     "",
     {"ps", "extra"}},
    {1, NO_SUCH, "", {"ps", "--filter", "before=nosuch"}},
    {1, NO_SUCH, "", {"ps", "--filter", "since=nosuch"}},
    {1,
     DAEMON "exited takes the number a process ends with, not x\n",
     "",
     {"ps", "-f", "exited=x"}},
    {1,
     DAEMON "publish takes PORT[-PORT][/tcp|udp|sctp], not 80/icmp\n",
     "",
     {"ps", "-f", "publish=80/icmp"}},
    {1,
     DAEMON "expose takes PORT[-PORT][/tcp|udp|sctp], not 90-80\n",
     "",
     {"ps", "-f", "expose=90-80"}},
    {1, DAEMON "No such image: nosuch:latest\n", "", {"rmi", "nosuch"}},
    {1, DAEMON "No such image: nosuch:latest\n", "", {"tag", "nosuch", "x"}},
    {1,
     "Error parsing reference: \"UPPER:1\" is not a valid repository/tag: invalid reference "
     "format: repository name (library/UPPER) must be lowercase\n",
     "",
     {"tag", "box:1", "UPPER:1"}},
    {1,
     "cooper: 'cooper tag' requires 2 arguments\n\nUsage:  cooper tag SOURCE_IMAGE[:TAG] "
     "TARGET_IMAGE[:TAG]\n\nRun 'cooper tag --help' for more information\n",
     "",
     {"tag", "box:1"}},
    {1, DAEMON "No such image: nosuch:latest\n", "", {"history", "nosuch"}},
    {1, DAEMON "No such image: nosuch:latest\n", "", {"history", "docker.io/library/nosuch"}},
    {1, DAEMON "No such image: a.b/nosuch:1\n", "", {"rmi", "a.b/nosuch:1"}},
    {1, DAEMON "No such image: nosuch\n", "", {"save", "nosuch"}},
    {1, "open /nosuchfile: no such file or directory\n", "", {"load", "-i", "/nosuchfile"}},
    {1, "open /nosuchfile: no such file or directory\n", "", {"import", "/nosuchfile"}},
    {1, NO_SUCH, "", {"stats", "--no-stream", "nosuch"}},
    {125,
     "invalid argument \"x\" for \"-f, --filter\" flag: bad format of filter (expected "
     "name=value)\n\nUsage:  cooper events [OPTIONS]\n\nRun 'cooper events --help' for more "
     "information\n",
     "",
     {"events", "--filter", "x"}},
    {1, "failed to parse value as time or duration: \"x\"\n", "", {"events", "--since", "x"}},
    {1,
     DAEMON "create a/b: \"a/b\" includes invalid characters for a local volume name, only "
            "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, "
            "use absolute path\n",
     "",
     {"volume", "create", "a/b"}},
    {1,
     DAEMON
     "create x: volume name is too short, names should be at least two alphanumeric characters\n",
     "",
     {"volume", "create", "x"}},
    {1,
     DAEMON "create v9: error looking up volume plugin nosuch: plugin \"nosuch\" not found\n",
     "",
     {"volume", "create", "--driver", "nosuch", "v9"}},
    {1, DAEMON "get nosuch: no such volume\n", "", {"volume", "rm", "nosuch"}},
    {1,
     DAEMON "operation is not permitted on predefined bridge network\n",
     "",
     {"network", "create", "bridge"}},
    {1, DAEMON "network nosuch not found\n", "", {"network", "connect", "nosuch", "web"}},
    {1,
     DAEMON "plugin \"nosuch\" not found\n",
     "",
     {"network", "create", "--driver", "nosuch", "nn"}},
    {1,
     "cooper: unknown command: cooper foo\n\nRun 'cooper --help' for more information\n",
     "",
     {"foo"}},
    {1,
     "cooper: unknown command: cooper container foo\n\nUsage:  cooper container\n\nRun 'cooper "
     "container --help' for more information\n",
     "",
     {"container", "foo"}},
    {125,
     "unknown flag: --nosuch\n\nUsage:  cooper ps [OPTIONS]\n\nRun 'cooper ps --help' for more "
     "information\n",
     "",
     {"ps", "--nosuch"}},
    {1, NO_SUCH, "", {"restart", "nosuch"}},
    {1,
     "cooper: 'cooper restart' requires at least 1 argument\n\nUsage:  cooper restart [OPTIONS] "
     "CONTAINER [CONTAINER...]\n\nSee 'cooper restart --help' for more information\n",
     "",
     {"restart"}},
    {1, NO_SUCH, "", {"container", "rm", "nosuch"}},
    {1,
     "WARNING! Using --password via the CLI is insecure. Use --password-stdin.\nError: Cannot "
     "perform an interactive login from a non TTY device\n",
     "",
     {"login", "--password", "x"}},
    {1,
     "cooper: 'cooper search' requires 1 argument\n\nUsage:  cooper search [OPTIONS] TERM\n\nRun "
     "'cooper search --help' for more information\n",
     "",
     {"search"}},
    {1,
     "An image does not exist locally with the tag: nosuch\n",
     "The push refers to repository [docker.io/library/nosuch]\n",
     {"push", "nosuch:1"}},
    {125,
     "unknown flag: --nosuch\n\nUsage:  cooper [OPTIONS] COMMAND [ARG...]\n\nRun 'cooper --help' "
     "for more information\n",
     "",
     {"--nosuch"}},
    {125,
     "cooper: " DAEMON "invalid CapAdd: unknown capability: \"CAP_NOSUCH\"" RUN_HINT,
     "",
     {"run", NONE, "--cap-add", "NOSUCH", "box:1", "true"}},
    {125,
     "invalid argument \"foo=1\" for \"--ulimit\" flag: invalid ulimit type: foo" RUN_USAGE,
     "",
     {"run", NONE, "--ulimit", "foo=1", "box:1", "true"}},
    {125,
     "invalid argument \"kernel.foo=1\" for \"--sysctl\" flag: sysctl 'kernel.foo=1' is not "
     "allowed" RUN_USAGE,
     "",
     {"run", NONE, "--sysctl", "kernel.foo=1", "box:1", "true"}},
    {125,
     "cooper: " DAEMON "Invalid IPC mode: nosuch" RUN_HINT,
     "",
     {"run", NONE, "--ipc", "nosuch", "box:1", "true"}},
    {125,
     "cooper: --pid: invalid PID mode" RUN_HINT,
     "",
     {"run", NONE, "--pid", "nosuch", "box:1", "true"}},
    {125,
     "cooper: " DAEMON "network nosuch not found" RUN_HINT,
     "",
     {"run", "--rm", "--network", "nosuch", "box:1", "true"}},
    {125,
     "cooper: " DAEMON "No such container: nosuch" RUN_HINT,
     "",
     {"run", "--rm", "--network", "container:nosuch", "box:1", "true"}},
    {125,
     "cooper: " DAEMON "Invalid signal: NOSUCH" RUN_HINT,
     "",
     {"run", NONE, "--stop-signal", "NOSUCH", "box:1", "true"}},
    {125,
     "cooper: " DAEMON "Unknown runtime specified nosuch" RUN_HINT,
     "",
     {"run", NONE, "--runtime", "nosuch", "box:1", "true"}},
    {125,
     "invalid argument \"x\" for \"--shm-size\" flag: invalid size: 'x'" RUN_USAGE,
     "",
     {"run", NONE, "--shm-size", "x", "box:1", "true"}},
    {125,
     "invalid argument \"x\" for \"--health-interval\" flag: time: invalid duration "
     "\"x\"" RUN_USAGE,
     "",
     {"run", NONE, "--health-interval", "x", "box:1", "true"}},
    {125,
     "cooper: invalid hostPort: 99999" RUN_HINT,
     "",
     {"run", NONE, "-p", "99999:80", "box:1", "true"}},
    {125,
     "cooper: " DAEMON "No such container: nosuch" RUN_HINT,
     "",
     {"run", NONE, "--volumes-from", "nosuch", "box:1", "true"}},
    {125,
     "cooper: " DAEMON "invalid mount path: 'rel' mount path must be absolute" RUN_HINT,
     "",
     {"run", NONE, "--tmpfs", "rel", "box:1", "true"}},
    {125,
     "cooper: " DAEMON
     "the working directory 'rel' is invalid, it needs to be an absolute path" RUN_HINT,
     "",
     {"run", NONE, "-w", "rel", "box:1", "true"}},
    {125,
     "cooper: " DAEMON "Invalid value 5000, range for oom score adj is [-1000, 1000]" RUN_HINT,
     "",
     {"run", NONE, "--oom-score-adj", "5000", "box:1", "true"}},
    {125,
     "invalid argument \"x\" for \"--pids-limit\" flag: strconv.ParseInt: parsing \"x\": invalid "
     "syntax" RUN_USAGE,
     "",
     {"run", NONE, "--pids-limit", "x", "box:1", "true"}},
    {125,
     "invalid argument \"foo\" for \"-a, --attach\" flag: valid streams are STDIN, STDOUT and "
     "STDERR" RUN_USAGE,
     "",
     {"run", NONE, "-a", "foo", "box:1", "true"}},
};

static char *with_ids(const char *text, const char *web, const char *made)
{
    struct buf all = {0};

    for (; *text; text++) {
        if (*text == '%' && (text[1] == 'W' || text[1] == 'M'))
            buf_add_str(&all, *++text == 'W' ? web : made);
        else
            buf_add_char(&all, *text);
    }
    return buf_steal(&all);
}

/* One after the other: none of them changes anything. */
START_TEST(docker_s_words_to_the_letter)
{
    cleanup_free char *web = NULL, *made = NULL;

    world_clear();
    web = OUTPUT("run", "-d", "--network", "none", "--name", "web", BOX, "sleep", "1000");
    made = OUTPUT("create", "--network", "none", "--name", "made", BOX, "sleep", "5");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        cleanup_free char *out = with_ids(words[i].out, web, made);
        cleanup_free char *err = with_ids(words[i].err, web, made);
        cleanup_run struct run_result r = {0};
        const char *args[11] = {NULL};

        memcpy(args, words[i].args, sizeof words[i].args);
        world_run(&r, NULL, args);
        ck_assert_msg(r.code == words[i].code && str_equal(r.err.data, err) &&
                          str_equal(r.out.data, out),
                      "%s %s %s: %d instead of %d\n'%s' instead of\n'%s'\n'%s' instead of\n'%s'",
                      args[0], args[1] ? args[1] : "", args[1] && args[2] ? args[2] : "", r.code,
                      words[i].code, r.err.data, err, r.out.data, out);
    }
    EXPECT(0, "made created\nweb running\n", "", "ps", "-a", "--format", "{{.Names}} {{.State}}");
    world_clear();
}
END_TEST

/* What the words say while a container stands still, and what its rows say in each state. */
START_TEST(a_container_s_words_through_its_life)
{
    cleanup_free char *id = NULL, *still = NULL, *going = NULL;

    world_clear();
    id = OUTPUT("create", "--network", "none", "--name", "web", BOX, "sleep", "1000");
    still = str_format(DAEMON "Container %s is already paused\n", id);
    going = str_format(DAEMON "Container %s is not paused\n", id);
    EXPECT(0, "Created created\n", "", "ps", "-a", "--format", "{{.Status}} {{.State}}");
    EXPECT(0, "web\n", "", "start", "web");
    EXPECT(0, "web\n", "", "start", "web");
    EXPECT(1, "", going, "unpause", "web");
    EXPECT(0, "web\n", "", "pause", "web");
    ck_assert(str_ends(EXPECT(0, NULL, "", "ps", "--format", "{{.Status}}"), " (Paused)\n"));
    EXPECT(1, "", still, "pause", "web");
    EXPECT(1, "", DAEMON "Container web is paused, unpause the container before exec\n", "exec",
           "web", "true");
    EXPECT(1, "web\n", NO_SUCH, "stop", "-t", "0", "nosuch", "web");
    ck_assert(
        str_starts(EXPECT(0, NULL, "", "ps", "-a", "--format", "{{.Status}}"), "Exited (137) "));
    EXPECT(0, "137\n", "", "wait", "web");
    EXPECT(0, "web\n", "", "rm", "web");
    EXPECT(0, "CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES\n", "", "ps",
           "-a");
}
END_TEST

SUITE(words)
{
    TCase *t = tcase_create("words");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_test(t, docker_s_words_to_the_letter);
    tcase_add_test(t, a_container_s_words_through_its_life);
    suite_add_tcase(suite, t);
}
