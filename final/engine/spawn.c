/* spawn.c - starting cooper-shim.
 *
 * The container's first process is a fork of the shim, so until it execs, /proc/PID/exe leads to
 * the shim's file, and an image whose entrypoint is "#!/proc/self/exe" even executes it: with a
 * writable mount behind it that was CVE-2019-5736. So the shim is executed through a private,
 * detached, read-only mount of its file (open_tree(2), mount_setattr(2), Linux 5.12): whoever gets
 * hold of it can read it. */
#include <fcntl.h>
#include <linux/mount.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/proc.h"
#include "engine/internal.h"
#include "engine/shim/shim.h"

void shim_common_arguments(struct engine *e, const struct container *c, const char *mode,
                           struct strv *ret)
{
    strv_add(ret, "cooper-shim");
    strv_add(ret, mode);
    strv_add(ret, "--id");
    strv_add(ret, c->id);
    strv_add(ret, "--dir");
    strv_take(ret, container_path(e, c->id));
    strv_add(ret, "--run");
    strv_take(ret, str_format("%s/%s", e->store->run, c->id));
}

/* A descriptor of the program on a read-only mount; a plain one where the caller may not mount. */
static int open_program(const char *path, struct err *err)
{
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};
    cleanup_close int fd =
        (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

    if (fd < 0)
        return err_errno(err, "cannot open '%s' on a mount of its own (is this root?)", path);
    if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &read_only, sizeof read_only) < 0)
        return err_errno(err, "cannot make the mount of '%s' read-only", path);
    return steal_fd(&fd);
}

/* Above the numbers that dup2 fills, so that no source is overwritten before it is copied. */
static int move_up(int *fd)
{
    int up = fcntl(*fd, F_DUPFD_CLOEXEC, 16);

    if (up < 0)
        return -errno;
    close(*fd);
    *fd = up;
    return 0;
}

static int run(const char *program, char *const *argv, int report, int attach, int process,
               int lock, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    char *environment[] = {NULL};
    int r;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, 0, 1);
    posix_spawn_file_actions_adddup2(&actions, 0, 2);
    posix_spawn_file_actions_adddup2(&actions, report, SHIM_REPORT_FD);
    if (attach >= 0)
        posix_spawn_file_actions_adddup2(&actions, attach, SHIM_ATTACH_FD);
    if (process >= 0)
        posix_spawn_file_actions_adddup2(&actions, process, SHIM_PROCESS_FD);
    if (lock >= 0)
        posix_spawn_file_actions_adddup2(&actions, lock, SHIM_LOCK_FD);
    r = posix_spawn(ret_pid, program, &actions, NULL, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}

static int packet_pair(int ret[2], struct err *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0)
        return err_errno(err, "cannot make a socket pair for the shim");
    if (move_up(&ret[0]) < 0 || move_up(&ret[1]) < 0)
        return err_errno(err, "cannot move the shim's descriptors");
    return 0;
}

static int read_report(int fd, struct shim_report *ret, struct err *err)
{
    ssize_t n;

    do
        n = recv(fd, ret, sizeof *ret, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(err, "cannot hear from the shim");
    if ((size_t)n != sizeof *ret)
        return err_set(err, EPIPE, "the shim ended without a word: was it killed?");
    ret->message[sizeof ret->message - 1] = 0;
    if (!ret->code)
        return 0;
    err_set(err, ret->code, "%s", ret->message);
    err->exit_status = ret->exit_status;
    return -ret->code;
}

int shim_spawn(const struct spawn_request *request, struct shim_report *ret_report, int *ret_attach,
               struct err *err)
{
    cleanup_free char *path = proc_helper_path("cooper-shim", err);
    cleanup_close int program = path ? open_program(path, err) : -1;
    cleanup_close int ours = -1, theirs = -1, attach = -1, their_attach = -1, process = -1,
                      lock = -1;
    char exec_path[64];
    int pair[2], r;
    pid_t pid;

    if (program < 0)
        return -err->code;
    r = packet_pair(pair, err);
    if (r < 0)
        return r;
    ours = pair[0];
    theirs = pair[1];
    if (request->attach) {
        r = packet_pair(pair, err);
        if (r < 0)
            return r;
        attach = pair[0];
        their_attach = pair[1];
    }
    if (request->process_fd >= 0)
        process = fcntl(request->process_fd, F_DUPFD_CLOEXEC, 16);
    if (request->lock_fd >= 0)
        lock = fcntl(request->lock_fd, F_DUPFD_CLOEXEC, 16);
    snprintf(exec_path, sizeof exec_path, "/proc/self/fd/%d", program);
    r = run(exec_path, request->argv, theirs, their_attach, process, lock, &pid);
    if (r < 0)
        return err_set(err, -r, "cannot start '%s': %s", path, strerror(-r));
    close_fd(&theirs);
    close_fd(&their_attach);
    r = read_report(ours, ret_report, err);
    if (request->attach)
        *ret_attach = steal_fd(&attach);
    return r;
}
