/* runtimes.c - --runtime: our own, which needs no program, or another OCI runtime by its path or
 * its name. Names are those of programs that are known to be one: a name is not a way to run
 * whatever the host has. */
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/internal.h"

static const char *const names[] = {"crun", "runc",         "youki",          "runsc", "krun",
                                    "kata", "kata-runtime", "cooper-runtime", NULL};
static const char *const places[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin",
                                     "/sbin",           "/bin",           NULL};

static char *find_name(const char *name)
{
    size_t i = 0;

    while (names[i] && strcmp(names[i], name))
        i++;
    for (const char *const *place = places; names[i] && *place; place++) {
        char *path = str_format("%s/%s", *place, name);

        if (!access(path, X_OK))
            return path;
        free(path);
    }
    return NULL;
}

int runtime_program(const json_t *host, char **ret, struct err *err)
{
    const char *runtime = json_str(host, "Runtime", "");

    *ret = NULL;
    if (!*runtime || !strcmp(runtime, "cooper"))
        return 0;
    *ret =
        *runtime == '/' ? (access(runtime, X_OK) ? NULL : str_copy(runtime)) : find_name(runtime);
    if (*ret)
        return 0;
    err_set(err, EINVAL, "Unknown runtime specified %s", runtime);
    err->exit_status = 125;
    return -EINVAL;
}

json_t *runtimes_here(void)
{
    json_t *list = json_object();

    json_put(list, "cooper", json_pack("{s:s}", "path", "cooper-shim"));
    for (size_t i = 0; names[i]; i++) {
        cleanup_free char *path = find_name(names[i]);

        if (path)
            json_put(list, names[i], json_pack("{s:s}", "path", path));
    }
    return list;
}
