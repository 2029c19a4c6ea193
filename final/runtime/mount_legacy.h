/* mount_legacy.h - what only mount(2) can do, made into the same thing: a detached mount.
 *
 * fsconfig(2) has no word for MS_I_VERSION, MS_SILENT and MS_POSIXACL, and a value of at most 255
 * bytes: an overlay of a few layers with long names does not fit. mount(2) takes a page of options.
 */
#pragma once

#include "runtime/mount_api.h"

bool mount_legacy_needed(const struct mount_fs *fs);
/* Needs fs->place, and the current directory is "/" afterwards. Errors as mount_make(), but
 * mount(2) does not say which option it did not like. */
int mount_legacy_make(const struct mount_fs *fs, struct err *err);
