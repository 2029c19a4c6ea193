/* container.h - a container of this --root, as the commands get hold of it. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "runtime/cli/cli.h"
#include "runtime/state.h"

struct container {
    int dir;
    struct state state;
};
void container_close(struct container *c);
#define cleanup_container __attribute__((cleanup(container_close)))

/* Opens it and reads its record. container_close() also after a failure if *ret was zeroed with
 * CONTAINER_NONE. -ENOENT: "container does not exist". */
#define CONTAINER_NONE                                                                             \
    {                                                                                              \
        .dir = -1                                                                                  \
    }
int container_open(const struct cli *cli, const char *id, struct container *ret, struct err *err);
/* The same for a command that changes it: waits for its turn first. */
int container_lock(const struct cli *cli, const char *id, struct container *ret, struct err *err);

/* The ids below --root in order: all of them (`pattern` NULL), or those a POSIX extended regular
 * expression matches somewhere. */
int container_match(const struct cli *cli, const char *pattern, struct strv *ret, struct err *err);

enum state_status container_status(const struct container *c);
/* config.json as it was at create; the caller owns it. */
json_t *container_config(const struct container *c, struct err *err);

/* Sends a signal to init; -ESRCH when it is gone. */
int container_signal(const struct container *c, int sig, struct err *err);
/* Ends what is left of it (processes, control group), runs the poststop hooks, removes the record.
 * The lock is ours. What was only begun is removed as well. `config` NULL: it is read. */
int container_destroy(const struct cli *cli, struct container *c, const json_t *config,
                      struct err *err);
