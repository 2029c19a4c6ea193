/* The keg's own mounts. They are in a mount namespace of its own (mount_namespaces(7)) and go with
 * its last process. */
#pragma once

/* In the child, first of all: cuts this mount namespace off from the host's, so that no mount goes
 * out or comes in. */
void mounts_make_private(void);

/* Makes `root` the root of this mount namespace, mounts /proc there and unmounts everything of the
 * host. */
void mounts_build(const char *root);
