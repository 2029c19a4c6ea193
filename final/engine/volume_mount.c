/* volume_mount.c - mounting a volume while somebody uses it; see volumes.h. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/volumes.h"

/* Two locks: `users` is held for as long as a container runs; `door` only while somebody mounts or
 * unmounts, because a lock cannot go from exclusive to shared without a gap (flock(2)). */
static int lock(int root, const char *name, const char *file, int operation)
{
    cleanup_free char *path = str_format("volumes/%s/%s", name, file);
    cleanup_close int fd = openat(root, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    int r;

    if (fd < 0)
        return -1;
    while ((r = flock(fd, operation)) < 0 && errno == EINTR)
        ;
    return r < 0 ? -1 : steal_fd(&fd);
}

bool volume_is_mount(int root, const char *name)
{
    cleanup_free char *path = str_format("volumes/%s/users", name);

    return !faccessat(root, path, F_OK, AT_SYMLINK_NOFOLLOW);
}

/* --- mount(8)'s words ------------------------------------------------------------------------ */

static const struct {
    const char *word;
    unsigned long set, clear;
} words[] = {
    {"async", 0, MS_SYNCHRONOUS},   {"atime", 0, MS_NOATIME},
    {"bind", MS_BIND, 0},           {"defaults", 0, 0},
    {"dev", 0, MS_NODEV},           {"diratime", 0, MS_NODIRATIME},
    {"dirsync", MS_DIRSYNC, 0},     {"exec", 0, MS_NOEXEC},
    {"mand", MS_MANDLOCK, 0},       {"noatime", MS_NOATIME, 0},
    {"nodev", MS_NODEV, 0},         {"nodiratime", MS_NODIRATIME, 0},
    {"noexec", MS_NOEXEC, 0},       {"nomand", 0, MS_MANDLOCK},
    {"norelatime", 0, MS_RELATIME}, {"nostrictatime", 0, MS_STRICTATIME},
    {"nosuid", MS_NOSUID, 0},       {"rbind", MS_BIND | MS_REC, 0},
    {"relatime", MS_RELATIME, 0},   {"ro", MS_RDONLY, 0},
    {"rw", 0, MS_RDONLY},           {"strictatime", MS_STRICTATIME, 0},
    {"suid", 0, MS_NOSUID},         {"sync", MS_SYNCHRONOUS, 0},
};

static unsigned long take_words(const char *text, struct buf *ret_data)
{
    cleanup_strv struct strv list = {0};
    unsigned long flags = 0;

    strv_split(&list, text, ',');
    buf_add_str(ret_data, "");
    for (size_t i = 0; i < list.len; i++) {
        size_t k = 0, n = sizeof words / sizeof *words;

        while (k < n && strcmp(words[k].word, list.items[i]))
            k++;
        if (k < n)
            flags = (flags & ~words[k].clear) | words[k].set;
        else if (*list.items[i])
            buf_printf(ret_data, "%s%s", ret_data->len ? "," : "", list.items[i]);
    }
    return flags;
}

/* Docker's words, with the place the user knows. */
static int mount_failed(const char *device, const char *place, unsigned long flags,
                        const char *data, struct err *err)
{
    char shown[32] = "", why[128];
    int code = errno;

    snprintf(why, sizeof why, "%s", strerror(code));
    *why |= 0x20; /* as Go writes them: small */
    if (flags)
        snprintf(shown, sizeof shown, ", flags: 0x%lx", flags);
    return err_set(err, code,
                   "error while mounting volume '%s': failed to mount local volume: mount "
                   "%s:%s%s%s%s: %s",
                   place, device, place, shown, *data ? ", data: " : "", data, why);
}

/* A bind takes the flags that are for the mount alone only when it is changed afterwards. */
static int mount_it(int place, const char *name, const json_t *options, struct err *err)
{
    const char *device = json_str(options, "device", ""), *type = json_str(options, "type", "");
    cleanup_free char *shown = NULL, *path = str_format("/proc/self/fd/%d", place);
    cleanup_buf struct buf data = {0};
    unsigned long flags = take_words(json_str(options, "o", ""), &data);
    unsigned long change = flags & ~(unsigned long)(MS_BIND | MS_REC);
    char real[4096];
    ssize_t n = readlink(path, real, sizeof real);

    shown = n > 0 ? str_copy_n(real, (size_t)n) : str_copy(name);
    if (mount(device, path, type, flags, data.data) < 0 ||
        (flags & MS_BIND && change &&
         mount(NULL, shown, NULL, MS_REMOUNT | MS_BIND | change, NULL) < 0))
        return mount_failed(device, shown, flags, data.data, err);
    return 0;
}

/* --- holding it ------------------------------------------------------------------------------ */

static bool is_mounted(int fd)
{
    struct statx st;

    return !statx(fd, "", AT_EMPTY_PATH, 0, &st) &&
           st.stx_attributes & STATX_ATTR_MOUNT_ROOT; /* Linux 5.8 */
}

static int open_place(int root, const char *name)
{
    cleanup_free char *path = str_format("volumes/%s/_data", name);

    return openat(root, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int volume_hold(int root, const char *name, const json_t *options, struct err *err)
{
    cleanup_close int door = lock(root, name, "door", LOCK_EX), place = -1;
    cleanup_close int held = door < 0 ? -1 : lock(root, name, "users", LOCK_SH);

    if (held < 0)
        return err_errno(err, "cannot lock volume '%s'", name);
    place = open_place(root, name);
    if (place < 0)
        return err_errno(err, "cannot open volume '%s'", name);
    if (!is_mounted(place) && mount_it(place, name, options, err) < 0)
        return -err->code;
    return steal_fd(&held);
}

void volume_let_go(int root, const char *name, int held)
{
    cleanup_close int own = held;
    cleanup_close int door = lock(root, name, "door", LOCK_EX), alone = -1, place = -1;
    cleanup_free char *path = NULL;

    close_fd(&own);
    alone = door < 0 ? -1 : lock(root, name, "users", LOCK_EX | LOCK_NB);
    while (alone >= 0 && (place = open_place(root, name)) >= 0 && is_mounted(place)) {
        free(path);
        path = str_format("/proc/self/fd/%d", place);
        if (umount2(path, MNT_DETACH) < 0)
            return;
        close_fd(&place);
    }
}
