/* load: images from an archive into the store.
 *
 *     spool     a pipe or a compressed archive goes to disk first; a plain file is read in place
 *     list      which images, and which members they are made of
 *     config    its digest is the image's ID; it names the diffIDs
 *     layers    those not here, in parallel (intake.c), each checked by both its digests
 *     record    image and names in one transaction, image after image
 *
 * A layer's blob is kept as it is in the archive if it is compressed, and the manifest with it:
 * what was pulled and saved is pushed from here with the same digests. Layers that come as plain
 * tars are packed (taker.h); their image gets a manifest when it leaves.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "engine/intake.h"
#include "engine/internal.h"
#include "engine/taker.h"

#define PIECE (256u << 10)

struct loading {
    struct engine *e;
    struct image_archive *archive;
    const struct load_options *options;
    const struct pull_progress *progress;
    struct strv *lines; /* "Loaded image: ..." */
};

/* One image of the archive, on its way. */
struct arrival {
    struct intake in;
    struct loading *loading;
    const struct archived_image *image;
    struct buf config_text, manifest_text;
    struct image_config config;
    char id[DIGEST_LEN + 1];
};

/* --- layers ----------------------------------------------------------------------------------- */

/* Calls `take` with the member's bytes in order. */
static int read_member(struct arrival *a, const struct intake_layer *l,
                       const struct archive_member *m,
                       int (*take)(void *context, const void *data, size_t len, struct err *err),
                       void *context, struct err *err)
{
    cleanup_free char *piece = mem_alloc(PIECE);
    uint64_t done = 0;

    while (done < m->size) {
        size_t want = m->size - done < PIECE ? (size_t)(m->size - done) : PIECE;
        ssize_t n = pread(m->fd, piece, want, (off_t)(m->offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_set(err, n < 0 ? errno : EIO, "cannot read the archive");
        if (intake_stopped(&a->in))
            return err_set(err, ECANCELED, "cancelled");
        if (take(context, piece, (size_t)n, err) < 0)
            return -err->code;
        done += (uint64_t)n;
        intake_status(&a->in, l, "Loading layer", done, m->size);
    }
    return 0;
}

static int feed_taker(void *context, const void *data, size_t len, struct err *err)
{
    return taker_feed(context, data, len, err);
}

static int check_layer(const struct intake_layer *l, const struct archived_layer *source,
                       const struct layer_result *result, struct err *err)
{
    if (*source->digest && strcmp(source->digest, result->blob_digest))
        return err_set(err, EBADMSG, "the content has digest %s instead of %s", result->blob_digest,
                       source->digest);
    if (source->size && source->size != result->blob_size)
        return err_set(err, EBADMSG, "it has %llu bytes, the manifest says %llu",
                       (unsigned long long)result->blob_size, (unsigned long long)source->size);
    if (strcmp(result->diff_id, l->diff_id))
        return err_set(err, EBADMSG, "invalid diffID: expected %s, got %s", l->diff_id,
                       result->diff_id);
    return 0;
}

static int find_member(struct arrival *a, const struct archived_layer *source,
                       struct archive_member *ret, struct err *err)
{
    int r = image_archive_find(a->loading->archive, source->name, ret, err);

    return r == -ENOENT ? err_set(err, ENOENT, "the archive has no member '%s'", source->name) : r;
}

/* Through the taker, and what came out of it is what it should be. */
static int take_layer(struct arrival *a, struct intake_layer *l, struct taker *t, struct err *err)
{
    const struct archived_layer *source = l->source;
    struct layer_result result = {0};
    struct archive_member member;
    int r = find_member(a, source, &member, err);

    if (!r)
        r = read_member(a, l, &member, feed_taker, t, err);
    if (!r)
        r = taker_finish(t, &result, &l->blob, err);
    if (r < 0)
        return r;
    r = check_layer(l, source, &result, err);
    if (!r)
        r = taker_keep(t, err);
    if (r < 0) {
        layer_fixups_free(result.fixups);
        return r;
    }
    /* As its manifest calls it, if that is kept and the bytes are. */
    if (source->media_type && !strcmp(l->blob.digest, source->digest))
        snprintf(l->blob.media_type, sizeof l->blob.media_type, "%s", source->media_type);
    l->size = result.size;
    l->fixups = result.fixups;
    return 0;
}

/* intake's fetch() */
static int fetch(struct intake *in, struct intake_layer *l, struct err *err)
{
    const struct archived_layer *source = l->source;
    struct taker *t = NULL;
    int r;

    l->stage_fd = store_stage(in->store, l->stage, err);
    if (l->stage_fd < 0)
        return l->stage_fd;
    r = taker_new(in->store, l->stage_fd, &t, err);
    if (!r)
        r = take_layer(in->context, l, t, err);
    taker_free(t);
    if (r < 0)
        intake_drop_stage(in, l);
    return r < 0 && err->code != ECANCELED ? err_wrap(err, "layer '%s'", source->name) : r;
}

/* --- blobs of layers that are here ------------------------------------------------------------ */

struct copying {
    int fd;
    struct hasher *hasher;
};

static int copy_piece(void *context, const void *data, size_t len, struct err *err)
{
    struct copying *c = context;
    int r = file_write(c->fd, data, len);

    hasher_add(c->hasher, data, len);
    return r < 0 ? err_set(err, -r, "cannot write the blob: %s", strerror(-r)) : 0;
}

/* The tree is here, from another image or packed another way; the blob as the manifest has it is
 * not. */
static int copy_blob(struct arrival *a, struct intake_layer *l, struct err *err)
{
    const struct archived_layer *source = l->source;
    struct copying c = {.hasher = hasher_new()};
    char name[64], digest[DIGEST_LEN + 1];
    struct archive_member member;
    struct err ignored;
    int r = find_member(a, source, &member, err);

    c.fd = r < 0 ? r : store_blob_begin(a->in.store, name, err);
    r = c.fd < 0 ? -err->code : read_member(a, l, &member, copy_piece, &c, err);
    hasher_finish(c.hasher, digest);
    if (!r && strcmp(digest, source->digest))
        r = err_set(err, EBADMSG, "layer '%s': the content has digest %s", source->name, digest);
    if (!r)
        r = store_blob_commit(a->in.store, name, c.fd, digest, err);
    else if (c.fd >= 0)
        store_stage_drop(a->in.store, name, &ignored);
    close_fd(&c.fd);
    return r;
}

/* Which blob holds the tar of a layer that need not be unpacked. */
static int settle_blob(struct arrival *a, struct intake_layer *l, struct err *err)
{
    const struct archived_layer *source = l->source;
    int r;

    if (a->image->manifest) {
        strcpy(l->blob.digest, source->digest);
        snprintf(l->blob.media_type, sizeof l->blob.media_type, "%s", source->media_type);
        l->blob.size = source->size;
        return store_has_blob(a->in.store, source->digest, NULL) ? 0 : copy_blob(a, l, err);
    }
    r = store_layer_blob(a->in.store, l->diff_id, &l->blob, err);
    return r == -ENOENT ? 0 : r; /* made here: it can be packed again */
}

static int get_layers(struct arrival *a, struct err *err)
{
    int r = intake_plan(&a->in, &a->config.diff_ids, err);

    for (size_t i = 0; i < a->in.layer_count && r >= 0; i++) {
        a->in.layers[i].source = &a->image->layers[i];
        if (a->in.layers[i].state == INTAKE_PUBLISHED)
            r = settle_blob(a, &a->in.layers[i], err);
    }
    return r < 0 ? r : intake_run(&a->in, "load", err);
}

/* --- config and record ------------------------------------------------------------------------ */

static int load_config(struct arrival *a, struct err *err)
{
    const struct archived_image *image = a->image;
    struct buf *text = &a->config_text;
    int r = 0;

    if (image->config_text)
        buf_add_str(text, image->config_text);
    else
        r = image_archive_load(a->loading->archive, image->config, CONFIG_MAX, text, err);
    if (r < 0)
        return r;
    digest_of(text->data, text->len, a->id);
    if (*image->config_digest && strcmp(image->config_digest, a->id))
        return err_set(err, EBADMSG, "config '%s': the content has digest %s", image->config,
                       a->id);
    r = image_config_parse(text->data, text->len, &a->config, err);
    if (r < 0)
        return err_wrap(err, "config '%s'", image->config);
    if (*a->config.os && strcmp(a->config.os, "linux"))
        return err_set(err, EINVAL, "cannot load %s image on linux", a->config.os);
    if (a->config.diff_ids.len != image->layer_count)
        return err_set(err, EBADMSG,
                       "invalid manifest, layers length mismatch: expected %zu, got "
                       "%zu",
                       image->layer_count, a->config.diff_ids.len);
    return 0;
}

static int keep(struct arrival *a, const char *digest, const struct buf *text,
                struct image_record *record, struct err *err)
{
    strv_add(&record->blobs, digest);
    return store_blob_put(a->in.store, digest, text->data, text->len, err);
}

/* What is said of the names. One that another image has moves, and docker says so. */
static int describe_names(struct arrival *a, struct strv *ret, struct err *err)
{
    const struct strv *names = &a->image->tags;

    for (size_t i = 0; i < names->len; i++) {
        cleanup_free char *familiar = reference_familiar(names->items[i]);
        struct image old;
        int r = store_image_by_reference(a->in.store, names->items[i], &old, err);

        if (r < 0 && r != -ENOENT)
            return r;
        if (!r && strcmp(old.id, a->id))
            strv_take(ret, str_format("The image %s already exists, renaming the old one with ID "
                                      "%s to empty string",
                                      familiar, old.id));
        if (!r)
            image_free(&old);
        strv_take(ret, str_format("Loaded image: %s", familiar));
    }
    if (!names->len)
        strv_take(ret, str_format("Loaded image ID: %s", a->id));
    return 0;
}

/* Image and names at once: nobody takes it for one without a name, and prunes it. */
static int record(struct arrival *a, struct err *err)
{
    const struct archived_image *image = a->image;
    cleanup_free struct layer_blob *packed = NULL;
    struct image_record record = {.id = a->id,
                                  .manifest = image->manifest ? image->manifest_digest : "",
                                  .created_ns = a->config.created_ns,
                                  .references = &image->tags};
    cleanup_strv struct strv said = {0};
    int r = 0;

    intake_record(&a->in, &record, &packed);
    if (image->manifest)
        r = image_archive_load(a->loading->archive, image->manifest, MANIFEST_MAX,
                               &a->manifest_text, err);
    if (!r && image->manifest)
        r = keep(a, image->manifest_digest, &a->manifest_text, &record, err);
    if (!r)
        r = keep(a, a->id, &a->config_text, &record, err);
    if (!r)
        r = describe_names(a, &said, err);
    if (!r)
        r = store_image_add(a->in.store, &record, err);
    for (size_t i = 0; i < said.len && !r; i++)
        strv_add(a->loading->lines, said.items[i]);
    strv_free(&record.blobs);
    strv_free(&record.chain_ids);
    return r;
}

/* --- all of it -------------------------------------------------------------------------------- */

static int load_image(struct loading *l, const struct archived_image *image, struct err *err)
{
    struct arrival a = {.loading = l, .image = image};
    int r;

    intake_init(&a.in, l->e->store, l->progress, l->options ? l->options->cancelled : NULL);
    a.in.fetch = fetch;
    a.in.context = &a;
    r = load_config(&a, err);
    if (!r)
        r = get_layers(&a, err);
    if (!r)
        r = record(&a, err);
    if (!r)
        image_event(l->e, "load", a.id, NULL);
    image_config_free(&a.config);
    buf_free(&a.config_text);
    buf_free(&a.manifest_text);
    intake_free(&a.in);
    return r;
}

static int load_all(struct loading *l, struct err *err)
{
    struct archived_images images = {0};
    struct platform wanted;
    int r = 0;

    platform_host(&wanted);
    if (l->options && l->options->platform)
        r = platform_parse(l->options->platform, &wanted, err);
    if (!r)
        r = image_archive_images(l->archive, &wanted, &images, err);
    for (size_t i = 0; i < images.len && r >= 0; i++)
        r = load_image(l, &images.items[i], err);
    for (size_t i = 0; i < images.len && r >= 0; i++) /* in docker's archives they come last */
        if (*images.items[i].parent && *images.items[i].config_digest)
            r = store_image_set_parent(l->e->store, images.items[i].config_digest,
                                       images.items[i].parent, err);
    archived_images_free(&images);
    return r;
}

/* A descriptor that can be read anywhere, and what is in it is no longer compressed. */
static int make_readable(struct store *store, int fd, const struct load_options *options,
                         struct err *err)
{
    char name[64];
    cleanup_close int spooled = -1;
    struct err ignored;
    struct stat st;
    int r;

    if (fstat(fd, &st) < 0)
        return err_errno(err, "cannot stat the archive");
    if (S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && image_archive_is_plain(fd)))
        return fcntl(fd, F_DUPFD_CLOEXEC, 3);
    spooled = store_blob_begin(store, name, err);
    if (spooled < 0)
        return spooled;
    r = image_archive_spool(fd, spooled, options ? options->cancelled : NULL, err);
    store_stage_drop(store, name, &ignored); /* the descriptor keeps what is left of it */
    return r < 0 ? r : steal_fd(&spooled);
}

int engine_load(struct engine *e, int fd, const struct load_options *options,
                const struct pull_progress *progress, struct strv *ret_lines, struct err *err)
{
    struct loading l = {.e = e, .options = options, .progress = progress, .lines = ret_lines};
    cleanup_close int hold = store_hold(e->store, err), readable = -1;
    int r = hold < 0 ? hold : store_collect_stages(e->store, err);

    if (r < 0)
        return r;
    readable = make_readable(e->store, fd, options, err);
    if (readable < 0)
        return err->code ? -err->code : err_errno(err, "cannot open the archive");
    r = image_archive_open(readable, &l.archive, err);
    if (!r)
        r = load_all(&l, err);
    image_archive_close(l.archive);
    return r < 0 ? r : 0;
}
