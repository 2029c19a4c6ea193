/* volumes.c - the container's volumes, while it runs; see engine/volumes.h. */
#include <fcntl.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/shim/shim.h"
#include "engine/volumes.h"

struct held {
    const char *name; /* of `document` */
    int fd;           /* of one that is a mount, or -1 */
};

static struct {
    json_t *document;
    struct held *items;
    size_t count;
    int root;
} volumes = {.root = -1};

int shim_hold_volumes(const struct shim_options *o, struct err *err)
{
    json_t *name;
    size_t i;

    if (!o->volumes)
        return 0;
    volumes.root = open(o->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    volumes.document = shim_load_file(o);
    json_array_foreach(json_object_get(volumes.document, "volumes"), i, name)
    {
        struct held held = {json_string_value(name), -1};

        /* The command that starts us holds it, too: it is mounted. */
        if (volume_is_mount(volumes.root, held.name) &&
            (held.fd = volume_hold(volumes.root, held.name, NULL, err)) < 0)
            return held.fd;
        volumes.items = mem_grow(volumes.items, volumes.count + 1, sizeof *volumes.items);
        volumes.items[volumes.count++] = held;
    }
    return 0;
}

/* Before anybody hears of the end, so that whoever does finds them unmounted. */
void shim_release_volumes(void)
{
    for (size_t i = 0; i < volumes.count; i++) {
        if (volumes.items[i].fd >= 0)
            volume_let_go(volumes.root, volumes.items[i].name, volumes.items[i].fd);
        volumes.items[i].fd = -1;
    }
}

void shim_tell_volumes(const struct shim_options *o)
{
    for (size_t i = 0; i < volumes.count; i++)
        shim_volume_event(o, "unmount", volumes.items[i].name);
}
