/* build --check: Dockerfiles that can be built and yet are not what their author meant, or what a
 * reader expects. The names are those of docker's checks, so that "# check=skip=NAME" in a
 * Dockerfile means the same everywhere; and so does "# check=error=true", which makes of every
 * doubt a mistake, in an ordinary build too. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "build/stage.h"

struct checking {
    struct build *build;
    struct strv *lines;  /* what is to be told, */
    bool brief;          /* without the place's text */
    struct strv skipped; /* names, or "all" */
    bool strict;         /* error=true */
    struct strv rules;   /* names of what was found, each once */
    struct place first;  /* where the first of them is */
    int found;
    const struct stage *stage; /* NULL before the first FROM */
    const struct instruction *at;
    json_t *known; /* variables that have a name here: an object */
    bool upper;    /* most instructions are written so */
};

/* --- what the directive says ------------------------------------------------------------------ */

static char *without_blanks(const char *text)
{
    char *copy = str_copy(text), *to = copy;

    for (const char *p = copy; *p; p++)
        if (!isspace((unsigned char)*p))
            *to++ = *p;
    *to = 0;
    return copy;
}

static int read_option(struct checking *c, const char *option, struct err *err)
{
    const char *equals = strchr(option, '='), *value = equals ? equals + 1 : "";
    bool yes = !strcasecmp(value, "true") || !strcmp(value, "1");

    if (str_starts(option, "skip="))
        strv_split(&c->skipped, value, ',');
    else if (str_starts(option, "error=") &&
             (yes || !strcasecmp(value, "false") || !strcmp(value, "0")))
        c->strict = yes;
    else if (!str_starts(option, "experimental=")) /* there are none here */
        return err_set(err, EINVAL,
                       "invalid check option \"%s\": skip=NAME,... or error=true or false", option);
    return 0;
}

/* "skip=A,B;error=true", of the Dockerfile or of --build-arg BUILDKIT_DOCKERFILE_CHECK, which goes
 * first. */
static int read_options(struct checking *c, struct err *err)
{
    const char *given = scope_given(c->build, "BUILDKIT_DOCKERFILE_CHECK");
    const char *written = c->build->file.check ? c->build->file.check : "";
    cleanup_free char *text = without_blanks(given ? given : written);
    cleanup_strv struct strv options = {0};

    strv_split(&options, text, ';');
    for (size_t i = 0; i < options.len; i++)
        if (*options.items[i] && read_option(c, options.items[i], err) < 0) {
            c->first.first = c->first.last = given ? 0 : c->build->file.check_line;
            return -err->code;
        }
    return 0;
}

static void checking_free(struct checking *c)
{
    strv_free(&c->skipped);
    strv_free(&c->rules);
    json_decref(c->known);
}

/* --- what is found ---------------------------------------------------------------------------- */

static bool is_skipped(const struct checking *c, const char *name)
{
    return strv_contains(&c->skipped, name) || strv_contains(&c->skipped, "all");
}

static void found(struct checking *c, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void found(struct checking *c, const char *name, const char *format, ...)
{
    cleanup_buf struct buf excerpt = {0};
    cleanup_free char *text = NULL;
    va_list args;

    if (is_skipped(c, name))
        return;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort(); /* out of memory, as mem_alloc would */
    va_end(args);
    source_excerpt(&c->build->file.source, &c->at->place, &excerpt);
    strv_take(c->lines, c->brief ? str_format("%s: %s (line %d)", name, text, c->at->place.first)
                                 : str_format("WARNING: %s\n%s\n%s", name, text, excerpt.data));
    if (!strv_contains(&c->rules, name))
        strv_add(&c->rules, name);
    if (!c->found++)
        c->first = c->at->place;
}

/* --- the checks ------------------------------------------------------------------------------- */

static bool is_upper(const char *word)
{
    while (*word && !islower((unsigned char)*word))
        word++;
    return !*word;
}

static bool is_lower(const char *word)
{
    while (*word && !isupper((unsigned char)*word))
        word++;
    return !*word;
}

static void check_case(struct checking *c)
{
    if (c->upper ? !is_upper(c->at->word) : !is_lower(c->at->word))
        found(c, "ConsistentInstructionCasing",
              "Command '%s' should match the case of the command majority (%s)", c->at->word,
              c->upper ? "uppercase" : "lowercase");
}

static void check_gap(struct checking *c)
{
    if (c->at->gap)
        found(c, "NoEmptyContinuation", "Empty continuation line found in: %s", c->at->original);
}

static void check_as(struct checking *c, const struct strv *words)
{
    if (words->len == 3 && is_upper(c->at->word) != is_upper(words->items[1]))
        found(c, "FromAsCasing", "'%s' and '%s' keywords' casing do not match", words->items[1],
              c->at->word);
}

static void check_from(struct checking *c)
{
    cleanup_strv struct strv words = {0};

    if (c->at->keyword != KW_FROM)
        return;
    instruction_words(c->at, &words);
    check_as(c, &words);
    if (words.len == 3 && !is_lower(words.items[2]))
        found(c, "StageNameCasing", "Stage name '%s' should be lowercase", words.items[2]);
    if (words.len == 3 &&
        (!strcasecmp(words.items[2], "scratch") || !strcasecmp(words.items[2], "context")))
        found(c, "ReservedStageName",
              "Stage name should not use the same name as reserved stage "
              "\"%s\"",
              words.items[2]);
    if (words.len == 3 && plan_find(c->build, words.items[2], c->stage->index))
        found(c, "DuplicateStageName", "Duplicate stage name \"%s\", stage names should be unique",
              words.items[2]);
    if (instruction_flag(c->at, "platform") && *instruction_flag(c->at, "platform") != '$')
        found(c, "FromPlatformFlagConstDisallowed",
              "FROM --platform flag should not use constant value \"%s\"",
              instruction_flag(c->at, "platform"));
}

static void check_maintainer(struct checking *c)
{
    if (c->at->keyword == KW_MAINTAINER)
        found(c, "MaintainerDeprecated",
              "Maintainer instruction is deprecated in favor of using "
              "label");
}

static void check_workdir(struct checking *c)
{
    if (c->at->keyword == KW_WORKDIR && *c->at->text != '/' && *c->at->text != '$' &&
        *c->at->text != '"' && !json_object_get(c->known, " workdir"))
        found(c, "WorkdirRelativePath",
              "Relative workdir \"%s\" can have unexpected results if the base image changes",
              c->at->text);
    if (c->at->keyword == KW_WORKDIR && *c->at->text == '/')
        json_put(c->known, " workdir", json_true());
}

static void check_pairs(struct checking *c)
{
    size_t n = strcspn(c->at->text, " \t=");

    if ((c->at->keyword == KW_ENV || c->at->keyword == KW_LABEL) && c->at->text[n] != '=' &&
        *c->at->text != '"')
        found(c, "LegacyKeyValueFormat",
              "\"%s key=value\" should be used instead of legacy \"%s key value\" format",
              c->at->name, c->at->name);
}

static void check_list_form(struct checking *c)
{
    if ((c->at->keyword == KW_CMD || c->at->keyword == KW_ENTRYPOINT) && !c->at->list)
        found(c, "JSONArgsRecommended",
              "JSON arguments recommended for %s to prevent unintended behavior related to OS "
              "signals",
              c->at->name);
}

/* Only the last one of a stage counts. */
static void check_repeated(struct checking *c)
{
    if (c->at->keyword != KW_CMD && c->at->keyword != KW_ENTRYPOINT &&
        c->at->keyword != KW_HEALTHCHECK)
        return;
    for (const struct instruction *in = c->at + 1; in < c->stage->first + c->stage->count; in++)
        if (in->keyword == c->at->keyword) {
            found(c, "MultipleInstructionsDisallowed",
                  "Multiple %s instructions should not be used in the same stage because only the "
                  "last one will be used",
                  c->at->name);
            return;
        }
}

static bool sounds_secret(const char *name)
{
    static const char *const words[] = {"passwd", "password", "pword", "secret",    "token",
                                        "apikey", "api_key",  "auth",  "credential"};
    static const char *const not_words[] = {"public", "author", "authority"};
    bool secret = false;

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        secret |= strcasestr(name, words[i]) != NULL;
    for (size_t i = 0; i < sizeof not_words / sizeof *not_words; i++)
        secret &= !strcasestr(name, not_words[i]);
    return secret;
}

static void check_secrets(struct checking *c)
{
    cleanup_strv struct strv words = {0};

    if (c->at->keyword != KW_ARG && c->at->keyword != KW_ENV)
        return;
    words_split(c->at->text, c->build->file.escape, &words);
    for (size_t i = 0; i < words.len; i++) {
        cleanup_free char *name = str_copy_n(words.items[i], strcspn(words.items[i], "="));
        bool named = c->at->keyword == KW_ARG || strchr(words.items[i], '=') || !i;

        if (named && sounds_secret(name))
            found(c, "SecretsUsedInArgOrEnv",
                  "Do not use ARG or ENV instructions for sensitive data (%s \"%s\")", c->at->name,
                  name);
    }
}

static void check_expose(struct checking *c)
{
    const char *slash = c->at->keyword == KW_EXPOSE ? strchr(c->at->text, '/') : NULL;

    if (slash && !is_lower(slash + 1))
        found(c, "ExposeProtoCasing",
              "Defined protocol '%s' in EXPOSE instruction should be lowercase", c->at->text);
}

/* --- variables -------------------------------------------------------------------------------- */

static void know_words(struct checking *c)
{
    cleanup_strv struct strv words = {0};

    words_split(c->at->text, c->build->file.escape, &words);
    for (size_t i = 0; i < words.len; i++) {
        cleanup_free char *name = str_copy_n(words.items[i], strcspn(words.items[i], "="));

        if (!i || strchr(words.items[i], '=') || c->at->keyword == KW_ARG)
            json_put_str(c->known, name, "x");
    }
}

/* Of a base image nothing is known here, so names it may have are not doubted. */
static bool may_come_from_base(const struct checking *c)
{
    return c->stage && !c->stage->scratch;
}

static void check_variables(struct checking *c)
{
    static const enum keyword expanded[] = {KW_ADD,  KW_COPY,       KW_ENV,    KW_EXPOSE, KW_LABEL,
                                            KW_USER, KW_STOPSIGNAL, KW_VOLUME, KW_WORKDIR};
    cleanup_strv struct strv unset = {0};
    struct word_rules rules = {.env = c->known, .escape = c->build->file.escape, .unset = &unset};
    cleanup_free char *unused = NULL;
    struct err ignored = {0};
    bool is_expanded = false;

    for (size_t i = 0; i < sizeof expanded / sizeof *expanded; i++)
        is_expanded |= expanded[i] == c->at->keyword;
    if (is_expanded && !may_come_from_base(c))
        word_expand(&rules, c->at->text, &unused, &ignored);
    for (size_t i = 0; i < unset.len; i++)
        found(c, "UndefinedVar", "Usage of undefined variable '$%s'", unset.items[i]);
    if (c->at->keyword == KW_ARG || c->at->keyword == KW_ENV)
        know_words(c);
}

static void check_from_variables(struct checking *c)
{
    cleanup_strv struct strv unset = {0}, words = {0};
    struct word_rules rules = {
        .env = c->build->globals.args, .escape = c->build->file.escape, .unset = &unset};
    cleanup_free char *unused = NULL;
    struct err ignored = {0};

    if (c->at->keyword != KW_FROM)
        return;
    instruction_words(c->at, &words);
    word_expand(&rules, words.items[0], &unused, &ignored);
    for (size_t i = 0; i < unset.len; i++)
        found(c, "UndefinedArgInFrom", "FROM argument '%s' is not declared", unset.items[i]);
}

/* --- all of them ------------------------------------------------------------------------------ */

static void (*const checks[])(struct checking *c) = {
    check_case,       check_gap,     check_from,   check_from_variables,
    check_maintainer, check_workdir, check_pairs,  check_list_form,
    check_repeated,   check_secrets, check_expose, check_variables,
};

static void check_one(struct checking *c, const struct instruction *in)
{
    c->at = in;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        checks[i](c);
}

static void count_case(struct checking *c)
{
    size_t upper = 0;

    for (size_t i = 0; i < c->build->file.count; i++)
        upper += is_upper(c->build->file.items[i].word);
    c->upper = 2 * upper >= c->build->file.count;
}

static void check_all(struct checking *c)
{
    struct build *b = c->build;

    count_case(c);
    c->known = json_object();
    for (size_t i = 0; i < b->stage_count; i++) {
        c->stage = &b->stages[i];
        json_object_clear(c->known);
        check_one(c, c->stage->from);
        for (size_t k = 0; k < c->stage->count; k++)
            check_one(c, &c->stage->first[k]);
    }
}

int build_check(struct engine *e, const struct build_request *request, struct strv *ret_lines,
                struct build_result *ret, struct err *err)
{
    struct build b = {0};
    struct checking c = {.build = &b, .lines = ret_lines};
    int r = build_begin(&b, e, request, err);

    *ret = (struct build_result){0};
    if (!r)
        r = build_read(&b, ret, err);
    if (r >= 0)
        r = read_options(&c, err);
    if (r >= 0)
        check_all(&c);
    checking_free(&c);
    build_end(&b);
    return r < 0 ? r : c.found;
}

/* The one doubt that is told in every build: what is meant by an empty line inside an instruction
 * was never agreed on. */
static void check_gaps(struct checking *c)
{
    for (size_t i = 0; i < c->build->file.count; i++) {
        c->at = &c->build->file.items[i];
        check_gap(c);
    }
}

static void tell(struct build *b, const struct strv *lines)
{
    for (size_t i = 0; i < lines->len; i++) {
        struct build_event event = {
            .kind = BUILD_WARNING, .text = lines->items[i], .len = strlen(lines->items[i])};

        build_tell(b, &event);
    }
}

int check_before_build(struct build *b, struct place *ret_place, struct err *err)
{
    cleanup_strv struct strv lines = {0};
    struct checking c = {.build = b, .lines = &lines, .brief = true};
    cleanup_free char *rules = NULL;
    int r = read_options(&c, err);

    if (r >= 0 && c.strict)
        check_all(&c);
    else if (r >= 0)
        check_gaps(&c);
    tell(b, &lines);
    if (c.strict && c.found) {
        rules = strv_join(&c.rules, ", ");
        r = err_set(err, EINVAL, "lint violation found for rules: %s", rules);
    }
    if (r < 0)
        *ret_place = c.first;
    checking_free(&c);
    return r;
}
