/* cgroup_device.h - rules about devices (private to the cgroup_device files). */
#pragma once

#include "runtime/cgroup_parts.h"

/* The kernel's numbers: BPF_DEVCG_ACC_*, linux/bpf.h. */
enum { DEVICE_MKNOD = 1, DEVICE_READ = 2, DEVICE_WRITE = 4, DEVICE_ALL = 7 };

struct device_rule {
    bool allow;
    char type;              /* 'b', 'c', or 'a' for a rule about everything */
    long long major, minor; /* -1: any */
    char access[4];         /* of "rwm" */
};
struct device_rules {
    struct device_rule *items;
    size_t len, room;
};

/* linux.resources.devices in order, after a rule that denies everything. If they do not end in
 * allowing everything, what every container has (null, zero, full, random, urandom, tty, ptmx, its
 * terminals) and mknod(2) of any is allowed at the end, as runc and crun do. */
int device_rules_read(const json_t *resources, struct device_rules *ret, struct err *err);
void device_rules_add(struct device_rules *rules, const struct device_rule *rule);
void device_rules_free(struct device_rules *rules);
int device_access_bits(const char *access);
bool device_rule_covers_all(const struct device_rule *rule);

/* Version 1's kernel keeps one verdict for everything and a list of exceptions to it. The rules in
 * that form: the first about everything, the others exceptions, all of one verdict. -ENOTSUP with a
 * message when a rule would make a hole into an exception: the kernel would pass over it without a
 * word. */
int device_rules_for_v1(const struct device_rules *rules, struct device_rules *ret,
                        struct err *err);
