/* copy.h - what the two programs that have a `cp` share. */
#pragma once

#include "base/clock.h"
#include "cli/cli.h"

/* True for "CONTAINER:PATH"; the caller frees the container. */
bool copy_split(const char *argument, char **ret_container, const char **ret_path);

/* "Copying to container - 5.6MB" while it lasts, on a terminal. */
struct copy_display {
    bool shown;
    const char *what;
    int64_t last_ns;
};
void copy_display_init(const struct cli *cli, const char *what, struct copy_display *ret);
void copy_display_end(const struct copy_display *d, uint64_t bytes, const char *where);
/* The engine's error as docker's client or as its daemon would say it. The exit code. */
int copy_fail(const struct cli *cli, const struct err *err);
