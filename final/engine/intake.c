/* Layers come in parallel and in any order; they are published base first, because a layer may need
 * the metadata of directories in the layers below it, and because a record must not name a parent
 * that is not there.
 *
 * Nobody waits for that: a worker whose layer is staged publishes all layers that have become
 * ready, its own if the ones below are there, and goes on with the next download. The last one to
 * finish finds the whole chain ready.
 *
 * The main thread only watches: it turns the caller's `cancelled` into `stop`, which all transfers
 * look at.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/intake.h"

void intake_init(struct intake *in, struct store *store, const struct pull_progress *progress,
                 const volatile bool *cancelled)
{
    *in = (struct intake){.store = store, .progress = progress, .cancelled = cancelled};
    pthread_mutex_init(&in->say, NULL);
    pthread_mutex_init(&in->state, NULL);
}

void intake_free(struct intake *in)
{
    pthread_mutex_destroy(&in->say);
    pthread_mutex_destroy(&in->state);
    free(in->layers);
    in->layers = NULL;
}

/* --- telling --------------------------------------------------------------------------------- */

void intake_status(struct intake *in, const struct intake_layer *l, const char *status,
                   uint64_t done, uint64_t total)
{
    if (!in->progress || !in->progress->layer)
        return;
    pthread_mutex_lock(&in->say);
    in->progress->layer(in->progress->context, l->short_id, status, done, total);
    pthread_mutex_unlock(&in->say);
}

void intake_say(struct intake *in, const char *format, ...)
{
    cleanup_free char *text = NULL;
    va_list args;
    int n;

    if (!in->progress || !in->progress->line)
        return;
    va_start(args, format);
    n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0)
        return;
    pthread_mutex_lock(&in->say);
    in->progress->line(in->progress->context, text);
    pthread_mutex_unlock(&in->say);
}

bool intake_stopped(const struct intake *in)
{
    return __atomic_load_n(&in->stop, __ATOMIC_RELAXED) ||
           (in->cancelled && __atomic_load_n(in->cancelled, __ATOMIC_RELAXED));
}

static void stop(struct intake *in)
{
    __atomic_store_n(&in->stop, true, __ATOMIC_RELAXED);
}

/* --- planning -------------------------------------------------------------------------------- */

/* Its directory name when the layer is recorded and there. */
static int find_layer(struct intake *in, struct intake_layer *l, struct err *err)
{
    struct layer found;
    int r = store_layer_find(in->store, l->chain_id, &found, err);

    if (r < 0)
        return r == -ENOENT ? 0 : r;
    if (faccessat(in->store->layers_fd, found.dir, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return 0; /* somebody removed it by hand: made again, under the same name */
    strcpy(l->dir, found.dir);
    l->state = INTAKE_PUBLISHED;
    return 0;
}

/* The chain ID names a layer together with all below it: the same blob on another base is another
 * layer, because what its whiteouts hide and its directories look like depends on what is below. */
int intake_plan(struct intake *in, const struct strv *diff_ids, struct err *err)
{
    const char *parent = "";
    int r = 0;

    if (diff_ids->len > INTAKE_LAYERS)
        return err_set(err, EOVERFLOW,
                       "max depth exceeded: the image has %zu layers, an overlay takes %d",
                       diff_ids->len, INTAKE_LAYERS);
    in->layer_count = diff_ids->len;
    in->layers = mem_alloc(diff_ids->len * sizeof *in->layers);
    for (size_t i = 0; i < diff_ids->len && !r; i++) {
        struct intake_layer *l = &in->layers[i];

        l->diff_id = diff_ids->items[i];
        l->stage_fd = -1;
        snprintf(l->short_id, sizeof l->short_id, "%.12s", digest_hex(l->diff_id));
        strcpy(l->parent, parent);
        chain_id(parent, l->diff_id, l->chain_id);
        parent = l->chain_id;
        r = find_layer(in, l, err);
    }
    return r;
}

void intake_record(const struct intake *in, struct image_record *record,
                   struct layer_blob **ret_packed)
{
    struct layer_blob *packed = mem_alloc((in->layer_count + 1) * sizeof *packed);

    for (size_t i = 0; i < in->layer_count; i++) {
        const struct intake_layer *l = &in->layers[i];

        strv_add(&record->chain_ids, l->chain_id);
        if (!*l->blob.digest)
            continue;
        strv_add(&record->blobs, l->blob.digest);
        packed[record->packed_count] = l->blob;
        strcpy(packed[record->packed_count++].diff_id, l->diff_id);
    }
    record->packed = packed;
    *ret_packed = packed;
}

/* --- publishing, under the state lock -------------------------------------------------------- */

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close_fd(&fds[i]);
}

/* Takes what the layer needs from the ones below: their directories, top first. */
static int complete(struct intake *in, struct intake_layer *l, struct err *err)
{
    size_t below = (size_t)(l - in->layers), opened = 0;
    int fds[INTAKE_LAYERS], r = 0;

    if (!l->fixups)
        return 0;
    for (size_t i = below; i-- > 0 && !r; opened++) {
        fds[opened] = openat(in->store->layers_fd, in->layers[i].dir,
                             O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fds[opened] < 0)
            r = err_errno(err, "cannot open layer '%s'", in->layers[i].chain_id);
    }
    if (!r)
        r = layer_complete(l->stage_fd, l->fixups, fds, opened, err);
    close_all(fds, opened);
    return r;
}

static int publish(struct intake *in, struct intake_layer *l, struct err *err)
{
    struct layer layer = {.size = l->size};
    int r = complete(in, l, err);

    if (r < 0)
        return err_wrap(err, "layer %s", l->short_id);
    strcpy(layer.chain_id, l->chain_id);
    strcpy(layer.diff_id, l->diff_id);
    strcpy(layer.parent, l->parent);
    r = store_layer_publish(in->store, l->stage, &layer, err);
    if (r < 0)
        return r;
    *l->stage = 0; /* it is a layer now */
    close_fd(&l->stage_fd);
    layer_fixups_free(steal_ptr(&l->fixups));
    strcpy(l->dir, layer.dir);
    l->state = INTAKE_PUBLISHED;
    if (in->done)
        intake_status(in, l, in->done, 0, 0);
    return 0;
}

/* Publishes from the bottom up to the first layer that is still on its way. */
static int publish_ready(struct intake *in, struct err *err)
{
    for (size_t i = 0; i < in->layer_count; i++) {
        int r = 0;

        if (in->layers[i].state == INTAKE_WAITING)
            return 0;
        if (in->layers[i].state == INTAKE_STAGED)
            r = publish(in, &in->layers[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- workers --------------------------------------------------------------------------------- */

/* Base first: the bottom layer is most often the biggest, and all others wait for it to be
 * published. */
static struct intake_layer *next_layer(struct intake *in)
{
    struct intake_layer *l = NULL;

    pthread_mutex_lock(&in->state);
    while (in->next < in->layer_count && in->layers[in->next].state == INTAKE_PUBLISHED)
        in->next++;
    if (in->next < in->layer_count && !intake_stopped(in))
        l = &in->layers[in->next++];
    pthread_mutex_unlock(&in->state);
    return l;
}

/* What came out of one layer. The first error is the pull's; the others are its consequences. */
static void settle(struct intake *in, struct intake_layer *l, int r, struct err *err)
{
    pthread_mutex_lock(&in->state);
    if (!r) {
        l->state = INTAKE_STAGED;
        r = publish_ready(in, err);
    }
    if (r < 0 && !in->err.code)
        in->err = *err;
    pthread_mutex_unlock(&in->state);
    if (r < 0)
        stop(in);
}

static void *work(void *context)
{
    struct intake *in = context;
    struct intake_layer *l;

    while ((l = next_layer(in))) {
        struct err err = {0};

        settle(in, l, in->fetch(in, l, &err), &err);
    }
    return NULL;
}

/* Signals are the main thread's business: workers inherit a mask that blocks them all. Returns how
 * many run. */
static size_t start_workers(struct intake *in, pthread_t *threads, size_t wanted, struct err *err)
{
    sigset_t all, before;
    size_t started = 0;
    int r = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (!r && started < wanted) {
        r = pthread_create(&threads[started], NULL, work, in);
        started += !r;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r)
        err_set(err, r, "cannot start a thread: %s", strerror(r));
    return started;
}

void intake_drop_stage(struct intake *in, struct intake_layer *l)
{
    struct err ignored;

    layer_fixups_free(steal_ptr(&l->fixups));
    close_fd(&l->stage_fd);
    if (*l->stage)
        store_stage_drop(in->store, l->stage, &ignored);
    *l->stage = 0;
}

/* What was staged but not published when it stopped. */
static void drop_staged(struct intake *in)
{
    for (size_t i = 0; i < in->layer_count; i++)
        if (in->layers[i].state == INTAKE_STAGED)
            intake_drop_stage(in, &in->layers[i]);
}

size_t intake_missing(const struct intake *in)
{
    size_t missing = 0;

    for (size_t i = 0; i < in->layer_count; i++)
        missing += in->layers[i].state != INTAKE_PUBLISHED;
    return missing;
}

int intake_run(struct intake *in, const char *what, struct err *err)
{
    size_t missing = intake_missing(in),
           wanted = missing < INTAKE_WORKERS ? missing : INTAKE_WORKERS;
    pthread_t threads[INTAKE_WORKERS];
    size_t started = start_workers(in, threads, wanted, err);
    int r = started || !wanted ? 0 : -err->code; /* fewer than wanted will do */

    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (in->err.code) {
        *err = in->err;
        r = -err->code;
    }
    if (!r && intake_missing(in)) /* nobody failed: the workers were told to stop */
        r = err_set(err, ECANCELED, "%s cancelled", what);
    if (r < 0)
        drop_staged(in);
    return r;
}
