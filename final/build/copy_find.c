/* Which files a word of COPY means. Nothing is above the root of a tree: "../x" is "x", as with
 * BuildKit. Up to its first pattern a path goes through symlinks, behind it only through
 * directories, or one could be found twice. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "build/copy_parts.h"
#include "build/ignore.h"

struct finding {
    struct copy_plan *plan;
    const struct tree *tree;
    struct strv parts; /* of the path, or of its part behind the pivot */
    size_t pivot;      /* --parents: where in a real path the part to keep begins */
    bool pattern;      /* the word has one: it may find nothing, the same thing twice */
    struct strv found; /* real paths */
};

/* --- words and paths -------------------------------------------------------------------------- */

/* The name of a directory that matches an exception may lead to a file that is not ignored. */
static bool is_hidden(const struct tree *tree, const char *path, bool directory)
{
    if (!*path || !ignore_matches_path(tree->ignore, path))
        return false;
    return !directory || !ignore_has_exceptions(tree->ignore);
}

static int not_found(const struct finding *f, const char *word, struct err *err)
{
    const char *name = f->plan->request->add ? "ADD" : "COPY";

    if (f->tree->keep_owner)
        return err_set(err, ENOENT, "%s failed: stat %s: file does not exist in %s", name, word,
                       f->tree->what);
    return err_set(err, ENOENT,
                   "%s failed: file not found in build context or excluded by .dockerignore: "
                   "stat %s: file does not exist",
                   name, word);
}

static int not_readable(const char *path, int number, struct err *err)
{
    return err_set(err, -number, "cannot look at '%s': %s", path, strerror(-number));
}

/* --- what was found --------------------------------------------------------------------------- */

/* --exclude speaks of what is in a directory that is copied; of a file that is copied by a name of
 * its own, and of a directory found by a pattern, it speaks by that name. */
static bool is_excluded(const struct finding *f, const char *path, bool directory)
{
    const char *name = f->plan->request->parents ? path + f->pivot : path_base(path);

    if ((directory && !f->pattern) || !*name)
        return false;
    return ignore_matches_path(f->plan->excludes, name);
}

static size_t count_parents(const char *as)
{
    size_t n = 0;

    for (; *as; as++)
        n += *as == '/';
    return n;
}

static void add(struct finding *f, const char *path, const char *name, bool directory)
{
    cleanup_free char *known = str_format("%s//%s", path, name);
    struct copy_source *s;

    if (strv_contains(&f->found, known) || is_excluded(f, path, directory))
        return;
    strv_add(&f->found, known);
    s = copy_add_source(f->plan, f->tree);
    s->path = str_copy(path);
    s->directory = directory;
    s->named = f->plan->request->parents;
    s->as = str_copy(f->plan->request->parents ? path + f->pivot : directory ? "" : name);
    s->parents = f->plan->request->parents ? count_parents(s->as) : 0;
    s->unpack = f->plan->request->unpack >= 0 ? f->plan->request->unpack : f->plan->request->add;
}

/* --- patterns --------------------------------------------------------------------------------- */

static int expand(struct finding *f, const char *dir, size_t part, struct err *err);

/* A symlink that fits is what it leads to, under its own name; --parents keeps it. */
static int accept_link(struct finding *f, const char *path, struct err *err)
{
    struct followed at;
    int r;

    if (f->plan->request->parents) {
        add(f, path, "", false);
        return 0;
    }
    r = follow_path(f->tree->root, path, true, &at);
    if (r < 0)
        return not_readable(path, r, err);
    if (at.missing || is_hidden(f->tree, at.path, S_ISDIR(at.st.st_mode)))
        r = not_found(f, path, err);
    else
        add(f, at.path, path_base(path), S_ISDIR(at.st.st_mode));
    followed_free(&at);
    return r;
}

/* `path` fits the parts up to this one. */
static int accept(struct finding *f, const char *path, size_t part, struct err *err)
{
    cleanup_close int fd = follow_open(f->tree->root, path, O_PATH);
    struct stat st;

    if (fd == -ENOENT || fd == -ENOTDIR)
        return 0;
    if (fd < 0 || fstat(fd, &st) < 0)
        return not_readable(path, fd < 0 ? fd : -errno, err);
    if (is_hidden(f->tree, path, S_ISDIR(st.st_mode)))
        return 0;
    if (part + 1 < f->parts.len)
        return S_ISDIR(st.st_mode) ? expand(f, path, part + 1, err) : 0;
    if (S_ISLNK(st.st_mode))
        return accept_link(f, path, err);
    add(f, path, path_base(path), S_ISDIR(st.st_mode));
    return 0;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_names(struct finding *f, const char *dir, struct strv *ret, struct err *err)
{
    int fd = follow_open(f->tree->root, dir, O_RDONLY | O_DIRECTORY);
    cleanup_closedir DIR *list = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!list)
        return fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP ? 0 : not_readable(dir, fd, err);
    while ((entry = file_next_entry(list)))
        strv_add(ret, entry->d_name);
    if (errno)
        return err_errno(err, "cannot read directory '%s'", dir);
    if (ret->len)
        qsort(ret->items, ret->len, sizeof *ret->items, by_bytes);
    return 0;
}

/* Every directory below `dir`, too, may be where the parts behind ** begin. */
static int expand_any_depth(struct finding *f, const char *dir, size_t part, struct err *err)
{
    cleanup_strv struct strv names = {0};
    bool last = part + 1 == f->parts.len;
    int r = last ? 0 : expand(f, dir, part + 1, err);

    if (!r)
        r = list_names(f, dir, &names, err);
    for (size_t i = 0; !r && i < names.len; i++) {
        cleanup_free char *path = path_join(dir, names.items[i]);
        cleanup_close int fd = follow_open(f->tree->root, path, O_PATH | O_DIRECTORY);

        if (last)
            r = accept(f, path, part, err);
        else if (fd >= 0 && !is_hidden(f->tree, path, true))
            r = expand_any_depth(f, path, part, err);
    }
    return r;
}

static int expand(struct finding *f, const char *dir, size_t part, struct err *err)
{
    cleanup_strv struct strv names = {0};
    const char *text = f->parts.items[part];
    cleanup_free char *plain = path_join(dir, text);
    cleanup_with(path_pattern_cleanup) struct path_pattern *pattern = NULL;
    int r;

    if (!path_has_pattern(text))
        return accept(f, plain, part, err);
    if (!strcmp(text, "**"))
        return expand_any_depth(f, dir, part, err);
    r = path_pattern_new(text, &pattern, err);
    if (!r)
        r = list_names(f, dir, &names, err);
    for (size_t i = 0; !r && i < names.len; i++) {
        cleanup_free char *path = path_join(dir, names.items[i]);

        if (path_pattern_matches(pattern, names.items[i]))
            r = accept(f, path, part, err);
    }
    return r;
}

/* --- whole words ------------------------------------------------------------------------------ */

static void split(struct finding *f, const char *clean)
{
    strv_free(&f->parts);
    if (strcmp(clean, ".") != 0)
        strv_split(&f->parts, clean, '/');
}

/* Through symlinks to where the patterns begin. The parts gone are taken off. */
static int follow_plain(struct finding *f, const char *clean, struct followed *ret, bool whole)
{
    cleanup_free char *prefix = str_copy("");
    size_t n = 0, kept = 0;

    split(f, clean);
    while (n < f->parts.len && (whole || !path_has_pattern(f->parts.items[n]))) {
        char *longer = path_join(prefix, f->parts.items[n++]);

        free(prefix);
        prefix = longer;
    }
    for (size_t i = 0; i < f->parts.len; i++)
        if (i < n)
            free(f->parts.items[i]);
        else
            f->parts.items[kept++] = f->parts.items[i];
    f->parts.len = kept;
    return follow_path(f->tree->root, prefix, true, ret);
}

static int find_plain(struct finding *f, const char *word, const char *clean, struct err *err)
{
    struct followed at;
    int r = follow_plain(f, clean, &at, true);

    if (r < 0)
        return r == -ENOTDIR ? not_found(f, word, err) : not_readable(word, r, err);
    if (at.missing || is_hidden(f->tree, at.path, S_ISDIR(at.st.st_mode)))
        r = not_found(f, word, err);
    else
        add(f, at.path, path_base(clean), S_ISDIR(at.st.st_mode));
    followed_free(&at);
    return r;
}

static int find_pattern(struct finding *f, const char *word, const char *clean, struct err *err)
{
    struct followed at;
    int r = follow_plain(f, clean, &at, false);

    if (r < 0)
        return r == -ENOTDIR ? not_found(f, word, err) : not_readable(word, r, err);
    if (at.missing)
        r = not_found(f, word, err);
    else if (S_ISDIR(at.st.st_mode))
        r = expand(f, at.path, 0, err);
    followed_free(&at);
    return r;
}

/* --parents, from one directory that the part before the pivot means. */
static int find_behind_pivot(struct finding *f, const char *word, const char *dir, const char *rest,
                             struct err *err)
{
    size_t before = f->found.len;
    int r;

    split(f, rest);
    f->pivot = strlen(dir) + (*dir != 0);
    f->pattern = path_has_pattern(rest);
    if (!f->parts.len) {
        add(f, dir, "", true);
        return 0;
    }
    r = expand(f, dir, 0, err);
    if (!r && f->found.len == before && !path_has_pattern(word))
        r = not_found(f, word, err);
    return r;
}

/* The directories before the pivot: looked for as if they were to be copied. */
static int find_pivots(struct finding *f, const char *prefix, struct strv *ret, struct err *err)
{
    struct copy_request request = *f->plan->request;
    struct copy_plan plain = {.request = &request};
    int r;

    request.parents = false;
    r = copy_find(&plain, prefix, err);
    for (size_t i = 0; i < plain.count; i++) {
        if (plain.sources[i].directory)
            strv_add(ret, plain.sources[i].path);
        copy_source_free(&plain, &plain.sources[i]);
    }
    free(plain.sources);
    return r;
}

static int find_parents(struct finding *f, const char *word, struct err *err)
{
    const char *pivot = strstr(word, "/./");
    cleanup_free char *prefix = pivot ? str_copy_n(word, (size_t)(pivot - word)) : str_copy("");
    cleanup_free char *rooted = str_format("/%s", pivot ? pivot + 3 : word);
    cleanup_free char *rest = path_clean(rooted);
    cleanup_strv struct strv dirs = {0};
    int r = find_pivots(f, prefix, &dirs, err);

    for (size_t i = 0; !r && i < dirs.len; i++)
        r = find_behind_pivot(f, word, dirs.items[i], rest, err);
    return r;
}

int copy_find(struct copy_plan *plan, const char *word, struct err *err)
{
    struct finding f = {.plan = plan, .tree = plan->request->from};
    cleanup_free char *rooted = str_format("/%s", word), *clean = path_clean(rooted);
    int r;

    f.pattern = path_has_pattern(clean);
    if (plan->request->parents)
        r = find_parents(&f, word, err);
    else if (f.pattern)
        r = find_pattern(&f, word, clean, err);
    else
        r = find_plain(&f, word, clean, err);
    strv_free(&f.parts);
    strv_free(&f.found);
    return r;
}
