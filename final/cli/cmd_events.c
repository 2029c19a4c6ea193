/* events: what the engine's processes wrote down, and then what they write. The filters are here:
 * which events somebody wants to see is nobody's business but this command's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/filter.h"
#include "cli/flags.h"
#include "cli/format.h"
#include "cli/template.h"
#include "cli/values.h"

static const struct flag events_flags[] = {
    FILTER_FLAG,
    FORMAT_DOCUMENT_FLAG(0),
    {0, "since", FLAG_ONE, "string", NULL, NULL, .help = "Show all events created since timestamp"},
    {0, "until", FLAG_ONE, "string", NULL, NULL, .help = "Stream events until this timestamp"},
    FLAGS_END,
};

/* --- filters
 * ------------------------------------------------------------------------------------ */

static const char *field(const json_t *event, const char *name)
{
    return json_str(event, name, "");
}

static const char *attribute(const json_t *event, const char *name)
{
    return json_str(json_at(event, "Actor.Attributes"), name, "");
}

static bool match_type(void *event, const char *value)
{
    return !strcmp(field(event, "Type"), value);
}

/* "exec_create" also means "exec_create: sh -c true", and "health_status" each of its values. */
static bool match_action(void *event, const char *value)
{
    const char *action = field(event, "Action");
    size_t n = strlen(value);

    if (!strcmp(action, value))
        return true;
    return !strncmp(action, value, n) && action[n] == ':' && !strchr(value, ':');
}

/* The beginning of the id or name will do. */
static bool match_actor(const json_t *event, const char *type, const char *value)
{
    return !strcmp(field(event, "Type"), type) && (str_starts(field(event, "Actor.ID"), value) ||
                                                   str_starts(attribute(event, "name"), value));
}

static bool match_container(void *event, const char *value)
{
    return match_actor(event, "container", value);
}

static bool match_network(void *event, const char *value)
{
    return match_actor(event, "network", value);
}

static bool match_volume(void *event, const char *value)
{
    return match_actor(event, "volume", value);
}

/* "repo:tag" or "repo". */
static bool names_image(const char *image, const char *value)
{
    size_t n = strlen(value);
    const char *colon = strrchr(image, ':');

    return !strcmp(image, value) || (colon && (size_t)(colon - image) == n && !strchr(colon, '/') &&
                                     !strncmp(image, value, n));
}

/* Events of images, and of containers made from them. */
static bool match_image(void *event, const char *value)
{
    if (!strcmp(field(event, "Type"), "image"))
        return !strcmp(field(event, "Actor.ID"), value) ||
               names_image(attribute(event, "name"), value);
    return !strcmp(field(event, "Type"), "container") &&
           names_image(attribute(event, "image"), value);
}

static bool match_label(void *event, const char *value)
{
    size_t n = strcspn(value, "=");
    cleanup_free char *name = str_copy_n(value, n);
    json_t *found = json_object_get(json_at(event, "Actor.Attributes"), name);

    return found && (!value[n] || !strcmp(json_string_value(found), value + n + 1));
}

static bool match_scope(void *event, const char *value)
{
    return !strcmp(field(event, "scope"), value);
}

/* Events of daemons and plugins, which are not there. */
static bool match_nothing(void *event, const char *value)
{
    (void)event;
    (void)value;
    return false;
}

static const struct filter_rule filters[] = {
    {"type", match_type},           {"event", match_action},
    {"container", match_container}, {"network", match_network},
    {"volume", match_volume},       {"image", match_image},
    {"scope", match_scope},         {"daemon", match_nothing},
    {"plugin", match_nothing},      {NULL, NULL},
};

static const char *const known_filters[] = {"type",   "event",  "container", "network",
                                            "volume", "image",  "label",     "scope",
                                            "daemon", "plugin", NULL};

/* --- printing
 * ----------------------------------------------------------------------------------- */

struct printer {
    struct cli *cli;
    struct template *template; /* NULL: docker's line */
    bool as_json;
    struct err err;
};

/* With nanoseconds, in the local zone: "2026-11-21T05:40:22.303129613+01:00". */
static void print_time(int64_t ns)
{
    time_t seconds = (time_t)(ns / 1000000000);
    struct tm local;
    char text[40], zone[8];

    localtime_r(&seconds, &local);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &local);
    strftime(zone, sizeof zone, "%z", &local);
    if (local.tm_gmtoff)
        printf("%s.%09lld%.3s:%s", text, (long long)(ns % 1000000000), zone, zone + 3);
    else
        printf("%s.%09lldZ", text, (long long)(ns % 1000000000));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void print_attributes(json_t *attributes)
{
    cleanup_strv struct strv pairs = {0};
    cleanup_free char *text = NULL;
    const char *name;
    json_t *value;

    json_object_foreach(attributes, name, value) strv_take(
        &pairs, str_format("%s=%s", name, json_is_string(value) ? json_string_value(value) : ""));
    if (!pairs.len)
        return;
    qsort(pairs.items, pairs.len, sizeof *pairs.items, by_name);
    text = strv_join(&pairs, ", ");
    printf(" (%s)", text);
}

static void print_line(const json_t *event)
{
    print_time(json_int(event, "timeNano", 0));
    printf(" %s %s %s", field(event, "Type"), field(event, "Action"), field(event, "Actor.ID"));
    print_attributes(json_at(event, "Actor.Attributes"));
    putchar('\n');
}

static bool has_status(const json_t *event)
{
    return match_type((void *)event, "container") || match_type((void *)event, "image");
}

static json_t *sorted(json_t *object)
{
    cleanup_free char *text = json_text(object, JSON_COMPACT | JSON_SORT_KEYS);
    struct err unused;

    return json_parse(text, strlen(text), "attributes", &unused);
}

/* docker's API object: "status", "id" and "from" come first where they are at all. */
static json_t *api_object(const json_t *event)
{
    json_t *object = json_object(), *actor = json_object();

    if (has_status(event)) {
        json_put_str(object, "status", field(event, "Action"));
        json_put_str(object, "id", field(event, "Actor.ID"));
    }
    if (match_type((void *)event, "container"))
        json_put_str(object, "from", attribute(event, "image"));
    json_object_update(object, (json_t *)event);
    json_put_str(actor, "ID", field(event, "Actor.ID"));
    json_put(actor, "Attributes", sorted(json_at(event, "Actor.Attributes")));
    json_put(object, "Actor", actor);
    return object;
}

/* What templates see: Go's names of the same members. */
static json_t *template_object(const json_t *event)
{
    json_t *object = json_object();

    json_put_str(object, "Status", has_status(event) ? field(event, "Action") : "");
    json_put_str(object, "ID", has_status(event) ? field(event, "Actor.ID") : "");
    json_put_str(object, "From",
                 match_type((void *)event, "container") ? attribute(event, "image") : "");
    json_put_str(object, "Type", field(event, "Type"));
    json_put_str(object, "Action", field(event, "Action"));
    json_object_set(object, "Actor", json_object_get(event, "Actor"));
    json_put_str(object, "Scope", field(event, "scope"));
    json_object_set(object, "Time", json_object_get(event, "time"));
    json_object_set(object, "TimeNano", json_object_get(event, "timeNano"));
    return object;
}

static int print_template(struct printer *p, const json_t *event)
{
    cleanup_json json_t *object = template_object(event);
    cleanup_buf struct buf out = {0};
    int r = template_execute(p->template, object, &out, &p->err);

    if (r < 0) {
        p->err.exit_status = EXIT_TEMPLATE;
        return err_wrap(&p->err, "Error parsing format");
    }
    buf_add_char(&out, '\n');
    fwrite(out.data, 1, out.len, stdout);
    return 0;
}

static void print_json(const json_t *event)
{
    cleanup_json json_t *object = api_object(event);
    cleanup_free char *text = json_text(object, JSON_COMPACT);

    puts(text);
}

static int print_event(void *context, const json_t *event)
{
    struct printer *p = context;
    const struct strv *given = options_list(&p->cli->options, "filter");
    int r = 0;

    if (!filter_all_hold(given, filters, (void *)event) ||
        !filter_each_holds(given, "label", match_label, (void *)event))
        return 0;
    if (p->as_json)
        print_json(event);
    else if (p->template)
        r = print_template(p, event);
    else
        print_line(event);
    return fflush(stdout) ? -EPIPE : r;
}

/* --- the command
 * -------------------------------------------------------------------------------- */

static int read_moment(const struct options *o, const char *flag, int64_t *ret, struct err *err)
{
    const char *value = options_one(o, flag);

    return value && *value ? value_parse_moment(value, clock_now(), ret, err) : 0;
}

/* Without --since only what comes is told; but --until alone means all that was until then. */
static int read_query(const struct options *o, struct event_query *ret, struct err *err)
{
    int64_t now = clock_now();

    *ret = (struct event_query){0};
    if (read_moment(o, "since", &ret->since_ns, err) < 0 ||
        read_moment(o, "until", &ret->until_ns, err) < 0)
        return -err->code;
    if (ret->until_ns && ret->since_ns > ret->until_ns)
        return err_set(err, EINVAL,
                       "Error response from daemon: `since` time (%lld) cannot be after `until` "
                       "time (%lld)",
                       (long long)(ret->since_ns / 1000000000),
                       (long long)(ret->until_ns / 1000000000));
    if (!ret->since_ns && !ret->until_ns)
        ret->since_ns = now;
    ret->follow = !ret->until_ns || ret->until_ns > now;
    return 0;
}

static int read_format(struct printer *p, struct err *err)
{
    const char *format = options_one(&p->cli->options, "format");

    if (!format || !*format)
        return 0;
    p->as_json = !strcmp(format, "json") || !strcmp(format, "{{json .}}");
    if (p->as_json || !template_parse(format, &p->template, err))
        return 0;
    err->exit_status = EXIT_TEMPLATE;
    return err_wrap(err, "Error parsing format");
}

static int cmd_events(struct cli *cli)
{
    struct printer printer = {.cli = cli};
    struct event_query query;
    struct err err = {0};
    int r;

    if (read_format(&printer, &err) < 0 ||
        filter_check(options_list(&cli->options, "filter"), known_filters, &err) < 0 ||
        read_query(&cli->options, &query, &err) < 0)
        return cli_fail(cli, &err);
    r = cli_engine(cli, &err);
    if (!r)
        r = store_events_read(cli->engine->store, &query, print_event, &printer, &err);
    template_free(printer.template);
    if (printer.err.code)
        return cli_fail(cli, &printer.err);
    return r < 0 && r != -EPIPE ? cli_engine_fail(cli, &err) : r < 0;
}

const struct command command_events = {
    .paths = {"system events", "events"},
    .arguments = "[OPTIONS]",
    .summary = "Get real time events from the server",
    .flags = events_flags,
    .max_args = 0,
    .run = cmd_events,
};
