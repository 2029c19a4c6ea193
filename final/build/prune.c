/* builder prune. A step's row and its layer go together; the rows that were built on it go with the
 * next collection, since their ground is gone. Caches of RUN --mount=type=cache go only with --all,
 * and never one that a build has in its hands. */
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "build/stage.h"

static bool allows(const struct build_prune *what, const struct build_step *step)
{
    if (what->until_ns && step->used_ns >= what->until_ns)
        return false;
    return what->all || !step->in_use;
}

static uint64_t size_of(const struct build_step *step)
{
    return step->in_use ? 0 : step->size; /* an image keeps the layer */
}

static int prune_steps(struct engine *e, const struct build_prune *what, struct strv *ret,
                       uint64_t *ret_bytes, struct err *err)
{
    struct build_step_list list = {0};
    uint64_t total = 0;
    int r = store_build_list(e->store, &list, err);

    for (size_t i = 0; i < list.len; i++)
        total += size_of(&list.items[i]);
    for (size_t i = 0; i < list.len && r >= 0; i++) {
        const struct build_step *step = &list.items[i];

        if (!allows(what, step) || (what->keep_bytes && total <= what->keep_bytes))
            continue;
        r = store_build_remove(e->store, step->key, err);
        if (r <= 0)
            continue;
        strv_add(ret, digest_hex(step->key));
        *ret_bytes += size_of(step);
        total -= size_of(step);
    }
    build_step_list_free(&list);
    return r;
}

/* --- caches of RUN ---------------------------------------------------------------------------- */

static int prune_cache(struct engine *e, const struct build_prune *what, const char *name,
                       struct strv *ret, uint64_t *ret_bytes, struct err *err)
{
    cleanup_free char *path = str_format("build/cache/%s", name);
    cleanup_close int dir = store_build_directory(e->store, name, false, err);
    unsigned long long size = 0;
    struct stat st;
    int r;

    if (dir < 0 || fstat(dir, &st) < 0)
        return dir == -ENOENT ? 0 : -err->code;
    if (flock(dir, LOCK_EX | LOCK_NB) < 0 ||
        (what->until_ns && st.st_mtim.tv_sec * 1000000000LL >= what->until_ns))
        return 0;
    r = file_tree_size(e->store->root_fd, path, &size, err);
    if (r >= 0)
        r = file_remove_tree(e->store->root_fd, path, err);
    if (r < 0)
        return r;
    strv_add(ret, name);
    *ret_bytes += size;
    return 0;
}

static int prune_caches(struct engine *e, const struct build_prune *what, struct strv *ret,
                        uint64_t *ret_bytes, struct err *err)
{
    int fd = openat(e->store->root_fd, "build/cache", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    cleanup_closedir DIR *list = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    while (list && r >= 0 && (entry = file_next_entry(list)))
        r = prune_cache(e, what, entry->d_name, ret, ret_bytes, err);
    return r;
}

int build_prune(struct engine *e, const struct build_prune *what, struct strv *ret_ids,
                uint64_t *ret_bytes, struct err *err)
{
    int r = prune_steps(e, what, ret_ids, ret_bytes, err);

    if (r >= 0 && what->all && !what->keep_bytes)
        r = prune_caches(e, what, ret_ids, ret_bytes, err);
    if (r >= 0 && what->all && !what->keep_bytes && !what->until_ns) /* what contexts contained */
        r = file_remove_tree(e->store->root_fd, "build/hashes", err);
    if (r >= 0)
        r = store_collect(e->store, err);
    return r < 0 ? r : 0;
}
