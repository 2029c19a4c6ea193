/* The device files of a keg. */
#pragma once

/* In the child, while the host's /dev is in sight: takes hold of the harmless devices there. */
void devices_take(void);

/* In the new root: mounts a /dev with them. Anywhere else in the keg a device file cannot be
 * opened, because its root is mounted "nodev" (overlay.c). */
void devices_mount(void);
