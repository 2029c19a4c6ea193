/* spec_parts.h - what the files that read config.json share: one file a section of the document. */
#pragma once

#include "runtime/spec.h"

/* Copies an array of strings. `what` names it in errors. */
int spec_strings(const json_t *array, const char *what, struct strv *ret, struct err *err);
/* The `mounts` array; spec_free() frees it, also after a failure. */
int spec_parse_mounts(const json_t *mounts, struct spec *ret, struct err *err);
/* linux.mountLabel, and crun's annotation about it. */
void spec_parse_mount_label(const json_t *config, struct spec *ret);
/* Refuses members of `json` that are of another type than the specification says; `prefix` is what
 * comes before its members in the document: "" or "process.". */
int spec_check_types(const json_t *json, const char *prefix, struct err *err);
