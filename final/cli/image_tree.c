/* The columns are those of docker's own tree; what is below what is older than it: first docker's
 * `images --tree` showed how images grow out of each other, and that is what a tree of images is
 * good for. An image's parent is the one it was made from here; where that is not known, because it
 * was pulled, the image that has the most of its layers. */
#include "cli/image_tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/human.h"
#include "cli/rows.h"
#include "cli/table.h"
#include "image/image.h"

struct node {
    const struct image *image;
    struct strv chain_ids; /* base first */
    char *name;            /* its names, or "<untagged>" */
    ssize_t parent;        /* index, -1: none */
};

struct tree {
    struct store *store;
    struct node *nodes;
    size_t len;
    struct buf out;
};

static void tree_free(struct tree *t)
{
    for (size_t i = 0; i < t->len; i++) {
        strv_free(&t->nodes[i].chain_ids);
        free(t->nodes[i].name);
    }
    free(t->nodes);
    buf_free(&t->out);
}

/* --- who is below whom ------------------------------------------------------------------------ */

static char *names_of(const struct image *image)
{
    const struct strv *names = image->references.len ? &image->references : &image->digests;
    cleanup_strv struct strv familiar = {0};

    for (size_t i = 0; i < names->len; i++)
        strv_take(&familiar, reference_familiar(names->items[i]));
    return names->len ? strv_join(&familiar, ", ") : str_copy("<untagged>");
}

/* Names first, those without last. */
static int by_name(const void *a, const void *b)
{
    const struct node *x = a, *y = b;
    bool x_named = *x->name != '<', y_named = *y->name != '<';

    if (x_named != y_named)
        return x_named ? -1 : 1;
    return strcmp(x->name, y->name);
}

static bool is_prefix(const struct strv *shorter, const struct strv *longer)
{
    size_t n = shorter->len;

    /* A chain id stands for all layers below it, too. */
    return n && n < longer->len && !strcmp(shorter->items[n - 1], longer->items[n - 1]);
}

static ssize_t find_parent(const struct tree *t, const struct node *node)
{
    ssize_t best = -1;

    for (size_t i = 0; i < t->len; i++) {
        const struct node *other = &t->nodes[i];

        if (!strcmp(other->image->id, node->image->parent))
            return (ssize_t)i;
        if (is_prefix(&other->chain_ids, &node->chain_ids) &&
            (best < 0 || other->chain_ids.len > t->nodes[best].chain_ids.len))
            best = (ssize_t)i;
    }
    return best;
}

static bool holds_for_any_name(struct image_filter *f, const struct image *image)
{
    const struct strv *names = image->references.len ? &image->references : &image->digests;

    for (size_t i = 0; i < names->len; i++) {
        cleanup_free char *familiar = reference_familiar(names->items[i]);

        if (image_filter_holds(f, image, familiar))
            return true;
    }
    return !names->len && image_filter_holds(f, image, "");
}

static int grow(struct tree *t, struct image_filter *f, const struct image_list *list,
                struct err *err)
{
    int r = 0;

    t->nodes = mem_alloc((list->len + 1) * sizeof *t->nodes);
    for (size_t i = 0; i < list->len && r >= 0; i++) {
        struct node *node = &t->nodes[t->len];

        if (!holds_for_any_name(f, &list->items[i]))
            continue;
        node->image = &list->items[i];
        node->name = names_of(node->image);
        t->len++;
        r = store_image_layers(t->store, node->image->id, NULL, &node->chain_ids, err);
    }
    qsort(t->nodes, t->len, sizeof *t->nodes, by_name);
    for (size_t i = 0; i < t->len; i++)
        t->nodes[i].parent = find_parent(t, &t->nodes[i]);
    return r;
}

/* --- printing --------------------------------------------------------------------------------- */

static int add_row(struct tree *t, const struct node *node, const char *before, struct err *err)
{
    cleanup_free char *id = rows_short_id(node->image->id);
    uint64_t shared = 0, unique = 0;
    char disk[HUMAN_MAX], content[HUMAN_MAX];

    if (store_image_shares(t->store, node->image->id, &shared, &unique, err) < 0)
        return -err->code;
    human_size((double)(shared + unique), 3, disk);
    human_size((double)(shared + unique - node->image->size), 3, content);
    buf_printf(&t->out, "%s%s\t%s\t%s\t%s\t%s\n", before, node->name, id, disk, content,
               node->image->containers ? "U" : "");
    return 0;
}

static ssize_t next_child(const struct tree *t, ssize_t parent, size_t from)
{
    for (size_t i = from; i < t->len; i++)
        if (t->nodes[i].parent == parent)
            return (ssize_t)i;
    return -1;
}

/* The children of `parent`; `indent` is what their lines begin with, before the branch. */
static int add_children(struct tree *t, ssize_t parent, const char *indent, struct err *err)
{
    ssize_t child = next_child(t, parent, 0);
    int r = 0;

    while (child >= 0 && r >= 0) {
        ssize_t next = next_child(t, parent, (size_t)child + 1);
        const char *branch = parent < 0 ? "" : next < 0 ? "└─ " : "├─ ";
        const char *below = parent < 0 ? "" : next < 0 ? "   " : "│  ";
        cleanup_free char *before = str_format("%s%s", indent, branch);
        cleanup_free char *deeper = str_format("%s%s", indent, below);

        r = add_row(t, &t->nodes[child], before, err);
        if (r >= 0)
            r = add_children(t, child, deeper, err);
        child = next;
    }
    return r;
}

int image_tree_print(struct image_filter *f, const struct image_list *list, struct err *err)
{
    cleanup_with(tree_free) struct tree t = {.store = f->cli->engine->store};
    int r = grow(&t, f, list, err);

    if (r < 0)
        return r;
    buf_add_str(&t.out, "IMAGE\tID\tDISK USAGE\tCONTENT SIZE\tEXTRA\n");
    r = add_children(&t, -1, "", err);
    if (r >= 0)
        table_print(stdout, t.out.data);
    return r;
}
