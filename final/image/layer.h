/* layer.h - how the files of one layer's tree are made; private to image/.
 *
 *     layer_unpack.c    the stream: hashing and inflating here, unpacking in a thread
 *     layer_apply.c     one tar entry after another: which name, which kind, within the limits
 *     layer_path.c      a name of the tar becomes a directory descriptor and a name
 *     layer_entry.c     makes the file, sets its metadata
 *     layer_whiteout.c  .wh. names become what overlayfs understands
 *     layer_fixups.c    what has to wait for the layers below
 *
 * and the other way:
 *
 *     layer_walk.c      a tree in the order of the tar
 *     layer_changes.c   which of a container's files are changes
 *     layer_copy.c      files of one tree into another
 *     layer_tar.c       a tree becomes a tar (tar.c: its bytes) */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"
#include "image/image.h"

#define LAYER_PATH_MAX   4096
#define LAYER_DEPTH_MAX  200 /* directories; removing a tree takes two descriptors a level */
#define LAYER_MEMORY_MAX (128u << 20) /* of names remembered until the end */

/* A directory's times, to be set at the end. */
struct layer_dir {
    char *path;
    struct timespec times[2];
};

struct archive;
struct archive_entry;

struct layer_tree {
    int root;         /* the staging directory; the caller's */
    uint64_t size;    /* of regular files and symlinks so far, as ls -l counts */
    uint64_t written; /* bytes really written: holes do not fill disks */
    uint64_t entries;
    struct layer_limits limits;
    bool disk_limits; /* limits.max_bytes is what the disk has */
    size_t memory;    /* spent on names */
    bool input_ended; /* libarchive has been told that there are no more bytes */
    bool ended;       /* the tar is over although it does not say so */

    /* The directory of the last entry, because the next entry is usually in the same one. */
    int parent_fd; /* O_PATH, or -1 */
    char parent[LAYER_PATH_MAX];

    struct layer_dir
        *dirs; /* set at the end: making a file in a directory changes the directory's time */
    size_t dir_count, dir_room;
    struct layer_fixups *fixups;
};

/* What a header says about a file, in the kernel's terms. */
struct layer_attributes {
    uid_t uid;
    gid_t gid;
    mode_t mode; /* permission bits only */
    struct timespec times[2];
    struct archive_entry *entry; /* for the extended attributes; NULL: none */
};

/* --- layer_apply.c ---------------------------------------------------------------------------- */

/* Reads the tar to its end. `t` is zeroed but for root and limits. */
int layer_apply(struct layer_tree *t, struct archive *tar, struct err *err);
void layer_tree_free(struct layer_tree *t); /* not the fixups */
/* Accounts for memory that a hostile tar could make grow without end. */
int layer_remember(struct layer_tree *t, size_t bytes, struct err *err);

/* --- layer_path.c ----------------------------------------------------------------------------- */

/* Cleans a name of the tar: no leading slash, no "." and "//", ".." taken back. -EINVAL when it
 * climbs out of the root, -ENAMETOOLONG. The root itself is "". */
int layer_clean_path(const char *name, char ret[LAYER_PATH_MAX], struct err *err);
/* The directory that holds `path` (cleaned, not ""), made when missing; its last component in
 * *ret_name, which points into `path`. The descriptor belongs to `t`: valid until the next call. */
int layer_open_parent(struct layer_tree *t, const char *path, const char **ret_name,
                      struct err *err);
/* To call when a name that may be a directory or a symlink goes away: the next name is looked up
 * anew. The descriptor in use stays open until then. */
void layer_forget_parent(struct layer_tree *t);

/* --- layer_entry.c ---------------------------------------------------------------------------- */

/* Makes the file at `path` (cleaned, not ""), with its content, owner, mode, times and attributes.
 * What this layer has there already goes, but for a directory that is named again: of an entry that
 * comes twice the last one counts, as for tar(1). Sockets are passed over. */
int layer_make_entry(struct layer_tree *t, struct archive *tar, struct archive_entry *entry,
                     const char *path, struct err *err);
/* The metadata of the layer's own top. */
int layer_root_entry(struct layer_tree *t, struct archive_entry *entry, struct err *err);
/* After the last entry, see `dirs` above. */
int layer_set_dir_times(struct layer_tree *t, struct err *err);

/* --- layer_xattr.c, layer_xattr_set.c (libarchive) -------------------------------------------- */

/* What a file of an image may have: file capabilities, ACLs, user.*. Why no others: layer_xattr.c
 */
bool layer_xattr_allowed(const char *name);
/* After a failed attempt to set one: does it matter? */
int layer_xattr_judge(const char *name, struct err *err);

/* Sets the entry's extended attributes that an image may have; the others are left out. */
int layer_set_xattrs(int fd, struct archive_entry *entry, struct err *err);
/* The same for what has no descriptor to operate on (symlinks, devices): by name. */
int layer_set_xattrs_at(int dirfd, const char *name, struct archive_entry *entry, struct err *err);

/* Those attributes of a file, by name; for `at` as above. */
struct layer_xattrs {
    struct tar_xattr *items;
    size_t len;
};
int layer_get_xattrs(int fd, struct layer_xattrs *ret, struct err *err);
int layer_get_xattrs_at(int dirfd, const char *name, struct layer_xattrs *ret, struct err *err);
void layer_xattrs_free(struct layer_xattrs *xattrs);

/* --- layer_whiteout.c ------------------------------------------------------------------------- */

/* `path` ends with a name that layer_is_whiteout_name(): does what it says in overlayfs's form. */
int layer_whiteout(struct layer_tree *t, const char *path, struct err *err);

/* --- layer_marks.c ---------------------------------------------------------------------------- */

/* True when the last component of a path is the tar's spelling of a mark. */
bool layer_is_whiteout_name(const char *name);
/* True when it is in a directory that aufs kept for itself. */
bool layer_is_aufs_path(const char *path);
/* An error for a name that means something else in a layer's tar. */
int layer_check_name(const char *name, struct err *err);
/* overlayfs's marks: a character device 0:0 in place of what is deleted, and an attribute of a
 * directory that hides all the layers below have of that name. */
bool layer_is_whiteout(const struct stat *st);
int layer_set_opaque(int dirfd, struct err *err);
bool layer_is_opaque(int dirfd);

/* --- layer_fixups.c --------------------------------------------------------------------------- */

struct layer_fixups *layer_fixups_new(void); /* never NULL */
/* layer_complete() has something to do. */
bool layer_fixups_pending(const struct layer_fixups *f);
bool layer_fixups_implied(const struct layer_fixups *f, const char *path);
/* The tar implied this directory / then named it after all. */
int layer_fixups_imply(struct layer_tree *t, const char *path, struct err *err);
void layer_fixups_named(struct layer_fixups *f, const char *path);
/* A hard link whose target is not in this layer. */
int layer_fixups_link(struct layer_tree *t, const char *path, const char *target, struct err *err);

/* --- layer_tar.c ------------------------------------------------------------------------------ */

/* layer_pack() that counts the bytes of regular files. */
int layer_write(int tree_fd, tar_sink *sink, void *context, uint64_t *ret_size, struct err *err);

/* --- layer_below.c ---------------------------------------------------------------------------- */

/* What one layer says about a path: here it is; nothing, ask the layer below; nobody below may be
 * asked. */
enum layer_look { LOOK_FOUND, LOOK_BELOW, LOOK_HIDDEN };

/* Where something was found: the directory that holds it, what it is, and whether a directory on
 * the way was opaque. `parent` is -1 unless found; the caller closes it. `name` points into the
 * path asked for. */
struct layer_place {
    int parent;
    const char *name;
    struct stat st;
    bool opaque_above;
};
enum layer_look layer_look_in(int root, const char *path, struct layer_place *ret);
/* Looks for what shows through from the layers below, top first. */
bool layer_look_below(const char *path, const int *lower_fds, size_t count,
                      struct layer_place *ret);
/* The names that show through in directory `path`, in no order. */
void layer_list_below(const char *path, const int *lower_fds, size_t count, struct strv *ret);

/* --- layer_copy.c ----------------------------------------------------------------------------- */

/* Copies anything but a directory to `name` in `parent`, where nothing is yet. */
int layer_copy_file(const struct layer_place *from, int parent, const char *name, struct err *err);
/* Owner, mode, extended attributes, times. */
int layer_copy_directory(int from, const struct stat *st, int to, struct err *err);

/* --- layer_changes.c -------------------------------------------------------------------------- */

struct walk_entry;
/* True for what the engine made only to mount on it, and for what holds nothing else. */
bool layer_is_mount_point(const struct layer_below *below, const struct walk_entry *e);
/* True for an empty directory that would not be there, or not in this layer, but for a mount point
 * somewhere below it. */
bool layer_led_to_mount_points(const struct layer_below *below, const struct walk_entry *e);
