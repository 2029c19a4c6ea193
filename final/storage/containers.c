#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "storage/db.h"
#include "storage/storage.h"

#define COLUMNS                                                                                    \
    "id, name, image, image_name, state, config, auto_remove, created, started, finished, "        \
    "exit_code,"                                                                                   \
    " oom_killed, error, owner_pid, owner_start, init_pid, init_start, boot_id, restarts, "        \
    "revision"

void container_free(struct container *c)
{
    free(c->name);
    free(c->image_id);
    free(c->image_name);
    free(c->state);
    free(c->error);
    json_decref(c->config);
    *c = (struct container){0};
}

void container_list_free(struct container_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        container_free(&list->items[i]);
    free(list->items);
    *list = (struct container_list){0};
}

static int read_container(sqlite3_stmt *query, struct container *ret, struct err *err)
{
    const char *config = db_text(query, 5);
    struct container c = {
        .auto_remove = sqlite3_column_int(query, 6),
        .created_ns = sqlite3_column_int64(query, 7),
        .started_ns = sqlite3_column_int64(query, 8),
        .finished_ns = sqlite3_column_int64(query, 9),
        .exit_code = sqlite3_column_int(query, 10),
        .oom_killed = sqlite3_column_int(query, 11),
        .owner = {sqlite3_column_int(query, 13),
                  (unsigned long long)sqlite3_column_int64(query, 14)},
        .init = {sqlite3_column_int(query, 15),
                 (unsigned long long)sqlite3_column_int64(query, 16)},
        .restarts = sqlite3_column_int(query, 18),
        .revision = sqlite3_column_int64(query, 19),
    };

    c.config = json_parse(config, strlen(config), "a container's record", err);
    if (!c.config)
        return -err->code;
    db_copy(query, 0, c.id, sizeof c.id);
    c.name = str_copy(db_text(query, 1));
    c.image_id = str_copy(db_text(query, 2));
    c.image_name = str_copy(db_text(query, 3));
    c.state = str_copy(db_text(query, 4));
    c.error = str_copy(db_text(query, 12));
    db_copy(query, 17, c.boot_id, sizeof c.boot_id);
    *ret = c;
    return 0;
}

static bool is_unique_violation(struct store *s)
{
    int code = sqlite3_extended_errcode(s->db);

    return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY;
}

/* Docker's words for a name that is taken. */
static int name_conflict(struct store *s, const char *name, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    char id[65] = "";

    if (!db_query(s->db, &query, err, "SELECT id FROM containers WHERE name = ?", "s", name) &&
        db_next(query, err) > 0)
        db_copy(query, 0, id, sizeof id);
    return err_set(
        err, EEXIST,
        "Conflict. The container name \"/%s\" is already in use by container \"%s\". You have "
        "to remove (or rename) that container to be able to reuse that name.",
        name, id);
}

int store_container_own(struct container *c, struct err *err)
{
    int r = proc_identify_self(&c->owner, err);

    return r < 0 ? r : proc_boot_id(c->boot_id, err);
}

int store_container_add(struct store *s, struct container *c, struct err *err)
{
    cleanup_free char *config = json_text(c->config, JSON_COMPACT);
    int r = store_container_own(c, err);

    if (r < 0)
        return r;
    free(c->state);
    c->state = str_copy("creating");
    r = db_run(s->db, err,
               "INSERT INTO containers(" COLUMNS
               ") VALUES(?, ?, ?, ?, 'creating', ?, ?, ?, 0, 0, 0, 0, '', ?, ?, 0, 0, ?, 0, 0)",
               "sssssiiiis", c->id, c->name, c->image_id, c->image_name, config,
               (long long)c->auto_remove, (long long)c->created_ns, (long long)c->owner.pid,
               (long long)c->owner.start, c->boot_id);
    if (r < 0 && is_unique_violation(s))
        return name_conflict(s, c->name, err);
    if (r < 0 && sqlite3_extended_errcode(s->db) == SQLITE_CONSTRAINT_FOREIGNKEY)
        return err_set(err, ENOENT, "No such image: %s", c->image_name);
    return r;
}

/* One row or -ENOENT; a second one makes a prefix ambiguous. */
static int find_by(struct store *s, const char *sql, const char *value, struct container *ret,
                   struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    struct container c;
    int r = db_query(s->db, &query, err, sql, "s", value);

    if (!r)
        r = db_next(query, err);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    r = read_container(query, &c, err);
    if (r < 0)
        return r;
    r = db_next(query, err);
    if (r) {
        container_free(&c);
        return r < 0 ? r : -ENOTUNIQ;
    }
    *ret = c;
    return 0;
}

int store_container_find(struct store *s, const char *name_or_id, struct container *ret,
                         struct err *err)
{
    cleanup_free char *pattern = NULL;
    size_t n;
    int r = find_by(s, "SELECT " COLUMNS " FROM containers WHERE id = ?", name_or_id, ret, err);

    if (*name_or_id == '/')
        name_or_id++;
    if (r == -ENOENT)
        r = find_by(s, "SELECT " COLUMNS " FROM containers WHERE name = ?", name_or_id, ret, err);
    n = strlen(name_or_id);
    if (r != -ENOENT || !n || strspn(name_or_id, "0123456789abcdef") != n)
        return r;
    pattern = str_format("%s*", name_or_id);
    return find_by(s, "SELECT " COLUMNS " FROM containers WHERE id GLOB ? LIMIT 2", pattern, ret,
                   err);
}

int store_containers(struct store *s, struct container_list *ret, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    struct container_list list = {0};
    int r = db_query(s->db, &query, err, "SELECT " COLUMNS " FROM containers ORDER BY created DESC",
                     "");

    while (r >= 0 && (r = db_next(query, err)) > 0) {
        list.items = mem_grow(list.items, list.len + 1, sizeof *list.items);
        r = read_container(query, &list.items[list.len], err);
        if (r >= 0)
            list.len++;
    }
    if (r < 0)
        container_list_free(&list);
    else
        *ret = list;
    return r;
}

int store_container_created(struct store *s, const struct container *c, struct err *err)
{
    cleanup_free char *config = json_text(c->config, JSON_COMPACT);
    int r =
        db_run(s->db, err,
               "UPDATE containers SET state = ?, config = ? WHERE id = ? AND state = 'creating'",
               "sss", c->state, config, c->id);

    if (r >= 0 && !sqlite3_changes(s->db))
        return err_set(err, ENOENT, "container %s was removed while it was made", c->name);
    return r;
}

int store_container_update(struct store *s, struct container *c, struct err *err)
{
    int r =
        db_run(s->db, err,
               "UPDATE containers SET state = ?, auto_remove = ?, started = ?, finished = ?,"
               " exit_code = ?, oom_killed = ?, error = ?, owner_pid = ?, owner_start = ?,"
               " init_pid = ?, init_start = ?, boot_id = ?, restarts = ?, revision = revision + 1"
               " WHERE id = ? AND revision = ?",
               "siiiiisiiiisisi", c->state, (long long)c->auto_remove, (long long)c->started_ns,
               (long long)c->finished_ns, (long long)c->exit_code, (long long)c->oom_killed,
               c->error ? c->error : "", (long long)c->owner.pid, (long long)c->owner.start,
               (long long)c->init.pid, (long long)c->init.start, c->boot_id, (long long)c->restarts,
               c->id, (long long)c->revision);

    if (r < 0)
        return r;
    if (!sqlite3_changes(s->db))
        return err_set(err, EAGAIN, "container %s has changed: another command was faster",
                       c->name);
    c->revision++;
    return 0;
}

static int write_edited(struct store *s, const struct container *c, struct err *err)
{
    cleanup_free char *config = json_text(c->config, JSON_COMPACT);
    int r = db_run(s->db, err, "UPDATE containers SET name = ?, config = ? WHERE id = ?", "sss",
                   c->name, config, c->id);

    return r < 0 && is_unique_violation(s) ? name_conflict(s, c->name, err) : r;
}

int store_container_edit(struct store *s, const char *id, const struct store_edit *edit,
                         struct err *err)
{
    struct container c;
    int r = db_begin(s->db, err);

    if (r < 0)
        return r;
    r = find_by(s, "SELECT " COLUMNS " FROM containers WHERE id = ?", id, &c, err);
    if (!r) {
        r = edit->change(edit->context, &c, err);
        if (!r)
            r = write_edited(s, &c, err);
        if (!r)
            r = edit->written(edit->context, &c, err);
        container_free(&c);
    }
    return db_end(s->db, r, err);
}

int store_container_remove(struct store *s, const char *id, struct err *err)
{
    int r = db_run(s->db, err, "DELETE FROM containers WHERE id = ?", "s", id);

    return r < 0 ? r : sqlite3_changes(s->db) > 0;
}

bool store_name_taken(struct store *s, const char *name)
{
    cleanup_query sqlite3_stmt *query = NULL;
    struct err ignored;

    return db_query(s->db, &query, &ignored, "SELECT 1 FROM containers WHERE name = ?", "s", name) <
               0 ||
           db_next(query, &ignored) != 0;
}

static int open_dir(int at, const char *path, bool make, struct err *err)
{
    int fd;

    if (make && mkdirat(at, path, 0700) < 0 && errno != EEXIST)
        return err_errno(err, "cannot make directory '%s'", path);
    fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? err_errno(err, "cannot open directory '%s'", path) : fd;
}

int store_container_dir(struct store *s, const char *id, bool make, struct err *err)
{
    cleanup_free char *path = str_format("containers/%s", id);

    return open_dir(s->root_fd, path, make, err);
}

int store_run_dir(struct store *s, const char *id, bool make, struct err *err)
{
    return open_dir(s->run_fd, id, make, err);
}
