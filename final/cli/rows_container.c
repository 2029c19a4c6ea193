/* One container as `ps` and `system df -v` show it. */
#include "cli/rows_container.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/human.h"
#include "cli/rows.h"
#include "cli/sizes.h"

#define COMMAND_COLUMNS 20

/* The id of the image that has the name now, "" for none. Many containers are of few images. */
static const char *id_of_image(struct engine *e, const char *name, json_t *known)
{
    struct err ignored = {0};
    struct image image;

    if (!json_object_get(known, name)) {
        if (!engine_find_image(e, name, &image, &ignored)) {
            json_put_str(known, name, image.id);
            image_free(&image);
        } else {
            json_put_str(known, name, "");
        }
    }
    return json_string_value(json_object_get(known, name));
}

/* The name it was created from, or the image's id when that name means another image now. */
static char *image_cell(struct engine *e, const struct container *c,
                        const struct container_row *how)
{
    if (!strcmp(id_of_image(e, c->image_name, how->images), c->image_id))
        return str_copy(c->image_name);
    return how->whole ? str_copy(c->image_id) : rows_short_id(c->image_id);
}

static char *command_cell(const struct container *c, bool whole)
{
    cleanup_free char *command = rows_command(c);
    cleanup_free char *cut = whole ? str_copy(command) : human_ellipsis(command, COMMAND_COLUMNS);

    return human_quote(cut);
}

static char *size_cell(struct engine *e, const struct container *c)
{
    char written[HUMAN_MAX], whole[HUMAN_MAX];

    human_size((double)sizes_container(e, c), 3, written);
    human_size((double)sizes_container_whole(e, c), 3, whole);
    return str_format("%s (virtual %s)", written, whole);
}

static void put_mounts(json_t *row, const struct container *c, bool whole)
{
    struct buf names = {0};
    size_t volumes = 0, i;
    json_t *mount;
    cleanup_free char *text = NULL, *count = NULL;

    json_array_foreach(json_object_get(c->config, "Mounts"), i, mount)
    {
        const char *name = json_str(mount, "Name", NULL);
        cleanup_free char *cut = NULL;

        volumes += name != NULL;
        cut = human_ellipsis(name ? name : json_str(mount, "Source", ""), whole ? 100000 : 15);
        buf_printf(&names, "%s%s", i ? "," : "", cut);
    }
    text = buf_steal(&names);
    count = str_format("%zu", volumes);
    json_put_str(row, "LocalVolumes", count);
    json_put_str(row, "Mounts", text);
}

static void put_owned(json_t *row, const char *name, char *value)
{
    json_put_str(row, name, value);
    free(value);
}

/* Only a running container has any. */
static void put_ports(struct engine *e, json_t *row, const struct container *c, bool asked)
{
    struct err ignored = {0};
    bool wanted = asked && !strcmp(c->state, "running");
    cleanup_json json_t *ports = wanted ? engine_container_ports(e, c, &ignored) : NULL;

    put_owned(row, "Ports", rows_ports(ports));
}

/* Names of all networks it is on. */
static char *networks_cell(const struct container *c)
{
    json_t *wishes = json_at(c->config, "NetworkingConfig.EndpointsConfig"), *wish;
    struct buf text = {0};
    const char *name;

    json_object_foreach(wishes, name, wish) buf_printf(&text, "%s%s", text.len ? "," : "", name);
    if (!text.len)
        buf_add_str(&text, json_str(c->config, "HostConfig.NetworkMode", ""));
    return buf_steal(&text);
}

json_t *rows_container(struct engine *e, const struct container *c, const struct container_row *how)
{
    json_t *row = json_object(), *labels = json_at(c->config, "Config.Labels");
    char text[64];

    put_owned(row, "ID", how->whole ? str_copy(c->id) : rows_short_id(c->id));
    put_owned(row, "Image", image_cell(e, c, how));
    put_owned(row, "Command", command_cell(c, how->whole));
    rows_time(c->created_ns, text);
    json_put_str(row, "CreatedAt", text);
    rows_ago(c->created_ns, how->now_ns, text);
    json_put_str(row, "RunningFor", text);
    engine_health_status(e, c, text);
    put_owned(row, "Status", rows_status_health(c, text, how->now_ns));
    json_put_str(row, "HealthStatus", text);
    json_put_str(row, "State", rows_state(c));
    put_ports(e, row, c, how->ports);
    json_put_str(row, "Names", c->name);
    put_owned(row, "Labels", rows_labels(labels));
    json_put(row, "Label", json_is_object(labels) ? json_incref(labels) : json_object());
    put_mounts(row, c, how->whole);
    put_owned(row, "Networks", networks_cell(c));
    json_put(row, "Platform", json_null());
    if (how->size || how->size_member)
        put_owned(row, "Size", how->size ? size_cell(e, c) : str_copy("0B"));
    return row;
}
