/* mount_work.h - one entry of the list of mounts while it is worked on: what binds and file systems
 * have in common. For the mount files alone. */
#pragma once

#include "runtime/mount_options.h"
#include "runtime/mount_target.h"
#include "runtime/mounts.h"

struct mount_work {
    struct mounts *m;
    const struct spec_mount *mount;
    struct mount_options options;
    struct mount_target target; /* fd -1 until mount_work_target() */
};

bool mount_work_is(const struct mount_work *w, const char *type);
/* Finds or makes the place the mount goes to: w->target. */
int mount_work_target(struct mount_work *w, enum mount_target_kind kind, struct err *err);
/* Gives a mount the attributes of the options. */
int mount_work_change(const struct mount_work *w, int mount, struct err *err);
int mount_work_propagate(const struct mount_work *w, int mount, struct err *err);
/* Puts a detached mount on w->target; the mount is what it shall be by then. */
int mount_work_attach(const struct mount_work *w, int mount, struct err *err);
/* Keeps a descriptor of a mount in a list: m->later, m->made. */
int mount_work_keep(int mount, int **list, size_t *count, struct err *err);
/* What an error says when one of both is a directory and the other is not. */
int mount_work_mismatch(struct err *err);

/* The three ways: mount_bind.c, mount_filesystem.c. */
int mount_bind(struct mount_work *w, struct err *err);
int mount_filesystem(struct mount_work *w, struct err *err);
int mount_remount(struct mount_work *w, struct err *err);
