/* Who the container's process is. getpwnam(3) is out of the question: it would load the image's NSS
 * modules into our process, with our privileges (CVE-2019-14271). The two files are data of the
 * image, so they are opened beneath its root, must be regular (a fifo would block us for ever,
 * CVE-2024-9676) and small, and lines that make no sense are passed over.
 *
 * docker's rules: what is a number is a uid, whatever a line of that name says (CVE-2016-3697); a
 * number needs no entry; numbers end at 2^31-1 (CVE-2024-40635: 2^32 wrapped to root). */
#include "runtime/user.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/file.h"

#define FILE_MAX (1 << 20)
#define FIELDS   7

/* What maskedPaths puts over a file: /dev/null. */
static bool masked(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

/* An image without the file has no such entries; that is no error. */
static int load(int root, const char *path, struct buf *ret, struct err *err)
{
    cleanup_close int fd = beneath_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, 0);
    struct stat st;

    if (fd == -ENOENT || fd == -ENOTDIR)
        return 0;
    if (fd < 0)
        return err_set(err, -fd, "cannot open the container's %s: %s", path, strerror(-fd));
    if (fstat(fd, &st) < 0)
        return err_errno(err, "cannot look at the container's %s", path);
    if (masked(&st))
        return 0;
    if (!S_ISREG(st.st_mode))
        return err_set(err, EINVAL, "the container's %s is not a regular file", path);
    if (file_load_fd(fd, FILE_MAX, ret, err) < 0)
        return err_wrap(err, "the container's %s", path);
    return 0;
}

/* Cuts the next line of *rest at its colons; false at the end. Missing fields are "". */
static bool next_line(char **rest, char *fields[FIELDS])
{
    static char nothing[1] = "";
    char *line = strsep(rest, "\n");

    if (!line)
        return false;
    for (int i = 0; i < FIELDS; i++) {
        char *field = strsep(&line, ":");

        fields[i] = field ? field : nothing;
    }
    return true;
}

/* 0: a number in range; -ERANGE: a number, but not in range; -EINVAL: no number. */
static int parse_id(const char *text, uint32_t *ret)
{
    unsigned long long value;
    int r;

    if (!*text || strspn(text, "0123456789") != strlen(text))
        return -EINVAL;
    r = str_to_u64(text, &value);
    if (r < 0 || value > INT32_MAX)
        return -ERANGE;
    *ret = (uint32_t)value;
    return 0;
}

static int out_of_range(const char *text, struct err *err)
{
    return err_set(err, EINVAL, "uids and gids must be in range 0-2147483647: '%s'", text);
}

struct entry {
    bool found;
    char *name, *home; /* inside the file's text */
    uint32_t uid, gid;
};

/* The first line with this name, or with `uid` when `name` is NULL. */
static struct entry find_entry(char *text, const char *name, uint32_t uid)
{
    struct entry entry = {0};
    char *fields[FIELDS];

    while (next_line(&text, fields)) {
        if (parse_id(fields[2], &entry.uid) < 0 || parse_id(fields[3], &entry.gid) < 0)
            continue;
        if (name ? strcmp(fields[0], name) : entry.uid != uid)
            continue;
        entry.found = true;
        entry.name = fields[0];
        entry.home = fields[5];
        return entry;
    }
    return entry;
}

static bool list_contains(char *list, const char *name)
{
    for (char *item = strsep(&list, ","); item; item = strsep(&list, ","))
        if (!strcmp(item, name))
            return true;
    return false;
}

/* Twice does no harm, sort_groups() comes last. */
static void add_group(struct user *user, gid_t gid)
{
    size_t n = user->group_count++;

    if (!(n & (n - 1))) /* room doubles: an image may list its user in a hundred thousand groups */
        user->groups = mem_grow(user->groups, n ? 2 * n : 1, sizeof gid);
    user->groups[n] = gid;
}

static int by_number(const void *a, const void *b)
{
    gid_t x = *(const gid_t *)a, y = *(const gid_t *)b;

    return (x > y) - (x < y);
}

static void sort_groups(struct user *user)
{
    size_t kept = 0;

    qsort(user->groups, user->group_count, sizeof *user->groups, by_number);
    for (size_t i = 0; i < user->group_count; i++)
        if (!kept || user->groups[kept - 1] != user->groups[i])
            user->groups[kept++] = user->groups[i];
    user->group_count = kept;
}

void user_free(struct user *user)
{
    free(user->groups);
    free(user->home);
}

/* All groups that list the user as a member. */
static void add_memberships(char *text, const char *name, struct user *ret)
{
    char *fields[FIELDS];
    uint32_t gid;

    while (next_line(&text, fields))
        if (!parse_id(fields[2], &gid) && list_contains(fields[3], name))
            add_group(ret, gid);
}

static int find_group(char *text, const char *wanted, gid_t *ret, struct err *err)
{
    char *fields[FIELDS];
    uint32_t gid;
    int r = parse_id(wanted, ret);

    if (r != -EINVAL)
        return r < 0 ? out_of_range(wanted, err) : 0;
    while (next_line(&text, fields))
        if (!strcmp(fields[0], wanted) && !parse_id(fields[2], &gid)) {
            *ret = gid;
            return 0;
        }
    return err_set(err, EINVAL, "unable to find group %s: no matching entries in group file",
                   wanted);
}

/* The user part: fills uid, gid and home; *ret_entry is empty when the number has no line. */
static int find_user(char *passwd, const char *wanted, struct user *ret, struct entry *ret_entry,
                     struct err *err)
{
    int r = *wanted ? parse_id(wanted, &ret->uid) : 0; /* ":group": user 0 */

    if (r == -ERANGE)
        return out_of_range(wanted, err);
    *ret_entry = find_entry(passwd, r ? wanted : NULL, ret->uid);
    if (r && !ret_entry->found)
        return err_set(err, EINVAL, "unable to find user %s: no matching entries in passwd file",
                       wanted);
    if (ret_entry->found) {
        ret->uid = ret_entry->uid;
        ret->gid = ret_entry->gid;
    }
    return 0;
}

static int find_by_text(const char *text, char *passwd, int root, struct user *ret,
                        struct entry *ret_entry, struct err *err)
{
    cleanup_free char *user = str_copy(text);
    cleanup_buf struct buf group_file = {0};
    char *group = strchr(user, ':');
    gid_t gid;

    if (group)
        *group++ = 0;
    if (find_user(passwd, user, ret, ret_entry, err) < 0 ||
        load(root, "/etc/group", &group_file, err) < 0)
        return -err->code;
    if (group && *group) {
        if (find_group(group_file.data, group, &gid, err) < 0)
            return -err->code;
        ret->gid = gid;
        add_group(ret, gid);
        return 0;
    }
    add_group(ret, ret->gid);
    if (ret_entry->found)
        add_memberships(group_file.data, ret_entry->name, ret);
    return 0;
}

/* --group-add: names of the image's own /etc/group, or numbers. */
static int add_named_groups(const json_t *names, int root, struct user *ret, struct err *err)
{
    const json_t *item;
    size_t i;

    json_array_foreach(names, i, item)
    {
        cleanup_buf struct buf group_file = {0}; /* looking up cuts it into pieces */
        const char *name = json_string_value(item);
        gid_t gid;

        if (!name || load(root, "/etc/group", &group_file, err) < 0 ||
            find_group(group_file.data, name, &gid, err) < 0)
            return name ? -err->code : err_set(err, EINVAL, "an additional group is no text");
        add_group(ret, gid);
    }
    return 0;
}

int user_find(int root, const struct spec_process *process, struct user *ret, struct err *err)
{
    cleanup_buf struct buf passwd = {0};
    struct entry entry = {0};

    *ret = (struct user){0};
    if (load(root, "/etc/passwd", &passwd, err) < 0)
        return -err->code;
    if (process->user && *process->user) {
        if (find_by_text(process->user, passwd.data, root, ret, &entry, err) < 0)
            return -err->code;
    } else {
        ret->uid = process->uid;
        ret->gid = process->gid;
        add_group(ret, ret->gid);
        entry = find_entry(passwd.data, NULL, ret->uid);
    }
    for (size_t i = 0; i < process->group_count; i++)
        add_group(ret, process->groups[i]);
    if (add_named_groups(process->group_names, root, ret, err) < 0)
        return -err->code;
    sort_groups(ret);
    ret->home = str_copy(entry.found && *entry.home ? entry.home : ret->uid ? "/" : "/root");
    return 0;
}
