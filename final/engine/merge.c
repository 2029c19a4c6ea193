/* merge.c - docker's rules for what a container runs: the user's words win, the image fills in the
 * rest. */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/internal.h"

static bool is_empty(const json_t *value)
{
    return !value || json_is_null(value) || (json_is_array(value) && !json_array_size(value)) ||
           (json_is_object(value) && !json_object_size(value)) ||
           (json_is_string(value) && !json_string_length(value));
}

static void take_if_empty(json_t *config, const json_t *image, const char *name)
{
    json_t *theirs = json_object_get(image, name);

    if (is_empty(json_object_get(config, name)) && theirs)
        json_put(config, name, json_deep_copy(theirs));
}

/* Objects: the image's members that the user did not give. */
static void add_members(json_t *config, const json_t *image, const char *name)
{
    json_t *theirs = json_object_get(image, name), *ours = json_object_get(config, name);

    if (!json_is_object(theirs))
        return;
    if (!json_is_object(ours)) {
        json_put(config, name, json_deep_copy(theirs));
        return;
    }
    json_object_update_missing(ours, theirs);
}

static size_t key_length(const char *variable)
{
    return strcspn(variable, "=");
}

static bool has_variable(const json_t *env, const char *variable)
{
    size_t i, n = key_length(variable);
    json_t *item;

    json_array_foreach(env, i, item)
    {
        const char *text = json_string_value(item);

        if (text && key_length(text) == n && !strncmp(text, variable, n))
            return true;
    }
    return false;
}

size_t env_remove(json_t *env, size_t count, const char *name)
{
    size_t n = strlen(name), removed = 0;

    for (size_t i = count; i-- > 0;) {
        const char *text = json_string_value(json_array_get(env, i));

        if (text && !strncmp(text, name, n) && text[n] == '=') {
            json_array_remove(env, i);
            removed++;
        }
    }
    return removed;
}

/* "NAME" alone: there is to be none, of those before it and of the image. */
static void remove_unset(json_t *env)
{
    for (size_t i = 0; i < json_array_size(env);) {
        const char *text = json_string_value(json_array_get(env, i));

        if (!text || strchr(text, '=')) {
            i++;
            continue;
        }
        i -= env_remove(env, i, text);
        json_array_remove(env, i);
    }
}

/* The user's variables first, then the image's that they did not set (docker's order). */
static void merge_env(json_t *config, const json_t *image)
{
    json_t *env = json_object_get(config, "Env"), *item;
    size_t i;

    if (!json_is_array(env)) {
        json_put(config, "Env", json_array());
        env = json_object_get(config, "Env");
    }
    json_array_foreach(json_object_get(image, "Env"), i,
                       item) if (json_is_string(item) &&
                                 !has_variable(env, json_string_value(item)))
        json_array_append(env, item);
    remove_unset(env);
}

static void merge_command(json_t *config, const json_t *image)
{
    json_t *entrypoint = json_object_get(config, "Entrypoint");

    if (!is_empty(entrypoint)) { /* --entrypoint: the image's CMD was meant for another program */
        const char *first = json_string_value(json_array_get(entrypoint, 0));

        if (json_array_size(entrypoint) == 1 && first && !*first)
            json_put(config, "Entrypoint", json_null());
        return;
    }
    if (is_empty(json_object_get(config, "Cmd")) && json_object_get(image, "Cmd"))
        json_put(config, "Cmd", json_deep_copy(json_object_get(image, "Cmd")));
    if (json_object_get(image, "Entrypoint"))
        json_put(config, "Entrypoint", json_deep_copy(json_object_get(image, "Entrypoint")));
}

/* What an image's config says is hostile: a string where a list belongs must not reach the rest. */
static int check_types(const json_t *image, struct err *err)
{
    static const struct {
        const char *name;
        json_type type;
    } members[] = {
        {"Env", JSON_ARRAY},         {"Cmd", JSON_ARRAY},     {"Entrypoint", JSON_ARRAY},
        {"Volumes", JSON_OBJECT},    {"Labels", JSON_OBJECT}, {"ExposedPorts", JSON_OBJECT},
        {"WorkingDir", JSON_STRING}, {"User", JSON_STRING},   {"StopSignal", JSON_STRING}};

    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const json_t *value = json_object_get(image, members[i].name);

        if (value && !json_is_null(value) && json_typeof(value) != members[i].type)
            return err_set(err, EINVAL, "the image's config has a %s of the wrong type",
                           members[i].name);
    }
    return 0;
}

/* Each member by itself: --health-interval alone says how often to run the image's command. */
static void merge_health(json_t *config, const json_t *image)
{
    json_t *given = json_object_get(config, "Healthcheck");

    if (json_is_object(given))
        json_object_update_missing(given, json_object_get(image, "Healthcheck"));
    else
        take_if_empty(config, image, "Healthcheck");
}

int config_merge(json_t *config, const json_t *image, struct err *err)
{
    int r = check_types(image, err);

    if (r < 0)
        return r;
    merge_env(config, image);
    merge_command(config, image);
    add_members(config, image, "Labels");
    add_members(config, image, "Volumes");
    add_members(config, image, "ExposedPorts");
    take_if_empty(config, image, "WorkingDir");
    take_if_empty(config, image, "User");
    take_if_empty(config, image, "StopSignal");
    merge_health(config, image);
    take_if_empty(config, image, "Shell");
    take_if_empty(config, image, "OnBuild");
    return 0;
}

int config_command(const json_t *config, struct strv *ret, struct err *err)
{
    json_strings(json_object_get(config, "Entrypoint"), ret);
    json_strings(json_object_get(config, "Cmd"), ret);
    if (!ret->len) /* an empty word is a program that is not found */
        return err_set(err, EINVAL, "No command specified");
    return 0;
}
