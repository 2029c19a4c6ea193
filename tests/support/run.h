/* run.h - commands run from a test: argv in, exit code and output out. No shell unless one is asked
 * for.
 *
 *     struct run_result r = {0};
 *     RUN(&r, NULL, "skopeo", "--version");          // any exit code
 *     ck_assert_int_eq(r.code, 0);
 *     RUN_OK(&r, NULL, "umoci", "init", ...);        // fails the test, with the output, unless it
 * is 0 run_free(&r);
 *
 * Every child gets PR_SET_PDEATHSIG: a test that fails or crashes leaves no process behind.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/str.h"

struct run_result {
    int code;            /* exit code; 128 + n when signal n ended it; -1 after the timeout */
    struct buf out, err; /* always NUL-terminated once run */
};
struct run_options {
    const void *input; /* fed to stdin; NULL: stdin is /dev/null */
    size_t input_len;
    int stdin_fd; /* used instead when greater than 0 */
    const char *const
        *environment;      /* "NAME=value" added to ours, "NAME" removed; NULL-terminated */
    const char *directory; /* to run in */
    int timeout_s;         /* 0: 60 */
};

/* Runs argv (found in PATH) to its end. Ends when the child does, also if a grandchild keeps its
 * output open. `options` may be NULL. An earlier result in *ret is freed. A command that cannot be
 * executed gives code 127. */
void run_argv(struct run_result *ret, const struct run_options *options, const char *const argv[]);
/* The same, and the test fails unless the exit code is 0. */
void run_argv_ok(struct run_result *ret, const struct run_options *options,
                 const char *const argv[]);
void run_free(struct run_result *r);

#define RUN(ret, options, ...) run_argv(ret, options, (const char *const[]){__VA_ARGS__, NULL})
#define RUN_OK(ret, options, ...)                                                                  \
    run_argv_ok(ret, options, (const char *const[]){__VA_ARGS__, NULL})

/* Starts a command that goes on; stdout and stderr go to `log` (a path, made or appended; NULL:
 * /dev/null). Stop it with run_stop(). */
pid_t run_start(const struct run_options *options, const char *log, const char *const argv[]);
/* SIGTERM, SIGKILL after 5 s; returns the code as in run_result. */
int run_stop(pid_t pid);
/* Waits for a started command at most `timeout_s`; -1 when it is still running. */
int run_wait(pid_t pid, int timeout_s);

/* Waits (inotify, no polling) until the file holds `text`; returns its whole content (caller frees)
 * or NULL after `timeout_s`. The file may appear later. */
char *run_wait_for_text(const char *path, const char *text, int timeout_s);

/* True when a program of this name is in PATH: for tag probes. */
bool run_has_program(const char *name);

/* A new empty directory under $TMPDIR or /tmp, mode 0700; the caller frees the path. */
char *temp_dir(void);
/* Removes it with all its content (NULL is fine) and frees the path. Mounts below it are left alone
 * and fail the test. */
void temp_dir_remove(char *path);
