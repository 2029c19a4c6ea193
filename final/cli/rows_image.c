/* One image, by one of its names, as `images` and `system df -v` show it. */
#include "cli/rows_image.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/human.h"
#include "cli/rows.h"
#include "image/image.h"

/* The digest this image has in the repository of that name, or "<none>". The caller frees. */
static char *digest_of_repository(const struct image *image, const char *repository)
{
    for (size_t i = 0; i < image->digests.len; i++) {
        cleanup_free char *name = NULL, *digest = NULL;

        reference_split(image->digests.items[i], &name, &digest);
        if (!strcmp(name, repository))
            return steal_ptr(&digest);
    }
    return str_copy("<none>");
}

static void put_names(json_t *row, const struct image *image, const char *canonical, bool digests)
{
    cleanup_free char *repository = NULL, *tag = NULL, *digest = NULL;
    bool by_digest;

    if (canonical)
        reference_split(canonical, &repository, &tag);
    by_digest = tag && str_starts(tag, "sha256:");
    json_put_str(row, "Repository", repository ? repository : "<none>");
    json_put_str(row, "Tag", tag && !by_digest ? tag : "<none>");
    if (digests && repository)
        digest = by_digest ? str_copy(tag) : digest_of_repository(image, repository);
    json_put_str(row, "Digest", digest ? digest : "<none>");
}

json_t *rows_image(const struct image *image, const char *canonical, const struct image_row *how)
{
    cleanup_free char *id = how->whole ? str_copy(image->id) : rows_short_id(image->id);
    char text[64], size[HUMAN_MAX];
    json_t *row = json_object();

    put_names(row, image, canonical, how->digests);
    json_put_str(row, "ID", id);
    rows_ago(image->created_ns, how->now_ns, text);
    json_put_str(row, "CreatedSince", text);
    rows_time(image->created_ns, text);
    json_put_str(row, "CreatedAt", text);
    human_size((double)image->size, 3, size);
    json_put_str(row, "Size", size);
    json_put_str(row, "Containers", "N/A");
    json_put_str(row, "SharedSize", "N/A");
    json_put_str(row, "UniqueSize", "N/A");
    json_put(row, "Label", json_object()); /* marks a row: see format.h */
    return row;
}
