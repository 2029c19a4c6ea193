/* mount(2) wants a path, and no path of the image can be trusted. So it gets one in a tmpfs that is
 * ours alone: made detached, put on `place` for a moment, with the current directory inside of it.
 * There the file system is mounted, copied as a detached mount, and both are taken away again. */
#include "runtime/mount_legacy.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"

#define NAMELESS  (MS_I_VERSION | MS_SILENT | MS_POSIXACL)
#define VALUE_MAX 255

/* One entry may hold several options: this only has to find out that all of them are short. */
static bool too_long(const struct strv *data)
{
    for (size_t i = 0; data && i < data->len; i++)
        if (strlen(data->items[i]) > VALUE_MAX)
            return true;
    return false;
}

bool mount_legacy_needed(const struct mount_fs *fs)
{
    return fs->super & NAMELESS || fs->beneath || too_long(fs->data);
}

/* The label in quotes: it may contain a comma. */
static char *option_string(const struct mount_fs *fs)
{
    struct buf text = {0};

    if (fs->label)
        buf_printf(&text, "%s=\"%s\"", fs->label_option, fs->label);
    for (size_t i = 0; fs->data && i < fs->data->len; i++)
        buf_printf(&text, "%s%s", text.len ? "," : "", fs->data->items[i]);
    return buf_steal(&text);
}

/* All of it, or a directory in it: that can be copied only while it is attached (Linux < 6.15). */
static int copy_mount(const char *beneath, struct err *err)
{
    cleanup_close int there = open("new", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int inside = there >= 0 && beneath ? beneath_open(there, beneath, O_PATH, 0, 0) : -1;

    if (beneath && inside < 0)
        return err_set(err, -inside, "cannot access path '%s' in it: %s", beneath,
                       strerror(-inside));
    if (beneath) {
        close(there);
        there = inside;
    }
    return mount_clone(there, "", 0, err);
}

/* In the scratch directory, which is the current one. */
static int mount_here(const struct mount_fs *fs, struct err *err)
{
    cleanup_free char *options = option_string(fs);
    unsigned long flags = fs->super | (fs->readonly ? MS_RDONLY : 0);
    int mount_fd;

    /* The kernel copies one page, and would cut off the rest without a word. */
    if (strlen(options) >= (size_t)sysconf(_SC_PAGESIZE))
        return err_set(err, E2BIG,
                       "the options of a '%s' are %zu bytes long: mount(2) takes one page",
                       fs->type, strlen(options));
    if (mkdir("new", 0700) < 0)
        return err_errno(err, "cannot make a directory to mount on");
    if (mount(fs->source, "new", fs->type, flags, options) < 0)
        return err_errno(err, "type '%s', options '%.512s'", fs->type, options);
    mount_fd = copy_mount(fs->beneath, err);
    umount2("new", MNT_DETACH);
    return mount_fd;
}

int mount_legacy_make(const struct mount_fs *fs, struct err *err)
{
    cleanup_close int scratch = -1, made = -1;

    if (fs->place <= 0)
        return err_set(err, EOPNOTSUPP,
                       "an option of '%s' is too long or of a kind that cannot be given here",
                       fs->type);
    scratch = mount_new("tmpfs", "tmpfs", "size=4k,nr_inodes=4,mode=700", 0, err);
    if (scratch < 0 || mount_attach(scratch, fs->place, "", err) < 0)
        return -err->code;
    if (fchdir(scratch) < 0)
        return err_errno(err, "cannot enter the directory to mount in");
    made = mount_here(fs, err);
    umount2(".", MNT_DETACH);
    if (chdir("/") < 0 && made >= 0)
        return err_errno(err, "cannot leave the directory to mount in");
    if (made < 0 || mount_change(made, fs->attributes, 0, false, err) < 0)
        return -err->code;
    return steal_fd(&made);
}
