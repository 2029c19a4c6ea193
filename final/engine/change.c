/* change.c - what can be changed of a container that is there: its name, its limits, its restart
 * policy. The record and shim.json, from which the shim learns of it, change under one lock. */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/internal.h"
#include "engine/network.h"
#include "runtime/runtime.h"

struct change {
    struct engine *e;
    const char *name;   /* rename: the new one */
    const json_t *host; /* update: members of HostConfig */
    char *old_name;
};

static int rewrite_shim_file(void *context, const struct container *c, struct err *err)
{
    struct change *change = context;
    cleanup_close int dir = store_container_dir(change->e->store, c->id, false, err);

    return dir < 0 ? dir : container_write_shim_file(c, dir, false, err);
}

/* --- rename
 * ------------------------------------------------------------------------------------ */

static int change_name(void *context, struct container *c, struct err *err)
{
    struct change *change = context;

    if (!strcmp(c->name, change->name))
        return err_set(err, EINVAL, "Renaming a container with the same name as its current name");
    if (strcmp(c->name, change->old_name))
        return err_set(err, EAGAIN, "container %s is called %s by now: another command was faster",
                       change->old_name, c->name);
    free(c->name);
    c->name = str_copy(change->name);
    return 0;
}

/* One that has ended meanwhile has no names any more. */
static int tell_networks(struct engine *e, struct container *c, struct err *err)
{
    int r = container_running(c) ? network_rename(e, c, err) : 0;

    if (r < 0 && !proc_alive(&c->init)) {
        err_clear(err);
        return 0;
    }
    return r < 0 ? err_wrap(err, "container %s has its new name, but not on its networks", c->name)
                 : 0;
}

int engine_rename(struct engine *e, const struct container *c, const char *name, struct err *err)
{
    struct change change = {.e = e, .name = name + (*name == '/'), .old_name = c->name};
    cleanup_free char *slashed = str_format("/%s", c->name);
    struct store_edit edit = {change_name, rewrite_shim_file, &change};
    struct container renamed = *c; /* borrows everything */
    int r;

    if (!name_valid(change.name) && strcmp(change.name, c->name)) {
        err_set(err, EINVAL,
                "Invalid container name (/%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
                change.name);
        return err_wrap(err, "Error when allocating new name");
    }
    r = store_container_edit(e->store, c->id, &edit, err);
    if (r == -ENOENT && !err->code)
        return err_set(err, ENOENT, "No such container: %s", c->name);
    if (r == -EEXIST)
        return err_wrap(err, "Error when allocating new name");
    if (r < 0)
        return r;
    renamed.name = (char *)change.name;
    container_event(e, &renamed, "rename", "oldName", slashed, NULL);
    return tell_networks(e, &renamed, err);
}

/* --- update
 * ------------------------------------------------------------------------------------ */

/* What was said twice in two ways: the new value against what is recorded. */
static const struct {
    const char *wanted, *recorded, *message;
} conflicts[] = {
    {"NanoCpus", "CpuPeriod", "Nano CPUs cannot be updated as CPU Period has already been set"},
    {"NanoCpus", "CpuQuota", "Nano CPUs cannot be updated as CPU Quota has already been set"},
    {"CpuPeriod", "NanoCpus", "CPU Period cannot be updated as NanoCPUs has already been set"},
    {"CpuQuota", "NanoCpus", "CPU Quota cannot be updated as NanoCPUs has already been set"},
};

static int check_conflicts(const json_t *wanted, const json_t *recorded, struct err *err)
{
    long long memory = json_int(wanted, "Memory", 0);

    for (size_t i = 0; i < sizeof conflicts / sizeof *conflicts; i++)
        if (json_int(wanted, conflicts[i].wanted, 0) > 0 &&
            json_int(recorded, conflicts[i].recorded, 0) > 0)
            return err_set(err, EINVAL, "Conflicting options: %s", conflicts[i].message);
    if (memory && !json_int(wanted, "MemorySwap", 0) &&
        memory > json_int(recorded, "MemorySwap", 0) && json_int(recorded, "MemorySwap", 0) != -1)
        return err_set(err, EINVAL,
                       "Memory limit should be smaller than already set memoryswap limit, update "
                       "the memoryswap at the same time");
    if (strcmp(json_str(wanted, "RestartPolicy.Name", "no"), "no") &&
        json_flag(recorded, "AutoRemove", false))
        return err_set(err, EINVAL,
                       "Restart policy cannot be updated because AutoRemove is enabled for the "
                       "container");
    return 0;
}

static int change_host(void *context, struct container *c, struct err *err)
{
    struct change *change = context;
    json_t *host = json_object_get(c->config, "HostConfig");
    int r = 0;

    if (!strcmp(c->state, "removing") || !strcmp(c->state, "dead"))
        r = err_set(err, EBUSY, "container is marked for removal and cannot be \"update\"");
    if (!r)
        r = check_conflicts(change->host, host, err);
    if (r < 0)
        return err_wrap(err, "Cannot update container %s", c->id);
    json_object_update(host, (json_t *)change->host);
    return 0;
}

/* config.json, for the starts to come. The rules about devices stay as they are. */
static int rewrite_resources(struct change *change, const struct container *c, struct err *err)
{
    cleanup_free char *path = str_format("containers/%s/config.json", c->id);
    cleanup_json json_t *spec = json_load(change->e->store->root_fd, path, SPEC_MAX, err);
    json_t *resources = limits_resources(json_object_get(c->config, "HostConfig"));
    json_t *linux_section = json_object_get(spec, "linux");

    if (!spec) {
        json_decref(resources);
        return -err->code;
    }
    json_object_set(resources, "devices", json_at(linux_section, "resources.devices"));
    json_put(linux_section, "resources", resources);
    return json_store(change->e->store->root_fd, path, spec, 0600, false, err);
}

static int limit_now(const struct change *change, const struct container *c, struct err *err)
{
    cleanup_free char *path = container_cgroup(json_object_get(c->config, "HostConfig"), c->id);
    struct runtime_cgroup_place place = {.path = path};
    cleanup_json json_t *resources = limits_resources(change->host);
    int r;

    if (!container_running(c) || !json_object_size(resources))
        return 0;
    r = runtime_cgroup_update(&place, resources, err);
    if (r == -ENOENT) { /* it has just ended */
        err_clear(err);
        return 0;
    }
    return r < 0 ? err_wrap(err, "Cannot update container %s", c->id) : 0;
}

/* The kernel first: it may refuse. */
static int apply_host(void *context, const struct container *c, struct err *err)
{
    int r = limit_now(context, c, err);

    if (!r)
        r = rewrite_resources(context, c, err);
    return r < 0 ? r : rewrite_shim_file(context, c, err);
}

int engine_update(struct engine *e, const struct container *c, const json_t *host, struct err *err)
{
    struct change change = {.e = e, .host = host};
    struct store_edit edit = {change_host, apply_host, &change};
    cleanup_json json_t *policy = json_object();
    int r = limits_check(host, true, err);

    json_object_set(policy, "RestartPolicy", json_object_get(host, "RestartPolicy"));
    if (!r)
        r = policy_check(policy, err);
    if (!r)
        r = store_container_edit(e->store, c->id, &edit, err);
    if (r == -ENOENT && !err->code)
        return err_set(err, ENOENT, "No such container: %s", c->name);
    if (r < 0)
        return r;
    container_event(e, c, "update", NULL);
    return 0;
}
