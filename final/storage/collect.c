/* collect.c - removes what nobody refers to. The records go first, in one transaction; a directory
 * is moved into staging/ by rename(2) before it is emptied, so that a kill half way leaves no half
 * layer behind a valid name: what lies in staging/ under a dead process's name is garbage.
 *
 * So that a kill between the two leaves nothing for ever, staging/collect is made before records go
 * and removed after everything is collected. Every command looks into staging/ when it opens the
 * store (store_tidy), and finds there what is to be done. While one collects, the mark is called
 * staging/collecting: who makes a new one meanwhile is not forgotten. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "storage/db.h"
#include "storage/internal.h"

#define MARK       "collect"
#define MARK_TAKEN "collecting"

#define PARTIAL_KEPT_S (24 * 3600) /* a broken-off download is worth resuming for a day */

typedef int visit_entry(struct store *s, const char *name, struct err *err);

static int for_each_entry(struct store *s, const char *path, visit_entry *visit, struct err *err)
{
    int fd = openat(s->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_closedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    int r = 0;

    if (!dir)
        return err_errno(err, "cannot list '%s/%s'", s->root, path);
    while (r >= 0 && (entry = file_next_entry(dir)))
        if (*entry->d_name != '.')
            r = visit(s, entry->d_name, err);
    if (r >= 0 && errno)
        return err_errno(err, "cannot list '%s/%s'", s->root, path);
    return r;
}

/* 1 when nobody holds (store_hold), and nobody can until the descriptor is closed; 0: somebody
 * does. */
static int lock_alone(struct store *s, int *ret_fd, struct err *err)
{
    cleanup_close int hold =
        openat(s->root_fd, "hold", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (hold < 0)
        return err_errno(err, "cannot open '%s/hold'", s->root);
    if (flock(hold, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? 0 : err_errno(err, "cannot lock '%s/hold'", s->root);
    *ret_fd = steal_fd(&hold);
    return 1;
}

static bool is_mark(const char *name)
{
    return !strcmp(name, MARK) || !strcmp(name, MARK_TAKEN);
}

/* What is staged is named after its maker: PID-START-N. */
static int collect_stage(struct store *s, const char *name, struct err *err)
{
    struct proc_id maker;

    if (is_mark(name))
        return 0;
    if (sscanf(name, "%d-%llu-", &maker.pid, &maker.start) == 2 && proc_alive(&maker))
        return 0;
    return store_stage_drop(s, name, err);
}

static int collect_blob(struct store *s, const char *name, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    cleanup_free char *digest = str_format("sha256:%s", name);
    cleanup_free char *path = str_format("blobs/sha256/%s", name);
    int r = db_query(s->db, &query, err, "SELECT 1 FROM image_blobs WHERE digest = ?", "s", digest);

    if (!r)
        r = db_next(query, err);
    if (r)
        return r < 0 ? r : 0;
    if (unlinkat(s->root_fd, path, 0) < 0 && errno != ENOENT)
        return err_errno(err, "cannot remove '%s'", path);
    return db_run(s->db, err, "DELETE FROM layer_blobs WHERE digest = ?", "s", digest);
}

static int collect_partial(struct store *s, const char *name, struct err *err)
{
    cleanup_free char *path = str_format("blobs/partial/%s", name);
    struct stat st;

    if (fstatat(s->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    /* Also one from the future: the clock was wrong then, and may be right for years. */
    if (llabs(clock_now() / 1000000000 - st.st_mtime) < PARTIAL_KEPT_S)
        return 0;
    if (unlinkat(s->root_fd, path, 0) < 0 && errno != ENOENT)
        return err_errno(err, "cannot remove '%s'", path);
    return 0;
}

/* A directory in layers/ without a record: its publisher died between rename and insert. */
static int collect_layer_directory(struct store *s, const char *name, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    cleanup_free char *from = str_format("layers/%s", name);
    cleanup_free char *to = str_format("staging/0-0-%s", name);
    int r = db_query(s->db, &query, err, "SELECT 1 FROM layers WHERE dir = ?", "s", name);

    if (!r)
        r = db_next(query, err);
    if (r)
        return r < 0 ? r : 0;
    if (renameat(s->root_fd, from, s->root_fd, to) < 0)
        return err_errno(err, "cannot move '%s' away to remove it", from);
    return store_stage_drop(s, to + strlen("staging/"), err);
}

/* A cached step whose ground is gone is of no use, and neither is then its layer: so more than
 * once.
 */
static int forget_unused_layers(struct store *s, struct err *err)
{
    int r;

    do {
        r = db_run(s->db, err,
                   "DELETE FROM layers WHERE chain_id NOT IN (SELECT chain_id FROM image_layers)"
                   " AND chain_id NOT IN (SELECT chain_id FROM build_cache"
                   " WHERE chain_id IS NOT NULL)",
                   "");
        if (r >= 0)
            r = db_run(s->db, err,
                       "DELETE FROM build_cache WHERE parent <> ''"
                       " AND parent NOT IN (SELECT chain_id FROM layers)",
                       "");
    } while (r >= 0 && sqlite3_changes(s->db) > 0);
    return r;
}

int store_collect_stages(struct store *s, struct err *err)
{
    return for_each_entry(s, "staging", collect_stage, err);
}

int store_drop_partials(struct store *s, uint64_t *ret_bytes, struct err *err)
{
    cleanup_close int hold = -1;
    cleanup_closedir DIR *dir = NULL;
    struct dirent *entry;
    struct stat st;
    int fd, r = lock_alone(s, &hold, err);

    if (r <= 0) /* whoever holds may be writing one */
        return r;
    fd = openat(s->root_fd, "blobs/partial", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return err_errno(err, "cannot list '%s/blobs/partial'", s->root);
    while ((entry = file_next_entry(dir)))
        if (*entry->d_name != '.' && !fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
            !unlinkat(fd, entry->d_name, 0))
            *ret_bytes += (uint64_t)st.st_size;
    return 0;
}

int store_mark_garbage(struct store *s, struct err *err)
{
    cleanup_close int fd =
        openat(s->root_fd, "staging/" MARK, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    return fd < 0 ? err_errno(err, "cannot create '%s/staging/" MARK "'", s->root) : 0;
}

static int take_mark(struct store *s, struct err *err)
{
    if (renameat(s->root_fd, "staging/" MARK, s->root_fd, "staging/" MARK_TAKEN) < 0 &&
        errno != ENOENT)
        return err_errno(err, "cannot rename '%s/staging/" MARK "'", s->root);
    return 0;
}

static int drop_mark(struct store *s, struct err *err)
{
    if (unlinkat(s->root_fd, "staging/" MARK_TAKEN, 0) < 0 && errno != ENOENT)
        return err_errno(err, "cannot remove '%s/staging/" MARK_TAKEN "'", s->root);
    return 0;
}

int store_collect(struct store *s, struct err *err)
{
    cleanup_close int hold = -1;
    int r = lock_alone(s, &hold, err);

    if (r <= 0)
        return r;
    r = take_mark(s, err);
    if (r >= 0)
        r = forget_unused_layers(s, err);
    if (r >= 0)
        r = for_each_entry(s, "layers", collect_layer_directory, err);
    if (r >= 0)
        r = for_each_entry(s, "blobs/sha256", collect_blob, err);
    if (r >= 0)
        r = for_each_entry(s, "blobs/partial", collect_partial, err);
    if (r >= 0)
        r = store_collect_stages(s, err);
    if (r >= 0)
        r = layout_write_index(s, err);
    if (r >= 0)
        r = drop_mark(s, err);
    return r < 0 ? err_wrap(err, "cannot collect what is unused") : 0;
}

static int tidy_entry(struct store *s, const char *name, struct err *err)
{
    return is_mark(name) ? store_collect(s, err) : collect_stage(s, name, err);
}

void store_tidy(struct store *s)
{
    struct err ignored;

    for_each_entry(s, "staging", tidy_entry, &ignored);
}
