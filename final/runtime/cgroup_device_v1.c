/* Which devices, version 1: devices.allow and devices.deny, one rule a write(2).
 *
 * The kernel's list is simpler than the rules may be. It is one verdict for everything, and
 * exceptions to it; taking back part of an exception, it says nothing and does nothing
 * (Documentation/admin-guide/cgroup-v1/devices.rst). So the rules are played through here first,
 * and what comes out is written. */
#include "runtime/cgroup_device.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/cgroup_plan.h"

static void set_access(struct device_rule *rule, int bits)
{
    snprintf(rule->access, sizeof rule->access, "%s%s%s", bits & DEVICE_READ ? "r" : "",
             bits & DEVICE_WRITE ? "w" : "", bits & DEVICE_MKNOD ? "m" : "");
}

static bool includes(long long wide, long long narrow)
{
    return wide < 0 || wide == narrow;
}

/* Every device of `narrow` is one of `wide`. */
static bool rule_includes(const struct device_rule *wide, const struct device_rule *narrow)
{
    return wide->type == narrow->type && includes(wide->major, narrow->major) &&
           includes(wide->minor, narrow->minor);
}

static bool overlap(const struct device_rule *a, const struct device_rule *b)
{
    return a->type == b->type && (includes(a->major, b->major) || includes(b->major, a->major)) &&
           (includes(a->minor, b->minor) || includes(b->minor, a->minor)) &&
           device_access_bits(a->access) & device_access_bits(b->access);
}

static char *rule_text(const struct device_rule *rule)
{
    char major[24] = "*", minor[24] = "*";

    if (rule->major >= 0)
        snprintf(major, sizeof major, "%lld", rule->major);
    if (rule->minor >= 0)
        snprintf(minor, sizeof minor, "%lld", rule->minor);
    return str_format("%c %s:%s %s", rule->type, major, minor, rule->access);
}

static void add_exception(struct device_rules *list, const struct device_rule *rule)
{
    for (size_t i = 1; i < list->len; i++) {
        struct device_rule *have = &list->items[i];

        if (rule_includes(have, rule) && rule_includes(rule, have)) {
            set_access(have, device_access_bits(have->access) | device_access_bits(rule->access));
            return;
        }
    }
    device_rules_add(list, rule);
}

static int take_back(struct device_rules *list, const struct device_rule *rule, struct err *err)
{
    for (size_t i = 1; i < list->len; i++) {
        struct device_rule *have = &list->items[i];

        if (!overlap(have, rule))
            continue;
        if (!rule_includes(rule, have)) {
            cleanup_free char *hole = rule_text(rule), *whole = rule_text(have);

            return err_set(err, ENOTSUP,
                           "linux.resources.devices: cgroup v1 cannot %s '%s' after '%s', which is "
                           "more: list single devices instead",
                           rule->allow ? "allow" : "deny", hole, whole);
        }
        set_access(have, device_access_bits(have->access) & ~device_access_bits(rule->access));
    }
    return 0;
}

int device_rules_for_v1(const struct device_rules *rules, struct device_rules *ret, struct err *err)
{
    for (size_t i = 0; i < rules->len; i++) {
        const struct device_rule *rule = &rules->items[i];

        if (device_rule_covers_all(rule)) {
            ret->len = 0;
            device_rules_add(ret, rule);
        } else if (rule->allow != ret->items[0].allow) {
            add_exception(ret, rule);
        } else if (take_back(ret, rule, err) < 0) {
            return -err->code;
        }
    }
    return 0;
}

static int write_rules(const struct cgroup *cg, const struct device_rules *rules, struct err *err)
{
    cleanup_free char *base = cgroup_v1_base(cg, "devices");
    cleanup_free char *deny = str_format("%s%s/devices.deny", base, cg->path);
    cleanup_free char *allow = str_format("%s%s/devices.allow", base, cg->path);
    cleanup_close int deny_fd = open(deny, O_WRONLY | O_CLOEXEC);
    cleanup_close int allow_fd = open(allow, O_WRONLY | O_CLOEXEC);

    if (deny_fd < 0 || allow_fd < 0)
        return err_errno(err, "linux.resources.devices: cannot open '%s'",
                         deny_fd < 0 ? deny : allow);
    for (size_t i = 0; i < rules->len; i++) {
        const struct device_rule *rule = &rules->items[i];
        cleanup_free char *text = rule_text(rule);
        int r =
            *rule->access ? file_write(rule->allow ? allow_fd : deny_fd, text, strlen(text)) : 0;

        if (r < 0)
            return err_set(err, -r, "linux.resources.devices: cannot write '%s' to '%s': %s", text,
                           rule->allow ? allow : deny, strerror(-r));
    }
    return 0;
}

/* Between "deny everything" and the exceptions a living container would be refused its own devices:
 * it holds still meanwhile. */
static int rewrite_rules(const struct cgroup *cg, const struct device_rules *rules, struct err *err)
{
    struct err failure = {0};
    bool held;

    if (cgroup_hold(cg, &held, err) < 0)
        return -err->code;
    write_rules(cg, rules, &failure);
    if (cgroup_let_go(cg, held, err) < 0)
        return -err->code;
    *err = failure;
    return -err->code;
}

int device_rules_write_v1(const struct cgroup *cg, const json_t *resources, bool update,
                          struct err *err)
{
    cleanup_with(device_rules_free) struct device_rules rules = {0}, exceptions = {0};

    if (update && !cgroup_wanted(resources, "devices"))
        return 0;
    if (device_rules_read(resources, &rules, err) < 0 ||
        device_rules_for_v1(&rules, &exceptions, err) < 0)
        return -err->code;
    return update ? rewrite_rules(cg, &exceptions, err) : write_rules(cg, &exceptions, err);
}
