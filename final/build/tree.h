/* tree.h - places that COPY and ADD take files from: the build context, the root of another stage
 * or image, something that was fetched. Private to build/. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"
#include "storage/storage.h"

struct ignore;
struct hashes;

struct tree {
    int root;                    /* a directory (O_PATH will do) */
    const struct ignore *ignore; /* what is in it and yet not there; NULL: nothing */
    struct hashes *hashes;       /* what is known of its files' content; NULL: nothing */
    /* False for a build context: everything in it belongs to 0:0, and its times are an accident of
     * when it was checked out. */
    bool keep_owner;
    bool disposable;  /* its files may be taken rather than copied */
    const char *what; /* for messages: "build context" */
};

/* --- view.c: the root of an image ------------------------------------------------------------- */

/* The files of an image, read-only: the layers `dirs` (names below layers/, base first) as one
 * tree. A descriptor (O_PATH) good in this process only; nothing is left when it is closed, or when
 * the process is killed. No layers: an empty directory. Safe in any thread; the caller's own mount
 * namespace stays as it is. */
int view_open(struct store *store, const struct strv *dirs, struct err *err);

/* --- hashes.c: what files contain ---------------------------------------------------------------
 *
 * The digest of a file's content stays true while its device, inode, size and times of change do.
 * One file of notes a tree, in build/hashes/ below the engine's root; it has what the last build
 * asked for. A file that changed less than a second before it was read is not noted: its next
 * change may not show in the times. Safe in several threads. */

/* `root` names the tree by its device and inode; -1: the files of all images, whose device numbers
 * are new with every mount. A missing, old or broken file of notes is an empty one. */
struct hashes *hashes_open(struct store *store, int root);
/* Writes what was asked for, if any of it is new; frees. NULL is fine. A failure costs time in the
 * next build, nothing else. */
void hashes_close(struct hashes *hashes);
/* `hashes` NULL knows nothing. */
bool hashes_find(struct hashes *hashes, const struct stat *st, char ret[DIGEST_LEN + 1]);
/* `st` was taken before the file was read, and again after it, and had not changed. */
void hashes_note(struct hashes *hashes, const struct stat *st, const char *digest);
