/* events.c - what the engine tells about: containers with docker's attributes, and whatever other
 * rooms do. An event that cannot be written is no reason to fail what it tells of. */
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/log.h"

void engine_event(struct engine *e, const char *type, const char *action, const char *id,
                  json_t *attributes)
{
    cleanup_json json_t *owned = attributes;
    struct event event = {type, action, id, owned};
    struct err ignored = {0};

    store_event_add(e->store->root_fd, &event, &ignored);
}

json_t *container_attributes(const struct container *c)
{
    json_t *attributes = json_object();

    json_object_update(attributes, json_at(c->config, "Config.Labels"));
    json_put_str(attributes, "image", c->image_name);
    json_put_str(attributes, "name", c->name);
    return attributes;
}

void container_event(struct engine *e, const struct container *c, const char *action, ...)
{
    json_t *attributes = container_attributes(c);
    const char *name;
    va_list pairs;

    va_start(pairs, action);
    while ((name = va_arg(pairs, const char *)))
        json_put_str(attributes, name, va_arg(pairs, const char *));
    va_end(pairs);
    engine_event(e, "container", action, c->id, attributes);
}

void engine_container_event(struct engine *e, const struct container *c, const char *action)
{
    container_event(e, c, action, NULL);
}

/* Of which the shim tells when it ends, and lets go. */
static void put_volumes(json_t *document, const struct container *c)
{
    json_t *names = NULL, *mount;
    size_t i;

    json_array_foreach(json_object_get(c->config, "Mounts"), i, mount)
    {
        if (strcmp(json_str(mount, "Type", ""), "volume"))
            continue;
        if (!names)
            json_put(document, "volumes", names = json_array());
        json_push(names, json_string(json_str(mount, "Name", "")));
    }
}

/* What the shim must know and what may change while it runs: containers/<id>/shim.json. */
static json_t *shim_document(const struct container *c)
{
    json_t *document = json_object(), *health, *log;

    json_put(document, "attributes", container_attributes(c));
    if (json_at(c->config, "HostConfig.RestartPolicy"))
        json_object_set(document, "restart", json_at(c->config, "HostConfig.RestartPolicy"));
    if ((health = health_document(json_object_get(c->config, "Config"))))
        json_put(document, "health", health);
    if ((log = log_plan(c)))
        json_put(document, "log", log);
    put_volumes(document, c);
    return document;
}

int container_write_shim_file(const struct container *c, int dir, bool is_new, struct err *err)
{
    cleanup_json json_t *document = shim_document(c);
    cleanup_free char *text = json_text(document, JSON_COMPACT);

    if (is_new)
        return file_create(dir, "shim.json", text, strlen(text), 0600, err);
    return file_store(dir, "shim.json", text, strlen(text), 0600, false, err);
}
