#include "systemd_world.h"

#include <check.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "container.h"

#define SYSTEMD "/lib/systemd/systemd"

/* Ours, to come back to. */
static int own_mounts = -1, own_groups = -1, own_pids = -1, own_directory = -1;
static pid_t manager = -1;
static char *log_file, *ready_socket, *own_group, *world_group; /* "/cooper-test-systemd-PID" */

static const char *tree_of_version_2(void)
{
    return runtime_cgroup_version(NULL) == 2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/unified";
}

const char *systemd_world_missing(void)
{
    if (access(SYSTEMD, X_OK) < 0)
        return "there is no systemd here";
    if (access(BUILD_DIR "/libexec/cooper/cooper-systemd", X_OK) < 0)
        return "libsystemd was not there when this was built";
    if (runtime_cgroup_version(tree_of_version_2()) != 2)
        return "this host has no control groups of version 2";
    return NULL;
}

static void give_up(const char *what)
{
    cleanup_buf struct buf text = {0};
    struct err err = {0};

    perror(what);
    if (log_file && !file_load(AT_FDCWD, log_file, 1 << 20, &text, &err))
        fprintf(stderr, "%s", text.data);
    _exit(2);
}

/* --- inside ----------------------------------------------------------------------------------- */

static void make_node(const char *name, unsigned major, unsigned minor)
{
    cleanup_free char *path = str_format("/dev/%s", name);

    if (mknod(path, S_IFCHR | 0666, makedev(major, minor)) < 0 || chmod(path, 0666) < 0)
        give_up(path);
}

static void make_dev(void)
{
    if (mount("tmpfs", "/dev", "tmpfs", MS_NOSUID, "mode=755") < 0)
        give_up("/dev");
    make_node("null", 1, 3);
    make_node("zero", 1, 5);
    make_node("full", 1, 7);
    make_node("random", 1, 8);
    make_node("urandom", 1, 9);
    make_node("tty", 5, 0);
    if (mkdir("/dev/pts", 0755) < 0 ||
        mount("devpts", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666") < 0 ||
        symlink("pts/ptmx", "/dev/ptmx") < 0 || mkdir("/dev/shm", 0755) < 0)
        give_up("/dev/pts");
}

static void read_only(const char *path)
{
    if (mount(path, path, NULL, MS_BIND, NULL) < 0 ||
        mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
        give_up(path);
}

/* One unit: the target at which nothing happens. */
static void make_run(void)
{
    struct err err = {0};

    if (mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") < 0 ||
        mkdir("/run/units", 0755) < 0 || mkdir("/run/lock", 0755) < 0 ||
        mkdir("/run/proc", 0755) < 0 ||
        file_create(AT_FDCWD, "/run/units/default.target", "[Unit]\n", 7, 0644, &err) < 0)
        give_up("/run");
}

static void make_groups(void)
{
    umount2("/sys/fs/cgroup", MNT_DETACH);
    if (unshare(CLONE_NEWCGROUP) < 0 || mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) < 0)
        give_up("/sys/fs/cgroup");
}

static _Noreturn void run_manager(void)
{
    static char *const argv[] = {"systemd", "--system", "--unit=default.target", "--show-status=no",
                                 NULL};
    cleanup_free char *notify = str_format("NOTIFY_SOCKET=%s", ready_socket);
    /* What it makes at run time must be in its path, or a reload forgets it. */
    char *const environment[] = {
        "container=cooper-test",
        "SYSTEMD_UNIT_PATH=/run/systemd/system.control:/run/systemd/transient:/run/units",
        "SYSTEMD_LOG_TARGET=console",
        notify,
        "PATH=/usr/bin:/bin",
        NULL};
    int log = open(log_file, O_WRONLY | O_CREAT | O_APPEND, 0600);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    read_only("/sys");
    make_groups();
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        give_up("/proc");
    read_only("/proc/sys");
    make_dev();
    make_run();
    /* A user namespace may mount only a proc that is to be seen whole somewhere. */
    if (mount("proc", "/run/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        give_up("/run/proc");
    dup2(open("/dev/null", O_RDONLY), 0);
    dup2(log, 1);
    dup2(log, 2);
    syscall(SYS_close_range, 3, ~0U, 0);
    execve(SYSTEMD, argv, environment);
    _exit(1);
}

/* --- outside ---------------------------------------------------------------------------------- */

static int open_ready_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", ready_socket);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        give_up(ready_socket);
    return fd;
}

/* It tells whoever runs it in a container when it is ready (sd_notify(3)). */
static void wait_ready(int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    char text[4096];

    for (;;) {
        ssize_t n = poll(&readable, 1, 120000) == 1 ? recv(fd, text, sizeof text - 1, 0) : -1;

        if (n <= 0)
            give_up("systemd did not become ready");
        text[n] = 0;
        if (strstr(text, "READY=1"))
            return;
    }
}

static pid_t spawn_manager(int group)
{
    struct clone_args args = {
        .flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET |
                 CLONE_INTO_CGROUP,
        .exit_signal = SIGCHLD,
        .cgroup = (unsigned)group,
    };
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);

    if (pid < 0)
        give_up("clone3");
    if (!pid)
        run_manager();
    return pid;
}

static int open_namespace(const char *process, const char *kind)
{
    cleanup_free char *path = str_format("/proc/%s/ns/%s", process, kind);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        give_up(path);
    return fd;
}

static void enter(int mounts, int groups, int pids)
{
    if (setns(groups, CLONE_NEWCGROUP) < 0 || setns(pids, CLONE_NEWPID) < 0 ||
        setns(mounts, CLONE_NEWNS) < 0)
        give_up("setns");
}

/* "0::/path" of /proc/self/cgroup. */
static char *group_of_ours(void)
{
    cleanup_buf struct buf text = {0};
    struct err err = {0};
    const char *line;

    if (file_load(AT_FDCWD, "/proc/self/cgroup", 1 << 16, &text, &err) < 0)
        give_up("/proc/self/cgroup");
    line = strstr(text.data, "0::/");
    return line ? str_copy_n(line + 3, strcspn(line + 3, "\n")) : str_copy("/");
}

static void move_to(const char *group)
{
    cleanup_free char *procs = str_format("%s%s/cgroup.procs", tree_of_version_2(), group);
    struct err err = {0};

    if (file_poke(AT_FDCWD, procs, "0", &err) < 0)
        give_up(procs);
}

/* The manager may move only what is in its namespace of groups ("nsdelegate"): so we are, in a
 * leaf. */
static void move_inside(const char *group)
{
    cleanup_free char *leaf = str_format("%s/tests", group);
    cleanup_free char *path = str_format("%s/tests", world_group);

    own_group = group_of_ours();
    if (mkdir(leaf, 0755) < 0)
        give_up(leaf);
    move_to(path);
}

void systemd_world_begin(void)
{
    cleanup_free char *group = NULL, *process = NULL;
    cleanup_close int dir = -1, ready = -1, mounts = -1, groups = -1, pids = -1;

    container_setup();
    world_group = str_format("/cooper-test-systemd-%d", getpid());
    group = str_format("%s%s", tree_of_version_2(), world_group);
    own_mounts = open_namespace("self", "mnt");
    own_groups = open_namespace("self", "cgroup");
    own_pids = open_namespace("self", "pid");
    own_directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    log_file = str_format("%s/systemd.log", container_dir());
    ready_socket = str_format("%s/ready", container_dir());
    if (mkdir(group, 0755) < 0)
        give_up(group);
    dir = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ready = open_ready_socket();
    manager = spawn_manager(dir);
    wait_ready(ready);
    move_inside(group);
    process = str_format("%d", manager);
    mounts = open_namespace(process, "mnt");
    groups = open_namespace(process, "cgroup");
    pids = open_namespace(process, "pid");
    enter(mounts, groups, pids);
    setenv("COOPER_LIBEXEC", BUILD_DIR "/libexec/cooper", 1);
}

void systemd_world_end(void)
{
    struct err ignored = {0};

    enter(own_mounts, own_groups, own_pids);
    if (fchdir(own_directory) < 0)
        give_up("fchdir");
    move_to(own_group);
    kill(manager, SIGKILL);
    waitpid(manager, NULL, 0);
    runtime_cgroup_destroy(tree_of_version_2(), world_group, &ignored);
    free(log_file);
    free(ready_socket);
    free(own_group);
    free(world_group);
    close_fd(&own_mounts);
    close_fd(&own_groups);
    close_fd(&own_pids);
    close_fd(&own_directory);
    unsetenv("COOPER_LIBEXEC");
    container_teardown();
}
