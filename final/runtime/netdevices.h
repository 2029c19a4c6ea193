/* netdevices.h - linux.netDevices: interfaces of the host that become the container's. OCI
 * runtime-spec 1.3, config-linux.md, "Network Devices"; rtnetlink(7).
 *
 * Moving an interface to another network namespace takes its addresses from it and brings it down;
 * its MTU and hardware address stay. So the permanent global addresses are read before and set
 * again after, and it comes up there. When the namespace ends the kernel gives a physical interface
 * back to the host's and removes a virtual one; while a container is still being made, its failure
 * must not cost anybody an interface, and what was moved goes back, with addresses and name. */
#pragma once

#include "runtime/spec.h"

struct netdevice {
    const char *name; /* on the host; borrowed */
    int inside;       /* its index in the container's namespace */
    bool was_up;
    struct buf addresses; /* the kernel's messages about them, one after the other */
};
struct netdevices {
    struct netdevice *items;
    size_t len;
};

/* Names and namespaces, before anything is made. */
int netdevices_check(const struct spec *spec, struct err *err);
/* Moves all into the namespace. After a failure none is there. */
int netdevices_move(const struct spec *spec, int netns, struct netdevices *ret, struct err *err);
/* Back, as far as possible; nothing more can be done about what is not. Frees them. */
void netdevices_return(struct netdevices *devices, int netns);
void netdevices_free(struct netdevices *devices);
