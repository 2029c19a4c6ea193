/* pivot_root(2) refuses when the root is the initial ramfs: it cannot be unmounted, and so can
 * never be the old root. Then the container's root is moved over it, and chroot(2) goes there:
 * switch_root(8) does the same. ".." ends at the new root, because every step up comes to the mount
 * on top again.
 *
 * But what is below can come back: somebody with CAP_SYS_ADMIN may unmount the top, and a procfs of
 * the host that is still in the namespace lets the kernel give the container a complete new one. So
 * everything is unmounted that hangs on the old root. What remains is the ramfs itself. */
#include "runtime/rootfs_move.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"
#include "runtime/mount_api.h"

/* One line of /proc/self/mountinfo: "36 35 98:0 /root /mount/point ...", proc(5). */
struct line {
    unsigned long long parent;
    char *point;
};

/* "\040" is a blank, and so on. */
static void unescape(char *text)
{
    char *out = text;

    for (; *text; text++, out++) {
        *out = *text;
        if (text[0] == '\\' && text[1] && text[2] && text[3]) {
            *out = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
            text += 3;
        }
    }
    *out = 0;
}

static bool read_line(char *text, struct line *ret)
{
    int at = 0;
    char *blank;

    if (sscanf(text, "%*u %llu %*s %*s %n", &ret->parent, &at) != 1 || !at)
        return false;
    ret->point = text + at;
    blank = strchr(ret->point, ' ');
    if (!blank)
        return false;
    *blank = 0;
    unescape(ret->point);
    return true;
}

/* The host unmounted it meanwhile, or it lies in a directory that is closed to the root of our user
 * namespace, and so to the container. */
static bool out_of_reach(int code)
{
    return code == ENOENT || code == EINVAL || code == EACCES;
}

/* Relative to the current directory, the old root. A mount that came with a user namespace is
 * locked and can only be covered. */
static int remove_mount(const char *point, struct err *err)
{
    const char *name = point + strspn(point, "/");

    /* Or what hangs on it would be unmounted on the host as well, where it is shared. */
    if (mount(NULL, name, NULL, MS_SLAVE | MS_REC, NULL) < 0)
        return out_of_reach(errno) ? 0
                                   : err_errno(err, "cannot separate '%s' from the host's", point);
    if (!umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW))
        return 0;
    if (errno != EINVAL && errno != EPERM)
        return errno == ENOENT ? 0 : err_errno(err, "cannot unmount the host's '%s'", point);
    if (mount("tmpfs", name, "tmpfs", MS_RDONLY, "size=4k,nr_inodes=1,mode=000") < 0 &&
        errno != ENOTDIR)
        return err_errno(err, "cannot cover the host's '%s'", point);
    return 0;
}

/* After the move, so that the container's root is not among them: it is at "/" like the old one. */
static int remove_mounts(const char *table, uint64_t old_id, struct err *err)
{
    cleanup_strv struct strv lines = {0};

    strv_split(&lines, table, '\n');
    for (size_t i = 0; i < lines.len; i++) {
        struct line line;

        if (!read_line(lines.items[i], &line) || line.parent != old_id || !strcmp(line.point, "/"))
            continue;
        if (remove_mount(line.point, err) < 0)
            return -err->code;
    }
    return 0;
}

static int remove_host(int old, struct err *err)
{
    cleanup_close int table = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    cleanup_buf struct buf text = {0};
    struct statx st;

    if (table < 0)
        return err_errno(err, "cannot open the host's /proc/self/mountinfo");
    if (file_load_fd(table, 64 << 20, &text, err) < 0)
        return -err->code;
    if (fchdir(old) < 0 || statx(old, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0) /* Linux 5.8 */
        return err_errno(err, "cannot look at the host's root");
    return remove_mounts(text.data, st.stx_mnt_id, err);
}

int rootfs_move(int root, struct err *err)
{
    cleanup_close int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (old < 0)
        return err_errno(err, "cannot open the host's root");
    /* Where it is shared, the host would get the container's root, too, and lose what is removed
     * here. Not for all that is below: that includes the container's own mounts. */
    if (mount_propagate(old, MS_SLAVE, err) < 0)
        return err_wrap(err, "cannot separate the old root from the host's");
    if (mount_attach(root, old, "", err) < 0)
        return err_wrap(err, "cannot move the container's root over the host's");
    if (remove_host(old, err) < 0)
        return -err->code;
    if (fchdir(root) < 0 || chroot(".") < 0)
        return err_errno(err, "cannot make the container's root the root (chroot)");
    return 0;
}
