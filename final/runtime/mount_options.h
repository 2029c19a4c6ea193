/* mount_options.h - the words of a mount's `options` (OCI config.md, mount(8)) as flags. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct mount_options {
    bool bind, recursive; /* "bind", "rbind" */
    bool seed;            /* "x-cooper.seed" */
    uint64_t set, clear;  /* MOUNT_ATTR_* */
    uint64_t set_recursive, clear_recursive;
    unsigned long propagation; /* MS_PRIVATE and so on, perhaps | MS_REC; 0: leave */
    struct buf data;           /* what the file system itself reads: "mode=755,size=64m" */
};

int mount_options_parse(const struct strv *words, struct mount_options *ret, struct err *err);
void mount_options_free(struct mount_options *options);
/* The MOUNT_ATTR_* bits as flags for mount(2). */
unsigned long mount_options_flags(uint64_t attributes);
