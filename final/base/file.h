/* file.h - whole reads and writes, files that appear complete or not at all, and trees made and
 * removed. All paths are relative to a directory descriptor (AT_FDCWD for the current directory).
 */
#pragma once

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

/* Reads or writes all of `len` bytes in spite of EINTR and short counts.
 * file_read returns the count, less than len only at end of file. */
ssize_t file_read(int fd, void *data, size_t len);
int file_write(int fd, const void *data, size_t len);

/* Reads a file of at most `max` bytes into *ret (caller: buf_free). Opens with O_NONBLOCK|O_CLOEXEC
 * and refuses what is not a regular file, so that a fifo cannot hang the engine. -EFBIG if it is
 * larger. */
int file_load(int dirfd, const char *path, size_t max, struct buf *ret, struct err *err);
/* The same for a descriptor that is open already, from its current offset; any type of file. */
int file_load_fd(int fd, size_t max, struct buf *ret, struct err *err);

/* Writes a file in one write(2), for kernel files (cgroup, /proc): no O_CREAT, no temporary. */
int file_poke(int dirfd, const char *path, const char *text, struct err *err);

/* Replaces `path` by a file with this content: temporary in the same directory, fsync when
 * `durable`, rename(2). Readers see the old or the new content, never a part. */
int file_store(int dirfd, const char *path, const void *data, size_t len, mode_t mode, bool durable,
               struct err *err);

/* The same, through a temporary of the caller's choice (on the same file system): where a kill half
 * way must leave it in a place that is cleaned up. */
int file_store_through(int dirfd, const char *temporary, const char *path, const void *data,
                       size_t len, mode_t mode, bool durable, struct err *err);

/* Writes a new file; -EEXIST if there is one. For directories that nobody looks into yet, where a
 * half-written file harms nobody: two system calls less than file_store(). */
int file_create(int dirfd, const char *path, const void *data, size_t len, mode_t mode,
                struct err *err);

/* mkdir -p; `mode` applies to every directory made. For trusted paths of the engine's own; paths
 * that an image or container controls go through beneath.h. */
int file_make_dirs(int dirfd, const char *path, mode_t mode, struct err *err);

/* rm -r beneath dirfd, never following a symlink and never crossing into another mount. A path that
 * does not exist is success. */
int file_remove_tree(int dirfd, const char *path, struct err *err);

/* The next entry but "." and ".."; NULL at the end, with errno 0, and when it cannot be read: with
 * readdir(3) alone a list that broke off looks complete. */
struct dirent *file_next_entry(DIR *dir);

/* Sum of st_blocks-independent file sizes below `path`, each hard-linked inode once (docker's
 * SIZE). */
int file_tree_size(int dirfd, const char *path, unsigned long long *ret_bytes, struct err *err);

/* An anonymous file with this content, offset 0 (memfd_create(2)); -errno on failure. */
int file_memfd(const char *name, const void *data, size_t len, struct err *err);
