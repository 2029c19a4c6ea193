/* mounts_flags.c - the short ways to write a mount: -v SOURCE:DESTINATION:WORDS and --tmpfs
 * DESTINATION:OPTIONS. */
#include <string.h>

#include "base/cleanup.h"
#include "engine/mounts.h"
#include "engine/volumes.h"

char *mount_point_clean(const char *path)
{
    cleanup_strv struct strv parts = {0}, kept = {0};
    cleanup_free char *joined = NULL;

    if (*path != '/')
        return NULL;
    strv_split(&parts, path, '/');
    for (size_t i = 0; i < parts.len; i++) {
        const char *part = parts.items[i];

        if (!*part || !strcmp(part, "."))
            continue;
        if (strcmp(part, ".."))
            strv_add(&kept, part);
        else if (kept.len)
            free(kept.items[--kept.len]);
    }
    if (!kept.len)
        return NULL;
    kept.items[kept.len] = NULL;
    joined = strv_join(&kept, "/");
    return str_format("/%s", joined);
}

/* What may stand behind the last colon of -v, and what it means to the kernel. At most one word of
 * each group: "ro,rw" says nothing. */
static const struct {
    const char *word;
    enum { ACCESS, LABEL, COPY, PROPAGATION, CONSISTENCY } group;
} mode_words[] = {
    {"rw", ACCESS},
    {"ro", ACCESS},
    {"z", LABEL},
    {"Z", LABEL},
    {"nocopy", COPY},
    {"private", PROPAGATION},
    {"rprivate", PROPAGATION},
    {"shared", PROPAGATION},
    {"rshared", PROPAGATION},
    {"slave", PROPAGATION},
    {"rslave", PROPAGATION},
    {"cached", CONSISTENCY},
    {"delegated", CONSISTENCY},
    {"consistent", CONSISTENCY},
};

int mount_point_mode(struct mount_point *m, const char *mode, struct err *err)
{
    cleanup_strv struct strv words = {0};
    unsigned seen = 0;

    strv_split(&words, mode, ',');
    for (size_t w = 0; w < words.len; w++) {
        size_t i, n = sizeof mode_words / sizeof *mode_words;

        for (i = 0; i < n && strcmp(mode_words[i].word, words.items[w]); i++)
            ;
        if (i == n || (seen & 1u << mode_words[i].group))
            return err_set(err, EINVAL, "invalid mode: %s", mode);
        seen |= 1u << mode_words[i].group;
        m->read_only |= !strcmp(mode_words[i].word, "ro");
        m->no_copy |= mode_words[i].group == COPY;
        if (mode_words[i].group == PROPAGATION) {
            free(m->propagation);
            m->propagation = str_copy(words.items[w]);
        }
    }
    return 0;
}

static int check_destination(const char *spec, const char *source, const char *destination,
                             struct mount_point *m, struct err *err)
{
    const char *type = source && *source == '/' ? "bind" : "volume";

    m->destination = mount_point_clean(destination);
    if (m->destination)
        return 0;
    if (*destination == '/')
        return err_set(err, EINVAL,
                       "invalid volume specification: '%s': invalid mount config for type \"%s\": "
                       "invalid specification: destination can't be '/'",
                       spec, type);
    return err_set(err, EINVAL,
                   "invalid volume specification: '%s': invalid mount config for type \"%s\": "
                   "invalid mount path: '%s' mount path must be absolute",
                   spec, type, destination);
}

/* [source:]destination[:mode] */
static int split(const char *spec, struct strv *parts, struct err *err)
{
    strv_split(parts, spec, ':');
    for (size_t i = 0; i < parts->len; i++)
        if (!*parts->items[i])
            return err_set(err, EINVAL,
                           "invalid volume specification: '%s': empty section between colons",
                           spec);
    if (!parts->len || parts->len > 3)
        return err_set(err, EINVAL, "invalid volume specification: '%s'", spec);
    return 0;
}

int mount_point_bind(const char *spec, struct mount_point *m, struct err *err)
{
    cleanup_strv struct strv parts = {0};
    const char *source, *mode;
    bool bind;

    if (split(spec, &parts, err) < 0)
        return -err->code;
    source = parts.len > 1 ? parts.items[0] : NULL;
    mode = parts.len == 3 ? parts.items[2] : "";
    bind = source && *source == '/';
    m->type = str_copy(bind ? "bind" : "volume");
    m->mode = str_copy(*mode || bind || !source ? mode : "z");
    if (check_destination(spec, source, parts.items[parts.len > 1], m, err) < 0)
        return -err->code;
    if (bind)
        m->source = str_copy(source);
    else if (source && volume_check_name(source, err) < 0)
        return -err->code;
    else
        m->name = str_copy(source);
    return mount_point_mode(m, mode, err);
}

static const char *const tmpfs_flags[] = {
    "rw",   "ro",    "nosuid",  "suid",  "nodev",      "dev",      "noexec",      "exec",
    "sync", "async", "noatime", "atime", "nodiratime", "diratime", "strictatime", "relatime"};

static bool tmpfs_option_known(const char *option)
{
    static const char *const values[] = {
        "size=", "mode=", "uid=", "gid=", "nr_inodes=", "nr_blocks=", "mpol="};

    for (size_t i = 0; i < sizeof tmpfs_flags / sizeof *tmpfs_flags; i++)
        if (!strcmp(option, tmpfs_flags[i]))
            return true;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (str_starts(option, values[i]) && option[strlen(values[i])])
            return true;
    return false;
}

int mount_point_tmpfs(const char *destination, const char *options, struct mount_point *m,
                      struct err *err)
{
    cleanup_strv struct strv given = {0};

    m->destination = mount_point_clean(destination);
    if (!m->destination)
        return err_set(err, EINVAL, "invalid mount path: '%s' %s", destination,
                       *destination == '/' ? "destination can't be '/'"
                                           : "mount path must be absolute");
    m->type = str_copy("tmpfs");
    m->source = str_copy("tmpfs");
    m->mode = str_copy("");
    m->unlisted = true;
    strv_split(&m->options, "nosuid,nodev,noexec", ',');
    strv_split(&given, options, ',');
    for (size_t i = 0; i < given.len; i++) {
        if (!tmpfs_option_known(given.items[i]))
            return err_set(err, EINVAL, "invalid tmpfs option [\"%s\"]", given.items[i]);
        m->read_only |= !strcmp(given.items[i], "ro");
        strv_add(&m->options, given.items[i]);
    }
    return 0;
}
