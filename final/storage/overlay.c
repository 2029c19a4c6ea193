/* overlay.c - the option string of a container's overlay mount: read-only layers, top first, under
 * one writable upper directory. Names are relative to layers/, where the mounting process stands.
 *
 *     redirect_dir=nofollow,   what a layer says of itself in xattrs is never followed: an image
 *     metacopy=off             must not point into other layers
 *     index=off                lower layers are shared by many mounts
 *     volatile                 (--rm only) unmounting need not wait for the disk: the upper
 *                              directory is thrown away next. Linux 5.10
 *
 * Kernel: Documentation/filesystems/overlayfs.rst
 */
#include "storage/storage.h"

#define LAYERS_MAX  127
#define OPTIONS_MAX 4095 /* mount(2) copies one page, with the NUL */

int store_overlay_options(struct store *s, const struct strv *dirs, const char *place,
                          bool disposable, char **ret, struct err *err)
{
    cleanup_buf struct buf options = {0};

    (void)s;
    if (!dirs->len || dirs->len > LAYERS_MAX)
        return err_set(err, EINVAL, "an image needs 1 to %d layers, this one has %zu%s", LAYERS_MAX,
                       dirs->len, dirs->len ? ": too many levels for one overlay" : "");
    buf_add_str(&options, "lowerdir=");
    for (size_t i = dirs->len; i-- > 0;)
        buf_printf(&options, "%s%s", dirs->items[i], i ? ":" : "");
    buf_printf(&options, ",upperdir=../%s/upper,workdir=../%s/work", place, place);
    buf_add_str(&options, ",redirect_dir=nofollow,metacopy=off,index=off");
    if (disposable)
        buf_add_str(&options, ",volatile");
    if (options.len > OPTIONS_MAX)
        return err_set(err, E2BIG,
                       "the overlay options for %zu layers are %zu bytes, the kernel takes %d",
                       dirs->len, options.len, OPTIONS_MAX);
    *ret = buf_steal(&options);
    return 0;
}
