/* Where a process's control groups are: what /proc/PID/cgroup says, in version 1 or 2. */
#include "grade/grade.h"

#include <linux/magic.h>
#include <string.h>
#include <sys/statfs.h>

#include "base/cleanup.h"

bool group_is_v2(void)
{
    struct statfs fs;

    return statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

char *group_path(pid_t pid, const char *controller)
{
    cleanup_free char *file = str_format("/proc/%d/cgroup", (int)pid), *all = fact_file(file);
    cleanup_strv struct strv lines = {0};

    strv_split(&lines, all, '\n');
    for (size_t i = 0; i < lines.len; i++) {
        cleanup_strv struct strv fields = {0}, names = {0};

        strv_split(&fields, lines.items[i], ':');
        if (fields.len < 2)
            continue;
        strv_split(&names, fields.items[1], ',');
        if (group_is_v2() ? !fields.items[1][0] : strv_contains(&names, controller))
            return str_copy(strchr(strchr(lines.items[i], ':') + 1, ':') + 1);
    }
    return str_copy("/");
}

char *group_directory(pid_t pid, const char *controller)
{
    cleanup_free char *path = group_path(pid, controller);

    if (group_is_v2())
        return str_format("/sys/fs/cgroup%s", path);
    return str_format("/sys/fs/cgroup/%s%s", controller, path);
}

char *group_file(pid_t pid, const char *controller, const char *v2, const char *v1)
{
    cleanup_free char *directory = group_directory(pid, controller);
    cleanup_free char *path = str_format("%s/%s", directory, group_is_v2() ? v2 : v1);

    return fact_file(path);
}
