/* Theory of operation: one pass over argv. Each word is a long flag, a cluster of short flags or a
 * positional argument; a flag finds its row in the table and its value goes, checked, into the
 * row's list. Aliases ("--net") are resolved when a value is stored, so nobody else has to know
 * them. */
#include "cli/options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/values.h"

static size_t flags_count(const struct flag *flags)
{
    size_t n = 0;

    while (flags && flags[n].name)
        n++;
    return n;
}

static const struct flag *find_long(const struct flag *flags, const char *name, size_t len)
{
    for (; flags && flags->name; flags++)
        if (strlen(flags->name) == len && !memcmp(flags->name, name, len))
            return flags;
    return NULL;
}

static const struct flag *find_short(const struct flag *flags, char letter)
{
    for (; flags && flags->name; flags++)
        if (flags->letter == letter)
            return flags;
    return NULL;
}

void flag_spelling(const struct flag *flag, char ret[64])
{
    if (flag->letter)
        snprintf(ret, 64, "-%c, --%s", flag->letter, flag->name);
    else
        snprintf(ret, 64, "--%s", flag->name);
}

static int bad_value(const struct flag *flag, const char *value, struct err *err)
{
    char spelling[64];

    flag_spelling(flag, spelling);
    return err_wrap(err, "invalid argument \"%s\" for \"%s\" flag", value, spelling);
}

/* Checks a value and puts it in the list of its flag (of the flag it is an alias of). */
static int store(struct options *o, const struct flag *flag, const char *value, struct err *err)
{
    const struct flag *target = flag;

    if (flag->alias_of)
        target = find_long(o->flags, flag->alias_of, strlen(flag->alias_of));
    if (flag->kind == FLAG_BOOL && value_check_bool(value, err) < 0)
        return bad_value(flag, value, err);
    if (flag->check && flag->check(value, err) < 0)
        return bad_value(flag, value, err);
    strv_add(&o->values[target - o->flags], value);
    return 0;
}

/* "--name", "--name=value", "--name value": `*argv` moves on when the value is the next word. */
static int parse_long(struct options *o, const char *name, char ***argv, struct err *err)
{
    size_t len = strcspn(name, "=");
    const struct flag *flag = find_long(o->flags, name, len);

    if (len == 4 && !memcmp(name, "help", 4)) {
        o->help = true;
        return 0;
    }
    if (!flag)
        return err_set(err, EINVAL, "unknown flag: --%.*s", (int)len, name);
    if (name[len])
        return store(o, flag, name + len + 1, err);
    if (flag->kind == FLAG_BOOL)
        return store(o, flag, "true", err);
    if (!(*argv)[1])
        return err_set(err, EINVAL, "flag needs an argument: --%s", name);
    return store(o, flag, *++*argv, err);
}

/* The value of a short flag: what follows it in the word ("-m1g", "-m=1g"), else the next word. */
static int parse_short_value(struct options *o, const struct flag *flag, const char *rest,
                             const char *word, char ***argv, struct err *err)
{
    if (*rest == '=')
        return store(o, flag, rest + 1, err);
    if (*rest)
        return store(o, flag, rest, err);
    if (!(*argv)[1])
        return err_set(err, EINVAL, "flag needs an argument: '%c' in %s", flag->letter, word);
    return store(o, flag, *++*argv, err);
}

static int parse_shorts(struct options *o, const char *word, char ***argv, struct err *err)
{
    for (const char *p = word + 1; *p; p++) {
        const struct flag *flag = find_short(o->flags, *p);

        if (!flag && *p == 'h') {
            o->help = true;
            continue;
        }
        if (!flag)
            return err_set(err, EINVAL, "unknown shorthand flag: '%c' in %s", *p, word);
        if (flag->kind != FLAG_BOOL)
            return parse_short_value(o, flag, p + 1, word, argv, err);
        if (p[1] == '=')
            return store(o, flag, p + 2, err);
        if (store(o, flag, "true", err) < 0)
            return -err->code;
    }
    return 0;
}

/* Can every letter up to a value be read as a short flag? If not, "-rm" may be an old "--rm". */
static bool reads_as_shorts(const struct flag *flags, const char *word)
{
    for (const char *p = word + 1; *p; p++) {
        const struct flag *flag = find_short(flags, *p);

        if (!flag)
            return false;
        if (flag->kind != FLAG_BOOL || p[1] == '=')
            return true;
    }
    return true;
}

static int parse_flag(struct options *o, const char *word, char ***argv, struct err *err)
{
    if (word[1] == '-')
        return parse_long(o, word + 2, argv, err);
    if (word[2] && !reads_as_shorts(o->flags, word) &&
        find_long(o->flags, word + 1, strcspn(word + 1, "=")))
        return parse_long(o, word + 1, argv, err);
    return parse_shorts(o, word, argv, err);
}

int options_parse(const struct flag *flags, char **argv, bool stop_at_first, struct options *ret,
                  struct err *err)
{
    struct options o = {.flags = flags, .count = flags_count(flags), .args = argv};

    o.values = mem_alloc((o.count + 1) * sizeof *o.values);
    for (; *argv; argv++) {
        if (!strcmp(*argv, "--")) {
            argv++;
            break;
        }
        if ((*argv)[0] == '-' && (*argv)[1]) {
            if (parse_flag(&o, *argv, &argv, err) < 0) {
                options_free(&o);
                return -err->code;
            }
        } else if (stop_at_first) {
            break;
        } else {
            o.args[o.arg_count++] = *argv;
        }
    }
    while (*argv)
        o.args[o.arg_count++] = *argv++;
    o.args[o.arg_count] = NULL;
    *ret = o;
    return 0;
}

void options_free(struct options *o)
{
    for (size_t i = 0; i < o->count; i++)
        strv_free(&o->values[i]);
    free(o->values);
    *o = (struct options){0};
}

static size_t position(const struct options *o, const char *name)
{
    const struct flag *flag = find_long(o->flags, name, strlen(name));

    if (!flag)
        abort();
    return (size_t)(flag - o->flags);
}

const struct strv *options_list(const struct options *o, const char *name)
{
    return &o->values[position(o, name)];
}

bool options_given(const struct options *o, const char *name)
{
    return options_list(o, name)->len > 0;
}

const char *options_one(const struct options *o, const char *name)
{
    size_t i = position(o, name);
    const struct strv *v = &o->values[i];

    return v->len ? v->items[v->len - 1] : o->flags[i].preset;
}

const char *options_platform(const struct options *o)
{
    const char *given = options_one(o, "platform"), *usual = getenv("DOCKER_DEFAULT_PLATFORM");

    return given ? given : usual && *usual ? usual : NULL;
}

bool options_flag(const struct options *o, const char *name)
{
    const char *value = options_one(o, name);

    return value && value_bool(value);
}

long long options_number(const struct options *o, const char *name, long long otherwise)
{
    const char *value = options_one(o, name);
    long long number;

    return value && !str_to_i64(value, &number) ? number : otherwise;
}
