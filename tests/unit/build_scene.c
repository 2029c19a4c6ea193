#include "build_scene.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "build_files.h"
#include "support/suite.h"

char scene[4096];
struct store *store;
struct err err;
int from, below, stage;

static int make_directory(const char *name)
{
    cleanup_free char *path = str_format("%s/%s", scene, name);
    int fd;

    ck_assert_int_eq(mkdir(path, 0755), 0);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}

void scene_make(void)
{
    cleanup_free char *root = NULL;

    snprintf(scene, sizeof scene, "%s/add-XXXXXX", getenv("TMPDIR"));
    ck_assert_ptr_nonnull(mkdtemp(scene));
    umask(022);
    from = make_directory("from");
    below = make_directory("below");
    stage = make_directory("stage");
    root = str_format("%s/root", scene);
    ck_assert_msg(!store_open(root, &store, &err), "%s", err.message);
}

void scene_remove(void)
{
    struct err ignored;

    store_close(store);
    file_remove_tree(AT_FDCWD, scene, &ignored);
}

/* One ADD or COPY; what it says of itself before and after must agree. */
int scene_copy(struct copy_request *request, const char *source, char digest[DIGEST_LEN + 1])
{
    const struct copy_target target = {stage, below};
    const struct tree tree = {.root = from, .what = "build context"};
    cleanup_strv struct strv sources = {0};
    char again[DIGEST_LEN + 1];
    struct copy_plan *plan;
    int r;

    if (source)
        strv_add(&sources, source);
    request->store = store;
    request->sources = &sources;
    if (!request->from)
        request->from = &tree;
    r = copy_plan(request, &plan, &err);
    if (r < 0)
        return r;
    copy_plan_digest(plan, digest);
    r = copy_apply(plan, &target, &err);
    copy_plan_digest(plan, again);
    copy_plan_free(plan);
    ck_assert(r < 0 || !strcmp(digest, again));
    return r;
}

void scene_must_copy(struct copy_request *request, const char *source, const char *result)
{
    cleanup_free char *told = NULL;
    char digest[DIGEST_LEN + 1];

    ck_assert_msg(!scene_copy(request, source, digest), "%s", err.message);
    told = files_tell(stage);
    ck_assert_str_eq(told, result);
}

void scene_must_refuse(struct copy_request *request, const char *source, const char *message)
{
    char digest[DIGEST_LEN + 1];

    ck_assert_int_lt(scene_copy(request, source, digest), 0);
    ck_assert_msg(strstr(err.message, message) != NULL, "%s", err.message);
}

bool scene_is_clean(void)
{
    cleanup_close int fd = openat(store->root_fd, "staging", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_closedir DIR *list = fdopendir(dup(fd));

    return !file_next_entry(list);
}

void scene_plan(struct copy_request *request, const char *source, char digest[DIGEST_LEN + 1])
{
    const struct tree tree = {.root = from, .what = "build context"};
    cleanup_strv struct strv sources = {0};
    struct copy_plan *plan;

    strv_add(&sources, source);
    request->from = &tree;
    request->sources = &sources;
    ck_assert_msg(!copy_plan(request, &plan, &err), "%s", err.message);
    copy_plan_digest(plan, digest);
    copy_plan_free(plan);
}

int64_t scene_time(const char *path)
{
    struct stat st;

    ck_assert_msg(!fstatat(stage, path, &st, AT_SYMLINK_NOFOLLOW), "%s", path);
    ck_assert_int_eq(st.st_mtim.tv_nsec, 0);
    return st.st_mtime;
}
