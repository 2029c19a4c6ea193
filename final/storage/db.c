#include "storage/db.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"

#define BUSY_MS       30000
#define CHECKPOINT_AT 64 /* pages of 4 KiB in the log */

/* What frees space must be recorded, too, so there must be room to record it when there is no
 * other. The log is written from its beginning again after each checkpoint and never cut: one that
 * is twice as long as it ever gets need not grow. And the database grows by more than it needs. */
#define LOG_RESERVE (2 * CHECKPOINT_AT * 4120 + 32)
#define GROWS_BY    (128 << 10)
#define LOG_TRIES   1000

static int fail(sqlite3 *db, struct err *err, const char *what)
{
    int code = sqlite3_errcode(db) & 0xff;
    int number = code == SQLITE_FULL                            ? ENOSPC
                 : code == SQLITE_NOMEM                         ? ENOMEM
                 : code == SQLITE_BUSY || code == SQLITE_LOCKED ? EBUSY
                 : code == SQLITE_READONLY                      ? EROFS
                                                                : EIO;

    if (code == SQLITE_FULL)
        return err_set(err, number, "the database cannot grow: no space left on device");
    if (code == SQLITE_READONLY)
        return err_set(err, number, "the database cannot be written: read-only file system");
    if (code != SQLITE_ERROR) /* not our mistake, so the statement is of no interest */
        return err_set(err, number, "the database: %s", sqlite3_errmsg(db));
    return err_set(err, number, "the database: %s: %s", what, sqlite3_errmsg(db));
}

static int run_script(sqlite3 *db, const char *sql, struct err *err)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? 0
               : fail(db, err, "cannot prepare it");
}

static int user_version(sqlite3 *db, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    int r = db_query(db, &query, err, "PRAGMA user_version", "");

    if (!r)
        r = db_next(query, err);
    return r < 0 ? r : sqlite3_column_int(query, 0);
}

/* Version n + 1 after version n, in one transaction: a database is never between two versions. Two
 * commands at once: the one that waited finds the work done. */
static int migrate_to_next(sqlite3 *db, struct err *err)
{
    char set_version[48];
    int r = db_begin(db, err), version;

    if (r < 0)
        return r;
    version = r = user_version(db, err);
    if (version >= 0 && version < db_schema_version) {
        snprintf(set_version, sizeof set_version, "PRAGMA user_version=%d", version + 1);
        r = run_script(db, db_schema[version], err);
        if (!r)
            r = run_script(db, set_version, err);
    }
    return db_end(db, r < 0 ? r : 0, err);
}

/* Pages of zeros are no part of a log: SQLite reads up to the first that does not fit. */
static int reserve_log(const char *path, struct err *err)
{
    cleanup_free char *log = str_format("%s-wal", path);
    cleanup_close int fd = open(log, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r = fd < 0 ? errno : posix_fallocate(fd, 0, LOG_RESERVE);

    return r ? err_set(err, r, "cannot reserve room for '%s': %s", log, strerror(r)) : 0;
}

/* Several commands may be the first. To go over to the log SQLite needs the file alone for a moment
 * and does not wait for that, so one command at a time does it. Others may be looking at the
 * version meanwhile, each once: then it is tried again. */
static int begin_log(sqlite3 *db, const char *path, struct err *err)
{
    cleanup_free char *directory = str_copy_n(path, (size_t)(strrchr(path, '/') - path));
    cleanup_close int lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r;

    if (lock < 0)
        return err_errno(err, "cannot open '%s'", directory);
    while ((r = flock(lock, LOCK_EX)) < 0 && errno == EINTR)
        ;
    if (r < 0)
        return err_errno(err, "cannot lock '%s'", directory);
    for (int tries = 0; tries < LOG_TRIES; tries++) {
        err_clear(err);
        r = run_script(db, "PRAGMA journal_mode=WAL", err);
        if (r != -EBUSY)
            break;
    }
    return r < 0 ? r : reserve_log(path, err);
}

static int migrate(sqlite3 *db, const char *path, struct err *err)
{
    int version = user_version(db, err), r = version < 0 ? version : 0;

    if (!version || version == -EBUSY) { /* it is on its way to the log */
        r = begin_log(db, path, err);
        version = r < 0 ? r : user_version(db, err);
    }
    while (r >= 0 && version >= 0 && version < db_schema_version) {
        r = migrate_to_next(db, err);
        version = r < 0 ? r : user_version(db, err);
    }
    if (r < 0 || version < 0)
        return r < 0 ? r : version;
    if (version > db_schema_version)
        return err_set(
            err, EPROTO,
            "the database '%s' has version %d, this cooper knows up to %d: use the newer cooper",
            path, version, db_schema_version);
    return 0;
}

int db_open(const char *path, sqlite3 **ret, struct err *err)
{
    int grows_by = GROWS_BY, r;
    sqlite3 *db = NULL;

    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK) {
        r = db ? fail(db, err, path) : err_set(err, ENOMEM, "cannot open the database '%s'", path);
        sqlite3_close(db);
        return r;
    }
    sqlite3_busy_timeout(db, BUSY_MS);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_wal_autocheckpoint(db, CHECKPOINT_AT);
    sqlite3_file_control(db, "main", SQLITE_FCNTL_CHUNK_SIZE, &grows_by);
    r = run_script(db, "PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON", err);
    if (!r)
        r = migrate(db, path, err);
    if (r < 0) {
        sqlite3_close(db);
        return r;
    }
    *ret = db;
    return 0;
}

void db_close(sqlite3 *db)
{
    sqlite3_close(db);
}

static void bind_all(sqlite3_stmt *statement, const char *types, va_list args)
{
    for (int i = 1; *types; types++, i++) {
        if (*types == 's')
            sqlite3_bind_text(statement, i, va_arg(args, const char *), -1, SQLITE_TRANSIENT);
        else if (*types == 'i')
            sqlite3_bind_int64(statement, i, va_arg(args, long long));
        else
            abort();
    }
}

static int prepare(sqlite3 *db, sqlite3_stmt **ret, struct err *err, const char *sql,
                   const char *types, va_list args)
{
    if (sqlite3_prepare_v2(db, sql, -1, ret, NULL) != SQLITE_OK)
        return fail(db, err, sql);
    bind_all(*ret, types, args);
    return 0;
}

int db_query(sqlite3 *db, sqlite3_stmt **ret, struct err *err, const char *sql, const char *types,
             ...)
{
    va_list args;
    int r;

    va_start(args, types);
    r = prepare(db, ret, err, sql, types, args);
    va_end(args);
    return r;
}

int db_next(sqlite3_stmt *statement, struct err *err)
{
    int r = sqlite3_step(statement);

    if (r == SQLITE_ROW)
        return 1;
    return r == SQLITE_DONE ? 0 : fail(sqlite3_db_handle(statement), err, sqlite3_sql(statement));
}

void db_done(sqlite3_stmt **statement)
{
    sqlite3_finalize(*statement);
    *statement = NULL;
}

int db_run(sqlite3 *db, struct err *err, const char *sql, const char *types, ...)
{
    cleanup_query sqlite3_stmt *statement = NULL;
    va_list args;
    int r;

    va_start(args, types);
    r = prepare(db, &statement, err, sql, types, args);
    va_end(args);
    return r < 0 ? r : db_next(statement, err);
}

const char *db_text(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);

    return text ? text : "";
}

void db_copy(sqlite3_stmt *statement, int column, char *ret, size_t size)
{
    const char *text = db_text(statement, column);
    size_t n = strlen(text) < size ? strlen(text) : size - 1;

    memcpy(ret, text, n);
    ret[n] = 0;
}

int db_strings(sqlite3 *db, struct strv *ret, struct err *err, const char *sql, const char *types,
               ...)
{
    cleanup_query sqlite3_stmt *statement = NULL;
    va_list args;
    int r;

    va_start(args, types);
    r = prepare(db, &statement, err, sql, types, args);
    va_end(args);
    while (r >= 0 && (r = db_next(statement, err)) > 0)
        strv_add(ret, db_text(statement, 0));
    return r;
}

int db_begin(sqlite3 *db, struct err *err)
{
    return db_run(db, err, "BEGIN IMMEDIATE", "");
}

int db_end(sqlite3 *db, int r, struct err *err)
{
    int committed;

    if (r < 0) {
        struct err ignored;

        db_run(db, &ignored, "ROLLBACK", "");
        return r;
    }
    committed = db_run(db, err, "COMMIT", "");
    if (committed < 0) {
        struct err ignored;

        db_run(db, &ignored, "ROLLBACK", "");
        return committed;
    }
    return r;
}
