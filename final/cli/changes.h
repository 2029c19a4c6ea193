/* changes.h - `--change "INSTRUCTION ..."` of import (and later commit): Dockerfile instructions
 * that touch an image's configuration only. */
#pragma once

#include <jansson.h>

#include "base/err.h"
#include "base/str.h"

/* An image Config object with all the changes, or NULL in *ret when there are none. */
int changes_parse(const struct strv *changes, json_t **ret, struct err *err);
