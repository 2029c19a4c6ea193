#include "runtime/mount_api.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "runtime/mount_legacy.h"

/* --- a new file system ------------------------------------------------------------------------ */

/* The file system context explains its errors in words, one a read(2): "e tmpfs: Bad value for
 * 'size'". */
static int context_error(int context, const char *what, struct err *err)
{
    int code = errno;
    char text[256];
    ssize_t n = read(context, text, sizeof text - 1);

    errno = code;
    if (n <= 2)
        return err_errno(err, "%s", what);
    text[n - (text[n - 1] == '\n')] = 0;
    return err_set(err, code, "%s: %s: %s", what, strerror(code), text + 2);
}

static int option_error(int context, const char *key, const char *value, struct err *err)
{
    cleanup_free char *what =
        str_format("option '%s%s%s'", key, value ? "=" : "", value ? value : "");

    return context_error(context, what, err);
}

static int set_option(int context, const char *key, const char *value, struct err *err)
{
    if (fsconfig(context, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0) < 0)
        return option_error(context, key, value, err);
    return 0;
}

/* The end of the option that begins at `word`: a comma inside of double quotes (an SELinux label
 * has them) or behind a backslash (overlay's way) belongs to it. */
static char *option_end(char *word)
{
    bool quoted = false;

    for (; *word && (quoted || *word != ','); word++) {
        if (*word == '"')
            quoted = !quoted;
        else if (*word == '\\' && word[1])
            word++;
    }
    return word;
}

/* The quotes were for the comma. */
static char *unquote(char *value)
{
    size_t n = strlen(value);

    if (n < 2 || *value != '"' || value[n - 1] != '"')
        return value;
    value[n - 1] = 0;
    return value + 1;
}

static int set_options(int context, const char *text, struct err *err)
{
    cleanup_free char *copy = str_copy(text);

    for (char *word = copy, *next; *word; word = next) {
        char *end = option_end(word), *value;

        next = *end ? end + 1 : end;
        *end = 0;
        value = strchr(word, '=');
        if (value)
            *value++ = 0;
        if (*word && set_option(context, word, value ? unquote(value) : NULL, err) < 0)
            return -err->code;
    }
    return 0;
}

/* The properties that have a name here; mount_legacy_needed() knows those that have none. */
static const struct {
    unsigned long flag;
    const char *word;
} super_words[] = {
    {MS_SYNCHRONOUS, "sync"},
    {MS_DIRSYNC, "dirsync"},
    {MS_LAZYTIME, "lazytime"},
    {MS_MANDLOCK, "mand"}, /* accepted and without effect since Linux 5.15 */
};

static int configure(int context, const struct mount_fs *fs, struct err *err)
{
    for (size_t i = 0; i < sizeof super_words / sizeof *super_words; i++)
        if (fs->super & super_words[i].flag &&
            set_option(context, super_words[i].word, NULL, err) < 0)
            return -err->code;
    if (fs->readonly && set_option(context, "ro", NULL, err) < 0)
        return -err->code;
    if (fs->label && set_option(context, fs->label_option, fs->label, err) < 0)
        return -err->code;
    for (size_t i = 0; fs->data && i < fs->data->len; i++)
        if (set_options(context, fs->data->items[i], err) < 0)
            return -err->code;
    return 0;
}

int mount_make(const struct mount_fs *fs, struct err *err)
{
    cleanup_close int context = -1;
    int mount;

    if (mount_legacy_needed(fs))
        return mount_legacy_make(fs, err);
    context = fsopen(fs->type, FSOPEN_CLOEXEC);
    if (context < 0)
        return err_errno(err, "type '%s'", fs->type);
    if (fs->source && *fs->source &&
        fsconfig(context, FSCONFIG_SET_STRING, "source", fs->source, 0) < 0)
        return context_error(context, "source", err);
    if (configure(context, fs, err) < 0)
        return -err->code;
    if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return context_error(context, fs->type, err);
    mount = fsmount(context, FSMOUNT_CLOEXEC, (unsigned)fs->attributes);
    return mount < 0 ? context_error(context, fs->type, err) : mount;
}

int mount_new(const char *type, const char *source, const char *data, uint64_t attributes,
              struct err *err)
{
    char *words[2] = {(char *)data, NULL};
    struct strv list = {.items = words, .len = data ? 1 : 0};
    struct mount_fs fs = {.type = type, .source = source, .data = &list, .attributes = attributes};
    int mount = mount_make(&fs, err);

    return mount < 0 ? err_wrap(err, "cannot mount a '%s'", type) : mount;
}

int mount_reconfigure(int target, const struct mount_fs *fs, struct err *err)
{
    cleanup_close int context = fspick(target, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);

    if (context < 0)
        return err_errno(err, "no file system is mounted there");
    if (configure(context, fs, err) < 0)
        return -err->code;
    if (fsconfig(context, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
        return context_error(context, "remount", err);
    return 0;
}

/* --- what is mounted already ------------------------------------------------------------------ */

int mount_clone(int dir, const char *path, unsigned flags, struct err *err)
{
    int mount = open_tree(
        dir, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags | (*path ? 0 : AT_EMPTY_PATH));

    return mount < 0 ? err_errno(err, "cannot bind '%s'", path) : mount;
}

int mount_change(int mount, uint64_t set, uint64_t clear, bool recursive, struct err *err)
{
    struct mount_attr attr = {.attr_set = set, .attr_clr = clear};

    /* The access time setting is a field of three values, not a bit: changing it clears all of it.
     */
    if ((set | clear) & MOUNT_ATTR__ATIME)
        attr.attr_clr |= MOUNT_ATTR__ATIME;
    if (!attr.attr_set && !attr.attr_clr)
        return 0;
    if (mount_setattr(mount, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr,
                      sizeof attr) < 0)
        return err_errno(err, "cannot change the attributes of a mount");
    return 0;
}

int mount_propagate(int mount, unsigned long propagation, struct err *err)
{
    struct mount_attr attr = {.propagation = propagation & ~(unsigned long)MS_REC};
    unsigned flags = AT_EMPTY_PATH | (propagation & MS_REC ? AT_RECURSIVE : 0);

    if (mount_setattr(mount, "", flags, &attr, sizeof attr) < 0)
        return err_errno(err, "cannot change the propagation of a mount");
    return 0;
}

int mount_attach(int mount, int dir, const char *name, struct err *err)
{
    unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | (*name ? 0 : MOVE_MOUNT_T_EMPTY_PATH);

    if (!move_mount(mount, "", dir, name, flags))
        return 0;
    if (errno == ENOSPC) /* it says so of mounts, too: fs.mount-max, Linux 4.9 */
        return err_set(
            err, ENOSPC,
            "too many mounts in this namespace (the limit is in /proc/sys/fs/mount-max)");
    return err_errno(err, "cannot put the mount in its place");
}
