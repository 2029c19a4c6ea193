#include "build_files.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"

/* --- making ----------------------------------------------------------------------------------- */

static void own(int root, const char *path, const char *owner)
{
    unsigned uid = 0, gid = 0;

    if (owner)
        ck_assert_int_eq(sscanf(owner, "@%u:%u", &uid, &gid), 2);
    ck_assert_int_eq(fchownat(root, path, uid, gid, AT_SYMLINK_NOFOLLOW), 0);
}

static void write_file(int root, const char *path, const char *content)
{
    cleanup_close int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_msg(fd >= 0, "%s: %m", path);
    ck_assert_int_eq(file_write(fd, content, strlen(content)), 0);
}

static void make_one(int root, char *const *w, size_t n)
{
    const char *path = w[1], *last = n > 2 && *w[n - 1] == '@' ? w[n - 1] : NULL;
    mode_t mode = n > 2 ? (mode_t)strtoul(w[2], NULL, 8) : 0;
    int r = 0;

    if (*w[0] == 'd')
        r = mkdirat(root, path, 0700);
    else if (*w[0] == 'f')
        write_file(root, path, n > 3 && w[3] != last ? w[3] : "");
    else if (*w[0] == 'l')
        r = symlinkat(w[2], root, path);
    else if (*w[0] == 'h')
        r = linkat(root, w[2], root, path, 0);
    else
        r = mkfifoat(root, path, mode);
    ck_assert_msg(!r, "%s: %m", path);
    if (*w[0] == 'h')
        return;
    own(root, path, last);
    if (*w[0] != 'l')
        ck_assert_int_eq(fchmodat(root, path, mode, 0), 0);
}

void files_make(int root, const char *text)
{
    cleanup_strv struct strv lines = {0};

    strv_split(&lines, text, ';');
    for (size_t i = 0; i < lines.len; i++) {
        cleanup_strv struct strv words = {0}, kept = {0};

        strv_split(&words, lines.items[i], ' ');
        for (size_t k = 0; k < words.len; k++)
            if (*words.items[k])
                strv_add(&kept, words.items[k]);
        if (kept.len)
            make_one(root, kept.items, kept.len);
    }
}

/* --- telling ---------------------------------------------------------------------------------- */

struct seen {
    ino_t inode;
    char *path;
};

struct telling {
    struct buf text;
    struct seen seen[64];
    size_t count;
};

static const char *seen_before(struct telling *t, const struct stat *st, const char *path)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->seen[i].inode == st->st_ino)
            return t->seen[i].path;
    if (st->st_nlink > 1 && t->count < 64)
        t->seen[t->count++] = (struct seen){st->st_ino, str_copy(path)};
    return NULL;
}

static void tell_file(struct telling *t, int root, const char *path, const struct stat *st)
{
    const char *first = S_ISDIR(st->st_mode) ? NULL : seen_before(t, st, path);
    char content[256] = "";

    buf_printf(&t->text, "%s%c %s", t->text.len ? "; " : "",
               first                  ? 'h'
               : S_ISDIR(st->st_mode) ? 'd'
               : S_ISREG(st->st_mode) ? 'f'
               : S_ISLNK(st->st_mode) ? 'l'
                                      : 'p',
               path);
    if (S_ISREG(st->st_mode)) {
        cleanup_close int fd = openat(root, path, O_RDONLY | O_CLOEXEC);

        ck_assert_int_ge(file_read(fd, content, sizeof content - 1), 0);
    } else if (S_ISLNK(st->st_mode)) {
        ck_assert_int_gt(readlinkat(root, path, content, sizeof content - 1), 0);
    }
    if (first)
        buf_printf(&t->text, " %s", first);
    else if (S_ISLNK(st->st_mode))
        buf_printf(&t->text, " %s", content);
    else
        buf_printf(&t->text, " %o%s%s", st->st_mode & 07777, *content ? " " : "", content);
    if (!first && (st->st_uid || st->st_gid))
        buf_printf(&t->text, " @%u:%u", st->st_uid, st->st_gid);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void tell(struct telling *t, int root, const char *directory)
{
    int fd = openat(root, *directory ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_closedir DIR *list = fdopendir(fd);
    cleanup_strv struct strv names = {0};
    struct dirent *entry;

    while ((entry = file_next_entry(list)))
        strv_add(&names, entry->d_name);
    if (names.len)
        qsort(names.items, names.len, sizeof *names.items, by_name);
    for (size_t i = 0; i < names.len; i++) {
        cleanup_free char *path =
            *directory ? str_format("%s/%s", directory, names.items[i]) : str_copy(names.items[i]);
        struct stat st;

        ck_assert_int_eq(fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW), 0);
        tell_file(t, root, path, &st);
        if (S_ISDIR(st.st_mode))
            tell(t, root, path);
    }
}

char *files_tell(int root)
{
    struct telling t = {0};

    tell(&t, root, "");
    for (size_t i = 0; i < t.count; i++)
        free(t.seen[i].path);
    return buf_steal(&t.text);
}
