/* layers.c - unpacked layers. A layer is made in staging/, where nobody looks, and becomes
 * layers/<24 hex of its chain id> by one rename(2). The name is short because all lower directories
 * of an overlay go into one mount option string of at most a page: 127 * 25 bytes fit, 127 * 65
 * would not. */
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "storage/db.h"
#include "storage/internal.h"

#define LAYER_NAME_LEN 24

/* Whose it is, so that it can be collected when its maker is gone. */
int store_stage_name(char ret_name[64], char ret_path[96], struct err *err)
{
    static atomic_uint counter;
    struct proc_id me;
    int r = proc_identify_self(&me, err);

    if (r < 0)
        return r;
    snprintf(ret_name, 64, "%d-%llu-%u", (int)me.pid, me.start, atomic_fetch_add(&counter, 1));
    snprintf(ret_path, 96, "staging/%s", ret_name);
    return 0;
}

int store_blob_begin(struct store *s, char ret_name[64], struct err *err)
{
    char path[96];
    int fd, r = store_stage_name(ret_name, path, err);

    if (r < 0)
        return r;
    fd = openat(s->root_fd, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? err_errno(err, "cannot create '%s/%s'", s->root, path) : fd;
}

int store_stage(struct store *s, char ret_name[64], struct err *err)
{
    char path[96];
    int fd, r = store_stage_name(ret_name, path, err);

    if (r < 0)
        return r;
    if (mkdirat(s->root_fd, path, 0700) < 0)
        return err_errno(err, "cannot make '%s/%s'", s->root, path);
    fd = openat(s->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? err_errno(err, "cannot open '%s/%s'", s->root, path) : fd;
}

int store_stage_drop(struct store *s, const char *name, struct err *err)
{
    cleanup_free char *path = str_format("staging/%s", name);

    return file_remove_tree(s->root_fd, path, err);
}

int store_layer_find(struct store *s, const char *chain_id, struct layer *ret, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    int r = db_query(s->db, &query, err,
                     "SELECT chain_id, diff_id, parent, dir, size FROM layers WHERE chain_id = ?",
                     "s", chain_id);

    if (!r)
        r = db_next(query, err);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    db_copy(query, 0, ret->chain_id, sizeof ret->chain_id);
    db_copy(query, 1, ret->diff_id, sizeof ret->diff_id);
    db_copy(query, 2, ret->parent, sizeof ret->parent);
    db_copy(query, 3, ret->dir, sizeof ret->dir);
    ret->size = (uint64_t)sqlite3_column_int64(query, 4);
    return 0;
}

/* The directory is there already: another process was first (its record may still be on the way).
 * Only if another layer owns the name, two chain ids share 96 bits of SHA-256. */
static int adopt_existing(struct store *s, const char *stage, const struct layer *layer,
                          struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    int r =
        db_query(s->db, &query, err, "SELECT chain_id FROM layers WHERE dir = ?", "s", layer->dir);

    if (!r)
        r = db_next(query, err);
    if (r < 0)
        return r;
    if (r && strcmp(db_text(query, 0), layer->chain_id))
        return err_set(err, EEXIST, "layer directory '%s' belongs to layer '%s', not '%s'",
                       layer->dir, db_text(query, 0), layer->chain_id);
    return store_stage_drop(s, stage, err);
}

int store_layer_publish(struct store *s, const char *stage, struct layer *layer, struct err *err)
{
    cleanup_free char *from = str_format("staging/%s", stage);
    cleanup_free char *to = NULL;
    int r = 0;

    snprintf(layer->dir, sizeof layer->dir, "%.*s", LAYER_NAME_LEN, digest_hex(layer->chain_id));
    to = str_format("layers/%s", layer->dir);
    if (renameat2(s->root_fd, from, s->root_fd, to, RENAME_NOREPLACE) < 0) {
        if (errno != EEXIST)
            return err_errno(err, "cannot publish layer '%s'", layer->chain_id);
        r = adopt_existing(s, stage, layer, err);
    }
    if (r < 0)
        return r;
    return db_run(s->db, err,
                  "INSERT OR IGNORE INTO layers(chain_id, diff_id, parent, dir, size)"
                  " VALUES(?, ?, ?, ?, ?)",
                  "ssssi", layer->chain_id, layer->diff_id, layer->parent, layer->dir,
                  (long long)layer->size);
}
