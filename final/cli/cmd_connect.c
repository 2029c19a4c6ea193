/* network connect and disconnect; port. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/rows.h"
#include "cli/run_options.h"
#include "cli/values.h"

static const struct flag connect_flags[] = {
    {0, "alias", FLAG_LIST, "strings", NULL, NULL,
     .help = "Add network-scoped alias for the container"},
    {0, "driver-opt", FLAG_LIST, "strings", NULL, NULL, .help = "driver options for the network"},
    {0, "gw-priority", FLAG_ONE, "int", value_check_int, NULL,
     .help =
         "Highest gw-priority provides the default gateway. Accepts positive and negative values"},
    {0, "ip", FLAG_ONE, "ip", value_check_ip, NULL,
     .help = "IPv4 address (e.g., \"172.30.100.104\")"},
    {0, "ip6", FLAG_ONE, "ip", value_check_ip, NULL,
     .help = "IPv6 address (e.g., \"2001:db8::33\")"},
    {0, "link", FLAG_LIST, "list", NULL, NULL, .help = "Add link to another container"},
    {0, "link-local-ip", FLAG_LIST, "strings", value_check_ip, NULL,
     .help = "Add a link-local address for the container"},
    {0, "mac-address", FLAG_ONE, "string", NULL, NULL, .help = "Container MAC address"},
    FLAGS_END,
};

static const struct flag disconnect_flags[] = {
    {'f', "force", .help = "Force the container to disconnect from a network"},
    FLAGS_END,
};

static const struct flag port_flags[] = {FLAGS_END};

/* Flags and fields have the same names. */
static int build_wish(const struct options *o, json_t *wish, struct err *err)
{
    for (const struct flag *flag = connect_flags; flag->name; flag++) {
        const struct strv *given = options_list(o, flag->name);

        for (size_t i = 0; i < given->len; i++)
            if (run_network_field(wish, flag->name, given->items[i], err) < 0)
                return -err->code;
    }
    return 0;
}

/* Finds both and does it. */
typedef int act_function(struct cli *cli, const struct network *n, const struct container *c,
                         struct err *err);

static int act_on_both(struct cli *cli, act_function *act)
{
    struct err err = {0};
    struct container c;
    struct network n;
    int r = cli_engine(cli, &err);

    if (!r)
        r = engine_network_find(cli->engine, cli->options.args[0], &n, &err);
    if (r < 0)
        return cli_engine_fail(cli, &err);
    r = engine_find(cli->engine, cli->options.args[1], &c, &err);
    if (!r) {
        r = act(cli, &n, &c, &err);
        container_free(&c);
    }
    network_free(&n);
    cli_show_notes(cli);
    return r < 0 ? cli_engine_fail(cli, &err) : 0;
}

static int do_connect(struct cli *cli, const struct network *n, const struct container *c,
                      struct err *err)
{
    cleanup_json json_t *wish = json_object();
    int r = build_wish(&cli->options, wish, err);

    return r < 0 ? r : engine_network_connect(cli->engine, n, c, wish, err);
}

static int do_disconnect(struct cli *cli, const struct network *n, const struct container *c,
                         struct err *err)
{
    return engine_network_disconnect(cli->engine, n, c, options_flag(&cli->options, "force"), err);
}

static int cmd_connect(struct cli *cli)
{
    return act_on_both(cli, do_connect);
}

static int cmd_disconnect(struct cli *cli)
{
    return act_on_both(cli, do_disconnect);
}

/* --- port ------------------------------------------------------------------------------------ */

/* Prints the bindings of one port, with its name before them or alone; how many there were. */
static size_t print_bindings(const char *key, const json_t *bindings, bool with_name)
{
    json_t *binding;
    size_t i;

    json_array_foreach(bindings, i, binding)
    {
        const char *ip = json_str(binding, "HostIp", ""), *port = json_str(binding, "HostPort", "");
        bool six = strchr(ip, ':') != NULL;

        if (with_name)
            printf("%s -> ", key);
        printf(six ? "[%s]:%s\n" : "%s:%s\n", ip, port);
    }
    return json_array_size(bindings);
}

/* "80/tcp" before "443/tcp", as docker. */
static int by_number(const void *a, const void *b)
{
    return strverscmp(*(const char *const *)a, *(const char *const *)b);
}

static void print_all(const json_t *ports)
{
    const char **names = mem_grow(NULL, json_object_size(ports) + 1, sizeof *names), *name;
    json_t *unused;
    size_t count = 0;

    json_object_foreach((json_t *)ports, name, unused)
    {
        names[count++] = name;
    }
    qsort(names, count, sizeof *names, by_number);
    for (size_t i = 0; i < count; i++)
        print_bindings(names[i], json_object_get(ports, names[i]), true);
    free(names);
}

static int print_ports(struct cli *cli, const json_t *ports, const char *wanted, struct err *err)
{
    cleanup_free char *key =
        wanted ? str_format("%s%s", wanted, strchr(wanted, '/') ? "" : "/tcp") : NULL;

    if (key && !print_bindings(key, json_object_get(ports, key), false))
        return err_set(err, ENOENT, "Error: No public port '%s' published for %s", wanted,
                       cli->options.args[0]);
    if (!key)
        print_all(ports);
    return 0;
}

static int cmd_port(struct cli *cli)
{
    cleanup_json json_t *ports = NULL;
    struct err err = {0};
    struct container c;

    if (cli_engine(cli, &err) < 0 || engine_find(cli->engine, cli->options.args[0], &c, &err) < 0)
        return cli_engine_fail(cli, &err);
    ports = engine_container_ports(cli->engine, &c, &err);
    container_free(&c);
    if (!ports)
        return cli_engine_fail(cli, &err);
    return print_ports(cli, ports, cli->options.args[1], &err) < 0 ? cli_fail(cli, &err) : 0;
}

const struct command command_network_connect = {
    .paths = {"network connect"},
    .arguments = "[OPTIONS] NETWORK CONTAINER",
    .summary = "Connect a container to a network",
    .flags = connect_flags,
    .min_args = 2,
    .max_args = 2,
    .run = cmd_connect,
};

const struct command command_network_disconnect = {
    .paths = {"network disconnect"},
    .arguments = "[OPTIONS] NETWORK CONTAINER",
    .summary = "Disconnect a container from a network",
    .flags = disconnect_flags,
    .min_args = 2,
    .max_args = 2,
    .run = cmd_disconnect,
};

const struct command command_port = {
    .paths = {"container port", "port"},
    .arguments = "CONTAINER [PRIVATE_PORT[/PROTO]]",
    .summary = "List port mappings or a specific mapping for the container",
    .flags = port_flags,
    .min_args = 1,
    .max_args = 2,
    .run = cmd_port,
};
