/* floor - the least a container can cost: what the kernel takes for the namespaces, the overlay
 * root and the exec, with nothing around it. No state, no checks, no devices, no filter.
 *
 *     floor DIRECTORY PROGRAM      DIRECTORY has lower/ upper/ work/ merged/; PROGRAM is a path
 * below lower/ floor -c DIRECTORY PROGRAM   in a control group of its own as well, made and removed
 *
 * bench.sh compares everything else with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    _exit(125);
}

static void must(int result, const char *what)
{
    if (result < 0)
        die(what);
}

/* --- control groups: one directory under v2, one a controller under v1
 * ----------------------------
 *
 * Moving a process takes a lock over all threads of the machine, which waits for an RCU grace
 * period (several milliseconds) unless somebody moved a process just before. There are two ways
 * past it: being born in the group (CLONE_INTO_CGROUP, v2, Linux 5.7), and a thread that moves
 * itself alone ("0" into `tasks`, v1). */

static const char *const controllers[] = {"memory", "cpu", "pids", "devices", "freezer"};
static char groups[sizeof controllers / sizeof *controllers][128];
static size_t group_count;
static int unified; /* cgroup v2 */

static void make_groups(void)
{
    char name[64];

    unified = !access("/sys/fs/cgroup/cgroup.controllers", F_OK);
    snprintf(name, sizeof name, "cooper-floor-%d", (int)getpid());
    if (unified) {
        snprintf(groups[group_count++], sizeof *groups, "/sys/fs/cgroup/%s", name);
    } else {
        for (size_t i = 0; i < sizeof controllers / sizeof *controllers; i++)
            snprintf(groups[group_count++], sizeof *groups, "/sys/fs/cgroup/%s/%s", controllers[i],
                     name);
    }
    for (size_t i = 0; i < group_count; i++)
        must(mkdir(groups[i], 0755), groups[i]);
}

static void join_groups(void)
{
    char path[160];

    for (size_t i = 0; !unified && i < group_count; i++) {
        int fd;

        snprintf(path, sizeof path, "%.127s/tasks", groups[i]);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        must(fd, path);
        must((int)write(fd, "0", 1), path);
        close(fd);
    }
}

static void remove_groups(void)
{
    for (size_t i = 0; i < group_count; i++)
        must(rmdir(groups[i]), groups[i]);
}

/* --- the container
 * --------------------------------------------------------------------------------- */

static void enter_root(void)
{
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "mount / private");
    must(mount("overlay", "merged", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work"),
         "mount overlay");
    must(chdir("merged"), "chdir merged");
    must((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
    must(umount2(".", MNT_DETACH), "umount old root");
    must(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "mount /proc");
}

int main(int argc, char **argv)
{
    struct clone_args args = {.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC |
                                       CLONE_NEWNET | CLONE_NEWCGROUP,
                              .exit_signal = SIGCHLD};
    int status, with_groups = argc > 1 && !strcmp(argv[1], "-c");
    pid_t pid;

    if (argc != 3 + with_groups) {
        fputs("usage: floor [-c] DIRECTORY PROGRAM\n", stderr);
        return 2;
    }
    argv += with_groups;
    must(chdir(argv[1]), argv[1]);
    if (with_groups)
        make_groups();
    if (unified) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)open(groups[0], O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    }
    pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    must(pid, "clone3");
    if (pid == 0) {
        join_groups();
        enter_root();
        execl(argv[2], argv[2], NULL);
        die(argv[2]);
    }
    must(waitpid(pid, &status, 0), "waitpid");
    remove_groups();
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
