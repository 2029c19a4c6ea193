/* What an instruction looks like: one row each. What can be judged without the values of variables
 * is judged here, before anything of the build is done. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "build/dockerfile.h"
#include "build/internal.h"
#include "build/mount_flag.h"

enum flag_form {
    VALUE,  /* once */
    VALUES, /* any number of times */
    SWITCH, /* --link, --link=false */
};

struct flag_rule {
    const char *name;
    enum flag_form form;
};

static const struct flag_rule no_flags[] = {{NULL}};
static const struct flag_rule from_flags[] = {{"platform", VALUE}, {NULL}};
static const struct flag_rule run_flags[] = {
    {"mount", VALUES}, {"network", VALUE}, {"security", VALUE}, {NULL}};
static const struct flag_rule copy_flags[] = {{"from", VALUE},
                                              {"chown", VALUE},
                                              {"chmod", VALUE},
                                              {"link", SWITCH},
                                              {"parents", SWITCH},
                                              {"exclude", VALUES},
                                              {NULL}};
static const struct flag_rule add_flags[] = {
    {"keep-git-dir", SWITCH}, {"checksum", VALUE}, {"chown", VALUE},   {"chmod", VALUE},
    {"link", SWITCH},         {"exclude", VALUES}, {"unpack", SWITCH}, {NULL}};

/* --- the checks ------------------------------------------------------------------------------- */

static int check_words(struct instruction *in, char escape, size_t *ret_at, struct err *err);
static int check_copy(struct instruction *in, char escape, size_t *ret_at, struct err *err);
static int check_from(struct instruction *in, char escape, size_t *ret_at, struct err *err);
static int check_run(struct instruction *in, char escape, size_t *ret_at, struct err *err);
static int check_pairs(struct instruction *in, char escape, size_t *ret_at, struct err *err);
static int check_arg(struct instruction *in, char escape, size_t *ret_at, struct err *err);
static int check_change(struct instruction *in, char escape, size_t *ret_at, struct err *err);
static int check_onbuild(struct instruction *in, char escape, size_t *ret_at, struct err *err);

static const struct rule {
    const char *name;
    const char *needs; /* docker's words when there is nothing at all; NULL: that is fine */
    const struct flag_rule *flags;
    int (*check)(struct instruction *in, char escape, size_t *ret_at, struct err *err);
    bool heredocs;
} rules[] = {
    [KW_ADD] = {"ADD", "at least two arguments", add_flags, check_copy, true},
    [KW_ARG] = {"ARG", "at least one argument", no_flags, check_arg},
    [KW_CMD] = {"CMD", "at least one argument", no_flags, check_change},
    [KW_COPY] = {"COPY", "at least two arguments", copy_flags, check_copy, true},
    [KW_ENTRYPOINT] = {"ENTRYPOINT", "at least one argument", no_flags, check_change},
    [KW_ENV] = {"ENV", "at least one argument", no_flags, check_pairs},
    [KW_EXPOSE] = {"EXPOSE", "at least one argument", no_flags, NULL},
    [KW_FROM] = {"FROM", "either one or three arguments", from_flags, check_from},
    [KW_HEALTHCHECK] = {"HEALTHCHECK", "at least one argument", NULL, check_change},
    [KW_LABEL] = {"LABEL", "at least one argument", no_flags, check_pairs},
    [KW_MAINTAINER] = {"MAINTAINER", "exactly one argument", no_flags, NULL},
    [KW_ONBUILD] = {"ONBUILD", "at least one argument", NULL, check_onbuild},
    [KW_RUN] = {"RUN", "at least one argument", run_flags, check_run, true},
    [KW_SHELL] = {"SHELL", "at least one argument", no_flags, check_change},
    [KW_STOPSIGNAL] = {"STOPSIGNAL", "exactly one argument", no_flags, NULL},
    [KW_USER] = {"USER", "exactly one argument", no_flags, NULL},
    [KW_VOLUME] = {"VOLUME", "at least one argument", no_flags, check_words},
    [KW_WORKDIR] = {"WORKDIR", "exactly one argument", no_flags, NULL},
};
#define RULES (sizeof rules / sizeof *rules)

/* --- keywords --------------------------------------------------------------------------------- */

/* How many letters must be changed, put in, left out or swapped with the next one. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][32], n = strlen(b), m = strlen(a);

    if (m > 30 || n > 30)
        return 99;
    for (size_t j = 0; j <= n; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= m; i++) {
        size_t *row = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            int x = toupper((unsigned char)a[i - 1]), y = b[j - 1];
            size_t best = last[j - 1] + (x != y);

            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && x == b[j - 2] && toupper((unsigned char)a[i - 2]) == y &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[m % 3][n];
}

static int unknown_keyword(const char *word, struct err *err)
{
    const struct rule *best = NULL;
    size_t least = 99;

    for (size_t i = 0; i < RULES; i++) {
        size_t d = distance(word, rules[i].name);

        if (d < least && 2 * d < strlen(word)) {
            least = d;
            best = &rules[i];
        }
    }
    if (best)
        return err_set(err, ENOENT, "unknown instruction: %.100s (did you mean %s?)", word,
                       best->name);
    return err_set(err, ENOENT, "unknown instruction: %.100s", word);
}

int keyword_find(const char *word, enum keyword *ret, const char **ret_name, struct err *err)
{
    for (size_t i = 0; i < RULES; i++)
        if (!strcasecmp(word, rules[i].name)) {
            *ret = (enum keyword)i;
            *ret_name = rules[i].name;
            return 0;
        }
    return unknown_keyword(word, err);
}

bool keyword_takes_heredocs(enum keyword keyword)
{
    return rules[keyword].heredocs;
}

/* --- flags ------------------------------------------------------------------------------------ */

/* One word, its quotes and escapes taken off; moves *p behind it. */
static char *take_word(const char **p)
{
    struct buf word = {0};
    char quote = 0;

    for (; **p && (quote || !isspace((unsigned char)**p)); ++*p) {
        if (quote ? **p == quote : **p == '"' || **p == '\'') {
            quote = quote ? 0 : **p;
            continue;
        }
        if (**p == '\\' && (*p)[1])
            ++*p;
        buf_add_char(&word, **p);
    }
    return buf_steal(&word);
}

size_t flags_take(const char *text, struct strv *ret)
{
    const char *p = text;

    while (!strncmp(p, "--", 2)) {
        char *word = take_word(&p);
        bool last = !strcmp(word, "--");

        p += strspn(p, " \t\r\v\f");
        if (!last)
            strv_add(ret, word + 2);
        free(word);
        if (last)
            break;
    }
    return (size_t)(p - text);
}

static const struct flag_rule *find_flag(const struct flag_rule *flags, const char *flag)
{
    for (; flags->name; flags++)
        if (!strncmp(flags->name, flag, strcspn(flag, "=")) &&
            strlen(flags->name) == strcspn(flag, "="))
            return flags;
    return NULL;
}

static int check_flag(const struct flag_rule *rule, const char *flag, struct err *err)
{
    const char *value = strchr(flag, '=');

    if (!rule)
        return err_set(err, EINVAL, "unknown flag: --%.*s", (int)strcspn(flag, "="), flag);
    if (rule->form != SWITCH && !value)
        return err_set(err, EINVAL, "missing a value on flag: --%s", flag);
    if (rule->form == SWITCH && value && strcasecmp(value + 1, "true") &&
        strcasecmp(value + 1, "false"))
        return err_set(err, EINVAL, "expecting boolean value for flag --%s, not: %s", rule->name,
                       value + 1);
    return 0;
}

static int check_flags(const struct instruction *in, struct err *err)
{
    const struct flag_rule *flags = rules[in->keyword].flags;

    for (size_t i = 0; i < in->flags.len; i++) {
        const struct flag_rule *rule = find_flag(flags, in->flags.items[i]);

        if (check_flag(rule, in->flags.items[i], err) < 0)
            return -err->code;
        for (size_t k = 0; k < i && rule->form != VALUES; k++)
            if (find_flag(flags, in->flags.items[k]) == rule)
                return err_set(err, EINVAL, "duplicate flag specified: --%s", rule->name);
    }
    return 0;
}

/* --- arguments -------------------------------------------------------------------------------- */

/* A text that is JSON but no list of strings is a mistake, and not a command for the shell. */
static int check_words(struct instruction *in, char escape, size_t *ret_at, struct err *err)
{
    json_t *item;
    size_t i;

    (void)escape;
    *ret_at = 1;
    json_array_foreach(in->list, i, item) if (!json_is_string(item)) return err_set(
        err, EINVAL, "when using JSON array syntax, arrays must be comprised of strings only");
    return 0;
}

static bool names_a_directory(const char *path)
{
    return str_ends(path, "/") || str_ends(path, "/.") || !strcmp(path, ".") || strchr(path, '$');
}

static int check_copy(struct instruction *in, char escape, size_t *ret_at, struct err *err)
{
    cleanup_strv struct strv words = {0};
    int r = check_words(in, escape, ret_at, err);

    if (r < 0)
        return r;
    instruction_words(in, &words);
    if (!words.len)
        return err_set(err, EINVAL, "%s requires at least two arguments", in->name);
    if (words.len == 1)
        return err_set(err, EINVAL,
                       "%s requires at least two arguments, but only one was provided. Destination "
                       "could not be determined",
                       in->name);
    *ret_at = strlen(in->text) - strlen(words.items[words.len - 1]) + 1;
    if (words.len > 2 && !names_a_directory(words.items[words.len - 1]))
        return err_set(err, EINVAL,
                       "When using %s with more than one source file, the destination must be a "
                       "directory and end with a /",
                       in->name);
    return 0;
}

/* ^[a-z][a-z0-9-_.]*$ in any case */
static bool is_stage_name(const char *name)
{
    if (!isalpha((unsigned char)*name))
        return false;
    while (isalnum((unsigned char)*name) || (*name && strchr("-_.", *name)))
        name++;
    return !*name;
}

static int check_from(struct instruction *in, char escape, size_t *ret_at, struct err *err)
{
    cleanup_strv struct strv words = {0};

    (void)escape;
    instruction_words(in, &words);
    *ret_at = words.len > 1 ? (size_t)(strstr(in->text, words.items[1]) - in->text) + 1 : 1;
    if (words.len == 1)
        return 0;
    if (words.len != 3 || strcasecmp(words.items[1], "as"))
        return err_set(err, EINVAL,
                       "FROM requires either one or three arguments: FROM image AS "
                       "name");
    if (is_stage_name(words.items[2]))
        return 0;
    *ret_at = strlen(in->text) - strlen(words.items[2]) + 1;
    return err_set(err, EINVAL,
                   "invalid name for build stage: \"%s\", name can't start with a number or "
                   "contain symbols",
                   words.items[2]);
}

static int check_run(struct instruction *in, char escape, size_t *ret_at, struct err *err)
{
    int r = check_words(in, escape, ret_at, err);

    if (!r && in->list && !json_array_size(in->list))
        r = err_set(err, EINVAL, "RUN requires at least one argument");
    if (!r)
        *ret_at = 0;
    for (size_t i = 0; i < in->flags.len && !r; i++)
        if (str_starts(in->flags.items[i], "mount="))
            r = mount_flag_check(in->flags.items[i] + strlen("mount="), err);
    return r;
}

static int bad_pair(const char *word, struct err *err)
{
    return err_set(err, EINVAL,
                   "Syntax error - can't find = in \"%s\". Must be of the form: name=value", word);
}

/* name=value ..., or the old form "name the rest". */
static int check_pairs(struct instruction *in, char escape, size_t *ret_at, struct err *err)
{
    cleanup_strv struct strv words = {0};
    const char *p = in->text;
    bool old;

    words_split(in->text, escape, &words);
    old = !strchr(words.items[0], '=');
    *ret_at = 1;
    if (old)
        return words.len > 1 ? 0 : err_set(err, EINVAL, "%s must have two arguments", in->name);
    for (size_t i = 0; i < words.len; i++) {
        p = strstr(p, words.items[i]);
        *ret_at = (size_t)(p - in->text) + 1;
        p += strlen(words.items[i]);
        if (*words.items[i] == '=')
            return err_set(err, EINVAL, "%s names can not be blank", in->name);
        if (!strchr(words.items[i], '='))
            return bad_pair(words.items[i], err);
    }
    return 0;
}

static int check_arg(struct instruction *in, char escape, size_t *ret_at, struct err *err)
{
    cleanup_strv struct strv words = {0};
    const char *p = in->text;

    words_split(in->text, escape, &words);
    for (size_t i = 0; i < words.len; i++) {
        p = strstr(p, words.items[i]);
        *ret_at = (size_t)(p - in->text) + 1;
        p += strlen(words.items[i]);
        if (*words.items[i] == '=' || !*words.items[i])
            return err_set(err, EINVAL, "ARG names can not be blank");
    }
    return 0;
}

/* Nothing in these depends on a variable: they are tried on a configuration of nobody's. */
static int check_change(struct instruction *in, char escape, size_t *ret_at, struct err *err)
{
    struct change_state state = {.escape = escape};
    json_t *nobody = json_object();
    int r = change_apply(nobody, in->name, in->text, &state, err);

    *ret_at = 1;
    json_decref(nobody);
    return r;
}

/* The trigger is an instruction, too: its mistakes are told here, and not to whoever builds on this
 * image. */
static int check_onbuild(struct instruction *in, char escape, size_t *ret_at, struct err *err)
{
    static const char own[] = "dockerfile parse error on line 1: ";
    struct dockerfile part;
    struct place place;
    int r = check_change(in, escape, ret_at, err);

    if (r < 0)
        return r;
    r = dockerfile_parse_part("ONBUILD", in->original + in->text_at, escape, &part, &place, err);
    dockerfile_free(&part);
    if (r < 0 && str_starts(err->message, own)) /* of which line it is the Dockerfile knows */
        memmove(err->message, err->message + strlen(own), strlen(err->message + strlen(own)) + 1);
    return r;
}

int instruction_check(struct instruction *in, char escape, size_t *ret_at, struct err *err)
{
    const struct rule *rule = &rules[in->keyword];

    if (rule->flags && check_flags(in, err) < 0)
        return -err->code;
    if (rule->needs && !*in->text)
        return err_set(err, EINVAL, "%s requires %s", in->name, rule->needs);
    return rule->check ? rule->check(in, escape, ret_at, err) : 0;
}
