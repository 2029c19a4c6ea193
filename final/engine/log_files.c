/* log_files.c - the files of one log: FILE, FILE.1, FILE.2.gz, ...
 *
 * They may be renamed while we open them. From the youngest to the oldest, a file that moves up in
 * between is met twice, and not missed. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/proc.h"
#include "engine/log.h"
#include "engine/log_format.h"

#define CHUNK 65536

/* The comment of a gzip file (RFC 1952): behind ten bytes, where it has neither name nor extra. */
static bool read_comment(int fd, char *ret, size_t size)
{
    unsigned char head[128];
    ssize_t n = pread(fd, head, sizeof head - 1, 0);

    if (n < 12 || head[0] != 0x1f || head[1] != 0x8b || (head[3] & 0x1c) != 0x10)
        return false;
    head[n] = 0;
    snprintf(ret, size, "%s", (const char *)head + 10);
    return true;
}

/* Is `packed` what became of the file behind `plain`? */
static bool became(int plain, int packed)
{
    char comment[128], expected[128];
    struct stat st;

    if (fstat(plain, &st) < 0 || !read_comment(packed, comment, sizeof comment))
        return false;
    snprintf(expected, sizeof expected, LOG_GZIP_NAME, (unsigned long long)st.st_ino,
             (long long)st.st_mtim.tv_sec, (long)st.st_mtim.tv_nsec);
    return !strcmp(comment, expected);
}

static bool same_inode(int a, int b)
{
    struct stat one, other;

    return !fstat(a, &one) && !fstat(b, &other) && one.st_ino == other.st_ino &&
           one.st_dev == other.st_dev;
}

/* `older` was opened behind `younger`, and may be the same under its next name. */
static bool same_file(const struct log_source *younger, const struct log_source *older)
{
    if (younger->fd < 0)
        return false;
    return same_inode(younger->fd, older->fd) ||
           (!younger->packed && older->packed && became(younger->fd, older->fd));
}

void log_sources_close(struct log_sources *sources)
{
    for (size_t i = 0; i < sources->len; i++)
        close_fd(&sources->items[i].fd);
    free(sources->items);
    *sources = (struct log_sources){0};
}

static void add_source(struct log_sources *sources, const struct log_source *source)
{
    if (sources->len && same_file(&sources->items[sources->len - 1], source)) {
        close(source->fd);
        return;
    }
    sources->items = mem_grow(sources->items, sources->len + 1, sizeof *sources->items);
    sources->items[sources->len++] = *source;
}

/* FILE.`i` in either form; -ENOENT when there is none. It may change its form, and its number, just
 * now: so the plain one is looked for again when there is no packed one. */
static int open_source(const char *path, int i, struct log_source *ret)
{
    cleanup_free char *name = i ? str_format("%s.%d", path, i) : str_copy(path);
    cleanup_free char *packed = str_format("%s.gz", name);

    ret->packed = false;
    ret->fd = open(name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (ret->fd < 0 && errno == ENOENT && i) {
        ret->fd = open(packed, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        ret->packed = ret->fd >= 0;
    }
    if (ret->fd < 0 && errno == ENOENT && i)
        ret->fd = open(name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return ret->fd < 0 ? -errno : 0;
}

static int open_once(const char *path, int until, struct log_sources *ret, bool *ret_found,
                     struct err *err)
{
    const struct log_source known = {until, false};

    *ret_found = false;
    /* One may be missing: it is being renamed, and comes next. */
    for (int i = 0, missing = 0; missing < 2; i++) {
        struct log_source source;
        int r = open_source(path, i, &source);

        missing = r == -ENOENT ? missing + 1 : 0;
        if (r == -ENOENT)
            continue;
        if (r < 0)
            return err_set(err, -r, "cannot open the log '%s': %s", path, strerror(-r));
        if (same_file(&known, &source)) {
            close(source.fd);
            *ret_found = true;
            return 0;
        }
        add_source(ret, &source);
    }
    return 0;
}

/* Which file is the current one; false where there is none. An inode's number is used again, its
 * time of birth (where the file system has one) is not. */
static bool current_file(const char *path, struct statx *ret)
{
    memset(ret, 0, sizeof *ret);
    return !statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, ret);
}

static bool is_current(const char *path, bool was_there, const struct statx *was)
{
    struct statx now;

    return current_file(path, &now) == was_there && now.stx_ino == was->stx_ino &&
           now.stx_btime.tv_sec == was->stx_btime.tv_sec &&
           now.stx_btime.tv_nsec == was->stx_btime.tv_nsec;
}

/* A list that was opened while files changed their names is not in order: once more. The last try
 * counts whatever happened, or a container that says very much would never be read. */
int log_sources_open(const char *path, int until, struct log_sources *ret, bool *ret_found,
                     struct err *err)
{
    for (int tries = 100;; tries--) {
        struct statx before;
        bool there = current_file(path, &before);
        int r = open_once(path, until, ret, ret_found, err);

        if (r < 0 || !tries || is_current(path, there, &before))
            return r;
        log_sources_close(ret);
    }
}

static int read_fd(int fd, bool json, struct buf *data, log_take *take, void *context,
                   struct err *err)
{
    for (;;) {
        ssize_t n;
        int r;

        buf_reserve(data, CHUNK);
        n = file_read(fd, data->data + data->len, CHUNK);
        if (n < 0)
            return err_set(err, (int)-n, "cannot read a log: %s", strerror((int)-n));
        if (!n)
            return 0;
        data->len += (size_t)n;
        r = log_decode(data, json, take, context);
        if (r < 0)
            return r;
    }
}

/* Its standard output is a pipe to us. */
static int spawn_unpacker(int packed, pid_t *ret_pid, struct err *err)
{
    cleanup_free char *program = proc_helper_path("cooper-gzip", err);
    char *argv[] = {"cooper-gzip", "-d", NULL}, *environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    int ends[2], r;

    if (!program)
        return -err->code;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, "cannot make a pipe for cooper-gzip");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, packed, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    r = posix_spawn(ret_pid, program, &actions, NULL, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (r) {
        close(ends[0]);
        return err_set(err, r, "cannot start '%s': %s", program, strerror(r));
    }
    return ends[0];
}

int log_source_read(const struct log_source *source, bool json, struct buf *data, log_take *take,
                    void *context, struct err *err)
{
    cleanup_close int pipe = -1;
    pid_t pid;
    int r;

    if (!source->packed)
        return read_fd(source->fd, json, data, take, context, err);
    if (lseek(source->fd, 0, SEEK_SET) < 0)
        return err_errno(err, "cannot read a log again");
    pipe = spawn_unpacker(source->fd, &pid, err);
    if (pipe < 0)
        return pipe;
    r = read_fd(pipe, json, data, take, context, err);
    close_fd(&pipe); /* it ends, if it has not */
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return r;
}
