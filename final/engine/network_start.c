/* network_start.c - a start's networks, from the container's wishes to what the shim needs to know.
 *
 * The order: addresses (a transaction, so that nobody else has them), bridges, ports, the plan on
 * disk, rules. From the first record on, whoever finds this process dead can take it all back. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/netns.h"
#include "engine/network.h"
#include "engine/shim/shim.h"

#define PLAN "network.json"

void network_start_free(struct network_start *s)
{
    json_decref(s->plan);
    s->plan = NULL;
    port_sockets_close(&s->sockets);
    close_fd(&s->netns);
    close_fd(&s->rules);
}

const char *network_of_container(const json_t *host)
{
    const char *mode = json_str(host, "NetworkMode", "");

    return str_starts(mode, "container:") ? mode + strlen("container:") : NULL;
}

/* --- at creation ----------------------------------------------------------------------------- */

static int check_shared(struct engine *e, json_t *config, json_t *host, struct err *err)
{
    static const struct {
        const char *member, *text;
    } conflicts[] = {{"PortBindings", "port publishing and the container type network mode"},
                     {"Dns", "dns and the network mode"},
                     {"ExtraHosts", "custom host-to-IP mapping and the network mode"},
                     {"Links", "container type network can't be used with links. This would "
                               "result in undefined behavior"}};
    cleanup_free char *mode = NULL;
    struct container other;
    int r;

    for (size_t i = 0; i < sizeof conflicts / sizeof *conflicts; i++) {
        const json_t *value = json_object_get(host, conflicts[i].member);

        if (json_array_size(value) || json_object_size(value))
            return err_set(err, EINVAL, "conflicting options: %s", conflicts[i].text);
    }
    if (*json_str(config, "Hostname", ""))
        return err_set(err, EINVAL, "conflicting options: hostname and the network mode");
    r = engine_find(e, network_of_container(host), &other, err);
    if (r < 0)
        return r;
    mode = str_format("container:%s", other.id);
    json_put_str(host, "NetworkMode", mode);
    json_put_str(config, "Hostname", json_str(other.config, "Config.Hostname", ""));
    container_free(&other);
    return 0;
}

/* What nobody can have on a network that is not of the user's own: said now, not at the start. */
static int check_predefined(const char *name, const json_t *wish, const json_t *host,
                            struct err *err)
{
    const json_t *ipam = json_object_get(wish, "IPAMConfig");
    bool bridge = !strcmp(name, NETWORK_DEFAULT);

    if (json_array_size(json_object_get(wish, "Aliases")))
        return err_set(err, EINVAL,
                       "invalid endpoint settings: network-scoped alias is supported only for "
                       "containers in user defined networks");
    if (*json_str(ipam, "IPv4Address", "") || *json_str(ipam, "IPv6Address", ""))
        return err_set(err, EINVAL,
                       "invalid endpoint settings: user specified IP address is supported on user "
                       "defined networks only");
    if (!bridge && *json_str(wish, "MacAddress", ""))
        return err_set(err, EINVAL, "conflicting options: mac-address and the network mode");
    if (!strcmp(name, "host") && json_array_size(json_object_get(host, "Links")))
        return err_set(err, EINVAL,
                       "conflicting options: host type networking can't be used with links. This "
                       "would result in undefined behavior");
    return 0;
}

void network_warnings(const json_t *host, struct strv *ret)
{
    if (!strcmp(json_str(host, "NetworkMode", ""), "host") &&
        json_object_size(json_object_get(host, "PortBindings")))
        strv_add(ret, "Published ports are discarded when using host network mode");
}

int network_check_request(struct engine *e, json_t *config, json_t *host, json_t *networks,
                          struct err *err)
{
    const char *mode = json_str(host, "NetworkMode", ""), *name;
    json_t *value;
    int r = ports_check(config, host, err);

    if (r < 0)
        return r;
    if (!*mode || !strcmp(mode, "default"))
        json_put_str(host, "NetworkMode", NETWORK_DEFAULT);
    if (network_of_container(host))
        return check_shared(e, config, host, err);
    json_object_foreach(networks, name, value)
    {
        bool alone = !strcmp(name, "host") || !strcmp(name, "none");
        struct network n;

        if (alone && json_object_size(networks) > 1)
            return err_set(
                err, EINVAL,
                "conflicting options: cannot attach both user-defined and non-user-defined "
                "network-modes");
        if (network_is_predefined(name)) { /* the hot path asks the database nothing here */
            r = check_predefined(name, value, host, err);
            if (r < 0)
                return r;
            continue;
        }
        r = network_find(e, name, &n, err);
        if (r < 0)
            return r;
        network_free(&n);
    }
    return links_check(e, json_object_get(host, "Links"), err);
}

/* --- endpoints ------------------------------------------------------------------------------- */

/* The networks a container is on, in order, each with what was said about it. */
static json_t *wishes_of(const struct container *c)
{
    json_t *wishes = json_at(c->config, "NetworkingConfig.EndpointsConfig");
    const char *mode = json_str(c->config, "HostConfig.NetworkMode", NETWORK_DEFAULT);

    if (json_object_size(wishes))
        return json_incref(wishes);
    wishes = json_object();
    json_put(wishes, *mode && strcmp(mode, "default") ? mode : NETWORK_DEFAULT, json_object());
    return wishes;
}

/* What the last run left, if its shim was killed and nobody has looked since, goes in the same
 * transaction. */
static int allocate(struct engine *e, const struct container *c, const struct network *networks,
                    const json_t *wishes, json_t **ret, struct err *err)
{
    cleanup_json json_t *endpoints = json_array();
    const char *name;
    json_t *wish;
    size_t i = 0;
    int r = store_begin(e->store, err);

    if (r < 0)
        return r;
    r = store_endpoints_release(e->store, c->id, NULL, err);
    json_object_foreach((json_t *)wishes, name, wish)
    {
        json_t *endpoint = NULL;

        if (!r)
            r = endpoint_allocate(e, c, &networks[i], wish, i, &endpoint, err);
        if (!r)
            json_push(endpoints, endpoint);
        i++;
    }
    r = store_end(e->store, r, err);
    if (!r)
        *ret = steal_ptr(&endpoints);
    return r;
}

/* Addresses may be held by containers that have ended and that nobody has looked at since: look,
 * and try again. */
static int allocate_endpoints(struct engine *e, const struct container *c,
                              const struct network *networks, const json_t *wishes, json_t **ret,
                              struct err *err)
{
    struct err ignored;
    int r = allocate(e, c, networks, wishes, ret, err);

    if (r != -ENOSPC && r != -EADDRINUSE)
        return r;
    if (networks_collect(e, &ignored) < 0)
        return r;
    return allocate(e, c, networks, wishes, ret, err);
}

static void free_networks(struct network *networks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        network_free(&networks[i]);
    free(networks);
}

static int find_networks(struct engine *e, const json_t *wishes, struct network **ret,
                         struct err *err)
{
    size_t count = json_object_size(wishes), i = 0;
    struct network *networks = mem_alloc((count + 1) * sizeof *networks);
    const char *name;
    json_t *wish;
    int r = 0;

    json_object_foreach((json_t *)wishes, name, wish)
    {
        if (!r)
            r = network_find(e, name, &networks[i], err);
        if (!r && strcmp(network_driver(&networks[i++]), "bridge"))
            r = err_set(err, EINVAL, "conflicting options: network %s can only be had alone", name);
    }
    if (r < 0) {
        free_networks(networks, count);
        return r;
    }
    *ret = networks;
    return 0;
}

static int make_networks(struct engine *e, const struct network *networks, size_t count,
                         struct err *err)
{
    int r = 0;

    for (size_t i = 0; i < count && !r; i++)
        r = network_make(e, &networks[i], err);
    return r;
}

/* --- rules ----------------------------------------------------------------------------------- */

/* A sender of datagrams that began before the port was published has an entry that leads nowhere.
 */
static void forget_datagrams(const json_t *ports)
{
    json_t *item;
    size_t i;

    json_array_foreach(ports, i, item)
    {
        struct net_port port;
        struct err ignored;

        if (!net_port_read(item, &port, &ignored) && !strcmp(net_proto_name(port.proto), "udp"))
            net_forget_port(port.proto, port.host);
    }
}

/* --- the plan -------------------------------------------------------------------------------- */

json_t *network_make_plan(const struct container *c, json_t *endpoints, json_t *ports)
{
    json_t *plan = json_object(), *servers = json_at(c->config, "HostConfig.Dns");

    json_object_set(plan, "endpoints", endpoints);
    json_object_set(plan, "ports", ports);
    json_put(plan, "dns", json_array_size(servers) ? json_incref(servers) : json_array());
    return plan;
}

int network_write_plan(int run, const json_t *plan, struct err *err)
{
    return json_store(run, PLAN, plan, 0600, false, err);
}

static json_t *gateway_of(const json_t *endpoints)
{
    json_t *item, *found = NULL;
    size_t i;

    json_array_foreach(endpoints, i, item) if (json_flag(item, "Default4", false) ||
                                               (!found && json_flag(item, "Default6", false)))
        found = item;
    return found;
}

static const struct network *network_of(const json_t *endpoint, const struct network *networks,
                                        size_t count)
{
    for (size_t i = 0; endpoint && i < count; i++)
        if (!strcmp(networks[i].id, json_str(endpoint, "NetworkID", "")))
            return &networks[i];
    return NULL;
}

/* Ports and links are known only now, and are written a second time where there are any. */
static int publish(struct engine *e, const struct container *c, const struct network *networks,
                   size_t count, json_t *endpoints, struct network_start *start, json_t **ret_ports,
                   struct err *err)
{
    json_t *gateway = gateway_of(endpoints);
    int r = ports_open(e, c, network_of(gateway, networks, count), ret_ports, &start->sockets, err);

    if (!r)
        r = links_resolve(e, c, endpoints, NULL, err);
    if (r < 0)
        return r;
    if (!json_array_size(*ret_ports) && !links_exist(endpoints))
        return 0;
    if (gateway)
        json_object_set(gateway, "Published", *ret_ports);
    forget_datagrams(*ret_ports);
    return endpoints_store(e, c->id, endpoints, err);
}

static int up_on(struct engine *e, const struct container *c, const struct network *networks,
                 const json_t *wishes, int run, struct network_start *start, struct err *err)
{
    size_t count = json_object_size(wishes);
    cleanup_json json_t *endpoints = NULL, *ports = NULL;
    int r = make_networks(e, networks, count, err);

    if (!r)
        r = allocate_endpoints(e, c, networks, wishes, &endpoints, err);
    if (r < 0)
        return r;
    endpoints_choose_gateway(endpoints);
    r = publish(e, c, networks, count, endpoints, start, &ports, err);
    if (r < 0)
        return r;
    start->plan = network_make_plan(c, endpoints, ports);
    r = network_write_plan(run, start->plan, err);
    if (!r)
        r = endpoints_put_rules(e, endpoints, err);
    return r;
}

/* --- another container's --------------------------------------------------------------------- */

/* So that its shim, at the end, pulls out the cable instead of leaving that to the namespace. */
static int mark_shared(struct engine *e, const char *id, struct err *err)
{
    cleanup_free char *path = str_format("%s/" SHIM_NETWORK_SHARED, id);
    cleanup_close int fd =
        openat(e->store->run_fd, path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    return fd < 0 ? err_errno(err, "cannot note that a network is shared") : 0;
}

/* A descriptor, not a path: its owner may end, and its process number become another's. */
static int open_shared(struct engine *e, const char *id, int *ret, struct err *err)
{
    cleanup_close int netns = -1;
    struct container other;
    int r = engine_find(e, id, &other, err);

    if (r < 0)
        return r;
    if (container_running(&other))
        netns = netns_of(other.init.pid);
    if (netns < 0 || !proc_alive(&other.init))
        r = err_set(err, EINVAL, "cannot join network of a non running container: %s", other.id);
    if (!r)
        r = mark_shared(e, other.id, err);
    container_free(&other);
    if (!r)
        *ret = steal_fd(&netns);
    return r;
}

static bool is_alone(const char *mode)
{
    return !strcmp(mode, "host") || !strcmp(mode, "none");
}

int network_up(struct engine *e, const struct container *c, int run, struct network_start *ret,
               struct err *err)
{
    const json_t *host = json_object_get(c->config, "HostConfig");
    cleanup_close int dir = store_container_dir(e->store, c->id, false, err);
    cleanup_json json_t *wishes = wishes_of(c);
    size_t count = json_object_size(wishes);
    struct network *networks = NULL;
    int r = dir < 0 ? dir : 0;

    *ret = (struct network_start){.netns = -1, .rules = -1};
    if (r < 0)
        return r;
    if (network_of_container(host))
        return open_shared(e, network_of_container(host), &ret->netns, err);
    /* "none" among the wishes: it was taken off all its networks. */
    if (!is_alone(json_str(host, "NetworkMode", "")) && !json_object_get(wishes, "none")) {
        r = find_networks(e, wishes, &networks, err);
        if (!r) {
            r = up_on(e, c, networks, wishes, run, ret, err);
            free_networks(networks, count);
        }
    }
    if (ret->plan)
        ret->rules = net_rules_socket();
    if (!r)
        r = hostfiles_write(e, c, dir, ret->plan ? json_object_get(ret->plan, "endpoints") : NULL,
                            err);
    if (!r && ret->plan)
        r = links_follow(e, c, err);
    if (r < 0) {
        struct err ignored;

        network_down(e, c->id, &ignored);
        network_start_free(ret);
    }
    return r;
}

void network_tell_start(struct engine *e, const struct container *c, const json_t *plan)
{
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(plan, "endpoints"), i, item)
    {
        json_t *attributes = json_object();

        json_put_str(attributes, "container", c->id);
        json_put_str(attributes, "name", json_str(item, "Network", ""));
        json_put_str(attributes, "type", "bridge");
        engine_event(e, "network", "connect", json_str(item, "NetworkID", ""), attributes);
    }
}

/* --- the way back ---------------------------------------------------------------------------- */

int network_down(struct engine *e, const char *id, struct err *err)
{
    cleanup_free char *plan = str_format("%s/" PLAN, id);
    struct endpoint_list endpoints;
    bool shim_done = faccessat(e->store->run_fd, plan, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
    int r = store_endpoints(e->store, id, NULL, &endpoints, err);

    if (r < 0 || !endpoints.len)
        return r < 0 ? r : 0;
    for (size_t i = 0; i < endpoints.len && !r && !shim_done; i++)
        r = endpoint_take_back(e, id, endpoints.items[i].config, err);
    endpoint_list_free(&endpoints);
    if (!r)
        r = store_endpoints_release(e->store, id, NULL, err);
    return r < 0 ? err_wrap(err, "cannot take down the networks of container %.12s", id) : 0;
}

int network_down_if_idle(struct engine *e, const char *id, struct err *err)
{
    cleanup_close int run = store_run_dir(e->store, id, true, err);
    int r;

    if (run < 0)
        return run;
    if (flock(run, LOCK_EX | LOCK_NB) < 0)
        return 0; /* its shim is at it, or the next start is */
    r = network_down(e, id, err);
    if (!r)
        r = container_remove_run(e, id, err);
    return r;
}
