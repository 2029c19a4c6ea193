#include "runtime/spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/spec_parts.h"

const char *spec_annotation(const json_t *config, const char *name)
{
    return json_string_value(json_object_get(json_at(config, "annotations"), name));
}

/* A NUL byte in an argument would cut it short without a word, and "ro" where ["ro"] is meant would
 * be no option at all. */
int spec_strings(const json_t *array, const char *what, struct strv *ret, struct err *err)
{
    const json_t *item;
    size_t i;

    if (array && !json_is_array(array) && !json_is_null(array))
        return err_set(err, EINVAL, "%s is not an array", what);
    json_array_foreach(array, i, item)
    {
        const char *text = json_string_value(item);

        if (!text || strlen(text) != json_string_length(item))
            return err_set(err, EINVAL, "%s: entry %zu is not a string without NUL bytes", what, i);
        strv_add(ret, text);
    }
    return 0;
}

static int check_annotations(json_t *annotations, struct err *err)
{
    const char *name;
    json_t *value;

    json_object_foreach(annotations, name, value)
    {
        if (!json_is_string(value))
            return err_set(err, EINVAL, "annotations: the value of '%s' is not a string", name);
    }
    return 0;
}

int spec_parse(const json_t *config, struct spec *ret, struct err *err)
{
    memset(ret, 0, sizeof *ret);
    if (spec_check_types(config, "", err) < 0 ||
        check_annotations(json_at(config, "annotations"), err) < 0)
        return -err->code;
    ret->config = config;
    ret->root_path = json_str(config, "root.path", NULL);
    ret->root_readonly = json_flag(config, "root.readonly", false);
    ret->propagation = json_str(config, "linux.rootfsPropagation", NULL);
    spec_parse_mount_label(config, ret);
    ret->hostname = json_str(config, "hostname", NULL);
    ret->domainname = json_str(config, "domainname", NULL);
    ret->overlay_base = spec_annotation(config, "org.cooper.overlay.base");
    ret->overlay_options = spec_annotation(config, "org.cooper.overlay.options");
    ret->seccomp = spec_annotation(config, "org.cooper.seccomp");
    ret->cgroups_path = json_str(config, "linux.cgroupsPath", NULL);
    ret->sysctl = json_at(config, "linux.sysctl");
    ret->resources = json_at(config, "linux.resources");
    ret->devices = json_at(config, "linux.devices");
    ret->net_devices = json_at(config, "linux.netDevices");
    if (!ret->root_path)
        return err_set(err, EINVAL, "config.json has no root.path");
    if (spec_parse_process(json_at(config, "process"), config, &ret->process, err) < 0 ||
        spec_parse_mounts(json_at(config, "mounts"), ret, err) < 0 ||
        spec_parse_namespaces(config, ret, err) < 0 ||
        spec_strings(json_at(config, "linux.maskedPaths"), "linux.maskedPaths", &ret->masked, err) <
            0 ||
        spec_strings(json_at(config, "linux.readonlyPaths"), "linux.readonlyPaths", &ret->readonly,
                     err) < 0)
        return -err->code;
    ret->process.user = spec_annotation(config, "org.cooper.user");
    return 0;
}

void spec_free(struct spec *spec)
{
    for (size_t i = 0; i < spec->mount_count; i++)
        strv_free(&spec->mounts[i].options);
    free(spec->mounts);
    spec_process_free(&spec->process);
    for (size_t i = 0; i < spec->join_count; i++)
        close_fd(&spec->joins[i].fd);
    spec_id_map_free(&spec->uid_map);
    spec_id_map_free(&spec->gid_map);
    strv_free(&spec->masked);
    strv_free(&spec->readonly);
}
