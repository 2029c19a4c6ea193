/* The tracer follows processes everywhere, names what they do alike each time, and strikes where it
 * was told to and nowhere else. */
#include "crash/tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "support/run.h"
#include "support/suite.h"

#define STAGES BUILD_DIR "/tests/payload/stages"

static const char *const programs[] = {"stages", NULL};
static const char *const names[] = {"first",    "user",   "exec",  "init",
                                    "stranger", "thread", "daemon"};
enum { NAMES = sizeof names / sizeof *names };

static struct tracer *tracer;
static char *directory;
static struct buf output;

static void make_directory(void)
{
    directory = temp_dir();
    /* For a process that has become another user. */
    ck_assert(!chmod(directory, 01777) && !chmod(getenv("TMPDIR"), 0711));
    tracer = tracer_new(programs);
}

static void remove_directory(void)
{
    tracer_free(tracer);
    temp_dir_remove(directory);
    buf_free(&output);
}

/* The wait status of `stages DIRECTORY`; with what it said in `output`, and nobody left. */
static int stages(struct injection *injection, struct point_list *record)
{
    cleanup_close int out = memfd_create("out", MFD_CLOEXEC);
    const char *const argv[] = {STAGES, directory, NULL};
    struct err err = {0};
    int status;

    tracer_inject(tracer, injection);
    tracer_record(tracer, record);
    status = tracer_wait(tracer, tracer_start(tracer, argv, true, out, out), 20000);
    ck_assert_msg(tracer_wait_gone(tracer, 20000), "%s", tracer_describe(tracer));
    ck_assert(!lseek(out, 0, SEEK_SET) && !file_load_fd(out, 4096, &output, &err));
    return status;
}

static bool made(const char *name)
{
    cleanup_free char *path = str_format("%s/%s", directory, name);

    return !access(path, F_OK);
}

static void unmake(void)
{
    for (size_t i = 0; i < NAMES; i++) {
        cleanup_free char *path = str_format("%s/%s", directory, names[i]);

        rmdir(path);
    }
    buf_free(&output);
}

/* The point where `name` is made, from a run that nothing happened to. */
static void find_point(const char *name, struct point *ret)
{
    cleanup_free char *end = str_format("/%s)", name);
    struct point_list points = {0};

    ck_assert_int_eq(stages(NULL, &points), 0);
    for (size_t i = 0; i < points.len; i++)
        if (strstr(points.items[i].key, " mkdir") && strstr(points.items[i].key, end)) {
            *ret = points.items[i];
            ret->key = str_copy(ret->key);
        }
    point_list_free(&points);
    unmake();
    ck_assert_msg(ret->key != NULL, "no point for '%s'", name);
}

START_TEST(every_process_is_followed)
{
    struct point_list first = {0}, second = {0};

    ck_assert_int_eq(stages(NULL, &first), 0);
    for (size_t i = 0; i < NAMES; i++)
        ck_assert_msg(made(names[i]), "'%s' is missing: %s", names[i], output.data);
    unmake();
    for (size_t i = 0; i < NAMES; i++) {
        struct point p = {0};

        find_point(names[i], &p);
        ck_assert_msg(p.changes && p.errors == (NOSPC | NOMEM | IO), "%s", p.key);
        free(p.key);
    }
    /* The same names again, though every pid is another. */
    ck_assert_int_eq(stages(NULL, &second), 0);
    point_list_join(&first, &second);
    ck_assert_uint_eq(first.len, second.len);
    point_list_free(&first);
    point_list_free(&second);
}
END_TEST

START_TEST(one_call_fails)
{
    for (size_t i = 0; i < NAMES; i++) {
        struct point p = {0};
        struct injection injection = {.kind = FAIL, .error = ENOSPC, .at = &p};
        cleanup_free char *said = str_format("%s: No space left on device\n", names[i]);

        find_point(names[i], &p);
        ck_assert_int_eq(stages(&injection, NULL), 0);
        ck_assert(injection.reached && !injection.hit_command);
        ck_assert_msg(strstr(output.data, said) != NULL, "'%s' lacks '%s'", output.data, said);
        for (size_t k = 0; k < NAMES; k++)
            ck_assert_int_eq(made(names[k]), k != i);
        free(p.key);
        unmake();
    }
}
END_TEST

/* Before: it was not made, after: it was; and the others lived on. */
static void kill_one(const char *name, enum injection_kind kind)
{
    struct point p = {0};
    struct injection injection = {.kind = kind, .at = &p};

    find_point(name, &p);
    ck_assert_int_eq(stages(&injection, NULL), 0);
    ck_assert_msg(injection.reached, "%s", p.key);
    ck_assert_int_eq(made(name), kind == KILL_AFTER);
    ck_assert_msg(!strstr(output.data, name), "%s", output.data);
    ck_assert(made("first") && made("daemon") + str_equal(name, "daemon") >= 1);
    free(p.key);
    unmake();
}

START_TEST(one_process_is_killed)
{
    static const char *const separate[] = {"user", "exec", "init", "stranger", "daemon"};

    for (size_t i = 0; i < sizeof separate / sizeof *separate; i++) {
        kill_one(separate[i], KILL_BEFORE);
        kill_one(separate[i], KILL_AFTER);
    }
}
END_TEST

START_TEST(the_command_is_killed)
{
    struct point p = {0};
    struct injection injection = {.kind = KILL_AFTER, .at = &p};

    find_point("first", &p);
    ck_assert_int_eq(stages(&injection, NULL), SIGKILL);
    ck_assert(injection.hit_command && made("first") && !made("user"));
    free(p.key);
    unmake();
    /* A thread takes its process with it, and so the daemon was never born. */
    find_point("thread", &p);
    injection = (struct injection){.kind = KILL_BEFORE, .at = &p};
    ck_assert_int_eq(stages(&injection, NULL), SIGKILL);
    ck_assert(injection.hit_command && !made("thread") && !made("daemon"));
    free(p.key);
}
END_TEST

START_TEST(all_are_killed)
{
    struct point p = {0};
    struct injection injection = {.kind = KILL_ALL, .at = &p};

    find_point("init", &p);
    ck_assert_int_eq(stages(&injection, NULL), SIGKILL);
    ck_assert(injection.reached && made("exec") && !made("init") && !made("daemon"));
    free(p.key);
}
END_TEST

START_TEST(a_hang_is_seen_and_described)
{
    cleanup_close int out = memfd_create("out", MFD_CLOEXEC);
    const char *const argv[] = {STAGES, "hang", NULL};
    pid_t pid = tracer_start(tracer, argv, true, out, out);
    cleanup_free char *where = NULL;

    ck_assert_int_eq(tracer_settle(tracer, 20000), 1);
    ck_assert_int_eq(tracer_wait(tracer, pid, 50), -1);
    where = tracer_describe(tracer);
    ck_assert_msg(strstr(where, "stages") && strstr(where, "in read(pipe:["), "%s", where);
    tracer_kill(tracer);
    ck_assert(tracer_wait_gone(tracer, 100));
}
END_TEST

SUITE(tracer)
{
    TCase *t = tcase_create("tracer");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, make_directory, remove_directory);
    tcase_add_test(t, every_process_is_followed);
    tcase_add_test(t, one_call_fails);
    tcase_add_test(t, one_process_is_killed);
    tcase_add_test(t, the_command_is_killed);
    tcase_add_test(t, all_are_killed);
    tcase_add_test(t, a_hang_is_seen_and_described);
    suite_add_tcase(suite, t);
}

static const char *probe_root(void)
{
    return geteuid() ? "not root" : NULL;
}
TAG("needs-root", probe_root)
