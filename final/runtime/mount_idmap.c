#include "runtime/mount_idmap.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/spawn.h"
#include "runtime/userns.h"

/* --- crun's way: "uids=0-1000-10#10-2000-5;gids=@0-0-10"
 * ------------------------------------------
 */

/* "@": the middle number is one of the container's ids, not of the host's. */
static int make_absolute(struct spec_id_range *range, const struct spec_id_map *container,
                         struct err *err)
{
    for (size_t i = 0; i < container->len; i++) {
        const struct spec_id_range *c = &container->items[i];

        if (range->inside < c->inside || range->inside - c->inside >= c->size)
            continue;
        range->outside += c->outside - c->inside;
        return 0;
    }
    return err_set(err, EINVAL, "'idmap': the container's user namespace does not map %u",
                   range->inside);
}

static int parse_range(const char *text, const struct spec_id_map *container,
                       struct spec_id_map *ret, struct err *err)
{
    struct spec_id_range range;
    bool relative = *text == '@';
    int used = 0;

    if (sscanf(text + relative, "%u-%u-%u%n", &range.inside, &range.outside, &range.size, &used) !=
            3 ||
        text[relative + used] || !range.size)
        return err_set(err, EINVAL, "'idmap': '%s' is not FIRST-FIRST-COUNT", text);
    if (relative && make_absolute(&range, container, err) < 0)
        return -err->code;
    ret->items = mem_grow(ret->items, ret->len + 1, sizeof range);
    ret->items[ret->len++] = range;
    return 0;
}

static int parse_ranges(const char *text, const struct spec_id_map *container,
                        struct spec_id_map *ret, struct err *err)
{
    cleanup_strv struct strv ranges = {0};

    strv_split(&ranges, text, '#');
    for (size_t i = 0; i < ranges.len; i++)
        if (parse_range(ranges.items[i], container, ret, err) < 0)
            return -err->code;
    return 0;
}

static int parse_text(const struct spec *spec, const char *text, struct spec *ret, struct err *err)
{
    cleanup_strv struct strv halves = {0};

    strv_split(&halves, text, ';');
    for (size_t i = 0; i < halves.len; i++) {
        const char *half = halves.items[i];
        bool uids = str_starts(half, "uids=");

        if (!uids && !str_starts(half, "gids="))
            return err_set(err, EINVAL, "'idmap': '%s' begins with neither 'uids=' nor 'gids='",
                           half);
        if (parse_ranges(half + 5, uids ? &spec->uid_map : &spec->gid_map,
                         uids ? &ret->uid_map : &ret->gid_map, err) < 0)
            return -err->code;
    }
    if (!ret->uid_map.len || !ret->gid_map.len)
        return err_set(err, EINVAL, "'idmap': '%s' lacks one of 'uids=' and 'gids='", text);
    return 0;
}

static int read_mapping(const struct spec *spec, const struct spec_mount *mount,
                        const struct mount_options *options, struct spec *ret, struct err *err)
{
    if (options->idmap_text)
        return parse_text(spec, options->idmap_text, ret, err);
    if (spec_parse_id_map(mount->uid_mappings, "uidMappings", &ret->uid_map, err) < 0 ||
        spec_parse_id_map(mount->gid_mappings, "gidMappings", &ret->gid_map, err) < 0)
        return -err->code;
    return 0;
}

/* --- a namespace for it
 * ---------------------------------------------------------------------------
 */

/* Is in the namespace until somebody else holds it, too; not longer than its parent lives. */
static _Noreturn void keep_namespace(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (getppid() == parent)
        pause();
    _exit(0);
}

static int open_namespace(pid_t pid, struct err *err)
{
    cleanup_free char *path = str_format("/proc/%d/ns/user", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? err_errno(err, "cannot open the mapping's user namespace") : fd;
}

/* `mapping` is a specification with nothing but a mapping. */
static int make_namespace(const struct spec *mapping, struct err *err)
{
    cleanup_close int pidfd = -1;
    pid_t parent = getpid(), keeper = spawn_process(CLONE_NEWUSER, -1, &pidfd, err);
    int fd;

    if (keeper < 0)
        return err_wrap(err, "the mapping's user namespace");
    if (!keeper)
        keep_namespace(parent);
    fd = userns_map(mapping, keeper, err) < 0 ? -err->code : open_namespace(keeper, err);
    spawn_kill(pidfd);
    return fd;
}

static void free_mapping(struct spec *mapping)
{
    spec_id_map_free(&mapping->uid_map);
    spec_id_map_free(&mapping->gid_map);
}

int mount_idmap_namespace(const struct spec *spec, const struct spec_mount *mount,
                          const struct mount_options *options, struct err *err)
{
    cleanup_with(free_mapping) struct spec mapping = {0};

    err->code = 0;
    if (read_mapping(spec, mount, options, &mapping, err) < 0)
        return -err->code;
    return mapping.uid_map.len ? make_namespace(&mapping, err) : -1;
}

int mount_idmap_apply(int tree, int user_namespace, bool recursive, struct err *err)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user_namespace};

    if (!mount_setattr(tree, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr,
                       sizeof attr))
        return 0;
    if (errno == EINVAL)
        return err_set(
            err, EINVAL,
            "'idmap': the source's file system cannot be mounted with mapped ids, or it is "
            "already: %s",
            strerror(EINVAL));
    return err_errno(err, "'idmap': cannot map the ids");
}
