/* ps: the list from the engine, narrowed by filters, each container a row for format.c. Only what a
 * row shows is looked up: -s walks directories, so it is asked for explicitly, as in docker. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/filter.h"
#include "cli/flags.h"
#include "cli/format.h"
#include "cli/rows.h"
#include "cli/rows_container.h"
#include "cli/values.h"

static const struct flag ps_flags[] = {
    {'a', "all", .help = "Show all containers (default shows just running)"},
    {'f', "filter", FLAG_LIST, "filter", NULL, NULL,
     .help = "Filter output based on conditions provided"},
    FORMAT_TABLE_FLAG,
    {'n', "last", FLAG_ONE, "int", value_check_int, "-1",
     .help = "Show n last created containers (includes all states)"},
    {'l', "latest", .help = "Show the latest created container (includes all states)"},
    {0, "no-trunc", .help = "Don't truncate output"},
    {'q', "quiet", .help = "Only display container IDs"},
    {'s', "size", .help = "Display total file sizes"},
    FLAGS_END,
};

static const struct column columns[] = {
    {"ID", "CONTAINER ID"},
    {"Image", "IMAGE"},
    {"Command", "COMMAND"},
    {"CreatedAt", "CREATED AT"},
    {"RunningFor", "CREATED"},
    {"Status", "STATUS"},
    {"State", "STATE"},
    {"HealthStatus", "HEALTH STATUS"},
    {"Ports", "PORTS"},
    {"Names", "NAMES"},
    {"Size", "SIZE"},
    {"Labels", "LABELS"},
    {"Mounts", "MOUNTS"},
    {"LocalVolumes", "LOCAL VOLUMES"},
    {"Networks", "NETWORKS"},
    {"Platform", "PLATFORM"},
    COLUMNS_END,
};

#define PRESET                                                                                     \
    "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"
#define PRESET_SIZE PRESET "\t{{.Size}}"

/* --- filters
 * ---------------------------------------------------------------------------------------- */

static const char *const known_filters[] = {"id",       "name",   "label",  "status",  "exited",
                                            "ancestor", "before", "since",  "network", "publish",
                                            "expose",   "health", "volume", "is-task", NULL};

static const char *const states[] = {"created", "restarting", "running", "removing",
                                     "paused",  "exited",     "dead",    NULL};

struct candidate {
    struct cli *cli;
    const struct container *c;
    const struct container_list *all; /* newest first */
};

static bool match_id(void *context, const char *value)
{
    return str_starts(((struct candidate *)context)->c->id, value);
}

/* A regular expression, also against the name with docker's leading slash ("^/web$"). */
static bool match_name(void *context, const char *value)
{
    const char *name = ((struct candidate *)context)->c->name;
    cleanup_free char *slashed = str_format("/%s", name);

    return filter_matches(name, value) || filter_matches(slashed, value);
}

static bool match_label(void *context, const char *value)
{
    const json_t *labels = json_at(((struct candidate *)context)->c->config, "Config.Labels");
    size_t n = strcspn(value, "=");
    cleanup_free char *name = str_copy_n(value, n);
    const char *found = json_string_value(json_object_get(labels, name));

    return found && (!value[n] || !strcmp(found, value + n + 1));
}

static bool match_status(void *context, const char *value)
{
    return !strcmp(rows_state(((struct candidate *)context)->c), value);
}

static bool match_exited(void *context, const char *value)
{
    const struct container *c = ((struct candidate *)context)->c;
    long long code;

    return !strcmp(c->state, "exited") && !str_to_i64(value, &code) && code == c->exit_code;
}

static bool match_ancestor(void *context, const char *value)
{
    const struct candidate *k = context;
    struct image image;
    struct err err = {0};
    bool same;

    if (!strcmp(k->c->image_name, value))
        return true;
    if (engine_find_image(k->cli->engine, value, &image, &err) < 0)
        return false;
    same = !strcmp(image.id, k->c->image_id);
    image_free(&image);
    return same;
}

/* Where in the list (newest first) a container stands, by name or prefix of the id; its length if
 * nowhere. */
static size_t place_of(const struct candidate *k, const char *name)
{
    for (size_t i = 0; i < k->all->len; i++)
        if (!strcmp(k->all->items[i].name, name) || str_starts(k->all->items[i].id, name))
            return i;
    return k->all->len;
}

static bool match_before(void *context, const char *value)
{
    const struct candidate *k = context;

    return (size_t)(k->c - k->all->items) > place_of(k, value);
}

static bool match_since(void *context, const char *value)
{
    const struct candidate *k = context;
    size_t place = place_of(k, value);

    return place < k->all->len && (size_t)(k->c - k->all->items) < place;
}

/* Name or id of a network it is on. */
static bool match_network(void *context, const char *value)
{
    const struct candidate *k = context;
    json_t *wishes = json_at(k->c->config, "NetworkingConfig.EndpointsConfig");
    const char *mode = json_str(k->c->config, "HostConfig.NetworkMode", "");
    struct err err = {0};
    struct network n;
    bool on;

    if (engine_network_find(k->cli->engine, value, &n, &err) < 0)
        return false;
    on = json_object_size(wishes) ? json_object_get(wishes, n.name) != NULL : !strcmp(mode, n.name);
    network_free(&n);
    return on;
}

/* "80", "80/udp", "8080-8090/tcp" */
struct port_range {
    unsigned long long first, last;
    const char *proto; /* "/tcp": the end of a key of docker's port objects */
};

static bool parse_ports(const char *value, struct port_range *ret)
{
    const char *slash = strchr(value, '/');
    cleanup_free char *ports = str_copy_n(value, strcspn(value, "/"));
    char *dash = strchr(ports, '-');

    if (dash)
        *dash++ = 0;
    ret->proto = slash ? slash : "/tcp";
    return !str_to_u64(ports, &ret->first) && !str_to_u64(dash ? dash : ports, &ret->last) &&
           ret->first <= ret->last && ret->last <= 65535 &&
           (!strcmp(ret->proto, "/tcp") || !strcmp(ret->proto, "/udp") ||
            !strcmp(ret->proto, "/sctp"));
}

static bool has_port(const struct port_range *range, const char *port, const char *proto)
{
    unsigned long long number = strtoull(port, NULL, 10);

    return proto && number >= range->first && number <= range->last && !strcmp(proto, range->proto);
}

/* By the host's port, as long as it is bound: what PORTS shows. */
static bool match_publish(void *context, const char *value)
{
    const struct candidate *k = context;
    struct err ignored = {0};
    cleanup_json json_t *ports = engine_container_ports(k->cli->engine, k->c, &ignored);
    struct port_range range;
    json_t *bindings, *binding;
    const char *key;
    size_t i;

    if (!parse_ports(value, &range))
        return false;
    json_object_foreach(ports, key, bindings)
    {
        json_array_foreach(bindings, i, binding)
        {
            if (has_port(&range, json_str(binding, "HostPort", ""), strchr(key, '/')))
                return true;
        }
    }
    return false;
}

/* By the container's port, as long as it runs. */
static bool match_expose(void *context, const char *value)
{
    const struct candidate *k = context;
    struct port_range range;
    const char *key;
    json_t *unused;

    if (!parse_ports(value, &range) || !rows_running(k->c))
        return false;
    json_object_foreach(json_at(k->c->config, "Config.ExposedPorts"), key, unused)
    {
        if (has_port(&range, key, strchr(key, '/')))
            return true;
    }
    return false;
}

static bool match_health(void *context, const char *value)
{
    const struct candidate *k = context;
    char status[16];

    engine_health_status(k->cli->engine, k->c, status);
    return !strcmp(status, value);
}

/* By the name of the volume, or by where something is mounted. */
static bool match_volume(void *context, const char *value)
{
    json_t *mount;
    size_t i;

    json_array_foreach(json_object_get(((struct candidate *)context)->c->config, "Mounts"), i,
                       mount)
    {
        if (!strcmp(json_str(mount, "Name", ""), value) ||
            !strcmp(json_str(mount, "Destination", ""), value))
            return true;
    }
    return false;
}

/* A swarm's: there are none. */
static bool match_task(void *context, const char *value)
{
    (void)context;
    return !strcmp(value, "false") || !strcmp(value, "0");
}

static const struct filter_rule filters[] = {{"id", match_id},
                                             {"name", match_name},
                                             {"status", match_status},
                                             {"exited", match_exited},
                                             {"ancestor", match_ancestor},
                                             {"before", match_before},
                                             {"since", match_since},
                                             {"network", match_network},
                                             {"publish", match_publish},
                                             {"expose", match_expose},
                                             {"health", match_health},
                                             {"volume", match_volume},
                                             {"is-task", match_task},
                                             {NULL, NULL}};

static bool passes(struct candidate *k)
{
    const struct strv *given = options_list(&k->cli->options, "filter");

    return filter_all_hold(given, filters, k) && filter_each_holds(given, "label", match_label, k);
}

/* Running ones only, unless something was asked that concerns all. */
static bool shows_all(const struct options *o)
{
    const struct strv *given = options_list(o, "filter");

    for (size_t i = 0; i < given->len; i++)
        if (str_starts(given->items[i], "status=") || str_starts(given->items[i], "exited="))
            return true;
    return options_flag(o, "all") || options_flag(o, "latest") ||
           options_number(o, "last", -1) >= 0;
}

/* --- rows
 * ------------------------------------------------------------------------------------------- */

static json_t *collect_rows(struct cli *cli, const struct container_list *list)
{
    const struct options *o = &cli->options;
    long long left = options_flag(o, "latest") ? 1 : options_number(o, "last", -1);
    bool all = shows_all(o), limited = left >= 0;
    cleanup_json json_t *images = json_object();
    struct container_row how = {.now_ns = clock_now(),
                                .images = images,
                                .whole = options_flag(o, "no-trunc"),
                                .ports = !options_flag(o, "quiet"),
                                .size = options_flag(o, "size"),
                                .size_member = options_given(o, "format")};
    json_t *rows = json_array();

    for (size_t i = 0; i < list->len && (!limited || left > 0); i++) {
        struct candidate k = {cli, &list->items[i], list};

        if ((!all && !rows_running(k.c)) || !passes(&k))
            continue;
        json_push(rows, rows_container(cli->engine, k.c, &how));
        left--;
    }
    return rows;
}

static int print_rows(struct cli *cli, const json_t *rows, struct err *err)
{
    const struct options *o = &cli->options;
    const char *format = options_one(o, "format");

    if (options_flag(o, "quiet")) {
        if (format)
            fprintf(
                stderr,
                "WARNING: Ignoring custom format, because both --format and --quiet are set.\n");
        return format_rows(columns, PRESET, "{{.ID}}", rows, err);
    }
    return format_rows(columns, options_flag(o, "size") ? PRESET_SIZE : PRESET, format, rows, err);
}

/* --- filters that mean nothing: an error, for an empty list would look like an answer */

static bool is_health(const struct candidate *k, const char *value)
{
    (void)k;
    return !strcmp(value, "starting") || !strcmp(value, "healthy") || !strcmp(value, "unhealthy") ||
           !strcmp(value, "none");
}

static bool is_exit_code(const struct candidate *k, const char *value)
{
    long long code;

    (void)k;
    return !str_to_i64(value, &code);
}

static bool is_port_range(const struct candidate *k, const char *value)
{
    struct port_range range;

    (void)k;
    return parse_ports(value, &range);
}

static bool is_container(const struct candidate *k, const char *value)
{
    return place_of(k, value) < k->all->len;
}

static int check_values(struct candidate *k, const struct strv *given, struct err *err)
{
    static const struct {
        const char *key;
        bool (*holds)(const struct candidate *k, const char *value);
        const char *complaint;
    } rules[] = {
        {"health=", is_health, "Unrecognised filter value for health: "},
        {"exited=", is_exit_code, "exited takes the number a process ends with, not "},
        {"publish=", is_port_range, "publish takes PORT[-PORT][/tcp|udp|sctp], not "},
        {"expose=", is_port_range, "expose takes PORT[-PORT][/tcp|udp|sctp], not "},
        {"before=", is_container, "No such container: "},
        {"since=", is_container, "No such container: "},
    };

    for (size_t i = 0; i < given->len; i++)
        for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
            const char *value = given->items[i] + strlen(rules[r].key);

            if (str_starts(given->items[i], rules[r].key) && !rules[r].holds(k, value))
                return err_set(err, EINVAL, "%s%s", rules[r].complaint, value);
        }
    return 0;
}

static int cmd_ps(struct cli *cli)
{
    const struct strv *given = options_list(&cli->options, "filter");
    struct container_list list = {0};
    struct candidate k = {cli, NULL, &list};
    cleanup_json json_t *rows = NULL;
    struct err err = {0};

    if (filter_check(given, known_filters, &err) < 0 ||
        filter_check_values(given, "status", states, false, &err) < 0)
        return cli_fail(cli, &err);
    if (cli_engine(cli, &err) < 0 || engine_list(cli->engine, &list, &err) < 0)
        return cli_engine_fail(cli, &err);
    if (!check_values(&k, given, &err))
        rows = collect_rows(cli, &list);
    container_list_free(&list);
    if (!rows)
        return cli_engine_fail(cli, &err);
    return print_rows(cli, rows, &err) < 0 ? cli_fail(cli, &err) : 0;
}

const struct command command_ps = {
    .paths = {"container ls", "container list", "container ps", "ps"},
    .arguments = "[OPTIONS]",
    .summary = "List containers",
    .flags = ps_flags,
    .max_args = 0,
    .common = true,
    .run = cmd_ps,
};
