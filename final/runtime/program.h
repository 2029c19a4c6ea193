/* program.h - which file the user's command is, and in what words it cannot be run: docker's and
 * runc's, which tools look for. */
#pragma once

#include <limits.h>

#include "base/err.h"

/* What `name` means to somebody with this $PATH (NULL: the usual one): a name with a slash itself,
 * any other is looked for. Relative names start at the current directory; rights are the caller's.
 * err->exit_status is 127 if there is no such file, 126 if it cannot be run. */
int program_find(const char *name, const char *path, char ret[PATH_MAX], struct err *err);
/* After execve(2) of `program` has returned. */
int program_failed(const char *program, struct err *err);
