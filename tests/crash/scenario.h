/* scenario.h - what is swept: a command, what comes before it, and what may be true after it.
 *
 * A scenario has one *subject*: a container or an image that is in one of five states. The command
 * leads it from one state to another; a sweep asks for the state after each injury and holds it
 * against what the scenario allows. A new command to be swept is a new entry in a table.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "crash/command.h"

#define WORDS_MAX  20
#define BEFORE_MAX 4

enum state { ABSENT = 1, CREATED = 2, RUNNING = 4, PAUSED = 8, STOPPED = 16 };

/* How one asks about a subject and is rid of it: the same for many scenarios. */
struct subject {
    /* Whose calls count: basenames of argv[0]. The user's own program in the container does not. */
    const char *const *programs;
    /* What stands before every command; NULL-terminated. A word of any command that begins with
     * REGISTRY_WORD has the address of the registry in its place. */
    const char *const *prefix;
    /* Makes the place fit: a state directory with an image, a bundle. Runs in the fresh place. */
    int (*furnish)(struct err *err);
    /* The next command, "whichever": asked after every injury. And its answer read. False: the
     * answer makes no sense. */
    const char *question[WORDS_MAX];
    bool (*answer)(const struct outcome *outcome, enum state *ret);
    /* Removes it. `others`, if any, is a command whose lines are more arguments of the last: what
     * else is left.
     */
    const char *undo[BEFORE_MAX][WORDS_MAX];
    const char *others[WORDS_MAX];
    const char *database; /* NULL: none */
    bool needs_registry;
    /* A repetition that answers `again` is right whatever was left, if it works after the undoing:
     * the caller gives the ids, and knows that they are to be deleted. */
    bool undone_by_hand;
    bool created_lives; /* what is created has a process already */
};

struct scenario {
    const char *name;
    const struct subject *subject;
    const char *before[BEFORE_MAX][WORDS_MAX];
    const char *command[WORDS_MAX];
    const char *output; /* of success, exactly; NULL: whatever */
    enum state from, to;
    unsigned between; /* bits: states that a failed command may leave beside these two, saying so */
    const char *again; /* what a repetition may say if the first attempt did its work; or NULL */
};

/* The scenario of this name; NULL when there is none. */
const struct scenario *scenario_find(const char *name);
/* All of them, one after the other: i from 0; NULL at the end. */
const struct scenario *scenario_at(size_t i);
/* False when what it sweeps is not built or installed; `ret_why` says so. */
bool scenario_possible(const struct scenario *s, const char **ret_why);

/* The OCI runtime that the "oci-" scenarios sweep: a path, or a name to be found in PATH.
 * cooper-runtime unless this was called. */
void scenario_use_runtime(const char *program);

#define REGISTRY_WORD "REGISTRY/"
/* A registry with the image cask:1, in a process of its own that ends with this one. Its pid, or
 * -errno. */
pid_t scenario_start_registry(struct err *err);
/* "127.0.0.1:PORT", after that. */
const char *scenario_registry(void);
