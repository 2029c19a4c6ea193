/* Limits as properties of a systemd unit (systemd.resource-control(5),
 * org.freedesktop.systemd1(5)).
 *
 * systemd writes its properties into the unit's group, again and again: at a reload, when a
 * neighbour changes. A limit that stands only in the kernel's file would be undone some day. So
 * every limit that has a property is set as one, from the same plan of writes that goes into the
 * files. */
#include "runtime/cgroup_systemd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/cgroup_device.h"

#define INFINITE (-1LL)

static void add_since(json_t *properties, const char *name, const char *signature, json_t *value,
                      int since)
{
    json_t *property = json_array();

    json_push(property, json_string(name));
    json_push(property, json_string(signature));
    json_push(property, value);
    if (since)
        json_push(property, json_integer(since));
    json_push(properties, property);
}

static void add(json_t *properties, const char *name, const char *signature, json_t *value)
{
    add_since(properties, name, signature, value, 0);
}

/* "max" and version 1's -1 are infinity. */
static long long number_of(const char *text)
{
    return *text == '-' || !strncmp(text, "max", 3) ? INFINITE : strtoll(text, NULL, 10);
}

static void add_number(json_t *properties, const char *name, const char *text)
{
    add(properties, name, "t", json_integer(number_of(text)));
}

/* "0-2,5" as a bit each, in bytes: {0x27}. The list has been checked. */
static void add_set(json_t *properties, const char *name, const char *text)
{
    unsigned char bits[8192 / 8] = {0};
    json_t *bytes = json_array();
    size_t len = 0;

    for (const char *p = text; *p; p += *p == ',') {
        unsigned long low = strtoul(p, (char **)&p, 10), high = low;

        if (*p == '-')
            high = strtoul(p + 1, (char **)&p, 10);
        for (; low <= high && low < 8192; low++) {
            bits[low / 8] = (unsigned char)(bits[low / 8] | 1 << low % 8);
            len = low / 8 + 1 > len ? low / 8 + 1 : len;
        }
        if (*p && *p != ',')
            break;
    }
    for (size_t i = 0; i < len; i++)
        json_push(bytes, json_integer(bits[i]));
    add_since(properties, name, "ay", bytes, 244);
}

/* systemd thinks in microseconds a second, and in whole percents of a processor: upwards, so that
 * the container is not given less than it was promised. */
static void add_quota(json_t *properties, long long quota, long long period)
{
    long long a_second = quota > 0 ? quota * 1000000 / period : INFINITE;

    if (a_second % 10000 && a_second > 0)
        a_second = (a_second / 10000 + 1) * 10000;
    add_since(properties, "CPUQuotaPeriodUSec", "t", json_integer(period), 242);
    add(properties, "CPUQuotaPerSecUSec", "t", json_integer(a_second));
}

static long long number_in(const char *base, const struct cgroup *cg, const char *file,
                           long long otherwise)
{
    cleanup_buf struct buf text = {0};

    return cgroup_read(base, cg->path, file, &text) < 0 ? otherwise : number_of(text.data);
}

/* "50000 100000", "max"; the period may be left out: then it is what the group has. */
static void add_cpu_max(const struct cgroup *cg, const char *text, json_t *properties)
{
    const char *blank = strchr(text, ' ');
    cleanup_buf struct buf now = {0};

    if (!blank && !cgroup_read(cg->root, cg->path, "cpu.max", &now))
        blank = strchr(now.data, ' ');
    add_quota(properties, number_of(text), blank ? strtoll(blank + 1, NULL, 10) : 100000);
}

static void add_cfs(const struct cgroup *cg, const struct cgroup_plan *plan, json_t *properties)
{
    cleanup_free char *base = cgroup_v1_base(cg, "cpu");
    long long quota = number_in(base, cg, "cpu.cfs_quota_us", INFINITE);
    long long period = number_in(base, cg, "cpu.cfs_period_us", 100000);
    bool wanted = false;

    for (size_t i = 0; i < plan->len; i++) {
        bool is_quota = !strcmp(plan->items[i].file, "cpu.cfs_quota_us");
        bool is_period = !strcmp(plan->items[i].file, "cpu.cfs_period_us");

        if (is_quota || is_period)
            *(is_quota ? &quota : &period) = number_of(plan->items[i].text);
        wanted = wanted || is_quota || is_period;
    }
    if (wanted)
        add_quota(properties, quota, period);
}

/* --- block devices: [["/dev/block/8:0", 1048576]] --------------------------------------------- */

static const struct {
    const char *key, *name;
} throttles[] = {
    {"rbps=", "IOReadBandwidthMax"},
    {"wbps=", "IOWriteBandwidthMax"},
    {"riops=", "IOReadIOPSMax"},
    {"wiops=", "IOWriteIOPSMax"},
};

static json_t *device_value(const char *device, size_t n, const char *value)
{
    cleanup_free char *path = str_format("/dev/block/%.*s", (int)n, device);
    json_t *pair = json_array();

    json_push(pair, json_string(path));
    json_push(pair, json_integer(number_of(value)));
    return json_pack("[o]", pair);
}

static void add_io(const char *file, const char *text, json_t *properties)
{
    size_t n = strcspn(text, " ");
    bool weight = !strcmp(file, "io.weight");

    if (weight && !text[n])
        add_number(properties, "IOWeight", text);
    else if (weight)
        add(properties, "IODeviceWeight", "a(st)", device_value(text, n, text + n + 1));
    for (size_t i = 0; !weight && i < sizeof throttles / sizeof *throttles; i++)
        if (text[n] && str_starts(text + n + 1, throttles[i].key))
            add(properties, throttles[i].name, "a(st)",
                device_value(text, n, text + n + 1 + strlen(throttles[i].key)));
}

/* --- the plan --------------------------------------------------------------------------------- */

static const struct {
    const char *file, *name;
    void (*add)(json_t *properties, const char *name, const char *text);
} files[] = {
    {"memory.max", "MemoryMax", add_number},
    {"memory.low", "MemoryLow", add_number},
    {"memory.min", "MemoryMin", add_number},
    {"memory.high", "MemoryHigh", add_number},
    {"memory.swap.max", "MemorySwapMax", add_number},
    {"cpu.weight", "CPUWeight", add_number},
    {"pids.max", "TasksMax", add_number}, /* both versions */
    {"cpuset.cpus", "AllowedCPUs", add_set},
    {"cpuset.mems", "AllowedMemoryNodes", add_set},
    /* version 1 */
    {"memory.limit_in_bytes", "MemoryLimit", add_number},
    {"cpu.shares", "CPUShares", add_number},
    {"blkio.weight", "BlockIOWeight", add_number},
    {"blkio.bfq.weight", "BlockIOWeight", add_number},
};

static void add_setting(const struct cgroup *cg, const struct cgroup_setting *setting,
                        json_t *properties)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (!strcmp(setting->file, files[i].file))
            files[i].add(properties, files[i].name, setting->text);
    if (!strcmp(setting->file, "cpu.max"))
        add_cpu_max(cg, setting->text, properties);
    if (!strcmp(setting->file, "io.weight") || !strcmp(setting->file, "io.max"))
        add_io(setting->file, setting->text, properties);
    /* Idleness is a weight of 0. There is no property for the way back: the next weight is. */
    if (!strcmp(setting->file, "cpu.idle") && !strcmp(setting->text, "1"))
        add_since(properties, "CPUWeight", "t", json_integer(0), 252);
}

void systemd_add_limits(const struct cgroup *cg, const struct cgroup_plan *plan, json_t *properties)
{
    for (size_t i = 0; i < plan->len; i++)
        add_setting(cg, &plan->items[i], properties);
    add_cfs(cg, plan, properties);
}

/* --- devices -------------------------------------------------------------------------------------
 * systemd keeps a list of what is allowed, and no exceptions to it; by number since version 240.
 * Our own rules are in force beside it, and both must agree: where the list cannot say it, all is
 * allowed there. */

/* NULL: there are no words for it. */
static char *device_name(const struct device_rule *rule)
{
    const char *kind = rule->type == 'b' ? "block" : "char";

    if (rule->major < 0)
        return rule->minor < 0 ? str_format("%s-*", kind) : NULL;
    return rule->minor < 0 ? str_format("%s-%lld", kind, rule->major)
                           : str_format("/dev/%s/%lld:%lld", kind, rule->major, rule->minor);
}

/* The list, or NULL if it takes more than a list. */
static json_t *allowed_devices(const struct device_rules *rules)
{
    cleanup_json json_t *list = json_array();

    if (rules->items[0].allow)
        return NULL;
    for (size_t i = 1; i < rules->len; i++) {
        cleanup_free char *name = device_name(&rules->items[i]);

        if (!name)
            return NULL;
        if (*rules->items[i].access)
            json_push(list, json_pack("[s,s]", name, rules->items[i].access));
    }
    return json_incref(list);
}

int systemd_add_devices(const json_t *resources, json_t *properties, struct err *err)
{
    cleanup_with(device_rules_free) struct device_rules rules = {0}, simple = {0};
    struct err holes = {0};
    json_t *list;

    if (device_rules_read(resources, &rules, err) < 0)
        return -err->code;
    list = device_rules_for_v1(&rules, &simple, &holes) < 0 ? NULL : allowed_devices(&simple);
    add(properties, "DevicePolicy", "s", json_string(list ? "strict" : "auto"));
    add(properties, "DeviceAllow", "a(ss)", json_array()); /* forgets what was there */
    if (list)
        add(properties, "DeviceAllow", "a(ss)", list);
    return 0;
}

void systemd_add_scope(const char *id, const char *slice, pid_t init, json_t *properties)
{
    static const char *const counted[] = {"MemoryAccounting", "CPUAccounting", "IOAccounting",
                                          "TasksAccounting"};
    cleanup_free char *description = str_format("cooper container %s", id);

    add(properties, "Description", "s", json_string(description));
    add(properties, "Slice", "s", json_string(slice));
    /* The groups below are the container's own, and those of this one we may write to as well. */
    add(properties, "Delegate", "b", json_true());
    add(properties, "PIDs", "au", json_pack("[i]", init));
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++)
        add(properties, counted[i], "b", json_true());
    /* It does not end with the host's "stop everything" before its engine does. */
    add(properties, "DefaultDependencies", "b", json_false());
    /* Forgotten when it has ended, however it did. */
    add_since(properties, "CollectMode", "s", json_string("inactive-or-failed"), 236);
}
