/* grade STEP BIN [EXERCISE]: runs the checks of all steps up to STEP, and of that exercise of
 * STEP's chapter, on the program BIN, one after the other, and says of each whether it holds. Ends
 * with 0 when all do, 1 when one does not, 2 when nothing could be judged. */
#include "grade/grade.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "grade/network.h"

enum { SECONDS_A_CHECK = 40 };

struct grade grade;

/* A check is a process that ends: with sanitizers on, what it never freed is no news. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}

static const struct check *const all_checks[] = {checks_1, checks_2, checks_3,
                                                 checks_4, checks_5, checks_6};
static const struct exercise *const all_exercises[] = {exercises_1, exercises_2, exercises_3,
                                                       exercises_4, exercises_5, exercises_6};
enum { STEPS = sizeof all_checks / sizeof *all_checks };

static const struct check *current;
static int passed, failed, left_out;

void explain(const char *expected, const char *look, const char *seen, ...)
{
    char what[1024];
    va_list list;

    va_start(list, seen);
    vsnprintf(what, sizeof what, seen, list);
    va_end(list);
    keg_end_all();
    ck_abort_msg("expected: %s\nseen:     %s\nlook at:  %s", expected, what, look);
    abort();
}

void broken(const char *what, ...)
{
    char text[1024];
    va_list list;

    va_start(list, what);
    vsnprintf(text, sizeof text, what, list);
    va_end(list);
    ck_abort_msg("the judge itself failed: %s", text);
    abort();
}

/* --- the root for the probe ------------------------------------------------------------------- */

static void give_up(const char *what, const char *value)
{
    fprintf(stderr, "grade: cannot %s '%s': %s\n", what, value, strerror(errno));
    exit(2);
}

static bool is_directory(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void make_file(const char *path, const char *text, size_t len, mode_t mode)
{
    struct err err = {0};

    if (file_store(AT_FDCWD, path, text, len, mode, false, &err) < 0) {
        fprintf(stderr, "grade: %s\n", err.message);
        exit(2);
    }
}

static void add_file(const char *name, const char *text, mode_t mode)
{
    cleanup_free char *path = str_format("%s/%s", grade.root, name);

    make_file(path, text, strlen(text), mode);
}

/* It stands beside this program. */
static char *probe_path(void)
{
    char self[4096] = "";

    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
        give_up("read", "/proc/self/exe");
    return str_format("%s-probe", self);
}

static void make_root(void)
{
    static const char *const directories[] = {"bin", "dev", "etc", "proc", "sys", "tmp", "root"};
    cleanup_free char *probe = str_format("%s/bin/probe", grade.root), *ours = probe_path();
    cleanup_buf struct buf program = {0};
    struct err err = {0};

    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        cleanup_free char *path = str_format("%s/%s", grade.root, directories[i]);

        if (file_make_dirs(AT_FDCWD, path, 0755, &err) < 0)
            give_up("make the directory", path);
    }
    if (file_load(AT_FDCWD, ours, 64 << 20, &program, &err) < 0)
        give_up("read", ours);
    make_file(probe, program.data, program.len, 0755);
    add_file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nreader:x:1000:1000::/:/bin/sh\n", 0644);
    add_file("etc/group", "root:x:0:\nreader:x:1000:\n", 0644);
    add_file("etc/data", "not a program\n", 0644);
}

static void make_world(void)
{
    const char *base = getenv("TMPDIR");

    grade.directory = str_format("%s/grade-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(grade.directory) || chmod(grade.directory, 0755) < 0)
        give_up("make the directory", grade.directory);
    grade.root = str_format("%s/root", grade.directory);
    grade.store = str_format("%s/store", grade.directory);
    grade.secret = str_format("%s/secret", grade.directory);
    make_root();
    make_file(grade.secret, "of the host\n", strlen("of the host\n"), 0644);
    /* What a check leaves behind when it fails becomes our child, and ends with the check. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    /* Mounts that come out of the keg are to be seen here and go no further. */
    if (grade.is_root &&
        (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
         mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0))
        give_up("separate the mounts of", "the judge");
}

/* overlayfs leaves a directory of mode 0 in its workshop. */
static int make_readable(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    if (type == FTW_DNR)
        chmod(path, 0700);
    return 0;
}

static void remove_world(void)
{
    struct err err = {0};

    nftw(grade.directory, make_readable, 16, FTW_PHYS);
    if (file_remove_tree(AT_FDCWD, grade.directory, &err) < 0)
        fprintf(stderr, "grade: left behind: %s\n", err.message);
}

/* Ends what was left to us. PR_SET_CHILD_SUBREAPER made them ours; a list of them is in /proc. */
static void end_leftovers(void)
{
    cleanup_free char *path = str_format("/proc/self/task/%d/children", (int)getpid());
    int status;

    for (;;) {
        cleanup_free char *children = fact_file(path);

        for (char *at = children; *at; at += strcspn(at, " "), at += strspn(at, " "))
            kill(atoi(at), SIGKILL);
        if (waitpid(-1, &status, 0) < 0)
            return;
    }
}

/* --- one check -------------------------------------------------------------------------------- */

START_TEST(run_check)
{
    if (grade.step >= 6)
        network_separate();
    current->run();
    keg_end_all();
}
END_TEST

static void print_indented(const char *text)
{
    while (*text) {
        int length = (int)strcspn(text, "\n");

        printf("          %.*s\n", length, text);
        text += length + (text[length] == '\n');
    }
}

/* A program that does not start fails every check in the same words: once is enough to read. */
static void print_failure(const char *message)
{
    static char last[4096];

    if (!strncmp(message, last, sizeof last - 1))
        message = "(for the same reason)";
    else
        snprintf(last, sizeof last, "%s", message);
    print_indented(message);
}

static void print_result(TestResult *result)
{
    const char *message = tr_msg(result);

    if (tr_rtype(result) == CK_PASS) {
        passed++;
        printf("  ok      %s\n", current->title);
        return;
    }
    failed++;
    printf("  not ok  %s\n", current->title);
    if (tr_rtype(result) == CK_ERROR && strstr(message, "timeout"))
        message = "expected: an end within 40 seconds\nseen:     the keg or its command hangs";
    print_failure(message);
}

static void judge(const struct check *check)
{
    Suite *suite = suite_create("grade");
    TCase *tcase = tcase_create(check->title);
    SRunner *runner = srunner_create(suite);
    TestResult **results;

    current = check;
    tcase_set_timeout(tcase, SECONDS_A_CHECK);
    tcase_add_test(tcase, run_check);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_SILENT);
    results = srunner_results(runner);
    print_result(results[0]);
    free(results);
    srunner_free(runner);
    end_leftovers();
}

static void judge_or_leave_out(const struct check *check)
{
    if (grade.is_root || !check->needs_root) {
        judge(check);
        return;
    }
    left_out++;
    printf("  -       %s: needs root, left out\n", check->title);
}

static void judge_step(int step)
{
    printf("step %d\n", step);
    for (const struct check *c = all_checks[step - 1]; c->title; c++)
        judge_or_leave_out(c);
}

static void judge_exercise(int step, int exercise)
{
    int found = 0;

    printf("exercise %d.%d\n", step, exercise);
    for (const struct exercise *e = all_exercises[step - 1]; e->number; e++)
        if (e->number == exercise && ++found)
            judge_or_leave_out(&e->check);
    if (!found)
        printf("  -       chapter %d has no exercise %d with a judge\n", step, exercise);
    failed += !found;
}

/* --- the run ---------------------------------------------------------------------------------- */

static int usage(void)
{
    fprintf(
        stderr,
        "usage: make grade STEP=01..06 BIN=./your-keg [EXERCISE=1..]\n"
        "Judges your program by what the kernel says about the process it runs. How your program\n"
        "is called is written in tests/grade/README.md. Step 1 and all limits and networks need\n"
        "root: sudo make grade ...; the rest is judged for an ordinary user too.\n");
    return 2;
}

int main(int argc, char **argv)
{
    char resolved[4096];

    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    /* Meant for the tests that run us; here they would choose no check at all. */
    unsetenv("CK_RUN_SUITE");
    unsetenv("CK_RUN_CASE");
    grade.step = argc >= 3 ? atoi(argv[1]) : 0;
    grade.exercise = argc > 3 ? atoi(argv[3]) : 0;
    if (grade.step < 1 || grade.step > STEPS)
        return usage();
    grade.is_root = geteuid() == 0;
    if (!realpath(argv[2], resolved) || access(resolved, X_OK) < 0)
        give_up("run", argv[2]);
    if (is_directory(resolved)) {
        errno = EISDIR;
        give_up("run", argv[2]);
    }
    grade.bin = resolved;
    if (grade.step == 1 && !grade.is_root) {
        fprintf(stderr, "grade: step 1 needs root (chroot): sudo make grade STEP=01 BIN=%s\n",
                argv[2]);
        return 2;
    }
    make_world();
    for (int step = 1; step <= grade.step; step++)
        judge_step(step);
    if (grade.exercise)
        judge_exercise(grade.step, grade.exercise);
    remove_world();
    printf("%d ok, %d not ok", passed, failed);
    printf(left_out ? ", %d left out\n" : "\n", left_out);
    return failed ? 1 : 0;
}
