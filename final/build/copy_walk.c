/* Everything a source has in it, in the order of names, hashed. Descriptors only: what somebody
 * renames meanwhile is found as it was or not at all, and never elsewhere. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "build/copy_parts.h"
#include "build/ignore.h"
#include "image/image.h"

#define PIECE      (64u << 10)
#define TRIES      3
#define CAPABILITY "security.capability"

struct walking {
    struct copy_plan *plan;
    struct copy_source *source;
    size_t top; /* length of the source's own path, with its slash */
};

/* What is known of the directory that is being read. */
struct level {
    const struct ignore_state *ignored, *excluded;
    size_t depth;
};

/* --- content ---------------------------------------------------------------------------------- */

static int hash_content(int fd, struct hasher *h, struct err *err)
{
    char piece[PIECE];
    off_t at = 0;
    ssize_t n;

    while ((n = pread(fd, piece, sizeof piece, at)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "cannot read it");
        hasher_add(h, piece, (size_t)n);
        at += n;
    }
    return 0;
}

/* Of a context only what a program may need to work; the rest is the checkout's own. */
static int hash_xattrs(const struct tree *tree, int fd, struct hasher *h, struct err *err)
{
    char value[1024];
    ssize_t n;

    if (tree->keep_owner)
        return layer_hash_xattrs(fd, h, err);
    n = fgetxattr(fd, CAPABILITY, value, sizeof value);
    if (n > 0)
        hasher_add(h, value, (size_t)n);
    return 0;
}

static bool unchanged(int fd, const struct stat *before)
{
    struct stat now;

    return !fstat(fd, &now) && now.st_size == before->st_size &&
           !memcmp(&now.st_mtim, &before->st_mtim, sizeof now.st_mtim) &&
           !memcmp(&now.st_ctim, &before->st_ctim, sizeof now.st_ctim);
}

int copy_hash_file(const struct tree *tree, int fd, const struct stat *st, char ret[DIGEST_LEN + 1],
                   struct err *err)
{
    struct hasher *h = hasher_new();
    int r = hash_content(fd, h, err);

    if (!r)
        r = hash_xattrs(tree, fd, h, err);
    if (r < 0) {
        hasher_free(h);
        return r;
    }
    hasher_finish(h, ret);
    if (unchanged(fd, st))
        hashes_note(tree->hashes, st, ret);
    return 0;
}

static int hash_entry(struct walking *w, struct copy_entry *e, int dir, const char *name,
                      struct err *err)
{
    cleanup_close int fd = -1;

    if (hashes_find(w->source->tree.hashes, &e->st, e->digest))
        return 0;
    fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &e->st) < 0)
        return err_errno(err, "cannot open '%s'", e->path);
    if (!S_ISREG(e->st.st_mode))
        return err_set(err, EAGAIN, "'%s' changed while it was read: build again", e->path);
    if (copy_hash_file(&w->source->tree, fd, &e->st, e->digest, err) < 0)
        return err_wrap(err, "'%s'", e->path);
    return 0;
}

/* --- entries ---------------------------------------------------------------------------------- */

static int read_link(struct copy_entry *e, int dir, const char *name, struct err *err)
{
    char target[4096];
    ssize_t n = readlinkat(dir, name, target, sizeof target);

    if (n < 0 || n == sizeof target)
        return n < 0 ? err_errno(err, "cannot read symlink '%s'", e->path)
                     : err_set(err, ENAMETOOLONG, "symlink '%s' is too long", e->path);
    e->link = str_copy_n(target, (size_t)n);
    return 0;
}

/* Names and files that would mean something else in a layer. */
static int check(const struct copy_entry *e, const char *name, struct err *err)
{
    if (str_starts(name, ".wh."))
        return err_set(err, EINVAL,
                       "'%s' cannot be copied: in a layer such a name deletes a file; rename it or "
                       "list it in .dockerignore",
                       e->path);
    if (S_ISCHR(e->st.st_mode) && !e->st.st_rdev)
        return err_set(err, EINVAL, "'%s' cannot be copied: such a device deletes a file", e->path);
    return 0;
}

static int add_entry(struct walking *w, int dir, const char *name, const char *path,
                     const struct stat *st, struct err *err)
{
    size_t rel = strlen(path) > w->top ? w->top : strlen(path);
    struct copy_entry *e = copy_add_entry(w->source, path, rel, st);
    int r = check(e, name, err);

    e->same = copy_find_same(w->source);
    if (!r && S_ISREG(st->st_mode) && e->same == COPY_NO_LINK)
        r = hash_entry(w, e, dir, name, err);
    if (!r && S_ISLNK(st->st_mode))
        r = read_link(e, dir, name, err);
    if (!w->source->tree.keep_owner)
        e->st.st_uid = e->st.st_gid = 0;
    return r;
}

static void drop_last(struct copy_source *s)
{
    struct copy_entry *e = &s->entries[--s->count];

    free(e->path);
    free(e->link);
}

/* --- directories ------------------------------------------------------------------------------ */

static int walk(struct walking *w, int dir, const char *path, const struct level *level,
                struct err *err);

static int walk_into(struct walking *w, int dir, const char *name, const char *path,
                     const struct level *level, struct err *err)
{
    cleanup_close int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, "cannot open directory '%s'", path);
    if (level->depth > COPY_DEPTH_MAX)
        return err_set(err, ELOOP, "'%s' is more than %d directories deep", path, COPY_DEPTH_MAX);
    return walk(w, fd, path, level, err);
}

struct verdict {
    bool out, maybe_in; /* left out itself; something in it may be wanted for all that */
};

static struct verdict judge(const struct ignore *list, const struct ignore_state *above,
                            const char *path, struct ignore_state **ret_state)
{
    struct verdict v = {0};

    *ret_state = NULL;
    if (list && *path)
        v.out = ignore_matches(list, above, path, ret_state);
    v.maybe_in = v.out && ignore_has_exceptions(list);
    return v;
}

/* A directory that is left out is made for what is in it and is not. */
static int visit_directory(struct walking *w, int dir, const char *name, const char *path,
                           const struct stat *st, const struct level *level, bool out,
                           struct err *err)
{
    size_t index = w->source->count;
    int r = add_entry(w, dir, name, path, st, err);

    if (!r)
        r = walk_into(w, dir, name, path, level, err);
    if (!r && out && w->source->count == index + 1)
        drop_last(w->source);
    return r;
}

/* What --exclude speaks of: what is behind the pivot, or in the directory that is copied. */
static const char *excluded_name(const struct walking *w, const char *path)
{
    size_t skip = w->top;

    if (w->plan->request->parents)
        skip = strlen(w->source->path) - strlen(w->source->as);
    return strlen(path) > skip ? path + skip : "";
}

static int visit(struct walking *w, int dir, const char *name, const char *path,
                 const struct level *level, struct err *err)
{
    struct ignore_state *ignored, *excluded;
    struct verdict a = judge(w->source->tree.ignore, level->ignored, path, &ignored);
    struct verdict b = judge(w->plan->excludes, level->excluded, excluded_name(w, path), &excluded);
    const struct level next = {ignored, excluded, level->depth + 1};
    bool out = a.out || b.out, enter = (!a.out || a.maybe_in) && (!b.out || b.maybe_in);
    struct stat st;
    int r = 0;

    if (out && !enter)
        ;
    else if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        r = errno == ENOENT ? 0 : err_errno(err, "cannot look at '%s'", path);
    else if (S_ISDIR(st.st_mode))
        r = visit_directory(w, dir, name, path, &st, &next, out, err);
    else if (!out && !S_ISSOCK(st.st_mode)) /* means nothing without who listens on it */
        r = add_entry(w, dir, name, path, &st, err);
    free(ignored);
    free(excluded);
    return r;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int walk(struct walking *w, int dir, const char *path, const struct level *level,
                struct err *err)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    cleanup_closedir DIR *list = copy < 0 ? NULL : fdopendir(copy);
    cleanup_strv struct strv names = {0};
    struct dirent *entry;

    if (!list)
        return err_errno(err, "cannot read directory '%s'", path);
    while ((entry = file_next_entry(list)))
        strv_add(&names, entry->d_name);
    if (errno)
        return err_errno(err, "cannot read directory '%s'", path);
    if (names.len)
        qsort(names.items, names.len, sizeof *names.items, by_bytes);
    for (size_t i = 0; !r && i < names.len; i++) {
        cleanup_free char *child = path_join(path, names.items[i]);

        r = copy_cancelled(w->plan) ? err_set(err, ECANCELED, "cancelled")
                                    : visit(w, dir, names.items[i], child, level, err);
    }
    return r;
}

/* --- the source ------------------------------------------------------------------------------- */

/* The states of all directories above, so that walk() knows what they say about their content. */
static struct ignore_state *state_of(const struct ignore *list, const char *path)
{
    struct ignore_state *state = NULL;

    for (const char *end = path; list && *end; end += *end == '/') {
        struct ignore_state *above = state;
        cleanup_free char *part = NULL;

        end += strcspn(end, "/");
        part = str_copy_n(path, (size_t)(end - path));
        ignore_matches(list, above, part, &state);
        free(above);
    }
    return state;
}

static int walk_directory(struct walking *w, int fd, const struct stat *st, struct err *err)
{
    const char *path = w->source->path;
    cleanup_free struct ignore_state *ignored = state_of(w->source->tree.ignore, path);
    cleanup_free struct ignore_state *excluded =
        state_of(w->plan->excludes, excluded_name(w, path));
    const struct level level = {ignored, excluded, 0};
    int r = add_entry(w, -1, "", path, st, err);

    return r < 0 ? r : walk(w, fd, path, &level, err);
}

static int walk_file(struct walking *w, const struct stat *st, struct err *err)
{
    const char *path = w->source->path, *slash = strrchr(path, '/');
    cleanup_free char *parent = str_copy_n(path, slash ? (size_t)(slash - path) : 0);
    cleanup_close int dir = follow_open(w->source->tree.root, parent, O_PATH | O_DIRECTORY);

    if (dir < 0)
        return err_set(err, -dir, "cannot open '%s': %s", parent, strerror(-dir));
    if (S_ISSOCK(st->st_mode))
        return err_set(err, EINVAL, "'%s' is a socket: it cannot be copied", path);
    return add_entry(w, dir, path_base(path), path, st, err);
}

int copy_walk(struct copy_plan *plan, struct copy_source *s, struct err *err)
{
    struct walking w = {.plan = plan, .source = s};
    cleanup_close int fd =
        follow_open(s->tree.root, s->path, s->directory ? O_RDONLY | O_DIRECTORY : O_PATH);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_set(err, fd < 0 ? -fd : errno, "cannot open '%s': %s", s->path,
                       strerror(fd < 0 ? -fd : errno));
    w.top = strlen(s->path) + (*s->path != 0);
    return s->directory ? walk_directory(&w, fd, &st, err) : walk_file(&w, &st, err);
}
