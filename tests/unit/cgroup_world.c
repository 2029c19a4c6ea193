#include "cgroup_world.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "support/run.h"

#define GROUP "/box/one"

static void make_dirs(const char *path)
{
    struct err err = {0};

    ck_assert_msg(!file_make_dirs(AT_FDCWD, path, 0755, &err), "%s", err.message);
}

void fake_begin(int version, struct cgroup *ret)
{
    *ret = (struct cgroup){.version = version, .dir = -1};
    ret->root = temp_dir();
    ret->path = str_copy(GROUP);
    ret->unified = version == 2 ? str_copy(ret->root) : NULL;
}

void fake_end(struct cgroup *cg)
{
    free(cg->unified);
    free(cg->path);
    temp_dir_remove(cg->root);
}

static void store(const char *path, const char *content)
{
    struct err err = {0};
    cleanup_free char *directory = str_copy(path);

    *strrchr(directory, '/') = 0;
    make_dirs(directory);
    ck_assert_msg(!file_store(AT_FDCWD, path, content, strlen(content), 0644, false, &err), "%s",
                  err.message);
}

/* "memory/memory.max" -> the controller's tree, the group, the file. */
static char *path_of(const struct cgroup *cg, const char *file)
{
    size_t n = strcspn(file, "/");

    return file[n] ? str_format("%s/%.*s" GROUP "%s", cg->root, (int)n, file, file + n)
                   : str_format("%s" GROUP "/%s", cg->root, file);
}

void fake_file(const struct cgroup *cg, const char *file, const char *content)
{
    cleanup_free char *path = path_of(cg, file);

    store(path, content);
}

void fake_file_above(const struct cgroup *cg, const char *group, const char *file,
                     const char *content)
{
    cleanup_free char *path = str_format("%s%s/%s", cg->root, group, file);

    store(path, content);
}

char *fake_content(const struct cgroup *cg, const char *file)
{
    cleanup_free char *path = path_of(cg, file);
    struct buf text = {0};
    struct err err = {0};

    ck_assert_msg(!file_load(AT_FDCWD, path, 1 << 16, &text, &err), "%s", err.message);
    return buf_steal(&text);
}

json_t *resources_of(const char *text)
{
    cleanup_free char *copy = str_copy(text);
    struct err err = {0};
    json_t *json;

    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    json = json_parse(copy, strlen(copy), "resources", &err);
    ck_assert_msg(json != NULL, "%s: %s", copy, err.message);
    return json;
}

char *planned(const struct cgroup *cg, const char *resources, bool update)
{
    cleanup_with(cgroup_plan_free) struct cgroup_plan plan = {0};
    cleanup_json json_t *json = resources_of(resources);
    struct buf text = {0};
    struct err err = {0};
    int r = cgroup_check_resources(json, &err);

    if (!r)
        r = cg->version == 2 ? cgroup_v2_plan(cg, json, update, &plan, &err)
                             : cgroup_v1_plan(cg, json, update, &plan, &err);
    if (r < 0)
        return str_copy(err.message);
    for (size_t i = 0; i < plan.len; i++)
        buf_printf(&text, "%s=%s;", plan.items[i].file, plan.items[i].text);
    return buf_steal(&text);
}
