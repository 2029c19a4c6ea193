/* tar.h - writing tars: layers, the archives of `save`, `export` and `cp`.
 *
 * A layer's name is the digest of its tar, so the same files must give the same bytes, now and
 * after every update of every library: that is why this is not libarchive's writer. The format is
 * pax (POSIX.1-2001) as Go's archive/tar writes it, which is what docker, podman and containerd
 * read: a ustar header, with an extended header before it only where ustar has no room. Times are
 * whole seconds, user and group are numbers, as docker's.
 *
 * Holes are written as zeros. GNU tar's sparse entries would be smaller, but a docker or podman
 * that has loaded a layer with one cannot save or push it any more (its tar-split miscounts them);
 * gzip makes nothing of the zeros, and unpacking makes holes of them again. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Gets the tar's bytes in order, in pieces of any size; a negative result ends the writing with it.
 */
typedef int tar_sink(void *context, const void *data, size_t len, struct err *err);

struct tar_xattr {
    char *name; /* "user.x" */
    void *value;
    size_t size;
};

struct tar_entry {
    const char *name; /* no slash at the beginning, none at the end */
    mode_t mode;      /* type and permissions, as in struct stat */
    uid_t uid;
    gid_t gid;
    dev_t device;          /* of a device node */
    uint64_t size;         /* of a regular file */
    int64_t mtime;         /* seconds */
    const char *symlink;   /* target of a symlink */
    const char *hard_link; /* NULL, or the name of an earlier entry that this one is, too */
    const struct tar_xattr *xattrs;
    size_t xattr_count;
};

struct tar_writer;
struct tar_writer *tar_writer_new(tar_sink *sink, void *context);
void tar_writer_free(struct tar_writer *w); /* NULL is fine */

/* Begins an entry. A regular file's `size` bytes must follow by the next two calls. */
int tar_writer_add(struct tar_writer *w, const struct tar_entry *entry, struct err *err);
int tar_writer_data(struct tar_writer *w, const void *data, size_t len, struct err *err);
/* From a descriptor's current offset. A file that is being cut meanwhile is filled up with zeros:
 * its size is written already. */
int tar_writer_copy(struct tar_writer *w, int fd, uint64_t len, struct err *err);
/* The end of the tar, two empty blocks; what is still in the buffer goes to the sink. */
int tar_writer_end(struct tar_writer *w, struct err *err);

/* A whole small file of root's. */
int tar_writer_add_text(struct tar_writer *w, const char *name, const void *data, size_t len,
                        int64_t mtime, struct err *err);

/* Writes `name` in `dirfd`, a file or a tree, as the entry `as` and below; the tree's own names are
 * in byte order, directories before what is in them. `name` "." and `as` ".": the files of `dirfd`
 * without a common directory. Files with several names become hard links; sockets are left out; of
 * the extended attributes those go along that an image may have (layer_xattr.c).
 * Whiteouts and opaque directories of overlayfs are written in the image format's spelling. */
int tar_writer_add_tree(struct tar_writer *w, int dirfd, const char *name, const char *as,
                        struct err *err);
