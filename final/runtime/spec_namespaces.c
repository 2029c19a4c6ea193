/* linux.namespaces: which are new and which are joined. OCI config-linux.md, "Namespaces". */
#include "runtime/spec.h"

#include <sched.h>
#include <string.h>

#include "base/json.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80 /* Linux 5.6; only clone3(2) takes it, clone(2) reads it as a signal */
#endif

const struct spec_namespace_kind spec_namespace_kinds[8] = {
    {"mount", CLONE_NEWNS},  {"pid", CLONE_NEWPID},   {"network", CLONE_NEWNET},
    {"ipc", CLONE_NEWIPC},   {"uts", CLONE_NEWUTS},   {"cgroup", CLONE_NEWCGROUP},
    {"user", CLONE_NEWUSER}, {"time", CLONE_NEWTIME},
};

static const struct spec_namespace_kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof spec_namespace_kinds / sizeof *spec_namespace_kinds; i++)
        if (!strcmp(name, spec_namespace_kinds[i].name))
            return &spec_namespace_kinds[i];
    return NULL;
}

static int parse_namespace(const json_t *item, struct spec *ret, uint64_t *seen, struct err *err)
{
    const char *name = json_str(item, "type", ""), *path = json_str(item, "path", NULL);
    const struct spec_namespace_kind *kind = find_kind(name);

    if (!kind)
        return err_set(err, EINVAL, "linux.namespaces: there is no namespace '%s'", name);
    if (*seen & kind->flag)
        return err_set(err, EINVAL, "linux.namespaces: '%s' is there twice", name);
    if (kind->flag == CLONE_NEWUSER)
        return err_set(err, ENOTSUP, "linux.namespaces: user namespaces are not supported");
    *seen |= kind->flag;
    if (path && *path)
        ret->joins[ret->join_count++] = (struct spec_join){kind->flag, path};
    else
        ret->new_namespaces |= kind->flag;
    return 0;
}

int spec_parse_namespaces(const json_t *config, struct spec *ret, struct err *err)
{
    const json_t *item, *list = json_at(config, "linux.namespaces");
    uint64_t seen = 0;
    size_t i;

    json_array_foreach(list, i,
                       item) if (parse_namespace(item, ret, &seen, err) < 0) return -err->code;
    return 0;
}
