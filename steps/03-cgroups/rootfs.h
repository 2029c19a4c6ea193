/* A root directory of its own. */
#pragma once

/* Makes `path` the root directory of this process and of all it will start. Needs CAP_SYS_CHROOT;
 * chroot(2). On its own this is no prison: whoever is root inside walks out (chapter 2 shows how).
 */
void rootfs_chroot(const char *path);
