/* cgroup_world.h - a directory that looks like a control group, and the plan of what would be
 * written into it. */
#pragma once

#include "base/json.h"
#include "runtime/cgroup_plan.h"

/* A group "/box/one" below a new directory; version 1 (controllers as directories) or 2. Files are
 * made by fake_file(). fake_end() removes all. */
void fake_begin(int version, struct cgroup *ret);
void fake_end(struct cgroup *cg);
/* "memory/memory.limit_in_bytes" in version 1, "memory.max" in version 2. */
void fake_file(const struct cgroup *cg, const char *file, const char *content);
/* A file of a group above; `group` "" is the root. */
void fake_file_above(const struct cgroup *cg, const char *group, const char *file,
                     const char *content);
char *fake_content(const struct cgroup *cg, const char *file);

/* linux.resources as JSON with ' for ", checked and planned: "file=text;file=text;", or the error.
 * Caller frees. */
char *planned(const struct cgroup *cg, const char *resources, bool update);
json_t *resources_of(const char *text);
