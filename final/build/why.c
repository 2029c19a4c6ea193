/* build --why: a step was not found in the cache. The newest step that was done at the same place
 * of the same Dockerfile knows what it was done with; what differs is the answer. */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "build/stage.h"

/* The n-th instruction of that kind in that stage of that file: inserting another instruction does
 * not move it. */
char *why_slot(const struct stage *s)
{
    const struct build_request *request = s->build->request;
    size_t nth = 0;

    for (const struct instruction *in = s->first; in < s->first + s->count && in != s->at; in++)
        nth += in->keyword == s->at->keyword;
    return str_format("%s %s %s%zu %s%zu", request->source, s->build->file.source.name,
                      s->name ? s->name : "", s->index, s->at->name, nth);
}

static const struct {
    const char *member, *text;
} single[] = {
    {"below", "the files it starts from are others: a step before it, or the base image, changed"},
    {"content", "the content of what is copied changed"},
    {"sources", "what is copied is named differently"},
    {"destination", "the destination changed"},
    {"from", "the stage or image it copies from changed"},
    {"user", "USER changed"},
    {"workdir", "WORKDIR changed"},
    {"network", "--network changed"},
    {"mounts", "what is mounted changed"},
    {"epoch", "the time that files get (SOURCE_DATE_EPOCH, or the base image's) changed"},
    {"host", "the limits or hosts it runs with changed"},
    {"version", "another version of cooper has recorded it"},
};

/* The value of NAME in a list of "NAME=value". */
static const char *value(const json_t *list, const char *pair)
{
    size_t n = strcspn(pair, "="), i;
    json_t *item;

    json_array_foreach(list, i,
                       item) if (!strncmp(json_string_value(item), pair, n) &&
                                 json_string_value(item)[n] == '=') return json_string_value(item) +
        n + 1;
    return NULL;
}

static void tell_list(struct stage *s, const char *what, const json_t *before, const json_t *now)
{
    json_t *item;
    size_t i;

    json_array_foreach(now, i, item)
    {
        const char *pair = json_string_value(item), *old = value(before, pair);
        int n = (int)strcspn(pair, "=");

        if (!old)
            stage_tell(s, BUILD_WHY, "%s %.*s is new", what, n, pair);
        else if (strcmp(old, pair + n + 1) != 0)
            stage_tell(s, BUILD_WHY, "%s %.*s was \"%s\" and is \"%s\"", what, n, pair, old,
                       pair + n + 1);
    }
    json_array_foreach(before, i, item) if (!value(now, json_string_value(item)))
        stage_tell(s, BUILD_WHY, "%s %.*s is gone", what,
                   (int)strcspn(json_string_value(item), "="), json_string_value(item));
}

/* --- files ------------------------------------------------------------------------------------ */

#define FILES_TOLD 5

static void tell_file(struct stage *s, const char *what, const char *path, size_t *count)
{
    if (++*count <= FILES_TOLD)
        stage_tell(s, BUILD_WHY, "%s %s", path, what);
}

static void tell_files(struct stage *s, const json_t *before, const json_t *now)
{
    size_t count = 0;
    const char *path;
    json_t *what;

    json_object_foreach((json_t *)now, path, what)
    {
        json_t *old = json_object_get(before, path);

        if (!old)
            tell_file(s, "is new", path, &count);
        else if (!json_equal(old, what))
            tell_file(s, "changed", path, &count);
    }
    json_object_foreach((json_t *)before, path, what) if (!json_object_get(now, path))
        tell_file(s, "is gone", path, &count);
    if (count > FILES_TOLD)
        stage_tell(s, BUILD_WHY, "and %zu more files", count - FILES_TOLD);
}

/* --- all of it -------------------------------------------------------------------------------- */

/* Also when neither has it. */
static bool same(const json_t *before, const json_t *now, const char *member)
{
    json_t *a = json_object_get(before, member), *b = json_object_get(now, member);

    return a == b || json_equal(a, b);
}

static void tell_difference(struct stage *s, const json_t *before, const json_t *now)
{
    for (size_t i = 0; i < sizeof single / sizeof *single; i++)
        if (!same(before, now, single[i].member))
            stage_tell(s, BUILD_WHY, "%s", single[i].text);
    if (!same(before, now, "argv"))
        stage_tell(s, BUILD_WHY, "the command changed");
    tell_list(s, "build argument", json_object_get(before, "args"), json_object_get(now, "args"));
    tell_list(s, "variable", json_object_get(before, "env"), json_object_get(now, "env"));
}

void why_tell(struct stage *s, const json_t *inputs, const json_t *files)
{
    cleanup_free char *slot = NULL;
    cleanup_json json_t *before = NULL, *old_files = NULL;
    struct build_step last;
    struct err ignored = {0};

    if (!s->build->request->why)
        return;
    slot = why_slot(s);
    if (store_build_last(s->engine->store, slot, &last, &ignored) < 0) {
        stage_tell(s, BUILD_WHY, "this step was not done before");
        return;
    }
    before = json_parse(last.inputs, strlen(last.inputs), "inputs", &ignored);
    build_step_free(&last);
    old_files = json_incref(json_object_get(before, "files"));
    json_object_del(before, "files");
    if (json_equal(before, inputs))
        stage_tell(s, BUILD_WHY, "%s",
                   s->build->request->no_cache ? "the cache was not asked (--no-cache)"
                                               : "what it gave was removed");
    else
        tell_difference(s, before, inputs);
    if (files && old_files)
        tell_files(s, old_files, files);
}
