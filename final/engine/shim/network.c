/* network.c - the shim's part of its container's networks: the cable, names, DNS and the sockets of
 * published ports. What to do is in run/<id>/network.json, which the command that starts or changes
 * the container has written. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/netns.h"
#include "engine/shim/shim.h"
#include "network/network.h"
#include "storage/storage.h"

#define PLAN     "network.json"
#define PLAN_MAX (16u << 20)

struct shim_network {
    const struct shim_options *options;
    json_t *plan;
    struct net_endpoint_list endpoints; /* texts are the plan's */
    struct net_place place;
    int runs, names, netns;
    struct net_dns *dns;
    struct net_proxy *proxy;
    bool spoke; /* the container has sent something, and so may have connections */
};

/* The run directory's parent: run/, where all containers' are. */
static int open_runs(const struct shim_options *o, struct err *err)
{
    cleanup_free char *path = str_format("%s/..", o->run);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? err_errno(err, "cannot open '%s'", path) : fd;
}

static bool has_endpoint(const struct net_endpoint_list *list, const struct net_endpoint *wanted)
{
    for (size_t i = 0; i < list->len; i++)
        if (!strcmp(list->items[i].network_id, wanted->network_id) &&
            ip_equal(&list->items[i].ip4.base, &wanted->ip4.base) &&
            ip_equal(&list->items[i].ip6.base, &wanted->ip6.base))
            return true;
    return false;
}

/* The command that takes a container off a network takes its names away. But the word of an
 * earlier, killed command may have come to us in between, with the plan still as it was. */
static void take_back_names(struct shim_network *n, const struct net_endpoint_list *old)
{
    for (size_t i = 0; i < old->len && n->names >= 0; i++)
        if (!has_endpoint(&n->endpoints, &old->items[i]))
            net_names_remove(n->names, &old->items[i], n->options->id);
}

static int load_plan(struct shim_network *n, struct err *err)
{
    cleanup_free char *path = str_format("%s/" PLAN, n->options->run);
    cleanup_json json_t *old_plan = NULL; /* has the texts of the old endpoints */
    struct net_endpoint_list old = n->endpoints;
    json_t *plan = json_load(AT_FDCWD, path, PLAN_MAX, err);
    int r;

    if (!plan)
        return -err->code;
    old_plan = n->plan;
    n->plan = plan;
    r = net_endpoints_read(json_object_get(plan, "endpoints"), &n->endpoints, err);
    take_back_names(n, &old);
    return r;
}

/* The sockets came in the order of the ports that have one. */
static int take_sockets(struct shim_network *n, const int *fds, size_t count, struct err *err)
{
    json_t *item;
    size_t i, used = 0;

    json_array_foreach(json_object_get(n->plan, "ports"), i, item)
    {
        struct net_port port;

        if (net_port_read(item, &port, err) < 0)
            return -err->code;
        if (!json_flag(item, "Socket", true) || used == count)
            continue;
        if (!n->proxy)
            n->proxy = net_proxy_new();
        net_proxy_add(n->proxy, fds[used++], &port);
    }
    return 0;
}

/* The endpoint that has the default route is the one that publishes. */
static void aim_proxy(struct shim_network *n)
{
    static const struct ip none;
    const struct net_endpoint *to = NULL;

    for (size_t i = 0; i < n->endpoints.len; i++)
        if (n->endpoints.items[i].default4 || (!to && n->endpoints.items[i].default6))
            to = &n->endpoints.items[i];
    if (n->proxy)
        net_proxy_target(n->proxy, to ? &to->ip4.base : &none, to ? &to->ip6.base : &none);
}

int shim_network_new(const struct shim_options *o, const int *fds, size_t count,
                     struct shim_network **ret, struct err *err)
{
    cleanup_free char *path = str_format("%s/" PLAN, o->run);
    struct shim_network *n;
    int r;

    *ret = NULL;
    if (access(path, F_OK) < 0)
        return 0;
    n = mem_alloc(sizeof *n);
    n->options = o;
    n->place.dir = n->names = n->netns = -1;
    n->runs = open_runs(o, err);
    r = n->runs < 0 ? n->runs
                    : net_place_open(n->runs, o->root, !strcmp(o->root, STORE_DEFAULT_ROOT),
                                     &n->place, err);
    if (!r)
        r = load_plan(n, err);
    if (!r)
        r = take_sockets(n, fds, count, err);
    if (!r)
        aim_proxy(n);
    *ret = n;
    return r;
}

/* --- up -------------------------------------------------------------------------------------- */

static bool has_names(const struct shim_network *n)
{
    for (size_t i = 0; i < n->endpoints.len; i++)
        if (json_array_size(n->endpoints.items[i].names))
            return true;
    return false;
}

static int open_names(struct shim_network *n, struct err *err)
{
    if (n->names < 0)
        n->names = openat(n->place.dir, "names", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return n->names < 0 ? err_errno(err, "cannot open the directory of names") : 0;
}

static int serve_names(struct shim_network *n, struct err *err)
{
    struct net_dns_options options = {
        .netns = n->netns, .runs = n->runs, .servers = json_object_get(n->plan, "dns")};
    int r;

    if (!has_names(n) && !n->dns)
        return 0;
    r = open_names(n, err);
    options.names = n->names;
    if (!r && !n->dns)
        r = net_dns_open(&options, &n->dns, err);
    for (size_t i = 0; i < n->endpoints.len && !r; i++)
        if (json_array_size(n->endpoints.items[i].names))
            r = net_names_add(n->names, &n->endpoints.items[i], n->options->id, err);
    if (!r)
        net_dns_networks(n->dns, n->endpoints.items, n->endpoints.len);
    return r;
}

int shim_network_plug(struct shim_network *n, pid_t init, struct err *err)
{
    int r = 0;

    if (!n)
        return 0;
    n->netns = netns_of(init);
    if (n->netns < 0)
        return err_set(err, -n->netns, "cannot open the container's network namespace: %s",
                       strerror(-n->netns));
    for (size_t i = 0; i < n->endpoints.len && !r; i++)
        r = net_plug(&n->endpoints.items[i], n->netns, err);
    return r < 0 ? r : serve_names(n, err);
}

/* A network came or went. */
void shim_network_reload(struct shim_network *n)
{
    struct err ignored;

    if (!n || load_plan(n, &ignored) < 0)
        return;
    aim_proxy(n);
    serve_names(n, &ignored);
}

/* --- while it runs --------------------------------------------------------------------------- */

size_t shim_network_room(const struct shim_network *n)
{
    return !n ? 0 : (n->dns ? net_dns_room(n->dns) : 0) + (n->proxy ? net_proxy_room(n->proxy) : 0);
}

size_t shim_network_poll(struct shim_network *n, struct pollfd *p, size_t room, int *timeout_ms)
{
    size_t used = 0;

    if (n && n->dns)
        used = net_dns_poll(n->dns, p, net_dns_room(n->dns), timeout_ms);
    if (n && n->proxy)
        used += net_proxy_poll(n->proxy, p + used, room - used, timeout_ms);
    return used;
}

/* In the order of shim_network_poll(). The number of DNS entries is what is left beside the
 * proxy's. */
void shim_network_serve(struct shim_network *n, const struct pollfd *p, size_t count)
{
    size_t proxied = n && n->proxy ? net_proxy_room(n->proxy) : 0;

    if (n && n->proxy)
        net_proxy_serve(n->proxy, p + (count - proxied), proxied);
    if (n && n->dns)
        net_dns_serve(n->dns, p, count - proxied);
}

/* --- down ------------------------------------------------------------------------------------ */

static int take_out_of_rules(struct shim_network *n)
{
    cleanup_elements struct net_elements elements = {0};
    struct err ignored;
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(n->plan, "endpoints"), i, item)
        net_plan_elements(item, &elements);
    return net_rules_remove(&n->place, &elements, &ignored);
}

/* Others are in the namespace, and it stays as long as they do; the address is another's from now
 * on. */
static void pull_out_shared(struct shim_network *n)
{
    cleanup_free char *mark = str_format("%s/" SHIM_NETWORK_SHARED, n->options->run);
    struct err ignored;

    if (unlink(mark) < 0)
        return;
    for (size_t i = 0; i < n->endpoints.len; i++)
        net_unplug(&n->endpoints.items[i], &ignored);
}

/* The rules go before the sockets: until then nobody else can have the ports. That the plan is gone
 * says that all is; if it stays, the next command does it. The cable goes with the container's
 * namespace. */
void shim_network_down(struct shim_network *n)
{
    cleanup_free char *path = NULL;
    struct err ignored;
    int r;

    if (!n)
        return;
    load_plan(n, &ignored); /* as it is now */
    for (size_t i = 0; i < n->endpoints.len && !n->spoke; i++)
        n->spoke = net_link_heard(n->endpoints.items[i].host_link);
    for (size_t i = 0; i < n->endpoints.len && n->names >= 0; i++)
        net_names_remove(n->names, &n->endpoints.items[i], n->options->id);
    net_dns_close(n->dns);
    n->dns = NULL;
    pull_out_shared(n);
    r = take_out_of_rules(n);
    net_proxy_free(n->proxy);
    n->proxy = NULL;
    close_fd(&n->netns);
    path = str_format("%s/" PLAN, n->options->run);
    if (r >= 0)
        unlink(path);
}

/* Looking through the kernel's connections takes milliseconds: nobody waits for them, and a
 * container that never said a word has none. */
void shim_network_forget(struct shim_network *n)
{
    for (size_t i = 0; n && n->spoke && i < n->endpoints.len; i++) {
        net_forget_connections(&n->endpoints.items[i].ip4.base);
        net_forget_connections(&n->endpoints.items[i].ip6.base);
    }
}

void shim_network_tell_end(const struct shim_network *n)
{
    for (size_t i = 0; n && i < n->endpoints.len; i++)
        shim_network_event(n->options, "disconnect", n->endpoints.items[i].network_id,
                           n->endpoints.items[i].network);
}
