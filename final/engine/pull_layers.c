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
#include <string.h>

#include "base/cleanup.h"
#include "engine/pull.h"

bool pull_stopped(const struct pull *p)
{
    return __atomic_load_n(&p->stop, __ATOMIC_RELAXED) ||
           (p->cancelled && __atomic_load_n(p->cancelled, __ATOMIC_RELAXED));
}

static void stop(struct pull *p)
{
    __atomic_store_n(&p->stop, true, __ATOMIC_RELAXED);
}

/* --- publishing, under the state lock -------------------------------------------------------- */

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close_fd(&fds[i]);
}

/* Takes what the layer needs from the ones below: their directories, top first. */
static int complete(struct pull *p, struct pull_layer *l, struct err *err)
{
    size_t below = (size_t)(l - p->layers), opened = 0;
    int fds[PULL_LAYERS], r = 0;

    if (!l->fixups)
        return 0;
    for (size_t i = below; i-- > 0 && !r; opened++) {
        fds[opened] = openat(p->store->layers_fd, p->layers[i].dir,
                             O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fds[opened] < 0)
            r = err_errno(err, "cannot open layer '%s'", p->layers[i].chain_id);
    }
    if (!r)
        r = layer_complete(l->stage_fd, l->fixups, fds, opened, err);
    close_all(fds, opened);
    return r;
}

static int publish(struct pull *p, struct pull_layer *l, struct err *err)
{
    struct layer layer = {.size = l->size};
    int r = complete(p, l, err);

    if (r < 0)
        return err_wrap(err, "layer %s", l->short_id);
    strcpy(layer.chain_id, l->chain_id);
    strcpy(layer.diff_id, l->diff_id);
    strcpy(layer.parent, l->parent);
    r = store_layer_publish(p->store, l->stage, &layer, err);
    if (r < 0)
        return r;
    *l->stage = 0; /* it is a layer now */
    close_fd(&l->stage_fd);
    layer_fixups_free(steal_ptr(&l->fixups));
    strcpy(l->dir, layer.dir);
    l->state = PULL_PUBLISHED;
    pull_status(p, l, "Pull complete", 0, 0);
    return 0;
}

/* Publishes from the bottom up to the first layer that is still on its way. */
static int publish_ready(struct pull *p, struct err *err)
{
    for (size_t i = 0; i < p->layer_count; i++) {
        int r = 0;

        if (p->layers[i].state == PULL_WAITING)
            return 0;
        if (p->layers[i].state == PULL_STAGED)
            r = publish(p, &p->layers[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- workers --------------------------------------------------------------------------------- */

/* Base first: the bottom layer is most often the biggest, and all others wait for it to be
 * published. */
static struct pull_layer *next_layer(struct pull *p)
{
    struct pull_layer *l = NULL;

    pthread_mutex_lock(&p->state);
    while (p->next < p->layer_count && p->layers[p->next].state == PULL_PUBLISHED)
        p->next++;
    if (p->next < p->layer_count && !pull_stopped(p))
        l = &p->layers[p->next++];
    pthread_mutex_unlock(&p->state);
    return l;
}

/* What came out of one layer. The first error is the pull's; the others are its consequences. */
static void settle(struct pull *p, struct pull_layer *l, int r, struct err *err)
{
    pthread_mutex_lock(&p->state);
    if (!r) {
        l->state = PULL_STAGED;
        r = publish_ready(p, err);
    }
    if (r < 0 && !p->err.code)
        p->err = *err;
    pthread_mutex_unlock(&p->state);
    if (r < 0)
        stop(p);
}

static void *work(void *context)
{
    struct pull *p = context;
    struct pull_layer *l;

    while ((l = next_layer(p))) {
        struct err err = {0};

        pull_status(p, l, "Downloading", 0, l->blob->size);
        settle(p, l, pull_layer_fetch(p, l, &err), &err);
    }
    return NULL;
}

/* Signals are the main thread's business: workers inherit a mask that blocks them all. Returns how
 * many run. */
static size_t start_workers(struct pull *p, pthread_t *threads, size_t wanted, struct err *err)
{
    sigset_t all, before;
    size_t started = 0;
    int r = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (!r && started < wanted) {
        r = pthread_create(&threads[started], NULL, work, p);
        started += !r;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r)
        err_set(err, r, "cannot start a thread: %s", strerror(r));
    return started;
}

/* What was staged but not published when the pull stopped. */
static void drop_staged(struct pull *p)
{
    for (size_t i = 0; i < p->layer_count; i++) {
        struct pull_layer *l = &p->layers[i];
        struct err ignored;

        if (l->state != PULL_STAGED)
            continue;
        layer_fixups_free(steal_ptr(&l->fixups));
        close_fd(&l->stage_fd);
        store_stage_drop(p->store, l->stage, &ignored);
    }
}

static size_t count_missing(const struct pull *p)
{
    size_t missing = 0;

    for (size_t i = 0; i < p->layer_count; i++)
        missing += p->layers[i].state != PULL_PUBLISHED;
    return missing;
}

int pull_layers(struct pull *p, struct err *err)
{
    size_t missing = count_missing(p), wanted = missing < PULL_WORKERS ? missing : PULL_WORKERS;
    pthread_t threads[PULL_WORKERS];
    size_t started = start_workers(p, threads, wanted, err);
    int r = started || !wanted ? 0 : -err->code; /* fewer than wanted will do */

    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (p->err.code) {
        *err = p->err;
        r = -err->code;
    }
    if (!r && count_missing(p)) /* nobody failed: the workers were told to stop */
        r = err_set(err, ECANCELED, "pull cancelled");
    if (r < 0)
        drop_staged(p);
    return r;
}
