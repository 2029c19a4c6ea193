/* raw-device NAME: makes a device file for a disk of the host's, and reads the disk's first line.
 *
 * The kernel has told its number: /proc/partitions lists all disks of the machine, also to a
 * process in namespaces. NAME is one of that list, and ought to be a disk that you have made for
 * this.
 *
 * Ends with 1 when the device file cannot be made or does not open. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { STOPPED = 1, NOT_TRIED = 2 };

/* Places that may be on different mounts, with different flags. */
static const char *const doors[] = {"/tmp/raw-device", "/dev/raw-device"};

/* A line is: major, minor, size in KiB, name. */
static int find_number(const char *wanted, dev_t *ret_number)
{
    FILE *list = fopen("/proc/partitions", "r");
    char line[256], name[64];
    unsigned major, minor;

    while (list && fgets(line, sizeof line, list))
        if (sscanf(line, "%u %u %*u %63s", &major, &minor, name) == 3 && !strcmp(name, wanted)) {
            *ret_number = makedev(major, minor);
            return 0;
        }
    return -1;
}

static int read_first_line(const char *door, dev_t number)
{
    char start[81] = "";
    int fd;

    unlink(door);
    if (mknod(door, S_IFBLK | 0600, number) < 0) {
        printf("I cannot make %s: %s.\n", door, strerror(errno));
        return STOPPED;
    }
    fd = open(door, O_RDONLY);
    unlink(door);
    if (fd < 0 || read(fd, start, sizeof start - 1) < 0) {
        printf("I have made %s, but it does not open: %s.\n", door, strerror(errno));
        return STOPPED;
    }
    printf("I have made %s. The disk begins with: %.*s\n", door, (int)strcspn(start, "\n"), start);
    return 0;
}

int main(int argc, char **argv)
{
    dev_t number;

    if (argc < 2 || find_number(argv[1], &number) < 0) {
        fputs("usage: raw-device NAME (of a disk in /proc/partitions)\n", stderr);
        return NOT_TRIED;
    }
    for (size_t i = 0; i < sizeof doors / sizeof *doors; i++)
        if (read_first_line(doors[i], number) == 0)
            return 0;
    return STOPPED;
}
