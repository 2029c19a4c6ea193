/* inspect.c - docker's inspect documents from our records. */
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "engine/log.h"
#include "engine/network.h"

static void put_time(json_t *object, const char *name, int64_t ns)
{
    char text[40];

    clock_format(ns, text);
    json_put_str(object, name, text);
}

static json_t *state_section(struct engine *e, const struct container *c)
{
    json_t *state = json_object(), *health = engine_health(e, c);
    bool running = container_running(c), restarting = !strcmp(c->state, "restarting");

    json_put_str(state, "Status", !strcmp(c->state, "starting") ? "created" : c->state);
    json_put(state, "Running", json_boolean(running || restarting));
    json_put(state, "Paused", json_boolean(!strcmp(c->state, "paused")));
    json_put(state, "Restarting", json_boolean(restarting));
    json_put(state, "OOMKilled", json_boolean(c->oom_killed));
    json_put(state, "Dead", json_boolean(!strcmp(c->state, "dead")));
    json_put(state, "Health", health ? health : json_null());
    json_put(state, "Pid", json_integer(running ? c->init.pid : 0));
    json_put(state, "ExitCode", json_integer(running ? 0 : c->exit_code));
    json_put_str(state, "Error", c->error ? c->error : "");
    put_time(state, "StartedAt", c->started_ns);
    put_time(state, "FinishedAt", c->finished_ns);
    return state;
}

static void put_file(json_t *object, const char *name, const char *dir, const char *file)
{
    cleanup_free char *path = str_format("%s/%s", dir, file);

    json_put_str(object, name, path);
}

/* MergedDir is where the overlay is mounted, in the container's own mount namespace. */
static int graph_driver(struct engine *e, const struct container *c, const char *dir,
                        json_t *document, struct err *err)
{
    cleanup_strv struct strv layers = {0};
    cleanup_buf struct buf lower = {0};
    json_t *driver = json_object(), *data = json_object();
    int r = store_image_layers(e->store, c->image_id, &layers, NULL, err);

    for (size_t i = layers.len; i-- > 0;)
        buf_printf(&lower, "%s/layers/%s%s", e->store->root, layers.items[i], i ? ":" : "");
    json_put_str(data, "LowerDir", lower.data ? lower.data : "");
    put_file(data, "MergedDir", dir, "merged");
    put_file(data, "UpperDir", dir, "upper");
    put_file(data, "WorkDir", dir, "work");
    json_put(driver, "Data", data);
    json_put_str(driver, "Name", "overlay2");
    json_put(document, "GraphDriver", driver);
    return r;
}

static void put_complete(json_t *document, const char *section, json_t *given)
{
    json_put(document, section, inspect_complete(section, given));
}

static json_t *mounts_section(const struct container *c)
{
    json_t *list = json_array(), *mount;
    size_t i;

    json_array_foreach(json_object_get(c->config, "Mounts"), i, mount)
    {
        json_push(list, inspect_complete("Mount", mount));
    }
    return list;
}

static void put_paths(json_t *document, const struct container *c, const char *dir)
{
    cleanup_free char *log = str_format("%s-json.log", c->id);
    bool json = !strcmp(log_driver(json_object_get(c->config, "HostConfig")), "json-file");

    put_file(document, "ResolvConfPath", dir, "resolv.conf");
    put_file(document, "HostnamePath", dir, "hostname");
    put_file(document, "HostsPath", dir, "hosts");
    if (json)
        put_file(document, "LogPath", dir, log);
    else
        json_put_str(document, "LogPath", "");
}

json_t *engine_inspect_container(struct engine *e, const struct container *c, struct err *err)
{
    json_t *document = json_object();
    cleanup_free char *dir = container_path(e, c->id);
    cleanup_free char *name = str_format("/%s", c->name);

    json_put_str(document, "Id", c->id);
    put_time(document, "Created", c->created_ns);
    json_object_set(document, "Path", json_object_get(c->config, "Path"));
    json_object_set(document, "Args", json_object_get(c->config, "Args"));
    json_put(document, "State", state_section(e, c));
    json_put_str(document, "Image", c->image_id);
    put_paths(document, c, dir);
    json_put_str(document, "Name", name);
    json_put(document, "RestartCount", json_integer(c->restarts));
    json_put_str(document, "Driver", "overlay2");
    json_put_str(document, "Platform", "linux");
    json_put_str(document, "MountLabel", "");
    json_put_str(document, "ProcessLabel", "");
    json_put_str(document, "AppArmorProfile", "");
    json_put(document, "ExecIDs", json_null());
    put_complete(document, "HostConfig", json_object_get(c->config, "HostConfig"));
    json_put(json_object_get(document, "HostConfig"), "Links", links_document(e, c));
    if (graph_driver(e, c, dir, document, err) < 0) {
        json_decref(document);
        return NULL;
    }
    json_put(document, "Mounts", mounts_section(c));
    put_complete(document, "Config", json_object_get(c->config, "Config"));
    if (inspect_network_settings(e, c, document, err) < 0) {
        json_decref(document);
        return NULL;
    }
    return document;
}

static json_t *familiar_list(const struct strv *names)
{
    json_t *list = json_array();

    for (size_t i = 0; i < names->len; i++) {
        cleanup_free char *familiar = reference_familiar(names->items[i]);

        json_push(list, json_string(familiar));
    }
    return list;
}

static int put_layers(struct engine *e, const struct image *image, const json_t *config,
                      json_t *document, struct err *err)
{
    cleanup_strv struct strv dirs = {0};
    cleanup_buf struct buf lower = {0};
    json_t *driver = json_object(), *data = json_object(), *rootfs = json_object();
    json_t *diff_ids = json_at(config, "rootfs.diff_ids");
    int r = store_image_layers(e->store, image->id, &dirs, NULL, err);

    for (size_t i = dirs.len; i-- > 1;)
        buf_printf(&lower, "%s/layers/%s%s", e->store->root, dirs.items[i - 1], i > 1 ? ":" : "");
    if (lower.data)
        json_put_str(data, "LowerDir", lower.data);
    if (dirs.len) {
        cleanup_free char *upper =
            str_format("%s/layers/%s", e->store->root, dirs.items[dirs.len - 1]);

        json_put_str(data, "UpperDir", upper);
    }
    json_put(driver, "Data", data);
    json_put_str(driver, "Name", "overlay2");
    json_put(document, "GraphDriver", driver);
    json_put_str(rootfs, "Type", "layers");
    json_put(rootfs, "Layers", diff_ids ? json_incref(diff_ids) : json_array());
    json_put(document, "RootFS", rootfs);
    return r;
}

static void put_member(json_t *document, const char *name, const json_t *config, const char *member)
{
    json_put_str(document, name, json_str(config, member, ""));
}

json_t *engine_inspect_image(struct engine *e, const struct image *image, struct err *err)
{
    cleanup_json json_t *config = store_image_config(e->store, image->id, err);
    json_t *document, *inner;

    if (!config)
        return NULL;
    document = json_object();
    inner = json_object_get(config, "config");
    json_put_str(document, "Id", image->id);
    json_put(document, "RepoTags", familiar_list(&image->references));
    json_put(document, "RepoDigests", familiar_list(&image->digests));
    json_put_str(document, "Parent", image->parent);
    put_member(document, "Comment", config, "comment");
    put_time(document, "Created", image->created_ns);
    put_member(document, "Author", config, "author");
    put_complete(document, "Config", inner);
    put_member(document, "Architecture", config, "architecture");
    if (*json_str(config, "variant", ""))
        put_member(document, "Variant", config, "variant");
    put_member(document, "Os", config, "os");
    json_put(document, "Size", json_integer((json_int_t)image->size));
    json_put(document, "Metadata", json_object());
    put_time(json_object_get(document, "Metadata"), "LastTagTime", image->tagged_ns);
    if (put_layers(e, image, config, document, err) < 0) {
        json_decref(document);
        return NULL;
    }
    return document;
}
