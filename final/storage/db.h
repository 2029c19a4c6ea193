/* db.h - SQLite in the four moves this room needs: open, run, query, transaction. Private to
 * storage/.
 *
 * Why WAL and why synchronous=NORMAL: a committed transaction survives the death of any process;
 * only a power cut may take back the last ones, and what they described is then found in staging/
 * or rebuilt. Every command opens the database, writes a row or two and ends. By default the last
 * one to close would checkpoint and delete the log, two fsyncs for every `cooper ps`:
 * NO_CKPT_ON_CLOSE leaves the log for the next command, and a small auto-checkpoint keeps its
 * recovery short.
 */
#pragma once

#include <sqlite3.h>

#include "base/err.h"
#include "base/str.h"

/* schema.c: the scripts that lead from an empty database to this version's. */
extern const char *const db_schema[];
extern const int db_schema_version;

int db_open(const char *path, sqlite3 **ret, struct err *err);
void db_close(sqlite3 *db);

/* Binds by a string of types: 's' const char * (NULL is SQL NULL), 'i' long long. */
int db_run(sqlite3 *db, struct err *err, const char *sql, const char *types, ...);

/* A query: db_query, then db_next until it returns 0 (done) or a negative error; db_done always. */
int db_query(sqlite3 *db, sqlite3_stmt **ret, struct err *err, const char *sql, const char *types,
             ...);
int db_next(sqlite3_stmt *statement, struct err *err);
void db_done(sqlite3_stmt **statement);
#define cleanup_query __attribute__((cleanup(db_done)))

const char *db_text(sqlite3_stmt *statement,
                    int column); /* "" for NULL; valid until the next step */
void db_copy(sqlite3_stmt *statement, int column, char *ret, size_t size);
/* Appends column 0 of every row. */
int db_strings(sqlite3 *db, struct strv *ret, struct err *err, const char *sql, const char *types,
               ...);

/* Takes the write lock at once, so that what is read inside cannot be outdated when it is written.
 */
int db_begin(sqlite3 *db, struct err *err);
/* Commits if r >= 0, else rolls back; returns r or the commit's error. */
int db_end(sqlite3 *db, int r, struct err *err);
