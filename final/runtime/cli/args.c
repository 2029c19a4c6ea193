#include "runtime/cli/args.h"

#include <stdlib.h>
#include <string.h>

static size_t flags_count(const struct flag *flags)
{
    size_t n = 0;

    while (flags[n].name)
        n++;
    return n;
}

static const struct flag *find_long(const struct flag *flags, const char *name, size_t len)
{
    for (; flags->name; flags++)
        if (strlen(flags->name) == len && !memcmp(flags->name, name, len))
            return flags;
    return NULL;
}

static const struct flag *find_short(const struct flag *flags, char letter)
{
    for (; flags->name; flags++)
        if (flags->letter == letter)
            return flags;
    return NULL;
}

static bool is_bool(const char *value, bool *ret)
{
    static const char *const words[] = {"true", "1", "t", "false", "0", "f"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(value, words[i])) {
            *ret = i < 3;
            return true;
        }
    return false;
}

static int store(struct args *args, const struct flag *flag, const char *value, struct err *err)
{
    long long number;
    bool ignored;

    if ((flag->kind == FLAG_NUMBER && str_to_i64(value, &number) < 0) ||
        (flag->kind == FLAG_BOOL && !is_bool(value, &ignored)))
        return err_set(err, EINVAL, "invalid value \"%s\" for flag -%s: parse error", value,
                       flag->name);
    strv_add(&args->values[flag - args->flags], value);
    return 0;
}

/* *argv is the flag's word; it moves on when the value is the next one. */
static int store_next(struct args *args, const struct flag *flag, char ***argv, struct err *err)
{
    if (flag->kind == FLAG_BOOL)
        return store(args, flag, "true", err);
    if (!(*argv)[1])
        return err_set(err, EINVAL, "flag needs an argument: -%s", flag->name);
    return store(args, flag, *++*argv, err);
}

static int not_defined(const char *word, struct err *err)
{
    const char *name = word + strspn(word, "-");

    return err_set(err, EINVAL, "flag provided but not defined: -%.*s", (int)strcspn(name, "="),
                   name);
}

/* "-abvalue": letters without a value, the last one perhaps with. */
static int parse_letters(struct args *args, char ***argv, struct err *err)
{
    const char *word = **argv;

    for (const char *p = word + 1; *p; p++) {
        const struct flag *flag = find_short(args->flags, *p);

        if (!flag && *p == 'h') {
            args->help = true;
            continue;
        }
        if (!flag)
            return not_defined(word, err);
        if (p[1] && (flag->kind != FLAG_BOOL || p[1] == '='))
            return store(args, flag, p + 1 + (p[1] == '='), err);
        if (store_next(args, flag, argv, err) < 0)
            return -err->code;
    }
    return 0;
}

static int parse_flag(struct args *args, char ***argv, struct err *err)
{
    const char *word = **argv, *name = word + (word[1] == '-' ? 2 : 1);
    size_t len = strcspn(name, "=");
    const struct flag *flag = find_long(args->flags, name, len);

    if (flag)
        return name[len] ? store(args, flag, name + len + 1, err)
                         : store_next(args, flag, argv, err);
    if (len == 4 && !memcmp(name, "help", 4)) {
        args->help = true;
        return 0;
    }
    return word[1] == '-' ? not_defined(word, err) : parse_letters(args, argv, err);
}

int args_parse(const struct flag *flags, char **argv, size_t stop_after, struct args *ret,
               struct err *err)
{
    struct args args = {.flags = flags, .rest = argv};

    args.values = mem_alloc((flags_count(flags) + 1) * sizeof *args.values);
    for (; *argv && args.count < stop_after; argv++) {
        if (!strcmp(*argv, "--")) {
            argv++;
            break;
        }
        if ((*argv)[0] != '-' || !(*argv)[1]) {
            args.rest[args.count++] = *argv;
        } else if (parse_flag(&args, &argv, err) < 0) {
            args_free(&args);
            return -err->code;
        }
    }
    while (*argv)
        args.rest[args.count++] = *argv++;
    args.rest[args.count] = NULL;
    *ret = args;
    return 0;
}

void args_free(struct args *args)
{
    for (size_t i = 0; args->values && args->flags[i].name; i++)
        strv_free(&args->values[i]);
    free(args->values);
    *args = (struct args){0};
}

static size_t position(const struct args *args, const char *name)
{
    const struct flag *flag = find_long(args->flags, name, strlen(name));

    if (!flag)
        abort();
    return (size_t)(flag - args->flags);
}

const struct strv *args_list(const struct args *args, const char *name)
{
    return &args->values[position(args, name)];
}

bool args_given(const struct args *args, const char *name)
{
    return args_list(args, name)->len > 0;
}

const char *args_text(const struct args *args, const char *name)
{
    size_t i = position(args, name);
    const struct strv *v = &args->values[i];

    return v->len ? v->items[v->len - 1] : args->flags[i].preset;
}

bool args_flag(const struct args *args, const char *name)
{
    const char *value = args_text(args, name);
    bool given = false;

    return value && is_bool(value, &given) && given;
}

long long args_number(const struct args *args, const char *name)
{
    const char *value = args_text(args, name);
    long long number;

    return value && !str_to_i64(value, &number) ? number : 0;
}
