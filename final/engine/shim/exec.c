/* exec.c - one more process in a running container. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/shim/shim.h"
#include "runtime/runtime.h"

json_t *shim_load_config(const struct shim_options *o, struct err *err)
{
    cleanup_free char *path = str_format("%s/config.json", o->dir);

    return json_load(AT_FDCWD, path, SHIM_SPEC_MAX, err);
}

int shim_spawn(const struct shim_options *o, const struct shim_spawn *what, pid_t *ret_pid,
               int *ret_console, struct err *err)
{
    cleanup_close int pidfd = proc_open(&what->init);
    struct runtime_exec_request request = {.init = what->init.pid,
                                           .init_pidfd = pidfd,
                                           .bundle = o->dir,
                                           .config = what->config,
                                           .process = what->process,
                                           .user = what->user,
                                           .rows = (unsigned short)o->rows,
                                           .columns = (unsigned short)o->columns};

    if (pidfd == -ESRCH)
        return err_set(err, ESRCH, "Container %s is not running", o->id);
    if (pidfd < 0)
        return err_set(err, -pidfd, "cannot find the first process of container %s: %s", o->id,
                       strerror(-pidfd));
    memcpy(request.stdio, what->stdio, sizeof request.stdio);
    return runtime_exec(&request, ret_pid, ret_console, err);
}

static json_t *load_process(int fd, struct err *err)
{
    cleanup_buf struct buf text = {0};

    if (file_load_fd(fd, SHIM_SPEC_MAX, &text, err) < 0)
        return NULL;
    return json_parse(text.data, text.len, "the process document", err);
}

/* What the order says: the process document is behind its descriptor. */
static int spawn_ordered(const struct shim_options *o, pid_t *ret_pid, struct shim_stdio *ret_io,
                         struct err *err)
{
    cleanup_json json_t *config = shim_load_config(o, err);
    cleanup_json json_t *process = config ? load_process(o->order_fd, err) : NULL;
    struct shim_spawn what = {.init = {(pid_t)o->init_pid, o->init_start},
                              .config = config,
                              .process = process,
                              .user = o->user};
    int r;

    if (!process)
        return -err->code;
    r = shim_prepare_stdio(o, json_flag(process, "terminal", false), ret_io, what.stdio, err);
    if (r < 0)
        return r;
    r = shim_spawn(o, &what, ret_pid, &ret_io->console, err);
    shim_close_theirs(what.stdio);
    return r;
}

/* It is our child, so even if it has ended its pid is kept for us until we reap it. A process that
 * we cannot watch is not left to itself. */
int shim_open_child(pid_t pid, struct err *err)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (pidfd >= 0)
        return pidfd;
    err_errno(err, "cannot open the new process %d", (int)pid);
    kill(pid, SIGKILL);
    shim_reap(pid);
    return -err->code;
}

int shim_exec(const struct shim_options *o, struct err *err)
{
    struct shim_report started = {0};
    struct shim_relay *relay;
    struct shim_stdio io = {-1, -1, -1, -1};
    cleanup_close int pidfd = -1;
    pid_t pid;
    int code, r = spawn_ordered(o, &pid, &io, err);

    if (!r)
        r = pidfd = shim_open_child(pid, err);
    if (r < 0) {
        shim_report_failure(err);
        return r;
    }
    started.init_pid = pid;
    shim_report(&started);
    relay = shim_relay_new(o, &io, -1, NULL, NULL, NULL);
    if (o->attached)
        shim_relay_add_client(relay, SHIM_ATTACH_FD);
    r = shim_relay_run(relay, pidfd, err);
    code = shim_reap(pid);
    shim_exec_event(o, "exec_die", code);
    shim_relay_announce(relay, code, false);
    shim_relay_finish(relay);
    return r;
}
