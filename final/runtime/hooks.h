/* hooks.h - programs of the administrator's that run at six moments of a container's life. OCI
 * runtime-spec 1.2, config.md, "POSIX-platform Hooks", and runtime.md, "Lifecycle".
 *
 *     kind             when                                  in whose namespaces   status
 *     prestart         namespaces and mounts made            the runtime's         creating
 *     createRuntime    the same, after prestart              the runtime's         creating
 *     createContainer  the same, before pivot_root           the container's       creating
 *     startContainer   `start` was called, before execve     the container's       created
 *     poststart        the program runs                      the runtime's         running
 *     poststop         everything is gone                    the runtime's         stopped
 *
 * Each gets the state document on its standard input. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "runtime/spec.h"
#include "runtime/state.h"

/* All kinds, in the order of a container's life. */
void hooks_known(struct strv *ret);
/* Whether config.json has such hooks. */
bool hooks_exist(const json_t *config, const char *kind);

/* Looks at all of them, so that one that cannot be run is an error before anything is made, and not
 * when the container has long ended. */
int hooks_check(const json_t *config, struct err *err);

/* How to run them. */
struct hooks_place {
    const char *directory;    /* to run in; NULL: where we are */
    char *const *environment; /* for a hook that says nothing of its own; NULL: ours */
};
/* Runs all of a kind in order, each to its end, and stops at the first that fails (cannot be run,
 * does not end with 0, or is not done after its timeout: then its whole process group is killed).
 * The error has runc's words and the hook's output. */
int hooks_run(const json_t *config, const char *kind, const struct hooks_place *place,
              const json_t *state, struct err *err);
