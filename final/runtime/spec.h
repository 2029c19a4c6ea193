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
#include "runtime/scheduling.h"

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
    unsigned short rows, columns; /* consoleSize, 0: none given */
    struct strv args, env;        /* env: each name once */
    const char *cwd;
    const char *user; /* "name|uid[:group|gid]" to be looked up, or NULL: uid and gid below */
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* additionalGids */
    size_t group_count;
    const json_t *group_names; /* more of them, "name|gid", to be looked up; NULL: none */
    mode_t umask;
    struct spec_caps caps;
    bool no_new_privileges;
    bool has_oom_score_adj;
    int oom_score_adj;
    struct spec_rlimit rlimits[16];
    size_t rlimit_count;
    struct scheduling scheduling;
    const char *apparmor_profile, *selinux_label; /* NULL or "": none */
    long personality;                             /* as personality(2) takes it; -1: the caller's */
    struct strv warnings; /* what was asked for, does not exist here and is done without */
};

struct spec_mount {
    const char *destination;   /* relative means relative to the root */
    const char *type, *source; /* may be NULL */
    struct strv options;
    const json_t *uid_mappings, *gid_mappings; /* both or none (NULL, or empty) */
};

/* One kind of namespace: what the specification and proc(5) call it, its clone(2) flag. */
struct spec_namespace_kind {
    const char *name, *file; /* below /proc/PID/ns */
    uint64_t flag;
};
extern const struct spec_namespace_kind spec_namespace_kinds[8];

struct spec_join {
    const struct spec_namespace_kind *kind;
    const char *path;
    int fd; /* opened and checked by namespaces_open(); -1 before */
};

/* Lines of /proc/PID/uid_map or gid_map: ids inside..inside+size-1 are outside..outside+size-1. */
struct spec_id_range {
    uint32_t inside, outside, size;
};
struct spec_id_map {
    struct spec_id_range *items;
    size_t len;
};

/* linux.timeOffsets: what a new time namespace adds to the host's clocks. */
struct spec_time_offset {
    bool set;
    int64_t secs;
    uint32_t nanosecs;
};

struct spec {
    const json_t *config;
    const char *root_path;
    bool root_readonly;
    bool no_pivot; /* of the request, not of the document: where pivot_root(2) cannot work */
    const char *propagation;                    /* linux.rootfsPropagation or NULL */
    const char *mount_label, *mount_label_kind; /* linux.mountLabel or NULL; "context" */
    const char *hostname, *domainname;
    const char *overlay_base, *overlay_options, *seccomp; /* annotations, may be NULL */
    const char *cgroups_path;                             /* NULL: "/cooper/<id>" */
    struct spec_mount *mounts;
    size_t mount_count;
    struct spec_process process;
    uint64_t new_namespaces;   /* CLONE_NEW* of those to make */
    struct spec_join joins[8]; /* of those to join */
    size_t join_count;
    /* Is its user namespace not ours, new or joined? Then root inside is nobody's root outside: no
     * device nodes can be made, only what is mapped can own a file, and what needs the host's
     * powers is done before the namespace is entered or by the parent (userns.h). */
    bool user_namespace;
    struct spec_id_map uid_map, gid_map; /* empty: as the joined namespace has them */
    struct spec_time_offset monotonic, boottime;
    struct strv masked, readonly;
    const json_t *sysctl, *resources, *devices, *net_devices; /* may be NULL */
};

/* Reads the whole document. Everything it asks for that this runtime cannot do is an error, never
 * passed over. spec_free() also after a failure. */
int spec_parse(const json_t *config, struct spec *ret, struct err *err);
/* Only a `process` object, and of `config` what linux.* says about every process. */
int spec_parse_process(const json_t *process, const json_t *config, struct spec_process *ret,
                       struct err *err);
/* Only linux.namespaces, the mappings of a user namespace and the offsets of a time namespace. */
int spec_parse_namespaces(const json_t *config, struct spec *ret, struct err *err);
/* An array of {containerID, hostID, size}; `what` names it in errors. Caller: spec_id_map_free(),
 * also after a failure. */
int spec_parse_id_map(const json_t *array, const char *what, struct spec_id_map *ret,
                      struct err *err);
void spec_id_map_free(struct spec_id_map *map);
/* CLONE_NEW* of every namespace of its own the container has, made or joined. */
uint64_t spec_own_namespaces(const struct spec *spec);
void spec_free(struct spec *spec);
/* Does the container have this kind (CLONE_NEW*) for itself, new or joined? Else it is the
 * caller's. */
bool spec_has_namespace(const struct spec *spec, uint64_t flag);
void spec_process_free(struct spec_process *process);
/* An annotation, or NULL. Annotation names contain dots, so json_at() cannot read them. */
const char *spec_annotation(const json_t *config, const char *name);
