/* network create, ls, inspect, rm, prune. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/filter.h"
#include "cli/flags.h"
#include "cli/format.h"
#include "cli/human.h"
#include "cli/prune.h"
#include "cli/rows.h"
#include "cli/values.h"

static const struct flag create_flags[] = {
    {0, "attachable", .help = "Enable manual container attachment"},
    {0, "aux-address", FLAG_LIST, "map", NULL, NULL,
     .help = "Auxiliary IPv4 or IPv6 addresses used by Network driver"},
    {'d', "driver", FLAG_ONE, "string", NULL, "bridge", .help = "Driver to manage the Network"},
    {0, "gateway", FLAG_LIST, "ip", value_check_ip, NULL,
     .help = "IPv4 or IPv6 Gateway for the master subnet"},
    {0, "internal", .help = "Restrict external access to the network"},
    {0, "ip-range", FLAG_LIST, "ipNet", NULL, NULL,
     .help = "Allocate container ip from a sub-range"},
    {0, "ipv4", FLAG_BOOL, NULL, NULL, "true", .help = "Enable or disable IPv4 address assignment"},
    {0, "ipv6", .help = "Enable or disable IPv6 address assignment"},
    {0, "label", FLAG_LIST, "list", value_check_label, NULL, .help = "Set metadata on a network"},
    {'o', "opt", FLAG_LIST, "map", NULL, NULL, .help = "Set driver specific options"},
    {0, "subnet", FLAG_LIST, "strings", NULL, NULL,
     .help = "Subnet in CIDR format that represents a network segment"},
    FLAGS_END,
};

static const struct flag ls_flags[] = {
    {'f', "filter", FLAG_LIST, "filter", NULL, NULL,
     .help = "Provide filter values (e.g. \"driver=bridge\")"},
    FORMAT_TABLE_FLAG,
    {0, "no-trunc", .help = "Do not truncate the output"},
    {'q', "quiet", .help = "Only display network IDs"},
    FLAGS_END,
};

static const struct flag inspect_flags[] = {
    FORMAT_DOCUMENT_FLAG('f'),
    {'v', "verbose", .help = "Verbose output for diagnostics"},
    FLAGS_END,
};

static const struct flag rm_flags[] = {
    {'f', "force", .help = "Do not error if the network does not exist"},
    FLAGS_END,
};

static const struct flag prune_flags[] = {
    {0, "filter", FLAG_LIST, "filter", NULL, NULL,
     .help = "Provide filter values (e.g. \"until=<timestamp>\")"},
    {'f', "force", .help = "Do not prompt for confirmation"},
    FLAGS_END,
};

/* --- create ---------------------------------------------------------------------------------- */

/* The short names that people know from podman and from docker's own text. */
static const char *option_name(const char *name)
{
    static const char *const names[][2] = {
        {"mtu", "com.docker.network.driver.mtu"},
        {"icc", "com.docker.network.bridge.enable_icc"},
        {"masquerade", "com.docker.network.bridge.enable_ip_masquerade"}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i][0], name))
            return names[i][1];
    return name;
}

static void put_pairs(const struct strv *given, json_t *object, bool options)
{
    for (size_t i = 0; i < given->len; i++) {
        size_t n = strcspn(given->items[i], "=");
        cleanup_free char *name = str_copy_n(given->items[i], n);

        json_put_str(object, options ? option_name(name) : name,
                     given->items[i][n] ? given->items[i] + n + 1 : "");
    }
}

/* Which subnet a gateway, range or auxiliary address belongs to. */
static json_t *entry_for(json_t *entries, const char *address)
{
    size_t n = strcspn(address, "/");
    cleanup_free char *plain = str_copy_n(address, n);
    struct subnet s;
    struct ip ip;
    json_t *entry;
    size_t i;

    if (ip_parse(plain, &ip) < 0)
        return NULL;
    json_array_foreach(entries, i,
                       entry) if (!subnet_parse(json_str(entry, "Subnet", ""), false, &s) &&
                                  subnet_contains(&s, &ip)) return entry;
    return NULL;
}

static int put_each(const struct strv *given, const char *what, const char *member, json_t *entries,
                    struct err *err)
{
    for (size_t i = 0; i < given->len; i++) {
        json_t *entry = entry_for(entries, given->items[i]);

        if (!entry)
            return err_set(err, EINVAL, "no matching subnet for %s %s", what, given->items[i]);
        if (json_object_get(entry, member))
            return err_set(err, EINVAL, "cannot configure multiple %ss (%s, %s) on the same subnet",
                           what, given->items[i], json_str(entry, member, ""));
        json_put_str(entry, member, given->items[i]);
    }
    return 0;
}

static int put_auxiliary(const struct strv *given, json_t *entries, struct err *err)
{
    for (size_t i = 0; i < given->len; i++) {
        const char *address = strchr(given->items[i], '=');
        json_t *entry = address ? entry_for(entries, address + 1) : NULL, *list;

        if (!entry)
            return err_set(err, EINVAL, "no matching subnet for aux-address %s", given->items[i]);
        list = json_object_get(entry, "AuxiliaryAddresses");
        if (!list) {
            list = json_object();
            json_put(entry, "AuxiliaryAddresses", list);
        }
        value_add_pair(list, given->items[i]);
    }
    return 0;
}

static int put_ipam(const struct options *o, json_t *config, struct err *err)
{
    const struct strv *subnets = options_list(o, "subnet");
    json_t *ipam = json_object(), *entries = json_array();

    json_put(config, "IPAM", ipam);
    json_put_str(ipam, "Driver", "default");
    json_put(ipam, "Options", json_object());
    json_put(ipam, "Config", entries);
    for (size_t i = 0; i < subnets->len; i++) {
        json_t *entry = json_object();
        struct subnet s;

        json_push(entries, entry);
        if (subnet_parse(subnets->items[i], false, &s) < 0)
            return err_set(
                err, EINVAL,
                "invalid subnet %s: an address and the length of its prefix, as 172.28.0.0/16",
                subnets->items[i]);
        json_put_str(entry, "Subnet", subnets->items[i]);
    }
    if (put_each(options_list(o, "ip-range"), "range", "IPRange", entries, err) < 0 ||
        put_each(options_list(o, "gateway"), "gateway", "Gateway", entries, err) < 0)
        return -err->code;
    return put_auxiliary(options_list(o, "aux-address"), entries, err);
}

static int cmd_create(struct cli *cli)
{
    const struct options *o = &cli->options;
    cleanup_json json_t *config = json_object();
    json_t *options = json_object(), *labels = json_object();
    struct err err = {0};
    char id[65];

    json_put_str(config, "Driver", options_one(o, "driver"));
    json_put(config, "EnableIPv4", json_boolean(options_flag(o, "ipv4")));
    json_put(config, "EnableIPv6", json_boolean(options_flag(o, "ipv6")));
    json_put(config, "Internal", json_boolean(options_flag(o, "internal")));
    json_put(config, "Attachable", json_boolean(options_flag(o, "attachable")));
    json_put(config, "Options", options);
    json_put(config, "Labels", labels);
    put_pairs(options_list(o, "opt"), options, true);
    put_pairs(options_list(o, "label"), labels, false);
    if (put_ipam(o, config, &err) < 0)
        return cli_fail(cli, &err);
    if (cli_engine(cli, &err) < 0 ||
        engine_network_create(cli->engine, o->args[0], config, id, &err) < 0)
        return cli_engine_fail(cli, &err);
    cli_show_notes(cli);
    puts(id);
    return 0;
}

/* --- ls -------------------------------------------------------------------------------------- */

static const struct column columns[] = {
    {"ID", "NETWORK ID"},
    {"Name", "NAME"},
    {"Driver", "DRIVER"},
    {"Scope", "SCOPE"},
    {"IPv4", "IPV4"},
    {"IPv6", "IPV6"},
    {"Internal", "INTERNAL"},
    {"Labels", "LABELS"},
    {"CreatedAt", "CREATED AT"},
    COLUMNS_END,
};

static const char *const known_filters[] = {"dangling", "driver", "id",   "label",
                                            "name",     "scope",  "type", NULL};
static const char *const types[] = {"custom", "builtin", NULL};

struct candidate {
    struct cli *cli;
    const struct network *n;
};

static const struct network *network_of(void *context)
{
    return ((struct candidate *)context)->n;
}

static bool builtin(const struct network *n)
{
    return !strcmp(n->name, "bridge") || !strcmp(n->name, "host") || !strcmp(n->name, "none");
}

static bool match_driver(void *context, const char *value)
{
    return !strcmp(json_str(network_of(context)->config, "Driver", ""), value);
}

static bool match_id(void *context, const char *value)
{
    return str_starts(network_of(context)->id, value);
}

static bool match_name(void *context, const char *value)
{
    return filter_matches(network_of(context)->name, value);
}

static bool match_label(void *context, const char *value)
{
    size_t n = strcspn(value, "=");
    cleanup_free char *name = str_copy_n(value, n);
    const char *found = json_string_value(
        json_object_get(json_object_get(network_of(context)->config, "Labels"), name));

    return found && (!value[n] || !strcmp(found, value + n + 1));
}

/* Docker's rule: every label= has to be there; who has every label!= is not meant. */
static bool labels_hold(const struct strv *given, struct candidate *k)
{
    bool excludes = false;

    for (size_t i = 0; i < given->len; i++)
        excludes |= str_starts(given->items[i], "label!=");
    return filter_each_holds(given, "label", match_label, k) &&
           !(excludes && filter_each_holds(given, "label!", match_label, k));
}

static bool match_scope(void *context, const char *value)
{
    (void)context;
    return !strcmp(value, "local");
}

static bool match_type(void *context, const char *value)
{
    return builtin(network_of(context)) == !strcmp(value, "builtin");
}

static bool match_dangling(void *context, const char *value)
{
    struct candidate *k = context;
    struct err err = {0};
    bool dangling = !builtin(k->n) && engine_network_used(k->cli->engine, k->n, &err) == 0;

    return dangling == value_bool(value);
}

static const struct filter_rule filters[] = {{"driver", match_driver},
                                             {"id", match_id},
                                             {"name", match_name},
                                             {"scope", match_scope},
                                             {"type", match_type},
                                             {"dangling", match_dangling},
                                             {NULL, NULL}};

static json_t *network_row(struct cli *cli, const struct network *n)
{
    bool whole = options_flag(&cli->options, "no-trunc");
    json_t *row = json_object(), *labels = json_object_get(n->config, "Labels");
    cleanup_free char *id = whole ? str_copy(n->id) : rows_short_id(n->id),
                      *text = rows_labels(labels);
    char created[64];

    rows_time_exact(n->created_ns, created);
    json_put_str(row, "ID", id);
    json_put_str(row, "Name", n->name);
    json_put_str(row, "Driver", json_str(n->config, "Driver", ""));
    json_put_str(row, "Scope", "local");
    json_put_str(row, "IPv4", json_flag(n->config, "EnableIPv4", true) ? "true" : "false");
    json_put_str(row, "IPv6", json_flag(n->config, "EnableIPv6", false) ? "true" : "false");
    json_put_str(row, "Internal", json_flag(n->config, "Internal", false) ? "true" : "false");
    json_put_str(row, "Labels", text);
    json_put(row, "Label", json_is_object(labels) ? json_incref(labels) : json_object());
    json_put_str(row, "CreatedAt", created);
    return row;
}

static int cmd_ls(struct cli *cli)
{
    const struct options *o = &cli->options;
    const struct strv *given = options_list(o, "filter");
    cleanup_json json_t *rows = json_array();
    struct network_list list;
    struct err err = {0};

    if (filter_check(given, known_filters, &err) < 0 ||
        filter_check_values(given, "type", types, false, &err) < 0)
        return cli_fail(cli, &err);
    if (cli_engine(cli, &err) < 0 || engine_networks(cli->engine, &list, &err) < 0)
        return cli_engine_fail(cli, &err);
    for (size_t i = 0; i < list.len; i++) {
        struct candidate k = {cli, &list.items[i]};

        if (filter_all_hold(given, filters, &k) && labels_hold(given, &k))
            json_push(rows, network_row(cli, k.n));
    }
    network_list_free(&list);
    if (format_rows(columns, "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
                    options_flag(o, "quiet") ? "{{.ID}}" : options_one(o, "format"), rows,
                    &err) < 0)
        return cli_fail(cli, &err);
    return 0;
}

/* --- inspect, rm, prune ---------------------------------------------------------------------- */

static int inspect_one(struct cli *cli, const char *name, json_t **ret, struct err *err)
{
    struct network n;
    int r = engine_network_find(cli->engine, name, &n, err);

    if (r < 0)
        return r;
    *ret = engine_inspect_network(cli->engine, &n, err);
    network_free(&n);
    return *ret ? 0 : -err->code;
}

static int cmd_inspect(struct cli *cli)
{
    const char *format = options_one(&cli->options, "format");
    cleanup_json json_t *all = json_array();
    struct err err = {0}, failed[1] = {0};
    int code = 0;

    if (format_check(format, &err) < 0)
        return cli_fail(cli, &err);
    if (cli_engine(cli, &err) < 0)
        return cli_engine_fail(cli, &err);
    for (size_t i = 0; i < cli->options.arg_count; i++) {
        json_t *document = NULL;

        if (inspect_one(cli, cli->options.args[i], &document, &err) < 0) {
            code = EXIT_FAILURE;
            failed[0] = err;
            continue;
        }
        json_push(all, document);
        if (format && format_document(format, document, &err) < 0)
            return cli_fail(cli, &err);
    }
    if (!format) {
        cleanup_free char *text = json_text(all, JSON_INDENT(4));

        puts(text);
    }
    return code ? cli_engine_fail(cli, &failed[0]) : 0;
}

static int cmd_rm(struct cli *cli)
{
    bool force = options_flag(&cli->options, "force");
    struct err err = {0};
    int code = 0;

    if (cli_engine(cli, &err) < 0)
        return cli_engine_fail(cli, &err);
    for (size_t i = 0; i < cli->options.arg_count; i++) {
        struct network n;
        int r = engine_network_find(cli->engine, cli->options.args[i], &n, &err);

        if (!r) {
            r = engine_network_remove(cli->engine, &n, &err);
            network_free(&n);
        } else if (r == -ENOENT && force) {
            continue;
        }
        if (r < 0) {
            code = EXIT_FAILURE;
            cli_engine_fail(cli, &err);
        } else {
            puts(cli->options.args[i]);
        }
    }
    return code;
}

static int cmd_prune(struct cli *cli)
{
    return prune_command(
        cli, &prune_networks,
        "This will remove all custom networks not used by at least one container.");
}

const struct command command_network_create = {
    .paths = {"network create"},
    .arguments = "[OPTIONS] NETWORK",
    .summary = "Create a network",
    .flags = create_flags,
    .min_args = 1,
    .max_args = 1,
    .run = cmd_create,
};

const struct command command_network_ls = {
    .paths = {"network ls", "network list"},
    .arguments = "[OPTIONS]",
    .summary = "List networks",
    .flags = ls_flags,
    .max_args = 0,
    .run = cmd_ls,
};

const struct command command_network_inspect = {
    .paths = {"network inspect"},
    .arguments = "[OPTIONS] NETWORK [NETWORK...]",
    .summary = "Display detailed information on one or more networks",
    .flags = inspect_flags,
    .min_args = 1,
    .max_args = -1,
    .run = cmd_inspect,
};

const struct command command_network_rm = {
    .paths = {"network rm", "network remove"},
    .arguments = "[OPTIONS] NETWORK [NETWORK...]",
    .summary = "Remove one or more networks",
    .flags = rm_flags,
    .min_args = 1,
    .max_args = -1,
    .run = cmd_rm,
};

const struct command command_network_prune = {
    .paths = {"network prune"},
    .arguments = "[OPTIONS]",
    .summary = "Remove all unused networks",
    .flags = prune_flags,
    .max_args = 0,
    .run = cmd_prune,
};
