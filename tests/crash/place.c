#include "crash/place.h"

#include <fcntl.h>
#include <ftw.h>
#include <linux/mount.h>
#include <net/if.h>
#include <nftables/libnftables.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "crash/groups.h"

/* --- entering --------------------------------------------------------------------------------- */

static int raise_loopback(struct err *err)
{
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
        return err_errno(err, "cannot raise the loopback interface");
    return 0;
}

/* Under a tmpfs the programs would be gone: their directory is put back where it was. */
static int put_back(int tree, const char *path, struct err *err)
{
    if (!access(path, F_OK))
        return 0;
    if (file_make_dirs(AT_FDCWD, path, 0755, err) < 0)
        return -err->code;
    if (syscall(SYS_move_mount, tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return err_errno(err, "cannot mount '%s' again", path);
    return 0;
}

/* The mount points there are, in the order of mounting; the types, if wanted, in the same order:
 * fields 5 and, behind the "-", 1. */
static void read_mounts(struct strv *points, struct strv *types)
{
    cleanup_fclose FILE *f = fopen("/proc/self/mountinfo", "re");
    char line[8192], where[4096], type[64];

    while (f && fgets(line, sizeof line, f)) {
        const char *dash = strstr(line, " - ");

        if (!dash || sscanf(line, "%*s %*s %*s %*s %4095s", where) != 1 ||
            sscanf(dash, " - %63s", type) != 1)
            continue;
        strv_add(points, where);
        if (types)
            strv_add(types, type);
    }
}

/* What others have mounted there, under the tmpfs to come, would be in our snapshots; and it would
 * vanish between two of them when others remove the directory it is mounted on: the kernel then
 * takes it away in every namespace. */
static void drop_mounts_below(const char *dir)
{
    cleanup_strv struct strv points = {0};
    size_t n = strlen(dir);

    read_mounts(&points, NULL);
    for (size_t i = points.len; i-- > 0;)
        if (str_starts(points.items[i], dir) && points.items[i][n] == '/')
            umount2(points.items[i], MNT_DETACH | UMOUNT_NOFOLLOW); /* or it went by itself */
}

int place_enter(struct err *err)
{
    static const char *const empty[] = {"/tmp", "/var/tmp", "/run"};
    cleanup_close int build = (int)syscall(SYS_open_tree, AT_FDCWD, BUILD_DIR,
                                           OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

    if (build < 0)
        return err_errno(err, "cannot open '%s' as a mount (is this root?)", BUILD_DIR);
    if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        return err_errno(err, "cannot make namespaces for the sweep");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_errno(err, "cannot make the mounts private");
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        drop_mounts_below(empty[i]);
        if (mount("sweep", empty[i], "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") < 0)
            return err_errno(err, "cannot mount a tmpfs on '%s'", empty[i]);
    }
    if (put_back(build, BUILD_DIR, err) < 0)
        return -err->code;
    setenv("TMPDIR", "/tmp", 1);
    return groups_enter(err) < 0 ? -err->code : raise_loopback(err);
}

/* --- snapshots -------------------------------------------------------------------------------- */

static struct strv *into; /* for nftw(3), which takes no context */

static int note_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    const char *name = path + ftw->base;

    /* SQLite's helpers come and go with whoever has the database open; what happened is told and
     * forgotten by size. */
    if (str_ends(name, ".db-wal") || str_ends(name, ".db-shm") || strstr(path, "/events/log") ||
        type == FTW_NS)
        return 0;
    if (S_ISREG(st->st_mode) && (strstr(path, "/layers/") || strstr(path, "/blobs/")))
        strv_take(into, str_format("file %s %o %lld", path, st->st_mode, (long long)st->st_size));
    else
        strv_take(into, str_format("file %s %o", path, st->st_mode));
    return 0;
}

static void note_files(struct strv *ret)
{
    static const char *const trees[] = {"/tmp", "/var/tmp", "/run"};

    into = ret;
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++)
        nftw(trees[i], note_file, 32, FTW_PHYS);
}

static void note_mounts(struct strv *ret)
{
    cleanup_strv struct strv points = {0}, types = {0};

    read_mounts(&points, &types);
    for (size_t i = 0; i < points.len; i++)
        strv_take(ret, str_format("mount %s %s", points.items[i], types.items[i]));
}

static void note_links(struct strv *ret)
{
    struct if_nameindex *links = if_nameindex();

    for (size_t i = 0; links && links[i].if_name; i++)
        strv_take(ret, str_format("link %s", links[i].if_name));
    if (links)
        if_freenameindex(links);
}

bool place_has_link(const char *prefix)
{
    struct if_nameindex *links = if_nameindex();
    bool found = false;

    for (size_t i = 0; links && links[i].if_name; i++)
        found |= str_starts(links[i].if_name, prefix);
    if (links)
        if_freenameindex(links);
    return found;
}

/* The rules in small parts: the elements of a set are listed in any order. */
static void note_rule_parts(const char *text, struct strv *ret)
{
    while (*text) {
        size_t n = strcspn(text, ",{}\n"), from = strspn(text, " \t"), to = n;

        while (to > from && text[to - 1] == ' ')
            to--;
        if (to > from)
            strv_take(ret, str_format("rule %.*s", (int)(to - from), text + from));
        text += n + (text[n] != 0);
    }
}

/* Others' too: all that is in this network namespace. */
static void note_rules(struct strv *ret)
{
    struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);

    if (!nft)
        return;
    nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_STATELESS);
    if (!nft_ctx_buffer_output(nft) && !nft_run_cmd_from_buffer(nft, "list ruleset"))
        note_rule_parts(nft_ctx_get_output_buffer(nft), ret);
    nft_ctx_free(nft);
}

static void note_table(sqlite3 *db, const char *table, struct strv *ret)
{
    cleanup_free char *sql = str_format("SELECT count(*) FROM \"%s\"", table);
    sqlite3_stmt *query = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &query, NULL) == SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW)
        strv_take(ret, str_format("rows %s %d", table, sqlite3_column_int(query, 0)));
    sqlite3_finalize(query);
}

/* As the engine does: who closes it last leaves the log as it is, for the next command to read. */
static sqlite3 *open_database(const char *path)
{
    sqlite3 *db = NULL;

    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
        sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return db;
}

static void note_rows(const char *database, struct strv *ret)
{
    sqlite3_stmt *tables = NULL;
    sqlite3 *db;

    if (!database || access(database, F_OK) < 0)
        return;
    db = open_database(database);
    if (sqlite3_prepare_v2(db, "SELECT name FROM sqlite_master WHERE type = 'table'", -1, &tables,
                           NULL) == SQLITE_OK)
        while (sqlite3_step(tables) == SQLITE_ROW)
            note_table(db, (const char *)sqlite3_column_text(tables, 0), ret);
    sqlite3_finalize(tables);
    sqlite3_close(db);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void place_sort(struct strv *lines)
{
    if (lines->len) /* qsort(3) of nothing may not be given no array */
        qsort(lines->items, lines->len, sizeof *lines->items, by_text);
}

void place_snapshot(const char *database, struct strv *ret)
{
    note_files(ret);
    note_mounts(ret);
    note_links(ret);
    note_rules(ret);
    groups_list(ret);
    note_rows(database, ret);
    place_sort(ret);
}

void place_compare(const struct strv *before, const struct strv *after, size_t max, struct buf *ret)
{
    size_t a = 0, b = 0, said = 0;

    while (a < before->len || b < after->len) {
        int order = a == before->len  ? 1
                    : b == after->len ? -1
                                      : strcmp(before->items[a], after->items[b]);

        if (order && !(order < 0 && str_starts(before->items[a], "mount ")) && said++ < max)
            buf_printf(ret, "%s%c %s", ret->len ? "; " : "", order < 0 ? '-' : '+',
                       order < 0 ? before->items[a] : after->items[b]);
        a += order <= 0;
        b += order >= 0;
    }
}

char *place_check_database(const char *database)
{
    sqlite3_stmt *check = NULL;
    char *wrong = NULL;
    sqlite3 *db;

    if (access(database, F_OK) < 0)
        return NULL;
    db = open_database(database);
    if (sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &check, NULL) != SQLITE_OK ||
        sqlite3_step(check) != SQLITE_ROW)
        wrong = str_copy(sqlite3_errmsg(db));
    else if (strcmp((const char *)sqlite3_column_text(check, 0), "ok"))
        wrong = str_copy((const char *)sqlite3_column_text(check, 0));
    sqlite3_finalize(check);
    sqlite3_close(db);
    return wrong;
}
