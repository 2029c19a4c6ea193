/* forward.h - cooper runs cooper-image for what needs libcurl or libarchive. */
#pragma once

#include <stdbool.h>

#include "cli/cli.h"

/* Becomes cooper-image, with the same arguments; returns only if that fails. */
int forward_command(struct cli *cli);
/* Pulls an image in a child process, its display on stderr. 0, or the exit code of a pull that
 * failed and has said why. */
int forward_pull(const struct cli *cli, const char *image, const char *platform, bool quiet);
