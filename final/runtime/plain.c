/* plain.c - a container of ours for any OCI runtime.
 *
 * Our config.json says some things that no other runtime knows: an overlay for a root, a user by
 * name, volumes to fill, directories to find inside of what is mounted. What of that is about files
 * is done here, in a mount namespace of the calling process: the root with all binds on it, which
 * the runtime then takes as it is. What is left over is plain. */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/runtime.h"
#include "runtime/spec.h"
#include "runtime/user.h"

/* A runtime mounts a new file system there, which would hide what lies below. */
static bool is_covered(const char *destination)
{
    static const char *const places[] = {"/dev", "/proc", "/sys"};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        size_t n = strlen(places[i]);

        if (!strncmp(destination, places[i], n) && (!destination[n] || destination[n] == '/'))
            return true;
    }
    return false;
}

/* Takes the binds that can be made now out of config.mounts. A new reference. */
static json_t *take_binds(json_t *config)
{
    json_t *mounts = json_object_get(config, "mounts"), *binds = json_array(), *rest = json_array();
    json_t *mount;
    size_t i;

    json_array_foreach(mounts, i, mount)
    {
        bool now = !strcmp(json_str(mount, "type", ""), "bind") &&
                   !is_covered(json_str(mount, "destination", ""));

        json_array_append(now ? binds : rest, mount);
    }
    json_put(config, "mounts", rest);
    return binds;
}

/* Its words for us: "x-cooper.seed", "x-cooper.beneath=PATH". */
static void strip_options(json_t *mounts)
{
    json_t *mount;
    size_t i;

    json_array_foreach(mounts, i, mount)
    {
        json_t *options = json_object_get(mount, "options");

        for (size_t k = json_array_size(options); k-- > 0;)
            if (str_starts(json_string_value(json_array_get(options, k)), "x-cooper."))
                json_array_remove(options, k);
    }
}

/* The root and the binds, on it. It is made read-only last, by the runtime, which has still to make
 * directories in it. */
static int assemble(const char *bundle, json_t *config, struct err *err)
{
    cleanup_json json_t *binds = take_binds(config), *part = json_copy(config);
    json_t *root = json_copy(json_object_get(config, "root"));

    json_put(root, "readonly", json_false());
    json_put(part, "root", root);
    json_object_set(part, "mounts", binds);
    return runtime_assemble(bundle, part, err);
}

static json_t *group_list(const struct user *user)
{
    json_t *list = json_array();

    for (size_t i = 0; i < user->group_count; i++)
        json_push(list, json_integer(user->groups[i]));
    return list;
}

static void put_home(json_t *process, const char *home)
{
    json_t *env = json_object_get(process, "env"), *item;
    size_t i;

    json_array_foreach(env, i, item)
    {
        const char *text = json_string_value(item);

        if (str_starts(text, "HOME=") && text[5])
            return;
    }
    json_push(env, json_sprintf("HOME=%s", home));
}

static int resolve_user(int root, json_t *config, struct err *err)
{
    json_t *process = json_object_get(config, "process"), *numbers;
    const json_t *annotations = json_object_get(config, "annotations");
    struct spec_process parsed = {0};
    cleanup_with(user_free) struct user user = {0};
    int r = spec_parse_process(process, config, &parsed, err);

    parsed.user = json_string_value(json_object_get(annotations, "org.cooper.user"));
    if (!r)
        r = user_find(root, &parsed, &user, err);
    spec_process_free(&parsed);
    if (r < 0)
        return r;
    numbers = json_object();
    json_put(numbers, "uid", json_integer(user.uid));
    json_put(numbers, "gid", json_integer(user.gid));
    json_put(numbers, "additionalGids", group_list(&user));
    json_put(process, "user", numbers);
    put_home(process, user.home);
    return 0;
}

static void strip_annotations(json_t *config)
{
    json_t *annotations = json_object_get(config, "annotations"), *value;
    const char *name;
    void *next;

    json_object_foreach_safe(annotations, next, name, value)
    {
        if (str_starts(name, "org.cooper."))
            json_object_del(annotations, name);
    }
}

int runtime_make_plain(const char *bundle, json_t *config, struct err *err)
{
    cleanup_free char *path =
        str_format("%s/%s", bundle, json_str(json_object_get(config, "root"), "path", ""));
    cleanup_close int root = assemble(bundle, config, err);

    if (root < 0)
        return root;
    if (resolve_user(root, config, err) < 0)
        return -err->code;
    json_put_str(config, "ociVersion", "1.0.2"); /* nothing younger is in it, and crun asks */
    json_put_str(json_object_get(config, "root"), "path", path);
    strip_options(json_object_get(config, "mounts"));
    strip_annotations(config);
    return 0;
}
