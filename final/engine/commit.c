/* commit CONTAINER, in order:
 *
 *     hold     nobody collects what no image refers to yet
 *     freeze   the container, while its files are being copied
 *     copy     what it wrote into a staged directory, as a layer has it
 *     thaw
 *     make     an image of its image and that layer (make_image.c)
 *
 * The copy is read twice, once to be written and once to be hashed, but the second time from the
 * page cache; the container stands still for the first only.
 */
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/internal.h"

static int copy_still(struct engine *e, const struct container *c, bool pause, int stage_fd,
                      struct err *err)
{
    struct container_tree tree;
    struct err thaw_err = {0};
    int lock = -1, r = container_tree_open(e, c, &tree, err), thawed;

    if (r < 0)
        return r;
    if (pause)
        r = container_freeze(e, c, &lock, err);
    if (!r)
        r = layer_copy(tree.upper, container_tree_below(&tree), stage_fd, err);
    thawed = container_thaw(e, c, &lock, &thaw_err);
    if (r >= 0 && thawed < 0) {
        *err = thaw_err;
        r = thawed;
    }
    container_tree_close(&tree);
    return r;
}

/* What the container ran, as docker writes it: its arguments, not its entrypoint. */
static char *created_by(const struct container *c)
{
    cleanup_strv struct strv words = {0};

    json_strings(json_at(c->config, "Config.Cmd"), &words);
    return strv_join(&words, " ");
}

static int check_reference(const char *reference, struct err *err)
{
    struct reference ref = {0};
    int r = reference ? reference_parse(reference, &ref, err) : 0;

    if (!r && ref.digest)
        r = err_set(err, EINVAL, "refusing to create a tag with a digest reference");
    reference_free(&ref);
    return r;
}

static int commit(struct engine *e, const struct container *c, const struct commit_request *request,
                  char ret_id[DIGEST_LEN + 1], struct err *err)
{
    cleanup_free char *command = created_by(c);
    const struct image_step step = {.parent = c->image_id,
                                    .config = request->config,
                                    .created_by = command,
                                    .author = request->author,
                                    .comment = request->message,
                                    .reference = request->reference};
    char stage[64];
    struct err ignored;
    cleanup_close int stage_fd = store_stage(e->store, stage, err);
    int r = stage_fd < 0 ? stage_fd : copy_still(e, c, request->pause, stage_fd, err);

    if (r < 0) {
        if (stage_fd >= 0)
            store_stage_drop(e->store, stage, &ignored);
        return r;
    }
    return engine_make_image(e, &step, stage, stage_fd, ret_id, err);
}

int engine_commit(struct engine *e, const struct container *c, const struct commit_request *request,
                  char ret_id[DIGEST_LEN + 1], struct err *err)
{
    cleanup_close int hold = store_hold(e->store, err);
    int r = hold < 0 ? hold : check_reference(request->reference, err);

    if (!r)
        r = store_collect_stages(e->store, err);
    if (!r)
        r = commit(e, c, request, ret_id, err);
    if (!r)
        container_event(e, c, "commit", "comment", request->message ? request->message : "",
                        "imageID", ret_id, "imageRef", request->reference ? request->reference : "",
                        NULL);
    return r;
}
