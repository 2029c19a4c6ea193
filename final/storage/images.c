#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "storage/db.h"
#include "storage/internal.h"
#include "storage/storage.h"

#define CONFIG_MAX (4u << 20)

void image_free(struct image *image)
{
    strv_free(&image->references);
    strv_free(&image->digests);
}

void image_list_free(struct image_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        image_free(&list->items[i]);
    free(list->items);
    *list = (struct image_list){0};
}

static int load_references(struct store *s, struct image *image, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    int r = db_query(s->db, &query, err,
                     "SELECT name, tagged FROM refs WHERE image = ? ORDER BY name", "s", image->id);

    while (r >= 0 && (r = db_next(query, err)) > 0) {
        const char *name = db_text(query, 0);
        int64_t tagged = sqlite3_column_int64(query, 1);

        if (tagged > image->tagged_ns)
            image->tagged_ns = tagged;
        strv_add(strchr(name, '@') ? &image->digests : &image->references, name);
    }
    return r;
}

/* Containers are counted in indices alone: their rows are long, and `ps` asks for many an image. */
#define IMAGE_COLUMNS                                                                              \
    "images.id, images.manifest, images.created, images.size, images.parent,"                      \
    " (SELECT COUNT(*) FROM images AS child WHERE child.parent = images.id),"                      \
    " (SELECT COUNT(*) FROM containers WHERE containers.image = images.id)"                        \
    " + (SELECT COUNT(*) FROM image_mounts WHERE image_mounts.image = images.id AND NOT EXISTS"    \
    " (SELECT 1 FROM containers WHERE containers.image = images.id AND id = container))"

static int read_image(struct store *s, sqlite3_stmt *query, struct image *ret, struct err *err)
{
    struct image image = {.created_ns = sqlite3_column_int64(query, 2),
                          .size = (uint64_t)sqlite3_column_int64(query, 3),
                          .children = (unsigned)sqlite3_column_int(query, 5),
                          .containers = (unsigned)sqlite3_column_int(query, 6)};
    int r;

    db_copy(query, 0, image.id, sizeof image.id);
    db_copy(query, 1, image.manifest, sizeof image.manifest);
    db_copy(query, 4, image.parent, sizeof image.parent);
    r = load_references(s, &image, err);
    if (r < 0)
        image_free(&image);
    else
        *ret = image;
    return r;
}

int store_images(struct store *s, struct image_list *ret, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    struct image_list list = {0};
    int r = db_query(s->db, &query, err,
                     "SELECT " IMAGE_COLUMNS " FROM images ORDER BY created DESC, id", "");

    while (r >= 0 && (r = db_next(query, err)) > 0) {
        list.items = mem_grow(list.items, list.len + 1, sizeof *list.items);
        r = read_image(s, query, &list.items[list.len], err);
        if (r >= 0)
            list.len++;
    }
    if (r < 0)
        image_list_free(&list);
    else
        *ret = list;
    return r;
}

int store_image_by_reference(struct store *s, const char *canonical, struct image *ret,
                             struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    int r = db_query(s->db, &query, err,
                     "SELECT " IMAGE_COLUMNS " FROM refs JOIN images ON images.id = refs.image"
                     " WHERE refs.name = ?",
                     "s", canonical);

    if (!r)
        r = db_next(query, err);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    return read_image(s, query, ret, err);
}

/* LIKE would take '%' from the user: only hexadecimal digits get this far. */
static bool is_hex(const char *text)
{
    return *text && strspn(text, "0123456789abcdef") == strlen(text) && strlen(text) <= 64;
}

int store_image_by_prefix(struct store *s, const char *prefix, struct image *ret, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    cleanup_free char *pattern = NULL;
    struct image image;
    int r;

    if (str_starts(prefix, "sha256:"))
        prefix += 7;
    if (!is_hex(prefix))
        return -ENOENT;
    pattern = str_format("sha256:%s*", prefix);
    r = db_query(s->db, &query, err, "SELECT " IMAGE_COLUMNS " FROM images WHERE id GLOB ? LIMIT 2",
                 "s", pattern);
    if (!r)
        r = db_next(query, err);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    r = read_image(s, query, &image, err);
    if (r < 0)
        return r;
    r = db_next(query, err);
    if (r) {
        image_free(&image);
        return r < 0 ? r : -ENOTUNIQ;
    }
    *ret = image;
    return 0;
}

json_t *store_image_config(struct store *s, const char *image_id, struct err *err)
{
    cleanup_buf struct buf text = {0};

    if (store_blob_load(s, image_id, CONFIG_MAX, &text, err) < 0)
        return NULL;
    return json_parse(text.data, text.len, image_id, err);
}

int store_image_layers(struct store *s, const char *image_id, struct strv *ret_dirs,
                       struct strv *ret_chain_ids, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    int r = db_query(s->db, &query, err,
                     "SELECT layers.dir, layers.chain_id FROM image_layers"
                     " JOIN layers ON layers.chain_id = image_layers.chain_id"
                     " WHERE image_layers.image = ? ORDER BY position",
                     "s", image_id);

    while (r >= 0 && (r = db_next(query, err)) > 0) {
        if (ret_dirs)
            strv_add(ret_dirs, db_text(query, 0));
        if (ret_chain_ids)
            strv_add(ret_chain_ids, db_text(query, 1));
    }
    return r;
}

int store_image_mount(struct store *s, const char *container_id, const char *image_id,
                      struct err *err)
{
    int r = db_run(s->db, err, "INSERT OR IGNORE INTO image_mounts(container, image) VALUES(?, ?)",
                   "ss", container_id, image_id);

    if (r < 0 && sqlite3_extended_errcode(s->db) == SQLITE_CONSTRAINT_FOREIGNKEY)
        return err_set(err, ENOENT, "No such image: %s", image_id);
    return r;
}

static int add_layers(struct store *s, const struct image_record *record, struct err *err)
{
    int r = 0;

    for (size_t i = 0; i < record->chain_ids.len && r >= 0; i++)
        r = db_run(s->db, err,
                   "INSERT INTO image_layers(image, position, chain_id) VALUES(?, ?, ?)"
                   " ON CONFLICT DO NOTHING",
                   "sis", record->id, (long long)i, record->chain_ids.items[i]);
    for (size_t i = 0; i < record->blobs.len && r >= 0; i++)
        r = db_run(s->db, err, "INSERT OR IGNORE INTO image_blobs(image, digest) VALUES(?, ?)",
                   "ss", record->id, record->blobs.items[i]);
    for (size_t i = 0; i < record->packed_count && r >= 0; i++)
        r = db_run(s->db, err,
                   "INSERT OR IGNORE INTO layer_blobs(diff_id, digest, media_type, size)"
                   " VALUES(?, ?, ?, ?)",
                   "sssi", record->packed[i].diff_id, record->packed[i].digest,
                   record->packed[i].media_type, (long long)record->packed[i].size);
    return r;
}

static int set_reference(struct store *s, const char *name, const char *image_id, int64_t tagged_ns,
                         struct err *err)
{
    return db_run(
        s->db, err,
        "INSERT INTO refs(name, image, tagged) VALUES(?, ?, ?)"
        " ON CONFLICT(name) DO UPDATE SET image = excluded.image, tagged = excluded.tagged",
        "ssi", name, image_id, (long long)tagged_ns);
}

static int check_image(struct store *s, const char *image_id, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    int r = db_query(s->db, &query, err, "SELECT 1 FROM images WHERE id = ?", "s", image_id);

    if (!r)
        r = db_next(query, err);
    if (r < 0)
        return r;
    return r ? 0 : err_set(err, ENOENT, "No such image: %s", image_id);
}

static int add_image(struct store *s, const struct image_record *record, struct err *err)
{
    int r = record->known ? check_image(s, record->id, err) : 0;

    if (r >= 0)
        r = db_run(s->db, err,
                   "INSERT INTO images(id, manifest, created, size, parent) VALUES(?, ?, ?, 0, ?)"
                   " ON CONFLICT(id) DO UPDATE SET manifest = excluded.manifest"
                   " WHERE excluded.manifest <> ''",
                   "ssis", record->id, record->manifest, (long long)record->created_ns,
                   record->parent ? record->parent : "");

    if (r >= 0)
        r = add_layers(s, record, err);
    if (r >= 0)
        r = db_run(
            s->db, err,
            "UPDATE images SET size = (SELECT COALESCE(SUM(layers.size), 0) FROM image_layers"
            " JOIN layers ON layers.chain_id = image_layers.chain_id"
            " WHERE image_layers.image = images.id) WHERE id = ?",
            "s", record->id);
    if (r >= 0 && record->reference)
        r = set_reference(s, record->reference, record->id, record->pulled ? 0 : clock_now(), err);
    for (size_t i = 0; record->references && i < record->references->len && r >= 0; i++)
        r = set_reference(s, record->references->items[i], record->id, clock_now(), err);
    if (r >= 0 && record->repo_digest)
        r = set_reference(s, record->repo_digest, record->id, 0, err);
    return r;
}

int store_image_add(struct store *s, const struct image_record *record, struct err *err)
{
    int r = db_begin(s->db, err);

    if (r < 0)
        return r;
    r = layout_commit(s, false, add_image(s, record, err), err);
    return r < 0 ? err_wrap(err, "cannot record image '%s'", record->id) : 0;
}

int store_image_set_parent(struct store *s, const char *image_id, const char *parent,
                           struct err *err)
{
    return db_run(s->db, err,
                  "UPDATE images SET parent = ?2 WHERE id = ?1 AND parent = '' AND id <> ?2"
                  " AND EXISTS (SELECT 1 FROM images WHERE id = ?2)",
                  "ss", image_id, parent);
}

int store_image_blobs(struct store *s, const char *image_id, struct strv *ret, struct err *err)
{
    return db_strings(s->db, ret, err, "SELECT digest FROM image_blobs WHERE image = ?", "s",
                      image_id);
}

int store_layer_blob(struct store *s, const char *diff_id, struct layer_blob *ret, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    struct layer_blob found = {0};
    int r = db_query(s->db, &query, err,
                     "SELECT diff_id, digest, media_type, size FROM layer_blobs WHERE diff_id = ?"
                     " ORDER BY digest",
                     "s", diff_id);

    while (r >= 0 && (r = db_next(query, err)) > 0) {
        db_copy(query, 0, found.diff_id, sizeof found.diff_id);
        db_copy(query, 1, found.digest, sizeof found.digest);
        db_copy(query, 2, found.media_type, sizeof found.media_type);
        found.size = (uint64_t)sqlite3_column_int64(query, 3);
        if (store_has_blob(s, found.digest, NULL)) {
            *ret = found;
            return 0;
        }
    }
    return r < 0 ? r : -ENOENT;
}

int store_reference_set(struct store *s, const char *canonical, const char *image_id,
                        struct err *err)
{
    int r = db_begin(s->db, err);

    if (r < 0)
        return r;
    r = check_image(s, image_id, err);
    if (!r)
        r = set_reference(s, canonical, image_id, clock_now(), err);
    return layout_commit(s, false, r, err);
}

int store_repo_digest_set(struct store *s, const char *canonical, const char *image_id,
                          struct err *err)
{
    int r = db_begin(s->db, err);

    if (r < 0)
        return r;
    r = check_image(s, image_id, err);
    return db_end(s->db, r < 0 ? r : set_reference(s, canonical, image_id, 0, err), err);
}

int store_blob_repositories(struct store *s, const char *digest, const char *prefix,
                            struct strv *ret, struct err *err)
{
    return db_strings(s->db, ret, err,
                      "SELECT DISTINCT substr(name, 1, instr(name, '@') - 1) FROM refs"
                      " JOIN image_blobs ON image_blobs.image = refs.image"
                      " WHERE image_blobs.digest = ?1 AND instr(name, '@') > 0"
                      " AND substr(name, 1, length(?2)) = ?2 ORDER BY 1",
                      "ss", digest, prefix);
}

int store_reference_remove(struct store *s, const char *image_id, const char *canonical,
                           struct err *err)
{
    int r = db_begin(s->db, err);

    if (r < 0)
        return r;
    r = db_run(s->db, err, "DELETE FROM refs WHERE image = ?1 AND (?2 IS NULL OR name = ?2)", "ss",
               image_id, canonical);
    return layout_commit(s, true, r, err);
}
