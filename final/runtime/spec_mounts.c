/* The `mounts` array. OCI config.md, "Mounts" and "POSIX-platform Mounts". */
#include <string.h>

#include "base/json.h"
#include "runtime/spec_parts.h"

/* A string without NUL bytes, or `otherwise` where there is none. */
static int text_member(const json_t *item, const char *name, const char *otherwise,
                       const char **ret, struct err *err)
{
    const json_t *value = json_object_get(item, name);

    *ret = otherwise;
    if (!value || json_is_null(value))
        return 0;
    *ret = json_string_value(value);
    if (!*ret || strlen(*ret) != json_string_length(value))
        return err_set(err, EINVAL, "'%s' is not a string without NUL bytes", name);
    return 0;
}

static int mappings_member(const json_t *item, const char *name, const json_t **ret,
                           struct err *err)
{
    *ret = json_object_get(item, name);
    return !*ret || json_is_array(*ret) || json_is_null(*ret)
               ? 0
               : err_set(err, EINVAL, "%s is not an array", name);
}

static int parse_one(const json_t *item, struct spec_mount *ret, struct err *err)
{
    if (text_member(item, "destination", "", &ret->destination, err) < 0 ||
        text_member(item, "type", NULL, &ret->type, err) < 0 ||
        text_member(item, "source", NULL, &ret->source, err) < 0 ||
        spec_strings(json_at(item, "options"), "options", &ret->options, err) < 0 ||
        mappings_member(item, "uidMappings", &ret->uid_mappings, err) < 0 ||
        mappings_member(item, "gidMappings", &ret->gid_mappings, err) < 0)
        return -err->code;
    if (!*ret->destination)
        return err_set(err, EINVAL, "there is no destination");
    if (!json_array_size(ret->uid_mappings) != !json_array_size(ret->gid_mappings))
        return err_set(err, EINVAL,
                       "'%s' has only one of uidMappings and gidMappings: both are needed",
                       ret->destination);
    return 0;
}

int spec_parse_mounts(const json_t *mounts, struct spec *ret, struct err *err)
{
    const json_t *item;
    size_t i;

    ret->mounts = mem_alloc((json_array_size(mounts) + 1) * sizeof *ret->mounts);
    json_array_foreach(mounts, i, item)
    {
        ret->mount_count++;
        if (parse_one(item, &ret->mounts[i], err) < 0)
            return err_wrap(err, "mounts[%zu]", i);
    }
    return 0;
}

void spec_parse_mount_label(const json_t *config, struct spec *ret)
{
    const char *label = json_str(config, "linux.mountLabel", "");
    const char *kind = spec_annotation(config, "run.oci.mount_context_type");

    ret->mount_label = *label ? label : NULL;
    ret->mount_label_kind = kind ? kind : "context";
}
