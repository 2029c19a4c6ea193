#include "cli/image_filter.h"

#include <fnmatch.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/filter.h"
#include "cli/values.h"
#include "image/image.h"

static const char *const keys[] = {"dangling", "label",     "label!", "before",
                                   "since",    "reference", "until",  NULL};

static const char *const booleans[] = {"true", "1", "false", "0", NULL};

struct candidate {
    struct image_filter *f;
    const struct image *image;
    const char *familiar;
};

/* --- preparing -------------------------------------------------------------------------------- */

static int created_of(struct cli *cli, const char *name, int64_t *ret, struct err *err)
{
    struct image image;
    int r = engine_find_image(cli->engine, name, &image, err);

    if (r < 0)
        return r;
    *ret = image.created_ns;
    image_free(&image);
    return 0;
}

/* fnmatch(3) takes what is no pattern for one that fits nothing: a mistake that looks like an
 * answer. */
static int check_pattern(const char *pattern, struct err *err)
{
    bool in_class = false, whole = true;

    for (const char *p = pattern; whole && *p; p++)
        if (*p == '\\')
            whole = *++p != 0;
        else if (*p == '[' || *p == ']')
            in_class = *p == '[';
    return whole && !in_class ? 0 : err_set(err, EINVAL, "syntax error in pattern");
}

static int look_up(struct image_filter *f, const char *filter, struct err *err)
{
    const char *value = strchr(filter, '=') + 1;

    if (str_starts(filter, "reference="))
        return check_pattern(value, err);
    if (str_starts(filter, "before="))
        return created_of(f->cli, value, &f->before_ns, err);
    if (str_starts(filter, "since="))
        return created_of(f->cli, value, &f->since_ns, err);
    if (str_starts(filter, "until="))
        return value_parse_moment(value, clock_now(), &f->until_ns, err);
    return 0;
}

int image_filter_prepare(struct cli *cli, const char *also, struct image_filter *ret, int *ret_code)
{
    struct image_filter f = {
        .cli = cli, .given = options_list(&cli->options, "filter"), .also = also};
    struct err err = {0};

    if (filter_check(f.given, keys, &err) < 0 ||
        filter_check_values(f.given, "dangling", booleans, true, &err) < 0) {
        *ret_code = cli_fail(cli, &err);
        return -err.code;
    }
    if (also)
        check_pattern(also, &err);
    for (size_t i = 0; i < f.given->len && !err.code; i++)
        look_up(&f, f.given->items[i], &err);
    if (err.code) {
        *ret_code = cli_engine_fail(cli, &err);
        return -err.code;
    }
    *ret = f;
    return 0;
}

/* --- looking at one --------------------------------------------------------------------------- */

static bool match_dangling(void *context, const char *value)
{
    const struct image *image = ((struct candidate *)context)->image;
    bool dangling = !image->references.len && !image->children;

    return dangling == (!strcmp(value, "true") || !strcmp(value, "1"));
}

static bool has_label(const struct candidate *k, const char *label)
{
    const json_t *labels = json_at(k->f->config, "config.Labels");
    size_t n = strcspn(label, "=");
    cleanup_free char *name = str_copy_n(label, n);
    const char *found = json_string_value(json_object_get(labels, name));

    return found && (!label[n] || !strcmp(found, label + n + 1));
}

/* Unlike the values of other keys, labels must all be there, and those of "label!" all be
 * missing. */
static bool match_labels(const struct candidate *k)
{
    struct err ignored = {0};
    bool fits = true;

    for (size_t i = 0; i < k->f->given->len && fits; i++) {
        const char *filter = k->f->given->items[i];
        bool wanted = str_starts(filter, "label="), unwanted = str_starts(filter, "label!=");

        if (!wanted && !unwanted)
            continue;
        if (!k->f->config)
            k->f->config = store_image_config(k->f->cli->engine->store, k->image->id, &ignored);
        fits = has_label(k, strchr(filter, '=') + 1) == wanted;
    }
    json_decref(k->f->config);
    k->f->config = NULL;
    return fits;
}

/* A glob over "repository:tag" or "repository". */
static bool match_reference(void *context, const char *value)
{
    const struct candidate *k = context;
    const char *colon = strrchr(k->familiar, ':'), *slash = strrchr(k->familiar, '/');
    bool tagged = colon && (!slash || colon > slash);
    size_t n = tagged ? (size_t)(colon - k->familiar) : strcspn(k->familiar, "@");
    cleanup_free char *repository = str_copy_n(k->familiar, n);

    return !fnmatch(value, k->familiar, FNM_PATHNAME) || !fnmatch(value, repository, FNM_PATHNAME);
}

/* `images NAME` is one more alternative of "reference". */
static bool match_references(struct candidate *k)
{
    bool asked = k->f->also != NULL;

    if (asked && match_reference(k, k->f->also))
        return true;
    for (size_t i = 0; i < k->f->given->len; i++) {
        const char *filter = k->f->given->items[i];

        if (!str_starts(filter, "reference="))
            continue;
        if (match_reference(k, strchr(filter, '=') + 1))
            return true;
        asked = true;
    }
    return !asked;
}

bool image_filter_holds(struct image_filter *f, const struct image *image, const char *familiar)
{
    struct candidate k = {f, image, familiar};

    if ((f->before_ns && image->created_ns >= f->before_ns) ||
        (f->since_ns && image->created_ns <= f->since_ns) ||
        (f->until_ns && image->created_ns > f->until_ns))
        return false;
    return filter_holds(f->given, "dangling", match_dangling, &k) && match_references(&k) &&
           match_labels(&k);
}

/* What a build makes says that it is as old as what it is built on, and may be minutes old:
 * until=24h of a prune does not mean it. When it got its name here counts, too; pulling is no such
 * moment. */
bool image_filter_passes(void *filter, const struct image *image)
{
    const struct image_filter *f = filter;
    cleanup_free char *familiar =
        image->references.len ? reference_familiar(image->references.items[0]) : str_copy("");

    if (f->until_ns && image->tagged_ns > f->until_ns)
        return false;
    return image_filter_holds(filter, image, familiar);
}
