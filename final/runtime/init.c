/* PID 1 of a container before it is the user's program.
 *
 * It is born into its new namespaces with a copy of the parent's memory, root's powers, and the
 * host's files still in sight, and gives all of it up step by step. Where the order is not obvious
 * the reason stands beside the step. While it works the parent makes the control group; the two
 * meet in enter_cgroup(). `ps` shows how far it has come. */
#include "runtime/init.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/console.h"
#include "runtime/devices.h"
#include "runtime/hooks.h"
#include "runtime/limits.h"
#include "runtime/lsm.h"
#include "runtime/masks.h"
#include "runtime/mount_api.h"
#include "runtime/mounts.h"
#include "runtime/namespaces.h"
#include "runtime/rootfs.h"
#include "runtime/session.h"
#include "runtime/start.h"
#include "runtime/sync.h"
#include "runtime/sysctl.h"
#include "runtime/userns.h"
#include "runtime/usher.h"

struct init {
    const struct init_arguments *arguments;
    const struct spec *spec;
    int socket, listener, null, root, cwd;
    int master, slave; /* of the terminal, or -1 */
    bool in_cgroup, detached;
    struct mounts mounts;
    struct strv env;
    char program[PATH_MAX];
};

static int begin(struct init *init, struct err *err)
{
    const struct runtime_request *request = init->arguments->request;
    int *keep[2] = {&init->socket, &init->listener};

    init->null = process_begin(request->stdio, request->preserve_fds, keep, err);
    return init->null;
}

/* The parent has made the group and set its limits by the time this returns. A cgroup namespace has
 * for its root the group its maker is in, so it can be made only afterwards. */
static int enter_cgroup(void *context, struct err *err)
{
    struct init *init = context;

    if (init->in_cgroup)
        return 0;
    if (sync_wait(init->socket, SYNC_CGROUP, NULL, err) < 0)
        return -err->code;
    if (cgroup_join(init->arguments->cgroup, err) < 0)
        return -err->code;
    if (init->spec->new_namespaces & CLONE_NEWCGROUP && unshare(CLONE_NEWCGROUP) < 0)
        return err_errno(err, "cannot make a cgroup namespace");
    init->in_cgroup = true;
    return 0;
}

/* Born through an usher: the parent first does to us what only it can, and version 1's groups let
 * us in only as long as we are, outside, still who we were. */
static int after_usher(struct init *init, struct err *err)
{
    return usher_needed(init->spec) ? enter_cgroup(init, err) : 0;
}

/* What the usher has not joined. A process that is there already must not look into us. */
static int join(struct init *init, struct err *err)
{
    if (process_hide(err) < 0)
        return -err->code;
    return namespaces_join(init->spec, ~usher_entered(init->spec), err);
}

/* Host paths that only root may search lead to the root directory, so not before that is open; but
 * what is made in it from now on belongs to somebody who is mapped. */
static int become_root(struct init *init, struct err *err)
{
    return init->spec->user_namespace ? userns_become_root(err) : 0;
}

static int set_oom_score(struct init *init, struct err *err)
{
    return usher_needed(init->spec) ? 0 : limits_set_oom_score(&init->spec->process, err);
}

static int new_session(struct init *init, struct err *err)
{
    const struct runtime_request *request = init->arguments->request;

    return session_begin(&init->spec->process, request->id, request->no_new_keyring, err);
}

/* The parent answers when it has made the group. */
static int ask_source(void *context, size_t number, struct err *err)
{
    struct init *init = context;
    int fd = -1;

    if (enter_cgroup(init, err) < 0 || sync_ask_source(init->socket, number, &fd, err) < 0)
        return -err->code;
    return fd < 0 ? err_set(err, EPROTO, "no descriptor came with a mount's source") : fd;
}

static int make_mounts(struct init *init, struct err *err)
{
    init->mounts = (struct mounts){
        .spec = init->spec,
        .bundle = init->arguments->request->bundle,
        .root = init->root,
        .isolated = rootfs_isolated(init->spec),
        .cgroup = init->arguments->cgroup,
        .enter_cgroup = enter_cgroup,
        .ask_source = ask_source,
        .context = init,
        .places = {-1, -1, -1},
    };
    return mounts_make(&init->mounts, err);
}

/* Without a mount namespace of its own the container takes /dev as it finds it below its root. */
static int make_devices(struct init *init, struct err *err)
{
    if (!(init->spec->new_namespaces & CLONE_NEWNS) || mounts_bind_dev(init->spec))
        return 0;
    return devices_make(init->spec, init->root, mounts_dev(&init->mounts), err);
}

static int make_console(struct init *init, struct err *err)
{
    const struct runtime_request *request = init->arguments->request;

    const struct spec_process *process = &init->spec->process;
    bool given = request->rows && request->columns;

    if (!process->terminal)
        return 0;
    if (console_open(init->root, given ? request->rows : process->rows,
                     given ? request->columns : process->columns, &init->master, &init->slave,
                     err) < 0 ||
        console_bind(init->root, init->slave, err) < 0)
        return -err->code;
    return console_take(init->slave, err);
}

static int mount_root(struct init *init, struct err *err)
{
    init->root = rootfs_mount(init->spec, init->arguments->request->bundle, err);
    return init->root;
}

static int open_cwd(struct init *init, struct err *err)
{
    init->cwd = process_open_cwd(init->root, init->spec->process.cwd, err);
    return init->cwd == -EACCES ? 0 : init->cwd; /* the user will try */
}

static int make_readonly(struct init *init, struct err *err)
{
    if (mounts_finish(&init->mounts, err) < 0)
        return -err->code;
    mounts_free(&init->mounts);
    return init->spec->root_readonly ? mount_change(init->root, MOUNT_ATTR_RDONLY, 0, false, err)
                                     : 0;
}

static struct process_setup setup_of(const struct init *init)
{
    return (struct process_setup){
        .process = &init->spec->process,
        .filter = init->arguments->filter,
        .stdio = init->arguments->request->stdio,
        .cwd = init->cwd,
        .user_namespace = init->spec->user_namespace,
    };
}

static int become_user(struct init *init, struct err *err)
{
    struct process_setup setup = setup_of(init);

    return process_become_user(&setup, &init->env, err);
}

static int notify(struct init *init, struct err *err)
{
    struct process_setup setup = setup_of(init);

    return process_notify(&setup, init->socket, err);
}

static int report_ready(struct init *init, struct err *err)
{
    int r;

    if (init->listener >= 0)
        start_be_mortal();
    r = sync_send(init->socket, SYNC_READY, init->master, err);
    close_fd(
        &init->master); /* the last master outside of the parent: its close hangs up the terminal */
    return r;
}

/* From SYNC_DETACH on the death of the parent means nothing any more: whoever starts us comes
 * through the other socket, and errors go back to it. */
static int wait_for_start(struct init *init, struct err *err)
{
    int kind = sync_wait_either(init->socket, SYNC_START, SYNC_DETACH, NULL, err);

    if (kind != SYNC_DETACH)
        return kind;
    close_fd(&init->socket);
    init->socket = start_accept(init->listener, err);
    close_fd(&init->listener); /* nobody waits any more: that is how others see it (start.h) */
    init->detached = true;
    return init->socket;
}

static int execute(struct init *init, struct err *err)
{
    struct process_setup setup = setup_of(init);
    struct err ignored = {0}; /* `start` was killed: it is started all the same */

    if (init->detached)
        sync_send(init->socket, SYNC_EXEC, -1, &ignored);
    return process_exec(&setup, init->program, &init->env, err);
}

/* --- hooks ------------------------------------------------------------------------------------ */

/* What a hook inside reads: the pid as it is seen there. */
static int run_own_hooks(struct init *init, const char *kind, enum state_status status,
                         const char *directory, struct err *err)
{
    const struct runtime_request *request = init->arguments->request;
    struct hooks_place place = {directory, init->spec->process.env.items};
    cleanup_json json_t *document = NULL;

    if (!hooks_exist(request->config, kind))
        return 0;
    document = runtime_state_document(request, status, getpid());
    return hooks_run(request->config, kind, &place, document, err);
}

/* The runtime's hooks change the new namespaces from outside (a network interface moved in, a
 * device bound beneath the root) and so come before those of the container; all find its limits in
 * force. */
static int run_create_hooks(struct init *init, struct err *err)
{
    const json_t *config = init->arguments->request->config;
    char root[64];

    if (hooks_exist(config, "prestart") || hooks_exist(config, "createRuntime"))
        if (enter_cgroup(init, err) < 0 || sync_send(init->socket, SYNC_HOOKS, -1, err) < 0 ||
            sync_wait(init->socket, SYNC_HOOKS, NULL, err) < 0)
            return -err->code;
    if (!hooks_exist(config, "createContainer"))
        return 0;
    snprintf(root, sizeof root, "/proc/self/fd/%d", init->root);
    return enter_cgroup(init, err) < 0
               ? -err->code
               : run_own_hooks(init, "createContainer", STATE_CREATING, root, err);
}

static int run_start_hooks(struct init *init, struct err *err)
{
    return run_own_hooks(init, "startContainer", STATE_CREATED, NULL, err);
}

/* clang-format off */
static int find_program(struct init *i, struct err *err) { return process_find(&i->spec->process, &i->env, i->program, err); }
static int labels(struct init *i, struct err *err)       { return lsm_apply(&i->spec->process, err); }
static int configure(struct init *i, struct err *err)    { return namespaces_configure(i->spec, err); }
static int set_sysctls(struct init *i, struct err *err)  { return sysctl_apply(&i->mounts, err); }
static int make_masks(struct init *i, struct err *err)   { return masks_apply(&i->mounts, i->null, err); }
static int cgroup(struct init *i, struct err *err)       { return enter_cgroup(i, err); }
static int pivot(struct init *i, struct err *err)        { return rootfs_pivot(i->spec, i->root, err); }

static const struct stage {
    const char *name; /* what ps shows, 15 characters at most */
    int (*run)(struct init *init, struct err *err);
} stages[] = {
    {"init:join",      join},         /* through descriptors the parent opened */
    {"init:usher",     after_usher},
    {"init:begin",     begin},        /* whatever follows must not see inherited descriptors */
    {"init:session",   new_session},  /* a terminal can be taken only by a leader of a session */
    {"init:oom",       set_oom_score}, /* through the host's /proc, which is about to go */
    {"init:labels",    labels},       /* neither may anybody else's /proc decide what we will be */
    {"init:names",     configure},    /* inside the new uts and network namespaces */
    {"init:root",      mount_root},   /* everything below is resolved beneath it */
    {"init:root-user", become_root},
    {"init:mounts",    make_mounts},  /* before the pivot: their sources are host paths */
    {"init:devices",   make_devices}, /* into the /dev just mounted */
    {"init:console",   make_console}, /* from the devpts just mounted */
    {"init:sysctl",    set_sysctls},  /* before /proc/sys becomes read-only */
    {"init:hooks",     run_create_hooks}, /* the root is complete, writable, and the host's in sight */
    {"init:cwd",       open_cwd},     /* before the root becomes read-only: it may have to be made */
    {"init:masks",     make_masks},   /* after all that uses /proc and /sys, before anybody else can */
    {"init:readonly",  make_readonly}, /* nothing is made in the root after this */
    {"init:cgroup",    cgroup},       /* at the latest: no program runs outside of its limits */
    {"init:pivot",     pivot},        /* from here on there is no host to be seen */
    {"init:user",      become_user},  /* names are the container's, so after the pivot */
    {"init:program",   find_program}, /* as the user: it may be hidden from others */
    {"init:notify",    notify},       /* while the parent is there to pass the descriptor on */
    {"init:ready",     report_ready}, /* the parent has seen every error but those of execve */
    {"init:waiting",   wait_for_start},
    {"init:starthooks", run_start_hooks},
    {"init:exec",      execute},      /* does not come back, unless to say why */
};
/* clang-format on */

_Noreturn void init_run(const struct init_arguments *arguments)
{
    struct init init = {
        .arguments = arguments,
        .spec = arguments->spec,
        .socket = arguments->socket,
        .listener = arguments->request->listener > 0 ? arguments->request->listener : -1,
        .null = -1,
        .root = -1,
        .cwd = -1,
        .master = -1,
        .slave = -1,
    };
    struct err err = {0};

    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        prctl(PR_SET_NAME, stages[i].name);
        if (stages[i].run(&init, &err) < 0)
            break;
    }
    /* If the parent is gone nobody listens, and there is nothing left to do either way. */
    sync_send_error(init.socket, &err);
    _exit(1);
}
