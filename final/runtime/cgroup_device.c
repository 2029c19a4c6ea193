/* Which devices a container may open and make: the rules.
 *
 * A device node is only a name for a driver: whoever may mknod(2) (docker's containers may) can
 * name the host's disk. The device controller stands at open(2) and mknod(2) and decides by type,
 * number and kind of access. Version 1 keeps a list in the kernel (cgroup_device_v1.c); version 2
 * asks an eBPF program (cgroup_device_v2.c). */
#include "runtime/cgroup_device.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"

static const struct device_rule defaults[] = {
    {true, 'c', -1, -1, "m"}, /* any node may be made: opening it is another matter */
    {true, 'b', -1, -1, "m"},    {true, 'c', 1, 3, "rwm"}, /* null */
    {true, 'c', 1, 5, "rwm"},                              /* zero */
    {true, 'c', 1, 7, "rwm"},                              /* full */
    {true, 'c', 1, 8, "rwm"},                              /* random */
    {true, 'c', 1, 9, "rwm"},                              /* urandom */
    {true, 'c', 5, 0, "rwm"},                              /* tty: the process's own terminal */
    {true, 'c', 5, 2, "rwm"},                              /* ptmx */
    {true, 'c', 136, -1, "rwm"}, /* pts/N; which ones exist is the devpts mount's matter */
};

void device_rules_add(struct device_rules *rules, const struct device_rule *rule)
{
    if (rules->len == rules->room) {
        rules->room = rules->room ? 2 * rules->room : 32;
        rules->items = mem_grow(rules->items, rules->room, sizeof *rules->items);
    }
    rules->items[rules->len++] = *rule;
}

void device_rules_free(struct device_rules *rules)
{
    free(rules->items);
    *rules = (struct device_rules){0};
}

/* Absent, null or -1 is any. */
static int read_number(const json_t *item, const char *member, long long *ret, struct err *err)
{
    const json_t *value = json_object_get(item, member);

    if (value && !json_is_null(value) && !json_is_integer(value))
        return err_set(err, EINVAL, "linux.resources.devices: %s is not a number", member);
    *ret = value && json_is_integer(value) ? json_integer_value(value) : -1;
    return *ret < -1 || *ret > UINT32_MAX
               ? err_set(err, EINVAL, "linux.resources.devices: there is no %s %lld", member, *ret)
               : 0;
}

/* A type of no kind must not become "a", every device. */
static int read_text(const json_t *item, const char *member, const char *otherwise,
                     const char **ret, struct err *err)
{
    const json_t *value = json_object_get(item, member);

    *ret = json_is_string(value) ? json_string_value(value) : otherwise;
    return !value || json_is_null(value) || json_is_string(value)
               ? 0
               : err_set(err, EINVAL, "linux.resources.devices: %s is not a string", member);
}

static int read_rule(const json_t *item, struct device_rule *ret, struct err *err)
{
    const char *type, *access;

    if (read_text(item, "type", "a", &type, err) < 0 ||
        read_text(item, "access", "rwm", &access, err) < 0)
        return -err->code;
    if (!json_is_boolean(json_object_get(item, "allow")))
        return err_set(err, EINVAL, "linux.resources.devices: 'allow' is neither true nor false");
    if (strlen(type) != 1 || !strchr("abcu", *type))
        return err_set(err, EINVAL, "linux.resources.devices: there is no type '%s'", type);
    if (!*access || strlen(access) > 3 || strspn(access, "rwm") != strlen(access))
        return err_set(err, EINVAL, "linux.resources.devices: access '%s' is not of \"rwm\"",
                       access);
    ret->allow = json_flag(item, "allow", false);
    ret->type = *type == 'u' ? 'c' : *type;
    strcpy(ret->access, access);
    return read_number(item, "major", &ret->major, err) < 0 ||
                   read_number(item, "minor", &ret->minor, err) < 0
               ? -err->code
               : 0;
}

int device_access_bits(const char *access)
{
    return (strchr(access, 'r') ? DEVICE_READ : 0) | (strchr(access, 'w') ? DEVICE_WRITE : 0) |
           (strchr(access, 'm') ? DEVICE_MKNOD : 0);
}

bool device_rule_covers_all(const struct device_rule *rule)
{
    return rule->type == 'a' && rule->major < 0 && rule->minor < 0 &&
           device_access_bits(rule->access) == DEVICE_ALL;
}

/* Type 'a' stands for both kinds. Version 1's kernel would take "a" for everything, whatever else
 * the rule says, so only a rule about everything may keep it. */
static void add_split(struct device_rules *rules, const struct device_rule *rule)
{
    struct device_rule one = *rule;

    if (rule->type != 'a' || device_rule_covers_all(rule)) {
        device_rules_add(rules, rule);
        return;
    }
    one.type = 'b';
    device_rules_add(rules, &one);
    one.type = 'c';
    device_rules_add(rules, &one);
}

/* A configuration that says nothing about a device means: no. So everything is denied first, unless
 * the first rule is about everything itself. */
static void begin(struct device_rules *rules)
{
    static const struct device_rule deny_all = {false, 'a', -1, -1, "rwm"};
    size_t len = rules->len;

    if (len && device_rule_covers_all(&rules->items[0]))
        return;
    device_rules_add(rules, &deny_all);
    memmove(rules->items + 1, rules->items, len * sizeof *rules->items);
    rules->items[0] = deny_all;
}

int device_rules_read(const json_t *resources, struct device_rules *ret, struct err *err)
{
    const json_t *item;
    bool denied = true;
    size_t i;

    json_array_foreach(json_at(resources, "devices"), i, item)
    {
        struct device_rule rule = {0};

        if (read_rule(item, &rule, err) < 0)
            return -err->code;
        add_split(ret, &rule);
        if (device_rule_covers_all(&rule))
            denied = !rule.allow;
    }
    begin(ret);
    for (size_t k = 0; denied && k < sizeof defaults / sizeof *defaults; k++)
        device_rules_add(ret, &defaults[k]);
    return 0;
}
