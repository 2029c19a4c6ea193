/* Directories of a layer. One that the image below has as well must not change it: mode, owner,
 * time and extended attributes are taken from there, as overlayfs does when it copies up. */
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "build/copy_parts.h"
#include "image/image.h"

#define CAPABILITY "security.capability"

void copy_dir_close(struct copy_dir *dir)
{
    close_fd(&dir->stage);
    close_fd(&dir->below);
}

/* --- attributes ------------------------------------------------------------------------------- */

/* Whole seconds, as in the tar of the layer: or the image would differ where it is pulled to. */
struct timespec copy_time(const struct copy_request *request, struct timespec modified, bool own)
{
    struct timespec t = {.tv_sec = modified.tv_sec};

    if (request->epoch != COPY_NO_EPOCH && (!own || t.tv_sec > request->epoch))
        t.tv_sec = request->epoch;
    return t;
}

void copy_entry_attributes(const struct copy_layering *w, const struct stat *st,
                           struct copy_attributes *ret)
{
    const struct copy_request *request = w->plan->request;
    const struct tree *tree = &w->source->tree;
    /* --chmod is not for what comes out of an archive: it has modes of its own. */
    bool chmod = request->chmod && !w->replace;

    *ret = (struct copy_attributes){
        .mode = chmod ? copy_apply_mode(request->chmod, st->st_mode) : st->st_mode,
        .uid = w->chown ? w->uid : st->st_uid,
        .gid = w->chown ? w->gid : st->st_gid,
        .modified = copy_time(request, st->st_mtim, tree->keep_owner),
        .xattrs = -1,
        .own_xattrs = tree->keep_owner,
    };
}

void copy_default_attributes(const struct copy_layering *w, struct copy_attributes *ret)
{
    const struct timespec now = {.tv_sec = time(NULL)};

    *ret = (struct copy_attributes){.mode = S_IFDIR | 0755,
                                    .uid = w->chown ? w->uid : 0,
                                    .gid = w->chown ? w->gid : 0,
                                    .modified = copy_time(w->plan->request, now, false),
                                    .xattrs = -1};
}

int copy_set_xattrs(int from, int to, bool own, struct err *err)
{
    char value[1024];
    ssize_t n;

    if (own)
        return layer_copy_xattrs(from, to, err);
    n = fgetxattr(from, CAPABILITY, value, sizeof value);
    if (n > 0 && fsetxattr(to, CAPABILITY, value, (size_t)n, 0) < 0)
        return err_errno(err, "cannot set its capabilities");
    return 0;
}

static void remember_time(struct copy_layering *w, const char *path, struct timespec modified)
{
    if (w->time_count == w->time_room)
        w->times = mem_grow(w->times, w->time_room = w->time_room ? 2 * w->time_room : 64,
                            sizeof *w->times);
    w->times[w->time_count++] = (struct copy_time){.path = str_copy(path), .modified = modified};
}

static int set_attributes(struct copy_layering *w, int fd, const char *path,
                          const struct copy_attributes *a, struct err *err)
{
    if (fchown(fd, a->uid, a->gid) < 0 || fchmod(fd, a->mode & 07777) < 0)
        return err_errno(err, "cannot set the owner and mode of '/%s'", path);
    if (a->xattrs >= 0 && copy_set_xattrs(a->xattrs, fd, a->own_xattrs, err) < 0)
        return err_wrap(err, "'/%s'", path);
    remember_time(w, path, a->modified);
    return 0;
}

static int set_as_below(struct copy_layering *w, int fd, int below, const char *path,
                        struct err *err)
{
    struct copy_attributes a = {.xattrs = below, .own_xattrs = true};
    struct stat st;

    if (fstat(below, &st) < 0)
        return err_errno(err, "cannot look at '/%s' of the image", path);
    a.mode = st.st_mode;
    a.uid = st.st_uid;
    a.gid = st.st_gid;
    a.modified = st.st_mtim;
    return set_attributes(w, fd, path, &a, err);
}

/* --- going down ------------------------------------------------------------------------------- */

static int open_below(const struct copy_dir *parent, const char *name)
{
    int fd;

    if (parent->below < 0)
        return -ENOENT;
    fd = openat(parent->below, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int not_directory(const char *path, struct err *err)
{
    return err_set(err, ENOTDIR, "cannot copy to non-directory: /%s", path);
}

/* *ret_fresh: it was not there until now. */
static int open_stage(const struct copy_dir *parent, const char *path, bool *ret_fresh,
                      struct err *err)
{
    const char *name = path_base(path);
    int fd;

    *ret_fresh = !mkdirat(parent->stage, name, 0700);
    if (!*ret_fresh && errno != EEXIST)
        return err_errno(err, "cannot make directory '/%s'", path);
    fd = openat(parent->stage, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
        return not_directory(path, err);
    return fd < 0 ? err_errno(err, "cannot open directory '/%s'", path) : fd;
}

int copy_enter(struct copy_layering *w, const struct copy_dir *parent, const char *path,
               const struct copy_attributes *attributes, struct copy_dir *ret, struct err *err)
{
    cleanup_close int below = open_below(parent, path_base(path)), stage = -1;
    bool fresh;
    int r = 0;

    if ((below == -ENOTDIR || below == -ELOOP) && !w->replace)
        return not_directory(path, err);
    if (below < 0 && below != -ENOENT && below != -ENOTDIR && below != -ELOOP)
        return err_set(err, -below, "cannot open '/%s' of the image: %s", path, strerror(-below));
    stage = open_stage(parent, path, &fresh, err);
    if (stage < 0)
        return stage;
    if (fresh && below >= 0)
        r = set_as_below(w, stage, below, path, err);
    if (!r && (attributes->set || (fresh && below < 0)))
        r = set_attributes(w, stage, path, attributes, err);
    if (r < 0)
        return r;
    *ret = (struct copy_dir){steal_fd(&stage), below < 0 ? -1 : steal_fd(&below)};
    return 0;
}

static int open_again(int fd, struct err *err)
{
    int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return again < 0 ? err_errno(err, "cannot open the root directory") : again;
}

/* The layer's root is the image's, also for --link, which looks at nothing else below. */
static int set_root(struct copy_layering *w, int stage, int below, struct err *err)
{
    struct copy_attributes attributes;

    if (below >= 0)
        return set_as_below(w, stage, below, "", err);
    copy_default_attributes(w, &attributes);
    attributes.uid = attributes.gid = 0;
    return set_attributes(w, stage, "", &attributes, err);
}

int copy_open_root(struct copy_layering *w, struct copy_dir *ret, struct err *err)
{
    cleanup_close int stage = open_again(w->target->stage, err), below = -1;
    int r = stage;

    if (r >= 0 && w->target->below >= 0)
        r = below = open_again(w->target->below, err);
    if (r >= 0 && !w->time_count)
        r = set_root(w, stage, below, err);
    if (r < 0)
        return r;
    if (w->plan->request->link)
        close_fd(&below);
    *ret = (struct copy_dir){steal_fd(&stage), steal_fd(&below)};
    return 0;
}

int copy_enter_path(struct copy_layering *w, const char *path,
                    const struct copy_attributes *attributes, struct copy_dir *ret, struct err *err)
{
    struct copy_dir dir;
    int r = copy_open_root(w, &dir, err);

    for (const char *end = path; r >= 0 && *end; end += *end == '/') {
        cleanup_free char *part = NULL;
        struct copy_dir next;

        end += strcspn(end, "/");
        part = str_copy_n(path, (size_t)(end - path));
        r = copy_enter(w, &dir, part, attributes, &next, err);
        copy_dir_close(&dir);
        if (r >= 0)
            dir = next;
    }
    if (r < 0)
        return r;
    *ret = dir;
    return 0;
}

/* --- at the end ------------------------------------------------------------------------------- */

/* In the order they were noted: what a later source says of a directory counts. */
int copy_set_times(struct copy_layering *w, struct err *err)
{
    for (size_t i = 0; i < w->time_count; i++) {
        const struct copy_time *t = &w->times[i];
        const struct timespec times[2] = {t->modified, t->modified};
        cleanup_close int fd = follow_open(w->target->stage, t->path, O_RDONLY | O_DIRECTORY);

        if (fd < 0 || futimens(fd, times) < 0)
            return err_set(err, fd < 0 ? -fd : errno, "cannot set the time of '/%s': %s", t->path,
                           strerror(fd < 0 ? -fd : errno));
    }
    return 0;
}

void copy_layering_free(struct copy_layering *w)
{
    for (size_t i = 0; i < w->time_count; i++)
        free(w->times[i].path);
    free(w->times);
}
