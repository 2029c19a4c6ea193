/* One stage: FROM, then its instructions in their order. Those that change the configuration only
 * are change.c's; the others have files of their own (step_*.c). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "build/stage.h"

/* --- layers ----------------------------------------------------------------------------------- */

static void strv_append(struct strv *to, const struct strv *from)
{
    for (size_t i = 0; i < from->len; i++)
        strv_add(to, from->items[i]);
}

void layers_free(struct layers *layers)
{
    strv_free(&layers->dirs);
    strv_free(&layers->chain_ids);
    strv_free(&layers->diff_ids);
}

void layers_copy(const struct layers *from, struct layers *to)
{
    strv_append(&to->dirs, &from->dirs);
    strv_append(&to->chain_ids, &from->chain_ids);
    strv_append(&to->diff_ids, &from->diff_ids);
}

void layers_add(struct layers *layers, const struct layer *layer)
{
    strv_add(&layers->dirs, layer->dir);
    strv_add(&layers->chain_ids, layer->chain_id);
    strv_add(&layers->diff_ids, layer->diff_id);
}

const char *layers_top(const struct layers *layers)
{
    return layers->chain_ids.len ? layers->chain_ids.items[layers->chain_ids.len - 1] : "";
}

/* --- telling ---------------------------------------------------------------------------------- */

void build_tell(struct build *b, struct build_event *event)
{
    pthread_mutex_lock(&b->lock);
    event->steps = b->steps;
    b->request->listen(b->request->context, event);
    pthread_mutex_unlock(&b->lock);
}

void stage_tell(struct stage *s, enum build_event_kind kind, const char *format, ...)
{
    struct build_event event = {.kind = kind, .lane = s->lane, .step = s->step};
    cleanup_free char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort(); /* out of memory, as mem_alloc would */
    va_end(args);
    event.text = text;
    event.len = strlen(text);
    build_tell(s->build, &event);
}

bool build_stopped(struct build *b)
{
    bool stopped;

    pthread_mutex_lock(&b->lock);
    stopped = b->failed;
    pthread_mutex_unlock(&b->lock);
    return stopped || (b->request->cancelled && *b->request->cancelled);
}

/* --- history ---------------------------------------------------------------------------------- */

json_t *stage_shell(const struct stage *s, const char *text)
{
    const json_t *shell = json_object_get(s->config, "Shell");
    json_t *list =
        json_array_size(shell) ? json_deep_copy(shell) : json_pack("[s, s]", "/bin/sh", "-c");

    json_push(list, json_string(text));
    return list;
}

char *stage_nop(const struct stage *s)
{
    cleanup_json json_t *words = stage_shell(s, "#(nop) ");
    cleanup_strv struct strv list = {0};

    json_strings(words, &list);
    return strv_join(&list, " ");
}

void stage_add_history(struct stage *s, const char *created_by, bool layer)
{
    json_t *entry = json_object();
    char created[40];

    clock_format(s->epoch * 1000000000, created);
    json_put_str(entry, "created", s->epoch ? created : "1970-01-01T00:00:00Z");
    json_put_str(entry, "created_by", created_by);
    if (s->author)
        json_put_str(entry, "author", s->author);
    if (!layer)
        json_put(entry, "empty_layer", json_true());
    json_push(s->history, entry);
}

/* --- instructions that change no file --------------------------------------------------------- */

/* "ENV A=b" with the values in, as docker's history has it. */
static void note_change(struct stage *s, const char *text)
{
    cleanup_free char *nop = stage_nop(s), *created_by = NULL;

    created_by = str_format("%s %s %s", nop, s->at->name, text);
    stage_add_history(s, created_by, false);
    stage_tell(s, BUILD_MADE, "%s", "");
}

static int do_maintainer(struct stage *s, struct err *err)
{
    (void)err;
    free(s->author);
    s->author = str_copy(s->at->text);
    note_change(s, s->at->text);
    return 0;
}

static int do_arg(struct stage *s, struct err *err)
{
    int r = scope_declare(s->build, s, s->at, err);

    if (r >= 0)
        note_change(s, s->at->text);
    return r;
}

/* ["sh" "-c" "x"]: a list as Go prints it. */
static void print_list(const json_t *list, bool quoted, struct buf *out)
{
    json_t *item;
    size_t i;

    buf_add_char(out, '[');
    json_array_foreach(list, i, item)
    {
        cleanup_free char *text = quoted ? json_text(item, 0) : str_copy(json_string_value(item));

        buf_printf(out, "%s%s", i ? " " : "", text);
    }
    buf_add_char(out, ']');
}

/* "A=1 B=two words" */
static int print_pairs(const struct stage *s, const struct word_rules *rules, struct buf *out,
                       struct err *err)
{
    cleanup_strv struct strv words = {0};
    bool old;

    words_split(s->at->text, s->file->escape, &words);
    old = !strchr(words.items[0], '=');
    for (size_t i = 0; i < words.len; i++) {
        cleanup_free char *text = NULL;

        if (word_expand(rules, words.items[i], &text, err) < 0)
            return -err->code;
        buf_printf(out, "%s%s", i ? old && i == 1 ? "=" : " " : "", text);
    }
    return 0;
}

/* What the instruction said, as docker's history has it: values put in, quotes taken off; what a
 * shell will read stays as it is. */
static int describe_change(struct stage *s, const json_t *variables, struct buf *out,
                           struct err *err)
{
    const struct word_rules rules = {.env = variables, .escape = s->file->escape};
    const struct instruction *in = s->at;
    cleanup_free char *text = NULL;

    if (in->keyword == KW_CMD)
        print_list(json_object_get(s->config, "Cmd"), true, out);
    else if (in->keyword == KW_ENTRYPOINT)
        print_list(json_object_get(s->config, "Entrypoint"), true, out);
    else if (in->keyword == KW_SHELL)
        print_list(json_object_get(s->config, "Shell"), false, out);
    else if (in->keyword == KW_ENV || in->keyword == KW_LABEL)
        return print_pairs(s, &rules, out, err);
    else if (in->keyword == KW_HEALTHCHECK || in->keyword == KW_ONBUILD)
        buf_add_str(out, in->text);
    else if (word_expand(&rules, in->text, &text, err) < 0)
        return -err->code;
    else
        buf_printf(out, in->keyword == KW_VOLUME && *text != '[' ? "[%s]" : "%s", text);
    return 0;
}

static int do_change(struct stage *s, struct err *err)
{
    cleanup_json json_t *variables = scope_variables(s);
    cleanup_buf struct buf text = {0};
    int r;

    s->changes.escape = s->file->escape;
    s->changes.env = variables;
    r = change_apply(s->config, s->at->name, s->at->text, &s->changes, err);
    s->changes.env = NULL;
    if (r >= 0)
        r = describe_change(s, variables, &text, err);
    if (r >= 0)
        note_change(s, text.data ? text.data : "");
    return r;
}

/* --- the loop --------------------------------------------------------------------------------- */

static int (*const steps[])(struct stage *s, struct err *err) = {
    [KW_ADD] = step_copy,
    [KW_ARG] = do_arg,
    [KW_CMD] = do_change,
    [KW_COPY] = step_copy,
    [KW_ENTRYPOINT] = do_change,
    [KW_ENV] = do_change,
    [KW_EXPOSE] = do_change,
    [KW_FROM] = step_from,
    [KW_HEALTHCHECK] = do_change,
    [KW_LABEL] = do_change,
    [KW_MAINTAINER] = do_maintainer,
    [KW_ONBUILD] = do_change,
    [KW_RUN] = step_run,
    [KW_SHELL] = do_change,
    [KW_STOPSIGNAL] = do_change,
    [KW_USER] = do_change,
    [KW_VOLUME] = do_change,
    [KW_WORKDIR] = step_workdir,
};

int stage_do(struct stage *s, const struct instruction *items, size_t count, bool numbered,
             struct err *err)
{
    int r = 0;

    for (size_t i = 0; i < count && r >= 0; i++) {
        if (build_stopped(s->build))
            return err_set(err, ECANCELED, "the build was cancelled");
        s->at = &items[i];
        s->ordinal++;
        if (numbered) {
            s->step++;
            stage_tell(s, BUILD_STEP, "%s", s->at->original);
        }
        r = steps[s->at->keyword](s, err);
    }
    return r;
}

/* --label is as if the Dockerfile said LABEL at its end. */
static int add_labels(struct stage *s, struct err *err)
{
    const struct strv *labels = s->build->request->labels;
    cleanup_buf struct buf text = {0};
    cleanup_free char *nop = stage_nop(s), *created_by = NULL;
    json_t *object = json_object_get(s->config, "Labels");

    (void)err;
    if (s != s->build->target || !labels || !labels->len)
        return 0;
    if (!json_is_object(object)) {
        object = json_object();
        json_put(s->config, "Labels", object);
    }
    for (size_t i = 0; i < labels->len; i++) {
        const char *pair = labels->items[i], *equals = strchr(pair, '=');
        cleanup_free char *name = str_copy_n(pair, strcspn(pair, "="));

        json_put_str(object, name, equals ? equals + 1 : "");
        buf_printf(&text, " %s=%s", name, equals ? equals + 1 : "");
    }
    created_by = str_format("%s LABEL%s", nop, text.data);
    stage_add_history(s, created_by, false);
    return 0;
}

static int run(struct stage *s, struct err *err)
{
    int r = s->base ? plan_await(s->base, err) : 0;

    if (!r)
        r = engine_open(s->build->engine->store->root, &s->engine, err);
    if (r < 0)
        return r;
    s->step = s->first_step - 1;
    scope_begin_stage(s);
    r = stage_do(s, s->from, 1, true, err);
    if (r >= 0)
        r = stage_do(s, s->first, s->count, true, err);
    if (r >= 0)
        r = add_labels(s, err);
    return r;
}

/* --- its end ---------------------------------------------------------------------------------- */

static void fail(struct stage *s, const struct err *err)
{
    struct build *b = s->build;
    struct buf excerpt = {0};
    const struct instruction *at = s->at ? s->at : s->from;

    if (b->failed) /* and it is for that that we were ended */
        return;
    b->failed = true;
    b->err = *err;
    b->culprit = s;
    if (s->file == &b->file && err->code != ECANCELED) {
        source_excerpt(&s->file->source, &at->place, &excerpt);
        b->excerpt = buf_steal(&excerpt);
    }
    if (write(b->stop[1], "", 1) < 0)
        errno = 0;
}

void stage_run(struct stage *s)
{
    struct build *b = s->build;
    struct build_event end = {.kind = BUILD_LANE_END, .lane = s->lane};
    struct err err = {0};
    int r = run(s, &err);

    pthread_mutex_lock(&b->lock);
    if (r < 0)
        fail(s, &err);
    for (size_t i = 0; s->engine && i < s->engine->notes.len; i++)
        strv_add(&b->engine->notes, s->engine->notes.items[i]);
    s->state = r < 0 ? STAGE_FAILED : STAGE_DONE;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    build_tell(b, &end);
}

void stage_free(struct stage *s)
{
    free(s->name);
    free(s->base_name);
    free(s->platform);
    free(s->author);
    layers_free(&s->layers);
    json_decref(s->document);
    json_decref(s->config);
    json_decref(s->history);
    scope_free(&s->scope);
    strv_free(&s->used);
    dockerfile_free(&s->triggers);
    engine_close(s->engine);
}
