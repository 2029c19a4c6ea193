/* A build from its request to its image:
 *
 *     context   the directory with the files, the Dockerfile, .dockerignore
 *     parse     all of the Dockerfile; mistakes are told before anything is done
 *     plan      which stages the target needs
 *     stages    each in a thread of its own, in the order they need each other
 *     image     the target's config document, recorded under the names that were asked for
 *
 * Everything is made under store_hold(), so that nobody collects what no image refers to yet. What
 * the steps gave stays in the build cache whether or not the build succeeds. */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "build/stage.h"
#include "image/image.h"

void build_end(struct build *b)
{
    struct err ignored;
    struct strv deleted = {0};
    uint64_t bytes = 0;

    engine_step_drop(b->engine, &b->wreck);
    if (*b->stand_in)
        store_image_remove(b->engine->store, b->stand_in, &deleted, &bytes, &ignored);
    strv_free(&deleted);
    for (size_t i = 0; i < b->stage_count; i++)
        stage_free(&b->stages[i]);
    free(b->stages);
    scope_free(&b->globals);
    dockerfile_free(&b->file);
    context_close(&b->context);
    strv_free(&b->consumed);
    json_decref(b->wreck_config);
    json_decref(b->wreck_host);
    free(b->excerpt);
    close_fd(&b->stop[0]);
    close_fd(&b->stop[1]);
    close_fd(&b->over[0]);
    close_fd(&b->over[1]);
    pthread_mutex_destroy(&b->lock);
    pthread_cond_destroy(&b->changed);
}

int build_begin(struct build *b, struct engine *e, const struct build_request *request,
                struct err *err)
{
    b->engine = e;
    b->request = request;
    b->wreck.fd = b->stop[0] = b->stop[1] = b->over[0] = b->over[1] = -1;
    b->context.tree.root = -1;
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
    return pipe2(b->stop, O_CLOEXEC) < 0 || pipe2(b->over, O_CLOEXEC) < 0
               ? err_errno(err, "cannot make a pipe")
               : 0;
}

/* --- what is to be done ----------------------------------------------------------------------- */

static void keep_excerpt(const struct build *b, const struct place *place, struct build_result *ret)
{
    struct buf text = {0};

    if (!place->first)
        return;
    source_excerpt(&b->file.source, place, &text);
    ret->excerpt = buf_steal(&text);
}

int build_read(struct build *b, struct build_result *ret, struct err *err)
{
    const struct context_request request = {.source = b->request->source,
                                            .dockerfile = b->request->dockerfile,
                                            .input = b->request->input,
                                            .cancelled = b->request->cancelled};
    const struct instruction *at = NULL;
    struct place place = {0};
    int r = context_open(b->engine->store, &request, &b->context, err);

    if (r < 0)
        return r;
    r = dockerfile_parse(b->context.name, b->context.dockerfile.data, b->context.dockerfile.len,
                         &b->file, &place, err);
    if (r >= 0) {
        r = plan_make(b, &at, err);
        if (r < 0 && at)
            place = at->place;
    }
    if (r < 0)
        keep_excerpt(b, &place, ret);
    return r;
}

static int check_tags(const struct strv *tags, struct err *err)
{
    int r = 0;

    for (size_t i = 0; tags && i < tags->len && !r; i++) {
        struct reference ref = {0};

        r = reference_parse(tags->items[i], &ref, err);
        if (!r && ref.digest)
            r = err_set(err, EINVAL, "refusing to create a tag with a digest reference");
        reference_free(&ref);
        if (r)
            err_wrap(err, "invalid argument \"%s\" for \"-t, --tag\" flag", tags->items[i]);
    }
    return r;
}

/* --- doing it --------------------------------------------------------------------------------- */

static void *stage_thread(void *stage)
{
    stage_run(stage);
    return NULL;
}

/* The caller's wish to end reaches everybody through one pipe. */
static void *watch(void *build)
{
    struct build *b = build;
    struct pollfd p[] = {{b->request->cancel_fd, POLLIN, 0}, {b->over[0], POLLIN, 0}};

    while (poll(p, 2, -1) < 0 && errno == EINTR)
        ;
    if (!p[0].revents)
        return NULL;
    pthread_mutex_lock(&b->lock);
    if (!b->failed) {
        b->failed = true;
        err_set(&b->err, ECANCELED, "the build was cancelled");
    }
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    if (write(b->stop[1], "", 1) < 0)
        errno = 0;
    return NULL;
}

static int run_stages(struct build *b, struct err *err)
{
    cleanup_free pthread_t *threads = mem_alloc((b->stage_count + 1) * sizeof *threads);
    size_t started = 0;
    int r = 0;

    pthread_mutex_lock(&b->lock); /* so that none needs another late before all are started */
    for (size_t i = 0; i < b->stage_count && !r; i++) {
        struct stage *s = &b->stages[i];

        if (!s->needed || s == b->target)
            continue;
        r = pthread_create(&threads[started], NULL, stage_thread, s);
        started += !r;
    }
    b->failed |= r != 0;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    if (!r)
        stage_run(b->target);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    return r ? err_set(err, r, "cannot start a thread: %s", strerror(r)) : 0;
}

static int run_watched(struct build *b, struct err *err)
{
    pthread_t watcher;
    bool watched = b->request->cancel_fd >= 0 && !pthread_create(&watcher, NULL, watch, b);
    int r = run_stages(b, err);

    if (watched) {
        close_fd(&b->over[1]); /* its other end hangs up */
        pthread_join(watcher, NULL);
    }
    if (!r && b->failed) {
        *err = b->err;
        r = -b->err.code;
    }
    return r;
}

static void show_wreck(struct build *b)
{
    const struct build_failure failure = {.engine = b->engine,
                                          .image = b->wreck_image,
                                          .config = b->wreck_config,
                                          .host = b->wreck_host,
                                          .layers = b->culprit ? &b->culprit->layers.dirs : NULL,
                                          .stage = &b->wreck};

    if (b->wreck.fd >= 0 && b->culprit && b->request->failed)
        b->request->failed(b->request->context, &failure);
}

/* --- what comes out --------------------------------------------------------------------------- */

static void warn_unused(struct build *b)
{
    const struct strv *given = b->request->args;
    cleanup_strv struct strv unused = {0};
    cleanup_free char *list = NULL;

    for (size_t i = 0; given && i < given->len; i++) {
        cleanup_free char *name = str_copy_n(given->items[i], strcspn(given->items[i], "="));

        if (!strv_contains(&b->consumed, name) && strcmp(name, "SOURCE_DATE_EPOCH") != 0 &&
            !strv_contains(&unused, name))
            strv_add(&unused, name);
    }
    if (!unused.len)
        return;
    list = strv_join(&unused, " ");
    stage_tell(b->target, BUILD_WARNING, "One or more build-args [%s] were not consumed", list);
}

static void warn_unknown(struct build *b)
{
    const struct strv *names = b->request->no_cache_filter;

    for (size_t i = 0; names && i < names->len; i++)
        if (!plan_find(b, names->items[i], b->stage_count))
            stage_tell(b->target, BUILD_WARNING, "--no-cache-filter: there is no stage \"%s\"",
                       names->items[i]);
}

static void note_used(struct build *b)
{
    struct err ignored;

    for (size_t i = 0; i < b->stage_count; i++)
        store_build_used(b->engine->store, &b->stages[i].used, &ignored);
}

static int record(struct build *b, struct build_result *ret, struct err *err)
{
    const struct stage *s = b->target;
    const struct finished_image image = {.document = ret->document,
                                         .chain_ids = &s->layers.chain_ids,
                                         .base = *s->base_image ? s->base_image : NULL,
                                         .references = b->request->tags};
    cleanup_free char *text = NULL;

    if (!b->request->rehearsal)
        return engine_record_image(b->engine, &image, ret->id, err);
    text = json_text(ret->document, JSON_COMPACT);
    digest_of(text, strlen(text), ret->id);
    return 0;
}

static int build(struct build *b, struct build_result *ret, struct err *err)
{
    int r = run_watched(b, err);

    note_used(b);
    if (r < 0) {
        ret->excerpt = str_copy(b->excerpt);
        show_wreck(b);
        return r;
    }
    warn_unused(b);
    warn_unknown(b);
    cache_from_warn(b);
    if (b->request->squash)
        r = image_squash(b->target, err);
    if (r < 0)
        return r;
    ret->document = image_document(b->target);
    return record(b, ret, err);
}

/* Whoever looks at containers clears away what killed commands left of theirs. Builds make some, so
 * they look, too. */
static void clear_leftovers(struct engine *e)
{
    struct container_list list = {0};
    struct err ignored = {0};

    if (engine_list(e, &list, &ignored) >= 0)
        container_list_free(&list);
}

int build_image(struct engine *e, const struct build_request *request, struct build_result *ret,
                struct err *err)
{
    struct build b = {0};
    struct place doubtful = {0};
    cleanup_close int hold = -1;
    int r = build_begin(&b, e, request, err);

    *ret = (struct build_result){0};
    if (!r)
        r = check_tags(request->tags, err);
    if (!r)
        r = hold = store_hold(e->store, err);
    if (r >= 0)
        r = store_collect_stages(e->store, err);
    clear_leftovers(e);
    if (r >= 0)
        r = build_read(&b, ret, err);
    if (r >= 0 && (r = check_before_build(&b, &doubtful, err)) < 0)
        keep_excerpt(&b, &doubtful, ret);
    if (r >= 0)
        r = build(&b, ret, err);
    build_end(&b);
    return r < 0 ? r : 0;
}

void build_result_free(struct build_result *result)
{
    json_decref(result->document);
    free(result->excerpt);
}
