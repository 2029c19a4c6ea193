#include "engine/internal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

static void mount_point_free(struct mount_point *m)
{
    free(m->type);
    free(m->name);
    free(m->source);
    free(m->destination);
    free(m->mode);
    strv_free(&m->options);
}

void mount_list_free(struct mount_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        mount_point_free(&list->items[i]);
    free(list->items);
    *list = (struct mount_list){0};
}

/* "/a//b/./c/.." -> "/a/b"; NULL for what is not absolute or is the root itself. */
static char *clean_destination(const char *path)
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
    const char *word, *option;
    enum { ACCESS, LABEL, COPY, PROPAGATION, CONSISTENCY } group;
} bind_words[] = {
    {"rw", NULL, ACCESS},
    {"ro", "ro", ACCESS},
    {"z", NULL, LABEL},
    {"Z", NULL, LABEL},
    {"nocopy", NULL, COPY},
    {"private", "private", PROPAGATION},
    {"rprivate", "rprivate", PROPAGATION},
    {"shared", "shared", PROPAGATION},
    {"rshared", "rshared", PROPAGATION},
    {"slave", "slave", PROPAGATION},
    {"rslave", "rslave", PROPAGATION},
    {"cached", NULL, CONSISTENCY},
    {"delegated", NULL, CONSISTENCY},
    {"consistent", NULL, CONSISTENCY},
};

static int apply_bind_words(struct mount_point *m, struct err *err)
{
    cleanup_strv struct strv words = {0};
    unsigned seen = 0;

    strv_split(&words, m->mode, ',');
    for (size_t w = 0; w < words.len; w++) {
        size_t i, n = sizeof bind_words / sizeof *bind_words;

        for (i = 0; i < n && strcmp(bind_words[i].word, words.items[w]); i++)
            ;
        if (i == n || (seen & 1u << bind_words[i].group))
            return err_set(err, EINVAL, "invalid mode: %s", m->mode);
        seen |= 1u << bind_words[i].group;
        m->read_only |= !strcmp(bind_words[i].word, "ro");
        m->no_copy |= bind_words[i].group == COPY;
        if (bind_words[i].option)
            strv_add(&m->options, bind_words[i].option);
    }
    return 0;
}

static int check_volume_name(const char *name, struct err *err)
{
    if (name_valid(name))
        return 0;
    return err_set(
        err, EINVAL,
        "create %s: \"%s\" includes invalid characters for a local volume name, only "
        "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, "
        "use absolute path",
        name, name);
}

/* [source:]destination[:mode] */
static int parse_bind(const char *spec, struct mount_point *m, struct err *err)
{
    cleanup_strv struct strv parts = {0};
    const char *source, *destination;

    strv_split(&parts, spec, ':');
    for (size_t i = 0; i < parts.len; i++)
        if (!*parts.items[i])
            return err_set(err, EINVAL,
                           "invalid volume specification: '%s': empty section between colons",
                           spec);
    if (!parts.len || parts.len > 3)
        return err_set(err, EINVAL, "invalid volume specification: '%s'", spec);
    source = parts.len > 1 ? parts.items[0] : NULL;
    destination = parts.len > 1 ? parts.items[1] : parts.items[0];
    m->mode = str_copy(parts.len == 3 ? parts.items[2] : "");
    m->destination = clean_destination(destination);
    if (!m->destination)
        return err_set(err, EINVAL,
                       "invalid volume specification: '%s': invalid mount config for type "
                       "\"%s\": %s",
                       spec, source && *source == '/' ? "bind" : "volume",
                       *destination == '/' ? "invalid specification: destination can't be '/'"
                                           : "invalid mount path: mount path must be absolute");
    m->anonymous = !source;
    m->type = str_copy(source && *source == '/' ? "bind" : "volume");
    if (source && *source == '/')
        m->source = str_copy(source);
    else if (source && check_volume_name(source, err) < 0)
        return -err->code;
    else
        m->name = str_copy(source);
    return apply_bind_words(m, err);
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

static int parse_tmpfs(const char *destination, const char *options, struct mount_point *m,
                       struct err *err)
{
    cleanup_strv struct strv given = {0};

    m->destination = clean_destination(destination);
    if (!m->destination)
        return err_set(err, EINVAL,
                       "invalid mount path: '%s' mount path must be absolute and not '/'",
                       destination);
    m->type = str_copy("tmpfs");
    m->source = str_copy("tmpfs");
    m->mode = str_copy(options);
    strv_add(&m->options, "nosuid");
    strv_add(&m->options, "nodev");
    strv_add(&m->options, "noexec");
    strv_split(&given, options, ',');
    for (size_t i = 0; i < given.len; i++) {
        if (!tmpfs_option_known(given.items[i]))
            return err_set(err, EINVAL, "invalid tmpfs option \"%s\"", given.items[i]);
        if (!strcmp(given.items[i], "ro"))
            m->read_only = true;
        strv_add(&m->options, given.items[i]);
    }
    return 0;
}

static struct mount_point *append(struct mount_list *list)
{
    list->items = mem_grow(list->items, list->len + 1, sizeof *list->items);
    list->items[list->len] = (struct mount_point){0};
    return &list->items[list->len++];
}

static bool destination_used(const struct mount_list *list, const char *destination)
{
    for (size_t i = 0; i < list->len; i++)
        if (str_equal(list->items[i].destination, destination))
            return true;
    return false;
}

/* The last one appended must not repeat an earlier destination. */
static int check_duplicate(struct mount_list *list, struct err *err)
{
    struct mount_list before = {list->items, list->len - 1};
    const char *destination = list->items[list->len - 1].destination;

    if (destination_used(&before, destination))
        return err_set(err, EINVAL, "Duplicate mount point: %s", destination);
    return 0;
}

/* The image's VOLUMEs, where the user mounts nothing: anonymous volumes. */
static int add_image_volumes(const json_t *volumes, struct mount_list *list, struct err *err)
{
    const char *path;
    json_t *unused;

    json_object_foreach((json_t *)volumes, path, unused)
    {
        cleanup_free char *destination = clean_destination(path);
        struct mount_point *m;

        if (!destination)
            return err_set(err, EINVAL, "the volume '%s' is not an absolute path below '/'", path);
        if (destination_used(list, destination))
            continue;
        m = append(list);
        m->type = str_copy("volume");
        m->mode = str_copy("");
        m->destination = steal_ptr(&destination);
        m->anonymous = true;
    }
    return 0;
}

static int depth(const char *path)
{
    int n = 0;

    for (; *path; path++)
        n += *path == '/';
    return n;
}

/* Insertion sort: stable, and lists are short. */
static void sort_by_depth(struct mount_list *list)
{
    for (size_t i = 1; i < list->len; i++)
        for (size_t k = i;
             k > 0 && depth(list->items[k].destination) < depth(list->items[k - 1].destination);
             k--) {
            struct mount_point swapped = list->items[k];

            list->items[k] = list->items[k - 1];
            list->items[k - 1] = swapped;
        }
}

static int parse_all(const json_t *config, const json_t *host, struct mount_list *list,
                     struct err *err)
{
    const char *path;
    json_t *item;
    size_t i;
    int r = 0;

    json_array_foreach(json_object_get(host, "Binds"), i, item)
    {
        r = parse_bind(json_string_value(item) ? json_string_value(item) : "", append(list), err);
        if (!r)
            r = check_duplicate(list, err);
        if (r < 0)
            return r;
    }
    json_object_foreach(json_object_get(host, "Tmpfs"), path, item)
    {
        r = parse_tmpfs(path, json_string_value(item) ? json_string_value(item) : "", append(list),
                        err);
        if (!r)
            r = check_duplicate(list, err);
        if (r < 0)
            return r;
    }
    return add_image_volumes(json_object_get(config, "Volumes"), list, err);
}

int mounts_parse(const json_t *config, const json_t *host, struct mount_list *ret, struct err *err)
{
    struct mount_list list = {0};
    int r = parse_all(config, host, &list, err);

    if (r < 0) {
        mount_list_free(&list);
        return r;
    }
    sort_by_depth(&list);
    *ret = list;
    return 0;
}

int mounts_prepare(struct engine *e, const char *container_id, struct mount_list *list,
                   struct err *err)
{
    for (size_t i = 0; i < list->len; i++) {
        struct mount_point *m = &list->items[i];
        struct stat st;

        if (!strcmp(m->type, "volume")) {
            char *name = NULL;
            int r = store_volume_use(e->store, m->name, container_id, &name, &m->source, err);

            if (r < 0)
                return r;
            free(m->name);
            m->name = name;
        } else if (!strcmp(m->type, "bind") && stat(m->source, &st) < 0) {
            if (errno != ENOENT)
                return err_errno(err, "cannot use '%s' as a bind mount", m->source);
            if (file_make_dirs(AT_FDCWD, m->source, 0755, err) < 0)
                return err_wrap(err, "error while creating mount source path '%s'", m->source);
        }
    }
    return 0;
}

json_t *mounts_json(const struct mount_list *list)
{
    json_t *array = json_array();

    for (size_t i = 0; i < list->len; i++) {
        const struct mount_point *m = &list->items[i];
        json_t *entry;

        if (!strcmp(m->type, "tmpfs"))
            continue; /* docker lists --tmpfs under HostConfig only */
        entry = json_object();
        json_put_str(entry, "Type", m->type);
        if (m->name)
            json_put_str(entry, "Name", m->name);
        json_put_str(entry, "Source", m->source);
        json_put_str(entry, "Destination", m->destination);
        if (m->name)
            json_put_str(entry, "Driver", "local");
        json_put_str(entry, "Mode", m->mode);
        json_put(entry, "RW", json_boolean(!m->read_only));
        json_put_str(entry, "Propagation", strcmp(m->type, "bind") ? "" : "rprivate");
        json_push(array, entry);
    }
    return array;
}
