/* rdt.h - linux.intelRdt: a share of cache and memory bandwidth, through the resctrl file system.
 * OCI config-linux.md, "IntelRdt"; Linux Documentation/arch/x86/resctrl.rst.
 *
 * A class of service is a directory; what is in its `tasks`, and whoever these fork, gets what its
 * `schemata` say. Without closID the class is the container's own and named by its id; with closID
 * it is somebody else's, found or made, and stays. enableMonitoring adds a group of the container's
 * own below it, whose usage can be read.
 *
 * `root` is where resctrl is mounted; NULL: looked up. `config` is the whole document. */
#pragma once

#include <jansson.h>
#include <sys/types.h>

#include "base/err.h"

/* Before anything is made: is it well-formed, and has this host resctrl? */
int rdt_check(const char *root, const json_t *config, const char *id, struct err *err);
/* Makes the class or finds it, sets its schemata, and puts the process in. */
int rdt_create(const char *root, const json_t *config, const char *id, pid_t pid, struct err *err);
/* One more process for the container's class. */
int rdt_join(const char *root, const json_t *config, const char *id, pid_t pid, struct err *err);
/* Removes what is the container's own. Success when there is nothing. */
int rdt_destroy(const char *root, const json_t *config, const char *id, struct err *err);
