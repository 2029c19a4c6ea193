/* rmi and image prune, by docker's rules:
 *
 *     - a name goes unless it is the last one of an image that containers use; when no tag of its
 *       repository is left, the digests of that repository go, too. With its last name goes the
 *       image, but one that others were made from, or that containers use, stays without a word.
 *     - an id takes all names with it if they are of one repository and one tag; else --force.
 *     - a deleted image takes along its parents, as far as they have no name and no other child.
 *
 * What a container runs on is never deleted, with --force neither: there, unlike docker, the image
 * only loses its names. */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/internal.h"

/* One rmi, or one prune, on its way. */
struct removal {
    struct engine *e;
    bool force, keep_parents;
    struct removed *out;
};

static void tell(struct removal *m, bool deleted, char *what)
{
    strv_take(&m->out->lines, str_format("%s: %s", deleted ? "Deleted" : "Untagged", what));
}

static int find(struct removal *m, const char *id, struct image *ret, struct err *err)
{
    return store_image_by_prefix(m->e->store, id, ret, err);
}

/* --- names ------------------------------------------------------------------------------------ */

static int remove_name(struct removal *m, const char *id, const char *canonical, struct err *err)
{
    cleanup_free char *familiar = reference_familiar(canonical);
    int r = store_reference_remove(m->e->store, id, canonical, err);

    if (r < 0)
        return r;
    tell(m, false, familiar);
    /* docker has the id in both places; what went is worth more. */
    image_event(m->e, "untag", id, familiar);
    return 0;
}

static int remove_names(struct removal *m, const char *id, const struct strv *names,
                        struct err *err)
{
    int r = 0;

    for (size_t i = 0; i < names->len && r >= 0; i++)
        r = remove_name(m, id, names->items[i], err);
    return r;
}

static char *repository_of(const char *canonical)
{
    char *repository, *tag;

    reference_split(canonical, &repository, &tag);
    free(tag);
    return repository;
}

static bool same_repository(const char *a, const char *b)
{
    cleanup_free char *x = repository_of(a), *y = repository_of(b);

    return !strcmp(x, y);
}

/* All names are one repository's, with one tag at most. */
static bool is_single(const struct image *image)
{
    const struct strv *tags = &image->references, *digests = &image->digests;
    const char *first = tags->len ? tags->items[0] : digests->len ? digests->items[0] : NULL;

    if (!first || tags->len > 1)
        return false;
    for (size_t i = 0; i < digests->len; i++)
        if (!same_repository(first, digests->items[i]))
            return false;
    return true;
}

/* --- conflicts -------------------------------------------------------------------------------- */

/* The first container that uses the image; *ret_id "" when there is none. Running ones come
 * first. */
static int find_user(struct removal *m, const struct image *image, char ret_id[65],
                     bool *ret_running, struct err *err)
{
    cleanup_strv struct strv users = {0};
    int r = store_image_users(m->e->store, image->id, &users, err);

    *ret_id = 0;
    *ret_running = false;
    for (size_t i = 0; i < users.len && r >= 0 && !*ret_running; i++) {
        struct container c;

        r = engine_find(m->e, users.items[i], &c, err);
        if (r == -ENOENT) { /* it went when we looked: --rm, or half-made */
            r = 0;
            continue;
        }
        if (r < 0)
            return r;
        *ret_running = container_running(&c);
        if (!*ret_id || *ret_running)
            strcpy(ret_id, c.id);
        container_free(&c);
    }
    return r < 0 ? r : 0;
}

static int conflict(const struct image *image, bool hard, struct err *err, const char *why,
                    const char *user)
{
    return err_set(err, EBUSY, "conflict: unable to delete %.12s (%s) - %s%s%.12s",
                   digest_hex(image->id), hard ? "cannot be forced" : "must be forced", why,
                   *user ? " " : "", user);
}

/* Why the image cannot be deleted. `names_count`: names are a reason, too. */
static int check_conflicts(struct removal *m, const struct image *image, bool names_count,
                           struct err *err)
{
    char user[65];
    bool running;
    int r = find_user(m, image, user, &running, err);

    if (r < 0)
        return r;
    if (image->children)
        return conflict(image, true, err, "image has dependent child images", "");
    if (running)
        return conflict(image, true, err, "image is being used by running container", user);
    if (m->force)
        return 0;
    if (names_count && (image->references.len || image->digests.len))
        return conflict(image, false, err, "image is referenced in multiple repositories", "");
    if (*user)
        return conflict(image, false, err, "image is being used by stopped container", user);
    return 0;
}

/* --- deleting --------------------------------------------------------------------------------- */

static int delete_now(struct removal *m, const struct image *image, struct err *err)
{
    cleanup_strv struct strv deleted = {0};
    int r = remove_names(m, image->id, &image->references, err);

    if (r >= 0)
        r = remove_names(m, image->id, &image->digests, err);
    if (r >= 0 && image->containers) /* stopped ones, and --force */
        return 0;
    if (r >= 0)
        r = store_image_remove(m->e->store, image->id, &deleted, &m->out->bytes, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < deleted.len; i++)
        tell(m, true, deleted.items[i]);
    image_event(m->e, "delete", image->id, NULL);
    return 0;
}

/* Parents that nobody named and nobody else needs. */
static int delete_parents(struct removal *m, const char *id, struct err *err)
{
    char parent[DIGEST_LEN + 1];
    int r = 0;

    snprintf(parent, sizeof parent, "%s", id);
    while (*parent && r >= 0) {
        struct image image;
        bool needed;

        r = find(m, parent, &image, err);
        if (r < 0)
            return r == -ENOENT ? 0 : r;
        needed = image.references.len || image.digests.len || image.children || image.containers;
        strcpy(parent, needed ? "" : image.parent);
        if (!needed)
            r = delete_now(m, &image, err);
        image_free(&image);
    }
    return r;
}

static int delete_image(struct removal *m, const struct image *image, struct err *err)
{
    int r = delete_now(m, image, err);

    return r < 0 || m->keep_parents || image->containers ? r
                                                         : delete_parents(m, image->parent, err);
}

/* --- by name, by id --------------------------------------------------------------------------- */

/* With the last tag of a repository go its digests. */
static int remove_digests_of(struct removal *m, const struct image *image, const char *canonical,
                             struct err *err)
{
    int r = 0;

    for (size_t i = 0; i < image->references.len; i++)
        if (same_repository(image->references.items[i], canonical))
            return 0;
    for (size_t i = 0; i < image->digests.len && r >= 0; i++)
        if (same_repository(image->digests.items[i], canonical))
            r = remove_name(m, image->id, image->digests.items[i], err);
    return r;
}

static int remove_one_name(struct removal *m, const char *id, const char *canonical,
                           struct err *err)
{
    struct image image;
    int r = remove_name(m, id, canonical, err);

    if (r < 0 || strchr(canonical, '@'))
        return r;
    r = find(m, id, &image, err);
    if (r < 0)
        return r;
    r = remove_digests_of(m, &image, canonical, err);
    image_free(&image);
    return r;
}

/* The last name went. An image that is still needed stays, as one that has none. */
static int delete_unnamed(struct removal *m, const char *id, struct err *err)
{
    struct image image;
    int r = find(m, id, &image, err);

    if (r < 0)
        return r;
    if (!image.references.len && !image.digests.len && !image.children && !image.containers)
        r = delete_image(m, &image, err);
    image_free(&image);
    return r;
}

static int remove_by_name(struct removal *m, const struct image *image, const char *name,
                          const char *canonical, struct err *err)
{
    char user[65];
    bool running;
    int r = find_user(m, image, user, &running, err);

    if (r < 0)
        return r;
    if (*user && !m->force && is_single(image))
        return err_set(err, EBUSY,
                       "conflict: unable to remove repository reference \"%s\" (must force) - "
                       "container %.12s is using its referenced image %.12s",
                       name, user, digest_hex(image->id));
    r = remove_one_name(m, image->id, canonical, err);
    return r < 0 ? r : delete_unnamed(m, image->id, err);
}

static int remove_by_id(struct removal *m, const struct image *image, struct err *err)
{
    int r = check_conflicts(m, image, !is_single(image), err);

    return r < 0 ? r : delete_image(m, image, err);
}

/* The canonical form of `name` if it is one of the image's names; NULL: it is an id. */
static char *name_of(const struct image *image, const char *name)
{
    struct reference ref;
    struct err ignored;
    char *canonical;

    if (str_starts(name, "sha256:") || reference_parse(name, &ref, &ignored) < 0)
        return NULL;
    canonical = reference_canonical(&ref);
    reference_free(&ref);
    if (strv_contains(&image->references, canonical) || strv_contains(&image->digests, canonical))
        return canonical;
    free(canonical);
    return NULL;
}

int engine_remove_image(struct engine *e, const char *name, bool force, bool keep_parents,
                        struct removed *ret, struct err *err)
{
    struct removal m = {e, force, keep_parents, ret};
    cleanup_free char *canonical = NULL;
    struct err ignored = {0};
    struct image image;
    int r = engine_find_image(e, name, &image, err);

    if (r < 0)
        return r;
    canonical = name_of(&image, name);
    r = canonical ? remove_by_name(&m, &image, name, canonical, err)
                  : remove_by_id(&m, &image, err);
    image_free(&image);
    if (ret->bytes)
        store_collect(e->store, &ignored); /* else the next one does */
    return r < 0 ? r : 0;
}

/* --- prune ------------------------------------------------------------------------------------ */

static int prune_one(struct removal *m, const char *id, bool all, struct err *err)
{
    struct image image;
    int r = find(m, id, &image, err);

    if (r < 0)
        return r == -ENOENT ? 0 : r; /* it went as somebody's parent */
    if (!image.containers && !image.children &&
        (all || (!image.references.len && !image.digests.len)))
        r = delete_image(m, &image, err);
    image_free(&image);
    return r;
}

/* Children before their parents, which then go with them: newest first is that order. */
int engine_prune_images(struct engine *e, bool all, engine_image_filter *filter, void *context,
                        struct removed *ret, struct err *err)
{
    struct removal m = {.e = e, .out = ret};
    struct image_list list;
    struct err ignored = {0};
    int r = store_images(e->store, &list, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < list.len && r >= 0; i++)
        if (!filter || filter(context, &list.items[i]))
            r = prune_one(&m, list.items[i].id, all, err);
    image_list_free(&list);
    if (r >= 0 && !filter)
        r = store_drop_partials(e->store, &ret->bytes, err);
    store_collect(e->store, &ignored);
    engine_prune_event(e, "image", ret->bytes);
    return r < 0 ? r : 0;
}

void removed_free(struct removed *r)
{
    strv_free(&r->lines);
}
