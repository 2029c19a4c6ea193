/* image_remove.c - images going, and what they take and give back: counted in the records, so that
 * it is the same whether or not the files have been collected yet. */
#include <string.h>

#include "base/cleanup.h"
#include "storage/db.h"
#include "storage/internal.h"

int store_image_users(struct store *s, const char *image_id, struct strv *ret_ids, struct err *err)
{
    return db_strings(s->db, ret_ids, err,
                      "SELECT container FROM image_users WHERE image = ? ORDER BY created", "s",
                      image_id);
}

/* --- sizes ------------------------------------------------------------------------------------ */

/* The sum in the first column of a query's only row. `types` is "s" with an id, or "". */
static int sum_layers(struct store *s, const char *sql, const char *types, const char *id,
                      uint64_t *ret, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    int r = db_query(s->db, &query, err, sql, types, id);

    if (!r)
        r = db_next(query, err);
    if (r < 0)
        return r;
    *ret += r ? (uint64_t)sqlite3_column_int64(query, 0) : 0;
    return 0;
}

/* Blobs are files whose size nobody recorded. */
static int sum_blobs(struct store *s, const char *sql, const char *types, const char *id,
                     uint64_t *ret, struct err *err)
{
    cleanup_strv struct strv digests = {0};
    int r = db_strings(s->db, &digests, err, sql, types, id);

    for (size_t i = 0; i < digests.len; i++) {
        uint64_t size = 0;

        if (store_has_blob(s, digests.items[i], &size))
            *ret += size;
    }
    return r;
}

static int sum_both(struct store *s, const char *layers, const char *blobs, const char *types,
                    const char *id, uint64_t *ret, struct err *err)
{
    int r = sum_layers(s, layers, types, id, ret, err);

    return r < 0 ? r : sum_blobs(s, blobs, types, id, ret, err);
}

#define IN_USE " IN (SELECT image FROM image_users)"

int store_image_usage(struct store *s, struct image_usage *ret, struct err *err)
{
    uint64_t total = 0, used = 0;
    int r = sum_both(s,
                     "SELECT COALESCE(SUM(size), 0) FROM layers WHERE chain_id IN"
                     " (SELECT chain_id FROM image_layers)",
                     "SELECT DISTINCT digest FROM image_blobs", "", NULL, &total, err);

    if (r >= 0)
        r = sum_both(s,
                     "SELECT COALESCE(SUM(size), 0) FROM layers WHERE chain_id IN"
                     " (SELECT chain_id FROM image_layers WHERE image" IN_USE ")",
                     "SELECT DISTINCT digest FROM image_blobs WHERE image" IN_USE, "", NULL, &used,
                     err);
    if (r >= 0)
        *ret = (struct image_usage){total, total - used};
    return r < 0 ? r : 0;
}

#define ONLY_MINE_LAYERS                                                                           \
    "FROM image_layers AS mine JOIN layers ON layers.chain_id = mine.chain_id"                     \
    " WHERE mine.image = ?1 AND NOT EXISTS (SELECT 1 FROM image_layers WHERE"                      \
    " chain_id = mine.chain_id AND image <> ?1)"                                                   \
    " AND NOT EXISTS (SELECT 1 FROM build_cache WHERE chain_id = mine.chain_id)"
#define ONLY_MINE_BLOBS                                                                            \
    "FROM image_blobs AS mine WHERE image = ?1 AND NOT EXISTS"                                     \
    " (SELECT 1 FROM image_blobs WHERE digest = mine.digest AND image <> ?1)"

static int sum_unique(struct store *s, const char *image_id, uint64_t *ret, struct err *err)
{
    return sum_both(s, "SELECT COALESCE(SUM(layers.size), 0) " ONLY_MINE_LAYERS,
                    "SELECT digest " ONLY_MINE_BLOBS, "s", image_id, ret, err);
}

int store_image_shares(struct store *s, const char *image_id, uint64_t *ret_shared,
                       uint64_t *ret_unique, struct err *err)
{
    uint64_t all = 0, unique = 0;
    int r = sum_both(s,
                     "SELECT COALESCE(SUM(layers.size), 0) FROM layers WHERE chain_id IN"
                     " (SELECT chain_id FROM image_layers WHERE image = ?)",
                     "SELECT digest FROM image_blobs WHERE image = ?", "s", image_id, &all, err);

    if (r >= 0)
        r = sum_unique(s, image_id, &unique, err);
    if (r < 0)
        return r;
    *ret_shared = all - unique;
    *ret_unique = unique;
    return 0;
}

/* --- removing --------------------------------------------------------------------------------- */

static int delete_rows(struct store *s, const char *image_id, struct strv *ret_deleted,
                       uint64_t *ret_bytes, struct err *err)
{
    static const char *const statements[] = {
        "DELETE FROM refs WHERE image = ?",
        "DELETE FROM image_layers WHERE image = ?",
        "DELETE FROM image_blobs WHERE image = ?",
        "DELETE FROM images WHERE id = ?",
    };
    cleanup_strv struct strv users = {0};
    int r = store_image_users(s, image_id, &users, err);

    if (r < 0)
        return r;
    if (users.len)
        return err_set(err, EBUSY, "container %.12s is using image %.12s", users.items[0],
                       digest_hex(image_id));
    strv_add(ret_deleted, image_id);
    r = sum_unique(s, image_id, ret_bytes, err);
    if (r >= 0)
        r = db_strings(s->db, ret_deleted, err,
                       "SELECT mine.chain_id " ONLY_MINE_LAYERS " ORDER BY position DESC", "s",
                       image_id);
    for (size_t i = 0; i < sizeof statements / sizeof *statements && r >= 0; i++)
        r = db_run(s->db, err, statements[i], "s", image_id);
    return r;
}

int store_image_remove(struct store *s, const char *image_id, struct strv *ret_deleted,
                       uint64_t *ret_bytes, struct err *err)
{
    int r = store_mark_garbage(s, err);

    if (!r || r == -ENOSPC) /* without a mark rather than not at all: it is to make room */
        r = db_begin(s->db, err);
    if (r < 0)
        return r;
    return layout_commit(s, true, delete_rows(s, image_id, ret_deleted, ret_bytes, err), err);
}
