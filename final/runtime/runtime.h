/* runtime.h - the isolation core: an OCI runtime spec goes in, a process comes out.
 *
 * The caller (cooper-shim, later cooper-runtime) becomes the parent of the container's init.
 * Creating a container does everything except the last execve; starting lets that happen:
 *
 *     runtime_create   cgroup, clone3 into new namespaces; the child mounts, pivots, drops, waits
 *     runtime_start    the child execs the user's program, or reports why it cannot
 *     runtime_destroy  kills what is left in the cgroup and removes it
 *
 * runtime_create runs the prestart and createRuntime hooks, the child those of the container; the
 * hooks poststart and poststop are the caller's (hooks.h).
 *
 * Spec: OCI runtime-spec 1.2 and what 1.3 adds, config.md and config-linux.md: all of it, for root
 * and, in a user namespace, for an ordinary user.
 *
 * Extensions, as annotations, all optional:
 *
 *     org.cooper.overlay.base      directory to chdir to before mounting the root as an overlay
 *     org.cooper.overlay.options   its option string (relative names); mounted at root.path in the
 *                                  new mount namespace, so it vanishes with the container
 *     org.cooper.user              "name|uid[:group|gid]" to be looked up in the container's
 *                                  /etc/passwd and /etc/group; overrides process.user. Groups come
 *                                  from there too, and HOME when process.env has none ("/root" for
 *                                  uid 0, else "/")
 *     org.cooper.groups            of process.user: names and numbers of more groups, a list
 *     org.cooper.seccomp           "default": the built-in filter; else a file with a compiled
 *                                  filter, relative to the bundle; absent: linux.seccomp is
 *                                  compiled if present
 *
 * And mount options of its own:
 *
 *     x-cooper.seed                before a bind is mounted, an empty source directory is filled
 *                                  with what the image has at the destination (content, owner,
 *                                  mode): volumes
 *     x-cooper.beneath=PATH        only a directory inside of what is mounted, resolved there
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "runtime/runtime_cgroup.h"

struct runtime_container;

struct runtime_request {
    const char *id;               /* for error messages and the hostname of last resort */
    const char *bundle;           /* absolute path; root.path is relative to it */
    const json_t *config;         /* config.json, parsed */
    int stdio[3];                 /* what becomes fd 0-2 without a terminal; -1: /dev/null */
    unsigned short rows, columns; /* initial size of the terminal, 0: leave */
    unsigned preserve_fds;        /* so many descriptors from 3 up are the program's, too */
    bool no_pivot; /* move the root over the host's instead of pivot_root(2): on an initial ramfs */
    bool no_new_keyring; /* the caller's session keyring stays */
    int listener;        /* start.h's socket for a container to detach from; 0: none */
    /* Called when init is at work on its mounts: what the caller has to do anyway costs no time
     * here. A negative result ends the creation. May be NULL. */
    int (*meanwhile)(void *context, pid_t init, struct err *err);
    /* Told what was asked for and is not given although the container runs. May be NULL. */
    void (*warn)(void *context, const char *message);
    void *context;
    /* The control group: who manages it, below which root (NULL: "/sys/fs/cgroup"), and its path as
     * runtime_cgroup_resolve() gave it, so that it could be recorded first; NULL: resolved here. */
    enum runtime_cgroup_manager cgroup_manager;
    const char *cgroup_root, *cgroup_path;
};

/* Everything but the execve. On failure nothing is left: no process, no cgroup, no mount.
 * err->exit_status is 125 unless the cause is the user's command: 127 (`executable file not found
 * in $PATH`, `no such file or directory`) or 126 (`permission denied`, `is a directory`). */
int runtime_create(const struct runtime_request *request, struct runtime_container **ret,
                   struct err *err);
/* Lets init exec. If the program cannot be executed although runtime_create() found it: error with
 * exit_status 127 or 126, and the init process is gone (the caller still calls runtime_destroy). */
int runtime_start(struct runtime_container *c, struct err *err);

/* Instead: init waits for somebody who comes through request.listener, and outlives the caller. */
int runtime_detach(struct runtime_container *c, struct err *err);

pid_t runtime_pid(const struct runtime_container *c);
int runtime_pidfd(const struct runtime_container *c); /* borrowed */
/* The terminal's master (borrowed), or -1 without process.terminal. */
int runtime_console(const struct runtime_container *c);
/* True if the kernel's OOM killer took a process of the cgroup (memory.events or
 * memory.oom_control). */
bool runtime_oom_killed(const struct runtime_container *c);
/* Where the container's group is (borrowed; path "" when it has none). */
struct runtime_cgroup_place runtime_cgroup_place(const struct runtime_container *c);

/* Kills every process in the cgroup, waits until they are gone, removes the cgroup. Call after
 * reaping init. */
int runtime_destroy(struct runtime_container *c, struct err *err);
void runtime_free(struct runtime_container *c); /* only the memory and descriptors */

/* Runs one more process in a running container: joins its namespaces and cgroup, and drops to the
 * privileges of `process` (an OCI `process` object; org.cooper.user beside it in
 * `config.annotations` is the container's: `user` here, if not NULL, is looked up instead). The new
 * process is the caller's child. */
struct runtime_exec_request {
    pid_t init; /* the container's init, checked alive by the caller */
    int init_pidfd;
    const char *bundle;
    const char *id;        /* the container's; NULL: exec does not share its session keyring */
    const json_t *config;  /* the container's config.json */
    const json_t *process; /* what to run */
    const char *user;      /* "name|uid[:group|gid]" or NULL for process.user */
    /* The container's group; path NULL: linux.cgroupsPath of `config`, below the default root. */
    struct runtime_cgroup_place cgroup;
    const char *subgroup; /* a group below it to join instead, "a/b"; NULL: the container's own */
    int stdio[3];
    unsigned short rows, columns;
    unsigned preserve_fds;
    bool no_new_keyring;
    void (*warn)(void *context, const char *message); /* as in struct runtime_request */
    void *context;
};
int runtime_exec(const struct runtime_exec_request *request, pid_t *ret_pid, int *ret_console,
                 struct err *err);

/* --- files without processes
 * ----------------------------------------------------------------------- */

/* Mounts the root of a container that does not run, with the binds of `config` on it, in a new
 * mount namespace of the calling process, which must have one thread only. Returns a descriptor of
 * that root (O_PATH); all of it goes with the process. */
int runtime_assemble(const char *bundle, const json_t *config, struct err *err);
/* The same with a read-only overlay of directories only, named relative to `base` as overlayfs
 * takes them ("c:b:a", top first), shown at the directory `place`. */
int runtime_show_layers(const char *base, const char *layers, const char *place, struct err *err);

/* --- other runtimes
 * ------------------------------------------------------------------------------------ */

/* Makes of `config`, which may use the extensions above, one that any OCI runtime understands. The
 * root and all binds on it are mounted in a new mount namespace of the calling process, which must
 * have one thread only and is where the runtime has to be started from. linux.seccomp is not
 * touched: see runtime_seccomp_document(). */
int runtime_make_plain(const char *bundle, json_t *config, struct err *err);
/* A filter as linux.seccomp: of a profile file, or (NULL) the default one. A new reference; NULL
 * and err. Links libseccomp. */
struct strv;
json_t *runtime_seccomp_document(const char *file, const struct strv *caps, struct err *err);

/* --- capabilities and the syscall filter, for the engine's use
 * ------------------------------------ */

/* docker's default set, a NULL-terminated list of "CAP_..." names. */
extern const char *const runtime_default_caps[];
/* "net_admin", "CAP_NET_ADMIN" -> canonical "CAP_NET_ADMIN"; NULL if the kernel has no such name.
 */
const char *runtime_cap_name(const char *text);
/* All capabilities this process could hand on (its bounding set), as names. */
struct strv;
void runtime_all_caps(struct strv *ret);

/* Compiles docker's default profile for a given set of capabilities (names) into a BPF program in a
 * file. Links libseccomp; the shim does not call it. */
int runtime_seccomp_compile_default(const struct strv *caps, int out_fd, struct err *err);
/* The same for a profile file in docker's JSON format (--security-opt seccomp=FILE). */
int runtime_seccomp_compile_file(const char *path, const struct strv *caps, int out_fd,
                                 struct err *err);
