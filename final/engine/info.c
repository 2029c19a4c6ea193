#include <fcntl.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/internal.h"
#include "runtime/runtime.h"

static void put_counts(const struct container_list *list, json_t *info)
{
    int running = 0, paused = 0;

    for (size_t i = 0; i < list->len; i++) {
        running += !strcmp(list->items[i].state, "running");
        paused += !strcmp(list->items[i].state, "paused");
    }
    json_put(info, "Containers", json_integer((json_int_t)list->len));
    json_put(info, "ContainersRunning", json_integer(running));
    json_put(info, "ContainersPaused", json_integer(paused));
    json_put(info, "ContainersStopped", json_integer((json_int_t)list->len - running - paused));
}

/* PRETTY_NAME="Debian GNU/Linux 12 (bookworm)" of os-release(5). */
static char *operating_system(void)
{
    cleanup_buf struct buf text = {0};
    cleanup_strv struct strv lines = {0};
    struct err ignored;

    if (file_load(AT_FDCWD, "/etc/os-release", 1u << 20, &text, &ignored) < 0)
        return str_copy("Linux");
    strv_split(&lines, text.data, '\n');
    for (size_t i = 0; i < lines.len; i++) {
        const char *value = lines.items[i] + strlen("PRETTY_NAME=");

        if (!str_starts(lines.items[i], "PRETTY_NAME="))
            continue;
        value += *value == '"';
        return str_copy_n(value, strcspn(value, "\""));
    }
    return str_copy("Linux");
}

static const char *backing_filesystem(int fd)
{
    static const struct {
        long magic;
        const char *name;
    } known[] = {{0xEF53, "extfs"},     {0x58465342, "xfs"}, {0x9123683E, "btrfs"},
                 {0x01021994, "tmpfs"}, {0x2FC12FC1, "zfs"}, {0xF2F52010, "f2fs"}};
    struct statfs st;

    if (fstatfs(fd, &st) < 0)
        return "<unknown>";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if ((long)st.f_type == known[i].magic)
            return known[i].name;
    return "<unknown>";
}

static json_t *pair(const char *name, const char *value)
{
    json_t *list = json_array();

    json_push(list, json_string(name));
    json_push(list, json_string(value));
    return list;
}

static void put_host(json_t *info)
{
    cleanup_free char *os = operating_system();
    struct utsname uts;
    struct sysinfo memory;

    if (!uname(&uts)) {
        json_put_str(info, "KernelVersion", uts.release);
        json_put_str(info, "Architecture", uts.machine);
        json_put_str(info, "Name", uts.nodename);
    }
    json_put_str(info, "OperatingSystem", os);
    json_put_str(info, "OSType", "linux");
    json_put(info, "NCPU", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
    if (!sysinfo(&memory))
        json_put(info, "MemTotal", json_integer((json_int_t)memory.totalram * memory.mem_unit));
}

static void put_storage(struct engine *e, json_t *info)
{
    json_t *status = json_array();

    json_put_str(info, "Driver", "overlay2");
    json_push(status, pair("Backing Filesystem", backing_filesystem(e->store->root_fd)));
    json_push(status, pair("Supports d_type", "true"));
    json_put(info, "DriverStatus", status);
    json_put_str(info, "DockerRootDir", e->store->root);
}

static json_t *words(const char *text)
{
    cleanup_strv struct strv list = {0};

    strv_split(&list, text, ' ');
    return json_from_strings(&list);
}

static void put_plugins(json_t *info)
{
    json_t *plugins = json_object();

    json_put(plugins, "Volume", words("local"));
    json_put(plugins, "Network", words("bridge host null"));
    json_put(plugins, "Authorization", json_null());
    json_put(plugins, "Log", words("journald json-file local none"));
    json_put(info, "Plugins", plugins);
    json_put(info, "Runtimes", runtimes_here());
}

static void put_isolation(json_t *info)
{
    cleanup_free char *version = str_format("%d", runtime_cgroup_version(NULL));
    json_t *options = json_array();

    json_put_str(info, "LoggingDriver", "json-file");
    json_put_str(info, "CgroupDriver", "cgroupfs");
    json_put_str(info, "CgroupVersion", version);
    json_push(options, json_string("name=seccomp,profile=builtin"));
    json_push(options, json_string("name=cgroupns"));
    json_put(info, "SecurityOptions", options);
    json_put_str(info, "DefaultRuntime", "cooper");
    json_put_str(info, "InitBinary", "cooper-init");
}

json_t *engine_info(struct engine *e, struct err *err)
{
    struct container_list containers;
    struct image_list images;
    json_t *info;

    if (engine_list(e, &containers, err) < 0)
        return NULL;
    if (store_images(e->store, &images, err) < 0) {
        container_list_free(&containers);
        return NULL;
    }
    info = json_object();
    put_counts(&containers, info);
    json_put(info, "Images", json_integer((json_int_t)images.len));
    json_put_str(info, "ServerVersion", COOPER_VERSION);
    put_storage(e, info);
    put_plugins(info);
    put_isolation(info);
    put_host(info);
    json_put(info, "Debug", json_boolean(e->debug));
    container_list_free(&containers);
    image_list_free(&images);
    return info;
}
