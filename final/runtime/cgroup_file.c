/* The kernel's files in a group's directory: one read or write each. */
#include "runtime/cgroup_parts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

/* Far above any real one; what a container puts into its own group's files is bounded by the
 * kernel. */
#define FILE_MAX (16 << 20)

int cgroup_write(const char *base, const char *path, const char *file, const char *text,
                 struct err *err)
{
    cleanup_free char *full = str_format("%s%s/%s", base, path, file);

    return file_poke(AT_FDCWD, full, text, err);
}

int cgroup_read(const char *base, const char *path, const char *file, struct buf *ret)
{
    cleanup_free char *full = str_format("%s%s/%s", base, path, file);
    cleanup_close int fd = open(full, O_RDONLY | O_CLOEXEC);
    struct err ignored = {0};

    return fd < 0 ? -errno : file_load_fd(fd, FILE_MAX, ret, &ignored);
}

unsigned long long cgroup_read_key(const char *base, const char *path, const char *file,
                                   const char *word)
{
    cleanup_buf struct buf text = {0};
    size_t n = strlen(word);

    if (cgroup_read(base, path, file, &text) < 0)
        return 0;
    for (char *line = text.data; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!strncmp(line, word, n) && line[n] == ' ')
            return strtoull(line + n + 1, NULL, 10);
    }
    return 0;
}

bool cgroup_has(const char *base, const char *path, const char *file)
{
    cleanup_free char *full = str_format("%s%s/%s", base, path, file);

    return !access(full, F_OK);
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
