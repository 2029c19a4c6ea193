#include "runtime/cli/protect.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/proc.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/log.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

/* Before the flags are parsed, because parsing costs time that would be spent twice. A word that
 * only looks like a command costs no more than the second execution. */
static bool makes_processes(char *const *argv)
{
    static const char *const names[] = {"create", "run", "exec"};

    for (char *const *word = argv; *word && *++word;)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (!strcmp(*word, names[i]))
                return true;
    return false;
}

static bool is_protected(void)
{
    cleanup_close int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct statvfs fs;
    int seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);

    return fd >= 0 && ((seals >= 0 && (seals & SEALS) == SEALS) ||
                       (!fstatvfs(fd, &fs) && fs.f_flag & ST_RDONLY));
}

/* Linux 5.12; needs CAP_SYS_ADMIN. Cheap: nothing is copied, and the page cache is shared. */
static int mount_program(void)
{
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};
    cleanup_close int fd = (int)syscall(SYS_open_tree, AT_FDCWD, "/proc/self/exe",
                                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

    if (fd < 0 ||
        syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &read_only, sizeof read_only) < 0)
        return -errno;
    return steal_fd(&fd);
}

static int copy_program(struct err *err)
{
    cleanup_close int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    cleanup_close int to = memfd_create(PROGRAM, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct stat st;
    off_t done = 0;

    if (from < 0 || to < 0 || fstat(from, &st) < 0)
        return err_errno(err, "cannot copy '/proc/self/exe'");
    while (done < st.st_size)
        if (sendfile(to, from, &done, (size_t)(st.st_size - done)) <= 0)
            return err_errno(err, "cannot copy '/proc/self/exe'");
    if (fchmod(to, 0500) < 0 || fcntl(to, F_ADD_SEALS, SEALS) < 0)
        return err_errno(err, "cannot seal the copy of '/proc/self/exe'");
    return steal_fd(&to);
}

void protect_program(char **argv)
{
    struct err err = {0};
    int fd;

    if (!makes_processes(argv))
        return;
    prctl(PR_SET_NAME, PROGRAM); /* execveat(2) named us after the descriptor */
    if (is_protected())
        return;
    proc_remember_program();
    fd = mount_program();
    if (fd < 0)
        fd = copy_program(&err);
    if (fd >= 0) {
        syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
        err_errno(&err, "cannot execute the protected copy of '/proc/self/exe'");
    }
    log_error("%s", err.message);
    exit(1);
}
