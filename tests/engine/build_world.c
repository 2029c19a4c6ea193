#include "engine/build_world.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"

#define ARGS_MAX 32

const char *build_path(const char *context)
{
    static char path[512];
    cleanup_free char *whole = world_path(context);

    snprintf(path, sizeof path, "%s", whole);
    return path;
}

void build_file(const char *context, const char *path, const char *text)
{
    cleanup_free char *whole = str_format("%s/%s", build_path(context), path);
    cleanup_free char *dir = str_copy_n(whole, (size_t)(strrchr(whole, '/') - whole));
    struct err err = {0};

    ck_assert_msg(!file_make_dirs(AT_FDCWD, dir, 0755, &err), "%s", err.message);
    ck_assert_msg(!file_store(AT_FDCWD, whole, text, strlen(text), 0644, false, &err), "%s",
                  err.message);
}

void build_clear(void)
{
    cleanup_free char *contexts = world_path(""), *script = NULL;
    cleanup_run struct run_result r = {0};

    world_clear();
    COOPER(&r, "rmi", "-f", "made:1", "made:2", "made:3");
    COOPER(&r, "image", "prune", "-f");
    COOPER(&r, "builder", "prune", "-a", "-f");
    script = str_format("rm -rf %s/ctx*", contexts);
    RUN_OK(&r, NULL, "sh", "-c", script);
}

static void assemble(const char *context, const char *const first[], const char *const args[],
                     const char *ret[ARGS_MAX])
{
    size_t n = 0;

    for (; *first; first++)
        ret[n++] = *first;
    for (; args && *args && n < ARGS_MAX - 2; args++)
        ret[n++] = *args;
    ret[n++] = build_path(context);
    ret[n] = NULL;
}

const char *build_run(const char *context, const char *const args[])
{
    const char *argv[ARGS_MAX];

    assemble(context, (const char *const[]){"build", NULL}, args, argv);
    return world_expect(__FILE__, 0, NULL, "", argv);
}

char *build_id(const char *context, const char *const args[])
{
    const char *argv[ARGS_MAX];

    assemble(context, (const char *const[]){"build", "-q", NULL}, args, argv);
    return world_output(argv);
}

void build_fails(const char *context, const char *err)
{
    const char *argv[ARGS_MAX];

    assemble(context, (const char *const[]){"build", NULL}, NULL, argv);
    world_expect(__FILE__, 1, NULL, err, argv);
}

unsigned build_count(const char *all, const char *text)
{
    unsigned count = 0;

    for (const char *p = all; (p = strstr(p, text)); p += strlen(text))
        count++;
    return count;
}
