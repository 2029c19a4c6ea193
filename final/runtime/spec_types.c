/* Of what JSON type the members are. The getters of base/json.h take a member of another type for
 * one that is absent, which is convenient and would make "uid": "1000" root. */
#include <string.h>

#include "base/json.h"
#include "runtime/spec_parts.h"

enum type { OBJECT, ARRAY, STRING, NUMBER, BOOLEAN };

static const char *const type_names[] = {"an object", "an array", "a string", "a whole number",
                                         "true or false"};

static const struct {
    const char *path;
    enum type type;
} members[] = {
    {"ociVersion", STRING},
    {"hostname", STRING},
    {"domainname", STRING},
    {"root", OBJECT},
    {"root.path", STRING},
    {"root.readonly", BOOLEAN},
    {"mounts", ARRAY},
    {"hooks", OBJECT},
    {"hooks.prestart", ARRAY},
    {"hooks.createRuntime", ARRAY},
    {"hooks.createContainer", ARRAY},
    {"hooks.startContainer", ARRAY},
    {"hooks.poststart", ARRAY},
    {"hooks.poststop", ARRAY},
    {"annotations", OBJECT},
    {"process", OBJECT},
    {"process.terminal", BOOLEAN},
    {"process.consoleSize", OBJECT},
    {"process.consoleSize.height", NUMBER},
    {"process.consoleSize.width", NUMBER},
    {"process.user", OBJECT},
    {"process.user.uid", NUMBER},
    {"process.user.gid", NUMBER},
    {"process.user.umask", NUMBER},
    {"process.user.additionalGids", ARRAY},
    {"process.args", ARRAY},
    {"process.env", ARRAY},
    {"process.cwd", STRING},
    {"process.capabilities", OBJECT},
    {"process.capabilities.bounding", ARRAY},
    {"process.capabilities.effective", ARRAY},
    {"process.capabilities.inheritable", ARRAY},
    {"process.capabilities.permitted", ARRAY},
    {"process.capabilities.ambient", ARRAY},
    {"process.rlimits", ARRAY},
    {"process.noNewPrivileges", BOOLEAN},
    {"process.oomScoreAdj", NUMBER},
    {"process.apparmorProfile", STRING},
    {"process.selinuxLabel", STRING},
    {"process.scheduler", OBJECT},
    {"process.scheduler.policy", STRING},
    {"process.scheduler.nice", NUMBER},
    {"process.scheduler.priority", NUMBER},
    {"process.scheduler.flags", ARRAY},
    {"process.scheduler.runtime", NUMBER},
    {"process.scheduler.deadline", NUMBER},
    {"process.scheduler.period", NUMBER},
    {"process.ioPriority", OBJECT},
    {"process.ioPriority.class", STRING},
    {"process.ioPriority.priority", NUMBER},
    {"process.execCPUAffinity", OBJECT},
    {"process.execCPUAffinity.initial", STRING},
    {"process.execCPUAffinity.final", STRING},
    {"linux", OBJECT},
    {"linux.namespaces", ARRAY},
    {"linux.uidMappings", ARRAY},
    {"linux.gidMappings", ARRAY},
    {"linux.timeOffsets", OBJECT},
    {"linux.timeOffsets.monotonic", OBJECT},
    {"linux.timeOffsets.monotonic.secs", NUMBER},
    {"linux.timeOffsets.monotonic.nanosecs", NUMBER},
    {"linux.timeOffsets.boottime", OBJECT},
    {"linux.timeOffsets.boottime.secs", NUMBER},
    {"linux.timeOffsets.boottime.nanosecs", NUMBER},
    {"linux.devices", ARRAY},
    {"linux.netDevices", OBJECT},
    {"linux.cgroupsPath", STRING},
    {"linux.resources", OBJECT},
    {"linux.rootfsPropagation", STRING},
    {"linux.sysctl", OBJECT},
    {"linux.maskedPaths", ARRAY},
    {"linux.readonlyPaths", ARRAY},
    {"linux.mountLabel", STRING},
    {"linux.personality", OBJECT},
    {"linux.personality.domain", STRING},
    {"linux.personality.flags", ARRAY},
    {"linux.memoryPolicy", OBJECT},
    {"linux.memoryPolicy.mode", STRING},
    {"linux.memoryPolicy.nodes", STRING},
    {"linux.memoryPolicy.flags", ARRAY},
    {"linux.intelRdt", OBJECT},
    {"linux.intelRdt.closID", STRING},
    {"linux.intelRdt.schemata", ARRAY},
    {"linux.intelRdt.l3CacheSchema", STRING},
    {"linux.intelRdt.memBwSchema", STRING},
    {"linux.intelRdt.enableMonitoring", BOOLEAN},
    {"linux.seccomp", OBJECT},
    {"linux.seccomp.defaultAction", STRING},
    {"linux.seccomp.defaultErrnoRet", NUMBER},
    {"linux.seccomp.architectures", ARRAY},
    {"linux.seccomp.flags", ARRAY},
    {"linux.seccomp.listenerPath", STRING},
    {"linux.seccomp.listenerMetadata", STRING},
    {"linux.seccomp.syscalls", ARRAY},
};

static bool is_of(const json_t *value, enum type type)
{
    switch (type) {
    case OBJECT:
        return json_is_object(value);
    case ARRAY:
        return json_is_array(value);
    case STRING:
        return json_is_string(value);
    case NUMBER:
        return json_is_integer(value);
    default:
        return json_is_boolean(value);
    }
}

/* Parents come before their members: a member of something that is no object is never looked for.
 */
int spec_check_types(const json_t *json, const char *prefix, struct err *err)
{
    size_t skip = strlen(prefix);

    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const json_t *value;

        if (strncmp(members[i].path, prefix, skip))
            continue;
        value = json_at(json, members[i].path + skip);
        if (value && !json_is_null(value) && !is_of(value, members[i].type))
            return err_set(err, EINVAL, "%s is not %s", members[i].path,
                           type_names[members[i].type]);
    }
    return 0;
}
