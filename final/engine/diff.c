/* diff.c - what a container wrote, against its image. */
#include "base/cleanup.h"
#include "engine/internal.h"

struct listing {
    engine_diff_line *line;
    void *context;
};

static int tell(void *context, const struct layer_change *change, struct err *err)
{
    struct listing *listing = context;

    (void)err;
    return listing->line(listing->context, (char)change->kind, change->path);
}

int engine_diff(struct engine *e, const struct container *c, engine_diff_line *line, void *context,
                struct err *err)
{
    struct listing listing = {line, context};
    struct container_tree tree;
    int r = container_tree_open(e, c, &tree, err);

    if (r < 0)
        return r;
    r = layer_changes(tree.upper, container_tree_below(&tree), tell, &listing, err);
    container_tree_close(&tree);
    return r;
}
