/* -v [SOURCE:]DESTINATION[:OPTIONS], --tmpfs DESTINATION[:OPTIONS], --volumes-from. What the parts
 * may be is the engine's to judge, which gets them from other callers too; here they are only
 * sorted into docker's members. */
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

/* Docker's client says this much by itself. */
static int check_sections(const char *spec, struct err *err)
{
    cleanup_strv struct strv parts = {0};

    if (!*spec)
        return err_set(err, EINVAL, "invalid empty volume spec");
    strv_split(&parts, spec, ':');
    if (parts.len > 3)
        return err_set(err, EINVAL, "invalid spec: %s: too many colons", spec);
    for (size_t i = 0; i < parts.len; i++)
        if (!*parts.items[i])
            return err_set(err, EINVAL, "invalid spec: %s: empty section between colons", spec);
    return 0;
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

        if (!spec || check_sections(spec, err) < 0)
            return -err->code;
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

int run_mounts_build(const struct options *options, json_t *config, json_t *host, struct err *err)
{
    const struct strv *from = options_list(options, "volumes-from");
    const char *driver = options_one(options, "volume-driver");

    run_mount_flags_build(options, host);
    json_put(host, "VolumesFrom", from->len ? json_from_strings(from) : json_null());
    json_put_str(host, "VolumeDriver", driver ? driver : "");
    if (put_volumes(options, config, host, err) < 0)
        return -err->code;
    return put_tmpfs(options, host, err);
}
