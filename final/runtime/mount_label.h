/* mount_label.h - linux.mountLabel: the SELinux label of the files in mounts. selinux(8). */
#pragma once

#include "runtime/spec.h"

/* An error unless this kernel has SELinux switched on: without it the label would protect nothing.
 * Also checks which of the mount options it goes into (crun's annotation
 * run.oci.mount_context_type). */
int mount_label_check(const struct spec *spec, struct err *err);
/* Labels the root of a mount whose file system does not take the option: mqueue. */
int mount_label_root(const struct spec *spec, int mount, struct err *err);
