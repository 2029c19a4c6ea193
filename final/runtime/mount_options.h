/* mount_options.h - the words of a mount's `options` and what they ask for.
 *
 * OCI config.md, "Linux mount options"; mount(8), "FILESYSTEM-INDEPENDENT MOUNT OPTIONS"; and
 * crun's own (crun(1): copy-symlink, src-nofollow, dest-nofollow, idmap=...). One table holds them
 * all. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* MOUNT_ATTR_* for mount_setattr(2): `clear` is taken away first, then `set` is added. */
struct mount_attributes {
    uint64_t set, clear;
};

struct mount_options {
    bool bind, recursive; /* "bind", "rbind" */
    bool remount;
    bool seed;                             /* "x-cooper.seed" */
    bool copy_up;                          /* "tmpcopyup" */
    bool copy_symlink;                     /* a source that is a symlink is copied, not mounted */
    bool source_nofollow, target_nofollow; /* a symlink at the end is taken itself */
    bool idmap, idmap_recursive;           /* "idmap", "ridmap" */
    const char *idmap_text;                /* what stands behind "idmap=", borrowed; or NULL */
    const char *beneath;                   /* behind "x-cooper.beneath=", borrowed; or NULL */
    struct mount_attributes own, all;      /* for this mount; "r..." for it and all below */
    unsigned long propagation[4]; /* MS_PRIVATE and so on, perhaps | MS_REC; in this order */
    size_t propagation_count;
    unsigned long super; /* MS_SYNCHRONOUS and the like: of the file system, not of the mount */
    struct strv data;    /* for the file system alone: "mode=755", "size=64m" */
};

/* A word in no table belongs to the file system. The last of several words about one thing wins.
 * mount_options_free() also after a failure. */
int mount_options_parse(const struct strv *words, struct mount_options *ret, struct err *err);
void mount_options_free(struct mount_options *options);

/* Every word of the table once, in alphabetical order: `features` lists them. Caller: strv_free().
 */
void mount_options_known(struct strv *ret);
