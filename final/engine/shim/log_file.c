/* log_file.c - a log's file. What one read(2) of the container's output brought is written by one
 * write(2). When the file would grow past its limit it is renamed to .1 (and .1 to .2, ...), and a
 * new one begun: a reader that follows sees the inode change under the name.
 *
 * Old files are compressed by a program of its own, cooper-gzip, beside us. If the next rotation
 * comes while it is still at work it is ended: names are about to change, and what it had not
 * finished is still there as it was. Readers take either form. */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "engine/log_format.h"
#include "engine/shim/log.h"

struct log_file {
    char *path, *gzip;
    int fd;
    unsigned long long size, max_size, max_files;
    unsigned long long old; /* so many of FILE.1, FILE.2, ... are there, at least */
    bool framed;
    struct buf encoded;
    pid_t compressor;
    int compressor_fd;
};

struct log_file *log_file_new(char *path, const struct log_file_options *o)
{
    struct log_file *file = mem_alloc(sizeof *file);

    file->path = path;
    file->gzip = o->gzip ? str_copy(o->gzip) : NULL;
    file->fd = file->compressor_fd = -1;
    file->max_size = o->max_size;
    file->max_files = o->max_files ? o->max_files : 1;
    file->framed = o->framed;
    return file;
}

/* --- compressing ----------------------------------------------------------------------------- */

int log_file_child(const struct log_file *file)
{
    return file->compressor_fd;
}

void log_file_reap(struct log_file *file, bool wait)
{
    if (!file->compressor)
        return;
    if (wait)
        kill(file->compressor, SIGKILL);
    while (waitpid(file->compressor, NULL, 0) < 0 && errno == EINTR)
        ;
    file->compressor = 0;
    close_fd(&file->compressor_fd);
}

/* All old ones that are not yet, the oldest first. */
static void compress(struct log_file *file)
{
    cleanup_strv struct strv argv = {0};
    char *no_environment[] = {NULL};

    strv_add(&argv, "cooper-gzip");
    for (unsigned long long i = file->old < file->max_files - 1 ? file->old + 1 : file->old; i > 0;
         i--) {
        cleanup_free char *path = str_format("%s.%llu", file->path, i);

        if (!access(path, F_OK))
            strv_add(&argv, path);
    }
    if (argv.len < 2 ||
        posix_spawn(&file->compressor, file->gzip, NULL, NULL, argv.items, no_environment) != 0) {
        file->compressor = 0;
        return;
    }
    file->compressor_fd = (int)syscall(SYS_pidfd_open, file->compressor, 0);
}

/* --- rotating -------------------------------------------------------------------------------- */

static int move_up(const struct log_file *file, unsigned long long i, const char *ending)
{
    cleanup_free char *to = str_format("%s.%llu%s", file->path, i, ending);
    cleanup_free char *from =
        i > 1 ? str_format("%s.%llu%s", file->path, i - 1, ending) : str_copy(file->path);

    return rename(from, to) < 0 && errno != ENOENT ? -errno : 0;
}

static bool exists(const struct log_file *file, unsigned long long i)
{
    cleanup_free char *plain = str_format("%s.%llu", file->path, i);
    cleanup_free char *packed = str_format("%s.gz", plain);

    return !access(plain, F_OK) || !access(packed, F_OK);
}

/* The number that gets a file: the first that is free, or the last. Below it all are taken, and
 * only these are renamed. Counted once: nobody else makes or removes them. */
static unsigned long long first_free(struct log_file *file)
{
    while (file->old < file->max_files - 1 && exists(file, file->old + 1))
        file->old++;
    return file->old < file->max_files - 1 ? file->old + 1 : file->max_files - 1;
}

/* The place may be taken by the other form. */
static void clear_place(const struct log_file *file, unsigned long long i)
{
    cleanup_free char *plain = str_format("%s.%llu", file->path, i);
    cleanup_free char *packed = str_format("%s.gz", plain);

    unlink(plain);
    unlink(packed);
}

static int move_all(struct log_file *file)
{
    unsigned long long i = first_free(file);

    clear_place(file, i);
    for (; i > 0; i--)
        if (move_up(file, i, "") < 0 || (file->gzip && i > 1 && move_up(file, i, ".gz") < 0))
            return -1;
    return 0;
}

static void rotate(struct log_file *file)
{
    log_file_reap(file, true);
    if (file->max_files == 1)
        unlink(file->path);
    else if (move_all(file) < 0)
        return; /* keep writing to the file we have */
    close_fd(&file->fd);
    file->size = 0;
    if (file->gzip && file->max_files > 1)
        compress(file);
}

/* --- writing --------------------------------------------------------------------------------- */

static bool read_length(int fd, off_t at, uint32_t *ret)
{
    unsigned char b[4];

    if (pread(fd, b, sizeof b, at) != (ssize_t)sizeof b)
        return false;
    *ret = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    return *ret >= LOG_FRAME_FIXED && *ret <= LOG_FRAME_MAX;
}

/* Where the last whole entry ends. Only after a shim was killed in the middle of one is that not
 * the end, and only then is the file read. */
static off_t whole_entries(int fd, off_t size)
{
    uint32_t last, length;
    off_t at = 0;

    if (!size || (read_length(fd, size - 4, &last) && last + 8 <= size &&
                  read_length(fd, size - 8 - (off_t)last, &length) && length == last))
        return size;
    while (at < size && read_length(fd, at, &length) && at + 8 + (off_t)length <= size)
        at += 8 + (off_t)length;
    return at;
}

/* With the first entry: a container that says nothing has no log file. If it fails the next entry
 * tries again. */
static void open_file(struct log_file *file)
{
    struct stat st;

    file->fd = open(file->path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0640);
    file->size = 0;
    if (file->fd < 0 || fstat(file->fd, &st) < 0)
        return;
    file->size = (unsigned long long)st.st_size;
    if (file->framed) {
        off_t whole = whole_entries(file->fd, st.st_size);

        if (whole != st.st_size && !ftruncate(file->fd, whole))
            file->size = (unsigned long long)whole;
    }
}

static void write_out(struct log_file *file)
{
    if (!file->encoded.len)
        return;
    if (file->fd < 0)
        open_file(file);
    if (file->fd >= 0 && !file_write(file->fd, file->encoded.data, file->encoded.len))
        file->size += file->encoded.len;
    else if (file->fd >= 0) /* the disk is full: no half entry */
        (void)!ftruncate(file->fd, (off_t)file->size);
    file->encoded.len = 0;
}

struct buf *log_file_buffer(struct log_file *file)
{
    if (file->fd < 0 && file->max_size)
        open_file(file); /* how much is there already */
    if (file->max_size && file->size + file->encoded.len >= file->max_size) {
        write_out(file);
        rotate(file);
    }
    return &file->encoded;
}

void log_file_flush(struct log_file *file)
{
    write_out(file);
}
