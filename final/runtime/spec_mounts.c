/* The `mounts` array. OCI config.md, "Mounts". */
#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/spec_parts.h"

int spec_parse_mounts(const json_t *mounts, struct spec *ret, struct err *err)
{
    const json_t *item;
    size_t i;

    ret->mounts = mem_alloc((json_array_size(mounts) + 1) * sizeof *ret->mounts);
    json_array_foreach(mounts, i, item)
    {
        struct spec_mount *mount = &ret->mounts[i];

        ret->mount_count++;
        mount->destination = json_str(item, "destination", "");
        mount->type = json_str(item, "type", NULL);
        mount->source = json_str(item, "source", NULL);
        if (*mount->destination != '/')
            return err_set(err, EINVAL, "mounts: destination '%s' is not an absolute path",
                           mount->destination);
        if (spec_strings(json_at(item, "options"), "mounts: options", &mount->options, err) < 0)
            return -err->code;
    }
    return 0;
}
