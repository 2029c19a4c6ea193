/* New mounts of a file system, and changes to one that is mounted. */
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "runtime/mount_api.h"
#include "runtime/mount_borrow.h"
#include "runtime/mount_label.h"
#include "runtime/mount_source.h"
#include "runtime/mount_work.h"
#include "runtime/seed.h"

/* These are one file system for many mounts, and some for the whole host. Whether it is read-only
 * is a matter of the one mount. */
static bool is_shared_type(const char *type)
{
    static const char *const types[] = {"proc",   "sysfs",   "tmpfs", "devpts",  "mqueue",
                                        "cgroup", "cgroup2", "ramfs", "devtmpfs"};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(type, types[i]))
            return true;
    return false;
}

static bool has_option(const struct strv *data, const char *key)
{
    size_t n = strlen(key);

    for (size_t i = 0; i < data->len; i++)
        for (const char *word = data->items[i]; word; word = strchr(word, ',')) {
            word += *word == ',';
            if (!strncmp(word, key, n) && word[n] == '=')
                return true;
        }
    return false;
}

/* A tmpfs takes the mode of the directory it covers, as in runc and crun: a /root stays 0700. Where
 * there was none, it is what the kernel gives: 1777. */
static int inherit_mode(struct mount_work *w, struct err *err)
{
    struct stat st;

    if (w->target.made || has_option(&w->options.data, "mode"))
        return 0;
    if (fstat(w->target.fd, &st) < 0)
        return err_errno(err, "cannot look at the mount point");
    strv_take(&w->options.data, str_format("mode=%04o", st.st_mode & 07777));
    return 0;
}

/* "tmpcopyup": what was there before the tmpfs covers it. An owner or a mode that config.json gives
 * (`owned`) is not replaced. */
static int copy_up(const struct mount_work *w, int made, bool owned, struct err *err)
{
    if (w->options.copy_up && seed_directory(w->target.fd, made, !owned, err) < 0)
        return err_wrap(err, "'tmpcopyup' cannot copy what is there");
    return 0;
}

/* Other mounts have to find their mount points in a tmpfs, and devices their place in /dev: they
 * become read-only when all is done. */
static bool is_written_to(const struct mount_work *w)
{
    return mount_work_is(w, "tmpfs") || mount_target_is(w->mount->destination, "/dev");
}

/* SELinux kernels label the files of the first two by themselves, and those of the third one by
 * one. */
static bool is_labelled(const struct mount_work *w)
{
    return !mount_work_is(w, "proc") && !mount_work_is(w, "sysfs") && !mount_work_is(w, "mqueue");
}

static int new_filesystem(struct mount_work *w, uint64_t attributes, struct err *err)
{
    const struct spec *spec = w->m->spec;
    struct mount_fs fs = {
        .type = w->mount->type,
        .source = w->mount->source,
        .data = &w->options.data,
        .super = w->options.super,
        .readonly = attributes & MOUNT_ATTR_RDONLY && !is_shared_type(w->mount->type),
        .label_option = spec->mount_label_kind,
        .label = is_labelled(w) ? spec->mount_label : NULL,
        .attributes = attributes,
        .beneath = w->options.beneath,
        .place = w->m->root,
    };

    return mount_make(&fs, err);
}

/* A new one, or the host's where the kernel does not allow that. */
static int new_or_borrowed(struct mount_work *w, uint64_t attributes, bool *ret_borrowed,
                           struct err *err)
{
    cleanup_close int made = new_filesystem(w, attributes, err);

    *ret_borrowed = false;
    if (made >= 0 || err->code != EPERM || !w->m->spec->user_namespace)
        return made < 0 ? -err->code : steal_fd(&made);
    made = mount_borrow(w->m->spec, w->mount->type);
    if (made < 0)
        return err_wrap(err, "in a user namespace");
    *ret_borrowed = true;
    return mount_change(made, attributes, 0, true, err) < 0 ? -err->code : steal_fd(&made);
}

static int label(const struct mount_work *w, int made, struct err *err)
{
    return mount_work_is(w, "mqueue") ? mount_label_root(w->m->spec, made, err) : 0;
}

/* There is nothing below a new mount: "rro" is "ro". */
static uint64_t wanted_attributes(const struct mount_work *w)
{
    return (w->options.own.set & ~w->options.all.clear) | w->options.all.set;
}

static bool is_proc(const struct mount_work *w)
{
    return mount_work_is(w, "proc") && mount_target_is(w->mount->destination, "/proc");
}

static int make_filesystem(struct mount_work *w, struct err *err)
{
    const struct mount_options *o = &w->options;
    uint64_t attributes = wanted_attributes(w);
    uint64_t later = is_written_to(w) ? attributes & MOUNT_ATTR_RDONLY : 0;
    bool owned =
        has_option(&o->data, "mode") || has_option(&o->data, "uid") || has_option(&o->data, "gid");
    cleanup_close int made = -1;
    bool borrowed;

    if (mount_work_is(w, "tmpfs") && inherit_mode(w, err) < 0)
        return -err->code;
    made = new_or_borrowed(w, attributes & ~later, &borrowed, err);
    if (made < 0 || label(w, made, err) < 0 || copy_up(w, made, owned, err) < 0 ||
        mount_work_attach(w, made, err) < 0)
        return -err->code;
    if (borrowed && mount_borrow_finish(w->m->spec, w->mount->type, made, err) < 0)
        return -err->code;
    w->m->own_proc |= !borrowed && is_proc(w);
    return later ? mount_work_keep(made, &w->m->later, &w->m->later_count, err) : 0;
}

static int make_cgroups(struct mount_work *w, uint64_t attributes, struct err *err)
{
    const struct cgroup_view view = {
        .unified = mount_work_is(w, "cgroup2"),
        .data = &w->options.data,
        .attributes = attributes,
    };

    if (w->m->enter_cgroup(w->m->context, err) < 0)
        return -err->code;
    return cgroup_mount(w->m->cgroup, &view, w->target.fd, err);
}

static int check_filesystem(const struct mount_work *w, struct err *err)
{
    const struct mount_options *o = &w->options;

    if (!w->mount->type || !*w->mount->type)
        return err_set(err, EINVAL, "it has no type, and none of the options 'bind' and 'rbind'");
    if (o->copy_up && !mount_work_is(w, "tmpfs"))
        return err_set(err, EINVAL, "'tmpcopyup' is for a tmpfs, not for a '%s'", w->mount->type);
    if (mount_source_is_mapped(w->mount, o) || o->copy_symlink || o->source_nofollow ||
        o->target_nofollow || o->seed)
        return err_set(err, EINVAL, "one of its options is for a bind mount only");
    return 0;
}

int mount_filesystem(struct mount_work *w, struct err *err)
{
    if (check_filesystem(w, err) < 0 || mount_work_target(w, TARGET_DIRECTORY, err) < 0 ||
        mount_target_check(&w->target, w->mount->destination, mount_work_is(w, "proc"), err) < 0)
        return -err->code;
    if (mount_work_is(w, "cgroup") || mount_work_is(w, "cgroup2"))
        return make_cgroups(w, wanted_attributes(w), err);
    return make_filesystem(w, err);
}

/* --- "remount" -------------------------------------------------------------------------------- */

static int check_mounted(int fd, struct err *err)
{
    struct statx st;

    if (statx(fd, "", AT_EMPTY_PATH, 0, &st) < 0)
        return err_errno(err, "cannot look at it");
    if (!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT)) /* Linux 5.8 */
        return err_set(err, EINVAL, "'remount': nothing is mounted there");
    return 0;
}

/* What the options do not mention stays as it is. A file system's own options change it for
 * everybody who has it mounted; "ro" and the like are only for the mount. */
int mount_remount(struct mount_work *w, struct err *err)
{
    struct mount_fs fs = {.data = &w->options.data, .super = w->options.super};
    cleanup_close int fd = beneath_open(w->m->root, w->mount->destination, O_PATH, 0, 0);

    if (fd < 0)
        return err_set(err, -fd, "cannot open the mount point: %s", strerror(-fd));
    if (check_mounted(fd, err) < 0)
        return -err->code;
    if (!(w->options.bind || mount_work_is(w, "bind")) && (fs.data->len || fs.super) &&
        mount_reconfigure(fd, &fs, err) < 0)
        return -err->code;
    if (mount_work_change(w, fd, err) < 0)
        return -err->code;
    return mount_work_propagate(w, fd, err);
}
