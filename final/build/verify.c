/* build --verify: is it reproducible? The image is built once more, without the cache and without
 * being kept, and the two are compared. If a layer is another, so is everything that lies on it:
 * the first one that differs is what there is to tell, with the files in it that do. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "build/stage.h"
#include "image/image.h"

#define DIFFERENCES_MAX 20 /* files that are listed */

/* --- the files of a layer --------------------------------------------------------------------- */

static int hash_file(int dir, const char *name, char ret[DIGEST_LEN + 1], struct err *err)
{
    cleanup_close int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct hasher *hasher = hasher_new();
    char block[65536];
    ssize_t n = 0;

    while (fd >= 0 && (n = file_read(fd, block, sizeof block)) > 0)
        hasher_add(hasher, block, (size_t)n);
    hasher_finish(hasher, ret);
    return fd < 0 || n < 0 ? err_errno(err, "cannot read '%s'", name) : 0;
}

/* What a layer's tar tells of a file, in one string. */
static int describe(int dir, const char *name, const struct stat *st, struct buf *out,
                    struct err *err)
{
    char text[4096] = "";

    buf_printf(out, "mode %o, owner %u:%u, time %lld, ", st->st_mode, st->st_uid, st->st_gid,
               (long long)st->st_mtim.tv_sec);
    if (S_ISREG(st->st_mode) && hash_file(dir, name, text, err) < 0)
        return -err->code;
    if (S_ISLNK(st->st_mode) && readlinkat(dir, name, text, sizeof text - 1) < 0)
        return err_errno(err, "cannot read '%s'", name);
    buf_add_str(out, text);
    return 0;
}

static int list_files(int dir, const char *path, json_t *ret, struct err *err)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    cleanup_closedir DIR *list = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;

    while (list && r >= 0 && (entry = file_next_entry(list))) {
        cleanup_free char *whole = str_format("%s/%s", path, entry->d_name);
        cleanup_buf struct buf text = {0};
        cleanup_close int fd = -1;
        struct stat st;

        if (fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return err_errno(err, "cannot stat '%s'", whole);
        r = describe(dir, entry->d_name, &st, &text, err);
        if (json_object_set_new(ret, whole, json_string(text.data)) < 0) /* no UTF-8 */
            json_put(ret, "(a name that is not UTF-8)", json_null());
        if (r >= 0 && S_ISDIR(st.st_mode)) {
            fd = openat(dir, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            r = fd < 0 ? err_errno(err, "cannot open '%s'", whole)
                       : list_files(fd, whole, ret, err);
        }
    }
    return list ? r : err_errno(err, "cannot list '%s'", path);
}

static int list_layer(struct engine *e, const char *chain, json_t **ret, struct err *err)
{
    cleanup_close int dir = -1;
    struct layer layer;
    int r = store_layer_find(e->store, chain, &layer, err);

    if (r < 0)
        return r == -ENOENT ? err_set(err, ENOENT, "layer '%s' is gone", chain) : r;
    dir = openat(e->store->layers_fd, layer.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return err_errno(err, "cannot open layer '%s'", layer.dir);
    *ret = json_object();
    return list_files(dir, "", *ret, err);
}

/* --- comparing -------------------------------------------------------------------------------- */

static void tell_files(const json_t *first, const json_t *second, struct strv *ret)
{
    size_t count = 0;
    const char *path;
    json_t *value;

    json_object_foreach((json_t *)first, path, value)
    {
        const json_t *other = json_object_get(second, path);

        if (json_equal(value, (json_t *)other) || ++count > DIFFERENCES_MAX)
            continue;
        if (!other)
            strv_take(ret, str_format("  %s: only in the first", path));
        else
            strv_take(ret, str_format("  %s:\n    first  %s\n    second %s", path,
                                      json_string_value(value), json_string_value(other)));
    }
    json_object_foreach((json_t *)second, path,
                        value) if (!json_object_get(first, path) && ++count <= DIFFERENCES_MAX)
        strv_take(ret, str_format("  %s: only in the second", path));
    if (count > DIFFERENCES_MAX)
        strv_take(ret, str_format("  and %zu more", count - DIFFERENCES_MAX));
}

/* The step that made the n-th layer, as history has it. */
static const char *step_of(const json_t *document, size_t layer)
{
    size_t i, seen = 0;
    json_t *entry;

    json_array_foreach(json_object_get(document, "history"), i,
                       entry) if (!json_flag(entry, "empty_layer", false) &&
                                  seen++ == layer) return json_str(entry, "created_by", "");
    return "";
}

static const char *diff_id(const json_t *document, size_t i)
{
    const char *text = json_string_value(json_array_get(json_at(document, "rootfs.diff_ids"), i));

    return text ? text : "";
}

static int tell_layer(struct engine *e, const json_t *first, const json_t *second, size_t at,
                      const char *below, struct strv *ret, struct err *err)
{
    cleanup_json json_t *one = NULL, *two = NULL;
    char chain[DIGEST_LEN + 1];
    int r = 0;

    strv_take(ret, str_format("the step '%s' gave other files:", step_of(first, at)));
    if (!*diff_id(first, at) || !*diff_id(second, at)) {
        strv_take(ret, str_copy("  one of them has no files at all"));
        return 0;
    }
    chain_id(below, diff_id(first, at), chain);
    r = list_layer(e, chain, &one, err);
    chain_id(below, diff_id(second, at), chain);
    if (r >= 0)
        r = list_layer(e, chain, &two, err);
    if (r >= 0)
        tell_files(one, two, ret);
    return r;
}

static int compare(struct engine *e, const json_t *first, const json_t *second, struct strv *ret,
                   struct err *err)
{
    char below[DIGEST_LEN + 1] = "", chain[DIGEST_LEN + 1];

    for (size_t i = 0; *diff_id(first, i) || *diff_id(second, i); i++) {
        if (strcmp(diff_id(first, i), diff_id(second, i)) != 0)
            return tell_layer(e, first, second, i, below, ret, err);
        chain_id(below, diff_id(first, i), chain);
        strcpy(below, chain);
    }
    strv_take(ret, str_copy("the files are the same, the configurations are not"));
    return 0;
}

int build_verify(struct engine *e, const struct build_request *request,
                 const struct build_result *first, struct strv *ret, struct build_result *second,
                 struct err *err)
{
    struct build_request again = *request;
    cleanup_close int hold = store_hold(e->store, err);
    int r = hold < 0 ? hold : 0;

    *second = (struct build_result){0};
    again.no_cache = again.rehearsal = true;
    again.why = false;
    if (r >= 0)
        r = build_image(e, &again, second, err);
    if (r < 0 || !strcmp(first->id, second->id))
        return r;
    r = compare(e, first->document, second->document, ret, err);
    return r < 0 ? r : 1;
}
