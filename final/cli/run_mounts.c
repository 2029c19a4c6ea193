/* -v [SOURCE:]DESTINATION[:OPTIONS], --tmpfs DESTINATION[:OPTIONS], --device
 * HOST[:CONTAINER[:rwm]]. What the parts may be is the engine's to judge, which gets them from
 * other callers too; here they are only sorted into docker's members. */
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/run_options.h"

/* A source of "./x" or "." is below our working directory, which the engine cannot know. NULL and
 * err. */
static char *absolute_bind(const char *spec, struct err *err)
{
    cleanup_free char *here = NULL;

    if (*spec != '.')
        return str_copy(spec);
    here = getcwd(NULL, 0);
    if (!here) {
        err_errno(err, "cannot find the working directory for '%s'", spec);
        return NULL;
    }
    return str_format("%s/%s", here, str_starts(spec, "./") ? spec + 2 : spec);
}

/* With a colon it is a bind or a named volume, without one an anonymous volume. */
static int put_volumes(const struct options *o, json_t *config, json_t *host, struct err *err)
{
    const struct strv *given = options_list(o, "volume");
    json_t *volumes = json_object(), *binds = json_array();

    json_put(config, "Volumes", volumes);
    json_put(host, "Binds", binds);
    for (size_t i = 0; i < given->len; i++) {
        cleanup_free char *spec = absolute_bind(given->items[i], err);
        int failed;

        if (!spec)
            return -err->code;
        if (!*spec)
            return err_set(err, EINVAL, "invalid empty volume spec");
        if (strchr(spec, ':'))
            failed = json_array_append_new(binds, json_string(spec));
        else
            failed = json_object_set_new(volumes, spec, json_object());
        if (failed)
            return err_set(err, EINVAL, "invalid volume specification: '%s': not valid UTF-8",
                           spec);
    }
    return 0;
}

static int put_tmpfs(const struct options *o, json_t *host, struct err *err)
{
    const struct strv *given = options_list(o, "tmpfs");
    json_t *object = json_object();

    json_put(host, "Tmpfs", object);
    for (size_t i = 0; i < given->len; i++) {
        const char *spec = given->items[i];
        size_t n = strcspn(spec, ":");
        cleanup_free char *path = str_copy_n(spec, n);

        if (json_object_set_new(object, path, json_string(spec[n] ? spec + n + 1 : "")) < 0)
            return err_set(err, EINVAL, "invalid tmpfs mount '%s': not valid UTF-8", spec);
    }
    return 0;
}

static bool valid_permissions(const char *text)
{
    return *text && strspn(text, "rwm") == strlen(text);
}

/* HOST, HOST:CONTAINER, HOST:rwm, HOST:CONTAINER:rwm */
static int add_device(const char *spec, json_t *list, struct err *err)
{
    cleanup_strv struct strv parts = {0};
    const char *inside, *permissions = "rwm";
    json_t *device;

    strv_split(&parts, spec, ':');
    if (!parts.len || parts.len > 3 || *parts.items[0] != '/')
        return err_set(err, EINVAL, "bad format for path: %s", spec);
    inside = parts.items[0];
    if (parts.len == 2 && valid_permissions(parts.items[1]))
        permissions = parts.items[1];
    else if (parts.len > 1 && *parts.items[1])
        inside = parts.items[1];
    if (parts.len == 3)
        permissions = parts.items[2];
    if (!valid_permissions(permissions))
        return err_set(err, EINVAL, "bad mode specified: %s", permissions);
    if (*inside != '/')
        return err_set(err, EINVAL, "bad format for path: %s", spec);
    device = json_object();
    json_put_str(device, "PathOnHost", parts.items[0]);
    json_put_str(device, "PathInContainer", inside);
    json_put_str(device, "CgroupPermissions", permissions);
    json_push(list, device);
    return 0;
}

int run_mounts_build(const struct options *options, json_t *config, json_t *host, struct err *err)
{
    const struct strv *devices = options_list(options, "device");
    json_t *list = json_array();

    json_put(host, "Devices", list);
    for (size_t i = 0; i < devices->len; i++)
        if (add_device(devices->items[i], list, err) < 0)
            return -err->code;
    if (put_volumes(options, config, host, err) < 0)
        return -err->code;
    return put_tmpfs(options, host, err);
}
