/* What a stage is as an image: the config document. Nothing in it tells when or where it was made:
 * the times are the stage's epoch. OCI image spec, config.md. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "build/stage.h"
#include "image/image.h"

static void put_platform(const struct stage *s, json_t *document)
{
    static const char *const members[] = {"architecture", "variant", "os", "os.version",
                                          "os.features"};
    struct platform platform;
    struct err ignored;

    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (json_object_get(s->document, members[i]))
            json_object_set(document, members[i], json_object_get(s->document, members[i]));
    if (json_object_get(document, "os"))
        return;
    platform_host(&platform);
    if (s->platform)
        platform_parse(s->platform, &platform, &ignored);
    json_put_str(document, "architecture", platform.architecture);
    if (*platform.variant)
        json_put_str(document, "variant", platform.variant);
    json_put_str(document, "os", platform.os);
}

json_t *image_document(const struct stage *s)
{
    json_t *document = json_object(), *rootfs = json_object();
    char created[40];

    clock_format(s->epoch * 1000000000, created);
    json_put_str(document, "created", s->epoch ? created : "1970-01-01T00:00:00Z");
    if (s->author)
        json_put_str(document, "author", s->author);
    put_platform(s, document);
    json_put(document, "config", engine_image_members(s->config));
    json_put_str(rootfs, "type", "layers");
    json_put(rootfs, "diff_ids", json_from_strings(&s->layers.diff_ids));
    json_put(document, "rootfs", rootfs);
    json_object_set(document, "history", s->history);
    return document;
}

/* --- --squash --------------------------------------------------------------------------------- */

static int merge(struct stage *s, int stage_fd, struct err *err)
{
    const struct strv *dirs = &s->layers.dirs;
    cleanup_free int *fds = mem_alloc((dirs->len + 1) * sizeof *fds);
    size_t count = 0;
    int r = 0;

    for (size_t i = dirs->len; i-- > 0 && r >= 0;) {
        fds[count] = openat(s->engine->store->layers_fd, dirs->items[i],
                            O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fds[count] < 0)
            r = err_errno(err, "cannot open layer '%s'", dirs->items[i]);
        else
            count++;
    }
    if (r >= 0)
        r = layer_merge(fds, count - s->base_layers, s->base_layers, stage_fd, err);
    while (count)
        close(fds[--count]);
    return r;
}

static void cut(struct strv *list, size_t len)
{
    while (list->len > len) {
        free(list->items[--list->len]);
        list->items[list->len] = NULL;
    }
}

/* What came before is history all the same, but has no layers any more. */
static void forget_layers(struct stage *s)
{
    size_t i, layers = 0;
    json_t *entry;

    cut(&s->layers.dirs, s->base_layers);
    cut(&s->layers.chain_ids, s->base_layers);
    cut(&s->layers.diff_ids, s->base_layers);
    json_array_foreach(s->history, i, entry)
    {
        if (json_flag(entry, "empty_layer", false) || layers++ < s->base_layers)
            continue;
        json_put(entry, "empty_layer", json_true());
    }
}

int image_squash(struct stage *s, struct err *err)
{
    struct layer layer;
    struct err ignored;
    char stage[64];
    cleanup_close int fd = -1;
    int r;

    if (s->layers.dirs.len <= s->base_layers + 1)
        return 0;
    fd = store_stage(s->engine->store, stage, err);
    r = fd < 0 ? fd : merge(s, fd, err);
    if (r >= 0) {
        forget_layers(s);
        r = engine_publish_tree(s->engine, stage, fd, layers_top(&s->layers), &layer, err);
    }
    if (r < 0) {
        if (fd >= 0)
            store_stage_drop(s->engine->store, stage, &ignored);
        return err_wrap(err, "cannot squash the new layers");
    }
    layers_add(&s->layers, &layer);
    stage_add_history(s, "", true);
    return 0;
}
