/* mount_idmap.h - mounts whose files belong to other ids than the disk says: mount_setattr(2),
 * MOUNT_ATTR_IDMAP, Linux 5.12. A user namespace stands for the mapping: an id on the disk is taken
 * for one inside of it, and what is seen is the id outside. */
#pragma once

#include "runtime/mount_options.h"
#include "runtime/spec.h"

/* A new user namespace with the mount's own mapping: its uidMappings and gidMappings, or crun's way
 * in the option. -1 with err->code 0 when it has none. */
int mount_idmap_namespace(const struct spec *spec, const struct spec_mount *mount,
                          const struct mount_options *options, struct err *err);
/* Maps a detached mount, once and for all. */
int mount_idmap_apply(int tree, int user_namespace, bool recursive, struct err *err);
