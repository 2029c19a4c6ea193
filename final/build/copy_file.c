/* One file into the layer: content, then owner (which takes set-user-ID bits away), mode,
 * capabilities (which a new owner takes away), times. */
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/copy.h"
#include "base/file.h"
#include "build/copy_parts.h"

#define TEXT_MODE (S_IFREG | 0644)

/* --- room for it ------------------------------------------------------------------------------ */

static int in_the_way(const char *path, struct err *err)
{
    return err_set(err, EISDIR, "cannot replace to directory /%s with file", path);
}

/* What an earlier source put there goes; a file of the image below is merely hidden. */
static int make_way(const struct copy_layering *w, const struct copy_dir *dir, const char *path,
                    struct err *err)
{
    const char *name = path_base(path);
    struct stat st;

    if (!w->replace && dir->below >= 0 && !fstatat(dir->below, name, &st, AT_SYMLINK_NOFOLLOW) &&
        S_ISDIR(st.st_mode))
        return in_the_way(path, err);
    if (fstatat(dir->stage, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(err, "cannot look at '/%s'", path);
    if (S_ISDIR(st.st_mode))
        return in_the_way(path, err);
    return unlinkat(dir->stage, name, 0) < 0 ? err_errno(err, "cannot replace '/%s'", path) : 0;
}

static int create(const struct copy_dir *dir, const char *path, struct err *err)
{
    int fd = openat(dir->stage, path_base(path), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    0600);

    return fd < 0 ? err_errno(err, "cannot create '/%s'", path) : fd;
}

/* --- regular files ---------------------------------------------------------------------------- */

static int finish(int fd, int from, const struct copy_attributes *a, const char *path,
                  struct err *err)
{
    const struct timespec times[2] = {a->modified, a->modified};

    if (fchown(fd, a->uid, a->gid) < 0 || fchmod(fd, a->mode & 07777) < 0)
        return err_errno(err, "cannot set the owner and mode of '/%s'", path);
    if (from >= 0 && copy_set_xattrs(from, fd, a->own_xattrs, err) < 0)
        return err_wrap(err, "'/%s'", path);
    return futimens(fd, times) < 0 ? err_errno(err, "cannot set the time of '/%s'", path) : 0;
}

static bool same_state(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           !memcmp(&a->st_mtim, &b->st_mtim, sizeof a->st_mtim) &&
           !memcmp(&a->st_ctim, &b->st_ctim, sizeof a->st_ctim);
}

static int open_source(struct copy_layering *w, const struct copy_entry *e, struct stat *ret,
                       struct err *err)
{
    cleanup_close int fd = follow_open(w->source->tree.root, e->path, O_RDONLY | O_NONBLOCK);

    if (fd < 0)
        return err_set(err, -fd, "'%s' changed while it was copied: %s", e->path, strerror(-fd));
    if (fstat(fd, ret) < 0)
        return err_errno(err, "cannot look at '%s'", e->path);
    if (!S_ISREG(ret->st_mode))
        return err_set(err, EAGAIN, "'%s' changed while it was copied: build again", e->path);
    return steal_fd(&fd);
}

/* The cache must know what is in the layer, not what was in the file when it was looked at. */
static int hash_again(struct copy_layering *w, struct copy_entry *e, int out,
                      const struct stat *now, struct err *err)
{
    struct tree unknown = w->source->tree;
    struct stat st = *now;

    unknown.hashes = NULL;
    e->st.st_mode = now->st_mode;
    e->st.st_size = now->st_size;
    return copy_hash_file(&unknown, out, &st, e->digest, err);
}

static int copy_regular(struct copy_layering *w, struct copy_entry *e, const struct copy_dir *dir,
                        const char *path, struct err *err)
{
    struct copy_attributes a;
    struct stat now;
    cleanup_close int in = open_source(w, e, &now, err), out = in < 0 ? -1 : create(dir, path, err);
    int r;

    if (in < 0 || out < 0)
        return -err->code;
    r = copy_content(in, out, now.st_size);
    if (r < 0)
        return err_set(err, -r, "cannot copy '%s' to '/%s': %s", e->path, path, strerror(-r));
    if (!w->source->tree.keep_owner)
        now.st_uid = now.st_gid = 0;
    copy_entry_attributes(w, &now, &a);
    r = finish(out, in, &a, path, err);
    if (!r && !same_state(&now, &e->st))
        r = hash_again(w, e, out, &now, err);
    return r;
}

/* Out of a directory that is ours and goes away: another name for the same file is enough. */
static int take_regular(struct copy_layering *w, const struct copy_entry *e,
                        const struct copy_dir *dir, const char *path, struct err *err)
{
    const char *name = path_base(path);
    cleanup_close int fd = -1;
    struct copy_attributes a;

    if (linkat(w->source->tree.root, e->path, dir->stage, name, 0) < 0)
        return err_errno(err, "cannot move '%s' to '/%s'", e->path, path);
    fd = openat(dir->stage, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "cannot open '/%s'", path);
    copy_entry_attributes(w, &e->st, &a);
    return finish(fd, fd, &a, path, err);
}

/* --- all kinds -------------------------------------------------------------------------------- */

static int make_special(struct copy_layering *w, const struct copy_entry *e,
                        const struct copy_dir *dir, const char *path, struct err *err)
{
    const char *name = path_base(path);
    struct copy_attributes a;
    struct timespec times[2];
    int r;

    copy_entry_attributes(w, &e->st, &a);
    times[0] = times[1] = a.modified;
    r = S_ISLNK(e->st.st_mode) ? symlinkat(e->link, dir->stage, name)
                               : mknodat(dir->stage, name, e->st.st_mode, e->st.st_rdev);
    if (r < 0 || fchownat(dir->stage, name, a.uid, a.gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "cannot make '/%s'", path);
    if (!S_ISLNK(e->st.st_mode) && fchmodat(dir->stage, name, a.mode & 07777, 0) < 0)
        return err_errno(err, "cannot set the mode of '/%s'", path);
    if (utimensat(dir->stage, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "cannot set the time of '/%s'", path);
    return 0;
}

static int make_link(struct copy_layering *w, const struct copy_entry *e,
                     const struct copy_dir *dir, const char *path, struct err *err)
{
    if (linkat(w->target->stage, w->made[e->same], dir->stage, path_base(path), 0) < 0)
        return err_errno(err, "cannot make hard link '/%s'", path);
    return 0;
}

int copy_make_file(struct copy_layering *w, size_t index, const struct copy_dir *dir,
                   const char *target_path, struct err *err)
{
    struct copy_entry *e = &w->source->entries[index];
    int r = make_way(w, dir, target_path, err);

    if (r < 0)
        return r;
    if (e->st.st_nlink > 1)
        w->made[index] = str_copy(target_path);
    if (e->same != COPY_NO_LINK)
        return make_link(w, e, dir, target_path, err);
    if (!S_ISREG(e->st.st_mode))
        return make_special(w, e, dir, target_path, err);
    return w->source->tree.disposable ? take_regular(w, e, dir, target_path, err)
                                      : copy_regular(w, e, dir, target_path, err);
}

int copy_make_text(struct copy_layering *w, const struct copy_dir *dir, const char *target_path,
                   struct err *err)
{
    const struct stat st = {.st_mode = TEXT_MODE, .st_mtim = {.tv_sec = time(NULL)}};
    struct copy_attributes a;
    int r = make_way(w, dir, target_path, err);
    cleanup_close int fd = r < 0 ? r : create(dir, target_path, err);

    if (fd < 0)
        return fd;
    r = file_write(fd, w->source->text, strlen(w->source->text));
    if (r < 0)
        return err_set(err, -r, "cannot write '/%s': %s", target_path, strerror(-r));
    copy_entry_attributes(w, &st, &a);
    return finish(fd, -1, &a, target_path, err);
}
