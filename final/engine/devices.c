/* devices.c - device nodes beside the default ones: --device, and all of the host's for
 * --privileged. What may be used is decided twice: by the node being there, and by the device
 * cgroup's rules. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/internal.h"

/* Filled in by the runtime for every container, or meaningless in another /dev. */
static const char *const skipped[] = {"pts",    "shm",         "mqueue",  "fd",      "stdin",
                                      "stdout", "stderr",      "console", "ptmx",    "null",
                                      "zero",   "full",        "random",  "urandom", "tty",
                                      ".lxc",   ".lxd-mounts", ".udev",   "core"};

static bool is_skipped(const char *name)
{
    for (size_t i = 0; i < sizeof skipped / sizeof *skipped; i++)
        if (!strcmp(name, skipped[i]))
            return true;
    return false;
}

static void add_node(json_t *devices, const char *path, const struct stat *st)
{
    json_t *node = json_object();

    json_put_str(node, "path", path);
    json_put_str(node, "type", S_ISBLK(st->st_mode) ? "b" : "c");
    json_put(node, "major", json_integer(major(st->st_rdev)));
    json_put(node, "minor", json_integer(minor(st->st_rdev)));
    json_put(node, "fileMode", json_integer(st->st_mode & 07777));
    json_put(node, "uid", json_integer(st->st_uid));
    json_put(node, "gid", json_integer(st->st_gid));
    json_push(devices, node);
}

static int add_host_devices(json_t *devices, const char *path, int level, struct err *err)
{
    cleanup_closedir DIR *dir = opendir(path);
    struct dirent *entry;

    if (!dir)
        return err_errno(err, "cannot list '%s'", path);
    while ((entry = file_next_entry(dir))) {
        cleanup_free char *child = str_format("%s/%s", path, entry->d_name);
        struct stat st;

        if ((!level && is_skipped(entry->d_name)) || lstat(child, &st) < 0)
            continue;
        if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
            add_node(devices, child, &st);
        else if (S_ISDIR(st.st_mode) && level < 8 &&
                 add_host_devices(devices, child, level + 1, err) < 0)
            return -err->code;
    }
    return errno ? err_errno(err, "cannot list '%s'", path) : 0;
}

static json_t *rule(bool allow, const char *access)
{
    json_t *r = json_object();

    json_put(r, "allow", json_boolean(allow));
    json_put_str(r, "access", access);
    return r;
}

static void add_one(json_t *devices, json_t *rules, const char *target, const char *access,
                    const struct stat *st)
{
    json_t *allow = rule(true, access);

    add_node(devices, target, st);
    json_put_str(allow, "type", S_ISBLK(st->st_mode) ? "b" : "c");
    json_put(allow, "major", json_integer(major(st->st_rdev)));
    json_put(allow, "minor", json_integer(minor(st->st_rdev)));
    json_push(rules, allow);
}

/* --device of a directory (/dev/snd) means every device in it and below. The number added. */
static int add_tree(json_t *devices, json_t *rules, const char *source, const char *target,
                    const char *access, int level)
{
    cleanup_closedir DIR *dir = level < 8 ? opendir(source) : NULL;
    struct dirent *entry;
    int count = 0;

    while (dir && (entry = readdir(dir))) {
        cleanup_free char *from = str_format("%s/%s", source, entry->d_name);
        cleanup_free char *to = str_format("%s/%s", target, entry->d_name);
        struct stat st;

        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") || lstat(from, &st) < 0)
            continue;
        if (S_ISDIR(st.st_mode)) {
            count += add_tree(devices, rules, from, to, access, level + 1);
        } else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
            add_one(devices, rules, to, access, &st);
            count++;
        }
    }
    return count;
}

static int add_given(json_t *devices, json_t *rules, const json_t *given, struct err *err)
{
    const char *source = json_str(given, "PathOnHost", "");
    const char *target = json_str(given, "PathInContainer", source);
    const char *access = json_str(given, "CgroupPermissions", "rwm");
    struct stat st;

    if (stat(source, &st) < 0)
        return err_set(err, errno,
                       "error gathering device information while adding custom device \"%s\": %s",
                       source, errno == ENOENT ? "no such file or directory" : strerror(errno));
    if (S_ISDIR(st.st_mode) && add_tree(devices, rules, source, target, access, 0))
        return 0;
    if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
        return err_set(
            err, EINVAL,
            "error gathering device information while adding custom device \"%s\": not a "
            "device node",
            source);
    add_one(devices, rules, target, access, &st);
    return 0;
}

/* --device-cgroup-rule "c 10:* rw": only a rule, no node. */
static void add_cgroup_rule(json_t *rules, const char *text)
{
    char type[2], access[4], major_text[16], minor_text[16];
    json_t *allow;

    if (sscanf(text, "%1[abc] %15[0-9*]:%15[0-9*] %3[rwm]", type, major_text, minor_text, access) !=
        4)
        return; /* cannot be: it was checked */
    allow = rule(true, access);
    json_put_str(allow, "type", type);
    json_put(allow, "major", json_integer(*major_text == '*' ? -1 : atoll(major_text)));
    json_put(allow, "minor", json_integer(*minor_text == '*' ? -1 : atoll(minor_text)));
    json_push(rules, allow);
}

int devices_add(json_t *linux_section, const json_t *host, struct err *err)
{
    json_t *devices = json_array(), *rules = json_array(), *item;
    bool privileged = json_flag(host, "Privileged", false);
    size_t i;
    int r = 0;

    json_push(rules, rule(privileged, "rwm"));
    if (privileged)
        r = add_host_devices(devices, "/dev", 0, err);
    json_array_foreach(json_object_get(host, "Devices"), i, item) if (r >= 0) r =
        add_given(devices, rules, item, err);
    json_array_foreach(json_object_get(host, "DeviceCgroupRules"), i, item)
        add_cgroup_rule(rules, json_string_value(item) ? json_string_value(item) : "");
    json_put(linux_section, "devices", devices);
    json_put(json_object_get(linux_section, "resources"), "devices", rules);
    return r;
}
