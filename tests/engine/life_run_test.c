/* What `run` promises: exit codes, and each flag's effect as seen from inside. */
#include "engine/world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

/* One run: the words after `run --rm`, and what must come of it. */
struct run_case {
    const char *args[16];
    int code;
    const char *out; /* exactly; NULL: whatever */
    const char *err; /* contained; "": nothing said; NULL: whatever */
};

static void check_case(const char *what, int i, const struct run_case *c)
{
    const char *argv[24] = {"run", "--rm"};
    char where[64];

    snprintf(where, sizeof where, "%s[%d]", what, i);
    memcpy(argv + 2, c->args, sizeof c->args);
    world_expect(where, c->code, c->out, c->err, argv);
}

/* --- exit codes
 * ----------------------------------------------------------------------------------- */

static const struct run_case code_cases[] = {
    {{BOX, "true"}, 0, "", ""},
    {{BOX, "false"}, 1, "", ""},
    {{BOX, "sh", "-c", "exit 77"}, 77, "", ""},
    {{BOX, "echo", "a", "b c"}, 0, "a b c\n", ""},
    {{BOX, "sh", "-c", "echo out; echo err >&2"}, 0, "out\n", "err\n"},
    {{BOX}, 0, "", ""}, /* the image's command, sh, with nothing to read */
    /* Signals: 128 + n. PID 1 is immune to its own; with --init the command is not PID 1. */
    {{"--init", BOX, "sh", "-c", "kill -9 $$"}, 137, "", ""},
    {{"--init", BOX, "sh", "-c", "kill -15 $$"}, 143, "", ""},
    {{BOX, "sh", "-c", "kill -9 $$; echo alive"}, 0, "alive\n", ""},
    /* The command is at fault: 127 not found, 126 found but not executable. */
    {{BOX, "nosuch"}, 127, "", "executable file not found in $PATH"},
    {{BOX, "/bin/nosuch"}, 127, "", "no such file or directory"},
    {{BOX, "/etc"}, 126, "", NULL},
    {{BOX, "/etc/passwd"}, 126, "", "permission denied"},
};

START_TEST(exit_codes)
{
    check_case("code_cases", _i, &code_cases[_i]);
}
END_TEST

static const struct run_case refused_cases[] = {
    {{"--nosuch", BOX, "true"}, 125, "", "unknown flag: --nosuch"},
    {{"--pull", "never", "nosuch:1", "true"}, 125, "", "nosuch:1"},
    {{"--name", "q", BOX, "true"}, 125, "", "Invalid container name (q)"},
    {{"--name", "../x", BOX, "true"}, 125, "", "Invalid container name (../x)"},
    {{"-m", "1m", BOX, "true"}, 125, "", "Minimum memory limit allowed is 6MB"},
    {{"-m", "999e", BOX, "true"}, 125, "", "999e"},
    {{"--cpus", "nan", BOX, "true"}, 125, "", "nan"},
    {{"-w", "rel", BOX, "true"}, 125, "", "rel"},
    {{"-u", "nosuch", BOX, "true"}, 125, "", "nosuch"},
    {{"-v", "a:b:c:d", BOX, "true"}, 125, "", "a:b:c:d"},
    {{"-v", "/x:/", BOX, "true"}, 125, "", "/x:/"},
    {{"--cap-add", "bogus", BOX, "true"}, 125, "", "BOGUS"},
    {{"--network", "none", "--ulimit", "nosuch=1", BOX, "true"}, 125, "", "nosuch"},
    {{"--security-opt", "bogus", BOX, "true"}, 125, "", "bogus"},
    {{"--stop-signal", "NOSUCH", BOX, "true"}, 125, "", "NOSUCH"},
    {{"--env-file", "/nonexistent", BOX, "true"}, 125, "", "/nonexistent"},
    {{"--group-add", "nosuch", BOX, "true"}, 125, "", "unable to find group nosuch"},
    {{"UPPER", "true"}, 125, "", "lowercase"},
};

/* Refused with 125 before anything ran, and nothing stays. */
START_TEST(refused)
{
    check_case("refused_cases", _i, &refused_cases[_i]);
    EXPECT(0, "", "", "ps", "-aq");
}
END_TEST

/* --- what the process sees
 * ------------------------------------------------------------------------ */

#define SHELL BOX, "sh", "-c"

static const struct run_case view_cases[] = {
    {{SHELL, "echo $PATH"},
     0,
     "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
     ""},
    {{SHELL, "echo $HOME; pwd; umask"}, 0, "/root\n/\n0022\n", ""},
    {{"-e", "A=b c", "-e", "E=", SHELL, "echo \"$A\" \"${E-unset}\""}, 0, "b c \n", ""},
    {{"-e", "COOPER_TEST_ENV", SHELL, "echo $COOPER_TEST_ENV"}, 0, "from outside\n", ""},
    {{SHELL, "echo ${COOPER_TEST_ENV-unset}"}, 0, "unset\n", ""},
    {{"-e", "NOSUCH_ENV", SHELL, "echo ${NOSUCH_ENV-unset}"}, 0, "unset\n", ""},
    {{"-e", "NOSUCH_ENV=1", "-e", "NOSUCH_ENV", SHELL, "echo ${NOSUCH_ENV-unset}"},
     0,
     "unset\n",
     ""},
    {{"-e", "NOSUCH_ENV", "-e", "NOSUCH_ENV=1", SHELL, "echo ${NOSUCH_ENV-unset}"}, 0, "1\n", ""},
    {{"-u", "www", BOX, "id"}, 0, "uid=82(www) gid=82(www) groups=50(staff),82(www)\n", ""},
    {{"-u", "1234:5678", SHELL, "id -u; id -g; id -G; echo $HOME"}, 0, "1234\n5678\n5678\n/\n", ""},
    {{"-u", "www:staff", SHELL, "id -un; id -gn; echo $HOME"}, 0, "www\nstaff\n/data\n", ""},
    {{"-u", "82", SHELL, "id -G; touch /x 2>/dev/null || echo no"}, 0, "82 50\nno\n", ""},
    {{"-u", ":staff", SHELL, "id -u; id -g"}, 0, "0\n50\n", ""},
    {{"-u", "www", "--group-add", "77", BOX, "id", "-G"}, 0, "82 50 77\n", ""},
    {{"--group-add", "staff", "--group-add", "77", BOX, "id", "-G"}, 0, "0 50 77\n", ""},
    {{"-h", "cask", "-e", "Z=1", BOX, "env"},
     0,
     "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nHOSTNAME=cask\nZ=1\n"
     "HOME=/root\n",
     ""},
    {{"-h", "", SHELL, "echo ${#HOSTNAME}"}, 0, "12\n", ""},
    {{"-w", "/tmp", BOX, "pwd"}, 0, "/tmp\n", ""},
    {{"-w", "/new/directory", BOX, "pwd"}, 0, "/new/directory\n", ""},
    {{"--entrypoint", "echo", BOX, "x"}, 0, "x\n", ""},
    {{"-h", "cask", SHELL, "hostname; cat /etc/hostname; echo $HOSTNAME"},
     0,
     "cask\ncask\ncask\n",
     ""},
    {{SHELL, "echo ${#HOSTNAME}; ps >/dev/shm/p; wc -l </dev/shm/p"},
     0,
     "12\n3\n",
     ""}, /* header, sh, ps */
    {{SHELL, "echo $$; cat /proc/1/comm; true"}, 0, "1\nsh\n", ""},
    {{"--network", "none", SHELL, "ls /sys/class/net | grep -v tunl0"}, 0, "lo\n", ""},
    {{SHELL, "grep 127.0.0.1 /etc/hosts"}, 0, "127.0.0.1\tlocalhost\n", ""},
    {{SHELL, "ulimit -n; ulimit -Hn"}, 0, NULL, ""},
    {{"--ulimit", "nofile=100:200", SHELL, "ulimit -n; ulimit -Hn"}, 0, "100\n200\n", ""},
    {{"--read-only", SHELL, "touch /x 2>&1; touch /dev/shm/y && echo shm"},
     0,
     "touch: /x: Read-only file system\nshm\n",
     ""},
    {{"--read-only", "--tmpfs", "/tmp", SHELL, "touch /tmp/x && ls /tmp"}, 0, "x\n", ""},
    {{"--tmpfs", "/scratch:size=64k,mode=1777", SHELL,
      "dd if=/dev/zero of=/scratch/f bs=1k count=100 2>/dev/null; stat -c '%s %n' /scratch/f;"
      "stat -c %a /scratch"},
     0,
     "65536 /scratch/f\n1777\n",
     ""},
    {{"--tmpfs", "/t", SHELL, "cp /bin/busybox /t/echo; /t/echo x"}, 126, "", "ermission denied"},
    {{"--security-opt", "no-new-privileges", SHELL, "grep NoNewPrivs /proc/self/status"},
     0,
     "NoNewPrivs:\t1\n",
     ""},
    {{SHELL, "grep -E 'NoNewPrivs|Seccomp:' /proc/self/status"},
     0,
     "NoNewPrivs:\t0\nSeccomp:\t2\n",
     ""},
    {{"--security-opt", "seccomp=unconfined", SHELL, "grep Seccomp: /proc/self/status"},
     0,
     "Seccomp:\t0\n",
     ""},
    {{"--init", SHELL, "echo $(($$ > 1)); tr '\\0' ' ' </proc/1/cmdline | grep -c init"},
     0,
     "1\n1\n",
     ""},
    {{SHELL, "mount -t tmpfs none /tmp 2>/dev/null || echo refused"}, 0, "refused\n", ""},
    {{SHELL, "mknod /tmp/disk b 8 0 && (head -c1 /tmp/disk) 2>&1 | grep -c 'not permitted'"},
     0,
     "1\n",
     ""},
    {{SHELL, "cat /proc/1/cgroup | cut -d: -f3 | grep -vc '^/$'"}, 1, "0\n", ""},
    {{SHELL, "ls /proc/self/fd | wc -l"}, 0, "4\n", ""}, /* 0-2 and the directory itself */
};

static void set_environment(void)
{
    setenv("COOPER_TEST_ENV", "from outside", 1);
}

START_TEST(view_from_inside)
{
    check_case("view_cases", _i, &view_cases[_i]);
}
END_TEST

START_TEST(network_host_is_the_hosts)
{
    cleanup_run struct run_result r = {0};

    RUN_OK(&r, NULL, "stat", "-L", "-c", "%i", "/proc/self/ns/net");
    EXPECT(0, r.out.data, "", "run", "--rm", "--network", "host", BOX, "stat", "-L", "-c", "%i",
           "/proc/self/ns/net");
}
END_TEST

START_TEST(env_file_is_read)
{
    cleanup_free char *path = world_path("env");
    static const char text[] = "# comment\nA=1\n\nB=two words\nCOOPER_TEST_ENV\n";
    struct err err = {0};

    ck_assert(!file_store(AT_FDCWD, path, text, strlen(text), 0600, false, &err));
    EXPECT(0, "1/two words/from outside\n", "", "run", "--rm", "--env-file", path, SHELL,
           "echo \"$A/$B/$COOPER_TEST_ENV\"");
    unlink(path);
}
END_TEST

/* --- capabilities
 * --------------------------------------------------------------------------------- */

/* A line "CapXxx:\tHEX" of our own status. */
static unsigned long long own_caps(const char *field)
{
    cleanup_buf struct buf status = {0};
    struct err err = {0};
    char *line;

    ck_assert(!file_load(AT_FDCWD, "/proc/self/status", 65536, &status, &err));
    line = strstr(status.data, field);
    ck_assert(line != NULL);
    return strtoull(line + strlen(field), NULL, 16);
}

enum { CAP_SYS_ADMIN_BIT = 21, CAP_NET_ADMIN_BIT = 12, CAP_CHOWN_BIT = 0 };
#define DEFAULT_CAPS 0xa80425fbULL
#define ALL_CAPS     (~0ULL)

/* What each choice of flags leaves, on a machine where everything may be handed on. */
static const struct {
    const char *flags[5];
    unsigned long long effective, bounding;
} cap_cases[] = {
    {{NULL}, DEFAULT_CAPS, DEFAULT_CAPS},
    {{"--cap-drop", "ALL"}, 0, 0},
    {{"--cap-drop", "chown"}, DEFAULT_CAPS & ~(1ULL << CAP_CHOWN_BIT), DEFAULT_CAPS & ~1ULL},
    {{"--cap-add", "NET_ADMIN"},
     DEFAULT_CAPS | 1ULL << CAP_NET_ADMIN_BIT,
     DEFAULT_CAPS | 1ULL << CAP_NET_ADMIN_BIT},
    {{"--cap-drop=all", "--cap-add=CAP_SYS_ADMIN"},
     1ULL << CAP_SYS_ADMIN_BIT,
     1ULL << CAP_SYS_ADMIN_BIT},
    {{"--cap-add", "ALL"}, ALL_CAPS, ALL_CAPS},
    {{"--privileged"}, ALL_CAPS, ALL_CAPS},
    {{"-u", "www"}, 0, DEFAULT_CAPS},
};

START_TEST(capabilities)
{
    unsigned long long ours = own_caps("CapBnd:\t");
    cleanup_free char *expected =
        str_format("CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t%016llx\n"
                   "CapAmb:\t%016llx\n",
                   0ULL, cap_cases[_i].effective & ours, cap_cases[_i].effective & ours,
                   cap_cases[_i].bounding & ours, 0ULL);
    struct run_case c = {.out = expected, .err = ""};
    size_t n = 0;

    for (; cap_cases[_i].flags[n]; n++)
        c.args[n] = cap_cases[_i].flags[n];
    memcpy(c.args + n, (const char *[]){BOX, "grep", "Cap", "/proc/self/status"},
           4 * sizeof *c.args);
    check_case("cap_cases", _i, &c);
}
END_TEST

/* --- volumes
 * -------------------------------------------------------------------------------------- */

START_TEST(bind_shows_the_hosts_directory)
{
    cleanup_free char *dir = temp_dir(), *file = str_format("%s/f", dir);
    cleanup_free char *flag = str_format("%s:/data", dir), *ro = str_format("%s:/data:ro", dir);
    struct stat st;

    EXPECT(0, "", "", "run", "--rm", "-v", flag, SHELL, "echo hi > /data/f; chown 12:34 /data/f");
    ck_assert_int_eq(stat(file, &st), 0);
    ck_assert_uint_eq(st.st_uid, 12);
    ck_assert_int_eq(st.st_size, 3);
    EXPECT(1, "hi\n", "Read-only file system", "run", "--rm", "-v", ro, SHELL,
           "cat /data/f; rm /data/f");
    ck_assert_int_eq(stat(file, &st), 0);
    temp_dir_remove(steal_ptr(&dir));
}
END_TEST

START_TEST(bind_of_a_file_and_of_what_is_missing)
{
    cleanup_free char *dir = temp_dir(), *missing = str_format("%s/a/b", dir);
    cleanup_free char *file_flag = str_format("%s/etc:/etc/group:ro", dir);
    cleanup_free char *file = str_format("%s/etc", dir);
    cleanup_free char *flag = str_format("%s:/deep/in/there", missing);
    struct err err = {0};
    struct stat st;

    ck_assert(!file_store(AT_FDCWD, file, "one\n", 4, 0644, false, &err));
    EXPECT(0, "one\n", "", "run", "--rm", "-v", file_flag, BOX, "cat", "/etc/group");
    EXPECT(0, "", "", "run", "--rm", "-v", flag, BOX, "touch", "/deep/in/there/x");
    ck_assert_int_eq(stat(missing, &st), 0);
    temp_dir_remove(steal_ptr(&dir));
}
END_TEST

START_TEST(host_files_are_there_whatever_is_mounted_on_etc)
{
    cleanup_free char *dir = temp_dir(), *flag = str_format("%s:/etc", dir);

    EXPECT(0, "web\n", "", "run", "--rm", "-v", flag, "--hostname", "web", SHELL,
           "grep -q localhost /etc/hosts && cat /etc/hostname");
    EXPECT(0, "web\n", "", "run", "--rm", "--tmpfs", "/etc", "--hostname", "web", BOX, "cat",
           "/etc/hostname");
    temp_dir_remove(steal_ptr(&dir));
}
END_TEST

/* --- the image stays as it was
 * -------------------------------------------------------------------- */

START_TEST(writes_stay_in_one_container)
{
    EXPECT(0, "", "", "run", "--rm", SHELL, "rm /etc/passwd; echo x > /bin/new; chmod 700 /data");
    EXPECT(0, "root\nabsent\n755\n", "", "run", "--rm", SHELL,
           "head -n1 /etc/passwd | cut -d: -f1; test -e /bin/new || echo absent; stat -c %a /data");
}
END_TEST

/* --- stdin
 * ---------------------------------------------------------------------------------------- */

START_TEST(stdin_only_with_i)
{
    cleanup_run struct run_result r = {0};
    struct run_options o = {.input = "hello", .input_len = 5};

    world_run(&r, &o, (const char *const[]){"run", "--rm", "-i", BOX, "cat", NULL});
    ck_assert_int_eq(r.code, 0);
    ck_assert_str_eq(r.out.data, "hello");
    world_run(&r, &o, (const char *const[]){"run", "--rm", BOX, "cat", NULL});
    ck_assert_int_eq(r.code, 0);
    ck_assert_str_eq(r.out.data, "");
}
END_TEST

START_TEST(a_large_stream_passes_whole)
{
    cleanup_run struct run_result r = {0};
    cleanup_buf struct buf in = {0};
    struct run_options o = {0};

    while (in.len < 3 << 20)
        buf_printf(&in, "line %zu of many\n", in.len);
    o.input = in.data;
    o.input_len = in.len;
    world_run(&r, &o, (const char *const[]){"run", "--rm", "-i", BOX, "cat", NULL});
    ck_assert_int_eq(r.code, 0);
    ck_assert_uint_eq(r.out.len, in.len);
    ck_assert(!memcmp(r.out.data, in.data, in.len));
}
END_TEST

/* --- the rest
 * ------------------------------------------------------------------------------------- */

START_TEST(cidfile_holds_the_id)
{
    cleanup_free char *path = world_path("cid"), *id = NULL;
    cleanup_buf struct buf content = {0};
    struct err err = {0};

    id = OUTPUT("run", "-d", "--cidfile", path, BOX, "true");
    ck_assert(!file_load(AT_FDCWD, path, 4096, &content, &err));
    ck_assert_str_eq(content.data, id);
    EXPECT(125, "", path, "run", "--rm", "--cidfile", path, BOX, "true");
    EXPECT(0, NULL, "", "rm", "-f", id);
    unlink(path);
}
END_TEST

START_TEST(labels_are_shown)
{
    cleanup_free char *text = NULL;

    EXPECT(0, NULL, "", "run", "-d", "--name", "labelled", "--label", "a=1", "-l", "b", BOX,
           "true");
    text = world_inspect("labelled", "{{json .Config.Labels}}");
    ck_assert_str_eq(text, "{\"a\":\"1\",\"b\":\"\"}");
    world_wait_for("labelled", "{{.State.Status}}", "exited");
    EXPECT(0, "labelled\n", "", "rm", "labelled");
}
END_TEST

/* Children of processes that ended before them come to PID 1: the --init program reaps them. */
START_TEST(init_reaps_orphans)
{
    EXPECT(0, "0\n", "", "run", "--rm", "--init", SHELL,
           "sh -c 'sh -c true & sh -c true &'; sleep 0.3; ps -o stat | grep -c Z || true");
}
END_TEST

#define CASES(t, table, test) tcase_add_loop_test(t, test, 0, (int)(sizeof table / sizeof *table))

SUITE(run)
{
    TCase *t = tcase_create("run");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_unchecked_fixture(t, set_environment, NULL);
    CASES(t, code_cases, exit_codes);
    CASES(t, refused_cases, refused);
    CASES(t, view_cases, view_from_inside);
    CASES(t, cap_cases, capabilities);
    tcase_add_test(t, network_host_is_the_hosts);
    tcase_add_test(t, env_file_is_read);
    tcase_add_test(t, bind_shows_the_hosts_directory);
    tcase_add_test(t, bind_of_a_file_and_of_what_is_missing);
    tcase_add_test(t, host_files_are_there_whatever_is_mounted_on_etc);
    tcase_add_test(t, writes_stay_in_one_container);
    tcase_add_test(t, stdin_only_with_i);
    tcase_add_test(t, a_large_stream_passes_whole);
    tcase_add_test(t, cidfile_holds_the_id);
    tcase_add_test(t, labels_are_shown);
    tcase_add_test(t, init_reaps_orphans);
    suite_add_tcase(suite, t);
}
