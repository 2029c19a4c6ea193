/* spec_mounts.c - what is mounted in a container: what every container has, the user's mounts, and
 * the files that tell it its name and its network. */
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/proc.h"
#include "engine/mounts.h"
#include "engine/network.h"

#define SHM_DEFAULT (64LL << 20)

long long shm_size(const json_t *host)
{
    long long size = json_int(host, "ShmSize", 0);

    return size > 0 ? size : SHM_DEFAULT;
}

static json_t *mount_entry(const char *destination, const char *type, const char *source,
                           const char *options)
{
    cleanup_strv struct strv list = {0};
    json_t *mount = json_object();

    strv_split(&list, options, ',');
    json_put_str(mount, "destination", destination);
    json_put_str(mount, "type", type);
    json_put_str(mount, "source", source);
    json_put(mount, "options", json_from_strings(&list));
    return mount;
}

static const struct {
    const char *destination, *type, *source, *options;
} default_mounts[] = {
    {"/proc", "proc", "proc", "nosuid,noexec,nodev"},
    {"/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"},
    {"/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"},
    {"/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"},
    {"/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,ro"},
    {"/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"},
};

static const char *writable_options(const char *options, bool privileged, char *room, size_t size)
{
    size_t n = strlen(options);

    if (!privileged || n < 3 || strcmp(options + n - 3, ",ro"))
        return options;
    snprintf(room, size, "%.*s", (int)(n - 3), options);
    return room;
}

static bool user_mounts(const struct mount_list *list, const char *destination)
{
    for (size_t i = 0; i < list->len; i++)
        if (!strcmp(list->items[i].destination, destination))
            return true;
    return false;
}

/* The host's message queues belong to its ipc namespace, which such a container shares. */
static bool is_host_mqueue(const struct spec_input *in, const char *destination)
{
    return !strcmp(destination, "/dev/mqueue") &&
           !strcmp(json_str(in->host, "IpcMode", ""), "host") && !access("/dev/mqueue", F_OK);
}

static void add_default_mounts(json_t *mounts, const struct spec_input *in)
{
    char options[128];

    for (size_t i = 0; i < sizeof default_mounts / sizeof *default_mounts; i++)
        if (is_host_mqueue(in, default_mounts[i].destination))
            json_push(mounts, mount_entry("/dev/mqueue", "bind", "/dev/mqueue", "rbind"));
        else if (!user_mounts(in->mounts, default_mounts[i].destination))
            json_push(mounts, mount_entry(default_mounts[i].destination, default_mounts[i].type,
                                          default_mounts[i].source,
                                          writable_options(default_mounts[i].options,
                                                           in->security->privileged, options,
                                                           sizeof options)));
}

/* Shared memory goes with the ipc namespace: a tmpfs that vanishes with the container; for those
 * that are shared, one the shim makes in the container's run directory; another's, or the host's.
 */
static void add_shm(json_t *mounts, const struct spec_input *in)
{
    static const char bind_options[] = "rbind,nosuid,noexec,nodev";
    const char *mode = json_str(in->host, "IpcMode", "");
    const char *owner = str_starts(mode, "container:") ? mode + strlen("container:") : in->id;
    cleanup_free char *shared = str_format("%s/%s/shm", in->run, owner);
    cleanup_free char *options =
        str_format("nosuid,noexec,nodev,mode=1777,size=%lld", shm_size(in->host));

    if (!strcmp(mode, "none"))
        return;
    if (!strcmp(mode, "host"))
        json_push(mounts, mount_entry("/dev/shm", "bind", "/dev/shm", "rbind"));
    else if (ipc_is_shared(mode))
        json_push(mounts, mount_entry("/dev/shm", "bind", shared, bind_options));
    else
        json_push(mounts, mount_entry("/dev/shm", "tmpfs", "shm", options));
}

static void add_host_files(json_t *mounts, const struct spec_input *in)
{
    static const char *const files[] = {"resolv.conf", "hostname", "hosts"};
    const char *options =
        json_flag(in->host, "ReadonlyRootfs", false) ? "rbind,rprivate,ro" : "rbind,rprivate";
    const char *other = network_of_container(in->host); /* who shares a network shares its names */
    cleanup_free char *dir =
        other ? str_format("%.*s%s", (int)(strlen(in->dir) - strlen(in->id)), in->dir, other)
              : str_copy(in->dir);

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        cleanup_free char *destination = str_format("/etc/%s", files[i]);
        cleanup_free char *source = str_format("%s/%s", dir, files[i]);

        if (!user_mounts(in->mounts, destination))
            json_push(mounts, mount_entry(destination, "bind", source, options));
    }
}

/* An image is a tree of its own: its layers, read-only. */
static json_t *image_entry(const struct mount_point *m)
{
    static const char trusted[] = "ro,redirect_dir=nofollow,metacopy=off,index=off";
    bool one = !strchr(m->layers, ':');
    json_t *entry = mount_entry(m->destination, one ? "bind" : "overlay", one ? m->layers : "image",
                                one ? "bind,ro" : trusted);

    if (!one)
        json_array_append_new(json_object_get(entry, "options"),
                              json_sprintf("lowerdir=%s", m->layers));
    return entry;
}

static json_t *user_entry(const struct mount_point *m)
{
    bool tmpfs = !strcmp(m->type, "tmpfs");
    const char *words = tmpfs ? "" : m->not_below ? "bind" : "rbind";
    json_t *entry = m->layers
                        ? image_entry(m)
                        : mount_entry(m->destination, tmpfs ? "tmpfs" : "bind", m->source, words);
    json_t *options = json_object_get(entry, "options");

    for (size_t k = 0; k < m->options.len; k++)
        json_push(options, json_string(m->options.items[k]));
    if (!tmpfs && !m->layers && m->read_only)
        json_push(options, json_string(m->writable_below ? "ro" : "rro"));
    if (m->propagation)
        json_push(options, json_string(m->propagation));
    if (m->subpath)
        json_push(options, json_sprintf("x-cooper.beneath=%s", m->subpath));
    else if (!strcmp(m->type, "volume") && !m->no_copy)
        json_push(options, json_string("x-cooper.seed"));
    return entry;
}

static void add_user_mounts(json_t *mounts, const struct mount_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        json_push(mounts, user_entry(&list->items[i]));
}

static int add_init(json_t *mounts, json_t *args, struct err *err)
{
    cleanup_free char *init = proc_helper_path("cooper-init", err);

    if (!init)
        return -err->code;
    json_push(mounts, mount_entry("/sbin/docker-init", "bind", init, "bind,ro"));
    json_array_insert_new(args, 0, json_string("/sbin/docker-init"));
    json_array_insert_new(args, 1, json_string("--"));
    return 0;
}

int spec_add_mounts(const struct spec_input *in, json_t *mounts, json_t *args, struct err *err)
{
    add_default_mounts(mounts, in);
    if (!user_mounts(in->mounts, "/dev/shm"))
        add_shm(mounts, in);
    add_user_mounts(mounts, in->mounts);
    add_host_files(mounts, in); /* after, so that a mount on /etc does not hide them */
    return json_flag(in->host, "Init", false) ? add_init(mounts, args, err) : 0;
}
