/* spec.c - docker's words for a container, translated into the OCI runtime spec's. The result is
 * containers/<id>/config.json: what cooper-shim runs, and what another runtime could. */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/proc.h"
#include "engine/mounts.h"
#include "engine/network.h"

#define PATH_DEFAULT "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static bool env_has(const json_t *env, const char *key)
{
    size_t i, n = strlen(key);
    json_t *item;

    json_array_foreach(env, i, item) if (!strncmp(json_string_value(item), key, n) &&
                                         json_string_value(item)[n] == '=') return true;
    return false;
}

static bool is_path(const json_t *variable)
{
    return str_starts(json_string_value(variable), "PATH=");
}

/* docker's order: PATH, what the engine knows, the rest. HOME is added by the runtime, which reads
 * the image's passwd. */
static json_t *environment(const struct spec_input *in)
{
    json_t *env = json_array(), *given = json_object_get(in->config, "Env"), *item;
    cleanup_free char *hostname = str_format("HOSTNAME=%s", json_str(in->config, "Hostname", ""));
    size_t i;

    json_array_foreach(given, i, item) if (is_path(item)) json_array_append(env, item);
    if (!json_array_size(env))
        json_push(env, json_string(PATH_DEFAULT));
    if (!env_has(given, "HOSTNAME"))
        json_push(env, json_string(hostname));
    if (json_flag(in->config, "Tty", false) && !env_has(given, "TERM"))
        json_push(env, json_string("TERM=xterm"));
    json_array_foreach(given, i, item) if (!is_path(item)) json_array_append(env, item);
    return env;
}

static json_t *capabilities(const struct security *security)
{
    static const char *const sets[] = {"bounding", "effective", "permitted"};
    json_t *caps = json_object();

    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        json_put(caps, sets[i], json_from_strings(&security->caps));
    return caps;
}

/* Docker's Ulimits [{Name,Soft,Hard}] as OCI rlimits. */
static json_t *rlimits(const json_t *host)
{
    json_t *list = json_array(), *item;
    size_t i;

    json_array_foreach(json_object_get(host, "Ulimits"), i, item)
    {
        cleanup_free char *name = str_format("RLIMIT_%s", json_str(item, "Name", ""));
        json_t *limit = json_object();

        for (char *p = name; *p; p++)
            if (*p >= 'a' && *p <= 'z')
                *p = (char)(*p - 32);
        json_put_str(limit, "type", name);
        json_put(limit, "soft", json_integer(json_int(item, "Soft", 0)));
        json_put(limit, "hard", json_integer(json_int(item, "Hard", 0)));
        json_push(list, limit);
    }
    return list;
}

static json_t *process_section(const struct spec_input *in)
{
    json_t *process = json_object(), *user = json_object();
    const char *workdir = json_str(in->config, "WorkingDir", "");

    json_put(user, "uid", json_integer(0));
    json_put(user, "gid", json_integer(0));
    if (json_array_size(
            json_object_get(in->host, "GroupAdd"))) /* names: only the image knows them */
        json_object_set(user, "org.cooper.groups", json_object_get(in->host, "GroupAdd"));
    json_put(process, "terminal", json_boolean(json_flag(in->config, "Tty", false)));
    json_put(process, "user", user);
    json_put(process, "args", json_from_strings(in->argv));
    json_put(process, "env", environment(in));
    json_put_str(process, "cwd", *workdir ? workdir : "/");
    json_put(process, "capabilities", capabilities(in->security));
    json_put(process, "rlimits", rlimits(in->host));
    json_put(process, "noNewPrivileges", json_boolean(in->security->no_new_privileges));
    json_put(process, "oomScoreAdj", json_integer(json_int(in->host, "OomScoreAdj", 0)));
    return process;
}

static json_t *namespaces(const json_t *host)
{
    static const struct {
        const char *type, *member;
    } kinds[] = {{"mount", ""},      {"pid", "PidMode"},         {"uts", "UTSMode"},
                 {"ipc", "IpcMode"}, {"network", "NetworkMode"}, {"cgroup", "CgroupnsMode"}};
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        json_t *namespace;

        if (!strcmp(json_str(host, kinds[i].member, ""), "host"))
            continue;
        namespace = json_object();
        json_put_str(namespace, "type", kinds[i].type);
        json_push(list, namespace);
    }
    return list;
}

static const char *const masked[] = {
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
    "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
    "/proc/timer_stats", "/sys/firmware", "/sys/devices/virtual/powercap", "/sys/fs/selinux",
    "/sys/dev/block",
    /* beyond docker's list: root in the container could read the host's memory layout and slabs
       here */
    "/proc/kpagecount", "/proc/kpageflags", "/proc/kpagecgroup", "/proc/slabinfo",
    "/proc/vmallocinfo", "/proc/pagetypeinfo", "/proc/iomem", "/proc/ioports"};
static const char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                        "/proc/sysrq-trigger"};

static json_t *paths(const char *const *list, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        json_push(array, json_string(list[i]));
    return array;
}

static void add_thermal_throttle(json_t *masked_paths)
{
    long cpus = sysconf(_SC_NPROCESSORS_CONF);

    for (long cpu = 0; cpu < cpus; cpu++) {
        char path[96];

        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%ld/thermal_throttle", cpu);
        if (!access(path, F_OK))
            json_push(masked_paths, json_string(path));
    }
}

/* docker's: in a network of its own a container's user may listen on any port, and ping. */
static json_t *sysctls(const json_t *host)
{
    static const char *const presets[][2] = {{"net.ipv4.ip_unprivileged_port_start", "0"},
                                             {"net.ipv4.ping_group_range", "0 2147483647"}};
    const json_t *given = json_object_get(host, "Sysctls");
    json_t *list = json_is_object(given) ? json_deep_copy(given) : json_object();
    const char *mode = json_str(host, "NetworkMode", "");

    for (size_t i = 0; i < 2 && strcmp(mode, "host") && !str_starts(mode, "container:"); i++)
        if (!json_object_get(list, presets[i][0]))
            json_put_str(list, presets[i][0], presets[i][1]);
    return list;
}

static int linux_section(const struct spec_input *in, json_t *linux_object, struct err *err)
{
    json_t *masked_paths;
    cleanup_free char *cgroup = container_cgroup(in->host, in->id);

    json_put(linux_object, "namespaces", namespaces(in->host));
    json_put_str(linux_object, "cgroupsPath", cgroup);
    json_put(linux_object, "resources", limits_resources(in->host));
    json_put(linux_object, "sysctl", sysctls(in->host));
    if (mounts_root_propagation(in->mounts))
        json_put_str(linux_object, "rootfsPropagation", mounts_root_propagation(in->mounts));
    if (!in->security->unmasked) {
        masked_paths = paths(masked, sizeof masked / sizeof *masked);
        add_thermal_throttle(masked_paths);
        json_put(linux_object, "maskedPaths", masked_paths);
        json_put(linux_object, "readonlyPaths",
                 paths(read_only, sizeof read_only / sizeof *read_only));
    }
    return devices_add(linux_object, in->host, err);
}

static json_t *annotations(const struct spec_input *in)
{
    json_t *list = json_object();
    const char *user = json_str(in->config, "User", "");

    json_put_str(list, "org.cooper.overlay.base", in->layers);
    json_put_str(list, "org.cooper.overlay.options", in->overlay_options);
    json_put_str(list, "org.cooper.user", *user ? user : "0");
    if (in->seccomp)
        json_put_str(list, "org.cooper.seccomp", in->seccomp);
    json_object_update_missing(list, json_object_get(in->host, "Annotations"));
    return list;
}

static int fill(const struct spec_input *in, json_t *spec, struct err *err)
{
    json_t *root = json_object(), *mounts = json_array(), *linux_object = json_object();

    json_put_str(spec, "ociVersion", "1.2.0");
    json_put(spec, "process", process_section(in));
    json_put_str(root, "path", "merged");
    json_put(root, "readonly", json_boolean(json_flag(in->host, "ReadonlyRootfs", false)));
    json_put(spec, "root", root);
    if (strcmp(json_str(in->host, "UTSMode", ""), "host"))
        json_put_str(spec, "hostname", json_str(in->config, "Hostname", ""));
    if (*json_str(in->config, "Domainname", ""))
        json_put_str(spec, "domainname", json_str(in->config, "Domainname", ""));
    json_put(spec, "mounts", mounts);
    json_put(spec, "linux", linux_object);
    json_put(spec, "annotations", annotations(in));
    if (spec_add_mounts(in, mounts, json_at(spec, "process.args"), err) < 0)
        return -err->code;
    return linux_section(in, linux_object, err);
}

json_t *spec_build(const struct spec_input *in, struct err *err)
{
    json_t *spec = json_object();

    if (fill(in, spec, err) < 0) {
        json_decref(spec);
        return NULL;
    }
    return spec;
}
