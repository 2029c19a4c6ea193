/* network_create.c - networks made, shown and removed. */
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/proc.h"
#include "engine/network.h"

static bool name_fits(const char *name)
{
    return *name &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
               strlen(name) &&
           *name != '.' && *name != '-' && *name != '_' && strlen(name) <= 200;
}

static int reserve(struct engine *e, const struct network *n, const char *text, struct err *err)
{
    struct ip ip;
    int r;

    if (!text || ip_parse(text, &ip) < 0)
        return 0;
    r = store_address_reserve(e->store, n->id, &ip, err);
    return r == -EADDRINUSE ? err_set(err, EADDRINUSE, "address %s is given twice", text) : r;
}

/* The gateway and what the user keeps for devices that are not containers. */
static int reserve_all(struct engine *e, const struct network *n, struct err *err)
{
    json_t *entry, *value;
    const char *name;
    size_t i;
    int r = 0;

    json_array_foreach(json_at(n->config, "IPAM.Config"), i, entry)
    {
        r = reserve(e, n, json_str(entry, "Gateway", NULL), err);
        json_object_foreach(json_object_get(entry, "AuxiliaryAddresses"), name, value) if (!r) r =
            reserve(e, n, json_string_value(value), err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The check and the record are one transaction: two commands that ask for one subnet, or for any,
 * do not both get it. */
int engine_network_record(struct engine *e, struct network *n, struct err *err)
{
    int r = store_begin(e->store, err);

    if (r < 0)
        return r;
    r = strcmp(network_driver(n), "bridge") ? 0 : network_check_config(e, n->name, n->config, err);
    if (r >= 0)
        r = store_network_add(e->store, n, err);
    if (r >= 0)
        r = reserve_all(e, n, err);
    return store_end(e->store, r, err);
}

/* The name may be that of a network whose maker was killed before it was one. */
static int record_new(struct engine *e, struct network *n, struct err *err)
{
    struct network holder;
    struct err ignored;
    int r = engine_network_record(e, n, err);

    if (r != -EEXIST || store_network_find(e->store, n->name, &holder, &ignored) < 0)
        return r;
    if (network_half_made(&holder) && network_unmake(e, &holder, &ignored) >= 0)
        r = engine_network_record(e, n, err);
    network_free(&holder);
    return r;
}

static int make_new(struct engine *e, struct network *n, struct err *err)
{
    char bridge[LINK_NAME_MAX];
    struct proc_id self;
    int r = id_generate(n->id, err);

    if (!r)
        r = proc_identify_self(&self, err);
    if (r < 0)
        return r;
    network_bridge(n, bridge);
    json_put(n->config, "ForeignBridge", json_boolean(net_link_exists(bridge)));
    json_put(n->config, "Maker", json_integer(self.pid));
    json_put(n->config, "MakerStart", json_integer((json_int_t)self.start));
    r = record_new(e, n, err);
    if (r < 0)
        return r;
    r = network_make(e, n, err);
    if (r < 0) {
        struct err ignored;

        network_unmake(e, n, &ignored);
    }
    return r;
}

int engine_network_create(struct engine *e, const char *name, json_t *config, char ret_id[65],
                          struct err *err)
{
    struct network n = {
        .name = str_copy(name), .created_ns = clock_now(), .config = json_incref(config)};
    int r = 0;

    if (!name_fits(name))
        r = err_set(err, EINVAL,
                    "invalid network name: %s: only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name);
    if (!r &&
        (network_is_predefined(name) || !strcmp(name, "default"))) /* `run`'s word for bridge */
        r = err_set(err, EPERM, "operation is not permitted on predefined %s network", name);
    if (!r) /* the default one chooses its subnet before all others, and has its bridge's name */
        r = networks_predefine(e, err);
    if (!r)
        r = network_check_driver(config, err);
    if (!r)
        r = make_new(e, &n, err);
    if (!r) {
        network_event(e, &n, NULL, "create");
        strcpy(ret_id, n.id);
    }
    network_free(&n);
    return r;
}

int engine_network_find(struct engine *e, const char *name, struct network *ret, struct err *err)
{
    return network_find(e, name, ret, err);
}

int engine_networks(struct engine *e, struct network_list *ret, struct err *err)
{
    int r = networks_predefine(e, err);

    if (r ==
        -ENOSPC) { /* no subnet is left for the default one: the others can be seen and removed */
        err_clear(err);
        r = 0;
    }
    if (!r)
        r = networks_collect(e, err);
    return r < 0 ? r : store_networks(e->store, ret, err);
}

int engine_network_used(struct engine *e, const struct network *n, struct err *err)
{
    struct endpoint_list endpoints;
    int r = store_endpoints(e->store, NULL, n->id, &endpoints, err);

    if (r < 0)
        return r;
    r = endpoints.len > 0;
    endpoint_list_free(&endpoints);
    return r;
}

/* The bridge goes before the record: broken off in between, it is done again; or, should a
 * container come onto it, its rules are made again, because it is not ready any more. A bridge that
 * was there before the network stays: it is somebody else's. */
int network_unmake(struct engine *e, const struct network *n, struct err *err)
{
    cleanup_elements struct net_elements elements = {0};
    const struct net_place *place;
    char bridge[LINK_NAME_MAX];
    int r = network_place(e, &place, err);

    if (!r)
        r = store_network_ready(e->store, n->id, false, err);
    if (r < 0)
        return r;
    network_bridge(n, bridge);
    net_network_elements(bridge, json_flag(n->config, "Internal", false),
                         network_option(n, "com.docker.network.bridge.enable_ip_masquerade", true),
                         &elements);
    r = net_rules_remove(place, &elements, err);
    if (!r && !json_flag(n->config, "ForeignBridge", false))
        r = net_link_remove(bridge, err);
    return r < 0 ? r : store_network_remove(e->store, n->id, err);
}

int engine_network_remove(struct engine *e, const struct network *n, struct err *err)
{
    int r;

    if (network_is_predefined(n->name))
        return err_set(err, EPERM, "%s is a pre-defined network and cannot be removed", n->name);
    r = networks_collect(e, err);
    if (!r)
        r = engine_network_used(e, n, err);
    if (r > 0)
        return err_set(err, EBUSY,
                       "error while removing network: network %s id %s has active endpoints",
                       n->name, n->id);
    if (!r)
        r = network_unmake(e, n, err);
    if (r == -EBUSY) /* a container came between */
        return err_set(err, EBUSY,
                       "error while removing network: network %s id %s has active endpoints",
                       n->name, n->id);
    if (r >= 0)
        network_event(e, n, NULL, "destroy");
    return r < 0 ? r : 0;
}

/* --- inspect --------------------------------------------------------------------------------- */

static void put_copy(json_t *document, const char *name, const json_t *config, json_t *otherwise)
{
    json_t *value = json_object_get(config, name);

    if (value && !json_is_null(value))
        json_object_set(document, name, value);
    else
        json_object_set(document, name, otherwise);
    json_decref(otherwise);
}

static void put_with_prefix(json_t *object, const char *name, const char *address, long long prefix)
{
    cleanup_free char *text = *address ? str_format("%s/%lld", address, prefix) : str_copy("");

    json_put_str(object, name, text);
}

static json_t *containers_of(struct engine *e, const struct network *n, struct err *err)
{
    struct endpoint_list endpoints;
    json_t *list = json_object();

    if (store_endpoints(e->store, NULL, n->id, &endpoints, err) < 0) {
        json_decref(list);
        return NULL;
    }
    for (size_t i = 0; i < endpoints.len; i++) {
        const json_t *config = endpoints.items[i].config;
        json_t *item = json_object();
        struct container c;

        if (!store_container_find(e->store, endpoints.items[i].container, &c, err)) {
            json_put_str(item, "Name", c.name);
            container_free(&c);
        }
        json_put_str(item, "EndpointID", json_str(config, "EndpointID", ""));
        json_put_str(item, "MacAddress", json_str(config, "MacAddress", ""));
        put_with_prefix(item, "IPv4Address", json_str(config, "IPAddress", ""),
                        json_int(config, "IPPrefixLen", 0));
        put_with_prefix(item, "IPv6Address", json_str(config, "GlobalIPv6Address", ""),
                        json_int(config, "GlobalIPv6PrefixLen", 0));
        json_put(list, endpoints.items[i].container, item);
    }
    endpoint_list_free(&endpoints);
    return list;
}

json_t *engine_inspect_network(struct engine *e, const struct network *n, struct err *err)
{
    json_t *document, *from, *containers = containers_of(e, n, err);
    char created[40];

    if (!containers)
        return NULL;
    document = json_object();
    clock_format(n->created_ns, created);
    json_put_str(document, "Name", n->name);
    json_put_str(document, "Id", n->id);
    json_put_str(document, "Created", created);
    json_put_str(document, "Scope", "local");
    json_put_str(document, "Driver", network_driver(n));
    put_copy(document, "EnableIPv4", n->config, json_true());
    put_copy(document, "EnableIPv6", n->config, json_false());
    put_copy(document, "IPAM", n->config,
             json_pack("{s:s,s:n,s:[]}", "Driver", "default", "Options", "Config"));
    put_copy(document, "Internal", n->config, json_false());
    put_copy(document, "Attachable", n->config, json_false());
    json_put(document, "Ingress", json_false());
    from = json_object();
    json_put_str(from, "Network", "");
    json_put(document, "ConfigFrom", from);
    json_put(document, "ConfigOnly", json_false());
    json_put(document, "Containers", containers);
    put_copy(document, "Options", n->config, json_object());
    put_copy(document, "Labels", n->config, json_object());
    return document;
}
