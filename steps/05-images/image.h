/* An image: root file system and how to run it; OCI image specification 1.0. */
#pragma once

#include "args.h"

/* Lives as long as keg. */
struct image {
    char *lowers;       /* as overlay_mount() takes it */
    char **command;     /* NULL-terminated */
    char **environment; /* NULL-terminated, with room for one more */
    const char *directory, *user;
};

extern const struct option_row image_options[]; /* --user */

/* In the parent, before it becomes another user. args[0] is "oci:LAYOUT[:TAG]" (LAYOUT has no
 * colon) or directories; what follows is the command, and may be missing with an image that names
 * one. Checks and unpacks what the image needs. */
struct image image_open(char **args);
