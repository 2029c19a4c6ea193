/* state.h - what a container without a supervisor of ours leaves on disk: ROOT/ID/.
 *
 *     state.json    the record below, replaced by rename(2)
 *     config.json   the bundle's, as it was at create: the bundle may change or go
 *     start.sock    while init waits to be started (start.h)
 *
 * The record is made before the first thing it names (the cgroup, the process), and goes when the
 * last is gone. What a container *is* at the moment is never written down: state_status() asks the
 * kernel. So a command killed at any point leaves a record that is true.
 *
 * One command at a time changes a container: it holds the lock on the directory (flock(2), which
 * ends with its holder). Those that only look, and `kill` and `exec`, do without.
 *
 * The JSON that `state` prints is OCI runtime-spec 1.2, runtime.md, "State". */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/proc.h"
#include "runtime/runtime_cgroup.h"

#define STATE_FILE "state.json"

/* The specification that the state document complies with. */
#define STATE_OCI_VERSION "1.2.0"

struct state {
    char *id, *bundle, *rootfs;
    char *boot;    /* of which the pids below are (proc_boot_id()) */
    char *created; /* RFC 3339 */
    char *cgroup_manager, *cgroup_path;
    struct proc_id init;    /* pid 0: not made yet */
    struct proc_id creator; /* the command at work on it; pid 0: it is done */
    json_t *annotations;    /* may be NULL */
    bool no_new_keyring;    /* --no-new-keyring, which exec has to know */
};

enum state_status { STATE_CREATING, STATE_CREATED, STATE_RUNNING, STATE_PAUSED, STATE_STOPPED };
const char *state_status_name(enum state_status status);

/* `[A-Za-z0-9_+.-]+`, a file name, not "." or "..": else -EINVAL, runc's words. */
int state_check_id(const char *id, struct err *err);

/* Opens ROOT/ID; -ENOENT "container does not exist". */
int state_open(const char *root, const char *id, int *ret_dir, struct err *err);
/* Makes ROOT/ID (and ROOT, mode 0700) unless it is there, opens and locks it without waiting.
 * -EBUSY when another command has the lock. The caller looks whether somebody's record is in it. */
int state_claim(const char *root, const char *id, int *ret_dir, struct err *err);
/* Waits for the lock, 10 s at most: a hook may hold it for ever. -ENOENT if the container was
 * deleted meanwhile, -ETIMEDOUT. */
int state_lock(int dir, const char *id, struct err *err);
void state_unlock(int dir);
/* Removes ROOT/ID and what is in it, the record last. */
int state_remove(const char *root, const char *id, int dir, struct err *err);

/* Reads the record; -ENOENT if there is none yet. state_free() only after success. */
int state_load(int dir, struct state *ret, struct err *err);
int state_store(int dir, const struct state *state, struct err *err);
void state_free(struct state *state);
#define cleanup_state __attribute__((cleanup(state_free)))

/* Where its control group is; borrows from the record. */
struct runtime_cgroup_place state_cgroup(const struct state *state);
enum state_status state_status(int dir, const struct state *state);
/* The OCI state document; the caller owns it. `pid` is as the reader sees it, 0: left out. */
json_t *state_document(const struct state *state, enum state_status status, pid_t pid);
