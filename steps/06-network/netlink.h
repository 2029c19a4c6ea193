/* Network devices, addresses and routes: what ip(8) does, in the network namespace that the caller
 * is in. rtnetlink(7). */
#pragma once

/* Each returns 0 or a negative errno: some callers expect -EEXIST. Addresses are IPv4, as text. */
int netlink_add_bridge(const char *name, const char hardware_address[6]);
/* A pair of devices connected back to back: `name` here; `peer`, with this hardware address, in the
 * network namespace that `netns` is a descriptor of. */
int netlink_add_veth(const char *name, const char *peer, const char hardware_address[6], int netns);
/* Switches a device on; makes it a port of `bridge` unless that is NULL. */
int netlink_set_up(const char *name, const char *bridge);
int netlink_add_address(const char *name, const char *address, int prefix_len);
int netlink_add_default_route(const char *gateway);
