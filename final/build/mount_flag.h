/* mount_flag.h - RUN --mount=...: what one says. Private to build/. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "build/build.h"

enum mount_type { MOUNT_BIND, MOUNT_CACHE, MOUNT_TMPFS, MOUNT_SECRET, MOUNT_SSH };
enum mount_sharing { SHARING_SHARED, SHARING_PRIVATE, SHARING_LOCKED };

struct run_mount {
    enum mount_type type;
    enum mount_sharing sharing;
    char *from;      /* a stage, an image or a context; NULL: the context, for a cache nothing */
    char *source;    /* a path in that; NULL: all of it */
    char *target;    /* NULL: by the type's rule */
    char *id;        /* of a cache, secret or agent; NULL: by the type's rule */
    char *env;       /* the variable that a secret goes into, NULL: none */
    bool read_write; /* bind, and cache unless it says readonly */
    bool required;   /* a secret or agent that must be there */
    uint64_t size;   /* of a tmpfs, in bytes; 0: no limit */
    bool has_mode;
    mode_t mode;
    uid_t uid;
    gid_t gid;
};

/* Checks the form only: values may have variables still. */
int mount_flag_check(const char *text, struct err *err);
/* With variables expanded by `rules`. */
int mount_flag_parse(const char *text, const struct word_rules *rules, struct run_mount *ret,
                     struct err *err);
void run_mount_free(struct run_mount *m);
/* "type=cache,target=/x,..." with everything that decides what the command sees, and no secret. */
void run_mount_describe(const struct run_mount *m, struct buf *out);
const char *mount_type_name(enum mount_type type);
