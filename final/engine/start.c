#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/log.h"
#include "engine/mounts.h"
#include "engine/network.h"
#include "engine/shim/shim.h"
#include "engine/volumes.h"
#include "runtime/runtime.h"

static void add_number(struct strv *argv, const char *flag, unsigned long long value)
{
    if (!value)
        return;
    strv_add(argv, flag);
    strv_take(argv, str_format("%llu", value));
}

static int shim_arguments(struct engine *e, const struct container *c,
                          const struct start_options *options, bool attached, struct strv *ret,
                          struct err *err)
{
    const json_t *config = json_object_get(c->config, "Config");
    cleanup_free char *cooper = proc_helper_path("cooper", err);
    char *runtime;

    if (!cooper || runtime_program(json_object_get(c->config, "HostConfig"), &runtime, err) < 0)
        return -err->code;
    shim_common_arguments(e, c, ret);
    strv_add(ret, "--cooper");
    strv_add(ret, cooper);
    if (log_arguments(c, ret, err) < 0)
        return -err->code;
    if (json_flag(config, "OpenStdin", false))
        strv_add(ret, "--stdin");
    if (json_flag(config, "StdinOnce", false))
        strv_add(ret, "--stdin-once");
    if (attached)
        strv_add(ret, "--attached");
    if (attached && options && options->leash)
        strv_add(ret, "--leash");
    add_number(ret, "--rows", options ? options->rows : 0);
    add_number(ret, "--columns", options ? options->columns : 0);
    add_number(ret, "--restarts", (unsigned long long)c->restarts);
    if (!strcmp(json_str(c->config, "HostConfig.IpcMode", ""), "shareable"))
        add_number(ret, "--shm-size",
                   (unsigned long long)shm_size(json_object_get(c->config, "HostConfig")));
    if (json_array_size(json_object_get(c->config, "Mounts")))
        strv_add(ret, "--volumes");
    if (runtime)
        strv_add(ret, "--runtime");
    if (runtime)
        strv_take(ret, runtime);
    if (health_is_checked(config))
        strv_add(ret, "--health");
    if (c->auto_remove)
        strv_add(ret, "--remove");
    return 0;
}

static int remove_file(struct engine *e, const char *id, const char *name, struct err *err)
{
    cleanup_free char *path = str_format("containers/%s/%s", id, name);

    if (unlinkat(e->store->root_fd, path, 0) < 0 && errno != ENOENT)
        return err_errno(err, "cannot remove '%s'", path);
    return 0;
}

/* `run` goes on with what it is making. Until it runs there is no container: if we are killed,
 * whoever comes next takes away what we made, and the name is free. */
static bool being_made(const struct container *c)
{
    return !strcmp(c->state, "creating");
}

/* From here until the shim reports, this process answers for the container. */
static int claim(struct engine *e, struct container *c, struct err *err)
{
    int r = store_container_own(c, err);

    if (r < 0)
        return r;
    c->exit_code = 0;
    c->oom_killed = false;
    free(c->error);
    c->error = str_copy("");
    if (being_made(c)) /* and recorded as ours */
        return 0;
    container_set_state(c, "starting");
    return store_container_update(e->store, c, err);
}

static void record_failure(struct engine *e, struct container *c, const struct err *why)
{
    struct err ignored = {0};
    int status = why->exit_status ? why->exit_status : 128;

    /* If the shim was killed, what it had started may be alive. */
    container_destroy_cgroup(c, &ignored);
    /* docker's way: what never ran is still only created. */
    container_set_state(c, c->started_ns ? "exited" : "created");
    c->exit_code = status == 125 ? 128 : status;
    free(c->error);
    c->error = str_copy(why->message);
    store_container_update(e->store, c, &ignored);
    network_down(e, c->id, &ignored);
    volumes_let_go(e, c);
    container_remove_run(e, c->id, &ignored);
}

/* The shim or init was killed. */
static bool broken_off(const struct err *why)
{
    return why->code == EPIPE || why->code == ECONNRESET;
}

/* Docker leaves a container that could not start as Created, with the reason; --rm means none is
 * left, and so does a `run` whose processes were killed while they made it. */
static void after_failure(struct engine *e, struct container *c, const struct err *why)
{
    bool remove = c->auto_remove || (being_made(c) && broken_off(why));
    struct err ignored = {0};

    record_failure(e, c, why);
    if (remove)
        engine_remove(e, c, true, true, &ignored);
}

static int record_started(struct engine *e, struct container *c, const struct shim_report *report,
                          struct err *err)
{
    int r;

    c->owner = (struct proc_id){report->shim_pid, report->shim_start};
    c->init = (struct proc_id){report->init_pid, report->init_start};
    c->started_ns = report->started_ns;
    container_set_state(c, "running");
    r = store_container_update(e->store, c, err);
    if (r == -EAGAIN) /* it has ended already, and another command has noticed */
        err_clear(err);
    return r == -EAGAIN ? 0 : r;
}

/* This process and then the shim hold the lock, through one open file: it is free when both are
 * gone, and until then nobody takes the container for abandoned, whatever they have recorded so
 * far. */
int container_lock_run(struct engine *e, const char *id, bool wait, struct err *err)
{
    /* The shim of the run before may still be cleaning up: it removes the directory, then lets go.
     */
    for (;;) {
        cleanup_close int run = store_run_dir(e->store, id, true, err);
        struct stat ours, named;
        int r;

        if (run < 0)
            return run;
        while ((r = flock(run, LOCK_EX | (wait ? 0 : LOCK_NB))) < 0 && errno == EINTR)
            ;
        if (r < 0 && errno == EWOULDBLOCK)
            return -EWOULDBLOCK;
        if (r < 0 || fstat(run, &ours) < 0)
            return err_errno(err, "cannot lock '%s/%s'", e->store->run, id);
        if (!fstatat(e->store->run_fd, id, &named, AT_SYMLINK_NOFOLLOW) &&
            named.st_ino == ours.st_ino)
            return steal_fd(&run);
    }
}

/* With the descriptors of its networks and namespaces: first what is to be joined, then the socket
 * for the rules, then those of published ports. */
static int order(struct engine *e, const struct container *c, const struct network_start *network,
                 const struct joins *joins, struct strv *argv, int run,
                 struct shim_report *ret_report, int *ret_attach, struct err *err)
{
    cleanup_free int *fds = mem_alloc((joins->count + network->sockets.len + 1) * sizeof *fds);
    cleanup_strv struct strv types = {0};
    size_t count = 0;

    for (; count < joins->count; count++) {
        fds[count] = joins->fds[count];
        strv_add(&types, joins->types[count]);
    }
    if (joins->count) {
        strv_add(argv, "--join");
        strv_take(argv, strv_join(&types, ","));
    }
    if (network->rules >= 0) {
        strv_add(argv, "--rules-socket");
        fds[count++] = network->rules;
    }
    for (size_t i = 0; i < network->sockets.len; i++)
        fds[count++] = network->sockets.fds[i];
    add_number(argv, "--descriptors", count);
    return shim_order(e, "run", c->id, argv, run, &(struct shim_descriptors){fds, count},
                      ret_report, ret_attach, err);
}

/* The namespaces it shares with other containers: their networks, ipc, processes. */
static int open_joins(struct engine *e, const struct container *c, struct network_start *network,
                      struct joins *joins, struct err *err)
{
    if (network->netns >= 0) {
        joins->types[joins->count] = "network";
        joins->fds[joins->count++] = steal_fd(&network->netns);
    }
    return modes_open(e, c, joins, err);
}

/* What is there before it runs. */
static void tell_start(struct engine *e, const struct container *c,
                       const struct network_start *network)
{
    network_tell_start(e, c, network->plan);
    volumes_tell_start(e, c);
}

/* One that is claimed. */
static int start(struct engine *e, struct container *c, const struct start_options *options,
                 int delay_ms, int *ret_attach, struct err *err)
{
    cleanup_strv struct strv argv = {0};
    cleanup_close int run = -1;
    struct network_start network = {.netns = -1, .rules = -1};
    struct joins joins = {0};
    struct volume_holds holds = {0};
    struct shim_report report;
    int r = remove_file(e, c->id, "exit.json", err);

    if (!r)
        r = log_check_start(json_object_get(c->config, "HostConfig"), err);
    if (!r)
        r = mounts_check_propagation(json_object_get(c->config, "Mounts"), err);
    if (!r)
        r = shim_arguments(e, c, options, ret_attach != NULL, &argv, err);
    add_number(&argv, "--restart-delay", (unsigned long long)delay_ms);
    if (!r) {
        run = container_lock_run(e, c->id, true, err);
        r = run < 0 ? run : 0;
    }
    if (!r)
        r = network_up(e, c, run, &network, err);
    if (!r)
        r = open_joins(e, c, &network, &joins, err);
    if (!r)
        r = volumes_hold(e, c, &holds, err);
    if (!r && ret_attach)
        container_event(e, c, "attach", NULL);
    if (!r)
        tell_start(e, c, &network);
    if (!r)
        r = order(e, c, &network, &joins, &argv, run, &report, ret_attach, err);
    joins_close(&joins);
    volume_holds_close(e, &holds);
    network_start_free(&network); /* the shim has its own of all descriptors now */
    if (r < 0) {
        after_failure(e, c, err);
        return r;
    }
    return record_started(e, c, &report, err);
}

/* The overlay of a container with --rm is mounted "volatile", which the kernel allows once: after
 * an unclean end its files could not be trusted. `restart` and `cp` end in order. */
int container_allow_mount(struct engine *e, const struct container *c, struct err *err)
{
    cleanup_free char *mark = str_format("containers/%s/work/work/incompat", c->id);

    return c->auto_remove ? file_remove_tree(e->store->root_fd, mark, err) : 0;
}

/* Somebody wants it to run, whatever was before: a stop, and restarts by the policy. */
static int claim_by_hand(struct engine *e, struct container *c, struct err *err)
{
    int r = strcmp(c->state, "exited") ? 0 : remove_file(e, c->id, "stopped", err);

    if (!r)
        r = container_allow_mount(e, c, err);
    c->restarts = 0;
    return r < 0 ? r : claim(e, c, err);
}

/* The shim that noted it has become this process. */
static int claim_again(struct engine *e, struct container *c, struct restart_note *ret_note,
                       struct err *err)
{
    if (strcmp(c->state, "restarting") || c->owner.pid != getpid() ||
        !container_restart_note(e, c->id, ret_note))
        return err_set(err, ECANCELED, "container %s is not to be started again by this process",
                       c->name);
    return claim(e, c, err);
}

/* Whoever looks at a container may write down what he finds (settle.c), also between our look and
 * our claim: then we look again, for nobody else would start it. */
int engine_start_again(struct engine *e, const char *id, struct err *err)
{
    struct restart_note note;
    bool outrun;
    int r;

    do {
        struct container c;

        err_clear(err);
        r = engine_find(e, id, &c, err);
        if (r < 0)
            return r;
        r = claim_again(e, &c, &note, err);
        outrun = r == -EAGAIN;
        if (!r)
            r = start(e, &c, NULL, note.delay_ms, NULL, err);
        container_free(&c);
    } while (outrun);
    return r;
}

static int attach_to_running(struct engine *e, const struct container *c, int *ret_attach,
                             struct err *err)
{
    int fd = ret_attach ? engine_attach(e, c, err) : -1;

    if (!ret_attach)
        return 0;
    if (fd >= 0)
        *ret_attach = fd;
    return fd < 0 ? fd : 0;
}

/* "creating" and found at all: by us, for engine_create(start_follows). */
static bool startable(const struct container *c)
{
    return !strcmp(c->state, "created") || !strcmp(c->state, "exited") ||
           (being_made(c) && c->owner.pid == getpid());
}

/* -EAGAIN: the record has changed since *c was read. */
static int start_as_it_is(struct engine *e, struct container *c,
                          const struct start_options *options, int *ret_attach, bool *ret_claimed,
                          struct err *err)
{
    int r;

    *ret_claimed = false;
    if (!strcmp(c->state, "paused"))
        return err_set(err, EINVAL, "cannot start a paused container, try unpause instead");
    if (container_running(c) || !strcmp(c->state, "restarting"))
        return attach_to_running(e, c, ret_attach, err);
    if (!startable(c))
        return err_set(err, EBUSY, "container %s is %s by another command", c->name, c->state);
    r = claim_by_hand(e, c, err);
    *ret_claimed = !r;
    return r < 0 ? r : start(e, c, options, 0, ret_attach, err);
}

/* True when nobody else started it: somebody only looked, and wrote down what he found. */
static bool may_still_start(struct engine *e, const char *id)
{
    struct err ignored = {0};
    struct container now;
    bool may = !engine_find(e, id, &now, &ignored);

    if (may) {
        may = startable(&now);
        container_free(&now);
    }
    return may;
}

int engine_start(struct engine *e, const char *id, const struct start_options *options,
                 int *ret_attach, struct err *err)
{
    bool claimed;
    int r;

    do {
        struct container c;

        err_clear(err);
        r = engine_find(e, id, &c, err);
        if (r < 0)
            return r;
        r = start_as_it_is(e, &c, options, ret_attach, &claimed, err);
        container_free(&c);
    } while (r == -EAGAIN && !claimed && may_still_start(e, id));
    return r;
}
