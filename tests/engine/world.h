/* world.h - a Cooper of a test's own: a temporary --root with one image, "box:1", made by `cooper
 * import` from busybox. Use both as unchecked fixtures, so that they run once a test case and also
 * after a failed test:
 *
 *     tcase_add_unchecked_fixture(t, world_make, world_remove);
 *
 *     EXPECT(0, "hello\n", "", "run", "--rm", BOX, "echo", "hello");   // code, stdout, stderr
 *     EXPECT(125, NULL, "No such image", "run", ...);                  // NULL: whatever; stderr
 * contains
 */
#pragma once

#include <stdbool.h>

#include "support/run.h"
#include "support/suite.h"

#define BOX         "box:1"
#define cleanup_run __attribute__((cleanup(run_free)))

void world_make(void);
/* Before world_make(): puts a static program into the image as /bin/NAME. */
void world_program(const char *path, const char *name);
void world_remove(void);
/* Removes all containers. A checked fixture's setup: a failed test skips its teardown, so the next
 * one clears. */
void world_clear(void);
const char *world_root(void);
/* A path for a file of the test's own, gone with the world; caller frees. */
char *world_path(const char *name);

/* A second root beside the first, empty; world_remove removes it too. */
const char *world_other_root(void);

/* `cooper --root ROOT args...` to its end. */
void world_run(struct run_result *ret, const struct run_options *options, const char *const args[]);
#define COOPER(ret, ...) world_run(ret, NULL, (const char *const[]){__VA_ARGS__, NULL})
/* The same, started and left running (run_wait, run_stop), output into the file `log`. */
pid_t world_start(const char *log, const char *const args[]);
#define START(log, ...) world_start(log, (const char *const[]){__VA_ARGS__, NULL})

/* Fails the test unless the command ends with `code`, prints exactly `out` and has `err` in its
 * standard error ("" means it says nothing there). Returns standard output, valid until the next
 * call. */
const char *world_expect(const char *where, int code, const char *out, const char *err,
                         const char *const args[]);
#define WORLD_STR2(x) #x
#define WORLD_STR(x)  WORLD_STR2(x)
#define EXPECT(code, out, err, ...)                                                                \
    world_expect(__FILE__ ":" WORLD_STR(__LINE__), code, out, err,                                 \
                 (const char *const[]){__VA_ARGS__, NULL})
/* Succeeds; returns standard output without its last newline (caller frees). */
char *world_output(const char *const args[]);
#define OUTPUT(...) world_output((const char *const[]){__VA_ARGS__, NULL})
/* `cooper inspect --format FORMAT NAME`; caller frees. */
char *world_inspect(const char *name, const char *format);

/* Waits until the container's log holds `text` / until inspect shows `value`; fails the test after
 * 20 s (longer in an emulated machine). */
void world_wait_log(const char *name, const char *text);
void world_wait_for(const char *name, const char *format, const char *value);
/* One short pause of a bounded wait. */
void world_tick(void);
/* How often to tick for about `seconds`, stretched as Check's own time limits are. */
int world_ticks(int seconds);

/* Seconds since some fixed moment. */
double world_now(void);
bool world_process_exists(pid_t pid);
pid_t world_parent_of(pid_t pid);
/* The shim of a container, by the name that ps shows; fails the test when there is none. */
pid_t world_shim_of(const char *id);

/* Fails the test if anything of this id (or, with NULL, of this root) is left: processes, mounts,
 * control groups, directories below containers/ and run/. */
void world_assert_nothing_left(const char *id);
