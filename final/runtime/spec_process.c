/* The `process` object: who runs what, with which limits and rights. OCI config.md, "Process". */
#include "runtime/spec.h"

#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>

#include "base/cleanup.h"
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

static int parse_groups(const json_t *groups, struct spec_process *ret, struct err *err)
{
    const json_t *item;
    size_t i;

    ret->groups = mem_alloc((json_array_size(groups) + 1) * sizeof *ret->groups);
    json_array_foreach(groups, i, item)
    {
        if (!json_is_integer(item) || json_integer_value(item) < 0 ||
            json_integer_value(item) > INT32_MAX)
            return err_set(err, EINVAL, "process.user.additionalGids: entry %zu is no group id", i);
        ret->groups[ret->group_count++] = (gid_t)json_integer_value(item);
    }
    return 0;
}

/* `username` is for Windows; whom a name means here only the image knows (user.h). */
static int parse_user(const json_t *user, struct spec_process *ret, struct err *err)
{
    long long mask = json_int(user, "umask", 0022);

    if (mask < 0 || mask > 0777)
        return err_set(err, EINVAL, "process.user.umask %lld is not from 0 to 511 (0777)", mask);
    ret->umask = (mode_t)mask;
    ret->group_names = json_object_get(user, "org.cooper.groups");
    if (parse_id(user, "uid", &ret->uid, err) < 0 || parse_id(user, "gid", &ret->gid, err) < 0)
        return -err->code;
    return parse_groups(json_at(user, "additionalGids"), ret, err);
}

static int parse_rlimit(const json_t *item, struct spec_rlimit *ret, struct err *err)
{
    const char *name = json_str(item, "type", "");

    for (size_t i = 0; i < sizeof rlimit_names / sizeof *rlimit_names; i++) {
        if (strcmp(name, rlimit_names[i].name))
            continue;
        ret->name = rlimit_names[i].name;
        ret->resource = rlimit_names[i].resource;
        if (!json_is_integer(json_object_get(item, "soft")) ||
            !json_is_integer(json_object_get(item, "hard")))
            return err_set(err, EINVAL, "%s: soft and hard are not both whole numbers", name);
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
        struct spec_rlimit limit;

        if (parse_rlimit(item, &limit, err) < 0)
            return -err->code;
        for (size_t k = 0; k < ret->rlimit_count; k++)
            if (ret->rlimits[k].resource == limit.resource)
                return err_set(err, EINVAL, "process.rlimits: '%s' is there twice", limit.name);
        ret->rlimits[ret->rlimit_count++] = limit; /* so there is room for all sixteen */
    }
    return 0;
}

/* As runc since 1.1: a configuration written for a newer kernel runs on an older one. */
static void warn_of_unknown(const struct strv *unknown, struct spec_process *process)
{
    cleanup_free char *names = strv_join(unknown, " ");

    if (unknown->len)
        strv_take(&process->warnings,
                  str_format("ignoring unknown or unavailable capabilities: [%s]", names));
}

static int parse_caps(const json_t *caps, struct spec_process *process, struct err *err)
{
    struct spec_caps *ret = &process->caps;
    cleanup_strv struct strv unknown = {0};
    const struct {
        const char *name;
        uint64_t *set;
    } sets[] = {
        {"bounding", &ret->bounding},       {"effective", &ret->effective},
        {"inheritable", &ret->inheritable}, {"permitted", &ret->permitted},
        {"ambient", &ret->ambient},
    };

    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (caps_parse(json_at(caps, sets[i].name), sets[i].set, &unknown, err) < 0)
            return err_wrap(err, "process.capabilities.%s", sets[i].name);
    /* The kernel refuses others; runc's own default document has some, and runc passes them over.
     */
    ret->ambient &= ret->permitted & ret->inheritable;
    if (ret->effective & ~ret->permitted)
        return err_set(err, EPERM,
                       "process.capabilities.effective has what process.capabilities.permitted "
                       "does not have");
    warn_of_unknown(&unknown, process);
    return 0;
}

/* --- the environment -------------------------------------------------------------------------- */

static int by_name_and_place(const void *a, const void *b)
{
    char *const *x = *(char *const *const *)a, *const *y = *(char *const *const *)b;
    size_t n = strcspn(*x, "="), m = strcspn(*y, "=");
    int order = strncmp(*x, *y, n < m ? n : m);

    if (order || n != m)
        return order ? order : (n > m) - (n < m);
    return (x > y) - (x < y);
}

static bool same_name(const char *a, const char *b)
{
    size_t n = strcspn(a, "=");

    return n == strcspn(b, "=") && !strncmp(a, b, n);
}

/* Of a name that is there more than once the last counts. Programs differ in which one they would
 * take, so a program gets only that. */
static void drop_repeated(struct strv *env)
{
    char ***sorted = mem_alloc((env->len + 1) * sizeof *sorted);
    size_t kept = 0;

    for (size_t i = 0; i < env->len; i++)
        sorted[i] = &env->items[i];
    qsort(sorted, env->len, sizeof *sorted, by_name_and_place);
    for (size_t i = 0; i + 1 < env->len; i++)
        if (same_name(*sorted[i], *sorted[i + 1])) {
            free(*sorted[i]);
            *sorted[i] = NULL; /* its neighbour of the same name comes later in `env` */
        }
    for (size_t i = 0; i < env->len; i++)
        if (env->items[i])
            env->items[kept++] = env->items[i];
    if (env->items)
        env->items[kept] = NULL;
    env->len = kept;
    free(sorted);
}

static int parse_env(const json_t *list, struct strv *ret, struct err *err)
{
    if (spec_strings(list, "process.env", ret, err) < 0)
        return -err->code;
    for (size_t i = 0; i < ret->len; i++) {
        if (!strchr(ret->items[i], '='))
            return err_set(err, EINVAL, "invalid environment variable '%.100s': missing '='",
                           ret->items[i]);
        if (*ret->items[i] == '=')
            return err_set(err, EINVAL,
                           "invalid environment variable '%.100s': name cannot be "
                           "empty",
                           ret->items[i]);
    }
    drop_repeated(ret);
    return 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

static int parse_args(const json_t *process, struct strv *ret, struct err *err)
{
    if (spec_strings(json_at(process, "args"), "process.args", ret, err) < 0)
        return -err->code;
    if (ret->len)
        return 0;
    return err_set(err, EINVAL, "process.args is empty: there is nothing to run%s",
                   json_at(process, "commandLine") ? " (process.commandLine is for Windows)" : "");
}

/* OCI config-linux.md, "Personality": no flags so far. */
static int parse_personality(const json_t *json, long *ret, struct err *err)
{
    const char *domain = json_str(json, "domain", "");

    *ret = -1;
    if (!json_is_object(json))
        return 0;
    if (json_array_size(json_at(json, "flags")))
        return err_set(err, ENOTSUP, "'linux.personality.flags' is not supported: remove it");
    if (strcmp(domain, "LINUX") && strcmp(domain, "LINUX32"))
        return err_set(err, EINVAL,
                       "linux.personality.domain: there is no '%s': known are LINUX "
                       "and LINUX32",
                       domain);
    *ret = strcmp(domain, "LINUX") ? PER_LINUX32 : PER_LINUX;
    return 0;
}

static int check_range(const json_t *process, const char *member, long long low, long long high,
                       struct err *err)
{
    long long value = json_int(process, member, 0);

    return value >= low && value <= high
               ? 0
               : err_set(err, EINVAL, "process.%s %lld is not from %lld to %lld", member, value,
                         low, high);
}

/* What is narrower than JSON's numbers must not lose its upper half. */
static int check_ranges(const json_t *process, struct err *err)
{
    return check_range(process, "oomScoreAdj", -1000, 1000, err) < 0 ||
                   check_range(process, "consoleSize.height", 0, UINT16_MAX, err) < 0 ||
                   check_range(process, "consoleSize.width", 0, UINT16_MAX, err) < 0
               ? -err->code
               : 0;
}

static void parse_scalars(const json_t *process, struct spec_process *ret)
{
    const json_t *size = json_at(process, "consoleSize");

    ret->terminal = json_flag(process, "terminal", false);
    ret->rows = (unsigned short)json_int(size, "height", 0);
    ret->columns = (unsigned short)json_int(size, "width", 0);
    ret->cwd = json_str(process, "cwd", "/");
    ret->no_new_privileges = json_flag(process, "noNewPrivileges", false);
    ret->has_oom_score_adj = json_is_integer(json_at(process, "oomScoreAdj"));
    ret->oom_score_adj = (int)json_int(process, "oomScoreAdj", 0);
    ret->apparmor_profile = json_str(process, "apparmorProfile", NULL);
    ret->selinux_label = json_str(process, "selinuxLabel", NULL);
}

int spec_parse_process(const json_t *process, const json_t *config, struct spec_process *ret,
                       struct err *err)
{
    memset(ret, 0, sizeof *ret);
    if (spec_check_types(process, "process.", err) < 0 || check_ranges(process, err) < 0)
        return -err->code;
    parse_scalars(process, ret);
    if (*ret->cwd != '/')
        return err_set(err, EINVAL, "process.cwd '%s' is not an absolute path", ret->cwd);
    if (parse_args(process, &ret->args, err) < 0 ||
        parse_env(json_at(process, "env"), &ret->env, err) < 0 ||
        parse_user(json_at(process, "user"), ret, err) < 0 ||
        parse_rlimits(json_at(process, "rlimits"), ret, err) < 0 ||
        parse_caps(json_at(process, "capabilities"), ret, err) < 0 ||
        scheduling_parse(process, &ret->scheduling, err) < 0 ||
        scheduling_parse_memory(json_at(config, "linux.memoryPolicy"), &ret->scheduling, err) < 0)
        return -err->code;
    return parse_personality(json_at(config, "linux.personality"), &ret->personality, err);
}

void spec_process_free(struct spec_process *process)
{
    strv_free(&process->args);
    strv_free(&process->env);
    strv_free(&process->warnings);
    free(process->groups);
}
