/* Directories laid on top of each other: read-only ones below, one that takes the changes above. */
#pragma once

#include "args.h"

extern const struct option_row overlay_options[]; /* --upper */

/* In the child: mounts the directories of `lowers` ("DIR[:DIR...]", the first is the topmost) as
 * one, in the place of the first of them, and returns its path (which the caller frees). Changes go
 * to DIR/upper with --upper DIR, else into memory, and vanish with the keg. Linux 5.11; overlayfs
 * is described in the kernel's filesystems/overlayfs. */
char *overlay_mount(const char *lowers);

/* "diff DIR LOWERS" prints what a keg with --upper DIR and the same lowers has added (A), changed
 * (C) and deleted (D). "union DIR:DIR MOUNTPOINT" mounts two directories as one for everybody to
 * see; the first takes the changes. Returns 1 when `args` was one of the two, else 0. */
int overlay_command(char **args);
