#include "base/draft.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static int open_directory(const char *path)
{
    size_t len = (size_t)(name_of(path) - path);
    cleanup_free char *directory = len ? str_copy_n(path, len) : str_copy(".");

    return open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static char *name_beside(const char *path)
{
    return str_format("%s.%d.tmp", name_of(path), (int)getpid());
}

static int make_file(struct draft *draft)
{
    draft->fd = openat(draft->directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (draft->fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return draft->fd;
    draft->temporary = name_beside(draft->path);
    draft->fd = openat(draft->directory, draft->temporary,
                       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return draft->fd;
}

int draft_begin(const char *path, struct draft *ret, struct err *err)
{
    struct draft draft = {.fd = -1, .directory = open_directory(path), .path = str_copy(path)};

    if (draft.directory >= 0 && make_file(&draft) >= 0) {
        *ret = draft;
        return 0;
    }
    err_errno(err, "cannot create '%s'", path);
    free(steal_ptr(&draft.temporary)); /* not ours, if it is there */
    draft_drop(&draft);
    return -err->code;
}

/* linkat(2) replaces nothing, so where there is a file already it takes a second step. 1: done; 0:
 * it has the temporary name. */
static int give_name(struct draft *draft)
{
    char fd[64];

    if (draft->temporary)
        return 0;
    snprintf(fd, sizeof fd, "/proc/self/fd/%d", draft->fd);
    if (!linkat(AT_FDCWD, fd, draft->directory, name_of(draft->path), AT_SYMLINK_FOLLOW))
        return 1;
    if (errno != EEXIST)
        return -errno;
    draft->temporary = name_beside(draft->path);
    if (!linkat(AT_FDCWD, fd, draft->directory, draft->temporary, AT_SYMLINK_FOLLOW))
        return 0;
    free(steal_ptr(&draft->temporary));
    return -errno;
}

int draft_keep(struct draft *draft, struct err *err)
{
    int r = give_name(draft);

    if (!r &&
        renameat(draft->directory, draft->temporary, draft->directory, name_of(draft->path)) < 0)
        r = -errno;
    if (r < 0)
        err_set(err, -r, "cannot write '%s': %s", draft->path, strerror(-r));
    else
        free(steal_ptr(&draft->temporary));
    draft_drop(draft);
    return r < 0 ? r : 0;
}

void draft_drop(struct draft *draft)
{
    if (draft->temporary)
        unlinkat(draft->directory, draft->temporary, 0);
    close_fd(&draft->fd);
    close_fd(&draft->directory);
    free(draft->path);
    free(draft->temporary);
    *draft = (struct draft){.fd = -1, .directory = -1};
}
