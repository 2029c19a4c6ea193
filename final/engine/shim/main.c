/* main.c - cooper-shim from its arguments to its end. See shim.h for what it is. */
#include "engine/shim/shim.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/proc.h"
#include "engine/keep.h"
#include "engine/shim/container.h"
#include "network/network.h"
#include "runtime/runtime.h"

/* Out of the caller's session, so that its terminal's signals and its end do not reach us; the
 * parent of orphans, for containers that share the host's pid namespace. */
static void become_supervisor(void)
{
    static const int ignored[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                                  SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU};

    setsid();
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    prctl(PR_SET_NAME, "cooper-shim");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (chdir("/") < 0)
        _exit(125);
}

/* A socket's path is limited to 107 bytes, a state directory's is not: reach it through its
 * descriptor. */
static int listen_for_clients(const struct shim_options *o, struct err *err)
{
    cleanup_close int dir = open(o->run, O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (dir < 0 || fd < 0)
        return err_errno(err, "cannot make the attach socket in '%s'", o->run);
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/attach.sock", dir);
    unlinkat(dir, "attach.sock", 0);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 16) < 0)
        return err_errno(err, "cannot listen on '%s/attach.sock'", o->run);
    return steal_fd(&fd);
}

static void add_first_client(const struct shim_options *o, struct shim_relay *relay)
{
    if (o->attached)
        shim_relay_add_client(relay, SHIM_ATTACH_FD);
}

/* run/<id>/ says that somebody is there; it goes when nobody is. */
static void remove_run_dir(const struct shim_options *o)
{
    static const char *const files[] = {"attach.sock", "pids", SHIM_PIDS_NEW, SHIM_NETWORK_SHARED};
    cleanup_close int dir = open(o->run, O_PATH | O_DIRECTORY | O_CLOEXEC);

    shim_remove_shm(o);
    foreign_remove_files(o);
    for (size_t i = 0; dir >= 0 && i < sizeof files / sizeof *files; i++)
        unlinkat(dir, files[i], 0);
    rmdir(o->run);
}

/* Whoever has connected is told the end; who comes later finds no door, instead of one that is
 * opened by nobody. */
static void take_away_socket(const struct shim_options *o)
{
    cleanup_free char *path = str_format("%s/attach.sock", o->run);

    unlink(path);
}

/* --rm, and the command that would have removed the container is gone or was never attached: the
 * shim, at its end, becomes `cooper` and does it. */
static void become_remover(const struct shim_options *o)
{
    char *argv[] = {"cooper",  "--root",    (char *)o->root, "rm",
                    "--force", "--volumes", (char *)o->id,   NULL};

    if (o->cooper)
        execv(o->cooper, argv);
}

/* --rm, unless `restart` is between its stop and its start. */
static bool removed_at_end(const struct shim_options *o)
{
    return o->remove && !keep_is_valid(AT_FDCWD, o->dir);
}

static void emit_end(const struct shim_options *o, const struct shim_network *network,
                     const struct shim_end *end)
{
    char text[16];

    snprintf(text, sizeof text, "%d", end->exit_code);
    if (end->oom_killed)
        shim_event(o, "oom", NULL, NULL);
    shim_event(o, "die", "exitCode", text);
    shim_network_tell_end(network);
}

/* What has to be there before the container starts, done while init is at its mounts. */
struct preparation {
    const struct shim_options *options;
    struct shim_log *log;
    struct shim_network *network;
    int mounts; /* the container's mount namespace, or -1: hold_mounts() */
    struct shim_report report;
};

/* Unmounting is slow, and the kernel reports the end of a container's last process only after it,
 * unless somebody else holds the mounts. We do where the command that waits for the end has files
 * to remove (--rm) meanwhile, and then waits for us. Volumes are for others to use: they are let go
 * first. -1: not held. */
static int hold_mounts(const struct shim_options *o, pid_t init)
{
    cleanup_free char *path = str_format("/proc/%d/ns/mnt", (int)init);

    return o->remove && o->attached && !o->volumes ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

/* The end is recorded before anybody is told, so that whoever hears of it finds it true. Only where
 * the command that hears of it removes the container at once would the record be in its way. */
static int tell_end(const struct shim_options *o, struct shim_relay *relay, bool removed_at_once,
                    const struct shim_network *network, const struct shim_end *end, struct err *err)
{
    int r;

    emit_end(o, network, end);
    r = removed_at_once ? 0 : shim_record_exit(o, end, err);
    take_away_socket(o);
    shim_relay_announce(relay, end->exit_code, end->oom_killed);
    if (removed_at_once && !shim_relay_owner_present(relay)) /* it was killed a moment ago */
        r = shim_record_exit(o, end, err);
    return r;
}

/* The container was stopped or its policy changed while we waited: what is recorded says so. */
static void give_up_restart(const struct shim_options *o, struct shim_end *end)
{
    struct err ignored = {0};

    end->restart_delay_ms = 0;
    shim_record_exit(o, end, &ignored);
}

/* What comes after the end, when nothing of the container is left but its files. */
static void after_end(const struct shim_options *o, struct shim_end *end, bool owner_present)
{
    if (end->restart_delay_ms) {
        shim_restart(o, end->exit_code, end->restart_delay_ms);
        give_up_restart(o, end);
    }
    if (!owner_present && removed_at_end(o))
        become_remover(o);
}

static int supervise(const struct shim_options *o, struct shim_container *c,
                     struct shim_relay *relay, struct preparation *prepared,
                     struct shim_health *health, struct err *err)
{
    long long started = shim_clock_ms();
    int r = shim_relay_run(relay, shim_container_pidfd(c), err),
        code = shim_reap(shim_container_pid(c));
    struct shim_end end = {.exit_code = code,
                           .oom_killed = shim_container_oom_killed(c),
                           .restart_delay_ms =
                               shim_restart_delay(o, code, shim_clock_ms() - started),
                           .finished_ns = clock_now()};
    bool removed_at_once = removed_at_end(o) && shim_relay_owner_present(relay), owner_present;

    if (!removed_at_once)
        close_fd(&prepared->mounts);
    shim_health_end(health);
    shim_log_end(prepared->log);
    shim_network_down(prepared->network); /* who hears of the end finds its ports free */
    shim_release_volumes();
    if (tell_end(o, relay, removed_at_once, prepared->network, &end, err) < 0)
        r = -err->code;
    close_fd(&prepared->mounts);
    owner_present = shim_relay_owner_present(relay);
    if (shim_container_destroy(c, err) < 0)
        r = -err->code;
    else
        remove_run_dir(o); /* if it stays, the next command tries the same */
    shim_tell_volumes(o);
    close(o->order_fd); /* the lock: the cgroup and run/<id> are free for the next start */
    shim_relay_finish(relay);
    shim_network_forget(prepared->network);
    after_end(o, &end, owner_present);
    return r;
}

static int prepare(void *context, pid_t init, struct err *err)
{
    struct preparation *p = context;
    int r = shim_network_plug(p->network, init, err);

    p->mounts = hold_mounts(p->options, init);
    p->log = shim_log_new(p->options);
    if (r >= 0)
        r = shim_reserve_exit(p->options, err);
    return r < 0 ? r : shim_prepare_pids(p->options, init, &p->report, err);
}

/* A namespace of another container, as a path that init can open: it is ours, and init's /proc is
 * still the host's when it does. */
static void set_joined(json_t *config, const char *type, int fd)
{
    cleanup_free char *path = str_format("/proc/%d/fd/%d", (int)getpid(), fd);
    json_t *item;
    size_t i;

    json_array_foreach(json_at(config, "linux.namespaces"), i, item)
    {
        if (!strcmp(json_str(item, "type", ""), type))
            json_put_str(item, "path", path);
    }
}

/* The plan of its networks, if it has any, with the descriptors that came for it. */
static int open_network(const struct shim_options *o, json_t *config, struct shim_network **ret,
                        struct err *err)
{
    cleanup_strv struct strv types = {0};
    size_t used = 0;

    strv_split(&types, o->join ? o->join : "", ',');
    for (; used < types.len; used++)
        set_joined(config, types.items[used], o->fds[used]);
    if (o->rules_socket)
        net_rules_adopt(o->fds[used++]);
    return shim_network_new(o, o->fds + used, o->descriptors - used, ret, err);
}

static int create(const struct shim_options *o, struct preparation *preparation,
                  struct shim_container **ret, struct shim_stdio *ret_io, struct err *err)
{
    cleanup_json json_t *config = shim_load_config(o, err);
    struct shim_create request = {
        .options = o, .config = config, .meanwhile = prepare, .context = preparation};
    int r;

    if (!config)
        return -err->code;
    r = open_network(o, config, &preparation->network, err);
    if (!r)
        r = shim_make_shm(o, err);
    if (!r)
        r = shim_hold_volumes(o, err);
    if (!r)
        r = shim_prepare_stdio(o, json_flag(config, "process.terminal", false), ret_io,
                               request.stdio, err);
    if (r < 0)
        return r;
    r = shim_container_create(&request, ret, err);
    shim_close_theirs(request.stdio);
    if (r < 0)
        return r;
    ret_io->console = shim_container_console(*ret);
    return 0;
}

static int run_container(const struct shim_options *o, struct err *err)
{
    struct shim_container *c = NULL;
    struct preparation prepared = {.options = o, .mounts = -1};
    struct shim_relay *relay;
    struct shim_health *health;
    struct shim_stdio io;
    int listener = listen_for_clients(o, err);
    int r = listener < 0 ? listener : create(o, &prepared, &c, &io, err);

    if (!r)
        r = shim_record_pids(o, err);
    if (!r)
        r = shim_container_start(c, err);
    if (r < 0) {
        struct err ignored = {0};

        close_fd(&prepared.mounts);
        if (c)
            shim_container_destroy(c, &ignored);
        shim_network_down(prepared.network);
        shim_release_volumes();
        remove_run_dir(o);
        shim_report_failure(err);
        return r;
    }
    shim_event(o, "start", NULL, NULL); /* here, so that it comes before the end's */
    health = shim_health_new(o, c);
    shim_report(&prepared.report);
    relay = shim_relay_new(o, &io, listener, prepared.network, health, prepared.log);
    add_first_client(o, relay);
    return supervise(o, c, relay, &prepared, health, err);
}

/* Keeps what the engine gave, and drops what the user's shell happened to leave open: a pipe or a
 * lock held here would be held for as long as the container runs. */
static void take_descriptors(void)
{
    fcntl(SHIM_REPORT_FD, F_SETFD, FD_CLOEXEC);
    fcntl(SHIM_ATTACH_FD, F_SETFD, FD_CLOEXEC);
    if (proc_close_from(SHIM_ATTACH_FD + 1) < 0)
        _exit(125);
}

int main(int argc, char **argv)
{
    static char order[SHIM_ORDER_MAX];
    struct shim_options options = {.exec = argc > 1 && !strcmp(argv[1], "exec")};
    struct err err = {0};
    size_t len;
    int r;

    take_descriptors();
    become_supervisor();
    len = shim_receive_order(order, sizeof order, &options.order_fd);
    shim_parse_options(order, len, &options);
    shim_receive_descriptors(&options);
    if (!options.attached)
        close(SHIM_ATTACH_FD);
    r = options.exec ? shim_exec(&options, &err) : run_container(&options, &err);
    return r < 0 ? 125 : 0;
}
