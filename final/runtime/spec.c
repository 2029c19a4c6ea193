#include "runtime/spec.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "runtime/caps.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80 /* Linux 5.6; only clone3(2) takes it, clone(2) reads it as a signal */
#endif

const struct spec_namespace_kind spec_namespace_kinds[8] = {
    {"mount", CLONE_NEWNS},  {"pid", CLONE_NEWPID},   {"network", CLONE_NEWNET},
    {"ipc", CLONE_NEWIPC},   {"uts", CLONE_NEWUTS},   {"cgroup", CLONE_NEWCGROUP},
    {"user", CLONE_NEWUSER}, {"time", CLONE_NEWTIME},
};

static const struct {
    const char *name;
    int resource;
} rlimit_names[] = {
    {"RLIMIT_AS", RLIMIT_AS},
    {"RLIMIT_CORE", RLIMIT_CORE},
    {"RLIMIT_CPU", RLIMIT_CPU},
    {"RLIMIT_DATA", RLIMIT_DATA},
    {"RLIMIT_FSIZE", RLIMIT_FSIZE},
    {"RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    {"RLIMIT_NICE", RLIMIT_NICE},
    {"RLIMIT_NOFILE", RLIMIT_NOFILE},
    {"RLIMIT_NPROC", RLIMIT_NPROC},
    {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
    {"RLIMIT_RTTIME", RLIMIT_RTTIME},
    {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_STACK", RLIMIT_STACK},
};

const char *spec_annotation(const json_t *config, const char *name)
{
    return json_string_value(json_object_get(json_at(config, "annotations"), name));
}

/* --- process ------------------------------------------------------------------------------------
 */

/* uid_t is unsigned: a number above 2^31-1 would be another user to some programs and -1 to
 * setuid(2). */
static int parse_id(const json_t *user, const char *name, uint32_t *ret, struct err *err)
{
    long long id = json_int(user, name, 0);

    if (id < 0 || id > INT32_MAX)
        return err_set(err, EINVAL, "process.user.%s %lld is not in the range 0-2147483647", name,
                       id);
    *ret = (uint32_t)id;
    return 0;
}

static int parse_user(const json_t *user, struct spec_process *ret, struct err *err)
{
    const json_t *groups = json_at(user, "additionalGids"), *item;
    size_t i, max = sizeof ret->groups / sizeof *ret->groups;

    ret->umask = (mode_t)json_int(user, "umask", 0022) & 0777;
    ret->group_names = json_object_get(user, "org.cooper.groups");
    if (parse_id(user, "uid", &ret->uid, err) < 0 || parse_id(user, "gid", &ret->gid, err) < 0)
        return -err->code;
    if (json_array_size(groups) > max)
        return err_set(err, EINVAL, "process.user.additionalGids has %zu groups, at most %zu work",
                       json_array_size(groups), max);
    json_array_foreach(groups, i, item)
    {
        if (!json_is_integer(item) || json_integer_value(item) < 0 ||
            json_integer_value(item) > INT32_MAX)
            return err_set(err, EINVAL, "process.user.additionalGids: entry %zu is no group id", i);
        ret->groups[ret->group_count++] = (gid_t)json_integer_value(item);
    }
    return 0;
}

static int parse_rlimit(const json_t *item, struct spec_rlimit *ret, struct err *err)
{
    const char *name = json_str(item, "type", "");

    for (size_t i = 0; i < sizeof rlimit_names / sizeof *rlimit_names; i++) {
        if (strcmp(name, rlimit_names[i].name))
            continue;
        ret->name = rlimit_names[i].name;
        ret->resource = rlimit_names[i].resource;
        /* -1 is how JSON writes RLIM_INFINITY, whose bits it has. */
        ret->value.rlim_cur = (rlim_t)json_int(item, "soft", 0);
        ret->value.rlim_max = (rlim_t)json_int(item, "hard", 0);
        if (ret->value.rlim_cur > ret->value.rlim_max)
            return err_set(err, EINVAL, "%s: the soft limit is above the hard limit", name);
        return 0;
    }
    return err_set(err, EINVAL, "process.rlimits: there is no limit '%s'", name);
}

static int parse_rlimits(const json_t *limits, struct spec_process *ret, struct err *err)
{
    const json_t *item;
    size_t i;

    json_array_foreach(limits, i, item)
    {
        if (i == sizeof ret->rlimits / sizeof *ret->rlimits)
            return err_set(err, EINVAL, "process.rlimits has too many entries");
        if (parse_rlimit(item, &ret->rlimits[i], err) < 0)
            return -err->code;
        ret->rlimit_count++;
    }
    return 0;
}

/* A NUL byte in an argument would cut it short without a word. */
static int parse_strings(const json_t *array, const char *what, struct strv *ret, struct err *err)
{
    const json_t *item;
    size_t i;

    json_array_foreach(array, i, item)
    {
        const char *text = json_string_value(item);

        if (!text || strlen(text) != json_string_length(item))
            return err_set(err, EINVAL, "%s: entry %zu is not a string without NUL bytes", what, i);
        strv_add(ret, text);
    }
    return 0;
}

static int parse_caps(const json_t *caps, struct spec_caps *ret, struct err *err)
{
    const struct {
        const char *name;
        uint64_t *set;
    } sets[] = {
        {"bounding", &ret->bounding},       {"effective", &ret->effective},
        {"inheritable", &ret->inheritable}, {"permitted", &ret->permitted},
        {"ambient", &ret->ambient},
    };

    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (caps_parse(json_at(caps, sets[i].name), sets[i].set, err) < 0)
            return err_wrap(err, "process.capabilities.%s", sets[i].name);
    return 0;
}

int spec_parse_process(const json_t *process, struct spec_process *ret, struct err *err)
{
    const json_t *oom = json_at(process, "oomScoreAdj");

    memset(ret, 0, sizeof *ret);
    ret->terminal = json_flag(process, "terminal", false);
    ret->cwd = json_str(process, "cwd", "/");
    ret->no_new_privileges = json_flag(process, "noNewPrivileges", false);
    ret->has_oom_score_adj = json_is_integer(oom);
    ret->oom_score_adj = (int)json_int(process, "oomScoreAdj", 0);
    if (*ret->cwd != '/')
        return err_set(err, EINVAL, "process.cwd '%s' is not an absolute path", ret->cwd);
    if (parse_strings(json_at(process, "args"), "process.args", &ret->args, err) < 0 ||
        parse_strings(json_at(process, "env"), "process.env", &ret->env, err) < 0 ||
        parse_user(json_at(process, "user"), ret, err) < 0 ||
        parse_rlimits(json_at(process, "rlimits"), ret, err) < 0 ||
        parse_caps(json_at(process, "capabilities"), &ret->caps, err) < 0)
        return -err->code;
    if (!ret->args.len)
        return err_set(err, EINVAL, "process.args is empty: there is nothing to run");
    return 0;
}

/* --- mounts and namespaces ----------------------------------------------------------------------
 */

static int parse_mounts(const json_t *mounts, struct spec *ret, struct err *err)
{
    const json_t *item;
    size_t i;

    ret->mounts = mem_alloc((json_array_size(mounts) + 1) * sizeof *ret->mounts);
    json_array_foreach(mounts, i, item)
    {
        struct spec_mount *mount = &ret->mounts[i];

        ret->mount_count++;
        mount->destination = json_str(item, "destination", "");
        mount->type = json_str(item, "type", NULL);
        mount->source = json_str(item, "source", NULL);
        if (*mount->destination != '/')
            return err_set(err, EINVAL, "mounts: destination '%s' is not an absolute path",
                           mount->destination);
        if (parse_strings(json_at(item, "options"), "mounts: options", &mount->options, err) < 0)
            return -err->code;
    }
    return 0;
}

static const struct spec_namespace_kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof spec_namespace_kinds / sizeof *spec_namespace_kinds; i++)
        if (!strcmp(name, spec_namespace_kinds[i].name))
            return &spec_namespace_kinds[i];
    return NULL;
}

static int parse_namespace(const json_t *item, struct spec *ret, uint64_t *seen, struct err *err)
{
    const char *name = json_str(item, "type", ""), *path = json_str(item, "path", NULL);
    const struct spec_namespace_kind *kind = find_kind(name);

    if (!kind)
        return err_set(err, EINVAL, "linux.namespaces: there is no namespace '%s'", name);
    if (*seen & kind->flag)
        return err_set(err, EINVAL, "linux.namespaces: '%s' is there twice", name);
    if (kind->flag == CLONE_NEWUSER)
        return err_set(err, ENOTSUP, "linux.namespaces: user namespaces are not supported");
    *seen |= kind->flag;
    if (path && *path)
        ret->joins[ret->join_count++] = (struct spec_join){kind->flag, path};
    else
        ret->new_namespaces |= kind->flag;
    return 0;
}

int spec_parse_namespaces(const json_t *config, struct spec *ret, struct err *err)
{
    const json_t *item, *list = json_at(config, "linux.namespaces");
    uint64_t seen = 0;
    size_t i;

    json_array_foreach(list, i,
                       item) if (parse_namespace(item, ret, &seen, err) < 0) return -err->code;
    return 0;
}

/* Members this runtime does not act on. Passing over a protection somebody asked for would be worse
 * than not running. */
static const char *const unsupported[] = {
    "hooks",
    "linux.gidMappings",
    "linux.intelRdt",
    "linux.mountLabel",
    "linux.personality",
    "linux.timeOffsets",
    "linux.uidMappings",
    "process.apparmorProfile",
    "process.execCPUAffinity",
    "process.ioPriority",
    "process.scheduler",
    "process.selinuxLabel",
};

static bool is_nothing(const json_t *value)
{
    return !value || json_is_null(value) || (json_is_string(value) && !json_string_length(value)) ||
           (json_is_object(value) && !json_object_size(value)) ||
           (json_is_array(value) && !json_array_size(value));
}

static int check_supported(const json_t *config, struct err *err)
{
    for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++)
        if (!is_nothing(json_at(config, unsupported[i])))
            return err_set(err, ENOTSUP, "'%s' is not supported: remove it", unsupported[i]);
    return 0;
}

/* What would change the host if there were no namespace of one's own. */
static int check_namespaces(const struct spec *spec, struct err *err)
{
    if (!(spec->new_namespaces & CLONE_NEWNS))
        return err_set(err, EINVAL, "linux.namespaces: a new 'mount' namespace is required");
    if (spec->hostname && !(spec->new_namespaces & CLONE_NEWUTS))
        return err_set(err, EINVAL, "hostname '%s' needs a new 'uts' namespace", spec->hostname);
    return 0;
}

int spec_parse(const json_t *config, struct spec *ret, struct err *err)
{
    memset(ret, 0, sizeof *ret);
    ret->config = config;
    ret->root_path = json_str(config, "root.path", NULL);
    ret->root_readonly = json_flag(config, "root.readonly", false);
    ret->propagation = json_str(config, "linux.rootfsPropagation", NULL);
    ret->hostname = json_str(config, "hostname", NULL);
    ret->domainname = json_str(config, "domainname", NULL);
    ret->overlay_base = spec_annotation(config, "org.cooper.overlay.base");
    ret->overlay_options = spec_annotation(config, "org.cooper.overlay.options");
    ret->seccomp = spec_annotation(config, "org.cooper.seccomp");
    ret->cgroups_path = json_str(config, "linux.cgroupsPath", NULL);
    ret->sysctl = json_at(config, "linux.sysctl");
    ret->resources = json_at(config, "linux.resources");
    ret->devices = json_at(config, "linux.devices");
    if (!ret->root_path)
        return err_set(err, EINVAL, "config.json has no root.path");
    if (check_supported(config, err) < 0 ||
        spec_parse_process(json_at(config, "process"), &ret->process, err) < 0 ||
        parse_mounts(json_at(config, "mounts"), ret, err) < 0 ||
        spec_parse_namespaces(config, ret, err) < 0 || check_namespaces(ret, err) < 0 ||
        parse_strings(json_at(config, "linux.maskedPaths"), "linux.maskedPaths", &ret->masked,
                      err) < 0 ||
        parse_strings(json_at(config, "linux.readonlyPaths"), "linux.readonlyPaths", &ret->readonly,
                      err) < 0)
        return -err->code;
    ret->process.user = spec_annotation(config, "org.cooper.user");
    return 0;
}

void spec_process_free(struct spec_process *process)
{
    strv_free(&process->args);
    strv_free(&process->env);
}

void spec_free(struct spec *spec)
{
    for (size_t i = 0; i < spec->mount_count; i++)
        strv_free(&spec->mounts[i].options);
    free(spec->mounts);
    spec_process_free(&spec->process);
    strv_free(&spec->masked);
    strv_free(&spec->readonly);
}
