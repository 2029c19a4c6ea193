/* launch.h - from a bundle to a container whose init waits: what `create` and `run` share. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "runtime/cli/container.h"
#include "runtime/runtime.h"

/* The flags of both commands; `run` has more. */
#define LAUNCH_FLAGS                                                                               \
    {'b', "bundle", FLAG_TEXT, ".",                                                                \
     "path to the root of the bundle directory, defaults to the current directory"},               \
        {'f', "config", FLAG_TEXT, NULL, "file to read instead of the bundle's config.json"},      \
        {0, "console-socket", FLAG_TEXT, NULL,                                                     \
         "path to an AF_UNIX socket which will receive a file descriptor of the terminal's "       \
         "master"},                                                                                \
        {0, "pidfd-socket", FLAG_TEXT, NULL,                                                       \
         "path to an AF_UNIX socket which will receive a file descriptor of the init process"},    \
        {0, "pid-file", FLAG_TEXT, NULL, "specify the file to write the process id to"},           \
        {0, "no-pivot", FLAG_BOOL, NULL, "do not use pivot_root; for a root on top of a ramdisk"}, \
        {0, "no-new-keyring", FLAG_BOOL, NULL,                                                     \
         "do not create a new session keyring for the container"},                                 \
        {0, "preserve-fds", FLAG_NUMBER, "0",                                                      \
         "pass N additional file descriptors to the container (stdio + $LISTEN_FDS + N in "        \
         "total)"},                                                                                \
    {                                                                                              \
        0, "no-subreaper", FLAG_BOOL, NULL,                                                        \
            "disable the use of the subreaper used to reap reparented processes"                   \
    }

struct launch {
    const struct cli *cli;
    const char *id;
    char *bundle;         /* absolute, no symlinks */
    json_t *config;       /* config.json, parsed, with the environment of LISTEN_FDS added */
    struct buf text;      /* config.json, as it stands there */
    unsigned descriptors; /* --preserve-fds and LISTEN_FDS */
    int console_socket, pidfd_socket; /* connected, or -1 */
    int listener;                     /* start.h, or -1 */
    struct container container;       /* locked */
    struct runtime_container *made;
};
#define LAUNCH_NONE                                                                                \
    {                                                                                              \
        .console_socket = -1, .pidfd_socket = -1, .listener = -1, .container = CONTAINER_NONE      \
    }
void launch_free(struct launch *launch);
#define cleanup_launch __attribute__((cleanup(launch_free)))

/* Into a LAUNCH_NONE: reads the bundle and creates the container. `detach`: this command will not
 * stay, so a terminal needs --console-socket, and init gets a start socket. After a failure nothing
 * is left. */
int launch_create(struct launch *ret, const struct cli *cli, bool detach, struct err *err);
/* The record says from now on that creating is over. Before init may outlive us. */
int launch_record_done(struct launch *launch, struct err *err);
/* Takes everything back: process, control group, record. Runs the poststop hooks. */
void launch_undo(struct launch *launch);
