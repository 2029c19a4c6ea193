#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "storage/db.h"
#include "storage/storage.h"

static int record_use(struct store *s, const char *name, bool anonymous, const char *container_id,
                      struct err *err)
{
    int r = db_begin(s->db, err);

    if (r < 0)
        return r;
    r = db_run(s->db, err,
               "INSERT OR IGNORE INTO volumes(name, anonymous, created) VALUES(?, ?, ?)", "sii",
               name, (long long)anonymous, (long long)clock_now());
    if (r >= 0)
        r = db_run(s->db, err,
                   "INSERT OR IGNORE INTO container_volumes(container, volume) VALUES(?, ?)", "ss",
                   container_id, name);
    return db_end(s->db, r, err);
}

int store_volume_use(struct store *s, const char *name, const char *container_id, char **ret_name,
                     char **ret_path, struct err *err)
{
    cleanup_free char *path = NULL;
    char generated[ID_LEN + 1];
    int r;

    if (!name) {
        r = id_generate(generated, err);
        if (r < 0)
            return r;
    }
    r = record_use(s, name ? name : generated, !name, container_id, err);
    if (r < 0)
        return err_wrap(err, "cannot record volume '%s'", name ? name : generated);
    path = str_format("volumes/%s/_data", name ? name : generated);
    r = file_make_dirs(s->root_fd, path, 0755, err);
    if (r < 0)
        return err_wrap(err, "cannot make the volume");
    *ret_name = str_copy(name ? name : generated);
    *ret_path = str_format("%s/%s", s->root, path);
    return 0;
}

static char *garbage_name(const char *volume)
{
    return str_format("0-0-%s", volume);
}

/* Into staging/, as nobody's: without its record the directory would be found by nobody else, if we
 * are killed before it is emptied. */
static int move_away(struct store *s, const char *volume, struct err *err)
{
    cleanup_free char *name = garbage_name(volume);
    cleanup_free char *from = str_format("volumes/%s", volume);
    cleanup_free char *to = str_format("staging/%s", name);

    if (renameat(s->root_fd, from, s->root_fd, to) < 0 && errno != ENOENT)
        return err_errno(err, "cannot move '%s' away to remove it", from);
    return 0;
}

/* Names of anonymous volumes only this container uses, whose records go now. */
static int forget_uses(struct store *s, const char *container_id, bool remove_anonymous,
                       struct strv *ret_orphans, struct err *err)
{
    int r = 0;

    if (remove_anonymous)
        r = db_strings(s->db, ret_orphans, err,
                       "SELECT name FROM volumes JOIN container_volumes ON volume = name"
                       " WHERE anonymous = 1 AND container = ?1 AND NOT EXISTS"
                       " (SELECT 1 FROM container_volumes WHERE volume = name AND container <> ?1)",
                       "s", container_id);
    if (r >= 0)
        r = db_run(s->db, err, "DELETE FROM container_volumes WHERE container = ?", "s",
                   container_id);
    for (size_t i = 0; i < ret_orphans->len && r >= 0; i++) {
        r = db_run(s->db, err, "DELETE FROM volumes WHERE name = ?", "s", ret_orphans->items[i]);
        if (r >= 0)
            r = move_away(s, ret_orphans->items[i], err);
    }
    return r;
}

/* Read without a write lock first: most containers have no volumes, and this is on the way of every
 * rm. */
static int uses_any(struct store *s, const char *container_id, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    int r =
        db_query(s->db, &query, err, "SELECT 1 FROM container_volumes WHERE container = ? LIMIT 1",
                 "s", container_id);

    return r < 0 ? r : db_next(query, err);
}

int store_volumes_release(struct store *s, const char *container_id, bool remove_anonymous,
                          struct err *err)
{
    cleanup_strv struct strv orphans = {0};
    int r = uses_any(s, container_id, err);

    if (r <= 0)
        return r;
    r = db_begin(s->db, err);
    if (r < 0)
        return r;
    r = db_end(s->db, forget_uses(s, container_id, remove_anonymous, &orphans, err), err);
    for (size_t i = 0; i < orphans.len && r >= 0; i++) {
        cleanup_free char *name = garbage_name(orphans.items[i]);

        r = store_stage_drop(s, name, err);
    }
    return r;
}
