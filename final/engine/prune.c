/* prune.c - what is not used goes, all at once: containers that do not run, networks nobody is on.
 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/network.h"

static bool has_label(const json_t *labels, const char *wanted)
{
    size_t n = strcspn(wanted, "=");
    cleanup_free char *name = str_copy_n(wanted, n);
    const char *value = json_string_value(json_object_get(labels, name));

    return value && (!wanted[n] || !strcmp(value, wanted + n + 1));
}

bool prune_allows(const struct prune_filter *filter, const json_t *labels, int64_t created_ns)
{
    if (filter->until_ns && created_ns >= filter->until_ns)
        return false;
    for (size_t i = 0; i < filter->labels.len; i++)
        if (!has_label(labels, filter->labels.items[i]))
            return false;
    for (size_t i = 0; i < filter->not_labels.len; i++)
        if (has_label(labels, filter->not_labels.items[i]))
            return false;
    return true;
}

void prune_filter_free(struct prune_filter *filter)
{
    strv_free(&filter->labels);
    strv_free(&filter->not_labels);
}

static bool is_stopped(const struct container *c)
{
    return !strcmp(c->state, "created") || !strcmp(c->state, "exited") || !strcmp(c->state, "dead");
}

uint64_t engine_container_size(struct engine *e, const struct container *c)
{
    struct err ignored;
    unsigned long long bytes = 0;
    cleanup_close int dir = store_container_dir(e->store, c->id, false, &ignored);

    if (dir < 0 || file_tree_size(dir, "upper", &bytes, &ignored) < 0)
        return 0;
    return bytes;
}

/* What another command starts or removes at this moment is left to it. */
static int prune_one(struct engine *e, const struct container *c, struct strv *ret_ids,
                     uint64_t *bytes, struct err *err)
{
    uint64_t size = engine_container_size(e, c);
    int r = engine_remove(e, c, false, false, err);

    if (r == -EBUSY || r == -ENOENT) {
        err_clear(err);
        return 0;
    }
    if (r < 0)
        return r;
    strv_add(ret_ids, c->id);
    *bytes += size;
    return 0;
}

void engine_prune_event(struct engine *e, const char *type, uint64_t reclaimed)
{
    json_t *attributes = json_object();
    char text[24];

    snprintf(text, sizeof text, "%llu", (unsigned long long)reclaimed);
    json_put_str(attributes, "reclaimed", text);
    engine_event(e, type, "prune", "", attributes);
}

int engine_prune_containers(struct engine *e, const struct prune_filter *filter,
                            struct strv *ret_ids, uint64_t *ret_bytes, struct err *err)
{
    struct container_list list;
    int r = engine_list(e, &list, err);

    *ret_bytes = 0;
    if (r < 0)
        return r;
    for (size_t i = 0; i < list.len && !r; i++) {
        const struct container *c = &list.items[i];

        if (is_stopped(c) &&
            prune_allows(filter, json_at(c->config, "Config.Labels"), c->created_ns))
            r = prune_one(e, c, ret_ids, ret_bytes, err);
    }
    container_list_free(&list);
    engine_prune_event(e, "container", *ret_bytes);
    return r;
}

/* A network that a container joins at this moment is
 * in use. */
static int prune_network(struct engine *e, const struct network *n, struct strv *ret_names,
                         struct err *err)
{
    int r = engine_network_used(e, n, err);

    if (r)
        return r < 0 ? r : 0;
    r = engine_network_remove(e, n, err);
    if (r == -EBUSY || r == -ENOENT) {
        err_clear(err);
        return 0;
    }
    if (!r)
        strv_add(ret_names, n->name);
    return r;
}

int engine_prune_networks(struct engine *e, const struct prune_filter *filter,
                          struct strv *ret_names, struct err *err)
{
    struct network_list list;
    int r = engine_networks(e, &list, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < list.len && !r; i++) {
        const struct network *n = &list.items[i];

        if (!network_is_predefined(n->name) &&
            prune_allows(filter, json_object_get(n->config, "Labels"), n->created_ns))
            r = prune_network(e, n, ret_names, err);
    }
    network_list_free(&list);
    engine_prune_event(e, "network", 0);
    return r;
}
