#include "runtime/netdevices.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/netlink.h"
#include "base/netns.h"

/* --- checks ----------------------------------------------------------------------------------- */

/* dev_valid_name() of the kernel. */
static bool is_valid_name(const char *name)
{
    size_t n = strlen(name);

    if (!n || n >= IFNAMSIZ || !strcmp(name, ".") || !strcmp(name, ".."))
        return false;
    for (size_t i = 0; i < n; i++)
        if (name[i] == '/' || name[i] == ':' || isspace((unsigned char)name[i]))
            return false;
    return true;
}

/* The name it is to have, "eth%d" for the first that is free; its own if none is given. */
static const char *name_inside(const char *name, const json_t *device)
{
    const char *wanted = json_str(device, "name", "");

    return *wanted ? wanted : name;
}

int netdevices_check(const struct spec *spec, struct err *err)
{
    const char *name;
    json_t *device;

    if (!json_object_size(spec->net_devices))
        return 0;
    if (!(spec_own_namespaces(spec) & CLONE_NEWNET))
        return err_set(err, EINVAL, "unable to move network devices without a NET namespace");
    json_object_foreach((json_t *)spec->net_devices, name, device)
    {
        const char *inside = name_inside(name, device);

        if (!is_valid_name(name) || !is_valid_name(inside))
            return err_set(err, EINVAL, "invalid network device name '%s'",
                           is_valid_name(name) ? inside : name);
    }
    return 0;
}

/* --- what the kernel tells -------------------------------------------------------------------- */

struct link {
    int index;
    bool up;
};

static int take_link(void *context, const struct nlmsghdr *message)
{
    const struct ifinfomsg *info = NLMSG_DATA(message);
    struct link *link = context;

    if (message->nlmsg_type == RTM_NEWLINK)
        *link = (struct link){info->ifi_index, info->ifi_flags & IFF_UP};
    return 0;
}

static int find_link(int fd, const char *name, struct link *ret, struct err *err)
{
    cleanup_batch struct nl_batch batch = {0};
    struct ifinfomsg info = {0};
    int r;

    nl_message(&batch, RTM_GETLINK, 0, &info, sizeof info, "find it", 0);
    nl_put_text(&batch, IFLA_IFNAME, name);
    *ret = (struct link){0};
    r = nl_query(fd, &batch, take_link, ret);
    if (r < 0)
        return err_set(err, -r, "there is no network device '%s': %s", name, strerror(-r));
    return 0;
}

struct address_search {
    int index;
    struct buf *found;
};

/* Only those an administrator gave it, as the specification says: others come by themselves. */
static int take_address(void *context, const struct nlmsghdr *message)
{
    const struct address_search *search = context;
    const struct ifaddrmsg *info = NLMSG_DATA(message);

    if (message->nlmsg_type == RTM_NEWADDR && (int)info->ifa_index == search->index &&
        info->ifa_flags & IFA_F_PERMANENT && info->ifa_scope == RT_SCOPE_UNIVERSE)
        buf_add(search->found, message, NLMSG_ALIGN(message->nlmsg_len));
    return 0;
}

static int read_addresses(int fd, int index, struct buf *ret, struct err *err)
{
    cleanup_batch struct nl_batch batch = {0};
    struct address_search search = {index, ret};
    struct ifaddrmsg info = {0};
    int r;

    nl_message(&batch, RTM_GETADDR, NLM_F_DUMP, &info, sizeof info, "list addresses", 0);
    r = nl_query(fd, &batch, take_address, &search);
    return r < 0 ? err_set(err, -r, "cannot list addresses: %s", strerror(-r)) : 0;
}

/* All indices of a namespace, to find the one that is new. */
struct indices {
    int *items;
    size_t len;
};

static int take_index(void *context, const struct nlmsghdr *message)
{
    const struct ifinfomsg *info = NLMSG_DATA(message);
    struct indices *indices = context;

    if (message->nlmsg_type != RTM_NEWLINK)
        return 0;
    indices->items = mem_grow(indices->items, indices->len + 1, sizeof *indices->items);
    indices->items[indices->len++] = info->ifi_index;
    return 0;
}

static void indices_free(struct indices *indices)
{
    free(indices->items);
}

static int read_indices(int fd, struct indices *ret, struct err *err)
{
    cleanup_batch struct nl_batch batch = {0};
    struct ifinfomsg info = {0};
    int r;

    nl_message(&batch, RTM_GETLINK, NLM_F_DUMP, &info, sizeof info, "list network devices", 0);
    r = nl_query(fd, &batch, take_index, ret);
    return r < 0 ? err_set(err, -r, "cannot list network devices: %s", strerror(-r)) : 0;
}

/* Its name may be a pattern and its index another one there, so it is known by not having been
 * there before. */
static int find_new(int fd, const struct indices *before, int *ret, struct err *err)
{
    cleanup_with(indices_free) struct indices after = {0};

    if (read_indices(fd, &after, err) < 0)
        return -err->code;
    for (size_t i = 0; i < after.len; i++) {
        size_t k = 0;

        while (k < before->len && before->items[k] != after.items[i])
            k++;
        if (k == before->len) {
            *ret = after.items[i];
            return 0;
        }
    }
    return err_set(err, ENODEV, "the network device did not arrive");
}

/* --- moving ----------------------------------------------------------------------------------- */

static int move(int fd, int index, int netns, const char *name, struct err *err)
{
    cleanup_batch struct nl_batch batch = {0};
    struct ifinfomsg info = {.ifi_index = index};

    nl_message(&batch, RTM_NEWLINK, 0, &info, sizeof info, "move it", 0);
    nl_put_u32(&batch, IFLA_NET_NS_FD, (uint32_t)netns);
    nl_put_text(&batch, IFLA_IFNAME, name);
    return nl_send(fd, &batch, err);
}

static int bring_up(int fd, int index, struct err *err)
{
    cleanup_batch struct nl_batch batch = {0};
    struct ifinfomsg info = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};

    nl_message(&batch, RTM_NEWLINK, 0, &info, sizeof info, "bring it up", 0);
    return nl_send(fd, &batch, err);
}

/* The message that told of the address, sent back as an order; flags that only tell are left out.
 */
static void add_address(struct nl_batch *batch, const struct nlmsghdr *told, int index)
{
    static const uint16_t kept[] = {IFA_LOCAL, IFA_ADDRESS, IFA_BROADCAST, IFA_RT_PRIORITY};
    const uint32_t settable = IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR |
                              IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN;
    const struct nlattr *attributes[IFA_MAX + 1];
    struct ifaddrmsg info = *(const struct ifaddrmsg *)NLMSG_DATA(told);

    nl_attributes(told, sizeof info, attributes, IFA_MAX);
    info.ifa_index = (uint32_t)index;
    info.ifa_flags = 0;
    nl_message(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &info, sizeof info,
               "set its addresses", 0);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (attributes[kept[i]])
            nl_put(batch, kept[i], nl_data(attributes[kept[i]]), nl_len(attributes[kept[i]]));
    if (attributes[IFA_FLAGS])
        nl_put_u32(batch, IFA_FLAGS, nl_u32(attributes[IFA_FLAGS]) & settable);
}

static int set_addresses(int fd, int index, const struct buf *addresses, struct err *err)
{
    for (size_t at = 0; at < addresses->len;) {
        const struct nlmsghdr *told = (const struct nlmsghdr *)(addresses->data + at);
        cleanup_batch struct nl_batch batch = {0};

        add_address(&batch, told, index);
        if (nl_send(fd, &batch, err) < 0)
            return -err->code;
        at += NLMSG_ALIGN(told->nlmsg_len);
    }
    return 0;
}

struct sockets {
    int ours, theirs; /* netlink, of the two namespaces */
    int own;          /* our network namespace */
};

static void sockets_close(struct sockets *s)
{
    close_fd(&s->ours);
    close_fd(&s->theirs);
    close_fd(&s->own);
}

static int sockets_open(int netns, struct sockets *ret, struct err *err)
{
    ret->own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (ret->own < 0)
        return err_errno(err, "cannot open our own network namespace");
    ret->ours = nl_open(0, err);
    if (ret->ours < 0)
        return ret->ours;
    ret->theirs = nl_open_in(netns, 0, err);
    return ret->theirs < 0 ? ret->theirs : 0;
}

static int check_free(int fd, const char *name, struct err *err)
{
    struct err ignored = {0};
    struct link link;

    if (strchr(name, '%') || find_link(fd, name, &link, &ignored) < 0)
        return 0;
    return err_set(err, EEXIST, "the container's network namespace has a '%s' already", name);
}

/* In its place it gets its addresses and comes up. *ret->inside is 0 until it is there. */
static int move_in(const struct sockets *s, int netns, const char *name, const char *inside,
                   struct netdevice *ret, struct err *err)
{
    cleanup_with(indices_free) struct indices before = {0};
    struct err ignored = {0};
    struct link link;

    if (check_free(s->theirs, inside, err) < 0 || find_link(s->ours, name, &link, err) < 0 ||
        read_addresses(s->ours, link.index, &ret->addresses, err) < 0 ||
        read_indices(s->theirs, &before, err) < 0)
        return -err->code;
    ret->was_up = link.up;
    if (move(s->ours, link.index, netns, inside, err) < 0) {
        /* It may have moved and not been renamed. */
        find_new(s->theirs, &before, &ret->inside, &ignored);
        return -err->code;
    }
    if (find_new(s->theirs, &before, &ret->inside, err) < 0)
        return -err->code;
    if (set_addresses(s->theirs, ret->inside, &ret->addresses, err) < 0)
        return -err->code;
    return bring_up(s->theirs, ret->inside, err);
}

static void move_back(const struct sockets *s, const struct netdevice *device)
{
    struct err ignored = {0};
    struct link link;

    if (!device->inside || move(s->theirs, device->inside, s->own, device->name, &ignored) < 0 ||
        find_link(s->ours, device->name, &link, &ignored) < 0)
        return;
    set_addresses(s->ours, link.index, &device->addresses, &ignored);
    if (device->was_up)
        bring_up(s->ours, link.index, &ignored);
}

int netdevices_move(const struct spec *spec, int netns, struct netdevices *ret, struct err *err)
{
    cleanup_with(sockets_close) struct sockets s = {-1, -1, -1};
    const char *name;
    json_t *device;

    if (!json_object_size(spec->net_devices))
        return 0;
    if (sockets_open(netns, &s, err) < 0)
        return -err->code;
    ret->items = mem_alloc(json_object_size(spec->net_devices) * sizeof *ret->items);
    json_object_foreach((json_t *)spec->net_devices, name, device)
    {
        struct netdevice *made = &ret->items[ret->len++];

        made->name = name;
        if (move_in(&s, netns, name, name_inside(name, device), made, err) < 0) {
            err_wrap(err, "linux.netDevices: '%s'", name);
            netdevices_return(ret, netns);
            return -err->code;
        }
    }
    return 0;
}

void netdevices_return(struct netdevices *devices, int netns)
{
    cleanup_with(sockets_close) struct sockets s = {-1, -1, -1};
    struct err ignored = {0};

    if (devices->len && !sockets_open(netns, &s, &ignored))
        for (size_t i = devices->len; i-- > 0;)
            move_back(&s, &devices->items[i]);
    netdevices_free(devices);
}

void netdevices_free(struct netdevices *devices)
{
    for (size_t i = 0; i < devices->len; i++)
        buf_free(&devices->items[i].addresses);
    free(devices->items);
    *devices = (struct netdevices){0};
}
