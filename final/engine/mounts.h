/* mounts.h - what a container sees at which place: -v, --mount, --tmpfs, --volumes-from and the
 * image's VOLUMEs become one list of mount points. */
#pragma once

#include "engine/internal.h"

struct mount_point {
    char *type;          /* "bind", "volume", "tmpfs", "image" */
    char *name;          /* a volume's; NULL: one without a name, until it is made */
    char *source;        /* absolute; an image's id */
    char *destination;   /* absolute, cleaned */
    char *mode;          /* what inspect shows: the words behind -v's last colon */
    char *propagation;   /* a bind's: "rprivate" unless asked for another */
    char *subpath;       /* inside the volume or image; or NULL */
    char *layers;        /* an image's directories, top first, with colons between; or NULL */
    struct strv options; /* for the OCI mount */
    const json_t *labels, *driver_options; /* for a volume that is made; borrowed, may be NULL */
    bool read_only;                        /* and what is mounted below it */
    bool writable_below;                   /* read_only is not about that */
    bool no_copy;    /* a volume is not filled with what the image has there */
    bool must_exist; /* a bind's source is not made */
    bool not_below;  /* what is mounted below a bind's source stays out */
    bool inherited;  /* --volumes-from: gives way to the others */
    bool unlisted;   /* --tmpfs: docker shows it under HostConfig only */
};
struct mount_list {
    struct mount_point *items;
    size_t len;
};
void mount_list_free(struct mount_list *list);

/* mounts.c: from HostConfig.VolumesFrom, Binds, Mounts, Tmpfs and Config.Volumes. Looks at what is
 * there and makes nothing. Sorted so that parents come first. The list borrows from `host`. */
int mounts_parse(struct engine *e, const json_t *config, const json_t *host, struct mount_list *ret,
                 struct err *err);
/* Makes what does not exist: host directories, volumes (recorded as used by the container). */
int mounts_prepare(struct engine *e, const char *container_id, struct mount_list *list,
                   struct err *err);
/* propagation.c: linux.rootfsPropagation for these, NULL: private. */
const char *mounts_root_propagation(const struct mount_list *list);
/* At the start: are the sources (of inspect's "Mounts") where the host shares its mounts? */
int mounts_check_propagation(const json_t *mounts, struct err *err);
/* inspect's "Mounts". */
json_t *mounts_json(const struct mount_list *list);

/* mounts_flags.c: one mount point each, from docker's three ways to write it. `m` is empty before,
 * and the caller's to free after a failure, too. */
int mount_point_bind(const char *spec, struct mount_point *m, struct err *err);
int mount_point_tmpfs(const char *destination, const char *options, struct mount_point *m,
                      struct err *err);
/* "/a//b/./c/.." -> "/a/b"; NULL for what is not absolute or is the root itself. */
char *mount_point_clean(const char *path);
/* The words of -v behind the second colon; no_copy, read_only, options and propagation of *m. */
int mount_point_mode(struct mount_point *m, const char *mode, struct err *err);
/* mounts_object.c: an entry of HostConfig.Mounts. */
int mount_point_object(const json_t *object, struct mount_point *m, struct err *err);
