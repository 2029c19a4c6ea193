/* update: other limits for a container that lives. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "runtime/cli/bundle.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/container.h"
#include "runtime/rdt.h"

static const struct flag update_flags[] = {
    {'r', "resources", FLAG_TEXT, NULL,
     "file with the resources to update (linux.resources of a config.json), '-' for the standard "
     "input; all other flags are ignored then"},
    {0, "blkio-weight", FLAG_NUMBER, NULL, "per cgroup weight, range is from 10 to 1000"},
    {0, "cpu-period", FLAG_NUMBER, NULL, "CPU CFS period to be used for hardcapping (in usecs)"},
    {0, "cpu-quota", FLAG_NUMBER, NULL, "CPU CFS hardcap limit (in usecs)"},
    {0, "cpu-burst", FLAG_NUMBER, NULL, "CPU CFS burst (in usecs)"},
    {0, "cpu-share", FLAG_NUMBER, NULL, "CPU shares (relative weight vs. other containers)"},
    {0, "cpu-rt-period", FLAG_NUMBER, NULL, "CPU realtime period (in usecs)"},
    {0, "cpu-rt-runtime", FLAG_NUMBER, NULL, "CPU realtime hardcap limit (in usecs)"},
    {0, "cpu-idle", FLAG_NUMBER, NULL, "1: run only when nobody else wants to"},
    {0, "cpuset-cpus", FLAG_TEXT, NULL, "CPU(s) to use"},
    {0, "cpuset-mems", FLAG_TEXT, NULL, "memory node(s) to use"},
    {0, "memory", FLAG_TEXT, NULL, "memory limit (in bytes, or with a suffix k, m, g)"},
    {0, "memory-reservation", FLAG_TEXT, NULL, "memory reservation or soft limit"},
    {0, "memory-swap", FLAG_TEXT, NULL, "total memory usage (memory + swap); -1: no limit"},
    {0, "kernel-memory", FLAG_TEXT, NULL, "kernel memory limit"},
    {0, "kernel-memory-tcp", FLAG_TEXT, NULL, "kernel memory limit for tcp buffers"},
    {0, "pids-limit", FLAG_NUMBER, NULL, "maximum number of pids allowed in the container"},
    {0, "l3-cache-schema", FLAG_TEXT, NULL,
     "the string of Intel RDT/CAT L3 cache schema, for a container with linux.intelRdt"},
    {0, "mem-bw-schema", FLAG_TEXT, NULL,
     "the string of Intel RDT/MBA memory bandwidth schema, likewise"},
    FLAGS_END,
};

/* Where each flag's value belongs. */
static const struct target {
    const char *flag, *section, *member;
    enum { NUMBER, TEXT, BYTES } kind;
} targets[] = {
    {"blkio-weight", "blockIO", "weight", NUMBER},
    {"cpu-period", "cpu", "period", NUMBER},
    {"cpu-quota", "cpu", "quota", NUMBER},
    {"cpu-burst", "cpu", "burst", NUMBER},
    {"cpu-share", "cpu", "shares", NUMBER},
    {"cpu-rt-period", "cpu", "realtimePeriod", NUMBER},
    {"cpu-rt-runtime", "cpu", "realtimeRuntime", NUMBER},
    {"cpu-idle", "cpu", "idle", NUMBER},
    {"cpuset-cpus", "cpu", "cpus", TEXT},
    {"cpuset-mems", "cpu", "mems", TEXT},
    {"memory", "memory", "limit", BYTES},
    {"memory-reservation", "memory", "reservation", BYTES},
    {"memory-swap", "memory", "swap", BYTES},
    {"kernel-memory", "memory", "kernel", BYTES},
    {"kernel-memory-tcp", "memory", "kernelTCP", BYTES},
    {"pids-limit", "pids", "limit", NUMBER},
};

/* "512m", "1.5g", "64KiB", "1024", "-1": as docker's units package reads them. */
static int parse_bytes(const char *text, json_int_t *ret)
{
    static const char suffixes[] = "kmgtp";
    char *end, *suffix;
    double value;

    if (!strcmp(text, "-1")) {
        *ret = -1;
        return 0;
    }
    if (!isdigit((unsigned char)*text))
        return -EINVAL;
    value = strtod(text, &end);
    end += *end == ' ';
    suffix = *end ? strchr(suffixes, tolower((unsigned char)*end)) : NULL;
    if (suffix) {
        for (const char *s = suffixes; s <= suffix; s++)
            value *= 1024;
        end++;
        end += tolower((unsigned char)*end) == 'i';
    }
    end += tolower((unsigned char)*end) == 'b';
    if (*end || value >= 9e18)
        return -EINVAL;
    *ret = (json_int_t)value;
    return 0;
}

static json_t *section(json_t *resources, const char *name)
{
    if (!json_object_get(resources, name))
        json_put(resources, name, json_object());
    return json_object_get(resources, name);
}

static int add_flag(const struct args *args, const struct target *target, json_t *resources,
                    struct err *err)
{
    const char *value = args_text(args, target->flag);
    json_int_t number = 0;

    if (!value || !*value)
        return 0;
    if (target->kind == TEXT) {
        json_put_str(section(resources, target->section), target->member, value);
        return 0;
    }
    if (target->kind == NUMBER)
        number = args_number(args, target->flag);
    else if (parse_bytes(value, &number) < 0)
        return err_set(err, EINVAL, "invalid value for %s: invalid size: '%s'", target->flag,
                       value);
    json_put(section(resources, target->section), target->member, json_integer(number));
    return 0;
}

/* A document in which every member is spelled out, 0 or "" where nothing is to change. The members
 * with a meaning for 0 are not in the table above, or in this list. */
static void drop_unset(json_t *resources)
{
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        json_t *in = json_object_get(resources, targets[i].section);
        const json_t *value = json_object_get(in, targets[i].member);

        if (!strcmp(targets[i].member, "idle") || !strcmp(targets[i].member, "burst"))
            continue;
        if ((json_is_integer(value) && !json_integer_value(value)) ||
            (json_is_string(value) && !json_string_length(value)))
            json_object_del(in, targets[i].member);
    }
}

static json_t *load(const char *path, struct err *err)
{
    cleanup_close int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
                                             : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    cleanup_buf struct buf text = {0};

    if (fd < 0) {
        err_errno(err, "cannot open '%s'", path);
        return NULL;
    }
    if (file_load_fd(fd, CONFIG_MAX, &text, err) < 0) {
        err_wrap(err, "'%s'", path);
        return NULL;
    }
    return json_parse(text.data, text.len, path, err);
}

static json_t *wanted(const struct args *args, struct err *err)
{
    cleanup_json json_t *resources = NULL;

    if (args_given(args, "resources")) {
        resources = load(args_text(args, "resources"), err);
        drop_unset(resources);
        return json_incref(resources);
    }
    resources = json_object();
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        if (add_flag(args, &targets[i], resources, err) < 0)
            return NULL;
    drop_unset(resources);
    return json_incref(resources);
}

static void put_schema(json_t *rdt, const char *member, const char *schema)
{
    if (schema)
        json_put_str(rdt, member, schema);
    else
        json_object_del(rdt, member);
}

/* Only what is named is written into the container's class. One it does not have is not made:
 * `delete` would not know of it. */
static int update_rdt(const struct args *args, const struct container *c, struct err *err)
{
    const char *cache = args_text(args, "l3-cache-schema"),
               *bandwidth = args_text(args, "mem-bw-schema");
    cleanup_json json_t *config = NULL;
    json_t *rdt;

    if (!cache && !bandwidth)
        return 0;
    config = container_config(c, err);
    if (!config)
        return -err->code;
    rdt = json_at(config, "linux.intelRdt");
    if (!json_is_object(rdt))
        return err_set(err, ENOTSUP, "Intel RDT: the container was made without linux.intelRdt");
    json_object_del(rdt, "schemata");
    put_schema(rdt, "l3CacheSchema", cache);
    put_schema(rdt, "memBwSchema", bandwidth);
    return rdt_create(NULL, config, c->state.id, c->state.init.pid, err);
}

static int update(struct cli *cli, struct err *err)
{
    cleanup_container struct container c = CONTAINER_NONE;
    cleanup_json json_t *resources = NULL;
    struct runtime_cgroup_place place;

    if (container_lock(cli, cli->args.rest[0], &c, err) < 0)
        return -err->code;
    resources = wanted(&cli->args, err);
    if (!resources)
        return -err->code;
    if (container_status(&c) == STATE_STOPPED)
        return err_set(err, ESRCH, "container not running");
    place = state_cgroup(&c.state);
    if (runtime_cgroup_update(&place, resources, err) < 0)
        return -err->code;
    return update_rdt(&cli->args, &c, err);
}

static int cmd_update(struct cli *cli)
{
    struct err err = {0};

    return update(cli, &err) < 0 ? cli_fail(NULL, &err) : 0;
}

const struct command command_update = {
    .name = "update",
    .arguments = "<container-id>",
    .summary = "update container resource constraints",
    .details = "   What is not named stays as it is. The format of a file of resources:\n\n"
               "   {\"memory\": {\"limit\": 0, \"reservation\": 0, \"swap\": 0},\n"
               "    \"cpu\": {\"shares\": 0, \"quota\": 0, \"period\": 0, \"cpus\": \"\", "
               "\"mems\": \"\"},\n"
               "    \"blockIO\": {\"weight\": 0}, \"pids\": {\"limit\": 0}}\n\n"
               "   in which 0 and \"\" mean no change, too.\n",
    .flags = update_flags,
    .min = 1,
    .max = 1,
    .run = cmd_update,
};
