/* pull NAME, in order:
 *
 *     hold       nobody collects what no image refers to yet; a killed pull's staging/ goes
 *     manifest   by tag or digest, checked by its digest; an index leads to our platform's
 *     config     checked by its digest, which is the image's ID; it names the diffIDs
 *     layers     those not here, in parallel (intake.c, pull_layer.c)
 *     record     the small blobs, then image, reference and digest in one transaction
 *
 * Up to the last step nothing refers to the new image; what was finished by then is found by the
 * next pull.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/internal.h"
#include "engine/pull.h"

/* A document that came with the image. */
struct document {
    struct buf text;
    char *media_type;
    char digest[DIGEST_LEN + 1];
};

/* What the pull finds out on its way; freed in one place. */
struct findings {
    struct reference ref;
    char *canonical, *familiar; /* of the reference asked for */
    struct platform platform;
    bool has_index;
    struct document index, manifest_text, config_text;
    struct manifest manifest;
    struct image_config config;
};

static void document_free(struct document *d)
{
    buf_free(&d->text);
    free(d->media_type);
}

static void findings_free(struct findings *f)
{
    reference_free(&f->ref);
    free(f->canonical);
    free(f->familiar);
    document_free(&f->index);
    document_free(&f->manifest_text);
    document_free(&f->config_text);
    manifest_free(&f->manifest);
    image_config_free(&f->config);
}

/* --- manifest -------------------------------------------------------------------------------- */

/* Docker's sentences around what the registry said. */
static int explain(const struct findings *f, int r, struct err *err)
{
    cleanup_free char *repository = NULL, *tag = NULL;

    reference_split(f->canonical, &repository, &tag);
    if (r == -ENOENT)
        return err_wrap(err, "manifest for %s not found", f->familiar);
    if (r == -EACCES)
        return err_wrap(
            err,
            "pull access denied for %s, repository does not exist or may require 'docker login'",
            repository);
    return r;
}

static int get_document(struct pull *p, const struct findings *f, const char *name,
                        struct document *d, struct err *err)
{
    int r = registry_manifest(p->registry, name, &d->text, &d->media_type, d->digest, err);

    return r < 0 ? explain(f, r, err) : 0;
}

/* The document the name stands for, and if that is an index, the manifest for our platform. */
static int get_manifest(struct pull *p, struct findings *f, struct err *err)
{
    const char *name = f->ref.digest ? f->ref.digest : f->ref.tag;
    cleanup_with(descriptor_free) struct descriptor picked = {0};
    struct document *m = &f->manifest_text;
    int r = get_document(p, f, name, m, err);

    if (!r)
        r = manifest_is_index(m->text.data, m->text.len, m->media_type, &f->has_index, err);
    if (r < 0)
        return r;
    if (f->has_index) {
        f->index = *m;
        *m = (struct document){0};
        r = index_pick(f->index.text.data, f->index.text.len, &f->platform, &picked, err);
        if (r < 0)
            return r == -ENOENT ? r : err_wrap(err, "%s", f->familiar);
        r = get_document(p, f, picked.digest, m, err);
        if (r < 0)
            return r;
        if (m->text.len != picked.size)
            return err_set(err, EBADMSG, "manifest '%s' has %zu bytes, the index says %llu",
                           picked.digest, m->text.len, (unsigned long long)picked.size);
    }
    r = manifest_parse(m->text.data, m->text.len, m->media_type, &f->manifest, err);
    return r < 0 ? err_wrap(err, "%s", f->familiar) : 0;
}

/* --- config ---------------------------------------------------------------------------------- */

static int collect_bytes(void *context, const void *data, size_t len, struct err *err)
{
    (void)err;
    buf_add(context, data, len);
    return 0;
}

/* The config is needed whole before any layer: it says what their content must be. One that is here
 * already, from another image of the same content, is checked like one that comes. */
static int load_config(struct pull *p, struct findings *f, struct err *err)
{
    const struct descriptor *d = &f->manifest.config;
    struct document *c = &f->config_text;
    int r;

    if (d->size > CONFIG_MAX)
        return err_set(err, EFBIG, "the image config has %llu bytes, %u are allowed",
                       (unsigned long long)d->size, CONFIG_MAX);
    if (store_has_blob(p->in.store, d->digest, NULL))
        r = store_blob_load(p->in.store, d->digest, CONFIG_MAX, &c->text, err);
    else
        r = registry_blob(p->registry, d->digest, d->size, 0, collect_bytes, &c->text, err);
    if (r < 0)
        return err_wrap(err, "image config");
    digest_of(c->text.data ? c->text.data : "", c->text.len, c->digest);
    if (strcmp(c->digest, d->digest))
        return err_set(err, EBADMSG,
                       "image config verification failed for digest %s: the content has digest %s",
                       d->digest, c->digest);
    return image_config_parse(c->text.data, c->text.len, &f->config, err);
}

/* The manifest was written by whoever pushed, the config by whoever built: they must agree. */
static int check_config(const struct findings *f, const struct pull_options *options,
                        struct err *err)
{
    const struct image_config *c = &f->config;

    if (c->os && *c->os && strcmp(c->os, "linux"))
        return err_set(err, EINVAL, "image operating system \"%s\" cannot be used on this platform",
                       c->os);
    if (c->diff_ids.len != f->manifest.layer_count)
        return err_set(
            err, EBADMSG,
            "layers from manifest don't match image configuration: %zu layers, %zu diff_ids",
            f->manifest.layer_count, c->diff_ids.len);
    for (size_t i = 0; i < c->diff_ids.len; i++)
        if (!digest_valid(c->diff_ids.items[i]))
            return err_set(err, EINVAL, "the image config has an invalid diff_id: '%.80s'",
                           c->diff_ids.items[i]);
    /* Only what was asked for by name is refused: an image of another architecture may still be
     * wanted. */
    if (options && options->platform && c->architecture &&
        strcmp(c->architecture, f->platform.architecture))
        return err_set(
            err, ENOENT,
            "image with reference %s was found but its platform (%s/%s) does not match the "
            "specified platform (%s)",
            f->familiar, c->os ? c->os : "linux", c->architecture, options->platform);
    return 0;
}

/* --- layers ---------------------------------------------------------------------------------- */

static int plan_layers(struct pull *p, const struct findings *f, struct err *err)
{
    int r = intake_plan(&p->in, &f->config.diff_ids, err);

    for (size_t i = 0; i < p->in.layer_count && !r; i++) {
        struct intake_layer *l = &p->in.layers[i];
        const struct descriptor *blob = &f->manifest.layers[i];

        l->source = blob;
        strcpy(l->blob.digest, blob->digest);
        snprintf(l->blob.media_type, sizeof l->blob.media_type, "%s", blob->media_type);
        l->blob.size = blob->size;
        /* The layer came from elsewhere, packed otherwise: without this blob the manifest could not
         * be pushed again, or saved. */
        if (l->state == INTAKE_PUBLISHED && !store_has_blob(p->in.store, blob->digest, NULL))
            l->state = INTAKE_WAITING;
        snprintf(l->short_id, sizeof l->short_id, "%.12s", digest_hex(blob->digest));
    }
    return r;
}

/* As docker does, nothing is said about the layers of an image that is here. */
static int image_is_here(struct pull *p, const struct findings *f, bool *ret, struct err *err)
{
    struct image image;
    int r = store_image_by_prefix(p->in.store, f->config_text.digest, &image, err);

    *ret = !r;
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    image_free(&image);
    *ret = !intake_missing(&p->in);
    return 0;
}

static void announce_layers(struct intake *in)
{
    size_t missing = 0;

    for (size_t i = 0; i < in->layer_count; i++)
        intake_status(
            in, &in->layers[i],
            in->layers[i].state == INTAKE_PUBLISHED ? "Already exists" : "Pulling fs layer", 0, 0);
    for (size_t i = 0; i < in->layer_count; i++)
        if (in->layers[i].state != INTAKE_PUBLISHED && missing++ >= INTAKE_WORKERS)
            intake_status(in, &in->layers[i], "Waiting", 0, 0);
}

static int get_layers(struct pull *p, struct findings *f, struct err *err)
{
    bool here = false;
    int r = plan_layers(p, f, err);

    if (!r)
        r = image_is_here(p, f, &here, err);
    if (r < 0 || here)
        return r;
    announce_layers(&p->in);
    return intake_run(&p->in, "pull", err);
}

/* --- record ---------------------------------------------------------------------------------- */

static int keep_document(struct pull *p, const struct document *d, struct image_record *record,
                         struct err *err)
{
    strv_add(&record->blobs, d->digest);
    return store_blob_put(p->in.store, d->digest, d->text.data, d->text.len, err);
}

/* Small blobs first, the record last: a kill in between leaves blobs without an image, which is
 * garbage, and never an image without its config. */
static int record_image(struct pull *p, struct findings *f, const char *repo_digest,
                        struct err *err)
{
    cleanup_free struct layer_blob *packed = NULL;
    struct image_record record = {
        .id = f->config_text.digest,
        .manifest = f->manifest_text.digest,
        .created_ns = f->config.created_ns,
        .reference = f->ref.digest ? NULL : f->canonical,
        .repo_digest = repo_digest,
        .pulled = true,
    };
    int r = f->has_index ? keep_document(p, &f->index, &record, err) : 0;

    if (!r)
        r = keep_document(p, &f->manifest_text, &record, err);
    if (!r)
        r = keep_document(p, &f->config_text, &record, err);
    intake_record(&p->in, &record, &packed);
    if (!r)
        r = store_image_add(p->in.store, &record, err);
    strv_free(&record.blobs);
    strv_free(&record.chain_ids);
    return r;
}

/* Whether the name leads to this image already. */
static int is_up_to_date(struct pull *p, const struct findings *f, bool *ret, struct err *err)
{
    struct image image;
    int r = store_image_by_reference(p->in.store, f->canonical, &image, err);

    *ret = false;
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    *ret = !strcmp(image.id, f->config_text.digest);
    image_free(&image);
    return 0;
}

/* --- all of it ------------------------------------------------------------------------------- */

/* docker's order of lines is part of its interface: scripts read the digest from them. */
static int transfer(struct pull *p, struct findings *f, const struct pull_options *options,
                    bool *ret_up_to_date, struct err *err)
{
    cleanup_free char *repo_digest = NULL;
    const char *top;
    int r = get_manifest(p, f, err);

    if (r < 0)
        return r;
    top = f->has_index ? f->index.digest : f->manifest_text.digest;
    repo_digest = str_format("%s/%s@%s", f->ref.domain, f->ref.path, top);
    intake_say(&p->in, "%s: Pulling from %s", f->ref.digest ? f->canonical : f->ref.tag,
               f->ref.path);
    r = load_config(p, f, err);
    if (!r)
        r = check_config(f, options, err);
    if (!r)
        r = is_up_to_date(p, f, ret_up_to_date, err);
    if (!r)
        r = get_layers(p, f, err);
    if (!r)
        r = record_image(p, f, repo_digest, err);
    if (!r)
        intake_say(&p->in, "Digest: %s", top);
    return r;
}

static void say_status(struct pull *p, bool up_to_date, const char *familiar, const char *canonical)
{
    intake_say(&p->in, "Status: %s for %s",
               up_to_date ? "Image is up to date" : "Downloaded newer image", familiar);
    intake_say(&p->in, "%s", canonical);
}

#define SCRATCH "docker.io/library/scratch:"

static int prepare(struct findings *f, const char *name, const struct pull_options *options,
                   struct err *err)
{
    int r = reference_parse(name, &f->ref, err);

    if (r < 0)
        return r;
    f->canonical = reference_canonical(&f->ref);
    if (!strncmp(f->canonical, SCRATCH, strlen(SCRATCH))) /* FROM scratch: the name for no image */
        return err_set(err, EINVAL, "'scratch' is a reserved name");
    f->familiar = reference_familiar(f->canonical);
    platform_host(&f->platform);
    return options->platform ? platform_parse(options->platform, &f->platform, err) : 0;
}

static bool stopped(void *context)
{
    return intake_stopped(context);
}

/* docker's: of the name and not of the image, told also when nothing came. */
static void tell_event(struct engine *e, const struct findings *f)
{
    cleanup_free char *repository = NULL, *tag = NULL;

    reference_split(f->canonical, &repository, &tag);
    image_event(e, "pull", f->familiar, repository);
}

/* From `name`, one image. */
static int pull_image(struct engine *e, struct registry *registry, const char *name,
                      const struct pull_options *options, const struct pull_progress *progress,
                      bool *ret_up_to_date, struct err *err)
{
    struct pull p = {.registry = registry};
    struct findings f = {0};
    int r = prepare(&f, name, options, err);

    intake_init(&p.in, e->store, progress, options->cancelled);
    p.in.fetch = pull_layer_fetch;
    p.in.context = &p;
    p.in.done = "Pull complete";
    if (!r)
        r = transfer(&p, &f, options, ret_up_to_date, err);
    if (!r)
        tell_event(e, &f);
    if (!r && !options->all_tags)
        say_status(&p, *ret_up_to_date, f.familiar, f.canonical);
    intake_free(&p.in);
    findings_free(&f);
    return r;
}

/* Every tag there is, in the registry's order. */
static int pull_all(struct engine *e, struct registry *registry, const struct reference *ref,
                    const struct pull_options *options, const struct pull_progress *progress,
                    struct err *err)
{
    cleanup_free char *canonical = str_format("%s/%s:", ref->domain, ref->path), *familiar = NULL;
    cleanup_strv struct strv tags = {0};
    struct pull p = {0};
    bool all_here = true;
    int r = registry_tags(registry, &tags, err);

    canonical[strlen(canonical) - 1] = 0;
    familiar = reference_familiar(canonical);
    if (r < 0)
        return r == -ECANCELED ? r : err_wrap(err, "repository %s not found", familiar);
    for (size_t i = 0; i < tags.len && !r; i++) {
        cleanup_free char *name = str_format("%s:%s", canonical, tags.items[i]);
        bool up_to_date = false;

        r = pull_image(e, registry, name, options, progress, &up_to_date, err);
        all_here &= up_to_date;
    }
    if (!tags.len)
        r = err_set(err, ENOENT, "repository %s has no tags", familiar);
    intake_init(&p.in, e->store, progress, options->cancelled);
    if (!r)
        say_status(&p, all_here, familiar, canonical);
    intake_free(&p.in);
    return r;
}

/* `mirror` NULL: the registry itself. */
static int pull_from(struct engine *e, const char *name, const struct reference *ref,
                     const char *mirror, const struct pull_options *options,
                     const struct pull_progress *progress, struct err *err)
{
    struct intake asked = {.cancelled = options->cancelled};
    const struct registry_options how = {.cancelled = stopped, .context = &asked, .mirror = mirror};
    struct registry *registry = NULL;
    bool up_to_date;
    int r = registry_open(ref->domain, ref->path, &how, &registry, err);

    if (!r)
        r = options->all_tags ? pull_all(e, registry, ref, options, progress, err)
                              : pull_image(e, registry, name, options, progress, &up_to_date, err);
    registry_close(registry);
    return r;
}

/* Mirrors first, where there are any; what none of them can give comes from the registry. */
static int pull_from_any(struct engine *e, const char *name, const struct reference *ref,
                         const struct pull_options *options, const struct pull_progress *progress,
                         struct err *err)
{
    cleanup_strv struct strv mirrors = {0};
    int r = registry_mirrors_of(ref->domain, &mirrors, err);

    for (size_t i = 0; i < mirrors.len && !r; i++) {
        r = pull_from(e, name, ref, mirrors.items[i], options, progress, err);
        if (!r || r == -ECANCELED)
            return r;
        err_clear(err);
        r = 0;
    }
    return r ? r : pull_from(e, name, ref, NULL, options, progress, err);
}

int engine_pull(struct engine *e, const char *name, const struct pull_options *options,
                const struct pull_progress *progress, struct err *err)
{
    static const struct pull_options none = {0};
    cleanup_with(reference_free) struct reference ref = {0};
    cleanup_close int hold = store_hold(e->store, err);
    struct pull p = {0};
    int r = hold < 0 ? hold : reference_parse(name, &ref, err);

    options = options ? options : &none;
    if (!r && options->all_tags && !ref.defaulted_tag)
        r = err_set(err, EINVAL, "tag can't be used with --all-tags/-a");
    if (!r)
        r = store_collect_stages(e->store, err);
    intake_init(&p.in, e->store, progress, options->cancelled);
    if (!r && ref.defaulted_tag && !options->all_tags)
        intake_say(&p.in, "Using default tag: %s", ref.tag);
    intake_free(&p.in);
    return r ? r : pull_from_any(e, name, &ref, options, progress, err);
}
