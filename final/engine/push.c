/* push NAME, in order:
 *
 *     find      the image, or with --all-tags every image of the repository
 *     pack      what has no blob yet gets one (pack.c)
 *     layers    those the repository does not have, several at once; taken over from other
 *               repositories of the registry where it has them there
 *     config, manifest    nothing refers to what is not there yet: the manifest comes last
 *     record    the name the image has there now, NAME@DIGEST
 *
 * The manifest goes as it came: an image that was pulled is pushed with the same digest.
 */
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "engine/intake.h"
#include "engine/internal.h"
#include "engine/pack.h"
#include "registry/registry.h"

#define PUSH_WORKERS      5 /* docker's */
#define MOUNT_SOURCES     4
#define PROGRESS_EVERY_NS 100000000LL

/* One blob; several layers may be the same one. */
struct outgoing {
    const struct descriptor *blob;
    char short_id[13]; /* of the diffID: what users see */
    struct strv mount_from;
    bool again; /* an earlier one of the same digest is on its way */
    int64_t told_ns;
    struct push *push;
};

struct push {
    struct engine *e;
    struct intake say; /* for its telling and its stopping only */
    struct reference ref;
    char *repository; /* "127.0.0.1:5000/me/app" */
    struct registry *registry;

    struct packed_image packed;
    struct outgoing *blobs; /* base first; behind the last layer the config */
    size_t count;           /* of the layers */
    pthread_mutex_t lock;   /* `next`, `err` */
    size_t next;
    struct err err;
};

/* --- telling ---------------------------------------------------------------------------------- */

static void tell(struct outgoing *o, const char *status, uint64_t done)
{
    struct intake_layer shown = {0};

    strcpy(shown.short_id, o->short_id);
    intake_status(&o->push->say, &shown, status, done, done ? o->blob->size : 0);
}

static void on_sent(void *context, uint64_t done)
{
    struct outgoing *o = context;
    int64_t now = clock_now();

    if (now - o->told_ns < PROGRESS_EVERY_NS)
        return;
    o->told_ns = now;
    tell(o, "Pushing", done);
}

/* Docker's order: the top first. */
static void announce(struct push *p)
{
    for (size_t i = p->count; i-- > 0;)
        tell(&p->blobs[i], "Preparing", 0);
    for (size_t i = p->count; i-- > 0;)
        if (p->count - 1 - i >= PUSH_WORKERS)
            tell(&p->blobs[i], "Waiting", 0);
}

/* --- layers ----------------------------------------------------------------------------------- */

static int send_blob(struct push *p, struct outgoing *o, bool quiet,
                     enum registry_uploaded *ret_how, const char **ret_from, struct err *err)
{
    cleanup_close int fd = store_blob_open(p->e->store, o->blob->digest, err);
    struct registry_upload upload = {.digest = o->blob->digest,
                                     .size = o->blob->size,
                                     .fd = fd,
                                     .mount_from = &o->mount_from,
                                     .sent = quiet ? NULL : on_sent,
                                     .context = o};

    return fd < 0 ? fd : registry_upload(p->registry, &upload, ret_how, ret_from, err);
}

static int send_layer(struct push *p, struct outgoing *o, struct err *err)
{
    enum registry_uploaded how = UPLOAD_EXISTS;
    const char *from = NULL;
    int r = o->again ? 0 : send_blob(p, o, false, &how, &from, err);
    cleanup_free char *mounted = from ? str_format("Mounted from %s", from) : NULL;

    if (r < 0)
        return r;
    tell(o, how == UPLOAD_SENT ? "Pushed" : mounted ? mounted : "Layer already exists", 0);
    return 0;
}

/* From the top: what is most likely new, so that a refusal is known early. */
static struct outgoing *next_blob(struct push *p)
{
    struct outgoing *o = NULL;

    pthread_mutex_lock(&p->lock);
    if (p->next < p->count && !p->err.code && !intake_stopped(&p->say))
        o = &p->blobs[p->count - 1 - p->next++];
    pthread_mutex_unlock(&p->lock);
    return o;
}

static void *work(void *context)
{
    struct push *p = context;
    struct outgoing *o;

    while ((o = next_blob(p))) {
        struct err err = {0};

        if (send_layer(p, o, &err) >= 0)
            continue;
        pthread_mutex_lock(&p->lock);
        if (!p->err.code)
            p->err = err;
        pthread_mutex_unlock(&p->lock);
        __atomic_store_n(&p->say.stop, true, __ATOMIC_RELAXED); /* the others end, too */
    }
    return NULL;
}

static int send_layers(struct push *p, struct err *err)
{
    size_t wanted = p->count < PUSH_WORKERS ? p->count : PUSH_WORKERS, started = 0;
    pthread_t threads[PUSH_WORKERS];
    sigset_t all, before;
    int r = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (!r && started < wanted) {
        r = pthread_create(&threads[started], NULL, work, p);
        started += !r;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (p->err.code) {
        *err = p->err;
        return -err->code;
    }
    if (wanted && !started)
        return err_set(err, r, "cannot start a thread: %s", strerror(r));
    return intake_stopped(&p->say) ? err_set(err, ECANCELED, "push cancelled") : 0;
}

/* --- one image -------------------------------------------------------------------------------- */

/* Where on this registry the blob is known to be: repositories it was pulled from or pushed to. */
static int find_mounts(struct push *p, struct outgoing *o, struct err *err)
{
    cleanup_strv struct strv names = {0};
    cleanup_free char *prefix = str_format("%s/", p->ref.domain);
    int r = store_blob_repositories(p->e->store, o->blob->digest, prefix, &names, err);

    for (size_t i = 0; i < names.len && o->mount_from.len < MOUNT_SOURCES; i++) {
        const char *path = names.items[i] + strlen(prefix);

        if (strcmp(path, p->ref.path))
            strv_add(&o->mount_from, path);
    }
    return r;
}

static int plan(struct push *p, struct err *err)
{
    const struct manifest *m = &p->packed.manifest;
    int r = 0;

    p->count = m->layer_count;
    p->blobs = mem_alloc((p->count + 1) * sizeof *p->blobs);
    for (size_t i = 0; i <= p->count && r >= 0; i++) {
        struct outgoing *o = &p->blobs[i];

        o->push = p;
        o->blob = i < p->count ? &m->layers[i] : &m->config;
        snprintf(
            o->short_id, sizeof o->short_id, "%.12s",
            digest_hex(i < p->packed.diff_ids.len ? p->packed.diff_ids.items[i] : o->blob->digest));
        for (size_t k = i + 1; k < p->count; k++) /* the topmost of the same goes */
            o->again |= !strcmp(m->layers[k].digest, o->blob->digest);
        r = find_mounts(p, o, err);
    }
    return r;
}

static void forget_plan(struct push *p)
{
    for (size_t i = 0; p->blobs && i <= p->count; i++)
        strv_free(&p->blobs[i].mount_from);
    free(steal_ptr(&p->blobs));
    p->count = p->next = 0;
    packed_image_free(&p->packed);
    p->packed = (struct packed_image){0};
}

static bool stopped(void *context)
{
    return intake_stopped(context);
}

static int open_registry(struct push *p, struct err *err)
{
    cleanup_strv struct strv sources = {0};
    struct registry_options options = {
        .cancelled = stopped, .context = &p->say, .push = true, .mount_from = &sources};

    for (size_t i = 0; i <= p->count; i++)
        for (size_t k = 0; k < p->blobs[i].mount_from.len; k++)
            if (!strv_contains(&sources, p->blobs[i].mount_from.items[k]))
                strv_add(&sources, p->blobs[i].mount_from.items[k]);
    return registry_open(p->ref.domain, p->ref.path, &options, &p->registry, err);
}

static int send_documents(struct push *p, const char *tag, struct err *err)
{
    enum registry_uploaded how;
    const char *from;
    int r = send_blob(p, &p->blobs[p->count], true, &how, &from, err);

    if (r < 0)
        return r;
    return registry_put_manifest(p->registry, tag, p->packed.manifest.media_type,
                                 p->packed.text.data, p->packed.text.len, err);
}

static int record(struct push *p, const struct image *image, const char *tag, struct err *err)
{
    cleanup_free char *name = str_format("%s/%s@%s", p->ref.domain, p->ref.path, p->packed.digest);
    cleanup_free char *canonical = str_format("%s/%s:%s", p->ref.domain, p->ref.path, tag);
    cleanup_free char *familiar = reference_familiar(canonical), *repository = NULL, *same = NULL;
    int r = store_repo_digest_set(p->e->store, name, image->id, err);

    if (r < 0 && r != -ENOENT) /* removed meanwhile: pushed all the same */
        return r;
    reference_split(canonical, &repository, &same);
    image_event(p->e, "push", familiar, repository);
    intake_say(&p->say, "%s: digest: %s size: %zu", tag, p->packed.digest, p->packed.text.len);
    return 0;
}

static int push_image(struct push *p, const struct image *image, const char *tag, struct err *err)
{
    int r = image_pack(p->e, image, &p->packed, err);

    if (!r)
        r = plan(p, err);
    if (r >= 0 && !p->registry)
        r = open_registry(p, err);
    if (r >= 0)
        announce(p);
    if (r >= 0)
        r = send_layers(p, err);
    if (!r)
        r = send_documents(p, tag, err);
    if (!r)
        r = record(p, image, tag, err);
    forget_plan(p);
    return r;
}

/* --- which images ----------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Canonical names of the repository's tags that are here. */
static int list_tags(struct push *p, struct strv *ret, struct err *err)
{
    cleanup_free char *prefix = str_format("%s/%s:", p->ref.domain, p->ref.path);
    struct image_list list;
    int r = store_images(p->e->store, &list, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < list.len; i++)
        for (size_t k = 0; k < list.items[i].references.len; k++)
            if (str_starts(list.items[i].references.items[k], prefix))
                strv_add(ret, list.items[i].references.items[k]);
    image_list_free(&list);
    if (ret->len)
        qsort(ret->items, ret->len, sizeof *ret->items, by_text);
    return 0;
}

/* What is to be pushed; docker's words when there is nothing. */
static int choose_tags(struct push *p, bool all, struct strv *ret, struct err *err)
{
    cleanup_free char *wanted = reference_canonical(&p->ref);
    int r = list_tags(p, ret, err);

    if (r < 0)
        return r;
    if (!ret->len)
        return err_set(err, ENOENT, "An image does not exist locally with the tag: %s",
                       p->repository);
    if (all)
        return 0;
    if (!strv_contains(ret, wanted))
        return err_set(err, ENOENT, "tag does not exist: %s:%s", p->repository, p->ref.tag);
    strv_free(ret);
    strv_add(ret, wanted);
    return 0;
}

static int push_tag(struct push *p, const char *canonical, const char *platform, struct err *err)
{
    struct image image;
    int r = store_image_by_reference(p->e->store, canonical, &image, err);

    if (r == -ENOENT)
        return err_set(err, ENOENT, "tag does not exist: %s", canonical);
    if (r < 0)
        return r;
    r = platform ? engine_check_platform(p->e, &image, canonical, platform, err) : 0;
    if (!r)
        r = push_image(p, &image, strrchr(canonical, ':') + 1, err);
    image_free(&image);
    return r;
}

static int push_all(struct push *p, const struct push_options *options, struct err *err)
{
    cleanup_strv struct strv tags = {0};
    cleanup_free char *whole = str_format("%s/%s", p->ref.domain, p->ref.path);
    int r;

    if (p->ref.defaulted_tag && !options->all_tags)
        intake_say(&p->say, "Using default tag: %s", p->ref.tag);
    intake_say(&p->say, "The push refers to repository [%s]", whole);
    r = choose_tags(p, options->all_tags, &tags, err);
    for (size_t i = 0; i < tags.len && !r; i++)
        r = push_tag(p, tags.items[i], options->platform, err);
    return r;
}

int engine_push(struct engine *e, const char *name, const struct push_options *options,
                const struct pull_progress *progress, struct err *err)
{
    cleanup_close int hold = store_hold(e->store, err);
    struct push p = {.e = e, .lock = PTHREAD_MUTEX_INITIALIZER};
    cleanup_free char *canonical = NULL, *tag = NULL;
    int r = hold < 0 ? hold : store_collect_stages(e->store, err);

    intake_init(&p.say, e->store, progress, options->cancelled);
    if (r >= 0)
        r = reference_parse(name, &p.ref, err);
    if (!r && p.ref.digest)
        r = err_set(err, EINVAL, "cannot push a digest reference");
    if (!r && options->all_tags && !p.ref.defaulted_tag)
        r = err_set(err, EINVAL, "tag can't be used with --all-tags/-a");
    if (!r) {
        canonical = reference_canonical(&p.ref);
        reference_split(canonical, &p.repository, &tag);
        r = push_all(&p, options, err);
    }
    registry_close(p.registry);
    intake_free(&p.say);
    reference_free(&p.ref);
    free(p.repository);
    return r;
}
