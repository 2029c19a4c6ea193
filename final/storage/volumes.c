/* volumes.c - directories that outlive containers: volumes/<name>/_data, and who uses them. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "storage/db.h"
#include "storage/storage.h"

#define COLUMNS "name, anonymous, created, labels, options"

void volume_free(struct volume *v)
{
    free(v->name);
    json_decref(v->labels);
    json_decref(v->options);
    *v = (struct volume){0};
}

void volume_list_free(struct volume_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        volume_free(&list->items[i]);
    free(list->items);
    *list = (struct volume_list){0};
}

static json_t *object_column(sqlite3_stmt *query, int column, struct err *err)
{
    const char *text = db_text(query, column);

    return json_parse(text, strlen(text), "a volume's record", err);
}

static int read_volume(sqlite3_stmt *query, struct volume *ret, struct err *err)
{
    struct volume v = {.anonymous = sqlite3_column_int(query, 1),
                       .created_ns = sqlite3_column_int64(query, 2)};

    v.labels = object_column(query, 3, err);
    v.options = v.labels ? object_column(query, 4, err) : NULL;
    if (!v.options) {
        volume_free(&v);
        return -err->code;
    }
    v.name = str_copy(db_text(query, 0));
    *ret = v;
    return 0;
}

int store_volume_find(struct store *s, const char *name, struct volume *ret, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    int r =
        db_query(s->db, &query, err, "SELECT " COLUMNS " FROM volumes WHERE name = ?", "s", name);

    if (!r)
        r = db_next(query, err);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    return read_volume(query, ret, err);
}

int store_volumes(struct store *s, struct volume_list *ret, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    struct volume_list list = {0};
    int r = db_query(s->db, &query, err, "SELECT " COLUMNS " FROM volumes ORDER BY name", "");

    while (!r && (r = db_next(query, err)) > 0) {
        list.items = mem_grow(list.items, list.len + 1, sizeof *list.items);
        r = read_volume(query, &list.items[list.len], err);
        list.len += !r;
    }
    if (r < 0) {
        volume_list_free(&list);
        return r;
    }
    *ret = list;
    return 0;
}

int store_volume_users(struct store *s, const char *name, struct strv *ret, struct err *err)
{
    return db_strings(s->db, ret, err,
                      "SELECT container FROM container_volumes WHERE volume = ? ORDER BY container",
                      "s", name);
}

char *store_volume_path(const struct store *s, const char *name)
{
    return str_format("%s/volumes/%s/_data", s->root, name);
}

/* --- new ones
 * --------------------------------------------------------------------------------------- */

static char *object_text(const json_t *object)
{
    return object ? json_text(object, JSON_COMPACT | JSON_SORT_KEYS) : str_copy("{}");
}

/* 1: new. */
static int insert(struct store *s, const char *name, bool anonymous, const json_t *labels,
                  const json_t *options, struct err *err)
{
    cleanup_free char *labels_text = object_text(labels), *options_text = object_text(options);
    int r = db_run(s->db, err, "INSERT OR IGNORE INTO volumes(" COLUMNS ") VALUES(?, ?, ?, ?, ?)",
                   "siiss", name, (long long)anonymous, (long long)clock_now(), labels_text,
                   options_text);

    return r < 0 ? r : sqlite3_changes(s->db);
}

static int record(struct store *s, const char *name, bool anonymous, const json_t *labels,
                  const json_t *options, const char *container_id, struct err *err)
{
    int made, r = db_begin(s->db, err);

    if (r < 0)
        return r;
    made = r = insert(s, name, anonymous, labels, options, err);
    if (r >= 0 && container_id)
        r = db_run(s->db, err,
                   "INSERT OR IGNORE INTO container_volumes(container, volume) VALUES(?, ?)", "ss",
                   container_id, name);
    r = db_end(s->db, r, err);
    return r < 0 ? r : made;
}

/* A directory without a record would be nobody's, so it comes second. Made each time: a command may
 * have been killed between the two. */
static int make_directory(struct store *s, const char *name, struct err *err)
{
    cleanup_free char *path = str_format("volumes/%s/_data", name);

    return file_make_dirs(s->root_fd, path, 0755, err);
}

/* Another command has removed it, before there was a directory. */
static int take_back(struct store *s, const char *name, struct err *err)
{
    cleanup_free char *data = str_format("volumes/%s/_data", name);
    cleanup_free char *path = str_format("volumes/%s", name);

    unlinkat(s->root_fd, data, AT_REMOVEDIR);
    unlinkat(s->root_fd, path, AT_REMOVEDIR);
    return err_set(err, ENOENT, "volume '%s' was removed", name);
}

int store_volume_add(struct store *s, const char *name, const json_t *labels, const json_t *options,
                     const char *container_id, struct volume *ret, struct err *err)
{
    char generated[ID_LEN + 1];
    int made, r = name ? 0 : id_generate(generated, err);

    if (r < 0)
        return r;
    made = record(s, name ? name : generated, !name, labels, options, container_id, err);
    r = made < 0 ? made : make_directory(s, name ? name : generated, err);
    if (r < 0)
        return err_wrap(err, "cannot make volume '%s'", name ? name : generated);
    r = store_volume_find(s, name ? name : generated, ret, err);
    if (r == -ENOENT)
        return take_back(s, name ? name : generated, err);
    return r < 0 ? r : made;
}

/* --- the way back
 * ----------------------------------------------------------------------------------- */

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

static int forget(struct store *s, const char *name, struct err *err)
{
    int r = db_run(s->db, err, "DELETE FROM volumes WHERE name = ?", "s", name);

    return r < 0 ? r : move_away(s, name, err);
}

static int drop(struct store *s, const char *name, struct err *err)
{
    cleanup_free char *garbage = garbage_name(name);

    return store_stage_drop(s, garbage, err);
}

/* One that was just removed may have come back: the garbage of the first must be gone before the
 * second can move there. */
static int forget_unused(struct store *s, const char *name, struct err *err)
{
    cleanup_strv struct strv users = {0};
    struct volume v;
    int r = store_volume_find(s, name, &v, err);

    if (r < 0)
        return r;
    volume_free(&v);
    r = store_volume_users(s, name, &users, err);
    if (!r && users.len)
        return -EBUSY;
    if (!r)
        r = drop(s, name, err);
    return r < 0 ? r : forget(s, name, err);
}

int store_volume_remove(struct store *s, const char *name, struct err *err)
{
    int r = db_begin(s->db, err);

    if (r < 0)
        return r;
    r = db_end(s->db, forget_unused(s, name, err), err);
    return r < 0 ? r : drop(s, name, err);
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
    for (size_t i = 0; i < ret_orphans->len && r >= 0; i++)
        r = forget(s, ret_orphans->items[i], err);
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
                          struct strv *ret_removed, struct err *err)
{
    int r = uses_any(s, container_id, err);

    if (r <= 0)
        return r;
    r = db_begin(s->db, err);
    if (r < 0)
        return r;
    r = db_end(s->db, forget_uses(s, container_id, remove_anonymous, ret_removed, err), err);
    for (size_t i = 0; i < ret_removed->len && r >= 0; i++)
        r = drop(s, ret_removed->items[i], err);
    return r;
}
