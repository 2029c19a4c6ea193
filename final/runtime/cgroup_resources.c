/* linux.resources checked: what is wrong in itself is refused before the first file is written
 * (OCI runtime-spec 1.2, config-linux.md, "Control groups"). Members nobody knows are passed over,
 * as the specification demands (config.md, "Extensibility"); devices are read in cgroup_device.c.
 */
#include "runtime/cgroup_plan.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"

enum kind { NUMBER, FLAG, TEXT, LIST, TABLE };

/* Numbers: 0 is always allowed, it means "not given" or is checked by the translation. */
static const struct field {
    const char *member;
    enum kind kind;
    long long low, high;
} fields[] = {
    {"devices", LIST, 0, 0},
    {"memory", TABLE, 0, 0}, /* these before what is in them */
    {"cpu", TABLE, 0, 0},
    {"blockIO", TABLE, 0, 0},
    {"network", TABLE, 0, 0},
    {"pids", TABLE, 0, 0},
    {"memory.limit", NUMBER, -1, INT64_MAX},
    {"memory.reservation", NUMBER, -1, INT64_MAX},
    {"memory.swap", NUMBER, -1, INT64_MAX},
    {"memory.kernel", NUMBER, -1, INT64_MAX},
    {"memory.kernelTCP", NUMBER, -1, INT64_MAX},
    {"memory.swappiness", NUMBER, 0, 100},
    {"memory.disableOOMKiller", FLAG, 0, 0},
    {"memory.useHierarchy", FLAG, 0, 0},
    {"memory.checkBeforeUpdate", FLAG, 0, 0},
    {"cpu.shares", NUMBER, 1, INT64_MAX},
    {"cpu.quota", NUMBER, -1, INT64_MAX},
    {"cpu.burst", NUMBER, 0, INT64_MAX},
    {"cpu.period", NUMBER, 1, INT64_MAX},
    {"cpu.realtimeRuntime", NUMBER, -1, INT64_MAX},
    {"cpu.realtimePeriod", NUMBER, 1, INT64_MAX},
    {"cpu.cpus", TEXT, 0, 0},
    {"cpu.mems", TEXT, 0, 0},
    {"cpu.idle", NUMBER, 0, 1},
    {"blockIO.weight", NUMBER, 10, 1000},
    {"blockIO.leafWeight", NUMBER, 10, 1000},
    {"blockIO.weightDevice", LIST, 0, 0},
    {"blockIO.throttleReadBpsDevice", LIST, 0, 0},
    {"blockIO.throttleWriteBpsDevice", LIST, 0, 0},
    {"blockIO.throttleReadIOPSDevice", LIST, 0, 0},
    {"blockIO.throttleWriteIOPSDevice", LIST, 0, 0},
    {"hugepageLimits", LIST, 0, 0},
    {"network.classID", NUMBER, 0, UINT32_MAX},
    {"network.priorities", LIST, 0, 0},
    {"pids.limit", NUMBER, -1, INT64_MAX},
    {"rdma", TABLE, 0, 0},
    {"unified", TABLE, 0, 0},
};

/* Members of the elements of a list (`list` alone) or of a table. */
static const struct part {
    const char *list, *member;
    enum kind kind;
    bool required;
    long long high;
} parts[] = {
    {"blockIO.weightDevice", "major", NUMBER, true, UINT32_MAX},
    {"blockIO.weightDevice", "minor", NUMBER, true, UINT32_MAX},
    {"blockIO.weightDevice", "weight", NUMBER, false, 1000},
    {"blockIO.weightDevice", "leafWeight", NUMBER, false, 1000},
    {"blockIO.throttle", "major", NUMBER, true, UINT32_MAX},
    {"blockIO.throttle", "minor", NUMBER, true, UINT32_MAX},
    {"blockIO.throttle", "rate", NUMBER, true, INT64_MAX},
    {"hugepageLimits", "pageSize", TEXT, true, 0},
    {"hugepageLimits", "limit", NUMBER, true, INT64_MAX},
    {"network.priorities", "name", TEXT, true, 0},
    {"network.priorities", "priority", NUMBER, true, UINT32_MAX},
    {"rdma", "hcaHandles", NUMBER, false, UINT32_MAX},
    {"rdma", "hcaObjects", NUMBER, false, UINT32_MAX},
};

bool cgroup_wanted(const json_t *resources, const char *member)
{
    const json_t *value = json_at(resources, member);

    return value && !json_is_null(value);
}

static bool is_of_kind(const json_t *value, enum kind kind)
{
    switch (kind) {
    case NUMBER:
        return json_is_integer(value);
    case FLAG:
        return json_is_boolean(value);
    case TEXT:
        return json_is_string(value);
    case LIST:
        return json_is_array(value);
    case TABLE:
        return json_is_object(value);
    }
    return false;
}

static int check_kind(const json_t *value, enum kind kind, const char *what, struct err *err)
{
    static const char *const names[] = {"a whole number", "true or false", "a string", "a list",
                                        "an object"};

    return is_of_kind(value, kind)
               ? 0
               : err_set(err, EINVAL, "linux.resources.%s is not %s", what, names[kind]);
}

static int check_range(const json_t *value, long long low, long long high, const char *what,
                       struct err *err)
{
    long long number = json_integer_value(value);

    if (!json_is_integer(value) || !number || (number >= low && number <= high))
        return 0;
    if (high == INT64_MAX)
        return err_set(err, EINVAL, "linux.resources.%s %lld is too small: at least %lld", what,
                       number, low);
    return err_set(err, EINVAL, "linux.resources.%s %lld is not between %lld and %lld", what,
                   number, low, high);
}

/* Names end up in lines that the kernel splits at blanks. */
static int check_name(const char *name, const char *what, struct err *err)
{
    return *name && !strpbrk(name, " \t\n/")
               ? 0
               : err_set(err, EINVAL, "linux.resources.%s: '%s' is not a name", what, name);
}

static int check_part(const json_t *element, const struct part *part, const char *what,
                      struct err *err)
{
    const json_t *value = json_object_get(element, part->member);
    cleanup_free char *full = str_format("%s.%s", what, part->member);

    if (!value || json_is_null(value))
        return part->required ? err_set(err, EINVAL, "linux.resources.%s is missing", full) : 0;
    if (check_kind(value, part->kind, full, err) < 0 ||
        check_range(value, 0, part->high, full, err) < 0)
        return -err->code;
    return part->kind == TEXT ? check_name(json_string_value(value), full, err) : 0;
}

static int check_element(const char *list, const json_t *element, const char *what, struct err *err)
{
    if (check_kind(element, TABLE, what, err) < 0)
        return -err->code;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (str_starts(list, parts[i].list) && check_part(element, &parts[i], what, err) < 0)
            return -err->code;
    return 0;
}

static int check_list(const struct field *field, const json_t *list, struct err *err)
{
    const json_t *element;
    size_t i;

    json_array_foreach(list, i, element)
    {
        cleanup_free char *what = str_format("%s[%zu]", field->member, i);

        if (check_element(field->member, element, what, err) < 0)
            return -err->code;
    }
    return 0;
}

static int check_rdma(const json_t *devices, struct err *err)
{
    const char *name;
    json_t *limits;

    json_object_foreach((json_t *)devices, name, limits)
    {
        cleanup_free char *what = str_format("rdma.%s", name);

        if (check_name(name, "rdma", err) < 0 || check_element("rdma", limits, what, err) < 0)
            return -err->code;
        if (!cgroup_wanted(limits, "hcaHandles") && !cgroup_wanted(limits, "hcaObjects"))
            return err_set(err, EINVAL, "linux.resources.%s has neither hcaHandles nor hcaObjects",
                           what);
    }
    return 0;
}

static int check_field(const json_t *resources, const struct field *field, struct err *err)
{
    const json_t *value = json_at(resources, field->member);

    if (!value || json_is_null(value))
        return 0;
    if (check_kind(value, field->kind, field->member, err) < 0 ||
        check_range(value, field->low, field->high, field->member, err) < 0)
        return -err->code;
    return field->kind == LIST ? check_list(field, value, err) : 0;
}

/* What contradicts itself. */
static int check_together(const json_t *resources, struct err *err)
{
    long long limit = json_int(resources, "memory.limit", 0),
              swap = json_int(resources, "memory.swap", 0);
    long long quota = json_int(resources, "cpu.quota", 0),
              burst = json_int(resources, "cpu.burst", 0);

    if (swap > 0 && limit > 0 && swap < limit)
        return err_set(err, EINVAL,
                       "linux.resources.memory.swap %lld is below memory.limit %lld: it is the sum "
                       "of both",
                       swap, limit);
    if (quota > 0 && burst > quota)
        return err_set(err, EINVAL, "linux.resources.cpu.burst %lld is above cpu.quota %lld", burst,
                       quota);
    return 0;
}

int cgroup_check_resources(const json_t *resources, struct err *err)
{
    if (!resources || json_is_null(resources))
        return 0;
    if (!json_is_object(resources))
        return err_set(err, EINVAL, "linux.resources is not an object");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (check_field(resources, &fields[i], err) < 0)
            return -err->code;
    if (cgroup_check_cpuset(json_str(resources, "cpu.cpus", ""), err) < 0)
        return err_wrap(err, "linux.resources.cpu.cpus");
    if (cgroup_check_cpuset(json_str(resources, "cpu.mems", ""), err) < 0)
        return err_wrap(err, "linux.resources.cpu.mems");
    return check_rdma(json_at(resources, "rdma"), err) < 0 ? -err->code
                                                           : check_together(resources, err);
}

const char *cgroup_first_limit(const struct cgroup *cg, const json_t *resources)
{
    cleanup_with(cgroup_plan_free) struct cgroup_plan plan = {0};
    struct err impossible = {0};

    if (json_object_size(json_at(resources, "unified")))
        return "unified";
    if (runtime_cgroup_version(cg->root) == 1)
        cgroup_v1_plan(cg, resources, false, &plan, &impossible);
    else if (cgroup_v2_plan(cg, resources, false, &plan, &impossible) < 0)
        return ""; /* a limit that could not be set anywhere is one */
    return plan.len ? plan.items[0].field : NULL;
}
