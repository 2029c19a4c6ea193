/* "slice:prefix:name": systemd's way to say where a container is to be.
 *
 * Slices are a tree written in one name: "a-b-c.slice" is inside "a-b.slice", inside "a.slice"
 * (systemd.slice(5)). So the path of a unit's group follows from its slice and name, and both sides
 * can know it. */
#include "runtime/cgroup_systemd.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define SLICE ".slice"

void systemd_unit_free(struct systemd_unit *unit)
{
    free(unit->slice);
    free(unit->name);
    free(unit->path);
    *unit = (struct systemd_unit){0};
}

/* Letters that need no escape in a unit's name (systemd.unit(5)). */
static bool is_unit_name(const char *name)
{
    return *name && strlen(name) < 256 &&
           name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                             ":_.\\-@")] == 0;
}

/* "a-b.slice" -> "/a.slice/a-b.slice"; "-.slice" -> "". NULL for what is no slice: a dash at an
 * end, or two together, would be a slice without a name. */
static char *unfold_slice(const char *slice)
{
    size_t n = strlen(slice);
    struct buf path = {0};
    cleanup_free char *stem = NULL;

    if (!str_ends(slice, SLICE) || n == strlen(SLICE) || !is_unit_name(slice))
        return NULL;
    stem = str_copy_n(slice, n - strlen(SLICE));
    if (!strcmp(stem, "-"))
        return str_copy("");
    if (*stem == '-' || str_ends(stem, "-") || strstr(stem, "--"))
        return NULL;
    for (char *dash = strchr(stem, '-');; dash = strchr(dash + 1, '-')) {
        buf_printf(&path, "/%.*s" SLICE, dash ? (int)(dash - stem) : (int)strlen(stem), stem);
        if (!dash)
            return buf_steal(&path);
    }
}

static const char *or_else(const char *text, const char *otherwise)
{
    return text && *text ? text : otherwise;
}

int systemd_unit_parse(const char *wanted, const char *id, bool user, struct systemd_unit *ret,
                       struct err *err)
{
    cleanup_free char *copy = str_copy(wanted && *wanted ? wanted : "::"), *slices = NULL;
    char *rest = copy, *slice = strsep(&rest, ":"), *prefix = strsep(&rest, ":"), *name = rest;
    struct systemd_unit unit = {0};

    if (!prefix || !name || strchr(name, ':'))
        return err_set(err, EINVAL,
                       "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd "
                       "cgroups, got \"%s\" instead",
                       wanted);
    unit.slice = str_copy(or_else(slice, user ? "user.slice" : "system.slice"));
    slices = unfold_slice(unit.slice);
    unit.name = str_format("%s-%s.scope", or_else(prefix, "cooper"), or_else(name, id));
    unit.path = str_format("%s/%s", slices ? slices : "", unit.name);
    if (!slices)
        err_set(err, EINVAL, "invalid slice name: %s", unit.slice);
    else if (!is_unit_name(unit.name))
        err_set(err, EINVAL, "'%s' cannot be the name of a systemd unit", unit.name);
    if (!slices || !is_unit_name(unit.name)) {
        systemd_unit_free(&unit);
        return -err->code;
    }
    *ret = unit;
    return 0;
}

const char *systemd_unit_of(const char *path)
{
    return strrchr(path, '/') + 1;
}
