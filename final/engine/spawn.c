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

void shim_common_arguments(struct engine *e, const struct container *c, struct strv *ret)
{
    strv_add(ret, "cooper-shim");
    strv_add(ret, "--id");
    strv_add(ret, c->id);
    strv_add(ret, "--dir");
    strv_take(ret, container_path(e, c->id));
    strv_add(ret, "--run");
    strv_take(ret, str_format("%s/%s", e->store->run, c->id));
    strv_add(ret, "--root");
    strv_add(ret, e->store->root);
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

static int run(const char *program, char *const *argv, int report, int attach, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    char *environment[] = {NULL};
    int r;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, 0, 1);
    posix_spawn_file_actions_adddup2(&actions, 0, 2);
    posix_spawn_file_actions_adddup2(&actions, report, SHIM_REPORT_FD);
    posix_spawn_file_actions_adddup2(&actions, attach, SHIM_ATTACH_FD);
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

static int spawn(const char *mode, const char *name, struct shim_process *ret, struct err *err)
{
    cleanup_free char *path = proc_helper_path("cooper-shim", err);
    cleanup_close int program = path ? open_program(path, err) : -1;
    char *argv[] = {"cooper-shim", (char *)mode, (char *)name, NULL};
    int report[2] = {-1, -1}, attach[2] = {-1, -1}, r = program < 0 ? -err->code : 0;
    char exec_path[64];
    pid_t pid;

    if (!r)
        r = packet_pair(report, err);
    if (!r)
        r = packet_pair(attach, err);
    snprintf(exec_path, sizeof exec_path, "/proc/self/fd/%d", program);
    if (!r && (r = run(exec_path, argv, report[1], attach[1], &pid)) < 0)
        err_set(err, -r, "cannot start '%s': %s", path, strerror(-r));
    close_fd(&report[1]);
    close_fd(&attach[1]);
    if (r < 0) {
        close_fd(&report[0]);
        close_fd(&attach[0]);
        return r;
    }
    *ret = (struct shim_process){steal_fd(&program), report[0], attach[0]};
    return 0;
}

void shim_process_close(struct shim_process *shim)
{
    close_fd(&shim->report);
    close_fd(&shim->attach);
    close_fd(&shim->program);
}

int shim_prepare(struct engine *e, const char *mode, const char *name, struct err *err)
{
    struct shim_process shim;
    int r = spawn(mode, name, &shim, err);

    if (r < 0)
        return r;
    e->shim = mem_alloc(sizeof shim);
    *e->shim = shim;
    return 0;
}

/* The arguments, each with its NUL, and the descriptor that goes with them. */
static int send_order(int socket, const struct strv *argv, int fd, struct err *err)
{
    cleanup_buf struct buf text = {0};
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part;
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    for (size_t i = 0; i < argv->len; i++)
        buf_add(&text, argv->items[i], strlen(argv->items[i]) + 1);
    if (text.len > SHIM_ORDER_MAX)
        return err_set(err, E2BIG, "the shim takes %d bytes of arguments, not %zu", SHIM_ORDER_MAX,
                       text.len);
    part = (struct iovec){text.data, text.len};
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    if (sendmsg(socket, &message, MSG_NOSIGNAL) < 0)
        return err_errno(err, "cannot give the shim its order");
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

/* As many in a packet as the kernel lets through (SCM_MAX_FD is 253). */
static int send_descriptors(int socket, const struct shim_descriptors *more, struct err *err)
{
    for (size_t at = 0; more && at < more->len;) {
        size_t n = more->len - at < SHIM_FDS_A_PACKET ? more->len - at : SHIM_FDS_A_PACKET;
        union {
            struct cmsghdr align;
            char room[CMSG_SPACE(SHIM_FDS_A_PACKET * sizeof(int))];
        } control = {0};
        struct iovec part = {"+", 1};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = CMSG_SPACE(n * sizeof(int))};
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);

        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(header), more->fds + at, n * sizeof(int));
        if (sendmsg(socket, &message, MSG_NOSIGNAL) < 0)
            return err_errno(err, "cannot give the shim its descriptors");
        at += n;
    }
    return 0;
}

int shim_order(struct engine *e, const char *mode, const char *name, const struct strv *argv,
               int fd, const struct shim_descriptors *more, struct shim_report *ret_report,
               int *ret_attach, struct err *err)
{
    struct shim_process shim;
    int r;

    if (!e->shim && (r = shim_prepare(e, mode, name, err)) < 0)
        return r;
    shim = *e->shim;
    free(e->shim);
    e->shim = NULL;
    if (!ret_attach)
        close_fd(&shim.attach);
    r = send_order(shim.report, argv, fd, err);
    if (!r)
        r = send_descriptors(shim.report, more, err);
    if (!r)
        r = read_report(shim.report, ret_report, err);
    if (!r && ret_attach)
        *ret_attach = steal_fd(&shim.attach);
    shim_process_close(&shim);
    return r;
}
