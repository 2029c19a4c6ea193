/* The entries of a layer's tar, one after another.
 *
 * libarchive reads the headers: ustar, GNU and pax, long names, sparse files, at most 1 MiB for an
 * extended header. What it only warns about is an error here: a name or an attribute that was read
 * differently than it was written makes another image. */
#include "image/layer.h"

#include <archive.h>
#include <archive_entry.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"

int layer_remember(struct layer_tree *t, size_t bytes, struct err *err)
{
    t->memory += bytes;
    if (t->memory > LAYER_MEMORY_MAX)
        return err_set(err, E2BIG, "the layer's names need more than %u MiB",
                       LAYER_MEMORY_MAX >> 20);
    return 0;
}

void layer_tree_free(struct layer_tree *t)
{
    for (size_t i = 0; i < t->dir_count; i++)
        free(t->dirs[i].path);
    free(t->dirs);
    t->dirs = NULL;
    t->dir_count = 0;
    close_fd(&t->parent_fd);
}

static int apply_entry(struct layer_tree *t, struct archive *tar, struct archive_entry *entry,
                       struct err *err)
{
    const char *name = archive_entry_pathname(entry), *last;
    char path[LAYER_PATH_MAX];

    if (!name)
        return err_set(err, EINVAL, "an entry of the layer has no readable name");
    if (++t->entries > t->limits.max_entries)
        return err_set(err, E2BIG, "the layer has more than the %" PRIu64 " entries allowed",
                       t->limits.max_entries);
    if (layer_clean_path(name, path, err) < 0)
        return -err->code;
    if (!*path)
        return layer_root_entry(t, entry, err);
    if (layer_is_aufs_path(path))
        return 0;
    last = strrchr(path, '/');
    if (layer_is_whiteout_name(last ? last + 1 : path))
        return layer_whiteout(t, path, err);
    return layer_make_entry(t, tar, entry, path, err);
}

/* Names come as bytes. libarchive tries to make text of pax names, warns when this locale has no
 * such letters, and then leaves the bytes as they are, which is what we want. */
static bool harmless(struct archive *tar)
{
    const char *warning = archive_error_string(tar);

    return warning && strstr(warning, "can't be converted");
}

int layer_apply(struct layer_tree *t, struct archive *tar, struct err *err)
{
    struct archive_entry *entry;
    int r;

    while ((r = archive_read_next_header(tar, &entry)) != ARCHIVE_EOF) {
        if (r != ARCHIVE_OK && !(r == ARCHIVE_WARN && harmless(tar)))
            return err_set(err, EINVAL, "cannot read the layer's tar: %s",
                           archive_error_string(tar));
        if (apply_entry(t, tar, entry, err) < 0) {
            const char *name = archive_entry_pathname(entry);

            return err_wrap(err, "entry '%.300s'", name ? name : "");
        }
        if (t->ended)
            break;
    }
    return layer_set_dir_times(t, err);
}
