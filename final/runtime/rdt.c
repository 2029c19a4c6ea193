#include "runtime/rdt.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

static const json_t *rdt_of(const json_t *config)
{
    const json_t *rdt = json_at(config, "linux.intelRdt");

    return json_is_object(rdt) ? rdt : NULL;
}

static const char *clos_of(const json_t *config)
{
    const char *clos = json_str(rdt_of(config), "closID", "");

    return *clos ? clos : NULL;
}

/* The class's directory; "/" is the class of everybody who has no other. */
static char *group_path(const char *root, const json_t *config, const char *id)
{
    const char *clos = clos_of(config);

    if (clos && !strcmp(clos, "/"))
        return str_copy(root);
    return str_format("%s/%s", root, clos ? clos : id);
}

static char *monitor_path(const char *root, const json_t *config, const char *id)
{
    cleanup_free char *group = group_path(root, config, id);

    return json_flag(rdt_of(config), "enableMonitoring", false)
               ? str_format("%s/mon_groups/%s", group, id)
               : NULL;
}

/* --- checks ----------------------------------------------------------------------------------- */

/* mountinfo: fields, " - ", the type of the file system; the fifth field is the place. */
static char *find_root(void)
{
    cleanup_fclose FILE *f = fopen("/proc/self/mountinfo", "re");
    cleanup_free char *line = NULL;
    size_t room = 0;

    while (f && getline(&line, &room, f) > 0) {
        char place[4096];

        if (strstr(line, " - resctrl ") && sscanf(line, "%*s %*s %*s %*s %4095s", place) == 1)
            return str_copy(place);
    }
    return NULL;
}

/* A name of one directory: not one that resctrl has itself. */
static int check_clos(const char *clos, struct err *err)
{
    static const char *const taken[] = {".", "..", "info", "mon_groups", "mon_data"};

    if (!clos || !strcmp(clos, "/"))
        return 0;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (!strcmp(clos, taken[i]))
            return err_set(err, EINVAL, "linux.intelRdt.closID: '%s' is no name for a class", clos);
    if (strchr(clos, '/') || strchr(clos, '\n') || strlen(clos) > NAME_MAX)
        return err_set(err, EINVAL,
                       "linux.intelRdt.closID: '%.100s' is not the name of one "
                       "directory",
                       clos);
    return 0;
}

/* Lines for the schemata file: one each. */
static int add_lines(const json_t *rdt, struct buf *ret, struct err *err)
{
    static const char *const members[] = {"l3CacheSchema", "memBwSchema"};
    const json_t *item;
    size_t i;

    for (i = 0; i < 2; i++) {
        const char *text = json_str(rdt, members[i], "");

        if (*text)
            buf_printf(ret, "%s\n", text);
    }
    json_array_foreach(json_at(rdt, "schemata"), i, item)
    {
        const char *text = json_string_value(item);

        if (!text || !*text || strchr(text, '\n'))
            return err_set(err, EINVAL, "linux.intelRdt.schemata: entry %zu is not one line", i);
        buf_printf(ret, "%s\n", text);
    }
    return 0;
}

static int not_supported(struct err *err)
{
    return err_set(err, ENOTSUP,
                   "intelRdt is specified in config, but Intel RDT is not supported "
                   "or enabled: no resctrl is mounted (mount -t resctrl resctrl "
                   "/sys/fs/resctrl)");
}

/* A class that nobody set up and that is not told what to be would get everything. */
static int check_class(const char *root, const json_t *config, const char *id, struct err *err)
{
    cleanup_free char *group = group_path(root, config, id);
    cleanup_buf struct buf lines = {0};

    if (add_lines(rdt_of(config), &lines, err) < 0)
        return -err->code;
    if (clos_of(config) && !lines.len && access(group, F_OK) < 0)
        return err_errno(err,
                         "clos dir '%s' not accessible (must be pre-created when schemata, "
                         "l3CacheSchema and memBwSchema are empty)",
                         group);
    return 0;
}

int rdt_check(const char *root, const json_t *config, const char *id, struct err *err)
{
    cleanup_free char *found = NULL;

    if (!rdt_of(config))
        return 0;
    if (check_clos(clos_of(config), err) < 0)
        return -err->code;
    found = root ? str_copy(root) : find_root();
    return found ? check_class(found, config, id, err) : not_supported(err);
}

/* --- making and removing ---------------------------------------------------------------------- */

/* What resctrl itself says of the last refusal. */
static int refused(const char *root, struct err *err)
{
    cleanup_free char *path = str_format("%s/info/last_cmd_status", root);
    cleanup_buf struct buf text = {0};
    struct err ignored = {0};
    int code = err->code;

    if (file_load(AT_FDCWD, path, 4096, &text, &ignored) < 0 || !text.len)
        return err_wrap(err, "linux.intelRdt");
    text.data[strcspn(text.data, "\n")] = 0;
    err_wrap(err, "linux.intelRdt: %s", text.data);
    return -code;
}

/* resctrl has these files in every directory; O_CREAT is for a directory of a test. */
static int write_to(const char *directory, const char *name, const char *text, struct err *err)
{
    cleanup_free char *path = str_format("%s/%s", directory, name);
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        return err_errno(err, "cannot write '%.200s' to '%s'", text, path);
    return 0;
}

static int make_directory(const char *path, struct err *err)
{
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return err_errno(err, "cannot make '%s'", path);
    return 0;
}

static int join(const char *root, const json_t *config, const char *id, pid_t pid, struct err *err)
{
    cleanup_free char *group = group_path(root, config, id);
    cleanup_free char *monitor = monitor_path(root, config, id);
    cleanup_free char *number = str_format("%d", (int)pid);

    if (write_to(group, "tasks", number, err) < 0)
        return -err->code;
    return monitor ? write_to(monitor, "tasks", number, err) : 0;
}

static int make(const char *root, const json_t *config, const char *id, struct err *err)
{
    cleanup_free char *group = group_path(root, config, id);
    cleanup_free char *monitor = monitor_path(root, config, id);
    cleanup_free char *monitors = str_format("%s/mon_groups", group);
    cleanup_buf struct buf lines = {0};

    if (make_directory(group, err) < 0 || add_lines(rdt_of(config), &lines, err) < 0 ||
        (lines.len && write_to(group, "schemata", lines.data, err) < 0))
        return -err->code;
    return monitor && (make_directory(monitors, err) < 0 || make_directory(monitor, err) < 0)
               ? -err->code
               : 0;
}

int rdt_create(const char *root, const json_t *config, const char *id, pid_t pid, struct err *err)
{
    cleanup_free char *found = NULL;

    if (!rdt_of(config))
        return 0;
    found = root ? str_copy(root) : find_root();
    if (!found)
        return not_supported(err);
    if (make(found, config, id, err) < 0 || join(found, config, id, pid, err) < 0)
        return refused(found, err);
    return 0;
}

int rdt_join(const char *root, const json_t *config, const char *id, pid_t pid, struct err *err)
{
    cleanup_free char *found = NULL;

    if (!rdt_of(config))
        return 0;
    found = root ? str_copy(root) : find_root();
    if (!found)
        return not_supported(err);
    return join(found, config, id, pid, err) < 0 ? refused(found, err) : 0;
}

/* rmdir(2) of a group moves who is in it to the group above. */
static int remove_group(const char *path, struct err *err)
{
    if (rmdir(path) < 0 && errno != ENOENT)
        return err_errno(err, "cannot remove the resctrl group '%s'", path);
    return 0;
}

int rdt_destroy(const char *root, const json_t *config, const char *id, struct err *err)
{
    cleanup_free char *found = root ? str_copy(root) : NULL;
    cleanup_free char *group = NULL, *monitor = NULL;

    if (!rdt_of(config))
        return 0;
    if (!found)
        found = find_root();
    if (!found)
        return 0; /* unmounted since, and all groups with it */
    group = group_path(found, config, id);
    monitor = monitor_path(found, config, id);
    if (monitor && remove_group(monitor, err) < 0)
        return -err->code;
    return clos_of(config) ? 0 : remove_group(group, err);
}
