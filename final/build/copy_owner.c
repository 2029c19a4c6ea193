/* --chown: names are the image's, in its /etc/passwd and /etc/group. Those files are foreign: read
 * beneath the image's root, when they are regular and not too large. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "build/copy_parts.h"

#define FILE_MAX (4u << 20)
#define ID_MAX   0xfffffffeull /* -1 means "leave it" to chown(2) */

static bool is_number(const char *text, unsigned *ret)
{
    unsigned long long n;

    if (str_to_u64(text, &n) < 0 || n > ID_MAX)
        return false;
    *ret = (unsigned)n;
    return true;
}

/* A missing file has no names in it. */
static void load(int root, const char *path, struct buf *ret)
{
    cleanup_close int fd =
        root < 0 ? -1 : beneath_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, 0);
    struct err ignored;
    struct stat st;

    if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode))
        file_load_fd(fd, FILE_MAX, ret, &ignored);
}

/* The fields of the line "name:...", as many as `count`. */
static bool find_line(const struct buf *file, const char *name, struct strv *ret)
{
    cleanup_strv struct strv lines = {0};

    strv_split(&lines, file->data ? file->data : "", '\n');
    for (size_t i = 0; i < lines.len; i++) {
        strv_free(ret);
        strv_split(ret, lines.items[i], ':');
        if (ret->len >= 3 && !strcmp(ret->items[0], name))
            return true;
    }
    return false;
}

static int no_such(const char *id, const char *kind, const char *name, struct err *err)
{
    return err_set(err, EINVAL,
                   "unable to convert uid/gid chown string to host mapping: can't find %s for %s "
                   "%s: no such %s: %s",
                   id, kind, name, kind, name);
}

/* A user's number, and the group a user alone means: the main one, or for a number that number. */
static int find_user(int root, const char *name, unsigned *uid, unsigned *gid, struct err *err)
{
    cleanup_buf struct buf file = {0};
    cleanup_strv struct strv fields = {0};

    if (is_number(name, uid)) {
        *gid = *uid;
        return 0;
    }
    load(root, "/etc/passwd", &file);
    if (!find_line(&file, name, &fields) || fields.len < 4 || !is_number(fields.items[2], uid) ||
        !is_number(fields.items[3], gid))
        return no_such("uid", "user", name, err);
    return 0;
}

static int find_group(int root, const char *name, unsigned *gid, struct err *err)
{
    cleanup_buf struct buf file = {0};
    cleanup_strv struct strv fields = {0};

    if (is_number(name, gid))
        return 0;
    load(root, "/etc/group", &file);
    if (!find_line(&file, name, &fields) || !is_number(fields.items[2], gid))
        return no_such("gid", "group", name, err);
    return 0;
}

int copy_find_owner(int root, const char *text, uid_t *ret_uid, gid_t *ret_gid, struct err *err)
{
    const char *colon = strchr(text, ':');
    cleanup_free char *user = colon ? str_copy_n(text, (size_t)(colon - text)) : str_copy(text);
    unsigned uid = 0, gid = 0;
    int r;

    if (!*text || (colon && strchr(colon + 1, ':')))
        return err_set(err, EINVAL, "invalid chown string format: %s", text);
    r = *user ? find_user(root, user, &uid, &gid, err) : 0;
    if (!r && colon && colon[1])
        r = find_group(root, colon + 1, &gid, err);
    if (r < 0)
        return r;
    *ret_uid = uid;
    *ret_gid = gid;
    return 0;
}
