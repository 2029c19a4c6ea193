/* ARG and ENV. An ARG is there from its line to the end of its stage; one before the first FROM is
 * there for FROM lines, and in a stage that says ARG again without a value. ENV of the same name
 * wins. What --build-arg gives counts only where something declares it, but for the proxies, which
 * RUN has anyway, and which therefore must not decide about the cache. Dockerfile reference, "ARG".
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "build/stage.h"
#include "image/image.h"

static const char *const proxies[] = {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy",
                                      "FTP_PROXY",  "ftp_proxy",  "NO_PROXY",    "no_proxy",
                                      "ALL_PROXY",  "all_proxy"};

void scope_free(struct scope *scope)
{
    json_decref(scope->args);
    json_decref(scope->proxies);
}

/* "NAME=..." for NAME of n bytes. */
static bool is_for(const char *pair, const char *name, size_t n)
{
    return !strncmp(pair, name, n) && pair[n] == '=';
}

static const char *find(const json_t *list, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = json_array_size(list); i-- > 0;) {
        const char *pair = json_string_value(json_array_get(list, i));

        if (pair && is_for(pair, name, n))
            return pair + n + 1;
    }
    return NULL;
}

const char *scope_get(const struct scope *scope, const char *name)
{
    return find(scope->args, name);
}

void scope_set(struct scope *scope, const char *name, const char *value)
{
    cleanup_free char *pair = str_format("%s=%s", name, value);

    for (size_t i = json_array_size(scope->args); i-- > 0;)
        if (is_for(json_string_value(json_array_get(scope->args, i)), name, strlen(name)))
            json_array_remove(scope->args, i);
    json_push(scope->args, json_string(pair));
}

/* "--build-arg NAME" without a value takes the one of our own environment. */
const char *scope_given(struct build *b, const char *name)
{
    const struct strv *given = b->request->args;
    const char *value = NULL;
    size_t n = strlen(name);

    for (size_t i = 0; given && i < given->len; i++) {
        if (is_for(given->items[i], name, n))
            value = given->items[i] + n + 1;
        else if (!strcmp(given->items[i], name))
            value = getenv(name);
        else
            continue;
        pthread_mutex_lock(&b->lock);
        if (!strv_contains(&b->consumed, name))
            strv_add(&b->consumed, name);
        pthread_mutex_unlock(&b->lock);
    }
    return value;
}

/* --- ARG -------------------------------------------------------------------------------------- */

static int declare_one(struct build *b, struct stage *s, const struct word_rules *rules,
                       const char *word, struct err *err)
{
    const char *equals = strchr(word, '=');
    cleanup_free char *raw = str_copy_n(word, equals ? (size_t)(equals - word) : strlen(word));
    cleanup_free char *name = NULL, *value = NULL;
    const char *given;
    int r = word_expand(rules, raw, &name, err);

    if (!r && equals)
        r = word_expand(rules, equals + 1, &value, err);
    if (r < 0)
        return r;
    given = scope_given(b, name);
    if (!given && !equals && s)
        given = scope_get(&b->globals, name);
    if (given || value)
        scope_set(s ? &s->scope : &b->globals, name, given ? given : value);
    return 0;
}

int scope_declare(struct build *b, struct stage *s, const struct instruction *in, struct err *err)
{
    cleanup_strv struct strv words = {0};
    char escape = (s ? s->file : &b->file)->escape;
    int r = 0;

    words_split(in->text, escape, &words);
    for (size_t i = 0; i < words.len && r >= 0; i++) {
        cleanup_json json_t *variables = s ? scope_variables(s) : json_incref(b->globals.args);
        const struct word_rules rules = {.env = variables, .escape = escape};

        r = declare_one(b, s, &rules, words.items[i], err);
    }
    return r;
}

/* --- what is there without a declaration ------------------------------------------------------ */

static void set_platform(struct scope *scope, const char *prefix, const struct platform *p)
{
    cleanup_free char *whole =
        str_format("%s/%s%s%s", p->os, p->architecture, *p->variant ? "/" : "", p->variant);
    const struct {
        const char *suffix, *value;
    } parts[] = {
        {"PLATFORM", whole}, {"OS", p->os}, {"ARCH", p->architecture}, {"VARIANT", p->variant}};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        cleanup_free char *name = str_format("%s%s", prefix, parts[i].suffix);

        scope_set(scope, name, parts[i].value);
    }
}

int scope_predefine(struct build *b, struct err *err)
{
    struct platform host, target;
    int r = 0;

    platform_host(&host);
    target = host;
    if (b->request->platform)
        r = platform_parse(b->request->platform, &target, err);
    if (r < 0)
        return r;
    b->globals.args = json_array();
    set_platform(&b->globals, "BUILD", &host);
    set_platform(&b->globals, "TARGET", &target);
    scope_set(&b->globals, "TARGETSTAGE", b->request->target ? b->request->target : "default");
    return 0;
}

void scope_begin_stage(struct stage *s)
{
    s->scope.args = json_array();
    s->scope.proxies = json_array();
    for (size_t i = 0; i < sizeof proxies / sizeof *proxies; i++) {
        const char *value = scope_given(s->build, proxies[i]);
        cleanup_free char *pair = str_format("%s=%s", proxies[i], value ? value : "");

        if (value)
            json_push(s->scope.proxies, json_string(pair));
    }
}

/* --- asking ----------------------------------------------------------------------------------- */

json_t *scope_variables(const struct stage *s)
{
    json_t *list = json_copy(s->scope.args);

    json_array_extend(list, json_object_get(s->config, "Env"));
    return list;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void scope_visible(const struct stage *s, struct strv *ret)
{
    const json_t *env = json_object_get(s->config, "Env");
    json_t *item;
    size_t i;

    json_array_foreach(s->scope.args, i, item)
    {
        const char *pair = json_string_value(item);
        cleanup_free char *name = str_copy_n(pair, strcspn(pair, "="));

        if (!find(env, name))
            strv_add(ret, pair);
    }
    if (ret->len)
        qsort(ret->items, ret->len, sizeof *ret->items, by_bytes);
}

int scope_expand(const struct stage *s, const char *text, bool heredoc, char **ret, struct err *err)
{
    cleanup_json json_t *variables = scope_variables(s);
    const struct word_rules rules = {
        .env = variables, .escape = s->file->escape, .heredoc = heredoc};

    return word_expand(&rules, text, ret, err);
}

/* A flag of the instruction at hand; NULL when it has none. */
int scope_expand_flag(const struct stage *s, const char *flag, char **ret, struct err *err)
{
    const char *value = instruction_flag(s->at, flag);

    *ret = NULL;
    return value ? scope_expand(s, value, false, ret, err) : 0;
}
