#include "grade/oci.h"

#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "grade/grade.h"

enum { BLOCK = 512, HEX = 2 * SHA256_DIGEST_LENGTH };

static void octal(char *field, int width, unsigned long value)
{
    char text[16];

    snprintf(text, sizeof text, "%0*lo", width - 1, value);
    memcpy(field, text, (size_t)width);
}

/* Offsets of the fields: name 0, mode 100, uid 108, gid 116, size 124, mtime 136, checksum 148,
 * type 156, link 157, magic 257. */
static void add_header(struct buf *tar, char type, const char *name, const char *link, size_t len,
                       unsigned mode)
{
    char header[BLOCK] = "";
    unsigned long sum = 0;

    memcpy(header, name, strnlen(name, 99));
    octal(header + 100, 8, mode);
    octal(header + 108, 8, 0);
    octal(header + 116, 8, 0);
    octal(header + 124, 12, len);
    octal(header + 136, 12, 0);
    memset(header + 148, ' ', 8);
    header[156] = type;
    memcpy(header + 157, link, strnlen(link, 99));
    memcpy(header + 257, "ustar\00000", 8);
    for (int i = 0; i < BLOCK; i++)
        sum += (unsigned char)header[i];
    octal(header + 148, 7, sum);
    buf_add(tar, header, BLOCK);
}

void oci_add(struct buf *tar, char type, const char *name, const void *data, size_t len,
             unsigned mode)
{
    static const char zeros[BLOCK];

    add_header(tar, type, name, "", len, mode);
    buf_add(tar, data, len);
    buf_add(tar, zeros, (BLOCK - len % BLOCK) % BLOCK);
}

void oci_add_text(struct buf *tar, const char *name, const char *text)
{
    oci_add(tar, '0', name, text, strlen(text), 0644);
}

void oci_add_link(struct buf *tar, const char *name, const char *target)
{
    add_header(tar, '2', name, target, 0, 0777);
}

void oci_add_directory(struct buf *tar, const char *name)
{
    add_header(tar, '5', name, "", 0, 0755);
}

void oci_add_base(struct buf *tar)
{
    static const char *const directories[] = {"bin", "dev", "etc", "proc", "sys", "tmp", "work"};
    cleanup_free char *path = str_format("%s/bin/probe", grade.root);
    cleanup_buf struct buf probe = {0};
    struct err err = {0};

    if (file_load(AT_FDCWD, path, 64 << 20, &probe, &err) < 0)
        broken("%s", err.message);
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
        oci_add_directory(tar, directories[i]);
    oci_add(tar, '0', "bin/probe", probe.data, probe.len, 0755);
    oci_add_text(tar, "etc/passwd", "root:x:0:0::/:/bin/sh\nreader:x:1000:1001::/work:/bin/sh\n");
    oci_add_text(tar, "etc/group", "root:x:0:\nreaders:x:1001:\n");
}

static void hex_digest(const void *data, size_t len, char ret[HEX + 1])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    SHA256(data, len, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        sprintf(ret + 2 * i, "%02x", digest[i]);
}

/* 16 more than the default window bits: a gzip header. */
static void compress_to(const struct buf *from, struct buf *ret)
{
    z_stream z = {0};

    if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        broken("deflateInit2 failed");
    buf_reserve(ret, deflateBound(&z, from->len));
    z.next_in = (unsigned char *)from->data;
    z.avail_in = (unsigned)from->len;
    z.next_out = (unsigned char *)ret->data;
    z.avail_out = (unsigned)deflateBound(&z, from->len);
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        broken("deflate failed");
    ret->len = z.total_out;
    deflateEnd(&z);
}

static void store(const char *directory, const char *name, const void *data, size_t len)
{
    cleanup_free char *path = str_format("%s/%s", directory, name);
    struct err err = {0};

    if (file_store(AT_FDCWD, path, data, len, 0644, false, &err) < 0)
        broken("%s", err.message);
}

/* Stores a blob; returns its path and adds its descriptor to `json`. */
static char *add_blob(const char *layout, const struct buf *blob, const char *type,
                      const char *more, struct buf *json)
{
    char hex[HEX + 1];
    cleanup_free char *name = NULL;

    hex_digest(blob->data, blob->len, hex);
    name = str_format("blobs/sha256/%s", hex);
    store(layout, name, blob->data, blob->len);
    buf_printf(
        json,
        "{\"mediaType\":\"application/vnd.oci.image.%s\",\"digest\":\"sha256:%s\",\"size\":%zu%s}",
        type, hex, blob->len, more);
    return str_format("%s/%s", layout, name);
}

static void add_layers(struct oci_image *ret, const char *layout, struct buf *layers, size_t count,
                       struct buf *descriptors, struct buf *diff_ids)
{
    static const char end[2 * BLOCK];

    for (size_t i = 0; i < count; i++) {
        cleanup_buf struct buf zipped = {0};
        char hex[HEX + 1];

        buf_add(&layers[i], end, sizeof end);
        hex_digest(layers[i].data, layers[i].len, hex);
        buf_printf(diff_ids, "%s\"sha256:%s\"", i ? "," : "", hex);
        buf_add_str(descriptors, i ? "," : "");
        compress_to(&layers[i], &zipped);
        free(ret->top);
        ret->top = add_blob(layout, &zipped, "layer.v1.tar+gzip", "", descriptors);
        buf_free(&layers[i]);
    }
}

const char *oci_architecture(void)
{
    static struct utsname name;

    uname(&name);
    return str_equal(name.machine, "x86_64")    ? "amd64"
           : str_equal(name.machine, "aarch64") ? "arm64"
                                                : name.machine;
}

void oci_write(struct oci_image *ret, struct buf *layers, size_t count, const char *config)
{
    static int images;
    cleanup_free char *layout =
        str_format("%s/image-%d-%d", grade.directory, (int)getpid(), ++images);
    cleanup_free char *blobs = str_format("%s/blobs/sha256", layout);
    cleanup_buf struct buf descriptors = {0}, diff_ids = {0}, blob = {0}, manifest = {0},
                           index = {0};
    struct err err = {0};

    *ret = (struct oci_image){.reference = str_format("oci:%s:latest", layout)};
    if (file_make_dirs(AT_FDCWD, blobs, 0755, &err) < 0)
        broken("%s", err.message);
    add_layers(ret, layout, layers, count, &descriptors, &diff_ids);
    buf_printf(&blob,
               "{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{%s},\"rootfs\":{\"type\":"
               "\"layers\",\"diff_ids\":[%s]}}",
               oci_architecture(), config, diff_ids.data);
    buf_add_str(&manifest, "{\"schemaVersion\":2,\"config\":");
    ret->config = add_blob(layout, &blob, "config.v1+json", "", &manifest);
    buf_printf(&manifest, ",\"layers\":[%s]}", descriptors.data);
    buf_add_str(&index, "{\"schemaVersion\":2,\"manifests\":[");
    free(add_blob(layout, &manifest, "manifest.v1+json",
                  ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"latest\"}", &index));
    buf_add_str(&index, "]}");
    store(layout, "index.json", index.data, index.len);
    store(layout, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}",
          strlen("{\"imageLayoutVersion\":\"1.0.0\"}"));
}
