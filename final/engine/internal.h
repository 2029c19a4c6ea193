/* internal.h - what the files of engine/ share. */
#pragma once

#include "engine/engine.h"
#include "image/image.h"

#define SPEC_MAX (4u << 20) /* bytes of a config.json */

/* --- settle.c: making records tell the truth
 * ------------------------------------------------------ */

/* Compares the record with the processes it names and corrects it. -ENOENT: the record was a
 * leftover (a half-made container, or --rm after its end) and is gone now. */
int container_settle(struct engine *e, struct container *c, struct err *err);
/* What the shim noted at the end of a run when it is going to start the container again; false when
 * it is not. `process`: who waits for that. */
struct restart_note {
    int count, delay_ms;
    struct proc_id process;
};
bool container_restart_note(struct engine *e, const char *id, struct restart_note *ret);
/* True between start and exit, also when it is paused. */
bool container_running(const struct container *c);
void container_set_state(struct container *c, const char *state);
/* Waits until the start (or creation) that another command has begun has succeeded or failed; *ret
 * is the container then ("running" as soon as its shim says so). -ENOENT: it is gone. */
int container_await_start(struct engine *e, const char *id, struct container *ret, struct err *err);
/* The same until `unsettled` does not hold any more. */
int container_await_change(struct engine *e, const char *id,
                           bool (*unsettled)(const struct container *), struct container *ret,
                           struct err *err);
/* Another command is making or starting it. */
bool container_starting(const struct container *c);
/* Polls with two descriptors until containers/<id>/exit.json is there or the shim is dead.
 * timeout_ms < 0: for ever. 0, or -ETIMEDOUT. */
int container_wait_exit(struct engine *e, const struct container *c, int timeout_ms,
                        struct err *err);
/* With `now` the container after the start that another command is at: what is asked of a
 * container in the middle of it is answered after it. */
#define AFTER_START(e, c, now, err, action)                                                        \
    do {                                                                                           \
        if (container_starting(c)) {                                                               \
            struct container now;                                                                  \
            int after = container_await_start(e, (c)->id, &now, err);                              \
                                                                                                   \
            if (after < 0)                                                                         \
                return after;                                                                      \
            after = (action);                                                                      \
            container_free(&now);                                                                  \
            return after;                                                                          \
        }                                                                                          \
    } while (0)

/* The layer directories of an image for an overlay, base first. An image without layers (FROM
 * scratch) has one all the same: overlayfs wants a lower directory. */
int image_layers(struct engine *e, const char *image_id, struct strv *ret, struct err *err);
/* Removes what a start made in the run directory. */
int container_remove_run(struct engine *e, const char *id, struct err *err);
/* Sends the signal `stop` begins with (sig 0), or another, to what runs, or to what waits to run
 * again; does not wait. `by`: what the mark "stopped" says, "" for a person. */
int container_ask_to_end(struct engine *e, const struct container *c, const char *by, int sig,
                         struct err *err);
/* How long `stop` waits, milliseconds; -1: for ever. */
int container_stop_timeout(const struct container *c);
/* By force: whatever runs, or waits to run, ends. Returns once it has. */
int container_end_now(struct engine *e, const struct container *c, struct err *err);
/* The control group a container lives in: "/cooper/<id>", or below --cgroup-parent. The caller
 * frees. */
char *container_cgroup(const json_t *host, const char *id);
/* Kills what is left in it and removes it. */
int container_destroy_cgroup(const struct container *c, struct err *err);

/* --- pause.c */

/* The control group itself. -ENOENT when the container has ended. */
int container_set_frozen(const struct container *c, bool frozen, struct err *err);
/* 1 when it stands still, else 0. */
int container_frozen(const struct container *c, struct err *err);
/* Docker's words when it does not run (a paused one does). */
int container_check_runs(const struct container *c, struct err *err);

/* --- events.c: see engine_event() */

/* docker's attributes of a container's events: its labels, image and name. A new reference. */
json_t *container_attributes(const struct container *c);
/* With more attributes, as pairs of strings that end with NULL. */
void container_event(struct engine *e, const struct container *c, const char *action, ...)
    __attribute__((sentinel));
/* Writes what the shim has to know about a container and what may change while it runs. */
int container_write_shim_file(const struct container *c, int dir, bool is_new, struct err *err);

/* --- prune.c: the event that tells of it */
void engine_prune_event(struct engine *e, const char *type, uint64_t reclaimed);

/* --- names.c */
char *name_generate(struct store *store);
bool name_valid(const char *name);

/* --- images.c */

/* What to warn of before running an image (its config) that is for another machine than this; NULL:
 * it is for this one. The caller frees. */
char *image_foreign(const json_t *image_config);

/* docker's event of an image; `name` is its attribute of that name, NULL: the id. */
void image_event(struct engine *e, const char *action, const char *id, const char *name);

/* --- merge.c: what the user said over what the image says
 * ------------------------------------------ */

/* Completes the user's Config with the image's, docker's rules; the result is what inspect shows.
 */
int config_merge(json_t *config, const json_t *image_config, struct err *err);
/* Takes every "name=..." away from the first `count` variables; returns how many went. */
size_t env_remove(json_t *env, size_t count, const char *name);
/* Entrypoint ++ Cmd. "No command specified" when both are empty. */
int config_command(const json_t *config, struct strv *ret, struct err *err);

/* health.c: docker's rules for Config.Healthcheck. */
int health_check(const json_t *config, struct err *err);
/* Is there a command to run? */
bool health_is_checked(const json_t *config);
/* What the shim has to know of it, for shim.json; NULL where nothing is checked. */
json_t *health_document(const json_t *config);

/* --- hostfiles.c: hostname, hosts, resolv.conf in the container's directory */
int hostfiles_write(struct engine *e, const struct container *c, int dir, const json_t *endpoints,
                    struct err *err);

/* --- policy.c: HostConfig.RestartPolicy, checked; {"Name":"no"} when nothing was said */
int policy_check(json_t *host, struct err *err);

/* --- limits.c: HostConfig's resources, checked and as linux.resources */
int limits_check(const json_t *host, bool update, struct err *err);
/* What follows from what was said: swap as large as memory. */
void limits_default(json_t *host);
/* Takes out what this kernel's control groups do not have, with docker's warnings. */
void limits_discard(json_t *host, struct strv *ret_warnings);
json_t *limits_resources(const json_t *host);

/* --- security.c: capabilities, filter, masked paths */
struct security {
    struct strv caps;
    bool privileged, no_new_privileges, unmasked;
    char *seccomp; /* "default", "unconfined" or a profile's path */
};
int security_parse(const json_t *host, struct security *ret, struct err *err);
void security_free(struct security *s);
/* Capabilities that were asked for and that this process does not have to give. */
void security_warnings(const struct security *s, struct strv *ret);
/* Puts the compiled filter into the container's directory when the built-in one does not fit.
 * `ret_annotation`: "default", "seccomp.bpf", or NULL for no filter. */
int security_filter(const struct security *s, int dir, const char **ret_annotation,
                    struct err *err);

/* For another runtime: the filter as linux.seccomp, in a file of the container's directory. */
int security_document(const struct security *s, int dir, struct err *err);

/* --- runtimes.c: the program of HostConfig.Runtime; *ret NULL: our own. The caller frees. */
int runtime_program(const json_t *host, char **ret, struct err *err);
/* docker's "Runtimes" of info: {"runc": {"path": ...}, ...}, those that are here. */
json_t *runtimes_here(void);

/* --- devices.c: the device nodes a container gets beside the default ones */
int devices_add(json_t *linux_section, const json_t *host, struct err *err);

/* --- spec.c: the OCI config.json */
struct spec_input {
    const char *id, *dir; /* containers/<id>, absolute */
    const char *run;      /* the run directory of all containers, absolute */
    const char *layers;   /* the directory overlay names are relative to, absolute */
    const char *overlay_options;
    const json_t *config, *host;
    const struct strv *argv;
    const struct mount_list *mounts;
    const struct security *security;
    const char *seccomp; /* annotation, or NULL */
};
json_t *spec_build(const struct spec_input *input, struct err *err);

/* --- spec_mounts.c: the list of mounts; what --init puts before the command goes into `args` */
int spec_add_mounts(const struct spec_input *in, json_t *mounts, json_t *args, struct err *err);
long long shm_size(const json_t *host); /* bytes of /dev/shm */

/* --- modes.c: namespaces that are the host's or another container's */

/* Checks HostConfig's PidMode, IpcMode, UTSMode, UsernsMode, CgroupnsMode and CgroupParent; a
 * container's name in one becomes its id. */
int modes_check(struct engine *e, const json_t *config, json_t *host, struct err *err);
/* May /dev/shm be shared with other containers, or is it another's? */
bool ipc_is_shared(const char *ipc_mode);
/* Namespaces to join at a start, as descriptors: a pid could become another process's. */
struct joins {
    const char *types[3]; /* OCI's: "network", "ipc", "pid" */
    int fds[3];
    size_t count;
};
int modes_open(struct engine *e, const struct container *c, struct joins *joins, struct err *err);
void joins_close(struct joins *joins);

/* --- create.c */

/* The directories of an overlay's writable side, "upper" and "work", in `dir`. */
int container_make_upper(struct engine *e, int dir, const struct strv *layers, struct err *err);

/* --- start.c */

/* The lock that the starting command and then the shim hold, on run/<id>. Waits for it, or returns
 * -EWOULDBLOCK without a message. */
int container_lock_run(struct engine *e, const char *id, bool wait, struct err *err);
/* To call before the overlay of a container that has ended is mounted again. */
int container_allow_mount(struct engine *e, const struct container *c, struct err *err);

/* --- make_image.c */

/* In doubt true. */
bool directory_has_entries(int dir);

/* --- spawn.c: starting a shim */
struct shim_report;
/* Descriptors for a shim beside the one of its order. */
struct shim_descriptors {
    const int *fds;
    size_t len;
};
struct shim_process {
    int program; /* what it executes; closing its mount waits for the kernel, so that comes last */
    int report, attach;
};
/* Starts a shim in mode "run" or "exec" that waits for its order; `name` is for people who look at
 * ps. */
int shim_prepare(struct engine *e, const char *mode, const char *name, struct err *err);
/* Gives the prepared shim, or a new one, its arguments and a descriptor (run: the locked run
 * directory; exec: the process document), and waits for its report. ret_attach NULL: nobody
 * attaches. */
int shim_order(struct engine *e, const char *mode, const char *name, const struct strv *argv,
               int fd, const struct shim_descriptors *more, struct shim_report *ret_report,
               int *ret_attach, struct err *err);
/* A connection to a running container's shim. */
int container_connect(struct engine *e, const struct container *c, struct err *err);
void shim_process_close(struct shim_process *shim);
/* The arguments both modes have. */
void shim_common_arguments(struct engine *e, const struct container *c, struct strv *ret);

/* --- inspect_zero.c: `given` laid over all members its section ("Config", "HostConfig",
 * "NetworkSettings", "Endpoint") has in docker's documents. A new reference. */
json_t *inspect_complete(const char *section, json_t *given);

/* --- tree.c: what a container wrote, and what that lies on (image.h: layer_changes, layer_copy) */
/* The mount points of spec.c. */
void container_mount_points(struct strv *ret);
struct container_tree {
    int upper;
    int *layers; /* top first */
    struct layer_below below;
    struct strv mount_points;
};
int container_tree_open(struct engine *e, const struct container *c, struct container_tree *ret,
                        struct err *err);
/* Points into `t`. */
const struct layer_below *container_tree_below(struct container_tree *t);
void container_tree_close(struct container_tree *t);

/* --- copy_root.c */

/* All files of a container as its processes would find them if nothing was mounted on them,
 * read-only; a descriptor (O_PATH) that is good in this process only, which gets a mount namespace
 * of its own. */
int container_open_files(struct engine *e, const struct container *c, struct err *err);

/* --- still.c: a container whose processes stand still for a moment */

/* Freezes it, unless it is frozen already (*ret_lock -1 then) or not running. Should this process
 * be killed, the next command that looks at the container lets it go on: container_wake(). */
int container_freeze(struct engine *e, const struct container *c, int *ret_lock, struct err *err);
int container_thaw(struct engine *e, const struct container *c, int *lock, struct err *err);
/* Waits until nobody else does that, and keeps it so until container_let_still(). A lock, or
 * -errno. */
int container_hold_still(struct engine *e, const struct container *c, struct err *err);
void container_let_still(struct engine *e, const struct container *c, int *lock);
/* Lets go what a killed command left frozen. */
int container_wake(struct engine *e, const struct container *c, struct err *err);

/* --- directory.c: a container's files */
char *container_path(struct engine *e, const char *id);
