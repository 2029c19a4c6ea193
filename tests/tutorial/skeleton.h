/* skeleton.h - what every chapter has, and where its links lead. */
#pragma once

#include "base/str.h"

/* Adds what is wrong with the file `path` to the report, one a line; true when nothing is. */
bool skeleton_check(const char *path, struct buf *report);
