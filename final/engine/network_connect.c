/* network_connect.c - a container that exists goes onto a network, or off it. One that runs is
 * plugged in by this command; its shim is then told to read its plan again. The wish is kept in the
 * record either way, so it holds for the next start, too. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/netns.h"
#include "engine/attach.h"
#include "engine/network.h"

/* NetworkingConfig.EndpointsConfig of the record, made from NetworkMode when it is not there. */
static json_t *wishes_in(struct container *c)
{
    json_t *networking = json_object_get(c->config, "NetworkingConfig"), *wishes;
    const char *mode = json_str(c->config, "HostConfig.NetworkMode", NETWORK_DEFAULT);

    if (!networking) {
        networking = json_object();
        json_put(c->config, "NetworkingConfig", networking);
    }
    wishes = json_object_get(networking, "EndpointsConfig");
    if (!json_is_object(wishes)) {
        wishes = json_object();
        json_put(networking, "EndpointsConfig", wishes);
        if (!json_object_size(wishes) && strcmp(mode, "none"))
            json_put(wishes, mode, json_object());
    }
    json_object_del(wishes, "none");
    return wishes;
}

struct wish_edit {
    const char *network;
    json_t *wish; /* NULL: no longer */
};

static int change_wish(void *context, struct container *c, struct err *err)
{
    const struct wish_edit *edit = context;
    json_t *wishes = wishes_in(c);

    (void)err;
    if (edit->wish)
        json_object_set(wishes, edit->network, edit->wish);
    else
        json_object_del(wishes, edit->network);
    if (!json_object_size(wishes)) /* on none: an empty list would mean the default */
        json_put(wishes, "none", json_object());
    return 0;
}

static int nothing_to_write(void *context, const struct container *c, struct err *err)
{
    (void)context;
    (void)c;
    (void)err;
    return 0;
}

static int record_wish(struct engine *e, const char *id, const char *network, json_t *wish,
                       struct err *err)
{
    struct wish_edit context = {network, wish};
    struct store_edit edit = {change_wish, nothing_to_write, &context};
    int r = store_container_edit(e->store, id, &edit, err);

    return r == -ENOENT ? err_set(err, ENOENT, "No such container: %s", id) : r;
}

static int open_netns(const struct container *c, struct err *err)
{
    cleanup_close int fd = netns_of(c->init.pid);

    if (fd < 0 || !proc_alive(&c->init)) /* asked after opening: it was this process's namespace */
        return err_set(err, ESRCH, "Container %s is not running", c->id);
    return steal_fd(&fd);
}

/* The shim reads its plan; it answers by doing so, and ends with its container in any case. */
static int tell_shim(struct engine *e, const struct container *c, struct err *err)
{
    static const char reload = ATTACH_NETWORK;
    cleanup_close int fd = container_connect(e, c, err);
    char answer[64];
    ssize_t n;

    if (fd < 0)
        return fd;
    if (send(fd, &reload, 1, MSG_NOSIGNAL) < 0)
        return err_errno(err, "cannot tell the shim of container %s about its networks", c->name);
    do
        n = recv(fd, answer, sizeof answer, 0);
    while ((n > 0 && answer[0] != ATTACH_NETWORK) || (n < 0 && errno == EINTR));
    return 0;
}

/* --- the plan of a running container, before and after --------------------------------------- */

struct change {
    struct engine *e;
    struct container *c;
    int run, netns;
    json_t *endpoints; /* as they are to be */
    json_t *ports;
};

static void change_end(struct change *change)
{
    json_decref(change->endpoints);
    json_decref(change->ports);
    close_fd(&change->run);
    close_fd(&change->netns);
}
#define cleanup_change __attribute__((cleanup(change_end)))

static int change_begin(struct engine *e, struct container *c, struct change *ret, struct err *err)
{
    struct endpoint_list endpoints;
    int r;

    *ret = (struct change){.e = e, .c = c, .run = -1, .netns = -1};
    ret->run = store_run_dir(e->store, c->id, false, err);
    ret->netns = ret->run < 0 ? -1 : open_netns(c, err);
    if (ret->netns < 0)
        return -err->code;
    ret->endpoints = json_array();
    r = store_endpoints(e->store, c->id, NULL, &endpoints, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < endpoints.len; i++) {
        json_t *published = json_object_get(endpoints.items[i].config, "Published");

        json_array_append(ret->endpoints, endpoints.items[i].config);
        if (published && !ret->ports)
            ret->ports = json_incref(published);
    }
    endpoint_list_free(&endpoints);
    if (!ret->ports)
        ret->ports = json_array();
    return 0;
}

static size_t free_position(const json_t *endpoints)
{
    for (size_t position = 0;; position++) {
        cleanup_free char *name = str_format("eth%zu", position);
        bool taken = false;
        json_t *item;
        size_t i;

        json_array_foreach(endpoints, i, item) taken |=
            !strcmp(json_str(item, "Interface", ""), name);
        if (!taken)
            return position;
    }
}

/* Ports follow the endpoint that has the default route. Their elements are taken out here and put
 * in with the rest. */
static int move_ports(struct change *change, struct err *err)
{
    cleanup_elements struct net_elements old = {0};
    const struct net_place *place;
    json_t *item, *gateway = NULL, *holder = NULL;
    size_t i;

    json_array_foreach(change->endpoints, i, item)
    {
        if (json_object_get(item, "Published"))
            holder = item;
        if (json_flag(item, "Default4", false) || (!gateway && json_flag(item, "Default6", false)))
            gateway = item;
    }
    if (holder == gateway || !json_array_size(change->ports) ||
        network_place(change->e, &place, err) < 0)
        return 0;
    if (holder) {
        net_plan_elements(holder, &old);
        json_object_del(holder, "Published");
        net_rules_remove(place, &old, err);
    }
    if (gateway)
        json_object_set(gateway, "Published", change->ports);
    return 0;
}

/* Records, plan, rules; then the cable, if there is a new one; then routes, files and the shim. */
static int change_apply(struct change *change, const json_t *added, struct err *err)
{
    cleanup_json json_t *plan = network_make_plan(change->c, change->endpoints, change->ports);
    cleanup_close int dir = store_container_dir(change->e->store, change->c->id, false, err);
    struct net_endpoint_list list;
    struct net_endpoint one;
    int r = dir < 0 ? dir : 0;

    endpoints_choose_gateway(change->endpoints);
    if (!r)
        r = move_ports(change, err);
    if (!r)
        r = endpoints_store(change->e, change->c->id, change->endpoints, err);
    if (!r)
        r = network_write_plan(change->run, plan, err);
    if (!r)
        r = endpoints_put_rules(change->e, change->endpoints, err);
    if (!r && added) {
        r = net_endpoint_read(added, &one, err);
        if (!r)
            r = net_plug(&one, change->netns, err);
    }
    if (!r)
        r = net_endpoints_read(change->endpoints, &list, err);
    if (!r)
        r = net_set_default_routes(change->netns, list.items, list.len, err);
    if (!r)
        r = hostfiles_write(change->e, change->c, dir, change->endpoints, err);
    return r < 0 ? r : tell_shim(change->e, change->c, err);
}

static json_t *take_endpoint(json_t *endpoints, const char *network_id)
{
    json_t *item;
    size_t i;

    json_array_foreach(endpoints, i, item)
    {
        if (strcmp(json_str(item, "NetworkID", ""), network_id))
            continue;
        json_incref(item);
        json_array_remove(endpoints, i);
        return item;
    }
    return NULL;
}

/* --- connect --------------------------------------------------------------------------------- */

static int leave(struct engine *e, const struct container *c, const struct network *n,
                 const json_t *endpoint, struct err *err)
{
    int r = endpoint_take_back(e, c->id, endpoint, err);

    return r < 0 ? r : store_endpoints_release(e->store, c->id, n->id, err);
}

static int connect_running(struct engine *e, struct container *c, const struct network *n,
                           const json_t *wish, struct err *err)
{
    cleanup_change struct change change;
    cleanup_json json_t *left = NULL;
    json_t *endpoint = NULL;
    int r = change_begin(e, c, &change, err);

    if (!r)
        left = take_endpoint(change.endpoints, n->id);
    if (left) /* by a command that was killed before the container was on the network */
        r = leave(e, c, n, left, err);
    if (!r)
        r = network_make(e, n, err);
    if (!r)
        r = store_begin(e->store, err);
    if (r < 0)
        return r;
    r = endpoint_allocate(e, c, n, wish, free_position(change.endpoints), &endpoint, err);
    r = store_end(e->store, r, err);
    if (r < 0)
        return r;
    json_push(change.endpoints, endpoint);
    r = links_resolve_on(e, c, endpoint, err);
    if (!r)
        r = change_apply(&change, endpoint, err);
    if (r < 0) {
        struct err ignored;

        leave(e, c, n, endpoint, &ignored);
    }
    return r;
}

static int check_connect(const struct container *c, const struct network *n, struct err *err)
{
    const char *mode = json_str(c->config, "HostConfig.NetworkMode", "");

    if (!strcmp(mode, "host") || !strcmp(n->name, "host"))
        return err_set(
            err, EPERM,
            "cannot connect container to host network - container must be created in host "
            "network mode");
    if (str_starts(mode, "container:"))
        return err_set(
            err, EPERM,
            "container sharing network namespace with another container or host cannot be "
            "connected to any other network");
    if (!strcmp(n->name, "none"))
        return err_set(err, EPERM, "container cannot be connected to network none");
    return 0;
}

int engine_network_connect(struct engine *e, const struct network *n,
                           const struct container *container, json_t *wish, struct err *err)
{
    struct container c = *container; /* its config is changed in memory, too */
    json_t *wishes = wishes_in(&c);
    int r = check_connect(&c, n, err);

    if (!r && json_object_get(wishes, n->name))
        r = err_set(err, EEXIST, "endpoint with name %s already exists in network %s", c.name,
                    n->name);
    if (!r && !strcmp(n->name, NETWORK_DEFAULT) &&
        json_array_size(json_object_get(wish, "Aliases")))
        r = err_set(
            err, EINVAL,
            "invalid endpoint settings: network-scoped alias is supported only for containers in "
            "user defined networks");
    if (!r)
        r = links_check(e, json_object_get(wish, "Links"), err);
    if (!r && container_running(&c))
        r = connect_running(e, &c, n, wish, err);
    if (r < 0)
        return r;
    r = record_wish(e, c.id, n->name, wish, err);
    if (r >= 0)
        network_event(e, n, &c, "connect");
    return r < 0 ? r : 0;
}

/* --- disconnect ------------------------------------------------------------------------------ */

static int disconnect_running(struct engine *e, struct container *c, const struct network *n,
                              struct err *err)
{
    cleanup_change struct change change;
    cleanup_json json_t *endpoint = NULL;
    int r = change_begin(e, c, &change, err);

    if (r < 0)
        return r;
    /* Without one, an earlier command was killed at it: what it left undone is done. */
    endpoint = take_endpoint(change.endpoints, n->id);
    if (endpoint)
        r = leave(e, c, n, endpoint, err);
    return r < 0 ? r : change_apply(&change, NULL, err);
}

int engine_network_disconnect(struct engine *e, const struct network *n,
                              const struct container *container, bool force, struct err *err)
{
    struct container c = *container;
    json_t *wishes = wishes_in(&c);
    int r = 0;

    if (!json_object_get(wishes, n->name) && !force)
        return err_set(err, ENOENT, "container %s is not connected to network %s", c.id, n->name);
    if (!strcmp(n->name, "host"))
        return err_set(
            err, EPERM,
            "container cannot be disconnected from host network or connected to host network");
    if (container_running(&c))
        r = disconnect_running(e, &c, n, err);
    if (r < 0)
        return r;
    r = record_wish(e, c.id, n->name, NULL, err);
    if (r >= 0)
        network_event(e, n, &c, "disconnect");
    return r < 0 ? r : 0;
}

/* --- rename ---------------------------------------------------------------------------------- */

static bool is_among(const json_t *names, const char *name)
{
    const json_t *item;
    size_t i;

    json_array_foreach(names, i, item)
    {
        if (!strcasecmp(json_string_value(item), name)) /* as the DNS compares them */
            return true;
    }
    return false;
}

/* Only the names that are no longer its own go, so that the others are answered all the time; the
 * shim puts the new ones beside them, and renews who the address belongs to. 1: there are some. */
static int rename_endpoint(const struct container *c, json_t *endpoint, int names, struct err *err)
{
    json_t *old = json_object_get(endpoint, "Names"), *item;
    cleanup_json json_t *now = endpoint_names(c, json_object_get(endpoint, "Aliases")),
                        *gone = json_array();
    struct net_endpoint read;
    size_t i;

    if (!json_array_size(old))
        return 0;
    if (net_endpoint_read(endpoint, &read, err) < 0)
        return -err->code;
    json_array_foreach(old, i, item)
    {
        if (!is_among(now, json_string_value(item)))
            json_array_append(gone, item);
    }
    read.names = gone;
    memset(&read.ip4, 0, sizeof read.ip4);
    memset(&read.ip6, 0, sizeof read.ip6);
    net_names_remove(names, &read, c->id);
    json_object_set(endpoint, "Names", now);
    return 1;
}

int network_rename(struct engine *e, struct container *c, struct err *err)
{
    cleanup_change struct change change;
    cleanup_json json_t *plan = NULL;
    cleanup_close int names = -1;
    const struct net_place *place;
    bool named = false;
    json_t *item;
    size_t i;
    int r = change_begin(e, c, &change, err);

    if (!r)
        r = network_place(e, &place, err);
    if (r < 0)
        return r;
    names = openat(place->dir, "names", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (names < 0) /* nobody here has any */
        return 0;
    json_array_foreach(change.endpoints, i, item)
    {
        r = rename_endpoint(c, item, names, err);
        if (r < 0)
            return r;
        named |= r;
    }
    if (!named) /* on the default network, the host's or another's nobody has a name */
        return 0;
    plan = network_make_plan(c, change.endpoints, change.ports);
    r = endpoints_store(e, c->id, change.endpoints, err);
    if (r >= 0)
        r = network_write_plan(change.run, plan, err);
    return r < 0 ? r : tell_shim(e, c, err);
}

/* --- links ----------------------------------------------------------------------------------- */

int network_relink(struct engine *e, struct container *c, const struct container *starting,
                   struct err *err)
{
    cleanup_elements struct net_elements old = {0};
    cleanup_change struct change change;
    const struct net_place *place;
    json_t *endpoint;
    size_t i;
    int r = change_begin(e, c, &change, err);

    if (!r)
        r = network_place(e, &place, err);
    if (r < 0)
        return r;
    json_array_foreach(change.endpoints, i, endpoint)
    {
        if (json_array_size(json_object_get(endpoint, "Linked"))) /* the address is another's */
            net_plan_elements(endpoint, &old);
        json_object_del(endpoint, "Linked");
        json_object_del(endpoint, "LinkedHosts");
    }
    if (old.len)
        r = net_rules_remove(place, &old, err);
    if (!r)
        r = links_resolve(e, c, change.endpoints, starting, err);
    return r < 0 ? r : change_apply(&change, NULL, err);
}
