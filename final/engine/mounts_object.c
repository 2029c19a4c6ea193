/* mounts_object.c - --mount: an entry of HostConfig.Mounts, which says everything by name. */
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/mounts.h"
#include "engine/volumes.h"

static int refuse(const json_t *object, struct err *err, const char *why)
{
    return err_set(err, EINVAL, "invalid mount config for type \"%s\": %s",
                   json_str(object, "Type", ""), why);
}

static int refuse_path(const json_t *object, const char *path, struct err *err)
{
    cleanup_free char *why =
        str_format("invalid mount path: '%s' mount path must be absolute", path);

    return refuse(object, err, why);
}

static int take_destination(const json_t *object, struct mount_point *m, struct err *err)
{
    const char *target = json_str(object, "Target", "");

    if (!*target)
        return refuse(object, err, "field Target must not be empty");
    if (*target != '/')
        return refuse_path(object, target, err);
    m->destination = mount_point_clean(target);
    return m->destination ? 0
                          : refuse(object, err, "invalid specification: destination can't be '/'");
}

/* --- bind ------------------------------------------------------------------------------------ */

static int check_source(const json_t *object, const char *source, struct err *err)
{
    cleanup_free char *why = str_format("bind source path does not exist: %s", source);
    struct stat st;

    if (!*source)
        return refuse(object, err, "field Source must not be empty");
    if (*source != '/')
        return refuse_path(object, source, err);
    if (stat(source, &st) < 0 && !json_flag(object, "BindOptions.CreateMountpoint", false))
        return refuse(object, err, why);
    return 0;
}

static bool is_propagation(const char *word)
{
    return !strcmp(word, "private") || !strcmp(word, "rprivate") || !strcmp(word, "shared") ||
           !strcmp(word, "rshared") || !strcmp(word, "slave") || !strcmp(word, "rslave");
}

static int take_bind(const json_t *object, struct mount_point *m, struct err *err)
{
    const char *source = json_str(object, "Source", "");
    const char *propagation = json_str(object, "BindOptions.Propagation", "");

    if (check_source(object, source, err) < 0)
        return -err->code;
    if (*propagation && !is_propagation(propagation)) {
        cleanup_free char *why = str_format("invalid propagation mode: %s", propagation);

        return refuse(object, err, why);
    }
    m->source = str_copy(source);
    m->propagation = *propagation ? str_copy(propagation) : NULL;
    m->must_exist = !json_flag(object, "BindOptions.CreateMountpoint", false);
    m->not_below = json_flag(object, "BindOptions.NonRecursive", false);
    m->writable_below = json_flag(object, "BindOptions.ReadOnlyNonRecursive", false);
    return 0;
}

/* --- volume and image ------------------------------------------------------------------------ */

static int take_subpath(const json_t *object, const char *member, struct mount_point *m,
                        struct err *err)
{
    const char *subpath = json_str(object, member, "");
    cleanup_strv struct strv parts = {0};

    if (!*subpath)
        return 0;
    strv_split(&parts, subpath, '/');
    if (*subpath == '/' || strv_contains(&parts, ".."))
        return refuse(object, err, "subpath must be a relative path within the volume");
    m->subpath = str_copy(subpath);
    return 0;
}

static int take_volume(const json_t *object, struct mount_point *m, struct err *err)
{
    const char *name = json_str(object, "Source", "");
    const char *driver = json_str(object, "VolumeOptions.DriverConfig.Name", "");

    if (!*name && m->read_only)
        return refuse(object, err, "must not set ReadOnly mode when using anonymous volumes");
    if (*name && volume_check_name(name, err) < 0)
        return -err->code;
    if (volume_check_driver(name, driver, err) < 0)
        return -err->code;
    m->name = *name ? str_copy(name) : NULL;
    m->labels = json_at(object, "VolumeOptions.Labels");
    m->driver_options = json_at(object, "VolumeOptions.DriverConfig.Options");
    m->no_copy = json_flag(object, "VolumeOptions.NoCopy", false);
    free(m->mode);
    m->mode = str_copy("z");
    if (volume_check_options(name, m->driver_options, err) < 0)
        return -err->code;
    return take_subpath(object, "VolumeOptions.Subpath", m, err);
}

/* Its layers are looked up when the container is made. */
static int take_image(const json_t *object, struct mount_point *m, struct err *err)
{
    const char *source = json_str(object, "Source", "");

    if (!*source)
        return refuse(object, err, "field Source must not be empty");
    m->source = str_copy(source);
    m->read_only = true;
    return take_subpath(object, "ImageOptions.Subpath", m, err);
}

/* --- tmpfs ----------------------------------------------------------------------------------- */

static int take_tmpfs(const json_t *object, struct mount_point *m, struct err *err)
{
    long long size = json_int(object, "TmpfsOptions.SizeBytes", 0),
              mode = json_int(object, "TmpfsOptions.Mode", 0);

    if (*json_str(object, "Source", ""))
        return refuse(object, err, "field Source must not be specified");
    m->source = str_copy("tmpfs");
    strv_split(&m->options, "nosuid,nodev,noexec", ',');
    if (m->read_only)
        strv_add(&m->options, "ro");
    if (size < 0)
        return refuse(object, err, "invalid tmpfs size: it must not be negative");
    if (size)
        strv_take(&m->options, str_format("size=%lld", size));
    if (mode)
        strv_take(&m->options, str_format("mode=%llo", (unsigned long long)mode));
    return 0;
}

static const struct {
    const char *type;
    int (*take)(const json_t *object, struct mount_point *m, struct err *err);
} types[] = {
    {"bind", take_bind}, {"volume", take_volume}, {"image", take_image}, {"tmpfs", take_tmpfs}};

int mount_point_object(const json_t *object, struct mount_point *m, struct err *err)
{
    const char *type = json_str(object, "Type", "");
    size_t i = 0;

    while (i < sizeof types / sizeof *types && strcmp(types[i].type, type))
        i++;
    if (i == sizeof types / sizeof *types)
        return refuse(object, err, "mount type unknown");
    m->type = str_copy(type);
    m->mode = str_copy("");
    m->read_only = json_flag(object, "ReadOnly", false);
    if (take_destination(object, m, err) < 0)
        return -err->code;
    return types[i].take(object, m, err);
}
