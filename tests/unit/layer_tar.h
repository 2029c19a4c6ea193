/* layer_tar.h - tars made by hand, byte by byte, because well-behaved libraries refuse to write
 * hostile ones; and a directory to unpack them in, with something beside it that must not change.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "base/str.h"
#include "image/image.h"

struct tar_member {
    const char *name;
    char type; /* '0' file, '1' hard link, '2' symlink, '3' char, '4' block, '5' directory, '6'
                  fifo; 0: '0' */
    const char *link, *data;
    unsigned mode, uid, gid, major, minor; /* mode 0: 0644, or 0755 for directories */
    long mtime;
};

/* An extended attribute or field for the next member, as a pax record. */
void tar_pax(struct buf *tar, const char *key, const void *value, size_t len);
void tar_add(struct buf *tar, const struct tar_member *m);
void tar_end(struct buf *tar);
/* Computes the checksum of the header that begins at `offset` again, after a test has changed it.
 */
void tar_checksum(struct buf *tar, size_t offset);

/* The place of a test, below /tmp: staging/ to unpack in, outside/ that must stay as it is. */
extern char place[64];
extern int staging, outside;
void place_make(void);
void place_remove(void);
/* Fails the test unless outside/ is what place_make() made. */
void check_outside(void);

/* Unpacks a whole tar into `dirfd`, fed in pieces of `piece` bytes (0: all at once); ends the tar
 * itself. 0 or the error. *ret may be NULL. */
int unpack_into(int dirfd, const void *data, size_t len, size_t piece, struct layer_result *ret,
                struct err *err);
/* Makes the tar's end, unpacks it into staging/, frees it; the test fails unless that works /
 * fails. The failure's message has to contain `part`. */
void must_unpack(struct buf *tar);
void must_fail(struct buf *tar, const char *part);

/* stat without following, relative to staging/; the test fails when it is not there. */
struct stat entry(const char *path);
bool exists(const char *path);
bool is_whiteout(const char *path);
bool is_opaque(const char *path);
/* The content of a file in staging/, in a static buffer. */
const char *content(const char *path);
