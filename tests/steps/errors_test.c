/* What keg says when it cannot: one line, the cause with the value it is about, and where there is
 * something to do a hint in brackets. The causes are literal here; the words of the hints may
 * change. */
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "steps/steps.h"
#include "support/run.h"

#define ROOTFS BUILD_DIR "/rootfs"
#define IMAGE  BUILD_DIR "/image"

enum { MOST_ARGS = 6, LAST_STEP = 6 };

static const struct failure {
    int from, to; /* the steps that say so */
    const char *args[MOST_ARGS];
    int code;
    const char *cause;
    bool hint;
} failures[] = {
    {1, 2, {NULL}, 125, "usage: keg ROOTFS COMMAND [ARG...]", true},
    {1, 2, {ROOTFS}, 125, "usage: keg ROOTFS COMMAND [ARG...]", true},
    {1,
     1,
     {"/nowhere", "true"},
     125,
     "cannot enter the root '/nowhere': No such file or directory",
     true},
    {2,
     3,
     {"/nowhere", "true"},
     125,
     "cannot bind '/nowhere' onto itself: No such file or directory",
     true},
    {4,
     6,
     {"/nowhere", "true"},
     125,
     "cannot open the directory '/nowhere': No such file or directory",
     true},
    {1, 6, {ROOTFS, "nosuch"}, 127, "cannot run 'nosuch': No such file or directory", true},
    {1, 6, {ROOTFS, "/etc/passwd"}, 126, "cannot run '/etc/passwd': Permission denied", false},
    {3, 6, {"--memory", "lots", ROOTFS, "true"}, 125, "'lots' is no limit for memory", true},
    {3, 6, {"--pids", "0", ROOTFS, "true"}, 125, "'0' is no limit for pids", true},
    {3, 6, {"--cpus", "-1", ROOTFS, "true"}, 125, "'-1' is no limit for cpu", true},
    {3, 6, {"--bogus", ROOTFS, "true"}, 125, "unrecognized option '--bogus'", false},
    {3, 6, {"--memory"}, 125, "option '--memory' requires an argument", false},
    {4,
     6,
     {"diff", "/nowhere", ROOTFS},
     125,
     "cannot read '/nowhere/upper': No such file or directory",
     true},
    {4,
     6,
     {"union", "/nowhere:/tmp", "/tmp"},
     125,
     "cannot open the directory '/nowhere': No such file or directory",
     true},
    {4, 6, {"union", "/tmp", "/tmp"}, 125, "'/tmp' is only one directory", true},
    {4,
     6,
     {"union", "/bin:/usr", "/nowhere"},
     125,
     "cannot open the directory '/nowhere': No such file or directory",
     true},
    {4, 6, {"union", "/bin:/usr"}, 125, "usage: keg union DIR:DIR[:DIR...] MOUNTPOINT", true},
    {4, 6, {"diff", "/tmp"}, 125, "usage: keg diff DIR ROOTFS[:ROOTFS...]", true},
    {5, 6, {"oci:" IMAGE ":nope"}, 125, "there is no image 'nope' in '" IMAGE "'", true},
    {5,
     6,
     {"oci:/nowhere"},
     125,
     "cannot open '/nowhere/index.json': No such file or directory",
     true},
    {5, 6, {ROOTFS}, 125, "there is no command to run in '" ROOTFS "'", true},
    {6, 6, {"--publish", "80", ROOTFS, "true"}, 125, "'80' is not HOSTPORT:PORT", true},
    {6,
     6,
     {"--publish", "4294967376:80", ROOTFS, "true"},
     125,
     "'4294967376:80' is not HOSTPORT:PORT",
     true},
    {6, 6, {"--publish", "99999:80", ROOTFS, "true"}, 125, "'99999:80' is not HOSTPORT:PORT", true},
};
enum { FAILURES = sizeof failures / sizeof *failures };

static int switch_on(const char *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int result = fd < 0 || write(fd, "1", 1) != 1 ? -1 : 0;

    close(fd);
    return result;
}

static void separate(void)
{
    steps_separate();
    /* Else step 6 tells that it switched it on. */
    if (switch_on("/proc/sys/net/ipv4/ip_forward") < 0)
        perror("ip_forward");
}

/* "keg: CAUSE\n" or "keg: CAUSE (hint: ...)\n", and nothing else. */
static void expect_words(const char *said, const char *cause, bool hint, const char *step)
{
    cleanup_free char *start = str_format("keg: %s%s", cause, hint ? " (hint: " : "\n");
    const char *end = strchr(said, '\n');

    ck_assert_msg(str_starts(said, start), "%s said: %s\nand not: %s", step, said, start);
    ck_assert_msg(end && !end[1], "%s said more than one line: %s", step, said);
    ck_assert_msg(!hint || end[-1] == ')', "%s left the hint open: %s", step, said);
}

static void expect_failure(const struct failure *f, int step)
{
    const char *argv[MOST_ARGS + 2] = {steps_keg(step)};
    struct run_result r = {0};

    for (int i = 0; i < MOST_ARGS && f->args[i]; i++)
        argv[i + 1] = f->args[i];
    run_argv(&r, NULL, argv);
    ck_assert_msg(r.code == f->code, "%s: %d, not %d: %.3000s", argv[0], r.code, f->code,
                  r.err.data);
    ck_assert_str_eq(r.out.data, "");
    expect_words(r.err.data, f->cause, f->hint, argv[0]);
    run_free(&r);
}

START_TEST(one_line_names_the_cause)
{
    for (int step = failures[_i].from; step <= failures[_i].to; step++)
        if (steps_name(step))
            expect_failure(&failures[_i], step);
}
END_TEST

/* --- what needs root says so ------------------------------------------------------------------ */

/* The user of these runs must reach the tree; where the build is in somebody's home it cannot. */
static const char *others_can_read(void)
{
    bool can = setegid(65534) == 0 && seteuid(65534) == 0 &&
               faccessat(AT_FDCWD, ROOTFS "/bin/busybox", X_OK, AT_EACCESS) == 0;

    if (seteuid(0) < 0 || setegid(0) < 0)
        abort();
    return can ? NULL : "an ordinary user cannot read the build directory";
}
TAG("others-can-read", others_can_read)

static void run_as_nobody(struct run_result *r, int step, const char *first, const char *second)
{
    RUN(r, NULL, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", steps_keg(step),
        first, second, ROOTFS, "true");
}

START_TEST(what_needs_root_says_so)
{
    struct run_result r = {0};

    RUN(&r, NULL, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", steps_keg(1),
        ROOTFS, "true");
    ck_assert_int_eq(r.code, 125);
    expect_words(r.err.data, "cannot change the root to '" ROOTFS "': Operation not permitted",
                 true, "step 1");
    if (steps_name(3)) {
        run_as_nobody(&r, 3, "--pids", "5");
        ck_assert_int_eq(r.code, 125);
        ck_assert_ptr_nonnull(strstr(r.err.data, "(hint: limits need root"));
    }
    if (steps_name(6)) {
        run_as_nobody(&r, 6, "--publish", "8080:80");
        ck_assert_int_eq(r.code, 125);
        expect_words(r.err.data,
                     "cannot plug a keg into the host's network: Operation not permitted", true,
                     "step 6");
    }
    run_free(&r);
}
END_TEST

SUITE(errors)
{
    TCase *t = tcase_create("errors");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, separate, NULL);
    tcase_add_loop_test(t, one_line_names_the_cause, 0, FAILURES);
    suite_add_tcase(suite, t);

    t = tcase_create("without root");
    tcase_set_timeout(t, 30);
    tcase_set_tags(t, "others-can-read");
    tcase_add_unchecked_fixture(t, separate, NULL);
    tcase_add_test(t, what_needs_root_says_so);
    suite_add_tcase(suite, t);
}
