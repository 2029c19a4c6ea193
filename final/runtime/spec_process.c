/* The `process` object: who runs what, with which limits and rights. OCI config.md, "Process". */
#include "runtime/spec.h"

#include <string.h>

#include "base/json.h"
#include "runtime/caps.h"
#include "runtime/spec_parts.h"

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
    /* The kernel refuses others; runc's own default document has some, and runc passes them over. */
    ret->ambient &= ret->permitted & ret->inheritable;
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
    if (spec_strings(json_at(process, "args"), "process.args", &ret->args, err) < 0 ||
        spec_strings(json_at(process, "env"), "process.env", &ret->env, err) < 0 ||
        parse_user(json_at(process, "user"), ret, err) < 0 ||
        parse_rlimits(json_at(process, "rlimits"), ret, err) < 0 ||
        parse_caps(json_at(process, "capabilities"), &ret->caps, err) < 0)
        return -err->code;
    if (!ret->args.len)
        return err_set(err, EINVAL, "process.args is empty: there is nothing to run");
    return 0;
}

void spec_process_free(struct spec_process *process)
{
    strv_free(&process->args);
    strv_free(&process->env);
}
