/* The mounts of config.json, in their order.
 *
 * The destination of a mount is a path inside an image, so a symlink there may point anywhere. It
 * is opened first, beneath the root (RESOLVE_IN_ROOT: "/x" and ".." mean the container's), made if
 * missing, and the mount is put on that descriptor (mount_target.h). What is mounted is made
 * before, detached, with all its attributes: it is never there with too few of them. */
#include "runtime/mounts.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "runtime/mount_api.h"
#include "runtime/mount_options.h"
#include "runtime/mount_target.h"
#include "runtime/seed.h"

/* One entry of the list while it is worked on. */
struct work {
    struct mounts *m;
    const struct spec_mount *mount;
    struct mount_options options;
    struct mount_target target;
};

static bool is_type(const struct spec_mount *mount, const char *type)
{
    return mount->type && !strcmp(mount->type, type);
}

static bool is_bind(const struct work *w)
{
    return w->options.bind || is_type(w->mount, "bind");
}

/* Masks and read-only paths are looked up by name in these afterwards: through a symlink they would
 * guard the wrong place (CVE-2019-19921, CVE-2023-27561). */
static bool is_fixed(const struct spec_mount *mount)
{
    return is_type(mount, "proc") || is_type(mount, "sysfs") ||
           mount_target_is(mount->destination, "/proc") ||
           mount_target_is(mount->destination, "/sys");
}

static int open_target(struct work *w, enum mount_target_kind kind, struct err *err)
{
    close_fd(&w->target.fd);
    if (kind == TARGET_DIRECTORY && is_fixed(w->mount))
        kind = TARGET_FIXED;
    return mount_target_open(w->m->root, w->mount->destination, kind, &w->target, err);
}

/* --- attributes ----------------------------------------------------------------------------------
 */

static int change_attributes(int mount, const struct mount_options *options, struct err *err)
{
    if (mount_change(mount, options->own.set, options->own.clear, false, err) < 0)
        return -err->code;
    return mount_change(mount, options->all.set, options->all.clear, true, err);
}

static int propagate(const struct work *w, int mount, struct err *err)
{
    for (size_t i = 0; i < w->options.propagation_count; i++) {
        unsigned long propagation = w->options.propagation[i];

        if (w->m->isolated && i == 0 && propagation & MS_PRIVATE)
            continue;
        if (mount_propagate(mount, propagation, err) < 0)
            return -err->code;
    }
    return 0;
}

/* --- binds ---------------------------------------------------------------------------------------
 */

static int type_mismatch(struct err *err)
{
    return err_set(
        err, ENOTDIR,
        "not a directory: one of both is a directory and the other is not. Are you trying "
        "to mount a directory onto a file (or vice-versa)? Check if the specified host "
        "path exists and is the expected type");
}

/* Where the rest of the set-up goes on to work. */
static const char *const place_names[] = {"/dev", "/proc", "/sys"};

static int remember_place(const struct work *w, int mount, struct err *err)
{
    for (size_t i = 0; i < sizeof place_names / sizeof *place_names; i++) {
        if (!mount_target_is(w->mount->destination, place_names[i]))
            continue;
        close_fd(&w->m->places[i]);
        w->m->places[i] = fcntl(mount, F_DUPFD_CLOEXEC, 3);
        if (w->m->places[i] < 0)
            return err_errno(err, "cannot keep the mount open");
    }
    return 0;
}

static int attach(const struct work *w, int mount, struct err *err)
{
    if (mount_attach(mount, w->target.fd, "", err) < 0)
        return err->code == ENOTDIR ? type_mismatch(err) : -err->code;
    return propagate(w, mount, err) < 0 ? -err->code : remember_place(w, mount, err);
}

/* A bind that asks for what only a file system can give: mount(8) passes over the known words, and
 * an unknown one is most likely mistyped. */
static int check_bind(const struct work *w, struct err *err)
{
    const struct mount_options *o = &w->options;

    if (!w->mount->source || !*w->mount->source)
        return err_set(err, EINVAL, "a bind needs a source");
    if (o->data.len)
        return err_set(err, EINVAL, "a bind mount has no option '%s'", o->data.items[0]);
    if (o->copy_up)
        return err_set(err, EINVAL, "'tmpcopyup' is for a tmpfs, not for a bind mount");
    if (o->copy_symlink && (o->source_nofollow || o->target_nofollow))
        return err_set(err, EINVAL, "'copy-symlink' excludes 'src-nofollow' and 'dest-nofollow'");
    return 0;
}

static int open_source(const struct work *w, struct err *err)
{
    const char *source = w->mount->source;
    cleanup_free char *path =
        *source == '/' ? str_copy(source) : str_format("%s/%s", w->m->bundle, source);
    unsigned flags =
        (w->options.recursive ? AT_RECURSIVE : 0) |
        (w->options.source_nofollow || w->options.copy_symlink ? AT_SYMLINK_NOFOLLOW : 0);

    return mount_clone(AT_FDCWD, path, flags, err);
}

/* "copy-symlink": the link itself is made, unless it is there already. */
static int copy_symlink(const struct work *w, int link, struct err *err)
{
    cleanup_close int parent = -1;
    char target[4096], there[4096], name[256];
    ssize_t n = readlinkat(link, "", target, sizeof target - 1), m;

    if (n < 0)
        return err_errno(err, "cannot read the symlink");
    target[n] = 0;
    parent = beneath_parent(w->m->root, w->mount->destination, 1, name, err);
    if (parent < 0)
        return -err->code;
    if (!symlinkat(target, parent, name))
        return 0;
    m = errno == EEXIST ? readlinkat(parent, name, there, sizeof there) : -1;
    if (m == n && !memcmp(target, there, (size_t)n))
        return 0;
    return err_set(err, EEXIST, "there is something else than a symlink to '%s' already", target);
}

static bool is_proc_root(int tree, const struct stat *st)
{
    struct statfs fs;

    return st->st_ino == 1 && !fstatfs(tree, &fs) && fs.f_type == PROC_SUPER_MAGIC;
}

static enum mount_target_kind target_kind(const struct work *w, const struct stat *source)
{
    if (S_ISDIR(source->st_mode))
        return TARGET_DIRECTORY;
    return w->options.target_nofollow ? TARGET_LINK : TARGET_FILE;
}

/* A bind keeps the flags its source is mounted with: a host that says nosuid means it here too. */
static int make_bind(struct work *w, struct err *err)
{
    cleanup_close int tree = -1;
    struct stat st;

    if (check_bind(w, err) < 0 || (tree = open_source(w, err)) < 0)
        return -err->code;
    if (fstat(tree, &st) < 0)
        return err_errno(err, "cannot look at the source");
    if (S_ISLNK(st.st_mode) && w->options.copy_symlink)
        return copy_symlink(w, tree, err);
    if (open_target(w, target_kind(w, &st), err) < 0)
        return err->code == ENOTDIR ? type_mismatch(err) : -err->code;
    if (mount_target_check(&w->target, w->mount->destination, is_proc_root(tree, &st), err) < 0)
        return -err->code;
    if (w->options.seed && S_ISDIR(st.st_mode) && seed_directory(w->target.fd, tree, true, err) < 0)
        return err_wrap(err, "cannot fill the volume");
    if (change_attributes(tree, &w->options, err) < 0)
        return -err->code;
    return attach(w, tree, err);
}

/* --- file systems --------------------------------------------------------------------------------
 */

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

/* A tmpfs takes the mode of the directory it covers, as in runc and crun: a /tmp stays 1777. */
static int inherit_mode(struct work *w, struct err *err)
{
    struct stat st;

    if (has_option(&w->options.data, "mode"))
        return 0;
    if (fstat(w->target.fd, &st) < 0)
        return err_errno(err, "cannot look at the mount point");
    strv_take(&w->options.data, str_format("mode=%04o", st.st_mode & 07777));
    return 0;
}

/* "tmpcopyup": what was there before the tmpfs covers it. An owner or a mode that config.json gives
 * (`owned`) is not replaced. */
static int copy_up(const struct work *w, int made, bool owned, struct err *err)
{
    if (w->options.copy_up && seed_directory(w->target.fd, made, !owned, err) < 0)
        return err_wrap(err, "'tmpcopyup' cannot copy what is there");
    return 0;
}

/* Other mounts have to find their mount points in a tmpfs, and devices their place in /dev: they
 * become read-only when all is done. */
static bool is_written_to(const struct work *w)
{
    return is_type(w->mount, "tmpfs") || mount_target_is(w->mount->destination, "/dev");
}

static int remember_readonly(struct mounts *m, int mount, struct err *err)
{
    int fd = fcntl(mount, F_DUPFD_CLOEXEC, 3);

    if (fd < 0)
        return err_errno(err, "cannot keep the mount open");
    m->later = mem_grow(m->later, m->later_count + 1, sizeof *m->later);
    m->later[m->later_count++] = fd;
    return 0;
}

static bool is_labelled(const struct spec_mount *mount)
{
    return !is_type(mount, "proc") && !is_type(mount, "sysfs") && !is_type(mount, "mqueue");
}

static int new_filesystem(struct work *w, uint64_t attributes, struct err *err)
{
    const struct spec *spec = w->m->spec;
    struct mount_fs fs = {
        .type = w->mount->type,
        .source = w->mount->source,
        .data = &w->options.data,
        .super = w->options.super,
        .readonly = attributes & MOUNT_ATTR_RDONLY && !is_shared_type(w->mount->type),
        .label_option = spec->mount_label_kind,
        .label = is_labelled(w->mount) ? spec->mount_label : NULL,
        .attributes = attributes,
        .place = w->m->root,
    };

    return mount_make(&fs, err);
}

static int make_filesystem(struct work *w, struct err *err)
{
    const struct mount_options *o = &w->options;
    uint64_t attributes = (o->own.set & ~o->all.clear) | o->all.set;
    bool later = attributes & MOUNT_ATTR_RDONLY && is_written_to(w);
    bool owned =
        has_option(&o->data, "mode") || has_option(&o->data, "uid") || has_option(&o->data, "gid");
    cleanup_close int made = -1;

    if (is_type(w->mount, "tmpfs") && inherit_mode(w, err) < 0)
        return -err->code;
    made = new_filesystem(w, later ? attributes & ~(uint64_t)MOUNT_ATTR_RDONLY : attributes, err);
    if (made < 0 || copy_up(w, made, owned, err) < 0 || attach(w, made, err) < 0)
        return -err->code;
    return later ? remember_readonly(w->m, made, err) : 0;
}

static int make_cgroups(struct work *w, struct err *err)
{
    if (w->m->enter_cgroup(w->m->context, err) < 0)
        return -err->code;
    return cgroup_mount(w->m->cgroup, w->target.fd, w->options.own.set, err);
}

static int check_filesystem(const struct work *w, struct err *err)
{
    const struct mount_options *o = &w->options;

    if (!w->mount->type || !*w->mount->type)
        return err_set(err, EINVAL, "it has no type, and none of the options 'bind' and 'rbind'");
    if (o->copy_up && !is_type(w->mount, "tmpfs"))
        return err_set(err, EINVAL, "'tmpcopyup' is for a tmpfs, not for a '%s'", w->mount->type);
    if (o->copy_symlink || o->source_nofollow || o->target_nofollow || o->seed)
        return err_set(err, EINVAL, "one of its options is for a bind mount only");
    return 0;
}

static int make_mount(struct work *w, struct err *err)
{
    if (check_filesystem(w, err) < 0 || open_target(w, TARGET_DIRECTORY, err) < 0 ||
        mount_target_check(&w->target, w->mount->destination, is_type(w->mount, "proc"), err) < 0)
        return -err->code;
    if (is_type(w->mount, "cgroup") || is_type(w->mount, "cgroup2"))
        return make_cgroups(w, err);
    return make_filesystem(w, err);
}

/* --- "remount" -----------------------------------------------------------------------------------
 */

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
static int remount(struct work *w, struct err *err)
{
    struct mount_fs fs = {.data = &w->options.data, .super = w->options.super};
    cleanup_close int fd = beneath_open(w->m->root, w->mount->destination, O_PATH, 0, 0);

    if (fd < 0)
        return err_set(err, -fd, "cannot open the mount point: %s", strerror(-fd));
    if (check_mounted(fd, err) < 0)
        return -err->code;
    if (!is_bind(w) && (fs.data->len || fs.super) && mount_reconfigure(fd, &fs, err) < 0)
        return -err->code;
    if (change_attributes(fd, &w->options, err) < 0)
        return -err->code;
    return propagate(w, fd, err);
}

/* --- the list ------------------------------------------------------------------------------------
 */

static int make_one(struct work *w, struct err *err)
{
    if (mount_options_parse(&w->mount->options, &w->options, err) < 0)
        return -err->code;
    if (mount_target_is(w->mount->destination, "/"))
        return err_set(err, EINVAL,
                       "the destination is the root itself: that is what root.path is for");
    if (w->options.remount)
        return remount(w, err);
    return is_bind(w) ? make_bind(w, err) : make_mount(w, err);
}

static void end_work(struct work *w)
{
    mount_options_free(&w->options);
    close_fd(&w->target.fd);
}

int mounts_make(struct mounts *m, struct err *err)
{
    for (size_t i = 0; i < m->spec->mount_count; i++) {
        const struct spec_mount *mount = &m->spec->mounts[i];
        cleanup_with(end_work) struct work w = {.m = m, .mount = mount, .target.fd = -1};

        if (make_one(&w, err) < 0)
            return err_wrap(err, "mounts[%zu]: cannot mount '%s' on '%s'", i,
                            mount->source && *mount->source ? mount->source
                            : mount->type                   ? mount->type
                                                            : "",
                            mount->destination);
    }
    return 0;
}

int mounts_finish(struct mounts *m, struct err *err)
{
    for (size_t i = 0; i < m->later_count; i++)
        if (mount_change(m->later[i], MOUNT_ATTR_RDONLY, 0, false, err) < 0)
            return err_wrap(err, "cannot make a mount read-only");
    return 0;
}

void mounts_free(struct mounts *m)
{
    for (size_t i = 0; i < m->later_count; i++)
        close(m->later[i]);
    free(m->later);
    m->later = NULL;
    m->later_count = 0;
    for (size_t i = 0; i < sizeof m->places / sizeof *m->places; i++)
        close_fd(&m->places[i]);
}

int mounts_open(const struct mounts *m, const char *path)
{
    cleanup_free char *clean = mount_target_clean(path);

    for (size_t i = 0; i < sizeof place_names / sizeof *place_names; i++) {
        size_t n = strlen(place_names[i]);

        if (m->places[i] >= 0 && !strncmp(clean, place_names[i], n) && clean[n] == '/')
            return beneath_open(m->places[i], clean + n + 1, O_PATH, 0, 0);
    }
    return beneath_open(m->root, clean, O_PATH, 0, 0);
}

int mounts_dev(const struct mounts *m)
{
    return m->places[0];
}

bool mounts_bind_dev(const struct spec *spec)
{
    for (size_t i = 0; i < spec->mount_count; i++) {
        const struct spec_mount *mount = &spec->mounts[i];

        if (mount_target_is(mount->destination, "/dev"))
            return is_type(mount, "bind") || strv_contains(&mount->options, "bind") ||
                   strv_contains(&mount->options, "rbind");
    }
    return false;
}
