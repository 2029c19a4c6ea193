/* tool.h - cooper-runtime as other programs use it: by its command line, with a --root of the
 * test's own. The bundles are those of tests/system (one static program, probe, that tells what it
 * sees). */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "support/run.h"
#include "support/suite.h"

#define RUNTIME     BUILD_DIR "/bin/cooper-runtime"
#define cleanup_run __attribute__((cleanup(run_free)))

/* Unchecked fixtures. At the end nothing may be left of any container: see tool_gone(). */
void tool_setup(void);
void tool_teardown(void);
const char *tool_root(void);

/* A bundle and the container made from it; gone with the fixture, the struct with tool_free(). */
struct box {
    char *bundle;
    const char *id; /* its directory's name */
    json_t *config; /* write it with tool_write() after a change */
    char *log;      /* where the program's output goes, of `create` */
};
void tool_free(struct box *box);
#define cleanup_box __attribute__((cleanup(tool_free)))

/* Its program is probe with these words. */
void tool_box(struct box *ret, const char *command);
void tool_write(const struct box *box);
/* Adds a hook that runs `sh -c script` on the host; the container's kinds run there as well,
 * because their paths are the host's until pivot_root(2). */
void tool_hook(const struct box *box, const char *kind, const char *script, int timeout_s);

/* `cooper-runtime --root ROOT args...` to its end. */
void tool_run(struct run_result *ret, const struct run_options *options, const char *const args[]);
#define RT(ret, ...) tool_run(ret, NULL, (const char *const[]){__VA_ARGS__, NULL})
/* The same, started and left running (run_wait, run_stop), output into the file `log`. */
pid_t tool_start(const char *log, const char *const args[]);
#define START(log, ...) tool_start(log, (const char *const[]){__VA_ARGS__, NULL})

/* Fails the test unless the command ends with `code`, prints exactly `out` (NULL: anything) and has
 * `err` in its standard error ("": nothing is there). Returns standard output, until the next call.
 */
const char *tool_expect(const char *where, int code, const char *out, const char *err,
                        const char *const args[]);
#define TOOL_STR2(x) #x
#define TOOL_STR(x)  TOOL_STR2(x)
#define EXPECT(code, out, err, ...)                                                                \
    tool_expect(__FILE__ ":" TOOL_STR(__LINE__), code, out, err,                                   \
                (const char *const[]){__VA_ARGS__, NULL})

/* create with the program's output in box->log and further flags before the id; must succeed. */
void tool_create(const struct box *box, const char *const flags[]);
#define CREATE(box, ...) tool_create(box, (const char *const[]){__VA_ARGS__, NULL})
/* create and start, and waits until the log holds `text` (NULL: does not wait). */
void tool_up(const struct box *box, const char *text);
/* Waits for a text in the log; the caller frees the log's content. */
char *tool_await(const struct box *box, const char *text);

/* What `state` prints; the caller owns it. NULL when there is no such container. */
json_t *tool_state(const char *id);
/* Its status, "" for none, in a static buffer; and waiting until it is so, 20 s at most. */
const char *tool_status(const char *id);
void tool_await_status(const char *id, const char *status);
pid_t tool_pid(const char *id);

/* Nothing of it is left: no record, no process, no control group. */
void tool_gone(const struct box *box);
