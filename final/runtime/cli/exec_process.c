#include "runtime/cli/exec_process.h"

#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/cli/bundle.h"

static json_t *member(json_t *object, const char *name, json_t *(*make)(void))
{
    if (!json_object_get(object, name))
        json_put(object, name, make());
    return json_object_get(object, name);
}

/* Into the sets a program keeps over execve(2); the ambient one only where something is
 * inheritable, because an ambient capability has to be. */
static void add_caps(json_t *process, const struct strv *caps)
{
    json_t *sets = member(process, "capabilities", json_object);
    bool inheritable = json_array_size(json_object_get(sets, "inheritable")) > 0;

    for (size_t i = 0; i < caps->len; i++) {
        json_push(member(sets, "bounding", json_array), json_string(caps->items[i]));
        json_push(member(sets, "effective", json_array), json_string(caps->items[i]));
        json_push(member(sets, "permitted", json_array), json_string(caps->items[i]));
        if (inheritable)
            json_push(member(sets, "ambient", json_array), json_string(caps->items[i]));
    }
}

static int add_groups(json_t *process, const struct strv *groups, struct err *err)
{
    json_t *user = member(process, "user", json_object);
    unsigned long long gid;

    for (size_t i = 0; i < groups->len; i++) {
        if (str_to_u64(groups->items[i], &gid) < 0)
            return err_set(err, EINVAL, "invalid value \"%s\" for flag -additional-gids",
                           groups->items[i]);
        json_push(member(user, "additionalGids", json_array), json_integer((json_int_t)gid));
    }
    return 0;
}

/* "uid[:gid]" changes the numbers and leaves the groups, as runc has it; names are looked up in the
 * container (exec_user()). */
static void add_user(json_t *process, const char *text)
{
    json_t *user = member(process, "user", json_object);
    unsigned long long uid, gid;
    cleanup_free char *copy = str_copy(text);
    char *colon = strchr(copy, ':');

    if (colon)
        *colon++ = 0;
    if (str_to_u64(copy, &uid) < 0 || (colon && str_to_u64(colon, &gid) < 0))
        return;
    json_put(user, "uid", json_integer((json_int_t)uid));
    if (colon)
        json_put(user, "gid", json_integer((json_int_t)gid));
}

static int apply_flags(const struct args *args, json_t *process, struct err *err)
{
    static const struct {
        const char *flag, *member;
    } texts[] = {
        {"cwd", "cwd"}, {"apparmor", "apparmorProfile"}, {"process-label", "selinuxLabel"}};
    const struct strv *env = args_list(args, "env");

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (args_given(args, texts[i].flag))
            json_put_str(process, texts[i].member, args_text(args, texts[i].flag));
    for (size_t i = 0; i < env->len; i++) {
        if (!strchr(env->items[i], '='))
            return err_set(err, EINVAL, "invalid environment variable: \"%s\"", env->items[i]);
        json_push(member(process, "env", json_array), json_string(env->items[i]));
    }
    if (args_given(args, "user"))
        add_user(process, args_text(args, "user"));
    if (args_given(args, "no-new-privs"))
        json_put(process, "noNewPrivileges", json_boolean(args_flag(args, "no-new-privs")));
    if (args_given(args, "cap"))
        add_caps(process, args_list(args, "cap"));
    json_put(process, "terminal", json_boolean(args_flag(args, "tty")));
    return add_groups(process, args_list(args, "additional-gids"), err);
}

json_t *exec_process(const struct args *args, const json_t *config, struct err *err)
{
    cleanup_json json_t *process = NULL;

    if (args_given(args, "process"))
        return json_load_u64(AT_FDCWD, args_text(args, "process"), CONFIG_MAX, err);
    process = json_deep_copy(json_object_get(config, "process"));
    if (args->count < 2) {
        err_set(err, EINVAL, "process args cannot be empty");
        return NULL;
    }
    json_put(process, "args", json_from_argv(args->rest + 1));
    return apply_flags(args, process, err) < 0 ? NULL : json_incref(process);
}

const char *exec_user(const struct args *args)
{
    const char *user = args_given(args, "process") ? NULL : args_text(args, "user");

    return user && strspn(user, "0123456789:") < strlen(user) ? user : NULL;
}
