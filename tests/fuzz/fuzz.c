#include "fuzz/fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define TARGETS 32

static struct {
    const char *name;
    fuzz_target *target;
} targets[TARGETS];
static size_t count;

void fuzz_register(const char *name, fuzz_target *target)
{
    FUZZ_CHECK(count < TARGETS);
    targets[count].name = name;
    targets[count++].target = target;
}

fuzz_target *fuzz_find(size_t index, const char **ret_name)
{
    if (index >= count)
        return NULL;
    *ret_name = targets[index].name;
    return targets[index].target;
}

/* --- files ------------------------------------------------------------------------------------ */

static char directory[64];

static void remove_directory(void)
{
    struct err err = {0};

    file_remove_tree(AT_FDCWD, directory, &err);
}

int fuzz_directory(void)
{
    struct err err = {0};
    int fd;

    if (!*directory) {
        snprintf(directory, sizeof directory, "/dev/shm/cooper-fuzz-%d", getpid());
        atexit(remove_directory);
    }
    if (!access(directory, F_OK))
        FUZZ_CHECK(!file_remove_tree(AT_FDCWD, directory, &err));
    FUZZ_CHECK(!mkdir(directory, 0700));
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FUZZ_CHECK(fd >= 0);
    return fd;
}

int fuzz_file(const char *data, size_t len)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    FUZZ_CHECK(fd >= 0 && !file_write(fd, data, len) && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

/* --- tar -------------------------------------------------------------------------------------- */

#define BLOCK       512
#define MAGIC_AT    257
#define CHECKSUM_AT 148

static void fix_checksum(char *header)
{
    unsigned sum = 0;

    memset(header + CHECKSUM_AT, ' ', 8);
    for (size_t i = 0; i < BLOCK; i++)
        sum += (unsigned char)header[i];
    snprintf(header + CHECKSUM_AT, 8, "%06o", sum);
    header[CHECKSUM_AT + 7] = ' ';
}

char *fuzz_tar(const char *data, size_t len)
{
    char *copy = mem_alloc(len + 1);

    if (len)
        memcpy(copy, data, len);
    for (size_t at = 0; at + BLOCK <= len; at += BLOCK)
        if (!memcmp(copy + at + MAGIC_AT, "ustar", 5))
            fix_checksum(copy + at);
    return copy;
}
