/* Theory of operation, as far as a kill -9 is concerned:
 *
 *     the directory is claimed        a new `create` finds it without record and takes it
 *     the record is written           it names us as its creator: "creating", and when we are dead
 *                                     "stopped"; a new `create` ends what the record names
 *     cgroup, process, hooks          init ends when we do
 *     the record names no creator     still init ends when we do: "stopped", an ordinary dead one
 *     SYNC_DETACH or SYNC_START       "created" or "running": it lives without us
 */
#include "runtime/cli/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "runtime/cli/bundle.h"
#include "runtime/cli/fd_socket.h"
#include "runtime/cli/foreground.h"
#include "runtime/cli/log.h"
#include "runtime/start.h"

/* --- before anything is made ------------------------------------------------------------------ */

static int prepare(struct launch *l, bool detach, struct err *err)
{
    const struct args *args = &l->cli->args;

    if (state_check_id(l->id, err) < 0 ||
        bundle_load(args_text(args, "bundle"), args_text(args, "config"), &l->bundle, &l->text,
                    &l->config, err) < 0 ||
        bundle_descriptors(args_number(args, "preserve-fds"), l->config, &l->descriptors, err) <
            0 ||
        fd_sockets_check(args, json_flag(l->config, "process.terminal", false), detach, err) < 0 ||
        fd_sockets_connect(args, &l->console_socket, &l->pidfd_socket, err) < 0)
        return -err->code;
    if (detach)
        l->listener = start_socket(err);
    return detach && l->listener < 0 ? -err->code : 0;
}

/* --- the record ------------------------------------------------------------------------------- */

/* Somebody's `create` of this name was killed: what it began ends here. */
static int clear_begun(struct launch *l, struct err *err)
{
    struct container *c = &l->container;
    int r = state_load(c->dir, &c->state, err);

    if (r == -ENOENT) {
        err_clear(err);
        return 0;
    }
    if (r < 0)
        return err_wrap(err, "container %s is damaged (" PROGRAM " delete --force %s)", l->id,
                        l->id);
    if (!c->state.creator.pid || container_status(c) != STATE_STOPPED)
        return err_set(err, EEXIST, "container with given ID already exists");
    if (container_destroy(l->cli, c, NULL, err) < 0)
        return err_wrap(err, "an interrupted '" PROGRAM " create %s' left something behind", l->id);
    container_close(c);
    c->dir = -1;
    return 1;
}

static int claim(struct launch *l, struct err *err)
{
    int r;

    do {
        r = state_claim(l->cli->root, l->id, &l->container.dir, err);
        if (r == -EWOULDBLOCK)
            return err_set(err, EEXIST, "container with given ID already exists");
    } while (r >= 0 && (r = clear_begun(l, err)) > 0);
    return r;
}

static char *rootfs_path(const struct launch *l)
{
    const char *path = json_str(l->config, "root.path", "");

    return *path == '/' ? str_copy(path) : str_format("%s/%s", l->bundle, path);
}

static int begin_record(struct launch *l, struct err *err)
{
    struct state *state = &l->container.state;
    char now[40], boot[37];

    clock_format(clock_now(), now);
    *state = (struct state){
        .id = str_copy(l->id),
        .bundle = str_copy(l->bundle),
        .rootfs = rootfs_path(l),
        .created = str_copy(now),
        .cgroup_manager = str_copy(runtime_cgroup_manager_name(l->cli->cgroup_manager)),
        .annotations = json_incref(json_at(l->config, "annotations")),
        .no_new_keyring = args_flag(&l->cli->args, "no-new-keyring"),
    };
    if (proc_boot_id(boot, err) < 0)
        return -err->code;
    state->boot = str_copy(boot);
    if (proc_identify_self(&state->creator, err) < 0 ||
        runtime_cgroup_resolve(l->cli->cgroup_manager, NULL,
                               json_str(l->config, "linux.cgroupsPath", NULL), l->id, l->bundle,
                               &state->cgroup_path, err) < 0 ||
        file_store(l->container.dir, "config.json", l->text.data, l->text.len, 0600, false, err) <
            0)
        return -err->code;
    return state_store(l->container.dir, state, err);
}

/* Called while init is at its mounts. */
static int record_init(void *context, pid_t init, struct err *err)
{
    struct launch *l = context;
    int r = proc_identify(init, &l->container.state.init);

    if (r == -ESRCH)
        return 0; /* it has failed already, and is about to say why */
    if (r < 0)
        return err_set(err, -r, "cannot identify the container's init: %s", strerror(-r));
    return state_store(l->container.dir, &l->container.state, err);
}

/* An ordinary user's container may have had to go without a control group. */
int launch_record_done(struct launch *l, struct err *err)
{
    struct state *state = &l->container.state;

    free(state->cgroup_path);
    state->cgroup_path = str_copy(runtime_cgroup_place(l->made).path);
    state->creator = (struct proc_id){0};
    return state_store(l->container.dir, &l->container.state, err);
}

/* --- the container ---------------------------------------------------------------------------- */

static int make(struct launch *l, struct err *err)
{
    const struct args *args = &l->cli->args;
    struct runtime_request request = {
        .id = l->id,
        .bundle = l->bundle,
        .config = l->config,
        .stdio = {0, 1, 2},
        .preserve_fds = l->descriptors,
        .no_pivot = args_flag(args, "no-pivot"),
        .no_new_keyring = args_flag(args, "no-new-keyring"),
        .listener = l->listener,
        .cgroup_manager = l->cli->cgroup_manager,
        .cgroup_path = l->container.state.cgroup_path,
        .meanwhile = record_init,
        .warn = log_warn,
        .context = l,
    };

    if (l->listener < 0 && l->console_socket < 0)
        foreground_size(&request.rows, &request.columns);
    if (runtime_create(&request, &l->made, err) < 0)
        return err_wrap(err, "unable to start container process");
    log_debug("process %d waits to be started, control group %s", (int)runtime_pid(l->made),
              *request.cgroup_path ? request.cgroup_path : "(none)");
    return 0;
}

static int hand_over(struct launch *l, struct err *err)
{
    const char *pid_file = args_text(&l->cli->args, "pid-file");

    if (l->console_socket >= 0 &&
        fd_socket_send(l->console_socket, runtime_console(l->made), "/dev/ptmx", err) < 0)
        return -err->code;
    if (l->pidfd_socket >= 0 &&
        fd_socket_send(l->pidfd_socket, runtime_pidfd(l->made), "standard", err) < 0)
        return -err->code;
    return pid_file ? bundle_write_pid(pid_file, runtime_pid(l->made), err) : 0;
}

int launch_create(struct launch *l, const struct cli *cli, bool detach, struct err *err)
{
    l->cli = cli;
    l->id = cli->args.rest[0];
    if (prepare(l, detach, err) < 0 || claim(l, err) < 0)
        return -err->code;
    log_debug("creating %s from %s", l->id, l->bundle);
    if (begin_record(l, err) < 0 || make(l, err) < 0 || hand_over(l, err) < 0) {
        launch_undo(l);
        return -err->code;
    }
    return 0;
}

/* Without our end of the socket pair init ends by itself; container_destroy() does not wait for
 * that. */
void launch_undo(struct launch *l)
{
    struct err ignored = {0};

    runtime_free(l->made);
    l->made = NULL;
    if (container_destroy(l->cli, &l->container, l->config, &ignored) < 0)
        log_warning("%s", ignored.message);
}

void launch_free(struct launch *l)
{
    free(l->bundle);
    json_decref(l->config);
    buf_free(&l->text);
    close_fd(&l->console_socket);
    close_fd(&l->pidfd_socket);
    close_fd(&l->listener);
    container_close(&l->container);
    runtime_free(l->made);
}
