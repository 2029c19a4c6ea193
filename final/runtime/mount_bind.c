/* Bind mounts: a part of the host's tree seen at another place. */
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
#include "runtime/mount_source.h"
#include "runtime/mount_work.h"
#include "runtime/seed.h"

/* A bind that asks for what only a file system can give: mount(8) passes over the known words, and
 * an unknown one is most likely mistyped. */
static int check_bind(const struct mount_work *w, struct err *err)
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

/* A copy that the parent made is still tied to the host's mounts where those are shared: what is
 * mounted in one appears in the other. It becomes what a copy of our own would be. */
static int cut_off(const struct mount_work *w, int tree, struct err *err)
{
    bool events = false;

    for (size_t i = 0; i < w->options.propagation_count; i++)
        events |= w->options.propagation[i] & (MS_SLAVE | MS_SHARED);
    return mount_propagate(tree, (events ? MS_SLAVE : MS_PRIVATE) | MS_REC, err);
}

static int ask_parent(const struct mount_work *w, struct err *err)
{
    size_t number = (size_t)(w->mount - w->m->spec->mounts);
    cleanup_close int tree = w->m->ask_source(w->m->context, number, err);

    if (tree < 0 || cut_off(w, tree, err) < 0)
        return -err->code;
    return steal_fd(&tree);
}

/* In a user namespace we may not search the directories that lead there, or not take one mount out
 * of the tree we were given. But what we open ourselves keeps the host's flags locked, so we try
 * first. */
static bool parent_might(const struct mount_work *w, const struct err *err)
{
    return w->m->spec->user_namespace &&
           (err->code == EACCES || err->code == EPERM || err->code == EINVAL);
}

static int open_source(const struct mount_work *w, struct err *err)
{
    int tree;

    if (w->m->from_parent || mount_source_is_mapped(w->mount, &w->options))
        return ask_parent(w, err);
    tree = mount_source_open(w->m->bundle, w->mount, &w->options, err);
    return tree < 0 && parent_might(w, err) ? ask_parent(w, err) : tree;
}

/* "copy-symlink": the link itself is made, unless it is there already. */
static int copy_symlink(const struct mount_work *w, int link, struct err *err)
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

static enum mount_target_kind target_kind(const struct mount_work *w, const struct stat *source)
{
    if (S_ISDIR(source->st_mode))
        return TARGET_DIRECTORY;
    return w->options.target_nofollow ? TARGET_LINK : TARGET_FILE;
}

/* A bind keeps the flags its source is mounted with: a host that says nosuid means it here too. */
int mount_bind(struct mount_work *w, struct err *err)
{
    cleanup_close int tree = -1;
    struct stat st;

    if (check_bind(w, err) < 0 || (tree = open_source(w, err)) < 0)
        return -err->code;
    if (fstat(tree, &st) < 0)
        return err_errno(err, "cannot look at the source");
    if (S_ISLNK(st.st_mode) && w->options.copy_symlink)
        return copy_symlink(w, tree, err);
    if (mount_work_target(w, target_kind(w, &st), err) < 0)
        return err->code == ENOTDIR ? mount_work_mismatch(err) : -err->code;
    if (mount_target_check(&w->target, w->mount->destination, is_proc_root(tree, &st), err) < 0)
        return -err->code;
    if (w->options.seed && S_ISDIR(st.st_mode) && !w->target.made &&
        seed_directory(w->target.fd, tree, true, err) < 0)
        return err_wrap(err, "cannot fill the volume");
    if (mount_work_change(w, tree, err) < 0)
        return -err->code;
    return mount_work_attach(w, tree, err);
}
