/* search, in the program cooper-image. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/filter.h"
#include "cli/format.h"
#include "cli/human.h"
#include "cli/signals.h"
#include "registry/registry.h"

#define LIMIT               25
#define LIMIT_MAX           100
#define DESCRIPTION_COLUMNS 45

static const struct column columns[] = {
    {"Name", "NAME"},           {"Description", "DESCRIPTION"}, {"StarCount", "STARS"},
    {"IsOfficial", "OFFICIAL"}, {"IsAutomated", "AUTOMATED"},   COLUMNS_END,
};

#define PRESET "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}"

static const char *const filters[] = {"is-official", "is-automated", "stars", NULL};
static const char *const booleans[] = {"true", "1", "false", "0", NULL};

/* "registry.lab:5000/word" searches there, "registry.lab:5000" for everything; NULL: on Docker Hub,
 * where no image has a colon in its name. The caller frees. */
static char *split_term(const char *whole, const char **ret_term)
{
    size_t n = strcspn(whole, "/");
    cleanup_free char *first = str_copy_n(whole, n);

    *ret_term = whole;
    if (whole[n] ? !strpbrk(first, ".:") && strcmp(first, "localhost") : !strchr(first, ':'))
        return NULL;
    *ret_term = whole + n + (whole[n] != 0);
    return steal_ptr(&first);
}

/* --- filters ---------------------------------------------------------------------------------- */

static bool is_true(const char *value)
{
    return !strcmp(value, "true") || !strcmp(value, "1");
}

static bool match_official(void *context, const char *value)
{
    return json_flag(context, "is_official", false) == is_true(value);
}

static bool match_automated(void *context, const char *value)
{
    return json_flag(context, "is_automated", false) == is_true(value);
}

static bool match_stars(void *context, const char *value)
{
    return json_int(context, "star_count", 0) >= strtoll(value, NULL, 10);
}

static const struct filter_rule rules[] = {{"is-official", match_official},
                                           {"is-automated", match_automated},
                                           {"stars", match_stars},
                                           {NULL, NULL}};

static int check_stars(const struct strv *given, struct err *err)
{
    for (size_t i = 0; i < given->len; i++) {
        const char *stars = given->items[i] + strlen("stars=");

        if (str_starts(given->items[i], "stars=") &&
            (!*stars || stars[strspn(stars, "0123456789")]))
            return err_set(err, EINVAL, "invalid filter '%s'", given->items[i]);
    }
    return 0;
}

static int check(const struct options *o, int *ret_limit, struct err *err)
{
    const struct strv *given = options_list(o, "filter");
    long long limit = options_number(o, "limit", LIMIT);

    *ret_limit = limit ? (int)limit : LIMIT;
    if (limit < 0 || limit > LIMIT_MAX)
        return err_set(err, EINVAL,
                       "Error response from daemon: Limit %lld is outside the range of [1, %d]",
                       limit, LIMIT_MAX);
    if (filter_check(given, filters, err) < 0 ||
        filter_check_values(given, "is-official", booleans, true, err) < 0 ||
        filter_check_values(given, "is-automated", booleans, true, err) < 0 ||
        check_stars(given, err) < 0)
        return -err->code;
    return 0;
}

/* --- rows ------------------------------------------------------------------------------------- */

static char *one_line(const char *text, bool whole)
{
    cleanup_free char *copy = str_copy(text);

    for (char *p = copy; *p; p++)
        if (*p == '\n' || *p == '\r' || *p == '\t')
            *p = ' ';
    return whole ? steal_ptr(&copy) : human_ellipsis(copy, DESCRIPTION_COLUMNS);
}

/* For eyes, or for programs. */
static const char *flag_text(const json_t *found, const char *name, bool as_json)
{
    bool set = json_flag(found, name, false);

    return as_json ? (set ? "true" : "false") : set ? "[OK]" : "";
}

static json_t *make_row(const json_t *found, bool whole, bool as_json)
{
    cleanup_free char *description = one_line(json_str(found, "description", ""), whole);
    cleanup_free char *stars = str_format("%lld", json_int(found, "star_count", 0));
    json_t *row = json_object();

    json_put_str(row, "Name", json_str(found, "name", ""));
    json_put_str(row, "Description", description);
    json_put_str(row, "StarCount", stars);
    json_put_str(row, "IsOfficial", flag_text(found, "is_official", as_json));
    if (!as_json) /* docker has forgotten this one, but old templates name it */
        json_put_str(row, "IsAutomated", flag_text(found, "is_automated", false));
    json_put(row, "Label", json_object()); /* marks a row: see format.h */
    return row;
}

static int print(const struct options *o, const json_t *found, struct err *err)
{
    const char *format = options_one(o, "format");
    bool as_json = format && (str_equal(format, "json") || strstr(format, "{{json .}}"));
    cleanup_json json_t *rows = json_array();
    json_t *item;
    size_t i;

    json_array_foreach(found, i, item) if (filter_all_hold(options_list(o, "filter"), rules, item))
        json_push(rows, make_row(item, options_flag(o, "no-trunc"), as_json));
    return format_rows(columns, PRESET, format, rows, err);
}

static bool cancelled(void *context)
{
    return *(const volatile bool *)context;
}

int cmd_search(struct cli *cli)
{
    const struct registry_options options = {.cancelled = cancelled,
                                             .context = (void *)(size_t)signals_catch()};
    cleanup_json json_t *found = json_array();
    cleanup_free char *domain = NULL;
    struct err err = {0};
    const char *term;
    int limit;

    if (check(&cli->options, &limit, &err) < 0)
        return cli_fail(cli, &err);
    domain = split_term(cli->options.args[0], &term);
    if (registry_search(domain, term, limit, &options, found, &err) < 0)
        return cli_engine_fail(cli, &err);
    return print(&cli->options, found, &err) < 0 ? cli_fail(cli, &err) : 0;
}
