/* cgroup_systemd.h - groups that systemd makes: a container is a transient scope unit.
 *
 *     cgroup_systemd_path.c         "slice:prefix:name": which unit, and so which group
 *     cgroup_systemd_properties.c   limits as properties of the unit
 *     cgroup_systemd.c              asks systemd, through a helper program
 *     systemd_main.c                the helper, cooper-systemd: D-Bus
 *
 * The helper is a program of its own because the bus needs libsystemd, a shared library: whoever
 * does not use this manager does not load it, and the runtime stays static. It is told what to do
 * as one JSON document on its standard input:
 *
 *     {"call": "start", "user": false, "unit": "cooper-1.scope",
 *      "properties": [["MemoryMax", "t", 33554432], ["PIDs", "au", [4711]]]}
 *
 * and answers with one on its standard output, {"group": "/system.slice/cooper-1.scope"}, or with
 * {"error": "..."} and exit status 1. A property is a name, a D-Bus signature, a value, and
 * optionally the first version of systemd that knows it; an older one is not told. -1 stands for
 * "infinity".
 */
#pragma once

#include "runtime/cgroup_plan.h"

/* --- cgroup_systemd_path.c -------------------------------------------------------------------- */

/* "slice:prefix:name" taken apart, with what an empty part means filled in; NULL: all of it empty.
 * `user`: for the manager of an ordinary user. */
struct systemd_unit {
    char *slice; /* "system.slice" */
    char *name;  /* "cooper-<id>.scope" */
    char *path;  /* "/system.slice/cooper-<id>.scope" below the manager's own group */
};
int systemd_unit_parse(const char *wanted, const char *id, bool user, struct systemd_unit *ret,
                       struct err *err);
void systemd_unit_free(struct systemd_unit *unit);
/* The unit that a group's path belongs to: its last component. */
const char *systemd_unit_of(const char *path);

/* --- cgroup_systemd_properties.c -------------------------------------------------------------- */

/* Adds what a plan (of either version) means as properties; what systemd has none for is left to
 * the files. */
void systemd_add_limits(const struct cgroup *cg, const struct cgroup_plan *plan,
                        json_t *properties);
/* Adds DevicePolicy and DeviceAllow, as near to the rules as systemd's list comes, never narrower.
 */
int systemd_add_devices(const json_t *resources, json_t *properties, struct err *err);
/* Adds the annotations "org.systemd.property.NAME": "VALUE in GVariant's notation", as runc and
 * crun take them; NAMESec is NAMEUSec in seconds. */
int systemd_add_annotations(const json_t *annotations, json_t *properties, struct err *err);
/* What every container's scope has. */
void systemd_add_scope(const char *id, const char *slice, pid_t init, json_t *properties);

/* --- cgroup_systemd.c ------------------------------------------------------------------------- */

/* The group of the user's service manager, below which it makes its own; for root "". */
int systemd_manager_group(char **ret, struct err *err);
/* Makes the scope around the process; it is in the group when this returns. */
int systemd_start(const struct cgroup *cg, const json_t *config, pid_t init, struct err *err);
int systemd_update(const struct cgroup *cg, const json_t *resources, struct err *err);
int systemd_freeze(const struct cgroup *cg, bool frozen, struct err *err);
/* Moves a process into the unit's group, or the one below it that cg->subgroup names. */
int systemd_attach(const struct cgroup *cg, pid_t pid, struct err *err);
/* Success when there is no such unit. */
int systemd_stop(const struct cgroup *cg, struct err *err);
