/* COPY, ADD and WORKDIR: files that come from elsewhere than a command. copy.h has the mechanics;
 * here is what the words mean, what the cache is asked, and what history says.
 *
 * Out of a stage or image the cache is asked twice. The first question is cheap: the same words
 * about the same layers. If that is not known, what the words name is read and hashed: a stage that
 * was built anew often has the same program in it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "build/copy_parts.h"
#include "build/stage.h"

#define FILES_MAX 1000 /* that are remembered by name */

/* One instruction, expanded. */
struct copying {
    struct stage *stage;
    struct copy_request request;
    struct strv sources, excludes;
    struct copy_text *texts;
    char *destination, *from, *chown, *chmod, *checksum;
    struct layers layers; /* of --from */
    struct tree tree;     /* the same, seen; root -1: not yet */
    struct copy_plan *plan;
};

static void copying_free(struct copying *c)
{
    copy_plan_free(c->plan);
    close_fd(&c->tree.root);
    layers_free(&c->layers);
    strv_free(&c->sources);
    strv_free(&c->excludes);
    for (size_t i = 0; i < c->request.text_count; i++)
        free((char *)c->texts[i].text);
    free(c->texts);
    free(c->destination);
    free(c->from);
    free(c->chown);
    free(c->chmod);
    free(c->checksum);
}

/* --- reading the instruction ------------------------------------------------------------------ */

static int read_words(struct copying *c, struct err *err)
{
    cleanup_strv struct strv words = {0};
    struct heredoc_word heredoc;
    int r = 0;

    instruction_words(c->stage->at, &words);
    for (size_t i = 0; i < words.len && r >= 0; i++) {
        char *expanded = NULL;
        bool last = i + 1 == words.len;

        if (!last && c->stage->at->heredoc_count && heredoc_word(words.items[i], &heredoc)) {
            free(heredoc.name);
            continue;
        }
        r = scope_expand(c->stage, words.items[i], false, &expanded, err);
        if (r >= 0 && last)
            c->destination = expanded;
        else if (r >= 0)
            strv_take(&c->sources, expanded);
    }
    return r;
}

static int read_heredocs(struct copying *c, struct err *err)
{
    const struct instruction *in = c->stage->at;

    c->texts = mem_alloc((in->heredoc_count + 1) * sizeof *c->texts);
    for (size_t i = 0; i < in->heredoc_count; i++) {
        char *text = NULL;

        if (!in->heredocs[i].expand)
            text = str_copy(in->heredocs[i].text);
        else if (scope_expand(c->stage, in->heredocs[i].text, true, &text, err) < 0)
            return -err->code;
        c->texts[c->request.text_count++] = (struct copy_text){in->heredocs[i].name, text};
    }
    return 0;
}

static int read_excludes(struct copying *c, struct err *err)
{
    const struct strv *flags = &c->stage->at->flags;

    for (size_t i = 0; i < flags->len; i++) {
        char *expanded = NULL;

        if (!str_starts(flags->items[i], "exclude="))
            continue;
        if (scope_expand(c->stage, flags->items[i] + strlen("exclude="), false, &expanded, err) < 0)
            return -err->code;
        strv_take(&c->excludes, expanded);
    }
    return 0;
}

static int read_flags(struct copying *c, struct err *err)
{
    const struct instruction *in = c->stage->at;
    struct stage *s = c->stage;
    const char *unpack = instruction_flag(in, "unpack");

    if (scope_expand_flag(s, "from", &c->from, err) < 0 ||
        scope_expand_flag(s, "chown", &c->chown, err) < 0 ||
        scope_expand_flag(s, "chmod", &c->chmod, err) < 0 ||
        scope_expand_flag(s, "checksum", &c->checksum, err) < 0)
        return -err->code;
    if (c->from && !*c->from) /* the context */
        free(steal_ptr(&c->from));
    c->request.parents = instruction_switch(in, "parents");
    c->request.link = instruction_switch(in, "link");
    c->request.keep_git_dir = instruction_switch(in, "keep-git-dir");
    c->request.unpack = instruction_switch(in, "unpack") ? 1 : unpack ? 0 : -1;
    return 0;
}

static void fill_request(struct copying *c)
{
    struct stage *s = c->stage;

    c->request.add = s->at->keyword == KW_ADD;
    c->request.store = s->engine->store;
    c->request.from = c->from ? &c->tree : &s->build->context.tree;
    c->request.sources = &c->sources;
    c->request.texts = c->texts;
    c->request.destination = c->destination;
    c->request.workdir = json_str(s->config, "WorkingDir", "");
    c->request.chown = c->chown;
    c->request.chmod = c->chmod;
    c->request.excludes = &c->excludes;
    c->request.checksum = c->checksum;
    c->request.epoch = s->epoch;
    c->request.cancelled = s->build->request->cancelled;
}

static int read_instruction(struct copying *c, struct err *err)
{
    int r = read_words(c, err);

    if (r >= 0)
        r = read_heredocs(c, err);
    if (r >= 0)
        r = read_excludes(c, err);
    if (r >= 0)
        r = read_flags(c, err);
    if (r >= 0 && c->from)
        r = step_find_source(c->stage, c->from, &c->layers, err);
    fill_request(c);
    return r;
}

/* --- the cache's questions -------------------------------------------------------------------- */

static void put_if(json_t *object, const char *name, const char *value)
{
    if (value)
        json_put_str(object, name, value);
}

/* Out of layers: the words, and which layers. */
static json_t *by_layers(const struct copying *c)
{
    json_t *inputs = json_object();

    json_put_str(inputs, "kind", c->stage->at->name);
    json_put_str(inputs, "from", layers_top(&c->layers));
    json_put(inputs, "sources", json_from_strings(&c->sources));
    json_put(inputs, "excludes", json_from_strings(&c->excludes));
    json_put_str(inputs, "destination", c->destination);
    json_put_str(inputs, "workdir", c->request.workdir);
    put_if(inputs, "chown", c->chown);
    put_if(inputs, "chmod", c->chmod);
    json_put(inputs, "flags", json_integer(c->request.parents | c->request.link << 1));
    for (size_t i = 0; i < c->request.text_count; i++)
        put_if(inputs, c->texts[i].name, c->texts[i].text);
    return inputs;
}

static json_t *by_content(const struct copying *c)
{
    char digest[DIGEST_LEN + 1];
    json_t *inputs = json_object();

    copy_plan_digest(c->plan, digest);
    json_put_str(inputs, "kind", c->stage->at->name);
    json_put_str(inputs, "content", digest);
    return inputs;
}

/* "/bin/sh -c #(nop) COPY file:<hex> in /dst " */
static char *created_by(const struct copying *c)
{
    cleanup_free char *nop = stage_nop(c->stage);
    cleanup_buf struct buf flags = {0};

    if (c->chown)
        buf_printf(&flags, "--chown=%s ", c->chown);
    if (c->chmod)
        buf_printf(&flags, "--chmod=%s ", c->chmod);
    return str_format("%s%s %s%s in %s ", nop, c->stage->at->name, flags.len ? flags.data : "",
                      copy_plan_summary(c->plan), c->destination);
}

/* --- doing it --------------------------------------------------------------------------------- */

/* Where a layer is made: a stage, and what is below it. */
struct making {
    struct engine *engine;
    char stage[64];
    struct copy_target target;
};

static int making_begin(struct stage *s, struct making *m, struct err *err)
{
    m->engine = s->engine;
    m->target = (struct copy_target){-1, -1};
    m->target.stage = store_stage(s->engine->store, m->stage, err);
    if (m->target.stage < 0)
        return m->target.stage;
    m->target.below = view_open(s->engine->store, &s->layers.dirs, err);
    return m->target.below < 0 ? m->target.below : 0;
}

/* The stage is published or dropped. */
static int making_end(struct stage *s, struct making *m, bool publish, struct layer *ret,
                      struct err *err)
{
    struct err ignored;
    int r = 0;

    if (m->target.stage >= 0 && publish)
        r = engine_publish_tree(s->engine, m->stage, m->target.stage, layers_top(&s->layers), ret,
                                err);
    if (m->target.stage >= 0 && (!publish || r < 0))
        store_stage_drop(s->engine->store, m->stage, &ignored);
    close_fd(&m->target.stage);
    close_fd(&m->target.below);
    return r;
}

static int apply(struct copying *c, struct layer *ret, struct err *err)
{
    struct making m;
    int r = making_begin(c->stage, &m, err), end;

    if (r >= 0)
        r = copy_apply(c->plan, &m.target, err);
    end = making_end(c->stage, &m, r >= 0, ret, err);
    return r < 0 ? r : end;
}

/* Which files are copied, and what each is, for --why; NULL when there are too many. */
static json_t *list_files(const struct copying *c)
{
    json_t *files = json_object();
    size_t count = 0;

    for (size_t i = 0; i < c->plan->count; i++)
        for (size_t k = 0; k < c->plan->sources[i].count; k++) {
            const struct copy_entry *e = &c->plan->sources[i].entries[k];
            cleanup_free char *what =
                str_format("%o %.12s%s", e->st.st_mode, *e->digest ? digest_hex(e->digest) : "",
                           e->link ? e->link : "");

            if (++count > FILES_MAX) {
                json_decref(files);
                return NULL;
            }
            json_object_set_new(files, e->path, json_string(what)); /* but for names not in UTF-8 */
        }
    return files;
}

/* What the digest says after copying counts: a file may have changed meanwhile. */
static int copy(struct copying *c, json_t *asked, struct err *err)
{
    cleanup_free char *description = created_by(c);
    cleanup_json json_t *inputs = NULL, *files = list_files(c);
    struct layer layer = {0};
    int r;

    why_tell(c->stage, asked, files);
    c->stage->missed = true;
    r = apply(c, &layer, err);
    if (r < 0)
        return r;
    inputs = by_content(c);
    json_object_update_missing(inputs, asked);
    r = cache_tell(c->stage, inputs, files, description, &layer, err);
    if (r >= 0)
        stage_add_history(c->stage, description, *layer.chain_id != 0);
    return r;
}

static int found(struct copying *c, const char *description, size_t layers_before)
{
    stage_tell(c->stage, BUILD_CACHED, "%s", "");
    stage_add_history(c->stage, description, c->stage->layers.dirs.len > layers_before);
    return 0;
}

/* A pattern may fit nothing (`COPY package.json yarn.lock* ./`), but when all of them do, that is
 * hardly what was meant. */
static void tell_nothing(const struct copying *c)
{
    cleanup_free char *patterns = strv_join(&c->sources, " ");

    stage_tell(c->stage, BUILD_WARNING, "%s %s: no file matches, nothing is copied",
               c->stage->at->name, patterns);
}

/* The second question. */
static int copy_content(struct copying *c, struct err *err)
{
    size_t before = c->stage->layers.dirs.len;
    cleanup_free char *description = NULL, *words = NULL;
    cleanup_json json_t *inputs = NULL;
    int r = copy_plan(&c->request, &c->plan, err);

    if (r < 0)
        return r;
    if (!c->plan->count)
        tell_nothing(c);
    inputs = by_content(c);
    words = created_by(c);
    r = cache_ask(c->stage, inputs, words, &description, err);
    if (r < 0)
        return r;
    return r ? found(c, description, before) : copy(c, inputs, err);
}

static int see_source(struct copying *c, struct err *err)
{
    c->tree = (struct tree){.keep_owner = true, .what = c->from};
    c->tree.root = view_open(c->stage->engine->store, &c->layers.dirs, err);
    return c->tree.root < 0 ? c->tree.root : 0;
}

static const char *last_created_by(const struct stage *s)
{
    const json_t *last = json_array_get(s->history, json_array_size(s->history) - 1);

    return json_str(last, "created_by", "");
}

static int copy_from_layers(struct copying *c, struct err *err)
{
    struct stage *s = c->stage;
    size_t before = s->layers.dirs.len;
    cleanup_free char *description = NULL, *parent = str_copy(layers_top(&s->layers));
    cleanup_json json_t *inputs = by_layers(c);
    int r = cache_ask(s, inputs, NULL, &description, err);

    if (r < 0)
        return r;
    if (r)
        return found(c, description, before);
    r = see_source(c, err);
    if (r >= 0)
        r = copy_content(c, err);
    return r < 0 ? r : cache_alias(s, inputs, parent, last_created_by(s), err);
}

static int finish(struct stage *s)
{
    stage_tell(s, BUILD_MADE, "%.12s",
               *layers_top(&s->layers) ? digest_hex(layers_top(&s->layers)) : "");
    return 0;
}

int step_copy(struct stage *s, struct err *err)
{
    struct copying c = {.stage = s, .tree = {.root = -1}};
    int r = read_instruction(&c, err);

    if (r >= 0)
        r = c.from ? copy_from_layers(&c, err) : copy_content(&c, err);
    copying_free(&c);
    return r < 0 ? r : finish(s);
}

/* --- WORKDIR ---------------------------------------------------------------------------------- */

static int make_directory(struct stage *s, const char *path, json_t *inputs,
                          const char *description, struct err *err)
{
    struct layer layer = {0};
    struct making m;
    bool made = false;
    int r = making_begin(s, &m, err), end;

    why_tell(s, inputs, NULL);
    if (r >= 0)
        r = copy_make_directory(&m.target, path, s->epoch, &made, err);
    end = making_end(s, &m, r >= 0 && made, &layer, err);
    if (r >= 0)
        r = end;
    return r < 0 ? r : cache_tell(s, inputs, NULL, description, &layer, err);
}

int step_workdir(struct stage *s, struct err *err)
{
    cleanup_json json_t *variables = scope_variables(s), *inputs = json_object();
    cleanup_free char *nop = NULL, *description = NULL;
    size_t before = s->layers.dirs.len;
    const char *path;
    int r;

    s->changes.env = variables;
    r = change_apply(s->config, "WORKDIR", s->at->text, &s->changes, err);
    s->changes.env = NULL;
    if (r < 0)
        return r;
    path = json_str(s->config, "WorkingDir", "/");
    nop = stage_nop(s);
    description = str_format("%sWORKDIR %s", nop, path);
    json_put_str(inputs, "kind", "WORKDIR");
    json_put_str(inputs, "destination", path);
    r = cache_ask(s, inputs, description, NULL, err);
    if (r > 0)
        stage_tell(s, BUILD_CACHED, "%s", "");
    if (!r)
        r = make_directory(s, path, inputs, description, err);
    if (r < 0)
        return r;
    stage_add_history(s, description, s->layers.dirs.len > before);
    return finish(s);
}
