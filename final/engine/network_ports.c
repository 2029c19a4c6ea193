/* network_ports.c - published ports: what was asked for becomes sockets that hold the host's ports.
 * Whoever has the socket has the port, so two that start at once cannot both get it, and no list
 * has to be kept right. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/network.h"

void port_sockets_close(struct port_sockets *s)
{
    for (size_t i = 0; i < s->len; i++)
        close_fd(&s->fds[i]);
    free(s->fds);
    *s = (struct port_sockets){0};
}

static void keep_socket(struct port_sockets *s, int fd)
{
    if (s->len == s->room) {
        s->room = s->room ? 2 * s->room : 8;
        s->fds = mem_grow(s->fds, s->room, sizeof *s->fds);
    }
    s->fds[s->len++] = fd;
}

/* "80/tcp" */
static int read_key(const char *key, struct net_port *ret, struct err *err)
{
    size_t n = strcspn(key, "/");
    cleanup_free char *number = str_copy_n(key, n);
    int proto = net_proto_number(key[n] ? key + n + 1 : "tcp");
    unsigned long long port;

    if (str_to_u64(number, &port) < 0 || port < 1 || port > 65535)
        return err_set(err, EINVAL, "invalid containerPort: %s", key);
    if (proto < 0)
        return err_set(err, EINVAL, "invalid proto: %s", key + n + (key[n] != 0));
    *ret = (struct net_port){.proto = (uint8_t)proto, .container = (uint16_t)port};
    return 0;
}

/* "", "8080", "8000-8010" */
static int read_host_port(const char *text, uint16_t *ret_first, uint16_t *ret_last,
                          struct err *err)
{
    size_t n = strcspn(text, "-");
    cleanup_free char *low = str_copy_n(text, n);
    unsigned long long first, last;

    *ret_first = *ret_last = 0;
    if (!*text || !strcmp(text, "0"))
        return 0;
    if (str_to_u64(low, &first) < 0 || str_to_u64(text[n] ? text + n + 1 : low, &last) < 0 ||
        last > 65535 || !first || last < first)
        return err_set(err, EINVAL, "invalid hostPort: %s", text);
    *ret_first = (uint16_t)first;
    *ret_last = (uint16_t)last;
    return 0;
}

struct request {
    struct engine *e;
    const struct container *c;
    const char *default_ip; /* of the network: where a port is bound when nobody says */
    json_t *ports;
    struct port_sockets *sockets;
    uint16_t next; /* where the search for a random port goes on; 0: at the range's beginning */
};

static void record(struct request *request, const struct net_port *port, bool has_socket)
{
    json_t *item = json_object();
    char ip[IP_TEXT_MAX];

    json_put_str(item, "Proto", net_proto_name(port->proto));
    json_put(item, "Container", json_integer(port->container));
    json_put(item, "Host", json_integer(port->host));
    json_put_str(item, "HostIP", ip_format(&port->host_ip, ip));
    json_put(item, "Socket", json_boolean(has_socket));
    json_push(request->ports, item);
}

static bool is_among(const json_t *published, const struct net_port *port)
{
    struct err ignored;
    bool found = false;
    json_t *item;
    size_t i;

    json_array_foreach(published, i, item)
    {
        struct net_port other;

        if (!net_port_read(item, &other, &ignored))
            found |= other.host == port->host && other.proto == port->proto;
    }
    return found;
}

/* Whether another container of ours has it, or this one asked for it twice: docker's words for that
 * are another than for a stranger's program. */
static bool held_by_container(struct request *request, const struct net_port *port)
{
    bool held = is_among(request->ports, port);
    struct endpoint_list endpoints;
    struct err ignored;

    if (held || store_endpoints(request->e->store, NULL, NULL, &endpoints, &ignored) < 0)
        return held;
    for (size_t i = 0; i < endpoints.len; i++)
        if (strcmp(endpoints.items[i].container, request->c->id))
            held |= is_among(json_object_get(endpoints.items[i].config, "Published"), port);
    endpoint_list_free(&endpoints);
    return held;
}

static int port_taken(struct request *request, const struct net_port *port, struct err *err)
{
    char ip[IP_TEXT_MAX];

    ip_format(&port->host_ip, ip);
    if (held_by_container(request, port))
        return err_set(err, EADDRINUSE,
                       "driver failed programming external connectivity on endpoint %s: Bind for "
                       "%s:%u failed: port is "
                       "already allocated",
                       request->c->name, ip, port->host);
    return err_set(err, EADDRINUSE,
                   "driver failed programming external connectivity on endpoint %s: failed to bind "
                   "host port for "
                   "%s:%u/%s: address already in use (by another program: ss -lntup shows which)",
                   request->c->name, ip, port->host, net_proto_name(port->proto));
}

/* All addresses or none. -EADDRINUSE without a message. */
static int open_all(struct request *request, struct net_port *ports, size_t count, struct err *err)
{
    int fds[2] = {-1, -1}, r = 0;

    for (size_t i = 0; i < count && r >= 0; i++) {
        fds[i] = r = net_port_open(&ports[i], err);
        if (r == -EPROTONOSUPPORT) /* no IPv6 on this host, or no SCTP in this kernel: rules only */
            r = i || ports[i].proto == IPPROTO_SCTP
                    ? 0
                    : err_set(err, EPROTONOSUPPORT,
                              "cannot publish port %u/%s: "
                              "this kernel has no such protocol",
                              ports[i].host, net_proto_name(ports[i].proto));
    }
    for (size_t i = 0; i < count; i++) {
        if (r < 0) {
            close_fd(&fds[i]);
            continue;
        }
        if (fds[i] >= 0)
            keep_socket(request->sockets, fds[i]);
        record(request, &ports[i], fds[i] >= 0);
    }
    return r < 0 ? r : 0;
}

/* The first port from `first` to `last` that is free on all addresses. */
static int open_first(struct request *request, struct net_port *ports, size_t count, unsigned first,
                      unsigned last, struct err *err)
{
    int r = -EADDRINUSE;

    for (unsigned host = first; host <= last && r == -EADDRINUSE; host++) {
        for (size_t i = 0; i < count; i++)
            ports[i].host = (uint16_t)host;
        r = open_all(request, ports, count, err);
    }
    return r;
}

/* A free port of the host's range for those. The search goes on behind the last one found: from
 * the beginning again, a thousand ports would cost half a million attempts. */
static int open_random(struct request *request, struct net_port *ports, size_t count,
                       struct err *err)
{
    uint16_t first, last, begin;
    int r;

    net_port_range(&first, &last);
    begin = request->next > first && request->next <= last ? request->next : first;
    r = open_first(request, ports, count, begin, last, err);
    if (r == -EADDRINUSE && begin > first)
        r = open_first(request, ports, count, first, begin - 1U, err);
    if (r == -EADDRINUSE)
        return err_set(err, EADDRINUSE, "all ports are allocated: none of %u to %u is free", first,
                       last);
    request->next = (uint16_t)(ports[0].host + 1U);
    return r;
}

/* One port of the container: the first of its range of host ports that is free. */
static int open_port(struct request *request, const struct net_port *port, const char *host_ip,
                     uint16_t first, uint16_t last, struct err *err)
{
    bool any = !*host_ip;
    struct net_port ports[2] = {*port, *port};
    int r;

    if (ip_parse(any ? request->default_ip : host_ip, &ports[0].host_ip) < 0)
        return err_set(err, EINVAL, "invalid IP address: %s", host_ip);
    any = any && ports[0].host_ip.len == 4 && ip_is_unspecified(&ports[0].host_ip);
    ports[1].host_ip = (struct ip){.len = 16};
    if (!first)
        return open_random(request, ports, any ? 2 : 1, err);
    r = open_first(request, ports, any ? 2 : 1, first, last, err);
    return r == -EADDRINUSE ? port_taken(request, &ports[0], err) : r;
}

static int open_bindings(struct request *request, const char *key, const json_t *bindings,
                         struct err *err)
{
    struct net_port port;
    json_t *binding;
    size_t i;
    int r = read_key(key, &port, err);

    json_array_foreach(bindings, i, binding)
    {
        uint16_t first, last;

        if (!r)
            r = read_host_port(json_str(binding, "HostPort", ""), &first, &last, err);
        if (!r)
            r = open_port(request, &port, json_str(binding, "HostIp", ""), first, last, err);
    }
    return r;
}

static int open_exposed(struct request *request, const char *key, struct err *err)
{
    struct net_port port;
    int r = read_key(key, &port, err);

    return r < 0 ? r : open_port(request, &port, "", 0, 0, err);
}

int ports_open(struct engine *e, const struct container *c, const struct network *gateway,
               json_t **ret_ports, struct port_sockets *ret, struct err *err)
{
    const json_t *options = gateway ? json_object_get(gateway->config, "Options") : NULL;
    const char *bound =
        json_string_value(json_object_get(options, "com.docker.network.bridge.host_binding_ipv4"));
    json_t *bindings = json_at(c->config, "HostConfig.PortBindings"), *value;
    struct request request = {e, c, bound && *bound ? bound : "0.0.0.0", json_array(), ret, 0};
    const char *key;
    int r = 0;

    if (gateway)
        json_object_foreach(bindings, key, value) if (!r) r =
            open_bindings(&request, key, value, err);
    if (gateway && json_flag(c->config, "HostConfig.PublishAllPorts", false))
        json_object_foreach(json_at(c->config, "Config.ExposedPorts"), key,
                            value) if (!r && !json_object_get(bindings, key)) r =
            open_exposed(&request, key, err);
    if (r < 0) {
        json_decref(request.ports);
        port_sockets_close(ret);
        return r;
    }
    *ret_ports = request.ports;
    return 0;
}

int ports_check(const json_t *config, const json_t *host, struct err *err)
{
    json_t *value, *binding;
    struct net_port port;
    const char *key;
    size_t i;
    int r = 0;

    json_object_foreach(json_object_get(config, "ExposedPorts"), key, value) if (!r) r =
        read_key(key, &port, err);
    json_object_foreach(json_object_get(host, "PortBindings"), key, value)
    {
        if (!r)
            r = read_key(key, &port, err);
        json_array_foreach(value, i, binding)
        {
            uint16_t first, last;
            struct ip ip;

            if (!r)
                r = read_host_port(json_str(binding, "HostPort", ""), &first, &last, err);
            if (!r && *json_str(binding, "HostIp", "") &&
                ip_parse(json_str(binding, "HostIp", ""), &ip) < 0)
                r = err_set(err, EINVAL, "invalid IP address: %s", json_str(binding, "HostIp", ""));
        }
    }
    return r;
}
