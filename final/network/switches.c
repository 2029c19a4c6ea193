/* Switches below /proc/sys/net: they show the network namespace of who looks. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "network/internal.h"

int net_switch_read(const char *name, char ret[32])
{
    cleanup_free char *path = str_format("/proc/sys/net/%s", name);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, ret, 31);

    if (n < 0)
        return -errno;
    while (n && (ret[n - 1] == '\n' || ret[n - 1] == ' '))
        n--;
    ret[n] = 0;
    return 0;
}

int net_switch_set(const char *name, const char *value, struct err *err)
{
    cleanup_free char *path = str_format("/proc/sys/net/%s", name);
    cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, value, strlen(value)) < 0)
        return err_errno(err, "cannot set net/%s to %s", name, value);
    return 0;
}
