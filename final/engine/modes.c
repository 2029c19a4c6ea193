/* modes.c - --pid, --ipc, --uts, --userns, --cgroupns: whose namespaces a container lives in.
 *
 * Another container's namespaces are opened when the container starts, from the /proc of that one's
 * init; the descriptors go to the shim. A container that was started again has other ones. */
#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/internal.h"

#define CONTAINER "container:"

static const char *container_of(const char *mode)
{
    return str_starts(mode, CONTAINER) && mode[strlen(CONTAINER)] ? mode + strlen(CONTAINER) : NULL;
}

bool ipc_is_shared(const char *mode)
{
    return !strcmp(mode, "shareable") || container_of(mode);
}

static bool one_of(const char *mode, const char *const *words)
{
    while (*words && strcmp(*words, mode))
        words++;
    return *words != NULL;
}

/* "container:web" -> "container:<id>": a name may go to another container later. */
static int resolve(struct engine *e, json_t *host, const char *member, struct err *err)
{
    const char *name = container_of(json_str(host, member, ""));
    cleanup_free char *mode = NULL;
    struct container other;

    if (!name)
        return 0;
    if (engine_find(e, name, &other, err) < 0)
        return -err->code;
    mode = str_format(CONTAINER "%s", other.id);
    container_free(&other);
    json_put_str(host, member, mode);
    return 0;
}

static const struct {
    const char *member, *error;
    const char *words[6];
    bool container; /* "container:NAME" too */
} modes[] = {
    {"PidMode", "invalid PID mode: ", {"", "host", NULL}, true},
    {"IpcMode", "Invalid IPC mode: ", {"", "none", "private", "shareable", "host", NULL}, true},
    {"UTSMode", "invalid UTS mode: ", {"", "host", NULL}, false},
    {"UsernsMode", "invalid userns mode: ", {"", "host", NULL}, false},
    {"CgroupnsMode", "invalid cgroup namespace mode: ", {"", "private", "host", NULL}, false},
};

/* Below the root of the hierarchies and nowhere else. */
static int check_parent(json_t *host, struct err *err)
{
    const char *parent = json_str(host, "CgroupParent", "");
    cleanup_strv struct strv parts = {0};

    strv_split(&parts, parent, '/');
    for (size_t i = 0; i < parts.len; i++)
        if (!strcmp(parts.items[i], "..") || !strcmp(parts.items[i], ".") ||
            (!*parts.items[i] && i))
            return err_set(err, EINVAL, "invalid cgroup parent '%s': it must be a plain path",
                           parent);
    return 0;
}

int modes_check(struct engine *e, const json_t *config, json_t *host, struct err *err)
{
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        const char *mode = json_str(host, modes[i].member, "");

        if (!one_of(mode, modes[i].words) && !(modes[i].container && container_of(mode)))
            return err_set(err, EINVAL, "%s%s", modes[i].error, mode);
        if (resolve(e, host, modes[i].member, err) < 0)
            return -err->code;
    }
    if (!strcmp(json_str(host, "UTSMode", ""), "host") && *json_str(config, "Hostname", ""))
        return err_set(err, EINVAL, "conflicting options: hostname and the UTS mode");
    return check_parent(host, err);
}

/* --- at a start
 * --------------------------------------------------------------------------------- */

static int open_of(const struct container *other, const char *file, struct err *err)
{
    cleanup_free char *path = str_format("/proc/%d/ns/%s", (int)other->init.pid, file);
    cleanup_close int fd = -1;

    if (container_check_runs(other, err) < 0) {
        if (err->code == ESRCH)
            return err_set(err, ESRCH, "container %s is not running", other->id);
        return -err->code;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || !proc_alive(&other->init))
        return err_set(err, ESRCH, "container %s is not running", other->id);
    return steal_fd(&fd);
}

/* Its /dev/shm must be one that can be shared, too. */
static int check_shareable(const struct container *other, struct err *err)
{
    const char *mode = json_str(other->config, "HostConfig.IpcMode", "");

    if (!strcmp(mode, "shareable") || !strcmp(mode, "host"))
        return 0;
    return err_set(err, EINVAL,
                   "non-shareable IPC (hint: use IpcMode:shareable for the donor container)");
}

static int join(struct engine *e, const char *id, const char *type, const char *file,
                struct joins *joins, struct err *err)
{
    bool ipc = !strcmp(type, "ipc");
    struct container other;
    int fd, r = engine_find(e, id, &other, err);

    if (r < 0)
        return r;
    fd = ipc ? check_shareable(&other, err) : 0;
    if (!fd)
        fd = open_of(&other, file, err);
    if (fd < 0 && ipc)
        err_wrap(err, "can't join IPC of container %s", other.id);
    container_free(&other);
    if (fd < 0)
        return fd;
    joins->types[joins->count] = type;
    joins->fds[joins->count++] = fd;
    return 0;
}

int modes_open(struct engine *e, const struct container *c, struct joins *joins, struct err *err)
{
    const char *pid = container_of(json_str(c->config, "HostConfig.PidMode", ""));
    const char *ipc = container_of(json_str(c->config, "HostConfig.IpcMode", ""));
    int r = ipc ? join(e, ipc, "ipc", "ipc", joins, err) : 0;

    return r < 0 || !pid ? r : join(e, pid, "pid", "pid", joins, err);
}

void joins_close(struct joins *joins)
{
    for (size_t i = 0; i < joins->count; i++)
        close(joins->fds[i]);
    joins->count = 0;
}
