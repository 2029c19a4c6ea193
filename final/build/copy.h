/* copy.h - COPY and ADD: which files, what they are, and where they go. Private to build/.
 *
 *     copy.c          from an instruction to a plan
 *     copy_*.c        see the first lines of each
 *
 * In two halves, because between them the cache is asked:
 *
 *     copy_plan()     finds the sources (globs, excludes), fetches what has to be fetched, hashes
 *     copy_apply()    makes a layer of them
 *
 * Both sides are foreign. A source is found beneath the root of its tree, its symlinks are resolved
 * inside it; the destination is resolved inside the image's root, symlinks of lower layers too.
 * From then on there are only descriptors and names that are not followed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "build/tree.h"

#define COPY_NO_EPOCH INT64_MIN

/* A file whose text is in the Dockerfile. */
struct copy_text {
    const char *name; /* the heredoc's word: its name where the destination is a directory */
    const char *text;
};

/* One COPY or ADD, its variables expanded. Everything is borrowed, and stays until
 * copy_plan_free().
 */
struct copy_request {
    bool add;                /* ADD: URLs, git, tars are unpacked */
    struct store *store;     /* for what is fetched */
    const struct tree *from; /* the context, or what --from names */
    const struct strv *sources;
    const struct copy_text *texts; /* heredocs; their "<<EOF" words are not in `sources` */
    size_t text_count;
    const char *destination;     /* as written: a slash at the end means a directory */
    const char *workdir;         /* where a relative destination starts; NULL or "": "/" */
    const char *chown;           /* user[:group], names or numbers; NULL */
    const char *chmod;           /* "755", "u=rwX,go=rX"; NULL */
    const struct strv *excludes; /* --exclude; NULL */
    const char *checksum;        /* --checksum of ADD; NULL */
    bool parents, link, keep_git_dir;
    int unpack;    /* ADD --unpack: 1 yes, 0 no, -1 not said: local tars only */
    int64_t epoch; /* seconds: later times become this one; COPY_NO_EPOCH */
    const volatile bool *cancelled;
};

struct copy_plan;
/* -ENOENT and the like in docker's words. Fetches what ADD names by address, but where --checksum
 * says what it must be. */
int copy_plan(const struct copy_request *request, struct copy_plan **ret, struct err *err);
void copy_plan_free(struct copy_plan *plan); /* NULL is fine */
/* Stands for everything the result depends on beside the image it goes into: names, types, content,
 * modes, owners, symlinks, extended attributes, flags, the destination; not times. After
 * copy_apply() it tells what was really copied, should a file have changed meanwhile: it is to be
 * asked for again, and that one recorded. */
void copy_plan_digest(const struct copy_plan *plan, char ret[DIGEST_LEN + 1]);
/* How docker's history names the sources: "file:<hex>", "dir:<hex>" or "multi:<hex>". Borrowed. */
const char *copy_plan_summary(const struct copy_plan *plan);

/* A layer that is being made. */
struct copy_target {
    int stage; /* the layer's directory, from store_stage(); may have something in it already */
    int below; /* root of the image it goes on top of (view_open), or -1: none */
};
/* Directories of the image that get new files are in the layer as they are below. Ones that are
 * missing are made: 0755, or --chown's owner. On failure the caller drops the stage. */
int copy_apply(struct copy_plan *plan, const struct copy_target *target, struct err *err);

/* WORKDIR: makes `path` (absolute) if the image does not have it. *ret_made: something is in the
 * layer now. */
int copy_make_directory(const struct copy_target *target, const char *path, int64_t epoch,
                        bool *ret_made, struct err *err);

/* For RUN --mount=type=bind: what `path` in a tree is as a COPY would see it, and a copy of it in
 * `to`, an empty directory, with its name "." (a directory's content) or the last one of `path`. */
int tree_digest(const struct tree *tree, const char *path, char ret[DIGEST_LEN + 1],
                struct err *err);
int tree_copy(const struct tree *tree, const char *path, int to, struct err *err);
