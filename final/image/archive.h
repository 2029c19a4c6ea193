/* archive.h - images in a file: docker's archives (`docker save`), OCI archives, and OCI layouts,
 * which are the same thing as a directory.
 *
 * Names in an archive are only looked up, in the archive itself: none ever becomes a path here. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"

/* True for a file that can be read in place: one whose first block is a tar's header. */
bool image_archive_is_plain(int fd);
/* Copies what comes from `from`, decompressed if it is compressed, to `to`: at most half of the
 * space that is free there. `cancelled` may be NULL. */
int image_archive_spool(int from, int to, const volatile bool *cancelled, struct err *err);

struct image_archive;
/* Lists a plain tar or a directory; the descriptor stays the caller's, open while the archive is.
 */
int image_archive_open(int fd, struct image_archive **ret, struct err *err);
void image_archive_close(struct image_archive *a); /* NULL is fine */

/* A regular file in it: where its bytes are. */
struct archive_member {
    int fd; /* of the tar or of the file; the archive's */
    uint64_t offset, size;
};
/* Links in the archive are followed. -ENOENT without a message. */
int image_archive_find(struct image_archive *a, const char *name, struct archive_member *ret,
                       struct err *err);
/* All of a small one. -ENOENT with a message. */
int image_archive_load(struct image_archive *a, const char *name, size_t max, struct buf *ret,
                       struct err *err);

/* What an archive says about one of its images. */
struct archived_layer {
    char *name;                  /* of the member */
    char digest[DIGEST_LEN + 1]; /* of its bytes, "" when nothing says */
    uint64_t size;               /* likewise, 0 */
    char *media_type;            /* likewise, NULL */
};
struct archived_image {
    char *config;                       /* name of the member */
    char *config_text;                  /* instead of what is in it; NULL: that */
    char config_digest[DIGEST_LEN + 1]; /* "" when nothing says */
    char *manifest;                     /* name of the member, NULL: it has none */
    char manifest_digest[DIGEST_LEN + 1];
    struct archived_layer *layers; /* base first */
    size_t layer_count;
    struct strv tags;            /* canonical, "docker.io/library/box:1" */
    char parent[DIGEST_LEN + 1]; /* id of the image it was made from, or "" */
};
struct archived_images {
    struct archived_image *items;
    size_t len;
};
struct platform;
/* From manifest.json and index.json, or in archives of old from `repositories`. An image that is in
 * both is told once, with the manifest of the one and the names of the other. Of an index of
 * several platforms the one that suits. */
int image_archive_images(struct image_archive *a, const struct platform *wanted,
                         struct archived_images *ret, struct err *err);
void archived_images_free(struct archived_images *images);
