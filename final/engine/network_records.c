/* network_records.c - networks as the database has them: docker's members, and what they mean. */
#include "engine/network.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"

#define OPTION_BRIDGE "com.docker.network.bridge.name"

static const struct {
    const char *name, *driver, *scope;
} predefined[] = {
    {"bridge", "bridge", "local"}, {"host", "host", "local"}, {"none", "null", "local"}};

bool network_is_predefined(const char *name)
{
    for (size_t i = 0; i < sizeof predefined / sizeof *predefined; i++)
        if (!strcmp(predefined[i].name, name))
            return true;
    return false;
}

const char *network_driver(const struct network *n)
{
    return json_str(n->config, "Driver", "bridge");
}

/* Option names have dots, so json_at() cannot read them. */
static const char *option_text(const struct network *n, const char *name)
{
    return json_string_value(json_object_get(json_object_get(n->config, "Options"), name));
}

int network_option_parse(const char *text, bool *ret)
{
    static const char *const words[][6] = {{"0", "f", "F", "false", "FALSE", "False"},
                                           {"1", "t", "T", "true", "TRUE", "True"}};

    for (int value = 0; value < 2; value++)
        for (size_t i = 0; i < 6; i++)
            if (!strcmp(text, words[value][i])) {
                *ret = value;
                return 0;
            }
    return -EINVAL;
}

bool network_option(const struct network *n, const char *name, bool otherwise)
{
    const char *text = option_text(n, name);

    bool value = otherwise;

    if (text)
        network_option_parse(text, &value); /* checked when the network was created */
    return value;
}

void network_bridge(const struct network *n, char ret[LINK_NAME_MAX])
{
    const char *name = option_text(n, OPTION_BRIDGE);

    snprintf(ret, LINK_NAME_MAX, "%s%.12s", name ? "" : "br-", name ? name : n->id);
    if (name)
        snprintf(ret, LINK_NAME_MAX, "%.15s", name);
}

void network_event(struct engine *e, const struct network *n, const struct container *c,
                   const char *action)
{
    json_t *attributes = json_object();

    if (c)
        json_put_str(attributes, "container", c->id);
    json_put_str(attributes, "name", n->name);
    json_put_str(attributes, "type", network_driver(n));
    engine_event(e, "network", action, n->id, attributes);
}

/* --- pools ----------------------------------------------------------------------------------- */

/* What containers get when nobody says which. */
static void usable(const struct subnet *subnet, const struct subnet *range,
                   struct network_pool *pool)
{
    pool->first = range->base;
    pool->last = subnet_last(range);
    if (subnet_reserves(subnet, &pool->first))
        pool->first = ip_next(&pool->first);
    if (subnet_reserves(subnet, &pool->last))
        pool->last.bytes[3]--;
}

void network_pool(const struct network *n, bool six, struct network_pool *ret)
{
    json_t *entry;
    size_t i;

    *ret = (struct network_pool){0};
    json_array_foreach(json_at(n->config, "IPAM.Config"), i, entry)
    {
        const char *gateway = json_str(entry, "Gateway", "");
        struct subnet range;

        if (subnet_parse(json_str(entry, "Subnet", ""), false, &ret->subnet) < 0 ||
            (ret->subnet.base.len == 16) != six)
            continue;
        if (subnet_parse(json_str(entry, "IPRange", ""), false, &range) < 0)
            range = ret->subnet;
        usable(&ret->subnet, &range, ret);
        if (ip_parse(gateway, &ret->gateway) < 0)
            ret->gateway = (struct ip){0};
        ret->configured = json_flag(n->config, "Configured", false);
        return;
    }
    *ret = (struct network_pool){0};
}

/* --- finding and making ---------------------------------------------------------------------- */

static json_t *predefined_config(struct engine *e, size_t i, const struct net_place *place,
                                 struct err *err)
{
    json_t *config = json_object(), *options = json_object();
    cleanup_free char *bridge = str_format("cooper%s", place->tag);

    json_put_str(config, "Driver", predefined[i].driver);
    json_put(config, "Options", options);
    if (i)
        return config;
    json_put_str(options, "com.docker.network.bridge.default_bridge", "true");
    json_put_str(options, "com.docker.network.bridge.enable_icc", "true");
    json_put_str(options, "com.docker.network.bridge.enable_ip_masquerade", "true");
    json_put_str(options, "com.docker.network.bridge.host_binding_ipv4", "0.0.0.0");
    json_put_str(options, OPTION_BRIDGE, bridge);
    json_put_str(options, "com.docker.network.driver.mtu", "1500");
    if (network_check_config(e, NETWORK_DEFAULT, config, err) < 0) {
        json_decref(config);
        return NULL;
    }
    return config;
}

static bool is_known(struct engine *e, const char *name)
{
    struct network n;
    struct err ignored;

    if (store_network_find(e->store, name, &n, &ignored) < 0)
        return false;
    network_free(&n);
    return true;
}

static int predefine(struct engine *e, size_t i, struct err *err)
{
    struct network n = {.name = str_copy(predefined[i].name), .created_ns = clock_now()};
    const struct net_place *place;
    int r = network_place(e, &place, err);

    if (!r)
        r = id_generate(n.id, err);
    if (!r) {
        n.config = predefined_config(e, i, place, err);
        r = n.config ? engine_network_record(e, &n, err) : -err->code;
    }
    network_free(&n);
    /* Another command, or another stage of a build, was faster: its name, its bridge or its subnet
     * is what stood in the way. */
    if (r < 0 && is_known(e, predefined[i].name)) {
        err_clear(err);
        r = 0;
    }
    return r;
}

int networks_predefine(struct engine *e, struct err *err)
{
    int first = 0;

    for (size_t i = sizeof predefined / sizeof *predefined; i-- > 0;) {
        struct network n;
        int r = store_network_find(e->store, predefined[i].name, &n, err);

        if (!r)
            network_free(&n);
        else if (r == -ENOENT)
            r = predefine(e, i, err);
        if (r < 0)
            first = r;
    }
    return first;
}

int network_find(struct engine *e, const char *name, struct network *ret, struct err *err)
{
    int r = store_network_find(e->store, name, ret, err);

    if (r == -ENOENT && network_is_predefined(name)) {
        err_clear(err);
        r = networks_predefine(e, err);
        if (!r)
            r = store_network_find(e->store, name, ret, err);
    }
    if (r == -ENOENT)
        return err_set(err, ENOENT, "network %s not found", name);
    if (r == -ENOTUNIQ)
        return err_set(err, ENOTUNIQ, "network %s is ambiguous (2 matches found on ID prefix)",
                       name);
    return r;
}

int network_place(struct engine *e, const struct net_place **ret, struct err *err)
{
    int r = 0;

    if (!e->place) {
        struct net_place *place = mem_alloc(sizeof *place);

        r = net_place_open(e->store->run_fd, e->store->root,
                           !strcmp(e->store->root, STORE_DEFAULT_ROOT), place, err);
        if (r < 0)
            free(place);
        else
            e->place = place;
    }
    *ret = e->place;
    return r;
}

/* --- bridge and rules ------------------------------------------------------------------------ */

static void network_elements(const struct network *n, struct net_elements *ret)
{
    char bridge[LINK_NAME_MAX];

    if (strcmp(network_driver(n), "bridge"))
        return;
    network_bridge(n, bridge);
    net_network_elements(bridge, json_flag(n->config, "Internal", false),
                         network_option(n, "com.docker.network.bridge.enable_ip_masquerade", true),
                         ret);
}

int network_all_elements(void *engine, struct net_elements *ret, struct err *err)
{
    struct engine *e = engine;
    struct network_list networks = {0};
    struct endpoint_list endpoints = {0};
    int r = store_networks(e->store, &networks, err);

    if (!r)
        r = store_endpoints(e->store, NULL, NULL, &endpoints, err);
    for (size_t i = 0; i < networks.len; i++)
        network_elements(&networks.items[i], ret);
    for (size_t i = 0; i < endpoints.len; i++)
        net_plan_elements(endpoints.items[i].config, ret);
    network_list_free(&networks);
    endpoint_list_free(&endpoints);
    return r;
}

static uint32_t network_mtu(const struct network *n)
{
    const char *text = option_text(n, "com.docker.network.driver.mtu");
    unsigned long long mtu;

    return text && !str_to_u64(text, &mtu) ? (uint32_t)mtu : 1500;
}

static int ensure_bridge(struct engine *e, const struct network *n, struct err *err)
{
    char name[LINK_NAME_MAX];
    struct network_pool four, six;
    struct net_bridge bridge = {
        .name = name, .ipv6 = json_flag(n->config, "EnableIPv6", false), .mtu = network_mtu(n)};

    network_bridge(n, name);
    network_pool(n, false, &four);
    network_pool(n, true, &six);
    if (four.gateway.len)
        bridge.ip4 = (struct subnet){four.gateway, four.subnet.prefix};
    if (six.gateway.len)
        bridge.ip6 = (struct subnet){six.gateway, six.subnet.prefix};
    return net_bridge_ensure(&bridge, !json_flag(n->config, "Internal", false), &e->notes, err);
}

/* The bridge is looked at each time; its elements are added once, and with all others when the
 * rules are made anew. */
int network_make(struct engine *e, const struct network *n, struct err *err)
{
    cleanup_elements struct net_elements elements = {0};
    const struct net_place *place;
    int r = ensure_bridge(e, n, err);

    if (r < 0 || n->ready)
        return r;
    r = network_place(e, &place, err);
    if (r < 0)
        return r;
    network_elements(n, &elements);
    r = net_rules_add(place, &elements, network_all_elements, e, &e->notes, err);
    return r < 0 ? r : store_network_ready(e->store, n->id, true, err);
}

bool network_half_made(const struct network *n)
{
    struct proc_id maker = {(pid_t)json_int(n->config, "Maker", 0),
                            (unsigned long long)json_int(n->config, "MakerStart", 0)};

    return !n->ready && maker.pid && !proc_alive(&maker);
}

static int collect_half_made(struct engine *e, struct err *err)
{
    struct network_list networks;
    int r = store_networks(e->store, &networks, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < networks.len && r >= 0; i++)
        if (network_half_made(&networks.items[i]))
            r = network_unmake(e, &networks.items[i], err);
    network_list_free(&networks);
    return r < 0 ? r : 0;
}

int networks_collect(struct engine *e, struct err *err)
{
    struct endpoint_list endpoints = {0};
    struct container_list settled; /* looking at the containers settles them */
    int r = engine_list(e, &settled, err);

    if (r < 0)
        return r;
    container_list_free(&settled);
    r = store_endpoints(e->store, NULL, NULL, &endpoints, err);
    for (size_t i = 0; i < endpoints.len && r >= 0; i++) {
        struct container c;

        if (i && !strcmp(endpoints.items[i].container, endpoints.items[i - 1].container))
            continue;
        r = store_container_find(e->store, endpoints.items[i].container, &c, err);
        if (r < 0)
            continue;
        if (!container_running(&c) && !container_starting(&c))
            r = network_down_if_idle(e, c.id, err);
        container_free(&c);
    }
    endpoint_list_free(&endpoints);
    return r < 0 && r != -ENOENT ? r : collect_half_made(e, err);
}
