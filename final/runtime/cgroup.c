/* What the two versions have in common, and the choice between them.
 *
 * Two engines may have containers below one parent, /cooper. The parent goes with the last
 * container, so one engine may remove it between another's mkdir(2) of the parent and of the group:
 * then the whole path is made again. No lock: rmdir(2) refuses a directory that is in use, and that
 * is lock enough. */
#include "runtime/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "runtime/runtime.h"

#define MAKE_TRIES 100

int runtime_cgroup_version(const char *cgroup_root)
{
    const char *root = cgroup_root ? cgroup_root : CGROUP_ROOT;
    cleanup_free char *memory = str_format("%s/memory", root), *pids = str_format("%s/pids", root);
    struct statfs fs;

    if (!statfs(root, &fs) && fs.f_type == CGROUP2_SUPER_MAGIC)
        return 2;
    if ((!statfs(memory, &fs) && fs.f_type == CGROUP_SUPER_MAGIC) ||
        (!statfs(pids, &fs) && fs.f_type == CGROUP_SUPER_MAGIC))
        return 1;
    return 0;
}

/* "/a/b": absolute, and no component is empty, "." or "..". */
static bool path_is_plain(const char *path)
{
    if (*path != '/')
        return false;
    while (*path) {
        size_t n = strcspn(++path, "/");

        if (!n || n > 255 || (n == 1 && *path == '.') || (n == 2 && !strncmp(path, "..", 2)))
            return false;
        path += n;
    }
    return true;
}

int cgroup_open(const char *root, const char *path, struct cgroup *ret, struct err *err)
{
    *ret = (struct cgroup){.dir = -1};
    if (!path_is_plain(path) || !strcmp(path, "/"))
        return err_set(err, EINVAL,
                       "linux.cgroupsPath '%s' is not a plain absolute path below the root", path);
    ret->version = runtime_cgroup_version(root);
    if (!ret->version)
        return err_set(err, ENOENT,
                       "no control groups at '%s': mount them (mount -t cgroup2 cgroup2 %s)",
                       root ? root : CGROUP_ROOT, CGROUP_ROOT);
    ret->root = str_copy(root ? root : CGROUP_ROOT);
    ret->path = str_copy(path);
    return 0;
}

void cgroup_close(struct cgroup *cg)
{
    free(cg->root);
    free(cg->path);
    if (cg->root) /* a zeroed struct owns nothing, not even descriptor 0 */
        close_fd(&cg->dir);
    *cg = (struct cgroup){.dir = -1};
}

int cgroup_make_dirs(const char *base, const char *path, struct err *err)
{
    cleanup_free char *full = str_format("%s%s", base, path);
    size_t start = strlen(base) + 1;

    for (int tries = 0; tries < MAKE_TRIES; tries++) {
        /* Mostly the parent is there. */
        if (!mkdir(full, 0755) || errno == EEXIST)
            return 0;
        if (errno != ENOENT)
            break;
        for (char *slash = strchr(full + start, '/'); slash; slash = strchr(slash + 1, '/')) {
            *slash = 0;
            if (mkdir(full, 0755) < 0 && errno != EEXIST && errno != ENOENT)
                return err_errno(err, "cannot make the control group '%s'", full);
            *slash = '/';
        }
    }
    return err_errno(err, "cannot make the control group '%s'", full);
}

/* The container may have made groups of its own below: depth first. */
static int remove_below(const char *path)
{
    cleanup_closedir DIR *dir = opendir(path);
    struct dirent *entry;
    int r = 0;

    while (dir && (entry = readdir(dir))) {
        cleanup_free char *child = str_format("%s/%s", path, entry->d_name);

        if (entry->d_type != DT_DIR || *entry->d_name == '.')
            continue;
        if (rmdir(child) < 0 && errno == EBUSY)
            r = remove_below(child);
    }
    if (r < 0)
        return r;
    return rmdir(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* Parents of ours only: who put "/kubepods/..." there keeps it. */
static void remove_parents(char *full, size_t base_len)
{
    if (strncmp(full + base_len, "/cooper", 7))
        return;
    for (char *slash = strrchr(full, '/'); slash > full + base_len; slash = strrchr(full, '/')) {
        *slash = 0;
        if (rmdir(full) < 0)
            return; /* in use by another container, or gone */
    }
}

int cgroup_remove_dirs(const char *base, const char *path, struct err *err)
{
    cleanup_free char *full = str_format("%s%s", base, path);

    if (rmdir(full) < 0 && errno != ENOENT) {
        int r = errno == EBUSY ? remove_below(full) : -errno;

        if (r < 0)
            return err_set(err, -r, "cannot remove the control group '%s': %s", full, strerror(-r));
    }
    remove_parents(full, strlen(base));
    return 0;
}

int cgroup_write(const char *base, const char *path, const char *file, const char *text,
                 struct err *err)
{
    cleanup_free char *full = str_format("%s%s/%s", base, path, file);

    return file_poke(AT_FDCWD, full, text, err);
}

unsigned long long cgroup_read_key(const char *base, const char *path, const char *file,
                                   const char *word)
{
    cleanup_free char *full = str_format("%s%s/%s", base, path, file);
    cleanup_buf struct buf text = {0};
    struct err ignored = {0};
    size_t n = strlen(word);

    if (file_load(AT_FDCWD, full, 1 << 16, &text, &ignored) < 0)
        return 0;
    for (char *line = text.data; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!strncmp(line, word, n) && line[n] == ' ')
            return strtoull(line + n + 1, NULL, 10);
    }
    return 0;
}

static void add_pids(char *text, struct cgroup_pids *ret)
{
    char *rest;

    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (ret->len == ret->room) {
            ret->room = ret->room ? 2 * ret->room : 64;
            ret->pids = mem_grow(ret->pids, ret->room, sizeof *ret->pids);
        }
        ret->pids[ret->len++] = (int)strtol(line, NULL, 10);
    }
}

int cgroup_read_pids(const char *base, const char *path, struct cgroup_pids *ret)
{
    cleanup_free char *full = str_format("%s%s", base, path);
    cleanup_free char *procs = str_format("%s/cgroup.procs", full);
    cleanup_closedir DIR *dir = opendir(full);
    cleanup_buf struct buf text = {0};
    struct err ignored = {0};
    struct dirent *entry;

    if (!dir)
        return -errno;
    /* EOPNOTSUPP: a threaded group of v2 keeps its processes in the group above. */
    if (!file_load(AT_FDCWD, procs, 16 << 20, &text, &ignored))
        add_pids(text.data, ret);
    else if (ignored.code != EOPNOTSUPP)
        return -ignored.code;
    while ((entry = readdir(dir))) {
        cleanup_free char *child = str_format("%s/%s", path, entry->d_name);

        if (entry->d_type == DT_DIR && *entry->d_name != '.')
            cgroup_read_pids(base, child, ret);
    }
    return 0;
}

/* The kernel parses "0-4294967295" into a bitmap; a service once took hours over such a list
 * (CVE-2018-20699). Numbers above any machine's are refused at once. */
int cgroup_check_cpuset(const char *list, struct err *err)
{
    if (strspn(list, "0123456789,-") != strlen(list) || strlen(list) > 4000)
        return err_set(err, EINVAL, "'%.64s' is not a list such as 0-3,7", list);
    for (const char *p = list; *p; p += strcspn(p, ",-"), p += *p != 0)
        if (strtoull(p, NULL, 10) > 8191)
            return err_set(err, EINVAL, "'%.64s' names a number above 8191", list);
    return 0;
}

/* --- the choice ---------------------------------------------------------------------------------
 */

int cgroup_create(struct cgroup *cg, const json_t *resources, struct err *err)
{
    return cg->version == 2 ? cgroup_v2_create(cg, resources, err)
                            : cgroup_v1_create(cg, resources, err);
}

int cgroup_limit(const struct cgroup *cg, const json_t *resources, struct err *err)
{
    return cg->version == 2 ? cgroup_v2_limit(cg, resources, err)
                            : cgroup_v1_limit(cg, resources, err);
}

int cgroup_join(const struct cgroup *cg, struct err *err)
{
    return cg->version == 2 ? cgroup_v2_join(cg, err) : cgroup_v1_join(cg, err);
}

int cgroup_mount(const struct cgroup *cg, int target, uint64_t attributes, struct err *err)
{
    return cg->version == 2 ? cgroup_v2_mount(cg, target, attributes, err)
                            : cgroup_v1_mount(cg, target, attributes, err);
}

bool cgroup_oom_killed(const struct cgroup *cg)
{
    return cg->version == 2 ? cgroup_v2_oom_killed(cg) : cgroup_v1_oom_killed(cg);
}

int cgroup_count(const struct cgroup *cg, struct err *err)
{
    struct cgroup_pids found = {0};
    int r;

    if (cg->version == 1) {
        r = cgroup_v1_count(cg);
    } else {
        r = cgroup_read_pids(cg->root, cg->path, &found);
        r = r < 0 ? r : (int)found.len;
        free(found.pids);
    }
    if (r < 0)
        return err_set(err, -r, "cannot read the control group '%s': %s", cg->path, strerror(-r));
    return r;
}

int cgroup_destroy(const struct cgroup *cg, struct err *err)
{
    return cg->version == 2 ? cgroup_v2_destroy(cg, err) : cgroup_v1_destroy(cg, err);
}

int runtime_cgroup_destroy(const char *cgroup_root, const char *path, struct err *err)
{
    cleanup_with(cgroup_close) struct cgroup cg;
    int r = cgroup_open(cgroup_root, path, &cg, err);

    if (r == -ENOENT) { /* no control groups, none left over */
        err_clear(err);
        return 0;
    }
    return r < 0 ? r : cgroup_destroy(&cg, err);
}

int runtime_cgroup_count(const char *cgroup_root, const char *path, struct err *err)
{
    cleanup_with(cgroup_close) struct cgroup cg;

    if (cgroup_open(cgroup_root, path, &cg, err) < 0)
        return -err->code;
    return cgroup_count(&cg, err);
}
