#include <string.h>

#include "base/cleanup.h"
#include "engine/internal.h"

/* The tag form is tried before the id: an image called "cafe" hides the prefix cafe..., as with
 * docker. */
static int find_by_reference(struct engine *e, const char *name, struct image *ret, struct err *err)
{
    struct reference reference;
    cleanup_free char *canonical = NULL;
    int r = reference_parse(name, &reference, err);

    if (r < 0)
        return r;
    canonical = reference_canonical(&reference);
    reference_free(&reference);
    return store_image_by_reference(e->store, canonical, ret, err);
}

static int no_such_image(const char *name, struct err *err)
{
    const char *last = strrchr(name, '/') ? strrchr(name, '/') : name;
    bool tagged = strchr(last, ':') || strchr(name, '@');

    return err_set(err, ENOENT, "No such image: %s%s", name, tagged ? "" : ":latest");
}

int engine_find_image(struct engine *e, const char *name, struct image *ret, struct err *err)
{
    struct err as_reference = {0};
    int parsed =
        str_starts(name, "sha256:") ? -EINVAL : find_by_reference(e, name, ret, &as_reference);
    int r;

    if (!parsed)
        return 0;
    r = store_image_by_prefix(e->store, name, ret, err);
    if (r == -ENOTUNIQ)
        return err_set(err, ENOTUNIQ, "Multiple IDs found with provided prefix: %s", name);
    if (r != -ENOENT)
        return r;
    if (parsed == -EINVAL && as_reference.code) {
        *err = as_reference;
        err->exit_status = 125;
        return parsed;
    }
    return no_such_image(name, err);
}

static void add_untagged(const struct strv *names, struct strv *lines)
{
    for (size_t i = 0; i < names->len; i++) {
        char *familiar = reference_familiar(names->items[i]);

        strv_take(lines, str_format("Untagged: %s", familiar));
        free(familiar);
    }
}

static int in_use_by_name(const struct image *image, const char *name, const char *user,
                          struct err *err)
{
    return err_set(
        err, EBUSY,
        "conflict: unable to remove repository reference \"%s\" (must force) - container "
        "%.12s is using its referenced image %.12s",
        name, user, digest_hex(image->id));
}

static int in_use_by_id(const struct image *image, const char *user, bool running, struct err *err)
{
    return err_set(
        err, EBUSY,
        "conflict: unable to delete %.12s (%s) - image is being used by %s container %.12s",
        digest_hex(image->id), running ? "cannot be forced" : "must be forced",
        running ? "running" : "stopped", user);
}

/* Docker's refusals. By name, force is enough: the name goes, the image stays for its containers.
 * By id, no force is enough while one of them runs. */
static int check_users(struct engine *e, const struct image *image, const char *name, bool by_name,
                       bool force, struct err *err)
{
    cleanup_strv struct strv users = {0};
    int r = store_image_users(e->store, image->id, &users, err);

    for (size_t i = 0; i < users.len && r >= 0; i++) {
        struct container c;
        bool running;

        r = engine_find(e, users.items[i], &c, err);
        if (r == -ENOENT) { /* it went when we looked: --rm, or half-made */
            r = 0;
            continue;
        }
        if (r < 0)
            return r;
        running = container_running(&c);
        container_free(&c);
        if (by_name && !force)
            return in_use_by_name(image, name, users.items[i], err);
        if (!by_name && (running || !force))
            return in_use_by_id(image, users.items[i], running, err);
    }
    return r;
}

/* One of several names: it goes, the image stays. True if that was all. */
static int untag_only(struct engine *e, const struct image *image, const char *canonical,
                      struct strv *lines, struct err *err)
{
    char *familiar = reference_familiar(canonical);
    int r = store_reference_remove(e->store, image->id, canonical, err);

    if (!r)
        strv_take(lines, str_format("Untagged: %s", familiar));
    free(familiar);
    return r;
}

static int delete_image(struct engine *e, const struct image *image, struct strv *lines,
                        struct err *err)
{
    cleanup_strv struct strv deleted = {0};
    int r = store_image_remove(e->store, image->id, &deleted, err);

    if (r < 0)
        return r;
    add_untagged(&image->references, lines);
    add_untagged(&image->digests, lines);
    for (size_t i = 0; i < deleted.len; i++)
        strv_take(lines, str_format("Deleted: %s", deleted.items[i]));
    return 0;
}

/* With --force an image that stopped containers use loses its names and stays as a dangling one. */
static int untag_all(struct engine *e, const struct image *image, struct strv *lines,
                     struct err *err)
{
    int r = store_reference_remove(e->store, image->id, NULL, err);

    if (!r) {
        add_untagged(&image->references, lines);
        add_untagged(&image->digests, lines);
    }
    return r;
}

static int remove_found(struct engine *e, const char *name, const struct image *image, bool force,
                        struct strv *lines, struct err *err)
{
    cleanup_free char *canonical = NULL;
    cleanup_strv struct strv users = {0};
    struct reference reference;
    struct err ignored;
    bool by_name = false, others = image->references.len > 1;
    int r;

    if (!str_starts(name, "sha256:") && !reference_parse(name, &reference, &ignored)) {
        canonical = reference_canonical(&reference);
        reference_free(&reference);
        by_name = strv_contains(&image->references, canonical) ||
                  strv_contains(&image->digests, canonical);
        /* name@digest is a name of its own: a tag outlives it */
        others |= image->references.len && strv_contains(&image->digests, canonical);
    }
    if (by_name && others)
        return untag_only(e, image, canonical, lines, err);
    if (!by_name && image->references.len > 1 && !force)
        return err_set(err, EBUSY,
                       "conflict: unable to delete %.12s (must be forced) - image is referenced in "
                       "multiple repositories",
                       digest_hex(image->id));
    r = check_users(e, image, name, by_name, force, err);
    if (!r)
        r = store_image_users(e->store, image->id, &users, err);
    if (r < 0)
        return r;
    return users.len ? untag_all(e, image, lines, err) : delete_image(e, image, lines, err);
}

int engine_remove_image(struct engine *e, const char *name, bool force, struct strv *ret_lines,
                        struct err *err)
{
    struct image image;
    int r = engine_find_image(e, name, &image, err);

    if (r < 0)
        return r;
    r = remove_found(e, name, &image, force, ret_lines, err);
    image_free(&image);
    return r;
}
