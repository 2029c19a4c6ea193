/* network_endpoint.c - what one container gets on one network. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "engine/network.h"

/* --ip and its like, as text; "" when it was not said. */
static const char *wanted_address(const json_t *wanted, bool six)
{
    return json_str(wanted, six ? "IPAMConfig.IPv6Address" : "IPAMConfig.IPv4Address", "");
}

static int check_wanted(const struct network *n, const struct network_pool *pool,
                        const struct ip *ip, struct err *err)
{
    char text[IP_TEXT_MAX];

    if (network_is_predefined(n->name))
        return err_set(
            err, EINVAL,
            "invalid endpoint settings: user specified IP address is supported on user defined "
            "networks only");
    if (!pool->configured)
        return err_set(
            err, EINVAL,
            "invalid endpoint settings: user specified IP address is supported only when "
            "connecting to networks with user configured subnets");
    if (!subnet_contains(&pool->subnet, ip))
        return err_set(err, EINVAL,
                       "invalid endpoint settings: no configured subnet contains IP address %s",
                       ip_format(ip, text));
    if (subnet_reserves(&pool->subnet, ip))
        return err_set(err, EINVAL,
                       "Address already in use: %s on network %s: the first and the last of a "
                       "subnet are nobody's",
                       ip_format(ip, text), n->name);
    return 0;
}

/* One version's address; *ret stays unset on a network without that version. */
static int take_address(struct engine *e, const struct network *n, const char *text, bool six,
                        struct ip *ret, struct network_pool *pool, struct err *err)
{
    struct ip wanted = {0};
    int r = 0;

    network_pool(n, six, pool);
    *ret = (struct ip){0};
    if (*text && (ip_parse(text, &wanted) < 0 || (wanted.len == 16) != six))
        return err_set(err, EINVAL, "invalid IPv%d address: %s", six ? 6 : 4, text);
    if (!pool->subnet.base.len)
        return *text ? err_set(
                           err, EINVAL,
                           "invalid endpoint settings: no configured subnet contains IP address %s",
                           text)
                     : 0;
    if (wanted.len)
        r = check_wanted(n, pool, &wanted, err);
    if (!r)
        r = store_address_take(e->store, n->id, &pool->first, &pool->last, &wanted, ret, err);
    if (r == -EADDRINUSE)
        return err_set(err, EADDRINUSE, "Address already in use: %s on network %s", text, n->name);
    if (r == -ENOSPC)
        return err_set(err, ENOSPC,
                       "no available IPv%d addresses on this network's address pools: %s (%s)",
                       six ? 6 : 4, n->name, n->id);
    return r;
}

static void put_address(json_t *endpoint, const struct ip *ip, const struct network_pool *pool,
                        const char *address, const char *prefix, const char *gateway)
{
    char text[IP_TEXT_MAX];

    json_put_str(endpoint, address, ip_format(ip, text));
    json_put(endpoint, prefix, json_integer(ip->len ? pool->subnet.prefix : 0));
    json_put_str(endpoint, gateway, ip->len ? ip_format(&pool->gateway, text) : "");
}

static int put_mac(json_t *endpoint, const char *wanted, const struct ip *ip, struct err *err)
{
    uint8_t mac[6];
    char text[18];

    if (*wanted && (net_mac_parse(wanted, mac) < 0 || (mac[0] & 1)))
        return err_set(err, EINVAL, "invalid MAC address: %s", wanted);
    if (!*wanted)
        net_mac_from(ip, mac);
    net_mac_format(mac, text);
    json_put_str(endpoint, "MacAddress", text);
    return 0;
}

static void add_name(json_t *list, const char *name)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item) if (!strcmp(json_string_value(item), name)) return;
    json_push(list, json_string(name));
}

json_t *endpoint_names(const struct container *c, const json_t *aliases)
{
    const char *hostname = json_str(c->config, "Config.Hostname", "");
    json_t *names = json_array(), *item;
    char short_id[13];
    size_t i;

    snprintf(short_id, sizeof short_id, "%.12s", c->id);
    add_name(names, c->name);
    json_array_foreach(aliases, i, item) add_name(names, json_string_value(item));
    add_name(names, short_id);
    if (*hostname)
        add_name(names, hostname);
    return names;
}

static void put_links(json_t *endpoint, const struct container *c, const struct network *n,
                      size_t position)
{
    char bridge[LINK_NAME_MAX], link[LINK_NAME_MAX], interface[LINK_NAME_MAX];
    const char *mtu = json_string_value(
        json_object_get(json_object_get(n->config, "Options"), "com.docker.network.driver.mtu"));

    network_bridge(n, bridge);
    snprintf(link, sizeof link, "cv%.12s%c", c->id, "0123456789abcdef"[position % 16]);
    snprintf(interface, sizeof interface, "eth%zu", position);
    json_put_str(endpoint, "Bridge", bridge);
    json_put_str(endpoint, "HostLink", link);
    json_put_str(endpoint, "Interface", interface);
    json_put(endpoint, "MTU", json_integer(mtu ? atoi(mtu) : 1500));
    json_put(endpoint, "IPv6", json_boolean(json_flag(n->config, "EnableIPv6", false)));
    json_put(endpoint, "Internal", json_boolean(json_flag(n->config, "Internal", false)));
    json_put(endpoint, "Isolated",
             json_boolean(!network_option(n, "com.docker.network.bridge.enable_icc", true)));
}

/* What the user said about it, kept for inspect. */
static void put_wishes(json_t *endpoint, const json_t *wanted)
{
    static const char *const members[] = {"IPAMConfig", "Links", "Aliases", "DriverOpts",
                                          "GwPriority"};

    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        json_t *value = json_object_get(wanted, members[i]);

        json_put(endpoint, members[i], value ? json_deep_copy(value) : json_null());
    }
    if (json_at(wanted, "IPAMConfig.LinkLocalIPs"))
        json_object_set(endpoint, "LinkLocalIPs", json_at(wanted, "IPAMConfig.LinkLocalIPs"));
}

int endpoint_allocate(struct engine *e, const struct container *c, const struct network *n,
                      const json_t *wanted, size_t position, json_t **ret, struct err *err)
{
    cleanup_json json_t *endpoint = json_object();
    struct network_pool four, six;
    struct ip ip4, ip6 = {0};
    char id[ID_LEN + 1];
    int r = id_generate(id, err);

    if (!r)
        r = take_address(e, n, wanted_address(wanted, false), false, &ip4, &four, err);
    if (!r)
        r = take_address(e, n, wanted_address(wanted, true), true, &ip6, &six, err);
    if (!r)
        r = put_mac(endpoint, json_str(wanted, "MacAddress", ""), ip4.len ? &ip4 : &ip6, err);
    if (r < 0)
        return r;
    json_put_str(endpoint, "Network", n->name);
    json_put_str(endpoint, "NetworkID", n->id);
    json_put_str(endpoint, "EndpointID", id);
    put_address(endpoint, &ip4, &four, "IPAddress", "IPPrefixLen", "Gateway");
    put_address(endpoint, &ip6, &six, "GlobalIPv6Address", "GlobalIPv6PrefixLen", "IPv6Gateway");
    put_wishes(endpoint, wanted);
    put_links(endpoint, c, n, position);
    json_put(endpoint, "Names",
             network_is_predefined(n->name)
                 ? json_array()
                 : endpoint_names(c, json_object_get(wanted, "Aliases")));
    r = store_endpoint_put(e->store, c->id, n->id, position, endpoint, err);
    if (r >= 0)
        *ret = steal_ptr(&endpoint);
    return r < 0 ? r : 0;
}

/* Docker's rule: the highest --gw-priority, then the name that comes first. */
static json_t *best_gateway(json_t *endpoints, const char *member)
{
    json_t *best = NULL, *item;
    size_t i;

    json_array_foreach(endpoints, i, item)
    {
        long long ours = json_int(item, "GwPriority", 0),
                  theirs = best ? json_int(best, "GwPriority", 0) : 0;

        if (json_flag(item, "Internal", false) || !*json_str(item, member, ""))
            continue;
        if (!best || ours > theirs ||
            (ours == theirs &&
             strcmp(json_str(item, "Network", ""), json_str(best, "Network", "")) < 0))
            best = item;
    }
    return best;
}

void endpoints_choose_gateway(json_t *endpoints)
{
    json_t *four = best_gateway(endpoints, "Gateway"),
           *six = best_gateway(endpoints, "IPv6Gateway"), *item;
    size_t i;

    json_array_foreach(endpoints, i, item)
    {
        json_put(item, "Default4", json_boolean(item == four));
        json_put(item, "Default6", json_boolean(item == six));
    }
}

int endpoints_store(struct engine *e, const char *container, const json_t *endpoints,
                    struct err *err)
{
    json_t *item;
    size_t i;
    int r = store_begin(e->store, err);

    if (r < 0)
        return r;
    json_array_foreach(endpoints, i, item)
    {
        if (r >= 0)
            r = store_endpoint_put(e->store, container, json_str(item, "NetworkID", ""), i, item,
                                   err);
    }
    return store_end(e->store, r, err);
}

int endpoints_put_rules(struct engine *e, const json_t *endpoints, struct err *err)
{
    cleanup_elements struct net_elements elements = {0};
    const struct net_place *place;
    json_t *item;
    size_t i;
    int r = network_place(e, &place, err);

    json_array_foreach(endpoints, i, item) net_plan_elements(item, &elements);
    return r < 0 ? r : net_rules_add(place, &elements, network_all_elements, e, &e->notes, err);
}

/* Names first: who looks for it no longer finds it. Every step may find that it was done. */
int endpoint_take_back(struct engine *e, const char *container, const json_t *endpoint,
                       struct err *err)
{
    cleanup_elements struct net_elements elements = {0};
    cleanup_close int names = -1;
    const struct net_place *place;
    struct net_endpoint read;
    int r = network_place(e, &place, err);

    if (r < 0 || net_endpoint_read(endpoint, &read, err) < 0)
        return r;
    names = openat(place->dir, "names", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (names >= 0)
        net_names_remove(names, &read, container);
    net_plan_elements(endpoint, &elements);
    r = net_rules_remove(place, &elements, err);
    if (!r && net_link_exists(read.host_link))
        r = net_unplug(&read, err);
    net_forget_connections(&read.ip4.base);
    net_forget_connections(&read.ip6.base);
    return r;
}
