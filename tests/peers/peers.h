/* peers.h - other engines with cooper-runtime under them: dockerd, containerd, Podman. Each test
 * case has private mount and network namespaces, an empty /run and a directory of its own, so the
 * engines are nobody else's and go with it. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "support/run.h"
#include "support/suite.h"

#define RUNTIME     BUILD_DIR "/bin/cooper-runtime"
#define IMAGE       "localhost/box:1"
#define cleanup_run __attribute__((cleanup(run_free)))

/* Unchecked fixtures. */
void peers_setup(void);
void peers_teardown(void);
/* A path below the test case's directory; the caller frees it. */
char *peers_path(const char *name);
/* A tar of a small root file system: busybox. And the same as a docker archive of IMAGE. */
const char *peers_tree(void);
const char *peers_archive(void);

/* Starts a daemon, its output into a log that a failure shows; it is stopped by the teardown. Waits
 * until `probe` (a command) succeeds, 60 s at most. */
void peers_daemon(const char *const argv[], const char *const probe[]);
/* Writes a file of that name into the directory; the caller frees its path. */
char *peers_file(const char *name, const char *text);

/* Runs `prefix args...`; fails the test unless it ends with `code`, prints `out` (NULL: anything)
 * and has `err` in its standard error. Returns standard output, until the next call. */
const char *peers_expect(const char *where, int code, const char *out, const char *err,
                         const char *const prefix[], const char *const args[]);
#define PEERS_STR2(x) #x
#define PEERS_STR(x)  PEERS_STR2(x)
#define EXPECT(prefix, code, out, err, ...)                                                        \
    peers_expect(__FILE__ ":" PEERS_STR(__LINE__), code, out, err, prefix,                         \
                 (const char *const[]){__VA_ARGS__, NULL})
/* Runs it again and again until it prints `text` somewhere, 20 s at most. */
void peers_await(const char *const prefix[], const char *const args[], const char *text);
#define AWAIT(prefix, text, ...) peers_await(prefix, (const char *const[]){__VA_ARGS__, NULL}, text)
