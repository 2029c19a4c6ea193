/* devices.h - the nodes and links every container finds in /dev, and those config.json adds. */
#pragma once

#include "runtime/spec.h"

/* `dev` is what was mounted on /dev, or -1 if the image's own directory is used. OCI
 * config-linux.md, "Devices" and "Default Devices". */
int devices_make(const struct spec *spec, int root, int dev, struct err *err);
