/* The writing half of the fake registry: POST, PATCH, PUT and GET of uploads, PUT of manifests, as
 * the OCI distribution spec 1.1 has them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "support/fake_internal.h"

struct fake_upload {
    char *repository;
    struct buf data;
    bool ended;
};

void fake_uploads_free(struct fake_registry *f)
{
    for (size_t i = 0; i < f->upload_count; i++) {
        free(f->uploads[i].repository);
        buf_free(&f->uploads[i].data);
    }
    free(f->uploads);
}

/* The value of a parameter in the target's query; NULL. The caller frees. */
static char *parameter(const char *target, const char *name)
{
    const char *query = strchr(target, '?');

    while (query) {
        size_t n = strlen(name);

        query++;
        if (!strncmp(query, name, n) && query[n] == '=')
            return str_copy_n(query + n + 1, strcspn(query + n + 1, "&"));
        query = strchr(query, '&');
    }
    return NULL;
}

static bool serves(const struct fake_registry *f, const char *path)
{
    for (size_t i = 0; i < f->item_count; i++)
        if (!strcmp(f->items[i].path, path))
            return true;
    return false;
}

static void copy_item(struct fake_registry *f, const char *from, const char *to)
{
    for (size_t i = 0; i < f->item_count; i++)
        if (!strcmp(f->items[i].path, from)) {
            cleanup_free char *data = mem_alloc(f->items[i].len + 1);
            size_t len = f->items[i].len;

            memcpy(data, f->items[i].data, len);
            fake_put(f, to, "application/octet-stream", data, len);
            return;
        }
}

/* POST /v2/<repository>/blobs/uploads/[?mount=D&from=R] */
static void begin(struct fake_registry *f, const char *repository, const char *target,
                  struct reply *reply)
{
    cleanup_free char *mount = parameter(target, "mount"), *from = parameter(target, "from");
    cleanup_free char *source = str_format("/v2/%s/blobs/%s", from ? from : "", mount ? mount : "");
    cleanup_free char *place = str_format("/v2/%s/blobs/%s", repository, mount ? mount : "");

    if (mount && from && serves(f, source)) {
        copy_item(f, source, place);
        reply->status = 201;
        reply->headers = str_format("Location: %s\r\n", place);
        return;
    }
    f->uploads = mem_grow(f->uploads, f->upload_count + 1, sizeof *f->uploads);
    f->uploads[f->upload_count] = (struct fake_upload){.repository = str_copy(repository)};
    reply->status = 202;
    reply->headers =
        str_format("Location: /upload/%zu?state=a%%2Fb\r\nRange: 0-0\r\n", f->upload_count++);
}

static void say_how_far(const struct fake_upload *u, size_t number, int status, struct reply *reply)
{
    reply->status = status;
    reply->headers = str_format("Location: /upload/%zu?state=c\r\nRange: 0-%zu\r\n", number,
                                u->data.len ? u->data.len - 1 : 0);
}

static void end(struct fake_registry *f, struct fake_upload *u, const char *target,
                struct reply *reply)
{
    cleanup_free char *digest = parameter(target, "digest"), *path = NULL;
    char actual[DIGEST_LEN + 1];

    digest_of(u->data.data ? u->data.data : "", u->data.len, actual);
    if (!digest || strcmp(digest, actual)) {
        reply->status = 400;
        reply->data = str_copy("{\"errors\":[{\"code\":\"DIGEST_INVALID\",\"message\":\"bad\"}]}");
        reply->len = strlen(reply->data);
        return;
    }
    path = str_format("/v2/%s/blobs/%s", u->repository, digest);
    fake_put(f, path, "application/octet-stream", u->data.data ? u->data.data : "", u->data.len);
    u->ended = true;
    reply->status = 201;
    reply->headers = str_format("Docker-Content-Digest: %s\r\n", digest);
}

/* GET, PATCH or PUT /upload/N */
static void go_on(struct fake_registry *f, const struct fake_request *q, struct reply *reply)
{
    size_t number = strtoul(q->target + strlen("/upload/"), NULL, 10);
    struct fake_upload *u = number < f->upload_count ? &f->uploads[number] : NULL;

    reply->status = 404;
    if (!u || u->ended)
        return;
    if (!strcmp(q->method, "GET")) {
        say_how_far(u, number, 204, reply);
        return;
    }
    buf_add(&u->data, q->body, q->len);
    if (!strcmp(q->method, "PUT"))
        end(f, u, q->target, reply);
    else
        say_how_far(u, number, 202, reply);
}

/* PUT /v2/<repository>/manifests/<reference>: served under that and under its digest. */
static void put_manifest(struct fake_registry *f, const char *repository, const char *reference,
                         const struct fake_request *q, struct reply *reply)
{
    const char *request = f->requests.items[f->requests.len - 1];
    const char *type = strcasestr(request, "\r\ncontent-type: ");
    cleanup_free char *kind = type ? str_copy_n(type + 16, strcspn(type + 16, "\r")) : NULL;
    cleanup_free char *by_tag = str_format("/v2/%s/manifests/%s", repository, reference);
    cleanup_free char *by_digest = NULL;
    char digest[DIGEST_LEN + 1];

    digest_of(q->body, q->len, digest);
    by_digest = str_format("/v2/%s/manifests/%s", repository, digest);
    fake_put(f, by_tag, kind, q->body, q->len);
    fake_put(f, by_digest, kind, q->body, q->len);
    reply->status = 201;
    reply->headers = str_format("Docker-Content-Digest: %s\r\n", digest);
}

bool fake_write(struct fake_registry *f, const struct fake_request *q, struct reply *reply)
{
    const char *uploads = strstr(q->target, "/blobs/uploads/");
    const char *manifests = strstr(q->target, "/manifests/");
    cleanup_free char *repository = NULL;

    if (str_starts(q->target, "/upload/")) {
        go_on(f, q, reply);
        return true;
    }
    if (!str_starts(q->target, "/v2/"))
        return false;
    if (!strcmp(q->method, "POST") && uploads) {
        repository = str_copy_n(q->target + 4, (size_t)(uploads - q->target - 4));
        begin(f, repository, q->target, reply);
        return true;
    }
    if (!strcmp(q->method, "PUT") && manifests) {
        repository = str_copy_n(q->target + 4, (size_t)(manifests - q->target - 4));
        put_manifest(f, repository, manifests + strlen("/manifests/"), q, reply);
        return true;
    }
    return false;
}
