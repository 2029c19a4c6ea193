/* build_cache.c - what the steps of builds gave. One row a step, written in one statement after its
 * layer was published: a kill before that leaves a layer nobody refers to, which store_collect()
 * takes, and a row is never without its layer unless somebody removed that. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "storage/db.h"
#include "storage/internal.h"

void build_step_free(struct build_step *step)
{
    free(step->slot);
    free(step->description);
    free(step->inputs);
}

void build_step_list_free(struct build_step_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        build_step_free(&list->items[i]);
    free(list->items);
    *list = (struct build_step_list){0};
}

#define STEP_COLUMNS                                                                               \
    "key, parent, chain_id, slot, description, size, created, used, uses,"                         \
    " EXISTS (SELECT 1 FROM image_layers WHERE image_layers.chain_id = build_cache.chain_id)"

static void read_step(sqlite3_stmt *query, struct build_step *ret)
{
    *ret = (struct build_step){.slot = str_copy(db_text(query, 3)),
                               .description = str_copy(db_text(query, 4)),
                               .size = (uint64_t)sqlite3_column_int64(query, 5),
                               .created_ns = sqlite3_column_int64(query, 6),
                               .used_ns = sqlite3_column_int64(query, 7),
                               .uses = (unsigned)sqlite3_column_int(query, 8),
                               .in_use = sqlite3_column_int(query, 9)};
    db_copy(query, 0, ret->key, sizeof ret->key);
    db_copy(query, 1, ret->parent, sizeof ret->parent);
    db_copy(query, 2, ret->chain_id, sizeof ret->chain_id);
}

int store_build_find(struct store *s, const char *key, struct build_step *ret, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    int r = db_query(s->db, &query, err,
                     "SELECT " STEP_COLUMNS " FROM build_cache WHERE key = ? AND (chain_id IS NULL"
                     " OR EXISTS (SELECT 1 FROM layers WHERE layers.chain_id = "
                     "build_cache.chain_id))",
                     "s", key);

    if (!r)
        r = db_next(query, err);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    read_step(query, ret);
    return 0;
}

int store_build_last(struct store *s, const char *slot, struct build_step *ret, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    int r = db_query(s->db, &query, err,
                     "SELECT " STEP_COLUMNS ", inputs FROM build_cache WHERE slot = ?"
                     " ORDER BY created DESC LIMIT 1",
                     "s", slot);

    if (!r)
        r = db_next(query, err);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    read_step(query, ret);
    ret->inputs = str_copy(db_text(query, 10));
    return 0;
}

int store_build_add(struct store *s, const struct build_step *step, struct err *err)
{
    return db_run(s->db, err,
                  "INSERT INTO build_cache(key, parent, chain_id, slot, description, inputs, size,"
                  " created, used, uses) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, 1)"
                  " ON CONFLICT(key) DO UPDATE SET chain_id = excluded.chain_id,"
                  " parent = excluded.parent, slot = excluded.slot, size = excluded.size,"
                  " created = excluded.created, used = excluded.used",
                  "ssssssii", step->key, step->parent, *step->chain_id ? step->chain_id : NULL,
                  step->slot, step->description, step->inputs, (long long)step->size,
                  (long long)clock_now());
}

int store_build_used(struct store *s, const struct strv *keys, struct err *err)
{
    int64_t now = clock_now();
    int r = keys->len ? db_begin(s->db, err) : 0;

    if (r < 0 || !keys->len)
        return r;
    for (size_t i = 0; i < keys->len && r >= 0; i++)
        r = db_run(s->db, err, "UPDATE build_cache SET used = ?, uses = uses + 1 WHERE key = ?",
                   "is", (long long)now, keys->items[i]);
    return db_end(s->db, r, err);
}

int store_build_list(struct store *s, struct build_step_list *ret, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    struct build_step_list list = {0};
    int r = db_query(s->db, &query, err,
                     "SELECT " STEP_COLUMNS " FROM build_cache ORDER BY used, created, key", "");

    while (r >= 0 && (r = db_next(query, err)) > 0) {
        list.items = mem_grow(list.items, list.len + 1, sizeof *list.items);
        read_step(query, &list.items[list.len++]);
    }
    if (r < 0)
        build_step_list_free(&list);
    else
        *ret = list;
    return r;
}

int store_build_remove(struct store *s, const char *key, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    int r = store_mark_garbage(s, err);

    if (r >= 0)
        r = db_query(s->db, &query, err, "DELETE FROM build_cache WHERE key = ? RETURNING 1", "s",
                     key);
    return r < 0 ? r : db_next(query, err);
}

int store_build_directory(struct store *s, const char *name, bool make, struct err *err)
{
    cleanup_free char *path = str_format("build/cache%s%s", *name ? "/" : "", name);
    int fd, r = make ? file_make_dirs(s->root_fd, path, 0700, err) : 0;

    if (r < 0)
        return r;
    fd = openat(s->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? err_errno(err, "cannot open '%s/%s'", s->root, path) : fd;
}
