#include "runtime/userns.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/process.h"

/* --- writing the mappings --------------------------------------------------------------------- */

static void free_caps(cap_t *state)
{
    if (*state)
        cap_free(*state);
}

/* May we map any ids? */
static bool may_map(void)
{
    cleanup_with(free_caps) cap_t now = cap_get_proc();
    cap_flag_value_t uid = CAP_CLEAR, gid = CAP_CLEAR;

    return now && !cap_get_flag(now, CAP_SETUID, CAP_EFFECTIVE, &uid) &&
           !cap_get_flag(now, CAP_SETGID, CAP_EFFECTIVE, &gid) && uid == CAP_SET && gid == CAP_SET;
}

static bool maps_only(const struct spec_id_map *map, uint32_t id)
{
    return map->len == 1 && map->items[0].outside == id && map->items[0].size == 1;
}

/* One write(2): the kernel takes a mapping whole, once, and less than a page of it. */
static int write_map(pid_t pid, const char *file, const struct spec_id_map *map, struct err *err)
{
    cleanup_free char *path = str_format("/proc/%d/%s", (int)pid, file);
    cleanup_buf struct buf text = {0};

    for (size_t i = 0; i < map->len; i++)
        buf_printf(&text, "%u %u %u\n", map->items[i].inside, map->items[i].outside,
                   map->items[i].size);
    if (file_poke(AT_FDCWD, path, text.data, err) >= 0)
        return 0;
    if (err->code == EINVAL) /* the whole mapping, in the message, would explain nothing */
        return err_set(err, EINVAL,
                       "the kernel refuses these %zu ranges: they overlap, or are more than 340 or "
                       "a page of text",
                       map->len);
    return -err->code;
}

static int write_maps(const struct spec *spec, pid_t pid, bool deny_setgroups, struct err *err)
{
    cleanup_free char *setgroups = str_format("/proc/%d/setgroups", (int)pid);

    if (deny_setgroups && file_poke(AT_FDCWD, setgroups, "deny", err) < 0)
        return -err->code;
    if (write_map(pid, "uid_map", &spec->uid_map, err) < 0)
        return err_wrap(err, "linux.uidMappings");
    if (write_map(pid, "gid_map", &spec->gid_map, err) < 0)
        return err_wrap(err, "linux.gidMappings");
    return 0;
}

/* Runs the helper to its end; what it says goes into `said`. Returns its wait status or -errno. */
static int run_helper(char *const argv[], int said)
{
    posix_spawn_file_actions_t actions;
    int status, r;
    pid_t pid;

    r = posix_spawn_file_actions_init(&actions);
    if (r)
        return -r;
    r = posix_spawn_file_actions_adddup2(&actions, said, 2);
    if (!r)
        r = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (r)
        return -r;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return status;
}

static int helper_failed(const char *name, int status, int said, struct err *err)
{
    char text[512] = "";
    ssize_t n;

    if (status == -ENOENT)
        return err_set(err, ENOENT,
                       "these mappings need the program '%s' (Debian's package uidmap) and ranges "
                       "in /etc/subuid and /etc/subgid",
                       name);
    if (status < 0)
        return err_set(err, -status, "cannot run '%s': %s", name, strerror(-status));
    n = pread(said, text, sizeof text - 1, 0);
    text[n > 0 ? strcspn(text, "\n") : 0] = 0;
    return err_set(err, EPERM, "'%s' refused%s%s", name, *text ? ": " : "", text);
}

/* newuidmap PID INSIDE OUTSIDE SIZE [INSIDE OUTSIDE SIZE]... */
static int map_by_helper(const char *name, pid_t pid, const struct spec_id_map *map,
                         struct err *err)
{
    cleanup_close int said = memfd_create(name, MFD_CLOEXEC);
    cleanup_strv struct strv argv = {0};
    int status;

    if (said < 0)
        return err_errno(err, "cannot make a memory file");
    strv_add(&argv, name);
    strv_take(&argv, str_format("%d", (int)pid));
    for (size_t i = 0; i < map->len; i++) {
        strv_take(&argv, str_format("%u", map->items[i].inside));
        strv_take(&argv, str_format("%u", map->items[i].outside));
        strv_take(&argv, str_format("%u", map->items[i].size));
    }
    status = run_helper(argv.items, said);
    return status ? helper_failed(name, status, said, err) : 0;
}

int userns_map(const struct spec *spec, pid_t pid, struct err *err)
{
    if (may_map())
        return write_maps(spec, pid, false, err);
    if (maps_only(&spec->uid_map, geteuid()) && maps_only(&spec->gid_map, getegid()))
        return write_maps(spec, pid, true, err);
    if (map_by_helper("newuidmap", pid, &spec->uid_map, err) < 0)
        return err_wrap(err, "linux.uidMappings");
    if (map_by_helper("newgidmap", pid, &spec->gid_map, err) < 0)
        return err_wrap(err, "linux.gidMappings");
    return 0;
}

/* --- inside ----------------------------------------------------------------------------------- */

/* Reads /proc/self/uid_map or gid_map. */
static int read_map(const char *file, struct spec_id_map *ret, struct err *err)
{
    cleanup_free char *path = str_format("/proc/self/%s", file);
    cleanup_buf struct buf text = {0};
    struct spec_id_range range;
    int used;

    if (file_load(AT_FDCWD, path, 64 << 10, &text, err) < 0)
        return -err->code;
    for (const char *p = text.data;
         sscanf(p, "%u %u %u%n", &range.inside, &range.outside, &range.size, &used) == 3;
         p += used) {
        ret->items = mem_grow(ret->items, ret->len + 1, sizeof range);
        ret->items[ret->len++] = range;
    }
    return 0;
}

/* What `inside` is outside, or -1; the order of lines and how ranges were cut makes no difference.
 */
static long long map_id(const struct spec_id_map *map, uint32_t inside)
{
    for (size_t i = 0; i < map->len; i++)
        if (inside >= map->items[i].inside && inside - map->items[i].inside < map->items[i].size)
            return (long long)map->items[i].outside + (inside - map->items[i].inside);
    return -1;
}

/* Two maps of whole ranges are the same if they agree on the ends of every range of both. */
static bool agree(const struct spec_id_map *a, const struct spec_id_map *b)
{
    unsigned long long size_a = 0, size_b = 0;

    for (size_t i = 0; i < a->len; i++) {
        const struct spec_id_range *r = &a->items[i];

        size_a += r->size;
        if (map_id(b, r->inside) != r->outside ||
            map_id(b, r->inside + r->size - 1) != (long long)r->outside + r->size - 1)
            return false;
    }
    for (size_t i = 0; i < b->len; i++)
        size_b += b->items[i].size;
    return size_a == size_b;
}

int userns_check_maps(const struct spec *spec, struct err *err)
{
    const struct {
        const char *file;
        const struct spec_id_map *wanted;
    } maps[] = {{"uid_map", &spec->uid_map}, {"gid_map", &spec->gid_map}};

    for (size_t i = 0; i < 2; i++) {
        cleanup_with(spec_id_map_free) struct spec_id_map real = {0};

        if (!maps[i].wanted->len)
            continue;
        if (read_map(maps[i].file, &real, err) < 0)
            return -err->code;
        if (!agree(maps[i].wanted, &real))
            return err_set(err, EINVAL,
                           "user namespaces enabled, but both namespace path and "
                           "non-matching mapping specified -- you may only provide "
                           "one");
    }
    return 0;
}

/* 0 if root is mapped, else the first id that is. */
static int first_mapped(const char *file, uint32_t *ret, struct err *err)
{
    cleanup_with(spec_id_map_free) struct spec_id_map map = {0};

    if (read_map(file, &map, err) < 0)
        return -err->code;
    if (!map.len)
        return err_set(err, EINVAL, "the user namespace has no mappings");
    *ret = map_id(&map, 0) >= 0 ? 0 : map.items[0].inside;
    return 0;
}

int userns_become_root(struct err *err)
{
    uint32_t uid, gid;

    if (first_mapped("uid_map", &uid, err) < 0 || first_mapped("gid_map", &gid, err) < 0)
        return -err->code;
    /* The caller's groups are the host's. EPERM: we may not leave them (userns_map()). */
    if (setgroups(0, NULL) < 0 && errno != EPERM)
        return err_errno(err, "cannot leave the host's groups");
    if (setresgid(gid, gid, gid) < 0)
        return err_errno(err, "cannot become group %u of the user namespace", gid);
    if (setresuid(uid, uid, uid) < 0)
        return err_errno(err, "cannot become user %u of the user namespace", uid);
    /* setresuid(2) may have made us dumpable again (/proc/sys/fs/suid_dumpable). */
    return process_hide(err);
}
