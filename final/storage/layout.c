/* layout.c - index.json, which makes the state directory an OCI image layout: `skopeo inspect
 * oci:/var/lib/cooper:alpine:3.20` reads what cooper pulled. The database is the truth; this file
 * is a view of it, rewritten after each change of images. OCI image spec, image-layout.md. */
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "storage/db.h"
#include "storage/internal.h"

#define MANIFEST_MAX (4u << 20)
#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"

static json_t *manifest_entry(struct store *s, const char *digest, const char *reference)
{
    cleanup_buf struct buf text = {0};
    cleanup_json json_t *manifest = NULL;
    struct err ignored;
    json_t *entry, *annotations;

    if (store_blob_load(s, digest, MANIFEST_MAX, &text, &ignored) < 0)
        return NULL;
    manifest = json_parse(text.data, text.len, digest, &ignored);
    if (!manifest)
        return NULL;
    entry = json_object();
    json_put_str(entry, "mediaType", json_str(manifest, "mediaType", OCI_MANIFEST));
    json_put(entry, "size", json_integer((json_int_t)text.len));
    json_put_str(entry, "digest", digest);
    annotations = json_object();
    json_put_str(annotations, "org.opencontainers.image.ref.name", reference);
    json_put(entry, "annotations", annotations);
    return entry;
}

static int write_index(struct store *s, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    cleanup_json json_t *index = json_object();
    cleanup_free char *text = NULL;
    json_t *manifests = json_array();
    int r =
        db_query(s->db, &query, err,
                 "SELECT images.manifest, refs.name FROM refs JOIN images ON images.id = refs.image"
                 " WHERE images.manifest <> '' AND refs.name NOT LIKE '%@%' ORDER BY refs.name",
                 "");

    json_put(index, "schemaVersion", json_integer(2));
    json_put(index, "manifests", manifests);
    while (r >= 0 && (r = db_next(query, err)) > 0) {
        json_t *entry = manifest_entry(s, db_text(query, 0), db_text(query, 1));

        if (entry)
            json_push(manifests, entry);
    }
    if (r < 0)
        return r;
    text = json_text(index, JSON_COMPACT);
    return store_file(s, "index.json", text, strlen(text), false, err);
}

/* Before the commit, under its lock: of two commands at once, the later one also writes last. */
int layout_commit(struct store *s, bool frees, int r, struct err *err)
{
    struct err ignored;
    int written = r >= 0 ? write_index(s, err) : 0, committed;

    if (frees && written == -ENOSPC) {
        err_clear(err);
        written = 0;
    }
    committed = db_end(s->db, written < 0 ? written : r, err);
    if (r >= 0 && written >= 0 && committed < 0)
        write_index(s, &ignored); /* as it was */
    return committed;
}

int layout_write_index(struct store *s, struct err *err)
{
    int r = db_begin(s->db, err);

    return r < 0 ? r : layout_commit(s, false, 0, err);
}
