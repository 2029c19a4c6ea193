/* copy.h - cp between the host and a container. Private to engine/.
 *
 *     copy.c        what a pair of paths means (docker's rules), and the calls of engine.h
 *     copy_root.c   the container's root, running or not
 *     copy_place.c  a path becomes a directory descriptor and a name
 *     copy_tree.c   a file or tree from one such place to another
 *     copy_tar.c    a tar into a place (libarchive: in cooper-image only)
 *
 * The container's side is hostile and may change while we look (CVE-2018-15664 and its kin): a path
 * is resolved once, by the kernel, inside the container's root, and from then on there are only
 * descriptors and names that are not followed. Nothing of the container is executed or loaded. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "engine/volumes.h"

struct copy_root {
    int fd;   /* O_PATH */
    int lock; /* keeps a container that does not run from being started meanwhile; -1 */
    struct volume_holds holds; /* of that one's volumes */
    int mounts;                /* the mount namespace we had before, where those are; -1 */
};
int copy_root_open(struct engine *e, const struct container *c, struct copy_root *ret,
                   struct err *err);
void copy_root_close(struct engine *e, const struct container *c, struct copy_root *root);

/* Where a path leads: `name` in `dir`. A path that is a root or ends in "/." means what is in the
 * directory, which `dir` is then, with "." as the name. */
struct copy_place {
    int dir;
    char name[256];
    char *path; /* absolute and cleaned */
    bool exists, asserts_directory, contents;
    struct stat st;
};
/* `root` -1: the host. `follow`: also the last component, when it is a symlink. -ENOENT without a
 * message when the directory is missing; a missing file in it only clears `exists`. */
int copy_place_find(int root, const char *path, bool follow, struct copy_place *ret,
                    struct err *err);
void copy_place_free(struct copy_place *p);
bool copy_place_is_directory(const struct copy_place *p);
/* The last component of the cleaned path; "/" for the root. Borrowed. */
const char *copy_place_base(const struct copy_place *p);
/* The directory the place is (O_RDONLY), or -errno. */
int copy_place_enter(const struct copy_place *p, struct err *err);

struct copy_rules {
    bool take_ownership; /* files get our own user and group */
    /* From a container to the host: set-user-ID bits and capabilities are dropped, device nodes
     * left out, unless --archive asks for all of it. */
    bool tame;
    const struct copy_options *options;
};
/* Copies `from_name` in `from` as `to_name` into `to`; what is a directory on both sides is merged,
 * of anything else the new one takes the place. With `from_name` ".": what is in it. */
struct copy_work;
struct copy_work *copy_work_new(const struct copy_rules *rules);
int copy_tree(struct copy_work *w, int from, const char *from_name, int to, const char *to_name,
              struct err *err);
uint64_t copy_work_free(struct copy_work *w); /* the bytes it would take as a tar */

/* /proc and the like: not files that somebody wrote. */
bool copy_is_kernel_fs(int fd);

/* The container's root, and in it the directory `to` (O_RDONLY). */
int copy_open_directory(struct engine *e, const struct container *c, const char *to,
                        const struct copy_options *options, struct copy_root *ret_root,
                        struct err *err);
int copy_read_only(const struct container *c, struct err *err);
/* Unpacks a tar, compressed or not, into the directory `to`. */
int copy_unpack(int tar, int to, const struct copy_rules *rules, uint64_t *bytes, struct err *err);
