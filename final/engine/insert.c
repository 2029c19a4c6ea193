/* insert IMAGE URL PATH: one more file in an image. Docker had this command until 1.6; what it does
 * today is `ADD URL PATH` in a Dockerfile.
 *
 * Where PATH is only the image can say: its directories may be symlinks. So the image's layers are
 * mounted as a container's would be, in a mount namespace of this process's own, and the file is
 * made beneath that root; what the overlay then has in its upper directory is the layer.
 */
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/internal.h"
#include "registry/registry.h"

#define FILE_MODE 0644 /* docker's: as os.Create makes it */

/* --- the mount -------------------------------------------------------------------------------- */

static int make_directories(int stage_fd, const struct stat *root, struct err *err)
{
    static const char *const names[] = {"upper", "work", "merged"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (mkdirat(stage_fd, names[i], 0700) < 0)
            return err_errno(err, "cannot make '%s'", names[i]);
    if (fchmodat(stage_fd, "upper", root->st_mode & 07777, 0) < 0 ||
        fchownat(stage_fd, "upper", root->st_uid, root->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "cannot set the mode of the image's root");
    return 0;
}

/* The overlay's lower directories are named relative to layers/, so this process stands there:
 * before the new namespace, which takes the place where it stands along, but no open file:
 * overlayfs refuses what is seen through another namespace's mounts. */
static int mount_at(struct engine *e, const char *merged, const char *options, struct err *err)
{
    if (fchdir(e->store->layers_fd) < 0 || unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_errno(err, "cannot make a mount namespace");
    if (mount("overlay", merged, "overlay", 0, options) < 0)
        return err_errno(err, "cannot mount the image");
    return 0;
}

static int open_image(struct engine *e, const struct image *image, const char *stage, int stage_fd,
                      struct err *err)
{
    cleanup_strv struct strv dirs = {0};
    cleanup_free char *place = str_format("staging/%s", stage), *options = NULL;
    cleanup_free char *merged = str_format("../%s/merged", place);
    struct stat root = {.st_mode = 0755};
    int fd, r = store_image_layers(e->store, image->id, &dirs, NULL, err);

    if (r >= 0)
        r = store_overlay_options(e->store, &dirs, place, true, &options, err);
    if (r < 0)
        return r;
    fstatat(e->store->layers_fd, dirs.items[dirs.len - 1], &root, AT_SYMLINK_NOFOLLOW);
    r = make_directories(stage_fd, &root, err);
    if (!r)
        r = mount_at(e, merged, options, err);
    if (r < 0)
        return r;
    fd = open(merged, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        r = err_errno(err, "cannot open the image's root");
    if (umount2(merged, MNT_DETACH) < 0 && fd >= 0) /* the open directory keeps it */
        r = err_errno(err, "cannot take the image's root from its place");
    if (r < 0)
        close_fd(&fd);
    return r < 0 ? r : fd;
}

/* --- the file --------------------------------------------------------------------------------- */

static int write_piece(void *context, const void *data, size_t len, struct err *err)
{
    int r = file_write(*(int *)context, data, len);

    return r < 0 ? err_set(err, -r, "cannot write the file: %s", strerror(-r)) : 0;
}

static bool is_cancelled(void *context)
{
    const volatile bool *const *cancelled = context;

    return *cancelled && **cancelled;
}

/* Symlinks are followed as the container would; the file itself is made anew, never written
 * through. */
static int add_file(int root, const char *url, const char *path, const volatile bool *cancelled,
                    struct err *err)
{
    const struct registry_options options = {.cancelled = is_cancelled, .context = &cancelled};
    char name[256];
    cleanup_close int parent = beneath_parent(root, path, true, name, err), fd = -1;
    int r;

    if (parent < 0)
        return parent;
    if (unlinkat(parent, name, 0) < 0 && errno != ENOENT)
        return err_errno(err, "cannot replace '%s'", path);
    fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (fd < 0 || fchmod(fd, FILE_MODE) < 0)
        return err_errno(err, "cannot create '%s' in the image", path);
    r = registry_fetch(url, &options, write_piece, &fd, err);
    return r;
}

/* Fetches into the image's mount and moves what came of it to `layer_fd`. */
static int make_layer(struct engine *e, const struct image *image, const char *url,
                      const char *path, const volatile bool *cancelled, int layer_fd,
                      struct err *err)
{
    static const struct layer_below nothing = {0};
    char stage[64];
    struct err ignored;
    cleanup_close int stage_fd = store_stage(e->store, stage, err), root = -1, upper = -1;
    int r;

    if (stage_fd < 0)
        return stage_fd;
    root = r = open_image(e, image, stage, stage_fd, err);
    if (r >= 0)
        r = add_file(root, url, path, cancelled, err);
    close_fd(&root); /* the mount ends with it */
    if (r >= 0) {
        upper = openat(stage_fd, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = upper < 0 ? err_errno(err, "cannot open the layer")
                      : layer_copy(upper, &nothing, layer_fd, err);
    }
    store_stage_drop(e->store, stage, &ignored);
    return r;
}

/* --- the image -------------------------------------------------------------------------------- */

static int insert(struct engine *e, const struct image *image, const char *url, const char *path,
                  const volatile bool *cancelled, char ret_id[DIGEST_LEN + 1], struct err *err)
{
    cleanup_json json_t *parent = store_image_config(e->store, image->id, err);
    cleanup_free char *created_by = str_format("insert %s %s", url, path);
    const struct image_step step = {.parent = image->id,
                                    .config = json_object_get(parent, "config"),
                                    .created_by = created_by,
                                    .author = json_str(parent, "author", ""),
                                    .comment = json_str(parent, "comment", "")};
    char stage[64];
    struct err ignored;
    cleanup_close int stage_fd = parent ? store_stage(e->store, stage, err) : -1;
    int r = stage_fd < 0 ? -err->code : make_layer(e, image, url, path, cancelled, stage_fd, err);

    if (r < 0) {
        if (stage_fd >= 0)
            store_stage_drop(e->store, stage, &ignored);
        return r;
    }
    return engine_make_image(e, &step, stage, stage_fd, ret_id, err);
}

int engine_insert(struct engine *e, const char *name, const char *url, const char *path,
                  const volatile bool *cancelled, char ret_id[DIGEST_LEN + 1], struct err *err)
{
    cleanup_close int hold = store_hold(e->store, err);
    struct image image;
    int r = hold < 0 ? hold : engine_find_image(e, name, &image, err);

    if (r < 0)
        return r;
    r = store_collect_stages(e->store, err);
    if (!r)
        r = insert(e, &image, url, path, cancelled, ret_id, err);
    image_free(&image);
    return r;
}
