/* mount_source.h - what a bind mount shows: opened as a detached copy, by whoever is allowed to.
 *
 * A container's process in a user namespace has lost the host's powers by the time it mounts: it
 * cannot search directories that only the host's root may, not bind one mount out of a tree it was
 * given, and not map ids. Its parent can, and hands over the descriptor. (What the host has mounted
 * read-only, nosuid and so on is so in this copy, too, but not locked: CAP_SYS_ADMIN inside could
 * change it.) */
#pragma once

#include <sys/types.h>

#include "runtime/mount_options.h"
#include "runtime/spec.h"

/* With the powers of the caller, and without a mapping of ids. */
int mount_source_open(const char *bundle, const struct spec_mount *mount,
                      const struct mount_options *options, struct err *err);
/* The parent's part: the source of spec->mounts[number] for the container whose process is `init`,
 * its ids mapped if the options say so. */
int mount_source_serve(const struct spec *spec, const char *bundle, pid_t init, size_t number,
                       struct err *err);
/* Does it need its ids mapped? Then only the parent can open it. */
bool mount_source_is_mapped(const struct spec_mount *mount, const struct mount_options *options);
