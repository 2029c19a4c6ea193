/* --network, -p and their relatives, as docker's HostConfig and NetworkingConfig. --network is a
 * name, or a list of fields ("name=net1,alias=web,ip=10.1.0.5") that say for one network what
 * --network-alias, --ip and so on say for the first. */
#include <string.h>

#include "base/cleanup.h"
#include "base/ip.h"
#include "base/json.h"
#include "cli/run_options.h"
#include "cli/values.h"

/* --- ports ----------------------------------------------------------------------------------- */

struct range {
    unsigned long long first, last;
};

/* "80", "80-82"; "" is 0. False for what is none. */
static bool parse_range(const char *text, struct range *ret)
{
    size_t n = strcspn(text, "-");
    cleanup_free char *low = str_copy_n(text, n);

    *ret = (struct range){0, 0};
    if (!*text)
        return true;
    return !str_to_u64(low, &ret->first) && !str_to_u64(text[n] ? text + n + 1 : low, &ret->last) &&
           ret->first <= ret->last && ret->last <= 65535;
}

/* Splits "80/udp"; the protocol in lower case, "tcp" when there is none. */
static int split_protocol(const char *text, char **ret_port, char **ret_proto, struct err *err)
{
    size_t n = strcspn(text, "/");
    char *proto = str_copy(text[n] && text[n + 1] ? text + n + 1 : "tcp"); /* "80/" too */

    for (char *p = proto; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + 32);
    if (strcmp(proto, "tcp") && strcmp(proto, "udp") && strcmp(proto, "sctp")) {
        err_set(err, EINVAL, "invalid proto: %s", proto);
        free(proto);
        return -err->code;
    }
    *ret_port = str_copy_n(text, n);
    *ret_proto = proto;
    return 0;
}

static void expose(json_t *config, unsigned long long port, const char *proto)
{
    cleanup_free char *key = str_format("%llu/%s", port, proto);
    json_t *exposed = json_object_get(config, "ExposedPorts");

    if (!json_is_object(exposed)) {
        exposed = json_object();
        json_put(config, "ExposedPorts", exposed);
    }
    json_put(exposed, key, json_object());
}

static int put_expose(const struct options *o, json_t *config, struct err *err)
{
    const struct strv *given = options_list(o, "expose");

    for (size_t i = 0; i < given->len; i++) {
        cleanup_free char *port = NULL, *proto = NULL;
        struct range range;

        if (split_protocol(given->items[i], &port, &proto, err) < 0)
            return -err->code;
        if (!parse_range(port, &range) || !range.first)
            return err_set(err, EINVAL, "invalid range format for --expose: %s", given->items[i]);
        for (unsigned long long p = range.first; p <= range.last; p++)
            expose(config, p, proto);
    }
    return 0;
}

static void bind_port(json_t *bindings, unsigned long long port, const char *proto, const char *ip,
                      const char *host)
{
    cleanup_free char *key = str_format("%llu/%s", port, proto);
    json_t *list = json_object_get(bindings, key), *binding = json_object();

    if (!list) {
        list = json_array();
        json_put(bindings, key, list);
    }
    json_put_str(binding, "HostIp", ip);
    json_put_str(binding, "HostPort", host);
    json_push(list, binding);
}

/* Cuts "[ip:][host:]container" into three; the address of version 6 stands in brackets. */
static int split_publish(char *text, const char **ret_ip, const char **ret_host,
                         const char **ret_container, struct err *err)
{
    char *last = strrchr(text, ':'), *middle;

    *ret_ip = *ret_host = "";
    *ret_container = last ? last + 1 : text;
    if (!last)
        return 0;
    *last = 0;
    middle =
        *text == '[' && strchr(text, ']') ? strchr(strchr(text, ']'), ':') : strrchr(text, ':');
    *ret_host = middle ? middle + 1 : text;
    if (!middle)
        return 0;
    *middle = 0;
    *ret_ip = text;
    if (*text == '[') {
        size_t len = strlen(text);

        if (text[len - 1] != ']')
            return err_set(err, EINVAL, "invalid IP address: %s", text);
        text[len - 1] = 0;
        *ret_ip = text + 1;
    }
    return 0;
}

static int publish(const char *spec, json_t *config, json_t *bindings, struct err *err)
{
    cleanup_free char *front = NULL, *proto = NULL;
    const char *ip, *host, *container;
    struct range hosts, ports;
    struct ip address;

    if (split_protocol(spec, &front, &proto, err) < 0 ||
        split_publish(front, &ip, &host, &container, err) < 0)
        return -err->code;
    if (*ip && ip_parse(ip, &address) < 0)
        return err_set(err, EINVAL, "invalid IP address: %s", ip);
    if (!*container)
        return err_set(err, EINVAL, "no port specified: %s<empty>", spec);
    if (!parse_range(container, &ports) || !ports.first)
        return err_set(err, EINVAL, "invalid containerPort: %s", container);
    if (!parse_range(host, &hosts))
        return err_set(err, EINVAL, "invalid hostPort: %s", host);
    if (hosts.first && ports.first != ports.last &&
        hosts.last - hosts.first != ports.last - ports.first)
        return err_set(err, EINVAL,
                       "invalid ranges specified for container and host Ports: %s and %s",
                       container, host);
    for (unsigned long long p = ports.first; p <= ports.last; p++) {
        cleanup_free char *one = str_format("%llu", hosts.first + (p - ports.first));

        expose(config, p, proto);
        /* A range for one port leaves the choice; for as many ports it is one for each. */
        bind_port(bindings, p, proto, ip,
                  !hosts.first                ? ""
                  : ports.first == ports.last ? host
                                              : one);
    }
    return 0;
}

static int put_ports(const struct options *o, json_t *config, json_t *host, struct err *err)
{
    const struct strv *given = options_list(o, "publish");
    json_t *bindings = json_object();

    json_put(host, "PortBindings", bindings);
    json_put(host, "PublishAllPorts", json_boolean(options_flag(o, "publish-all")));
    if (put_expose(o, config, err) < 0)
        return -err->code;
    for (size_t i = 0; i < given->len; i++)
        if (publish(given->items[i], config, bindings, err) < 0)
            return -err->code;
    return 0;
}

/* --- networks -------------------------------------------------------------------------------- */

static json_t *ipam_of(json_t *wish)
{
    json_t *ipam = json_object_get(wish, "IPAMConfig");

    if (!ipam) {
        ipam = json_object();
        json_put(wish, "IPAMConfig", ipam);
    }
    return ipam;
}

static void add_to(json_t *object, const char *member, const char *value)
{
    json_t *list = json_object_get(object, member);

    if (!list) {
        list = json_array();
        json_put(object, member, list);
    }
    json_push(list, json_string(value));
}

static int put_address(json_t *wish, const char *member, const char *text, bool six,
                       struct err *err)
{
    struct ip ip;

    if (ip_parse(text, &ip) < 0 || (ip.len == 16) != six)
        return err_set(err, EINVAL, "invalid IPv%d address: %s", six ? 6 : 4, text);
    json_put_str(ipam_of(wish), member, text);
    return 0;
}

int run_network_field(json_t *wish, const char *key, const char *value, struct err *err)
{
    long long number;

    if (!strcmp(key, "alias"))
        add_to(wish, "Aliases", value);
    else if (!strcmp(key, "ip"))
        return put_address(wish, "IPv4Address", value, false, err);
    else if (!strcmp(key, "ip6"))
        return put_address(wish, "IPv6Address", value, true, err);
    else if (!strcmp(key, "link-local-ip"))
        add_to(ipam_of(wish), "LinkLocalIPs", value);
    else if (!strcmp(key, "mac-address"))
        json_put_str(wish, "MacAddress", value);
    else if (!strcmp(key, "link"))
        add_to(wish, "Links", value);
    else if (!strcmp(key, "driver-opt")) {
        if (!strchr(value, '='))
            return err_set(err, EINVAL, "invalid key value pair format in driver options: %s",
                           value);
        if (!json_object_get(wish, "DriverOpts"))
            json_put(wish, "DriverOpts", json_object());
        value_add_pair(json_object_get(wish, "DriverOpts"), value);
    } else if (!strcmp(key, "gw-priority")) {
        if (str_to_i64(value, &number) < 0)
            return err_set(err, EINVAL, "invalid gw-priority: %s", value);
        json_put(wish, "GwPriority", json_integer(number));
    } else {
        return err_set(err, EINVAL, "invalid field key %s", key);
    }
    return 0;
}

/* "net1", or "name=net1,alias=a,...": one entry of EndpointsConfig. */
static int add_network(const char *spec, json_t *networks, struct err *err)
{
    cleanup_strv struct strv fields = {0};
    cleanup_json json_t *wish = json_object();
    const char *name = spec;

    if (strchr(spec, '=')) {
        name = "";
        strv_split(&fields, spec, ',');
    }
    for (size_t i = 0; i < fields.len; i++) {
        char *value = strchr(fields.items[i], '=');

        if (!value)
            return err_set(err, EINVAL, "invalid field %s", fields.items[i]);
        *value++ = 0;
        if (!strcmp(fields.items[i], "name"))
            name = value;
        else if (run_network_field(wish, fields.items[i], value, err) < 0)
            return -err->code;
    }
    if (!*name)
        return err_set(err, EINVAL, "network name/id is not specified");
    if (!strcmp(name, "default"))
        name = "bridge";
    if (json_object_get(networks, name))
        return err_set(err, EINVAL, "network \"%s\" is specified multiple times", name);
    json_object_set(networks, name, wish);
    return 0;
}

static int put_first_flag(const struct strv *given, const char *field, json_t *wish,
                          struct err *err)
{
    for (size_t i = 0; i < given->len; i++)
        if (run_network_field(wish, field, given->items[i], err) < 0)
            return -err->code;
    return 0;
}

/* What --ip and its like say is said for the first network, unless its own fields say it. */
static int put_first(const struct options *o, json_t *networks, struct err *err)
{
    static const struct {
        const char *flag, *field, *member, *shown;
    } flags[] = {
        {"network-alias", "alias", "Aliases", "alias"},
        {"ip", "ip", "IPAMConfig.IPv4Address", "IPv4 address"},
        {"ip6", "ip6", "IPAMConfig.IPv6Address", "IPv6 address"},
        {"mac-address", "mac-address", "MacAddress", "MAC address"},
        {"link-local-ip", "link-local-ip", "IPAMConfig.LinkLocalIPs", "link-local IP addresses"}};

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        const struct strv *given = options_list(o, flags[i].flag);
        json_t *wish;

        if (!given->len)
            continue;
        if (!json_object_size(networks))
            json_put(networks, "bridge", json_object());
        wish = json_object_iter_value(json_object_iter(networks));
        if (json_at(wish, flags[i].member))
            return err_set(err, EINVAL,
                           "conflicting options: cannot specify both --%s and per-network %s",
                           flags[i].flag, flags[i].shown);
        if (put_first_flag(given, flags[i].field, wish, err) < 0)
            return -err->code;
    }
    return 0;
}

/* Another container's network is taken as it is. */
static int check_shared(const struct options *o, struct err *err)
{
    static const char addresses[] =
        "user specified IP address is supported on user defined networks only";
    static const char *const flags[][2] = {
        {"mac-address", "conflicting options: mac-address and the network mode"},
        {"network-alias", "network-scoped aliases are only supported for user-defined networks"},
        {"ip", addresses},
        {"ip6", addresses},
        {"link-local-ip", addresses}};

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (options_list(o, flags[i][0])->len)
            return err_set(err, EINVAL, "%s", flags[i][1]);
    return 0;
}

static int put_networks(const struct options *o, json_t *host, json_t *networks, struct err *err)
{
    const struct strv *given = options_list(o, "network");
    const char *first = given->len ? given->items[0] : "bridge";

    if (str_starts(first, "container:")) {
        if (given->len > 1)
            return err_set(
                err, EINVAL,
                "conflicting options: cannot attach both user-defined and non-user-defined "
                "network-modes");
        if (!first[strlen("container:")])
            return err_set(err, EINVAL, "invalid container format container:<name|id>");
        json_put_str(host, "NetworkMode", first);
        return check_shared(o, err);
    }
    for (size_t i = 0; i < given->len; i++)
        if (add_network(given->items[i], networks, err) < 0)
            return -err->code;
    if (put_first(o, networks, err) < 0)
        return -err->code;
    json_put_str(host, "NetworkMode",
                 json_object_size(networks) ? json_object_iter_key(json_object_iter(networks))
                                            : "bridge");
    return 0;
}

int run_network_build(const struct options *o, json_t *config, json_t *host, json_t *networks,
                      struct err *err)
{
    static const char *const lists[][2] = {{"dns", "Dns"},
                                           {"dns-search", "DnsSearch"},
                                           {"dns-option", "DnsOptions"},
                                           {"link", "Links"}};

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const struct strv *given = options_list(o, lists[i][0]);

        json_put(host, lists[i][1], given->len || i < 3 ? json_from_strings(given) : json_null());
    }
    if (put_ports(o, config, host, err) < 0)
        return -err->code;
    return put_networks(o, host, networks, err);
}
