#include "support/fake_image.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"
#include "image/image.h"
#include "support/run.h"

static void put(const char *directory, const char *name, const void *data, size_t len)
{
    cleanup_free char *path = str_format("%s/%s", directory, name), *parent = str_copy(path);
    struct err err = {0};

    *strrchr(parent, '/') = 0;
    ck_assert_msg(!file_make_dirs(AT_FDCWD, parent, 0755, &err) &&
                      !file_store(AT_FDCWD, path, data, len, 0644, false, &err),
                  "%s", err.message);
}

/* xorshift: the same bytes every time, and gzip finds nothing in them. */
static void put_padding(const char *directory, const char *name, size_t len)
{
    cleanup_free char *file = str_format("padding-%s", name), *bytes = mem_alloc(len);
    unsigned state = 2463534242u + (unsigned char)*name;

    for (char *p = file; *p; p++)
        *p = *p == '/' ? '-' : *p;
    for (size_t i = 0; i < len; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        bytes[i] = (char)(state >> 8);
    }
    put(directory, file, bytes, len);
}

void fake_layer_make(struct fake_layer *ret, const char *name, const char *text, size_t padding)
{
    char *directory = temp_dir();
    struct run_result tar = {0}, gzip = {0};
    struct run_options stdin_of_gzip;

    put(directory, name, text, strlen(text));
    if (padding)
        put_padding(directory, name, padding);
    RUN_OK(&tar, NULL, "sh", "-c",
           "cd \"$1\" && tar --mtime=@0 --owner=0 --group=0 --sort=name -cf - *", "sh", directory);
    stdin_of_gzip = (struct run_options){.input = tar.out.data, .input_len = tar.out.len};
    RUN_OK(&gzip, &stdin_of_gzip, "gzip", "-nc");
    digest_of(tar.out.data, tar.out.len, ret->diff_id);
    digest_of(gzip.out.data, gzip.out.len, ret->digest);
    ret->len = gzip.out.len;
    ret->data = buf_steal(&gzip.out);
    run_free(&tar);
    run_free(&gzip);
    temp_dir_remove(directory);
}

void fake_layer_free(struct fake_layer *layer)
{
    free(layer->data);
    memset(layer, 0, sizeof *layer);
}

static void serve_blob(struct fake_registry *f, const char *repository, const char *digest,
                       const void *data, size_t len)
{
    cleanup_free char *path = str_format("/v2/%s/blobs/%s", repository, digest);

    fake_serve(f, path, "application/octet-stream", data, len);
}

static char *make_config(const struct fake_image *image)
{
    struct buf b = {0};

    buf_printf(&b,
               "{\"created\":\"2026-01-02T03:04:05Z\",\"architecture\":\"amd64\",\"os\":\"%s\","
               "\"config\":{\"Cmd\":[\"/bin/sh\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[",
               image->os ? image->os : "linux");
    for (size_t i = 0; i < image->count; i++)
        buf_printf(&b, "%s\"%s\"", i ? "," : "",
                   !i && image->instead_diff_id ? image->instead_diff_id
                                                : image->layers[i].diff_id);
    if (image->extra_diff_id)
        buf_printf(&b, ",\"%s\"", image->extra_diff_id);
    for (size_t i = 0; i < image->repeated; i++)
        buf_printf(&b, ",\"%s\"", image->layers[0].diff_id);
    buf_printf(&b, "]}%s}", image->config_members ? image->config_members : "");
    for (size_t i = 0; i < image->padding; i++)
        buf_add_str(&b, " ");
    return buf_steal(&b);
}

static void add_layer(struct buf *b, const struct fake_image *image, size_t i, bool first)
{
    const char *type =
        image->layer_type ? image->layer_type : "application/vnd.docker.image.rootfs.diff.tar.gzip";

    buf_printf(b, "%s{\"mediaType\":\"%s\",\"size\":%ld,\"digest\":\"%s\"}", first ? "" : ",", type,
               (long)image->layers[i].len - image->layer_longer, image->layers[i].digest);
}

static char *make_manifest(const struct fake_image *image, const char *config_digest,
                           size_t config_len)
{
    struct buf b = {0};

    buf_printf(&b,
               "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_DOCKER_MANIFEST
               "\",\"config\":{\"mediaType\":"
               "\"application/"
               "vnd.docker.container.image.v1+json\",\"size\":%ld,\"digest\":\"%s\"},\"layers\":[",
               (long)config_len - image->config_longer, config_digest);
    for (size_t i = 0; i < image->count; i++)
        add_layer(&b, image, i, !i);
    for (size_t i = 0; i < image->repeated; i++)
        add_layer(&b, image, 0, false);
    buf_printf(&b, "]%s}", image->extra_members ? image->extra_members : "");
    return buf_steal(&b);
}

void fake_push(struct fake_registry *f, const char *repository, const char *tag,
               const struct fake_image *image, char ret_id[DIGEST_LEN + 1])
{
    cleanup_free char *path = str_format("/v2/%s/manifests/%s", repository, tag),
                      *config = make_config(image), *manifest = NULL;
    char id[DIGEST_LEN + 1];

    digest_of(config, strlen(config), id);
    manifest = make_manifest(image, id, strlen(config));
    serve_blob(f, repository, id, config, strlen(config));
    for (size_t i = 0; i < image->count; i++)
        serve_blob(f, repository, image->layers[i].digest, image->layers[i].data,
                   image->layers[i].len);
    fake_serve(f, path, MEDIA_DOCKER_MANIFEST, manifest, strlen(manifest));
    if (ret_id)
        strcpy(ret_id, id);
}
