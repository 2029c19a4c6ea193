#include "engine/copy.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/internal.h"
#include "image/image.h"

/* What docker's command line finds by itself is no "response from daemon": cli/ sees by the exit
 * status which it is. */
static int local_error(struct err *err)
{
    err->exit_status = 1;
    return -err->code;
}

static int missing_inside(const struct container *c, const char *asked, const char *path,
                          struct err *err)
{
    return err_set(err, ENOENT, "Could not find the file %s%s in container %s",
                   *path == '/' ? "" : "/", path, asked ? asked : c->name);
}

/* --- where it goes: docker's rules
 * -------------------------------------------------------------- */

/* A directory that is there takes the source in, under its own name, or what is in it; anything
 * else gets the name that was given. */
struct target {
    int dir;
    const char *name; /* NULL: the contents go into `dir` */
    int owned;        /* descriptor to close, or -1 */
};

static int into_directory(const struct copy_place *from, const struct copy_place *to,
                          struct target *ret, struct err *err)
{
    ret->owned = copy_place_enter(to, err);
    if (ret->owned < 0)
        return ret->owned;
    ret->dir = ret->owned;
    ret->name = from->contents ? NULL : copy_place_base(from);
    return 0;
}

static int choose_target(const struct copy_place *from, const struct copy_place *to,
                         struct target *ret, struct err *err)
{
    *ret = (struct target){to->dir, to->name, -1};
    if (from->asserts_directory && !copy_place_is_directory(from))
        return err_set(err, ENOTDIR, "not a directory") | local_error(err);
    if (copy_place_is_directory(to))
        return into_directory(from, to, ret, err);
    if (to->exists && copy_place_is_directory(from))
        return err_set(err, EISDIR, "cannot copy directory") | local_error(err);
    if (to->asserts_directory && !copy_place_is_directory(from))
        return err_set(err, ENOENT, "no such directory") | local_error(err);
    return 0;
}

/* A directory's contents under a new name: the directory is made first, as its source is. */
static int copy_to_target(const struct copy_place *from, const struct target *target,
                          struct copy_work *w, struct err *err)
{
    cleanup_close int parent = -1;
    const char *name = from->name;

    if (from->contents && target->name) {
        /* Its own name is not known ("."): it is reached through its path again. */
        if (mkdirat(target->dir, target->name, 0755) < 0)
            return err_errno(err, "cannot make directory '%s'", target->name);
        parent = openat(target->dir, target->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (parent < 0)
            return err_errno(err, "cannot open directory '%s'", target->name);
        return copy_tree(w, from->dir, ".", parent, NULL, err);
    }
    return copy_tree(w, from->dir, name, target->dir, target->name, err);
}

static int copy_between(const struct copy_place *from, const struct copy_place *to,
                        const struct copy_rules *rules, uint64_t *ret_bytes, struct err *err)
{
    struct target target;
    struct copy_work *w;
    uint64_t bytes;
    int r = choose_target(from, to, &target, err);

    if (r < 0)
        return r;
    w = copy_work_new(rules);
    r = copy_to_target(from, &target, w, err);
    bytes = copy_work_free(w);
    close_fd(&target.owned);
    if (!r)
        *ret_bytes = bytes;
    return r;
}

/* docker's two texts for what the kernel says alike. */
int copy_read_only(const struct container *c, struct err *err)
{
    return err_set(err, EROFS, "%s is marked read-only",
                   json_flag(c->config, "HostConfig.ReadonlyRootfs", false) ? "container rootfs"
                                                                            : "mounted volume");
}

/* --- out of a container
 * ------------------------------------------------------------------------- */

static int find_inside(const struct container *c, int root, const char *path, bool follow,
                       const struct copy_options *o, struct copy_place *ret, struct err *err)
{
    int r = copy_place_find(root, path, follow, ret, err);

    if (!r && !ret->exists && S_ISLNK(ret->st.st_mode))
        r = -ENOENT;
    return r == -ENOENT && !err->code ? missing_inside(c, o->asked, path, err) : r;
}

static int must_exist(const struct container *c, struct copy_place *p, const char *path,
                      const struct copy_options *o, struct err *err)
{
    if (!p->exists)
        return missing_inside(c, o->asked, path, err);
    if (!o->archive && (S_ISCHR(p->st.st_mode) || S_ISBLK(p->st.st_mode)))
        return err_set(err, EPERM,
                       "'%s' is a device node: only --archive makes such a thing on the host",
                       p->path);
    return 0;
}

static int find_host_target(const char *path, struct copy_place *ret, struct err *err)
{
    int r = copy_place_find(-1, path, true, ret, err);

    if (r == -ENOENT && !err->code) {
        cleanup_free char *here = *path == '/' ? str_copy("") : getcwd(NULL, 0);
        cleanup_free char *whole = str_format("%s%s%s", here ? here : "", *here ? "/" : "", path);
        char *slash = strrchr(whole, '/');

        *(slash == whole ? slash + 1 : slash) = 0;
        err_set(err, ENOENT, "invalid output path: directory \"%s\" does not exist", whole);
        return local_error(err);
    }
    return r;
}

int engine_copy_out(struct engine *e, const struct container *c, const char *from, const char *to,
                    const struct copy_options *options, uint64_t *ret_bytes, struct err *err)
{
    struct copy_rules rules = {
        .take_ownership = !options->archive, .tame = !options->archive, .options = options};
    struct copy_place source = {.dir = -1}, target = {.dir = -1};
    struct copy_root root;
    int r = find_host_target(to, &target, err);

    if (!r)
        r = copy_root_open(e, c, &root, err);
    if (r < 0) {
        copy_place_free(&target);
        return r;
    }
    r = find_inside(c, root.fd, from, options->follow, options, &source, err);
    if (!r)
        r = must_exist(c, &source, from, options, err);
    if (!r)
        r = copy_between(&source, &target, &rules, ret_bytes, err);
    copy_place_free(&source);
    copy_place_free(&target);
    copy_root_close(e, c, &root);
    container_event(e, c, "archive-path", NULL);
    return r;
}

static int sink_to_fd(void *context, const void *data, size_t len, struct err *err)
{
    int r = file_write(*(int *)context, data, len);

    return r < 0 ? err_set(err, -r, "cannot write the tar: %s", strerror(-r)) : 0;
}

static int pack(int dir, const char *name, const char *as, int out, struct err *err)
{
    struct tar_writer *w = tar_writer_new(sink_to_fd, &out);
    int r = tar_writer_add_tree(w, dir, name, as, err);

    if (!r)
        r = tar_writer_end(w, err);
    tar_writer_free(w);
    return r;
}

static int pack_place(const struct copy_place *p, int out, struct err *err)
{
    if (p->asserts_directory && !copy_place_is_directory(p))
        return err_set(err, ENOTDIR, "not a directory");
    return p->contents ? pack(p->dir, ".", ".", out, err)
                       : pack(p->dir, p->name, copy_place_base(p), out, err);
}

int engine_copy_out_tar(struct engine *e, const struct container *c, const char *from, int out,
                        const struct copy_options *options, struct err *err)
{
    struct copy_place source = {.dir = -1};
    struct copy_root root;
    int r = copy_root_open(e, c, &root, err);

    if (r < 0)
        return r;
    r = find_inside(c, root.fd, from, options->follow, options, &source, err);
    if (!r)
        r = must_exist(c, &source, from, options, err);
    if (!r)
        r = pack_place(&source, out, err);
    copy_place_free(&source);
    copy_root_close(e, c, &root);
    container_event(e, c, "archive-path", NULL);
    return r;
}

/* --- into a container
 * --------------------------------------------------------------------------- */

static int find_host_source(const char *path, bool follow, struct copy_place *ret, struct err *err)
{
    int r = copy_place_find(-1, path, follow, ret, err);

    if (!r && !ret->exists) {
        copy_place_free(ret);
        r = -ENOENT;
    }
    if (r == -ENOENT && !err->code) {
        cleanup_free char *here = *path == '/' ? NULL : getcwd(NULL, 0);

        err_set(err, ENOENT, "lstat %s%s%s: no such file or directory", here ? here : "",
                here ? "/" : "", path);
        return local_error(err);
    }
    return r;
}

/* docker names the directory that would have to be there. */
static int find_target_inside(const struct container *c, int root, const char *path,
                              const struct copy_options *o, struct copy_place *ret, struct err *err)
{
    int r = copy_place_find(root, path, true, ret, err);

    if (r == -ENOENT && !err->code) {
        cleanup_free char *parent = str_copy(path);
        size_t n = strlen(parent);

        while (n > 1 && parent[n - 1] == '/')
            parent[--n] = 0;
        n = (size_t)(strrchr(parent, '/') ? strrchr(parent, '/') - parent : 0);
        parent[n] = 0;
        return missing_inside(c, o->asked, parent, err);
    }
    return r;
}

int engine_copy_in(struct engine *e, const struct container *c, const char *from, const char *to,
                   const struct copy_options *options, uint64_t *ret_bytes, struct err *err)
{
    struct copy_rules rules = {.options = options};
    struct copy_place source = {.dir = -1}, target = {.dir = -1};
    struct copy_root root;
    int r = find_host_source(from, options->follow, &source, err);

    if (!r)
        r = copy_root_open(e, c, &root, err);
    if (r < 0) {
        copy_place_free(&source);
        return r;
    }
    r = find_target_inside(c, root.fd, to, options, &target, err);
    if (!r)
        r = copy_between(&source, &target, &rules, ret_bytes, err);
    copy_place_free(&source);
    copy_place_free(&target);
    copy_root_close(e, c, &root);
    if (r == -EROFS)
        return copy_read_only(c, err);
    if (!r)
        container_event(e, c, "extract-to-dir", NULL);
    return r;
}

int copy_open_directory(struct engine *e, const struct container *c, const char *to,
                        const struct copy_options *options, struct copy_root *ret_root,
                        struct err *err)
{
    struct copy_place target = {.dir = -1};
    int r = copy_root_open(e, c, ret_root, err);

    if (r < 0)
        return r;
    r = copy_place_find(ret_root->fd, to, true, &target, err);
    if ((!r && !copy_place_is_directory(&target)) || (r == -ENOENT && !err->code)) {
        err_set(err, ENOTDIR, "destination \"%s:%s\" must be a directory",
                options->asked ? options->asked : c->name, to);
        r = local_error(err);
    }
    if (!r)
        r = copy_place_enter(&target, err);
    copy_place_free(&target);
    if (r < 0)
        copy_root_close(e, c, ret_root);
    return r;
}

/* --- export
 * ------------------------------------------------------------------------------------- */

/* The image's files and what the container wrote over them, without anything that is mounted on
 * them. A read-only overlay of the same directories shows just that, also while the container's own
 * overlay is at work on them. */
int engine_export(struct engine *e, const struct container *c, int out, struct err *err)
{
    cleanup_close int root = container_open_files(e, c, err);
    int r = root < 0 ? root : pack(root, ".", ".", out, err);

    if (!r)
        container_event(e, c, "export", NULL);
    return r;
}
