/* -v [SOURCE:]DESTINATION[:OPTIONS], --tmpfs DESTINATION[:OPTIONS], --device
 * HOST[:CONTAINER[:rwm]]. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/run_options.h"

/* Removes "//", "/./" and "/../" from an absolute path by its text alone, as Go's path.Clean. */
static char *clean_path(const char *path)
{
    cleanup_strv struct strv parts = {0}, kept = {0};
    cleanup_free char *joined = NULL;

    strv_split(&parts, path, '/');
    for (size_t i = 0; i < parts.len; i++) {
        const char *part = parts.items[i];

        if (!strcmp(part, "..") && kept.len)
            free(kept.items[--kept.len]);
        else if (*part && strcmp(part, ".") && strcmp(part, ".."))
            strv_add(&kept, part);
    }
    joined = strv_join(&kept, "/");
    return str_format("/%s", kept.len ? joined : "");
}

static int bad_volume(const char *spec, const char *why, struct err *err)
{
    return run_daemon_error(err, "invalid volume specification: '%s'%s%s", spec, *why ? ": " : "",
                            why);
}

/* Where in the container: absolute, and not the root itself, which the image is. */
static int check_destination(const char *spec, const char *path, struct err *err)
{
    cleanup_free char *clean = NULL;

    if (*path != '/')
        return bad_volume(
            spec, "invalid mount config for type \"bind\": mount path must be absolute", err);
    clean = clean_path(path);
    if (!strcmp(clean, "/"))
        return bad_volume(spec, "invalid mount config: destination can't be '/'", err);
    return strchr(path, '\n') ? bad_volume(spec, "a path may not contain a newline", err) : 0;
}

static int check_volume_name(const char *name, struct err *err)
{
    bool good = isalnum((unsigned char)name[0]) && name[1];

    for (const char *p = name; *p; p++)
        good = good && (isalnum((unsigned char)*p) || strchr("_.-", *p));
    if (good)
        return 0;
    return run_daemon_error(
        err,
        "create %s: \"%s\" includes invalid characters for a local volume name, only "
        "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, "
        "use absolute path",
        name, name);
}

static int check_mode(const char *spec, const char *mode, struct err *err)
{
    static const char *const known[] = {"ro",       "rw",      "z",         "Z",         "nocopy",
                                        "shared",   "rshared", "slave",     "rslave",    "private",
                                        "rprivate", "cached",  "delegated", "consistent"};
    cleanup_strv struct strv words = {0};

    strv_split(&words, mode, ',');
    for (size_t i = 0; i < words.len; i++) {
        bool found = false;

        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            found |= !strcmp(words.items[i], known[k]);
        if (!found)
            return run_daemon_error(err, "invalid mode: %s", words.items[i]);
    }
    return words.len ? 0 : bad_volume(spec, "empty mode", err);
}

/* A source of "./x" or "." is below our working directory. Returns the whole specification to keep.
 */
static char *absolute_spec(const char *source, const char *rest, struct err *err)
{
    cleanup_free char *here = NULL, *joined = NULL, *clean = NULL;

    if (*source == '/') {
        clean = clean_path(source);
        return str_format("%s:%s", clean, rest);
    }
    if (*source != '.')
        return str_format("%s:%s", source, rest);
    here = getcwd(NULL, 0);
    if (!here) {
        err_errno(err, "cannot find the working directory for '%s'", source);
        return NULL;
    }
    joined = str_format("%s/%s", here, source);
    clean = clean_path(joined);
    return str_format("%s:%s", clean, rest);
}

static int add_bind(const char *spec, const struct strv *parts, json_t *binds, struct err *err)
{
    const char *source = parts->items[0];
    cleanup_free char *kept = NULL;

    if (parts->len > 3 || !*source || !*parts->items[1])
        return bad_volume(spec, "", err);
    if (check_destination(spec, parts->items[1], err) < 0 ||
        (*source != '/' && *source != '.' && check_volume_name(source, err) < 0) ||
        (parts->len == 3 && check_mode(spec, parts->items[2], err) < 0))
        return -err->code;
    kept = absolute_spec(source, spec + strlen(source) + 1, err);
    if (!kept)
        return -err->code;
    if (json_array_append_new(binds, json_string(kept)) < 0)
        return bad_volume(spec, "not valid UTF-8", err);
    return 0;
}

static int put_volumes(const struct options *o, json_t *config, json_t *host, struct err *err)
{
    const struct strv *given = options_list(o, "volume");
    json_t *volumes = json_object(), *binds = json_array();

    json_put(config, "Volumes", volumes);
    json_put(host, "Binds", binds);
    for (size_t i = 0; i < given->len; i++) {
        const char *spec = given->items[i];
        cleanup_strv struct strv parts = {0};

        if (!*spec)
            return err_set(err, EINVAL, "invalid empty volume spec");
        strv_split(&parts, spec, ':');
        if (parts.len > 1 && add_bind(spec, &parts, binds, err) < 0)
            return -err->code;
        if (parts.len == 1 && check_destination(spec, spec, err) < 0)
            return -err->code;
        if (parts.len == 1 && json_object_set_new(volumes, spec, json_object()) < 0)
            return bad_volume(spec, "not valid UTF-8", err);
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
        cleanup_free char *path = str_copy_n(spec, n), *clean = NULL;

        if (*path != '/')
            return run_daemon_error(err, "invalid tmpfs mount '%s': mount path must be absolute",
                                    spec);
        clean = clean_path(path);
        if (!strcmp(clean, "/"))
            return run_daemon_error(err, "invalid tmpfs mount '%s': destination can't be '/'",
                                    spec);
        if (json_object_set_new(object, path, json_string(spec[n] ? spec + n + 1 : "")) < 0)
            return run_daemon_error(err, "invalid tmpfs mount '%s': not valid UTF-8", spec);
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
    if (!valid_permissions(permissions) || *inside != '/')
        return err_set(err, EINVAL, "bad mode specified: %s", permissions);
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
