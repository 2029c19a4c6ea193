/* oci.h - images for the judge, made byte by byte so that it can spoil any of them. */
#pragma once

#include "base/str.h"

/* A member of a tar (POSIX ustar): '0' file, '2' symbolic link, '5' directory. */
void oci_add(struct buf *tar, char type, const char *name, const void *data, size_t len,
             unsigned mode);
void oci_add_text(struct buf *tar, const char *name, const char *text);
void oci_add_link(struct buf *tar, const char *name, const char *target);
void oci_add_directory(struct buf *tar, const char *name);
/* Everything the probe needs to run: a layer to begin with. */
void oci_add_base(struct buf *tar);

struct oci_image {
    char *reference; /* oci:DIR:latest */
    char *top;       /* the blob of the topmost layer */
    char *config;    /* the blob of the configuration */
};
/* Writes a layout with these layers (bottom first) and the members of the "config" object. */
void oci_write(struct oci_image *ret, struct buf *layers, size_t count, const char *config);

/* What images call this kind of machine: "amd64". */
const char *oci_architecture(void);
