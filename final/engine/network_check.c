/* network_check.c - `network create`: what may be asked, and what is filled in. */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/network.h"

/* Subnets of all networks there are, and of the host. */
static int taken_subnets(struct engine *e, struct net_subnets *ret, struct err *err)
{
    struct network_list networks;
    int r = store_networks(e->store, &networks, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < networks.len; i++)
        for (int six = 0; six < 2; six++) {
            struct network_pool pool;

            network_pool(&networks.items[i], six, &pool);
            if (!pool.subnet.base.len)
                continue;
            ret->items = mem_grow(ret->items, ret->len + 1, sizeof *ret->items);
            ret->items[ret->len++] = pool.subnet;
        }
    network_list_free(&networks);
    return net_host_subnets(ret, err);
}

static int check_overlap(const struct net_subnets *taken, const struct subnet *s, struct err *err)
{
    char ours[SUBNET_TEXT_MAX], theirs[SUBNET_TEXT_MAX];

    for (size_t i = 0; i < taken->len; i++)
        if (subnet_overlaps(&taken->items[i], s))
            return err_set(err, EEXIST,
                           "invalid pool request: Pool overlaps with other one on this address "
                           "space: %s and %s",
                           subnet_format(s, ours), subnet_format(&taken->items[i], theirs));
    return 0;
}

static int check_inside(const struct subnet *s, const char *what, const char *text, struct err *err)
{
    struct ip ip;

    if (ip_parse(text, &ip) < 0)
        return err_set(err, EINVAL, "invalid %s address: %s", what, text);
    if (!subnet_contains(s, &ip))
        return err_set(err, EINVAL, "no matching subnet for %s %s", what, text);
    return 0;
}

/* A subnet whose addresses are a host's to have, with room for a gateway and a container. */
static int check_subnet(const struct subnet *s, const char *text, struct err *err)
{
    static const char *const others[] = {"0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::1/128",
                                         "ff00::/8"};
    struct subnet other;

    if (s->prefix > 8 * s->base.len - 2)
        return err_set(err, EINVAL, "invalid subnet %s: no room for a gateway and a container",
                       text);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (subnet_parse(others[i], false, &other) >= 0 && subnet_overlaps(s, &other))
            return err_set(err, EINVAL, "invalid subnet %s: addresses of %s are no host's", text,
                           others[i]);
    return 0;
}

/* The first address names the network, and the last is everybody's (IPv4). */
static int check_gateway(const struct subnet *s, const char *text, struct err *err)
{
    struct ip ip, last = subnet_last(s);
    int r = check_inside(s, "gateway", text, err);

    if (r < 0 || ip_parse(text, &ip) < 0)
        return r;
    if (ip_equal(&ip, &s->base) || (ip.len == 4 && ip_equal(&ip, &last)))
        return err_set(err, EINVAL, "invalid gateway %s: it is the network's own address", text);
    return 0;
}

static int check_range(const struct subnet *s, const char *text, struct err *err)
{
    struct subnet range;

    if (!*text)
        return 0;
    if (subnet_parse(text, false, &range) < 0)
        return err_set(err, EINVAL, "invalid ip-range: %s", text);
    if (!subnet_contains(s, &range.base) || range.prefix < s->prefix)
        return err_set(err, EINVAL, "no matching subnet for range %s", text);
    return 0;
}

/* One entry of IPAM.Config: checked, cleaned, its gateway chosen when none was. */
static int check_entry(json_t *entry, const struct net_subnets *taken, struct err *err)
{
    const char *text = json_str(entry, "Subnet", ""), *gateway = json_str(entry, "Gateway", ""),
               *name;
    char clean[SUBNET_TEXT_MAX], address[IP_TEXT_MAX];
    struct subnet s;
    json_t *value;
    int r;

    if (subnet_parse(text, false, &s) < 0 || s.prefix == 0)
        return err_set(
            err, EINVAL,
            "invalid subnet %s: an address and the length of its prefix, as 172.28.0.0/16", text);
    r = check_subnet(&s, text, err);
    if (!r)
        r = check_overlap(taken, &s, err);
    if (!r)
        r = check_range(&s, json_str(entry, "IPRange", ""), err);
    if (!r && *gateway)
        r = check_gateway(&s, gateway, err);
    json_object_foreach(json_object_get(entry, "AuxiliaryAddresses"), name, value) if (!r) r =
        check_inside(&s, "aux-address", json_string_value(value), err);
    if (r < 0)
        return r;
    json_put_str(entry, "Subnet", subnet_format(&s, clean));
    if (!*gateway) {
        struct ip first = ip_next(&s.base);

        json_put_str(entry, "Gateway", ip_format(&first, address));
    }
    return 0;
}

static json_t *entries_of(json_t *config)
{
    json_t *ipam = json_object_get(config, "IPAM"), *entries;

    if (!ipam) {
        ipam = json_object();
        json_put(config, "IPAM", ipam);
        json_put_str(ipam, "Driver", "default");
        json_put(ipam, "Options", json_null());
    }
    entries = json_object_get(ipam, "Config");
    if (!json_is_array(entries)) {
        entries = json_array();
        json_put(ipam, "Config", entries);
    }
    return entries;
}

static int add_entry(json_t *entries, const struct subnet *s)
{
    char text[SUBNET_TEXT_MAX];
    json_t *entry = json_object();

    json_put_str(entry, "Subnet", subnet_format(s, text));
    json_push(entries, entry);
    return 0;
}

/* What the user left to us: an IPv4 subnet of the pools, an IPv6 one that nobody else has. */
static int fill_subnets(json_t *config, json_t *entries, const struct net_subnets *taken,
                        struct err *err)
{
    bool four = false, six = false, want_six = json_flag(config, "EnableIPv6", false);
    struct subnet s;
    json_t *entry;
    size_t i;
    int r = 0;

    json_array_foreach(entries, i, entry)
    {
        bool is_six = strchr(json_str(entry, "Subnet", ""), ':') != NULL;

        if ((is_six && six) || (!is_six && four))
            return err_set(err, ENOTSUP,
                           "bridge driver doesn't support multiple subnets of one version");
        six |= is_six;
        four |= !is_six;
    }
    if (six && !want_six)
        return err_set(err, EINVAL, "an IPv6 subnet needs --ipv6");
    if (!four && json_flag(config, "EnableIPv4", true)) {
        r = net_pool_choose(taken, &s, err);
        if (!r)
            r = add_entry(entries, &s);
    }
    if (!r && want_six && !six) {
        r = net_pool_random6(&s, err);
        if (!r)
            r = add_entry(entries, &s);
    }
    return r;
}

/* IPv4 first, as docker has it: templates ask for entry 0. */
static void order_subnets(json_t *entries)
{
    json_t *first = json_array_get(entries, 0);

    if (json_array_size(entries) != 2 || !strchr(json_str(first, "Subnet", ""), ':'))
        return;
    json_array_append(entries, first);
    json_array_remove(entries, 0);
}

int network_check_driver(const json_t *config, struct err *err)
{
    const char *driver = json_str(config, "Driver", "bridge");

    if (!strcmp(driver, "bridge"))
        return 0;
    if (!strcmp(driver, "host") || !strcmp(driver, "null"))
        return err_set(err, EPERM, "only one instance of \"%s\" network is allowed", driver);
    return err_set(err, ENOENT, "plugin \"%s\" not found", driver);
}

/* icc=no must not mean yes, nor a binding with a slip of the pen all addresses. */
static int check_values(const json_t *options, struct err *err)
{
    static const char *const flags[] = {"com.docker.network.bridge.enable_icc",
                                        "com.docker.network.bridge.enable_ip_masquerade"};
    static const char binding[] = "com.docker.network.bridge.host_binding_ipv4";
    const char *text = json_string_value(json_object_get(options, binding));
    struct ip ip;
    bool unused;

    if (text && *text && (ip_parse(text, &ip) < 0 || ip.len != 4))
        return err_set(err, EINVAL, "failed to parse %s value: %s is no IPv4 address", binding,
                       text);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        text = json_string_value(json_object_get(options, flags[i]));
        if (text && *text && network_option_parse(text, &unused) < 0)
            return err_set(err, EINVAL, "failed to parse %s value: %s is neither true nor false",
                           flags[i], text);
    }
    return 0;
}

/* Two networks on one bridge would be one network. */
static int check_bridge(struct engine *e, const char *bridge, struct err *err)
{
    struct network_list networks;
    char theirs[LINK_NAME_MAX];
    int r = store_networks(e->store, &networks, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < networks.len && !r; i++) {
        network_bridge(&networks.items[i], theirs);
        if (!strcmp(theirs, bridge) && !strcmp(network_driver(&networks.items[i]), "bridge"))
            r = err_set(err, EADDRINUSE,
                        "conflicts with network %s (%s): networks have same bridge name",
                        networks.items[i].id, bridge);
    }
    network_list_free(&networks);
    return r;
}

static int check_options(struct engine *e, const json_t *config, struct err *err)
{
    const json_t *options = json_object_get(config, "Options");
    const char *mtu = json_string_value(json_object_get(options, "com.docker.network.driver.mtu"));
    const char *bridge =
        json_string_value(json_object_get(options, "com.docker.network.bridge.name"));
    unsigned long long value;

    if (mtu && (str_to_u64(mtu, &value) < 0 || value < 68 || value > 65535))
        return err_set(err, EINVAL, "invalid MTU '%s': a number from 68 to 65535", mtu);
    if (bridge && (!*bridge || strlen(bridge) > 15 || strpbrk(bridge, "/ :\t\n") ||
                   !strcmp(bridge, ".") || !strcmp(bridge, "..")))
        return err_set(err, EINVAL,
                       "invalid bridge name '%s': at most 15 characters, without / and :", bridge);
    if (bridge && check_bridge(e, bridge, err) < 0)
        return -err->code;
    return check_values(options, err);
}

int network_check_config(struct engine *e, const char *name, json_t *config, struct err *err)
{
    struct net_subnets taken = {0};
    json_t *entries = entries_of(config), *entry;
    size_t i;
    int r = check_options(e, config, err);

    if (!r && !json_flag(config, "EnableIPv4", true) && !json_flag(config, "EnableIPv6", false))
        r = err_set(err, EINVAL, "IPv4 or IPv6 must be enabled");
    if (!r)
        r = taken_subnets(e, &taken, err);
    if (!r) {
        json_put(config, "Configured", json_boolean(json_array_size(entries) > 0));
        r = fill_subnets(config, entries, &taken, err);
    }
    if (!r)
        order_subnets(entries);
    json_array_foreach(entries, i, entry) if (!r) r = check_entry(entry, &taken, err);
    free(taken.items);
    return r < 0 && r != -EEXIST ? err_wrap(err, "cannot create network %s", name) : r;
}
