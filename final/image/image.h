/* image.h - what an image is: a reference names a manifest, the manifest lists a config and layers
 * by digest, the config says how to run it, each layer is a tar of differences. OCI image spec 1.1;
 * docker's schema 2 forms are read the same way. No network and no database here. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"
#include "image/archive.h"
#include "image/gzip.h"
#include "image/tar.h"

/* --- references: [host[:port]/]path[:tag][@digest] -------------------------------------------- */

struct reference {
    char *domain;       /* "docker.io", "127.0.0.1:5000" */
    char *path;         /* "library/alpine" */
    char *tag;          /* NULL when a digest was given without a tag; "latest" when neither was */
    char *digest;       /* NULL or "sha256:..." */
    bool defaulted_tag; /* no tag and no digest were written: "Using default tag: latest" */
};
/* Normalises as docker does (docker.io, library/, latest); errors in docker's words. */
int reference_parse(const char *text, struct reference *ret, struct err *err);
void reference_free(struct reference *ref);
/* "docker.io/library/alpine:3.20" or "...@sha256:..." (digest wins). The caller frees. */
char *reference_canonical(const struct reference *ref);
/* The form users read: "alpine:3.20", "127.0.0.1:5000/me/app:v1". From a canonical text. */
char *reference_familiar(const char *canonical);
/* Splits a canonical text into the familiar repository and the tag or digest; caller frees both. */
void reference_split(const char *canonical, char **ret_repository, char **ret_tag_or_digest);

/* --- manifests -------------------------------------------------------------------------------- */

#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_OCI_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_INDEX       "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_CONFIG      "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER       "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_OCI_LAYER_GZIP  MEDIA_OCI_LAYER "+gzip"
#define MEDIA_OCI_LAYER_ZSTD  MEDIA_OCI_LAYER "+zstd"
#define MANIFEST_MAX          (4u << 20)
#define CONFIG_MAX            (4u << 20)

struct descriptor {
    char *media_type;
    char digest[DIGEST_LEN + 1];
    uint64_t size;
};

struct manifest {
    char *media_type;
    struct descriptor config;
    struct descriptor *layers; /* base first */
    size_t layer_count;
};
/* Parses a manifest whose digest was checked. `media_type` is the server's Content-Type (may be
 * NULL); the document's own mediaType must agree. Refuses schema 1, documents with both `manifests`
 * and `layers` (CVE-2021-41190), bad digests, negative sizes, unknown layer types, foreign layers.
 */
int manifest_parse(const char *text, size_t len, const char *media_type, struct manifest *ret,
                   struct err *err);
void manifest_free(struct manifest *m);
/* "gzip", "zstd" or "none" for the media type of a layer that manifest_parse accepts, else NULL. */
const char *layer_compression(const char *media_type);
/* How a stream is compressed by its first bytes: "gzip", "zstd", "bzip2", "xz" or "none". */
const char *compression_of(const void *head, size_t len);
/* True when this document is an index / manifest list rather than a manifest. */
int manifest_is_index(const char *text, size_t len, const char *media_type, bool *ret,
                      struct err *err);

struct platform {
    char os[16], architecture[16], variant[8];
};
/* The host's, or "os/arch[/variant]". */
void platform_host(struct platform *ret);
int platform_parse(const char *text, struct platform *ret, struct err *err);
/* How well an offered platform suits: 0 not at all, else the more the better. */
int platform_rank(const struct platform *wanted, const char *os, const char *architecture,
                  const char *variant);
/* Picks the manifest for the platform (variants fall back: arm v7 -> v6 -> v5; arm64 = v8);
 * "unknown/unknown" entries are passed over. -ENOENT: "no matching manifest for linux/arm64 in
 * ...". */
int index_pick(const char *text, size_t len, const struct platform *wanted, struct descriptor *ret,
               struct err *err);
void descriptor_free(struct descriptor *d);

/* --- config ----------------------------------------------------------------------------------- */

struct image_config {
    json_t *json;         /* the whole document */
    struct strv diff_ids; /* base first */
    int64_t created_ns;   /* 0 when absent */
    char *os, *architecture;
};
int image_config_parse(const char *text, size_t len, struct image_config *ret, struct err *err);
void image_config_free(struct image_config *c);
/* ChainID(L0) = diffID 0; ChainID(Ln) = sha256(ChainID(Ln-1) + " " + diffIDn). parent "" for the
 * base. OCI image spec, config.md, "Layer ChainID". Needs libcrypto. */
void chain_id(const char *parent, const char *diff_id, char ret[DIGEST_LEN + 1]);
/* A config for one layer without a history: what `import` makes. `config` may be NULL. Caller
 * owns. */
json_t *image_config_new(const struct strv *diff_ids, const char *comment,
                         const struct platform *platform, const json_t *config);

/* --- layers: tar to overlayfs form --------------------------------------------------------------
 *
 * One stream: compressed bytes go in by layer_unpack_feed(); SHA-256 of the compressed bytes,
 * decompression (gzip by igzip, zstd, plain; `import` also bzip2 and xz), SHA-256 of the tar (the
 * diffID), and unpacking run as they come, hashing and inflating in the caller's thread, unpacking
 * in one of its own.
 */
struct layer_unpack;

struct layer_limits {
    uint64_t max_bytes; /* of all files unpacked; 0: half of the file system's free space decides */
    uint64_t max_entries; /* 0: 4 million */
};
/* `staging_fd` is a private, empty directory (0700) that becomes the layer. `compression` NULL: by
 * magic number; else "gzip", "zstd", "none" (by media type), and other content is an error. */
int layer_unpack_begin(int staging_fd, const char *compression, const struct layer_limits *limits,
                       struct layer_unpack **ret, struct err *err);
/* The tar itself goes to `sink`, too, in the thread that feeds. */
void layer_unpack_tee(struct layer_unpack *u, tar_sink *sink, void *context);
/* -EPIPE-like errors from the unpacking thread surface here or in finish. */
int layer_unpack_feed(struct layer_unpack *u, const void *data, size_t len, struct err *err);

struct layer_result {
    char blob_digest[DIGEST_LEN + 1]; /* of the bytes fed */
    char diff_id[DIGEST_LEN + 1];     /* of the tar inside */
    uint64_t blob_size, size;         /* bytes fed; of regular files and symlinks unpacked */
    bool needs_parents;               /* layer_complete() has work to do */
    struct layer_fixups *fixups;      /* owned by the caller: layer_fixups_free() */
};
/* Ends the stream, joins the thread, frees `u` whatever happens. The tree is complete but for
 * fixups. */
int layer_unpack_finish(struct layer_unpack *u, struct layer_result *ret, struct err *err);
void layer_unpack_abort(struct layer_unpack *u); /* NULL is fine */

/* What needs the layers below: metadata of directories the tar did not name but files in it imply,
 * and hard links to files of lower layers. `lower_fds` are directory descriptors, top first. */
int layer_complete(int staging_fd, struct layer_fixups *fixups, const int *lower_fds, size_t count,
                   struct err *err);
void layer_fixups_free(struct layer_fixups *f); /* NULL is fine */

/* Copies the extended attributes that a file of an image may have from one descriptor to the other.
 */
int layer_copy_xattrs(int from, int to, struct err *err);
/* Those attributes in the order of their names, each name and value with its NUL and length. */
struct hasher;
int layer_hash_xattrs(int fd, struct hasher *hasher, struct err *err);

/* --- layers: overlayfs form to tar (tar.h) ---------------------------------------------------- */

/* Packs a layer's directory as the tar it has to be: the same bytes whenever the files are the
 * same. */
int layer_pack(int tree_fd, tar_sink *sink, void *context, struct err *err);
/* Only the digest of that tar, and the bytes of the regular files in it. */
int layer_digest(int tree_fd, char ret_diff_id[DIGEST_LEN + 1], uint64_t *ret_size,
                 struct err *err);

/* What lies below a container's upper directory. */
struct layer_below {
    const int *fds; /* directory descriptors of the layers, top first */
    size_t count;
    /* Paths ("proc", "etc/hosts") the engine mounts on. What was made for that only, because the
     * image does not have it, is no change of the user's. NULL: none. */
    const struct strv *mount_points;
};
enum layer_change_kind { LAYER_ADDED = 'A', LAYER_CHANGED = 'C', LAYER_DELETED = 'D' };
struct layer_change {
    enum layer_change_kind kind;
    const char *path;      /* "etc/passwd" */
    const struct stat *st; /* of the upper file; for a deleted one nothing of interest */
};
typedef int layer_change_visit(void *context, const struct layer_change *change, struct err *err);
/* Every difference, directories before what is in them, names in byte order. `upper` is the
 * overlay's upper directory; the overlay may be mounted. */
int layer_changes(int upper, const struct layer_below *below, layer_change_visit *visit,
                  void *context, struct err *err);
/* Copies the differences into `staging_fd`, an empty directory that becomes a layer: in overlayfs
 * form, times in whole seconds, sockets left out. */
int layer_copy(int upper, const struct layer_below *below, int staging_fd, struct err *err);
/* Makes `upper`, which nobody mounts any more, itself such a tree; times after `newest_s` (seconds)
 * become that. */
int layer_settle(int upper, const struct layer_below *below, int64_t newest_s, struct err *err);
/* Makes one tree in `staging_fd`, an empty directory, of the first `count` layers; `below` more of
 * them are what it will lie on. Descriptors, top first. */
int layer_merge(const int *fds, size_t count, size_t below, int staging_fd, struct err *err);
