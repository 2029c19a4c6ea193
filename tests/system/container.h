/* container.h - a container for a test: an image of one program, a config.json like docker's, and
 * what came out of it. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"
#include "runtime/runtime.h"

/* Unchecked fixtures: a private mount namespace with a tmpfs, and no cgroup or mount left at the
 * end. */
void container_setup(void);
void container_teardown(void);
/* The tmpfs of this run. */
const char *container_dir(void);
#define TEST_CGROUPS "/cooper-test"

/* A fresh bundle with an image below "rootfs": /bin/probe, /bin/true, /etc/passwd, /etc/group,
 * /tmp. */
char *container_bundle(void);
/* Another payload (tests/system/payload) as /bin/NAME. */
void container_install(const char *bundle, const char *payload);
/* config.json in docker's way, running probe with the words of `command` (split at blanks). */
json_t *container_config(const char *bundle, const char *command);
/* The same, running another payload, which is installed. */
json_t *container_config_of(const char *bundle, const char *payload, const char *command);
/* Changes to it; `path` as for json_at(). */
void container_set(json_t *config, const char *path, json_t *value);
void container_append(json_t *config, const char *path, json_t *value);
void container_annotate(json_t *config, const char *name, const char *value);
json_t *container_mount(const char *type, const char *source, const char *destination,
                        const char *options);
void container_remove_namespace(json_t *config, const char *type);

/* What running one gave. */
struct outcome {
    int created, started; /* 0 or -errno */
    struct err err;       /* of the one that failed */
    int status;           /* as of wait(2) */
    char *output;         /* stdout and stderr */
    bool oom_killed;
    int destroyed;
};
void outcome_free(struct outcome *outcome);
#define cleanup_outcome __attribute__((cleanup(outcome_free)))

/* What container_run() and container_start() ask for beside the configuration. */
extern bool container_no_pivot;

/* Creates, starts, reads all output, waits, destroys. */
void container_run(const char *bundle, const json_t *config, struct outcome *ret);
/* The whole of it for the common case: runs `command` in a default container. */
void container_probe(const char *command, struct outcome *ret);
/* The answer behind "command: " in the output, in a static buffer; fails the test if it is not
 * there. */
const char *answer(const struct outcome *outcome, const char *command);

/* A running container, for tests that look at it from outside. */
struct running {
    struct runtime_container *c;
    int in, out; /* its stdin and stdout */
};
void container_start(const char *bundle, const json_t *config, struct running *ret);
/* One more process in it, to its end. `user` may be NULL. */
struct executed {
    int result; /* 0 or -errno */
    struct err err;
    int status;
    char *output;
};
void container_exec(struct running *r, const char *bundle, const json_t *config,
                    const char *command, const char *user, struct executed *ret);
/* The same with a `process` object of the test's own. */
void container_exec_process(struct running *r, const char *bundle, const json_t *config,
                            const json_t *process, const char *user, struct executed *ret);
/* Reads until `text` was printed. */
void container_await(struct running *r, const char *text);
/* Closes stdin, waits, destroys. Returns the wait status. */
int container_end(struct running *r);
char *read_all(int fd);
