#include "bundle.h"

#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

char *path_in(const char *bundle, const char *path)
{
    return str_format("%s/%s", bundle, path);
}

void put_file(const char *bundle, const char *path, const char *text)
{
    cleanup_free char *full = path_in(bundle, path);
    struct err err = {0};

    ck_assert_msg(!file_store(AT_FDCWD, full, text, strlen(text), 0644, false, &err), "%s",
                  err.message);
}

void put_dir(const char *bundle, const char *path)
{
    cleanup_free char *full = path_in(bundle, path);
    struct err err = {0};

    ck_assert_msg(!file_make_dirs(AT_FDCWD, full, 0755, &err), "%s", err.message);
}

void put_link(const char *bundle, const char *path, const char *target)
{
    cleanup_free char *full = path_in(bundle, path);

    ck_assert(!symlink(target, full));
}

bool exists(const char *bundle, const char *path)
{
    cleanup_free char *full = path_in(bundle, path);
    struct stat st;

    return !lstat(full, &st);
}

json_t *bind_mount(const char *source, const char *destination, const char *options)
{
    return container_mount("bind", source, destination, options);
}

void allow_everything(json_t *config)
{
    static const char *const sets[] = {"bounding", "effective", "permitted"};
    cleanup_strv struct strv all = {0};

    runtime_all_caps(&all);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        cleanup_free char *path = str_format("process.capabilities.%s", sets[i]);

        container_set(config, path, json_from_strings(&all));
    }
    json_object_del(json_object_get(config, "annotations"), "org.cooper.seccomp");
}

void run_well(const char *bundle, const json_t *config, struct outcome *ret)
{
    container_run(bundle, config, ret);
    ck_assert_msg(!ret->created && !ret->started, "%s", ret->err.message);
}

void run_refused(const char *bundle, const json_t *config, int error, const char *words)
{
    cleanup_outcome struct outcome o;

    container_run(bundle, config, &o);
    ck_assert_msg(o.created == -error, "%d, not %d: %s", -o.created, error, o.err.message);
    ck_assert_msg(strstr(o.err.message, words) != NULL, "not '%s': %s", words, o.err.message);
}

json_t *id_map(int inside, int outside, int size)
{
    return json_pack("[{s:i,s:i,s:i}]", "containerID", inside, "hostID", outside, "size", size);
}

json_t *config_in_userns(const char *bundle, const char *command)
{
    json_t *config = container_config(bundle, command);
    cleanup_free char *rootfs = path_in(bundle, "rootfs");
    static const char *const dirs[] = {"", "/bin", "/etc", "/tmp", "/root"};

    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        cleanup_free char *path = str_format("%s%s", rootfs, dirs[i]);

        ck_assert(!chown(path, OUTSIDE, OUTSIDE));
    }
    container_append(config, "linux.namespaces", json_pack("{s:s}", "type", "user"));
    container_set(config, "linux.uidMappings", id_map(0, OUTSIDE, 65536));
    container_set(config, "linux.gidMappings", id_map(0, OUTSIDE, 65536));
    return config;
}
