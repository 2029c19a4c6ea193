/* spec.h - config.json of a bundle as a C struct: OCI runtime-spec 1.2, config.md and
 * config-linux.md.
 *
 * Strings and JSON are borrowed from the document, which lives as long as runtime_create() and
 * runtime_exec() run; init has its own copy of that memory by then (clone copies the address
 * space). */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

/* The five sets of capabilities(7), bit n is capability n. */
struct spec_caps {
    uint64_t bounding, effective, inheritable, permitted, ambient;
};

struct spec_rlimit {
    int resource;
    const char *name; /* "RLIMIT_NOFILE" */
    struct rlimit value;
};

struct spec_process {
    bool terminal;
    struct strv args, env;
    const char *cwd;
    const char *user; /* "name|uid[:group|gid]" to be looked up, or NULL: uid and gid below */
    uid_t uid;
    gid_t gid;
    gid_t groups[64]; /* additionalGids */
    size_t group_count;
    const json_t *group_names; /* more of them, "name|gid", to be looked up; NULL: none */
    mode_t umask;
    struct spec_caps caps;
    bool no_new_privileges;
    bool has_oom_score_adj;
    int oom_score_adj;
    struct spec_rlimit rlimits[16];
    size_t rlimit_count;
};

struct spec_mount {
    const char *destination, *type, *source; /* type may be NULL: a bind */
    struct strv options;
};

/* One kind of namespace: what the specification calls it, its clone(2) flag. */
struct spec_namespace_kind {
    const char *name;
    uint64_t flag;
};
extern const struct spec_namespace_kind spec_namespace_kinds[8];

struct spec_join {
    uint64_t flag;
    const char *path;
};

struct spec {
    const json_t *config;
    const char *root_path;
    bool root_readonly;
    const char *propagation; /* linux.rootfsPropagation or NULL */
    const char *hostname, *domainname;
    const char *overlay_base, *overlay_options, *seccomp; /* annotations, may be NULL */
    const char *cgroups_path;                             /* NULL: "/cooper/<id>" */
    struct spec_mount *mounts;
    size_t mount_count;
    struct spec_process process;
    uint64_t new_namespaces;   /* CLONE_NEW* of those to make */
    struct spec_join joins[8]; /* of those to join */
    size_t join_count;
    struct strv masked, readonly;
    const json_t *sysctl, *resources, *devices; /* may be NULL */
};

/* Reads the whole document. Everything it asks for that this runtime cannot do is an error, never
 * passed over. spec_free() also after a failure. */
int spec_parse(const json_t *config, struct spec *ret, struct err *err);
/* Only a `process` object. */
int spec_parse_process(const json_t *process, struct spec_process *ret, struct err *err);
/* Only linux.namespaces. */
int spec_parse_namespaces(const json_t *config, struct spec *ret, struct err *err);
void spec_free(struct spec *spec);
void spec_process_free(struct spec_process *process);
/* An annotation, or NULL. Annotation names contain dots, so json_at() cannot read them. */
const char *spec_annotation(const json_t *config, const char *name);
