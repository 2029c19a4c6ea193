/* devices.h - the nodes and links every container finds in /dev, and those config.json adds. */
#pragma once

#include "runtime/spec.h"

int devices_make(const struct spec *spec, int root, struct err *err);
