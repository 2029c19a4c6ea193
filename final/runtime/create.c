/* The parent's side: what a container is made of before it has a process, the process itself, and
 * its control group, made while the process is busy with its mounts (sync.h shows who waits for
 * whom). */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/netns.h"
#include "base/str.h"
#include "runtime/caps.h"
#include "runtime/hooks.h"
#include "runtime/init.h"
#include "runtime/lsm.h"
#include "runtime/mount_source.h"
#include "runtime/namespaces.h"
#include "runtime/netdevices.h"
#include "runtime/rdt.h"
#include "runtime/runtime.h"
#include "runtime/seccomp_notify.h"
#include "runtime/spawn.h"
#include "runtime/sync.h"
#include "runtime/sysctl.h"
#include "runtime/usher.h"

#include <sched.h>

struct runtime_container {
    pid_t pid;
    int pidfd, console, socket;
    struct cgroup cgroup;
    char *id;
    json_t *rdt; /* the configuration, if it has a class that must be removed, or NULL */
};

/* What create needs only while it runs. */
struct creation {
    const struct runtime_request *request;
    struct spec spec;
    struct syscall_filter filter;
    struct netdevices devices; /* that came from the host, and go back if this fails */
    int netns;                 /* the container's, where there are any */
    int sockets[2];
    pid_t pid; /* of init, once it is there */
};

static int open_cgroup(struct creation *creation, struct runtime_container *c, struct err *err)
{
    const struct runtime_request *request = creation->request;
    struct runtime_cgroup_place place = {
        .manager = request->cgroup_manager,
        .root = request->cgroup_root,
        .path = request->cgroup_path,
    };
    cleanup_free char *path = NULL;

    if (!place.path) {
        if (runtime_cgroup_resolve(place.manager, place.root, creation->spec.cgroups_path,
                                   request->id, request->bundle, &path, err) < 0)
            return -err->code;
        place.path = path;
    }
    if (cgroup_open(&place, &c->cgroup, err) < 0)
        return -err->code;
    c->cgroup.namespaced = spec_own_namespaces(&creation->spec) & CLONE_NEWCGROUP;
    return 0;
}

static int check_user(const struct spec *spec, struct err *err)
{
    return geteuid() && !spec->user_namespace
               ? err_set(err, EINVAL, "rootless container requires user namespaces")
               : 0;
}

static int prepare(struct creation *creation, struct runtime_container *c, struct err *err)
{
    const struct runtime_request *request = creation->request;
    const struct spec *spec = &creation->spec;

    if (spec_parse(request->config, &creation->spec, err) < 0)
        return err_wrap(err, "config.json");
    if (hooks_check(request->config, err) < 0)
        return err_wrap(err, "config.json");
    creation->spec.no_pivot = request->no_pivot;
    if (namespaces_open(&creation->spec, err) < 0 || check_user(spec, err) < 0 ||
        lsm_check(&spec->process, err) < 0 || sysctl_check(spec, err) < 0 ||
        rdt_check(NULL, request->config, request->id, err) < 0 || netdevices_check(spec, err) < 0 ||
        open_cgroup(creation, c, err) < 0 ||
        syscall_filter_load(request->config, request->bundle, &creation->filter, err) < 0)
        return -err->code;
    return sync_pair(creation->sockets, err);
}

static void warn(struct creation *creation)
{
    const struct runtime_request *request = creation->request;
    struct spec_process *process = &creation->spec.process;

    if (!creation->spec.user_namespace)
        caps_warn_of_missing(&process->caps, &process->warnings);
    for (size_t i = 0; request->warn && i < process->warnings.len; i++)
        request->warn(request->context, process->warnings.items[i]);
}

static pid_t spawn_init(struct creation *creation, struct runtime_container *c, struct err *err)
{
    const struct usher usher = {
        .spec = &creation->spec,
        .process = &creation->spec.process,
        .container = -1,
        .cgroup_dir = c->cgroup.dir,
        .sockets = creation->sockets,
    };
    struct init_arguments arguments = {
        .request = creation->request,
        .spec = &creation->spec,
        .cgroup = &c->cgroup,
        .filter = &creation->filter,
        .socket = creation->sockets[1],
    };
    /* The cgroup namespace comes later: init makes it when it is in its group. */
    uint64_t flags = creation->spec.new_namespaces & ~(uint64_t)CLONE_NEWCGROUP;
    pid_t pid = usher_needed(&creation->spec) ? usher_spawn(&usher, &c->pidfd, err)
                                              : spawn_process(flags, c->cgroup.dir, &c->pidfd, err);

    if (!pid)
        init_run(&arguments);
    close_fd(&creation->sockets[1]); /* or its end would not be seen when init dies */
    c->pid = creation->pid = pid;
    return pid;
}

/* init is born in its group of version 2, so that directory comes first; version 1's groups it
 * joins by itself, so everything else about groups is done beside it. In a user namespace it joins
 * before anything else. */
static int make_cgroup(struct creation *creation, struct runtime_container *c, struct err *err)
{
    return cgroup_create(&c->cgroup, creation->spec.config, c->pid, err) < 0
               ? -err->code
               : cgroup_limit(&c->cgroup, creation->spec.resources, false, err);
}

/* Closed sockets are seen a moment before the end of their process. */
static bool init_ended(const struct runtime_container *c, const struct err *why)
{
    struct pollfd end = {.fd = c->pidfd, .events = POLLIN};

    return why->code == EPIPE || why->code == ESRCH || poll(&end, 1, 0) == 1;
}

/* Something failed on our side. If init had ended by then, it knows better why nothing works; and
 * if it was killed before it could say so, nothing of ours was wrong: -EPIPE. */
static int prefer_error_of_init(struct runtime_container *c, struct err *err)
{
    struct err own = *err;

    if (!init_ended(c, &own))
        return -err->code;
    if (sync_wait(c->socket, SYNC_READY, NULL, err) < 0 && err->code != EPIPE &&
        err->code != EPROTO) /* it was killed while it asked for something */
        return -err->code;
    *err = own;
    err->code = EPIPE;
    return -EPIPE;
}

json_t *runtime_state_document(const struct runtime_request *request, enum state_status status,
                               pid_t pid)
{
    const struct state state = {
        .id = (char *)request->id,
        .bundle = (char *)request->bundle,
        .annotations = json_at(request->config, "annotations"),
    };

    return state_document(&state, status, pid);
}

/* While init waits: its namespaces and mounts are there, and the host is still in its sight. */
static int run_hooks(const struct creation *creation, const struct runtime_container *c,
                     struct err *err)
{
    const struct runtime_request *request = creation->request;
    const struct hooks_place place = {.directory = request->bundle};
    cleanup_json json_t *document = runtime_state_document(request, STATE_CREATING, c->pid);

    if (hooks_run(request->config, "prestart", &place, document, err) < 0)
        return -err->code;
    return hooks_run(request->config, "createRuntime", &place, document, err);
}

static int open_source(void *context, size_t number, struct err *err)
{
    const struct creation *creation = context;

    return mount_source_serve(&creation->spec, creation->request->bundle, creation->pid, number,
                              err);
}

/* init is under its filter and waits for nobody, but any of its calls may wait for the agent. */
static int send_listener(struct creation *creation, int listener, struct err *err)
{
    json_t *state = runtime_state_document(creation->request, STATE_CREATING, creation->pid);

    return seccomp_notify_send(&creation->filter, listener, creation->pid, state, err);
}

/* The last message but one, if there are two, brings the descriptor of the filter. */
static int wait_until_ready(struct creation *creation, struct runtime_container *c, struct err *err)
{
    bool notifies = creation->filter.notifies;
    enum sync_kind next = notifies ? SYNC_LISTENER : SYNC_READY;
    cleanup_close int fd = -1;
    int kind;

    kind = sync_serve(c->socket, next, SYNC_HOOKS, open_source, creation, &fd, err);
    if (kind == SYNC_HOOKS) {
        if (run_hooks(creation, c, err) < 0 || sync_send(c->socket, SYNC_HOOKS, -1, err) < 0)
            return -err->code;
        kind = sync_wait(c->socket, next, &fd, err);
    }
    if (kind < 0)
        return kind;
    if (!notifies) {
        c->console = steal_fd(&fd);
        return 0;
    }
    return send_listener(creation, fd, err) < 0
               ? -err->code
               : sync_wait(c->socket, SYNC_READY, &c->console, err);
}

static int move_devices(struct creation *creation, struct err *err)
{
    const struct spec *spec = &creation->spec;

    if (!json_object_size(spec->net_devices))
        return 0;
    for (size_t i = 0; i < spec->join_count; i++) /* init may not be in it yet */
        if (spec->joins[i].kind->flag == CLONE_NEWNET)
            creation->netns = fcntl(spec->joins[i].fd, F_DUPFD_CLOEXEC, 3);
    if (creation->netns < 0)
        creation->netns = netns_of(creation->pid);
    if (creation->netns < 0)
        return err_set(err, -creation->netns, "cannot open the container's network namespace: %s",
                       strerror(-creation->netns));
    return netdevices_move(spec, creation->netns, &creation->devices, err);
}

/* What only we can give it. */
static int equip_init(struct creation *creation, struct runtime_container *c, struct err *err)
{
    const struct runtime_request *request = creation->request;

    /* init has no power over the host's scheduler there, and waits. */
    if (creation->spec.user_namespace &&
        scheduling_apply(&creation->spec.process.scheduling, c->pid, err) < 0)
        return -err->code;
    if (move_devices(creation, err) < 0)
        return -err->code;
    if (!json_at(request->config, "linux.intelRdt"))
        return 0;
    c->rdt = json_incref((json_t *)request->config);
    return rdt_create(NULL, c->rdt, c->id, c->pid, err);
}

static int bring_up(struct creation *creation, struct runtime_container *c, struct err *err)
{
    const struct runtime_request *request = creation->request;

    if (cgroup_create_birthplace(&c->cgroup, creation->spec.resources, err) < 0 ||
        spawn_init(creation, c, err) < 0)
        return -err->code;
    c->socket = creation->sockets[0];
    creation->sockets[0] = -1;
    if (make_cgroup(creation, c, err) < 0 || equip_init(creation, c, err) < 0 ||
        sync_send(c->socket, SYNC_CGROUP, -1, err) < 0)
        return prefer_error_of_init(c, err);
    warn(creation);
    if (request->meanwhile && request->meanwhile(request->context, c->pid, err) < 0)
        return prefer_error_of_init(c, err);
    return wait_until_ready(creation, c, err);
}

/* init did not live to say why it died: what it does itself may be more than its limit of memory
 * (runc's words). */
static void explain_silence(const struct runtime_container *c, struct err *err)
{
    if (err->code == EPIPE && c->cgroup.root && cgroup_oom_killed(&c->cgroup))
        err_set(err, ENOMEM, "container init was OOM-killed (memory limit too low?)");
}

static void take_down(struct runtime_container *c)
{
    struct err ignored = {0};

    if (c->pidfd >= 0)
        spawn_kill(c->pidfd);
    if (c->cgroup.root)
        cgroup_destroy(&c->cgroup, &ignored);
    rdt_destroy(NULL, c->rdt, c->id, &ignored);
    runtime_free(c);
}

static void end_creation(struct creation *creation)
{
    spec_free(&creation->spec);
    syscall_filter_free(&creation->filter);
    netdevices_free(&creation->devices);
    close_fd(&creation->netns);
    close_fd(&creation->sockets[0]);
    close_fd(&creation->sockets[1]);
}

int runtime_create(const struct runtime_request *request, struct runtime_container **ret,
                   struct err *err)
{
    cleanup_with(end_creation) struct creation creation = {
        .request = request, .netns = -1, .sockets = {-1, -1}};
    struct runtime_container *c = mem_alloc(sizeof *c);

    c->pidfd = c->console = c->socket = c->cgroup.dir = -1;
    c->id = str_copy(request->id);
    err_clear(err);
    if (prepare(&creation, c, err) < 0 || bring_up(&creation, c, err) < 0) {
        explain_silence(c, err);
        netdevices_return(&creation.devices, creation.netns);
        take_down(c);
        if (!err->exit_status)
            err->exit_status = 125;
        return -err->code;
    }
    *ret = c;
    return 0;
}

int runtime_start(struct runtime_container *c, struct err *err)
{
    int r;

    err_clear(err);
    r = sync_send(c->socket, SYNC_START, -1, err);
    if (!r)
        r = sync_wait_end(c->socket, err);
    if (!r)
        r = spawn_check_executed(c->pid, c->pidfd, err);
    close_fd(&c->socket);
    if (r < 0) {
        if (!err->exit_status)
            err->exit_status = 125;
        spawn_kill(c->pidfd);
    }
    return r;
}

int runtime_detach(struct runtime_container *c, struct err *err)
{
    int r = sync_send(c->socket, SYNC_DETACH, -1, err);

    close_fd(&c->socket);
    return r;
}

pid_t runtime_pid(const struct runtime_container *c)
{
    return c->pid;
}

int runtime_pidfd(const struct runtime_container *c)
{
    return c->pidfd;
}

int runtime_console(const struct runtime_container *c)
{
    return c->console;
}

bool runtime_oom_killed(const struct runtime_container *c)
{
    return cgroup_oom_killed(&c->cgroup);
}

struct runtime_cgroup_place runtime_cgroup_place(const struct runtime_container *c)
{
    return (struct runtime_cgroup_place){
        .manager = c->cgroup.manager, .root = c->cgroup.root, .path = c->cgroup.path};
}

int runtime_destroy(struct runtime_container *c, struct err *err)
{
    return cgroup_destroy(&c->cgroup, err) < 0 ? -err->code : rdt_destroy(NULL, c->rdt, c->id, err);
}

void runtime_free(struct runtime_container *c)
{
    if (!c)
        return;
    close_fd(&c->pidfd);
    close_fd(&c->console);
    close_fd(&c->socket);
    cgroup_close(&c->cgroup);
    json_decref(c->rdt);
    free(c->id);
    free(c);
}
