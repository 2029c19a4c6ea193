#include "support/puller.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "support/run.h"

static char *directory, *root;
static struct engine *engine;
static struct buf said;
static void (*watcher)(const char *id, const char *status);

void puller_make(void)
{
    struct err err = {0};

    directory = temp_dir();
    root = str_format("%s/root", directory);
    setenv("DOCKER_CONFIG", directory, 1);
    unsetenv("COOPER_REGISTRIES");
    ck_assert_msg(!engine_open(root, &engine, &err), "%s", err.message);
}

void puller_drop(void)
{
    engine_close(engine);
    engine = NULL;
    temp_dir_remove(steal_ptr(&directory));
    free(steal_ptr(&root));
    buf_free(&said);
    said = (struct buf){0};
    watcher = NULL;
}

const char *puller_root(void)
{
    return root;
}

const char *puller_docker_config(void)
{
    return directory;
}

struct engine *puller_engine(void)
{
    return engine;
}

static void take_line(void *context, const char *text)
{
    (void)context;
    buf_printf(&said, "%s\n", text);
}

static void take_status(void *context, const char *id, const char *status, uint64_t done,
                        uint64_t total)
{
    (void)context, (void)done, (void)total;
    if (watcher)
        watcher(id, status);
    if (strcmp(status, "Downloading") && strcmp(status, "Extracting"))
        buf_printf(&said, "%s: %s\n", id, status);
}

int pull(const char *name, const struct pull_options *options, struct err *err)
{
    static const struct pull_progress progress = {.line = take_line, .layer = take_status};

    buf_free(&said);
    said = (struct buf){0};
    buf_add_str(&said, "");
    return engine_pull(engine, name, options, &progress, err);
}

void pull_ok(const char *name)
{
    struct err err = {0};
    int r = pull(name, NULL, &err);

    ck_assert_msg(!r, "pull %s: %d: %s", name, r, err.message);
    ck_assert_uint_eq(puller_count("staging"), 0);
    ck_assert_uint_eq(puller_count("blobs/partial"), 0);
}

const char *puller_said(void)
{
    return said.data;
}

bool puller_said_line(const char *line)
{
    cleanup_strv struct strv lines = {0};

    strv_split(&lines, said.data, '\n');
    return strv_contains(&lines, line);
}

void puller_watch(void (*watch)(const char *id, const char *status))
{
    watcher = watch;
}

unsigned puller_count(const char *name)
{
    cleanup_free char *path = str_format("%s/%s", root, name);
    cleanup_closedir DIR *dir = opendir(path);
    unsigned count = 0;
    struct dirent *entry;

    ck_assert_msg(dir, "no directory '%s'", path);
    while ((entry = readdir(dir)))
        count += *entry->d_name != '.';
    return count;
}

void puller_assert_nothing(unsigned partials)
{
    struct image_list images = {0};
    struct err err = {0};

    ck_assert_int_eq(store_images(engine->store, &images, &err), 0);
    ck_assert_uint_eq(images.len, 0);
    image_list_free(&images);
    ck_assert_uint_eq(puller_count("layers"), 0);
    ck_assert_uint_eq(puller_count("staging"), 0);
    ck_assert_uint_eq(puller_count("blobs/sha256"), 0);
    ck_assert_uint_eq(puller_count("blobs/partial"), partials);
}

char *puller_path(const char *canonical, const char *path)
{
    cleanup_strv struct strv dirs = {0};
    struct image image;
    struct err err = {0};
    char *found = NULL;

    ck_assert_int_eq(store_image_by_reference(engine->store, canonical, &image, &err), 0);
    ck_assert_int_eq(store_image_layers(engine->store, image.id, &dirs, NULL, &err), 0);
    image_free(&image);
    for (size_t i = dirs.len; i-- > 0 && !found;) {
        char *file = str_format("%s/layers/%s/%s", root, dirs.items[i], path);

        if (faccessat(AT_FDCWD, file, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
            free(file);
        else
            found = file;
    }
    return found;
}

char *puller_file(const char *canonical, const char *path)
{
    cleanup_free char *file = puller_path(canonical, path);
    struct buf content = {0};
    struct err err = {0};

    if (!file)
        return NULL;
    ck_assert_msg(!file_load(AT_FDCWD, file, 1 << 20, &content, &err), "%s", err.message);
    return buf_steal(&content);
}
