/* A plan becomes a layer. The destination is resolved once, in the image below; from then on
 * everything is made under real names in the layer's own directory, beside descriptors of the same
 * directories below, which say what is there already. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "build/copy_parts.h"

/* Where everything goes. */
struct destination {
    char *path; /* real names in the image */
    bool directory;
};

/* --- a tree ----------------------------------------------------------------------------------- */

/* The directories one is in while the entries come, parents first. */
struct stack {
    struct copy_dir dirs[COPY_DEPTH_MAX + 2];
    size_t depth;
};

static void pop(struct stack *s, size_t depth)
{
    while (s->depth > depth)
        copy_dir_close(&s->dirs[--s->depth]);
}

/* How many directories of the source an entry is in: "" 0, "a" 1, "a/b" 2. */
static size_t depth_of(const struct copy_entry *e)
{
    const char *rel = e->path + e->rel;
    size_t n = *rel != 0;

    for (; *rel; rel++)
        n += *rel == '/';
    return n;
}

static int make_directory(struct copy_layering *w, const struct copy_entry *e, const char *path,
                          struct stack *stack, struct err *err)
{
    struct copy_attributes a;
    cleanup_close int from = follow_open(w->source->tree.root, e->path, O_RDONLY | O_DIRECTORY);
    int r;

    copy_entry_attributes(w, &e->st, &a);
    a.set = true;
    a.xattrs = from;
    r = copy_enter(w, &stack->dirs[stack->depth - 1], path, &a, &stack->dirs[stack->depth], err);
    if (!r)
        stack->depth++;
    return r;
}

/* All entries but the top itself, into the directory that is stack->dirs[0]. */
static int make_entries(struct copy_layering *w, const char *top, struct stack *stack,
                        struct err *err)
{
    int r = 0;

    for (size_t i = 1; !r && i < w->source->count; i++) {
        const struct copy_entry *e = &w->source->entries[i];
        cleanup_free char *path = path_join(top, e->path + e->rel);

        pop(stack, depth_of(e));
        if (copy_cancelled(w->plan))
            r = err_set(err, ECANCELED, "cancelled");
        else if (S_ISDIR(e->st.st_mode))
            r = make_directory(w, e, path, stack, err);
        else
            r = copy_make_file(w, i, &stack->dirs[stack->depth - 1], path, err);
    }
    return r;
}

/* --- --parents -------------------------------------------------------------------------------- */

static int parent_attributes(struct copy_layering *w, size_t up, struct copy_attributes *ret,
                             struct err *err)
{
    struct stat st;
    int r = copy_stat_parent(w->source, up, &st, err);

    if (!r)
        copy_entry_attributes(w, &st, ret);
    return r;
}

/* From `dir`, the destination, down through the directories of `as` that the source is in. */
static int enter_parents(struct copy_layering *w, const char *top, struct copy_dir *dir,
                         struct err *err)
{
    const char *as = w->source->as, *end = as;
    int r = 0;

    for (size_t up = w->source->parents; !r && up; up--, end++) {
        struct copy_attributes a;
        struct copy_dir next;
        cleanup_free char *part = NULL, *path = NULL;

        end += strcspn(end, "/");
        part = str_copy_n(as, (size_t)(end - as));
        path = path_join(top, part);
        r = parent_attributes(w, up, &a, err);
        if (!r)
            r = copy_enter(w, dir, path, &a, &next, err);
        if (!r) {
            copy_dir_close(dir);
            *dir = next;
        }
    }
    return r;
}

/* --- sources ---------------------------------------------------------------------------------- */

/* The directory `path`, of which the parents are the destination and, with --parents, more. */
static int open_parent(struct copy_layering *w, const struct destination *to, const char *path,
                       struct copy_dir *ret, struct err *err)
{
    struct copy_attributes a;
    const char *slash = strrchr(path, '/');
    cleanup_free char *parent = str_copy_n(path, slash ? (size_t)(slash - path) : 0);
    int r;

    copy_default_attributes(w, &a);
    if (!w->source->parents)
        return copy_enter_path(w, parent, &a, ret, err);
    r = copy_enter_path(w, to->path, &a, ret, err);
    if (!r && enter_parents(w, to->path, ret, err) < 0) {
        copy_dir_close(ret);
        r = -err->code;
    }
    return r;
}

/* The directory itself. Only --parents says what it is like: else it is a destination, made as one
 * if it is not there. */
static int open_top(struct copy_layering *w, const struct destination *to, const char *path,
                    struct copy_dir *ret, struct err *err)
{
    bool own = w->source->named;
    cleanup_close int source =
        own ? follow_open(w->source->tree.root, w->source->path, O_RDONLY | O_DIRECTORY) : -1;
    struct copy_attributes a;
    struct copy_dir parent;
    int r;

    if (!*path)
        return copy_open_root(w, ret, err);
    if (own)
        copy_entry_attributes(w, &w->source->entries[0].st, &a);
    else
        copy_default_attributes(w, &a);
    a.xattrs = source;
    r = open_parent(w, to, path, &parent, err);
    if (r < 0)
        return r;
    r = copy_enter(w, &parent, path, &a, ret, err);
    copy_dir_close(&parent);
    return r;
}

static int apply_directory(struct copy_layering *w, const struct destination *to, struct err *err)
{
    cleanup_free char *path = path_join(to->path, w->source->as);
    struct stack stack = {.depth = 1};
    int r = open_top(w, to, path, &stack.dirs[0], err);

    if (r < 0)
        return r;
    w->made = mem_alloc((w->source->count + 1) * sizeof *w->made);
    r = make_entries(w, path, &stack, err);
    pop(&stack, 0);
    for (size_t i = 0; i < w->source->count; i++)
        free(w->made[i]);
    free(w->made);
    return r;
}

static int apply_file(struct copy_layering *w, const struct destination *to, struct err *err)
{
    cleanup_free char *path =
        to->directory ? path_join(to->path, w->source->as) : str_copy(to->path);
    char *made[1] = {NULL};
    struct copy_dir dir;
    int r;

    if (!to->directory && w->plan->count > 1)
        return err_set(err, EINVAL, COPY_MANY, w->plan->request->add ? "ADD" : "COPY");
    r = open_parent(w, to, path, &dir, err);
    if (r < 0)
        return r;
    w->made = made;
    r = w->source->kind == COPY_TEXT ? copy_make_text(w, &dir, path, err)
                                     : copy_make_file(w, 0, &dir, path, err);
    copy_note_known(w->source);
    free(made[0]);
    copy_dir_close(&dir);
    return r;
}

static int apply_source(struct copy_layering *w, const struct destination *to, struct err *err)
{
    struct copy_source *s = w->source;
    int r = 0;

    if (s->kind == COPY_ADDRESS)
        r = copy_fetch(w->plan, s, err);
    if (!r && s->unpack && !s->directory)
        r = copy_unpack_source(w->plan, s, err);
    w->replace = s->unpacked;
    if (r < 0)
        return r;
    return s->directory ? apply_directory(w, to, err) : apply_file(w, to, err);
}

/* --- the destination -------------------------------------------------------------------------- */

/* --link does not look at the image below. */
static int find_destination(const struct copy_layering *w, struct destination *ret, struct err *err)
{
    const struct copy_plan *plan = w->plan;
    struct followed at;
    int r;

    *ret = (struct destination){.directory = plan->into};
    if (w->target->below < 0 || plan->request->link) {
        ret->path = str_copy(plan->destination);
        ret->directory |= !*ret->path;
        return 0;
    }
    r = follow_path(w->target->below, plan->destination, true, &at);
    if (r < 0)
        return err_set(err, -r, "cannot copy to '/%s': %s", plan->destination, strerror(-r));
    ret->path = at.path;
    ret->directory |= !at.missing && S_ISDIR(at.st.st_mode);
    return 0;
}

static int apply_all(struct copy_layering *w, struct destination *to, struct err *err)
{
    int r = 0;

    for (size_t i = 0; !r && i < w->plan->count; i++) {
        w->source = &w->plan->sources[i];
        r = apply_source(w, to, err);
        to->directory |= w->source->directory; /* it is one now */
    }
    return r < 0 ? r : copy_set_times(w, err);
}

int copy_apply(struct copy_plan *plan, const struct copy_target *target, struct err *err)
{
    struct copy_layering w = {.plan = plan, .target = target};
    struct destination to;
    int r = 0;

    if (!plan->count) /* a pattern that found nothing: not even the destination is looked for */
        return 0;
    if (plan->request->chown) {
        w.chown = true;
        r = copy_find_owner(target->below, plan->request->chown, &w.uid, &w.gid, err);
    }
    if (!r)
        r = find_destination(&w, &to, err);
    if (r < 0)
        return r;
    r = apply_all(&w, &to, err);
    free(to.path);
    copy_layering_free(&w);
    return r;
}

int copy_make_directory(const struct copy_target *target, const char *path, int64_t epoch,
                        bool *ret_made, struct err *err)
{
    const struct copy_request request = {.epoch = epoch};
    struct copy_plan plan = {.request = &request};
    struct copy_layering w = {.plan = &plan, .target = target};
    struct followed at = {.missing = 1};
    struct copy_attributes a;
    struct copy_dir dir;
    int r = target->below < 0 ? 0 : follow_path(target->below, path, true, &at);

    *ret_made = false;
    if (r < 0 || (!at.missing && !S_ISDIR(at.st.st_mode))) {
        followed_free(&at);
        return err_set(err, ENOTDIR, "cannot make directory '%s': %s", path,
                       strerror(r < 0 ? -r : ENOTDIR));
    }
    if (target->below < 0)
        at.path = str_copy(path + strspn(path, "/"));
    copy_default_attributes(&w, &a);
    if (at.missing && *at.path) {
        r = copy_enter_path(&w, at.path, &a, &dir, err);
        if (!r) {
            copy_dir_close(&dir);
            r = copy_set_times(&w, err);
        }
        *ret_made = !r;
    }
    copy_layering_free(&w);
    followed_free(&at);
    return r;
}
