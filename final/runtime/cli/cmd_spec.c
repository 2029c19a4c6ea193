/* spec: a config.json to begin with. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "runtime/cli/commands.h"
#include "runtime/runtime.h"

static const struct flag spec_flags[] = {
    {'b', "bundle", FLAG_TEXT, ".", "path to the root of the bundle directory"},
    {'f', "file", FLAG_TEXT, "config.json", "name of the file"},
    {0, "rootless", FLAG_BOOL, NULL, "generate a configuration for a rootless container"},
    FLAGS_END,
};

/* runc's starter in meaning: a shell at a terminal, three capabilities, a read-only root, and the
 * paths below /proc and /sys that everybody hides; more of them than runc (docker's newest list).
 */
static const char starter[] =
    "{'ociVersion': '1.2.0',"
    " 'process': {"
    "  'terminal': true, 'user': {'uid': 0, 'gid': 0}, 'args': ['sh'],"
    "  'env': ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'],"
    "  'cwd': '/',"
    "  'capabilities': {"
    "   'bounding': ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'],"
    "   'effective': ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'],"
    "   'permitted': ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE']},"
    "  'rlimits': [{'type': 'RLIMIT_NOFILE', 'hard': 1024, 'soft': 1024}],"
    "  'noNewPrivileges': true},"
    " 'root': {'path': 'rootfs', 'readonly': true},"
    " 'hostname': 'cooper',"
    " 'mounts': ["
    "  {'destination': '/proc', 'type': 'proc', 'source': 'proc'},"
    "  {'destination': '/dev', 'type': 'tmpfs', 'source': 'tmpfs',"
    "   'options': ['nosuid', 'strictatime', 'mode=755', 'size=65536k']},"
    "  {'destination': '/dev/pts', 'type': 'devpts', 'source': 'devpts', 'options':"
    "   ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5']},"
    "  {'destination': '/dev/shm', 'type': 'tmpfs', 'source': 'shm',"
    "   'options': ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k']},"
    "  {'destination': '/dev/mqueue', 'type': 'mqueue', 'source': 'mqueue',"
    "   'options': ['nosuid', 'noexec', 'nodev']},"
    "  {'destination': '/sys', 'type': 'sysfs', 'source': 'sysfs',"
    "   'options': ['nosuid', 'noexec', 'nodev', 'ro']},"
    "  {'destination': '/sys/fs/cgroup', 'type': 'cgroup', 'source': 'cgroup',"
    "   'options': ['nosuid', 'noexec', 'nodev', 'relatime', 'ro']}],"
    " 'linux': {"
    "  'resources': {'devices': [{'allow': false, 'access': 'rwm'}]},"
    "  'namespaces': [{'type': 'pid'}, {'type': 'network'}, {'type': 'ipc'}, {'type': 'uts'},"
    "   {'type': 'mount'}, {'type': 'cgroup'}],"
    "  'maskedPaths': ['/proc/acpi', '/proc/asound', '/proc/interrupts', '/proc/kcore',"
    "   '/proc/keys', '/proc/latency_stats', '/proc/timer_list', '/proc/timer_stats',"
    "   '/proc/sched_debug', '/proc/scsi', '/sys/firmware', '/sys/devices/virtual/powercap'],"
    "  'readonlyPaths': ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys',"
    "   '/proc/sysrq-trigger']}}";

/* Written with quotes that need no escaping. */
static json_t *load_starter(struct err *err)
{
    cleanup_free char *text = str_copy(starter);

    for (char *p = text; *p; p++)
        if (*p == '\'')
            *p = '"';
    return json_parse(text, strlen(text), "the starter", err);
}

/* --- for an ordinary user --------------------------------------------------------------------- */

/* A group of the host's that is not mapped cannot own anything. */
static void drop_owners(json_t *options)
{
    for (size_t i = json_array_size(options); i-- > 0;) {
        const char *word = json_string_value(json_array_get(options, i));

        if (str_starts(word, "gid=") || str_starts(word, "uid="))
            json_array_remove(options, i);
    }
}

/* sysfs belongs to who owns the network namespace, and that stays the host's: bound instead. */
static json_t *bound_sys(void)
{
    return json_pack("{s:s,s:s,s:s,s:[s,s,s,s,s]}", "destination", "/sys", "type", "none", "source",
                     "/sys", "options", "rbind", "nosuid", "noexec", "nodev", "ro");
}

static json_t *one_id(unsigned id)
{
    return json_pack("[{s:i,s:I,s:i}]", "containerID", 0, "hostID", (json_int_t)id, "size", 1);
}

/* One user, the caller, who is root inside; the host's network; no limits, which would need a group
 * delegated by root. */
static void make_rootless(json_t *spec)
{
    json_t *linux_part = json_object_get(spec, "linux"), *mounts = json_object_get(spec, "mounts");
    json_t *namespaces = json_object_get(linux_part, "namespaces");

    for (size_t i = json_array_size(namespaces); i-- > 0;)
        if (!strcmp(json_str(json_array_get(namespaces, i), "type", ""), "network"))
            json_array_remove(namespaces, i);
    json_push(namespaces, json_pack("{s:s}", "type", "user"));
    json_put(linux_part, "uidMappings", one_id(geteuid()));
    json_put(linux_part, "gidMappings", one_id(getegid()));
    json_object_del(linux_part, "resources");
    for (size_t i = json_array_size(mounts); i-- > 0;) {
        json_t *mount = json_array_get(mounts, i);
        const char *destination = json_str(mount, "destination", "");

        drop_owners(json_object_get(mount, "options"));
        if (!strcmp(destination, "/sys"))
            json_array_set_new(mounts, i, bound_sys());
        else if (!strcmp(destination, "/sys/fs/cgroup"))
            json_array_remove(mounts, i);
    }
}

static int store(const struct args *args, const json_t *spec, struct err *err)
{
    const char *name = args_text(args, "file");
    cleanup_free char *text = json_text(spec, JSON_INDENT(4));
    cleanup_free char *line = str_format("%s\n", text);
    cleanup_close int dir = open(args_text(args, "bundle"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0)
        return err_errno(err, "bundle '%s'", args_text(args, "bundle"));
    if (file_create(dir, name, line, strlen(line), 0644, err) == -EEXIST)
        return err_set(err, EEXIST, "File %s exists. Remove it first", name);
    return -err->code;
}

static int cmd_spec(struct cli *cli)
{
    struct err err = {0};
    cleanup_json json_t *spec = load_starter(&err);

    if (spec && args_flag(&cli->args, "rootless"))
        make_rootless(spec);
    return !spec || store(&cli->args, spec, &err) < 0 ? cli_fail(NULL, &err) : 0;
}

const struct command command_spec = {
    .name = "spec",
    .arguments = "",
    .summary = "create a new specification file",
    .details = "   Writes a config.json to be edited: it runs \"sh\" at a terminal in the "
               "directory \"rootfs\"\n"
               "   beside it.\n",
    .flags = spec_flags,
    .max = 0,
    .run = cmd_spec,
};
