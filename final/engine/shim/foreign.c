/* foreign.c - a container made by another OCI runtime: crun, runc, or whatever has their command
 * line (github.com/opencontainers/runtime-spec, runtime.md: create, start, kill, delete).
 *
 *     fork ── mounts the root and its volumes in a mount namespace of its own (runtime/plain.c),
 *      │      writes run/<id>/oci/config.json, becomes `RUNTIME create`
 *      └──> init, which is our child once `create` has ended: we are the reaper of orphans
 *
 * That mount namespace is where the runtime finds the root; it goes with the processes in it, so
 * there is nothing to unmount. stdio is what we give to `create`, or the terminal that comes
 * through a socket. What the runtime has to say about an error is in the log it is told to write.
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/shim/container.h"
#include "engine/shim/shim.h"

#define BUNDLE "oci"

struct foreign {
    const struct shim_options *options;
    char *bundle; /* run/<id>/oci: config.json, the runtime's own records, its log */
    char *cgroup;
    pid_t pid;
    int pidfd, console;
    int dir, listener; /* of the bundle; for the terminal */
};

static char *const environment[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};

static char *file_of(const struct foreign *f, const char *name)
{
    return str_format("%s/%s", f->bundle, name);
}

/* --- its command line ------------------------------------------------------------------------- */

static void begin_arguments(const struct foreign *f, const char *command, struct strv *argv)
{
    strv_add(argv, f->options->runtime);
    strv_add(argv, "--root");
    strv_take(argv, file_of(f, "state"));
    strv_add(argv, "--log");
    strv_take(argv, file_of(f, "log"));
    strv_add(argv, "--log-format");
    strv_add(argv, "json");
    strv_add(argv, command);
}

static void create_arguments(const struct foreign *f, struct strv *argv)
{
    begin_arguments(f, "create", argv);
    strv_add(argv, "--bundle");
    strv_add(argv, f->bundle);
    strv_add(argv, "--pid-file");
    strv_take(argv, file_of(f, "pid"));
    if (f->listener >= 0) { /* by our descriptor: a path of any length */
        strv_add(argv, "--console-socket");
        strv_take(argv, str_format("/proc/%d/fd/%d/console.sock", (int)getppid(), f->dir));
    }
    strv_add(argv, f->options->id);
}

/* The last thing it complained of; a line of {"level":"error","msg":"..."}. */
static char *complaint(const struct foreign *f)
{
    cleanup_free char *path = file_of(f, "log");
    cleanup_strv struct strv lines = {0};
    cleanup_buf struct buf text = {0};
    struct err ignored = {0};

    if (file_load(AT_FDCWD, path, 1 << 20, &text, &ignored) < 0 || !text.len)
        return NULL;
    strv_split(&lines, text.data, '\n');
    for (size_t i = lines.len; i-- > 0;) {
        cleanup_json json_t *line =
            json_parse(lines.items[i], strlen(lines.items[i]), "a log line", &ignored);

        if (*json_str(line, "msg", ""))
            return str_copy(json_str(line, "msg", ""));
    }
    return NULL;
}

/* As a shell counts: what does not exist, what cannot be executed. */
static int exit_status_of(const char *text)
{
    if (strstr(text, "not found") || strstr(text, "no such file") || strstr(text, "No such file"))
        return 127;
    return strstr(text, "ermission denied") || strstr(text, "s a directory") ||
                   strstr(text, "open executable") /* crun */
               ? 126
               : 125;
}

static int fail(const struct foreign *f, const char *command, int status, struct err *err)
{
    cleanup_free char *text = complaint(f);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);

    if (text)
        err_set(err, EIO, "OCI runtime %s failed: %s", command, text);
    else
        err_set(err, EIO, "OCI runtime %s failed: '%s' ended with %d", command, f->options->runtime,
                code);
    err->exit_status = exit_status_of(text ? text : "");
    return -EIO;
}

static int wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 255 << 8;
    return status;
}

static int run(const struct foreign *f, const struct strv *argv, const char *command,
               struct err *err)
{
    pid_t pid;
    int r = posix_spawn(&pid, f->options->runtime, NULL, NULL, argv->items, environment), status;

    if (r)
        return err_set(err, r, "cannot start '%s': %s", f->options->runtime, strerror(r));
    status = wait_for(pid);
    return status ? fail(f, command, status, err) : 0;
}

/* --- create, in the fork ---------------------------------------------------------------------- */

static void put_filter(const struct foreign *f, json_t *config)
{
    cleanup_free char *path = str_format("%s/" SHIM_SECCOMP_FILE, f->options->dir);
    struct err ignored = {0};
    json_t *filter = json_load(AT_FDCWD, path, SHIM_SPEC_MAX, &ignored);

    if (filter)
        json_put(json_object_get(config, "linux"), "seccomp", filter);
}

static int write_bundle(const struct foreign *f, json_t *config, struct err *err)
{
    cleanup_free char *text = NULL;

    if (runtime_make_plain(f->options->dir, config, err) < 0)
        return -err->code;
    put_filter(f, config);
    text = json_text(config, JSON_COMPACT);
    return file_store(f->dir, "config.json", text, strlen(text), 0600, false, err);
}

/* What the shim ignores would be ignored by all that the runtime starts. */
static void reset_signals(void)
{
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL);
}

static void become_runtime(const struct foreign *f, const struct shim_create *create, int report)
    __attribute__((noreturn));
static void become_runtime(const struct foreign *f, const struct shim_create *create, int report)
{
    cleanup_strv struct strv argv = {0};
    struct err err = {0};

    if (write_bundle(f, create->config, &err) == 0) {
        create_arguments(f, &argv);
        for (int i = 0; i < 3; i++)
            if (create->stdio[i] >= 0 && dup2(create->stdio[i], i) < 0)
                _exit(125);
        reset_signals();
        execve(f->options->runtime, argv.items, environment);
        err_errno(&err, "cannot execute '%s'", f->options->runtime);
    }
    (void)!write(report, &err, sizeof err); /* O_CLOEXEC: nothing comes when all is well */
    _exit(125);
}

static int fork_runtime(const struct foreign *f, const struct shim_create *create, struct err *err)
{
    int ends[2], status;
    struct err told = {0};
    ssize_t n;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, "cannot make a pipe");
    pid = fork();
    if (!pid)
        become_runtime(f, create, ends[1]);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return err_errno(err, "cannot fork");
    }
    n = file_read(ends[0], &told, sizeof told);
    close(ends[0]);
    status = wait_for(pid);
    if (n == (ssize_t)sizeof told) {
        *err = told;
        return told.code ? -told.code : -EIO;
    }
    return status ? fail(f, "create", status, err) : 0;
}

/* --- what it has made ------------------------------------------------------------------------- */

static int open_init(struct foreign *f, struct err *err)
{
    cleanup_free char *path = file_of(f, "pid");
    cleanup_buf struct buf text = {0};
    long long pid;

    if (file_load(AT_FDCWD, path, 64, &text, err) < 0)
        return err_wrap(err, "the runtime did not say which process it made");
    text.data[strcspn(text.data, "\n")] = 0;
    if (str_to_i64(text.data, &pid) < 0 || pid < 2)
        return err_set(err, EINVAL, "the runtime made process '%s'", text.data);
    f->pid = (pid_t)pid;
    f->pidfd = (int)syscall(SYS_pidfd_open, f->pid, 0);
    return f->pidfd < 0 ? err_errno(err, "cannot open the container's process %d", (int)pid) : 0;
}

static int listen_for_console(struct foreign *f, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/console.sock", f->dir);
    if (f->listener < 0 || bind(f->listener, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(f->listener, 1) < 0)
        return err_errno(err, "cannot make a socket for the terminal");
    return 0;
}

static int receive_console(struct foreign *f, struct err *err)
{
    cleanup_close int peer = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    char name[256];
    struct iovec part = {name, sizeof name};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    struct winsize size = {.ws_row = (unsigned short)f->options->rows,
                           .ws_col = (unsigned short)f->options->columns};
    struct cmsghdr *header;

    if (peer < 0 || recvmsg(peer, &message, MSG_CMSG_CLOEXEC) < 0)
        return err_errno(err, "the runtime did not send the terminal");
    header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_type != SCM_RIGHTS)
        return err_set(err, EPROTO, "the runtime did not send the terminal");
    memcpy(&f->console, CMSG_DATA(header), sizeof f->console);
    if (size.ws_row && size.ws_col)
        ioctl(f->console, TIOCSWINSZ, &size);
    return 0;
}

static int make_bundle(struct foreign *f, struct err *err)
{
    if (mkdir(f->bundle, 0700) < 0 && errno != EEXIST)
        return err_errno(err, "cannot make '%s'", f->bundle);
    f->dir = open(f->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return f->dir < 0 ? err_errno(err, "cannot open '%s'", f->bundle) : 0;
}

static int create_it(struct foreign *f, const struct shim_create *create, struct err *err)
{
    bool terminal = json_flag(create->config, "process.terminal", false);
    int r = make_bundle(f, err);

    if (!r && terminal)
        r = listen_for_console(f, err);
    if (!r)
        r = fork_runtime(f, create, err);
    if (!r)
        r = open_init(f, err);
    if (!r && terminal)
        r = receive_console(f, err);
    if (!r && create->meanwhile)
        r = create->meanwhile(create->context, f->pid, err);
    return r;
}

int foreign_create(const struct shim_create *create, struct foreign **ret, struct err *err)
{
    struct foreign *f = mem_alloc(sizeof *f);
    struct err ignored = {0};
    int r;

    *f = (struct foreign){.options = create->options,
                          .bundle = str_format("%s/" BUNDLE, create->options->run),
                          .cgroup = str_copy(json_str(create->config, "linux.cgroupsPath", "")),
                          .pidfd = -1,
                          .console = -1,
                          .dir = -1,
                          .listener = -1};
    r = create_it(f, create, err);
    if (r < 0)
        foreign_destroy(f, &ignored);
    else
        *ret = f;
    return r;
}

int foreign_start(struct foreign *f, struct err *err)
{
    cleanup_strv struct strv argv = {0};

    begin_arguments(f, "start", &argv);
    strv_add(&argv, f->options->id);
    return run(f, &argv, "start", err);
}

/* The runtime first, so that it forgets the container; then the group, whatever it has left. */
int foreign_destroy(struct foreign *f, struct err *err)
{
    cleanup_strv struct strv argv = {0};
    struct runtime_cgroup_place place = foreign_place(f);
    struct err ignored = {0};

    begin_arguments(f, "delete", &argv);
    strv_add(&argv, "--force");
    strv_add(&argv, f->options->id);
    run(f, &argv, "delete", &ignored);
    close_fd(&f->listener);
    close_fd(&f->dir);
    return runtime_cgroup_destroy_at(&place, err);
}

pid_t foreign_pid(const struct foreign *f)
{
    return f->pid;
}

int foreign_pidfd(const struct foreign *f)
{
    return f->pidfd;
}

int foreign_console(const struct foreign *f)
{
    return f->console;
}

struct runtime_cgroup_place foreign_place(const struct foreign *f)
{
    return (struct runtime_cgroup_place){.path = f->cgroup};
}

void foreign_remove_files(const struct shim_options *o)
{
    cleanup_free char *path = str_format("%s/" BUNDLE, o->run);
    struct err ignored = {0};

    if (o->runtime)
        file_remove_tree(AT_FDCWD, path, &ignored);
}
