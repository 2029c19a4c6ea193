/* copy_parts.h - what the files of COPY and ADD share.
 *
 *     copy.c          the plan: one source after the other; the digest of it all
 *     copy_find.c     which files a source word means: globs, --parents
 *     copy_walk.c     everything in them, hashed
 *     copy_fetch.c    ADD of an address or a git repository (libcurl)
 *     copy_unpack.c   ADD of a tar (libarchive)
 *     copy_apply.c    where it goes
 *     copy_dirs.c     directories of the layer, as they are in the image below or new
 *     copy_file.c     one file into the layer
 *     copy_owner.c    --chown
 *     copy_mode.c     --chmod */
#pragma once

#include <sys/stat.h>

#include "build/copy.h"
#include "build/follow.h"
#include "build/ignore.h"

#define COPY_DEPTH_MAX 200 /* directories: one descriptor each while walking, two while writing */
#define COPY_NO_LINK   SIZE_MAX
#define COPY_MANY                                                                                  \
    "When using %s with more than one source file, the destination must be a directory and end "   \
    "with a /"

/* --- what is copied --------------------------------------------------------------------------- */

/* A file as it was found. */
struct copy_entry {
    char *path;                  /* real names, in its tree */
    size_t rel;                  /* where in `path` the part behind the source's own begins */
    struct stat st;              /* what is the tree's to say about the owner is said */
    char digest[DIGEST_LEN + 1]; /* of a regular file: content and extended attributes; or "" */
    char *link;                  /* where a symlink leads */
    size_t same;                 /* index of the entry that is the same inode, or COPY_NO_LINK */
};

enum copy_kind {
    COPY_FILES,   /* entries of a tree */
    COPY_TEXT,    /* a heredoc */
    COPY_ADDRESS, /* one file to be fetched, known by --checksum; becomes COPY_FILES */
};

struct copy_source {
    enum copy_kind kind;
    struct tree tree;
    char *path;     /* of the top, in the tree */
    char *as;       /* its name where the destination is a directory: "a.c"; --parents: "x/a.c" */
    size_t parents; /* --parents: so many directories of `as` are in the tree, too */
    bool directory; /* what is in it is meant */
    bool named;     /* --parents: and the directory itself */
    bool unpack;    /* a tar, should it be one, becomes what is in it */
    bool unpacked;  /* it was one */
    struct copy_entry *entries; /* [0] is the source itself */
    size_t count, room;
    size_t *links; /* hash table of the entries with several names: index + 1 */
    size_t link_count, link_room;
    const char *text;       /* COPY_TEXT */
    const char *url;        /* COPY_ADDRESS */
    char stage[64];         /* what was fetched; "" */
    char *known;            /* stands for all of it in the digest; NULL: what is in here does */
    struct buf parent_text; /* --parents: modes and owners of those directories */
};

struct copy_plan {
    const struct copy_request *request;
    struct copy_source *sources;
    size_t count, room;
    struct ignore *excludes;
    char *destination; /* absolute, cleaned: "app/sub", the root is "" */
    bool into;         /* as written it is a directory */
    char summary[8 + DIGEST_LEN];
};

/* A new one at the end; zeroed but for the tree. Valid until the next call. */
struct copy_source *copy_add_source(struct copy_plan *plan, const struct tree *tree);
struct copy_entry *copy_add_entry(struct copy_source *s, const char *path, size_t rel,
                                  const struct stat *st);
/* The first entry that is the same inode as the last one, or COPY_NO_LINK. */
size_t copy_find_same(struct copy_source *s);
/* Also what was fetched. */
void copy_source_free(struct copy_plan *plan, struct copy_source *s);
bool copy_cancelled(const struct copy_plan *plan);

/* copy_find.c: adds what `word` means, not walked yet. A pattern may mean nothing. */
int copy_find(struct copy_plan *plan, const char *word, struct err *err);
/* copy_walk.c: fills in the entries. */
int copy_walk(struct copy_plan *plan, struct copy_source *s, struct err *err);
/* The digest of an open file, `st` its state before. */
int copy_hash_file(const struct tree *tree, int fd, const struct stat *st, char ret[DIGEST_LEN + 1],
                   struct err *err);

/* Makes an empty directory for what is fetched the source's tree. */
int copy_stage(struct copy_plan *plan, struct copy_source *s, struct err *err);
/* For a file that may be unpacked: what it is known by from now on, whatever it becomes. */
void copy_note_known(struct copy_source *s);
/* Of the directory `up` levels above the source: what the tree says of it. */
int copy_stat_parent(const struct copy_source *s, size_t up, struct stat *ret, struct err *err);

/* copy_fetch.c */
bool copy_is_address(const char *word);
bool copy_is_git(const char *word);
int copy_check_checksum(const char *checksum, struct err *err);
/* Adds a source for it; fetches at once, unless its checksum is known. */
int copy_add_address(struct copy_plan *plan, const char *url, struct err *err);
int copy_add_git(struct copy_plan *plan, const char *url, struct err *err);
int copy_fetch(struct copy_plan *plan, struct copy_source *s, struct err *err);
/* copy_unpack.c: if the source is a tar, it becomes its content. */
int copy_unpack_source(struct copy_plan *plan, struct copy_source *s, struct err *err);

/* --- where it goes ---------------------------------------------------------------------------- */

/* A directory of the layer and the same one in the image below; -1: not there. */
struct copy_dir {
    int stage, below;
};

struct copy_layering {
    struct copy_plan *plan;
    const struct copy_target *target;
    bool chown;
    uid_t uid;
    gid_t gid;
    /* Of the source at hand: */
    struct copy_source *source;
    char **made;  /* where each entry went, beneath the layer's root, if it has several names */
    bool replace; /* a directory may take the place of a file, and a file that of a directory */
    /* Times of directories, set at the end: making a file in one changes them. */
    struct copy_time {
        char *path;
        struct timespec modified;
    } * times;
    size_t time_count, time_room;
};

/* What a file's time becomes. `own`: its own one counts for something. */
struct timespec copy_time(const struct copy_request *request, struct timespec modified, bool own);
/* An entry's mode and owner after --chmod and --chown. */
struct copy_attributes;
void copy_entry_attributes(const struct copy_layering *w, const struct stat *st,
                           struct copy_attributes *ret);

/* copy_dirs.c. Paths are real names beneath the roots. */
int copy_open_root(struct copy_layering *w, struct copy_dir *ret, struct err *err);
void copy_dir_close(struct copy_dir *dir);
/* How a directory is made that is not in the image. */
struct copy_attributes {
    mode_t mode;
    uid_t uid;
    gid_t gid;
    struct timespec modified;
    int xattrs;      /* a descriptor to take them from, or -1 */
    bool own_xattrs; /* all that an image may have; else only capabilities */
    bool set;        /* also one that is there gets them */
};
void copy_default_attributes(const struct copy_layering *w, struct copy_attributes *ret);
/* The directory `path`, in `parent`. */
int copy_enter(struct copy_layering *w, const struct copy_dir *parent, const char *path,
               const struct copy_attributes *attributes, struct copy_dir *ret, struct err *err);
/* From the root down, missing ones made. */
int copy_enter_path(struct copy_layering *w, const char *path,
                    const struct copy_attributes *attributes, struct copy_dir *ret,
                    struct err *err);
int copy_set_times(struct copy_layering *w, struct err *err);
void copy_layering_free(struct copy_layering *w);

/* copy_file.c: anything but a directory. `index` of the entry. */
int copy_make_file(struct copy_layering *w, size_t index, const struct copy_dir *dir,
                   const char *target_path, struct err *err);
int copy_make_text(struct copy_layering *w, const struct copy_dir *dir, const char *target_path,
                   struct err *err);
int copy_set_xattrs(int from, int to, bool own, struct err *err);

/* copy_owner.c: "user[:group]" by the files in the image. */
int copy_find_owner(int root, const char *text, uid_t *ret_uid, gid_t *ret_gid, struct err *err);

/* copy_mode.c: "755", "u=rwX,go+r" as in chmod(1). */
int copy_check_mode(const char *text, struct err *err);
mode_t copy_apply_mode(const char *text, mode_t mode);
