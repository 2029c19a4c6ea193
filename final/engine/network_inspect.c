/* network_inspect.c - NetworkSettings of inspect, and the ports of ps and port. */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/network.h"

static const char *const addresses[] = {"EndpointID",          "Gateway",     "IPAddress",
                                        "IPPrefixLen",         "IPv6Gateway", "GlobalIPv6Address",
                                        "GlobalIPv6PrefixLen", "MacAddress"};

/* The endpoint's docker members; ours are nobody's business. */
static json_t *endpoint_document(const json_t *endpoint)
{
    static const char *const others[] = {"IPAMConfig", "Links",      "Aliases",
                                         "DriverOpts", "GwPriority", "NetworkID"};
    json_t *given = json_object(), *document, *names = json_object_get(endpoint, "Names");

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (json_object_get(endpoint, others[i]) &&
            !json_is_null(json_object_get(endpoint, others[i])))
            json_object_set(given, others[i], json_object_get(endpoint, others[i]));
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
        if (json_object_get(endpoint, addresses[i]))
            json_object_set(given, addresses[i], json_object_get(endpoint, addresses[i]));
    if (json_array_size(names))
        json_object_set(given, "DNSNames", names);
    document = inspect_complete("Endpoint", given);
    json_decref(given);
    return document;
}

/* What it will be on when it starts, or is on without an endpoint (host, none). */
static void put_wishes(json_t *networks, const struct container *c)
{
    json_t *wishes = json_at(c->config, "NetworkingConfig.EndpointsConfig"), *wish;
    const char *mode = json_str(c->config, "HostConfig.NetworkMode", NETWORK_DEFAULT), *name;

    json_object_foreach(wishes, name, wish) json_put(networks, name, endpoint_document(wish));
    if (!json_object_size(wishes) && !str_starts(mode, "container:"))
        json_put(networks, mode, endpoint_document(NULL));
}

static void add_binding(json_t *ports, const char *key, const json_t *port)
{
    json_t *list = json_object_get(ports, key), *binding = json_object();
    cleanup_free char *number = str_format("%lld", json_int(port, "Host", 0));

    if (!json_is_array(list)) {
        list = json_array();
        json_put(ports, key, list);
    }
    json_put_str(binding, "HostIp", json_str(port, "HostIP", ""));
    json_put_str(binding, "HostPort", number);
    json_push(list, binding);
}

static json_t *ports_document(const struct container *c, const struct endpoint_list *endpoints)
{
    json_t *ports = json_object(), *value, *port;
    const char *key;
    size_t k;

    if (!container_running(c) ||
        str_starts(json_str(c->config, "HostConfig.NetworkMode", ""), "host"))
        return ports;
    json_object_foreach(json_at(c->config, "Config.ExposedPorts"), key, value)
        json_put(ports, key, json_null());
    for (size_t i = 0; i < endpoints->len; i++)
        json_array_foreach(json_object_get(endpoints->items[i].config, "Published"), k, port)
        {
            cleanup_free char *name =
                str_format("%lld/%s", json_int(port, "Container", 0), json_str(port, "Proto", ""));

            add_binding(ports, name, port);
        }
    return ports;
}

json_t *engine_container_ports(struct engine *e, const struct container *c, struct err *err)
{
    struct endpoint_list endpoints = {0};
    json_t *ports;

    /* Most have none to publish: `ps` asks no records for them. */
    if ((json_object_size(json_at(c->config, "Config.ExposedPorts")) ||
         json_object_size(json_at(c->config, "HostConfig.PortBindings"))) &&
        store_endpoints(e->store, c->id, NULL, &endpoints, err) < 0)
        return NULL;
    ports = ports_document(c, &endpoints);
    endpoint_list_free(&endpoints);
    return ports;
}

/* Before there were many networks, inspect had one place for the one there was: the default bridge
 * still fills it. */
static void put_legacy(json_t *settings, const json_t *endpoint)
{
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
        if (json_object_get(endpoint, addresses[i]))
            json_object_set(settings, addresses[i], json_object_get(endpoint, addresses[i]));
}

int inspect_network_settings(struct engine *e, const struct container *c, json_t *document,
                             struct err *err)
{
    struct endpoint_list endpoints = {0};
    json_t *settings, *networks;
    int r = store_endpoints(e->store, c->id, NULL, &endpoints, err);
    cleanup_free char *sandbox =
        container_running(c) ? str_format("/proc/%d/ns/net", (int)c->init.pid) : str_copy("");

    if (r < 0)
        return r;
    settings = inspect_complete("NetworkSettings", NULL);
    networks = json_object();
    json_put_str(settings, "SandboxKey", sandbox);
    if (container_running(c))
        json_put_str(settings, "SandboxID", c->id);
    json_put(settings, "Ports", ports_document(c, &endpoints));
    for (size_t i = 0; i < endpoints.len && container_running(c); i++) {
        const json_t *endpoint = endpoints.items[i].config;

        json_put(networks, json_str(endpoint, "Network", ""), endpoint_document(endpoint));
        if (!strcmp(json_str(endpoint, "Network", ""), NETWORK_DEFAULT))
            put_legacy(settings, endpoint);
    }
    if (!json_object_size(networks))
        put_wishes(networks, c);
    json_put(settings, "Networks", networks);
    json_put(document, "NetworkSettings", settings);
    endpoint_list_free(&endpoints);
    return 0;
}
