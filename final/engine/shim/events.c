/* events.c - the events that only the shim knows of: the container's start and its end. */
#include <fcntl.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/shim/shim.h"
#include "storage/storage.h"

#define SHIM_FILE_MAX (4u << 20)

json_t *shim_load_file(const struct shim_options *o)
{
    cleanup_free char *path = str_format("%s/shim.json", o->dir);
    struct err ignored;

    return json_load(AT_FDCWD, path, SHIM_FILE_MAX, &ignored);
}

/* Read anew each time: a container may have been renamed. */
static json_t *attributes(const struct shim_options *o)
{
    cleanup_json json_t *document = shim_load_file(o);

    return document ? json_incref(json_object_get(document, "attributes")) : NULL;
}

static void emit_event(const struct shim_options *o, const struct event *event)
{
    cleanup_close int root = open(o->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct err ignored;

    if (root >= 0)
        store_event_add(root, event, &ignored);
}

static void emit(const struct shim_options *o, const char *action, const json_t *attributes)
{
    emit_event(o, &(struct event){"container", action, o->id, attributes});
}

void shim_network_event(const struct shim_options *o, const char *action, const char *network_id,
                        const char *name)
{
    cleanup_json json_t *list = json_object();

    json_put_str(list, "container", o->id);
    json_put_str(list, "name", name);
    json_put_str(list, "type", "bridge");
    emit_event(o, &(struct event){"network", action, network_id, list});
}

void shim_volume_event(const struct shim_options *o, const char *action, const char *name)
{
    cleanup_json json_t *list = json_object();

    json_put_str(list, "container", o->id);
    json_put_str(list, "driver", "local");
    emit_event(o, &(struct event){"volume", action, name, list});
}

void shim_event(const struct shim_options *o, const char *action, const char *name,
                const char *value)
{
    cleanup_json json_t *list = attributes(o);

    if (list && name)
        json_put_str(list, name, value);
    if (list)
        emit(o, action, list);
}

void shim_exec_event(const struct shim_options *o, const char *action, int exit_code)
{
    cleanup_json json_t *list = attributes(o);
    char code[16];

    if (!list || !o->exec_id)
        return;
    snprintf(code, sizeof code, "%d", exit_code);
    json_put_str(list, "execID", o->exec_id);
    json_put_str(list, "exitCode", code);
    emit(o, action, list);
}
