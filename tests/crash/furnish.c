#include "crash/furnish.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/copy.h"
#include "base/file.h"

static const char *const directories[] = {"bin", "etc", "tmp", "proc", "sys", "dev"};
static const char *const applets[] = {"sh", "echo", "sleep", "true", "cat"};

static int copy_busybox(const char *to, struct err *err)
{
    cleanup_close int in = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
    cleanup_close int out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    struct stat st;
    int r;

    if (in < 0 || out < 0 || fstat(in, &st) < 0)
        return err_errno(err, "cannot copy '/bin/busybox' (busybox-static) to '%s'", to);
    r = copy_content(in, out, st.st_size);
    return r < 0 ? err_set(err, -r, "cannot copy '/bin/busybox'") : 0;
}

int furnish_tree(const char *path, struct err *err)
{
    cleanup_free char *busybox = str_format("%s/bin/busybox", path);

    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        cleanup_free char *directory = str_format("%s/%s", path, directories[i]);

        if (file_make_dirs(AT_FDCWD, directory, 0755, err) < 0)
            return -err->code;
    }
    for (size_t i = 0; i < sizeof applets / sizeof *applets; i++) {
        cleanup_free char *name = str_format("%s/bin/%s", path, applets[i]);

        if (symlink("busybox", name) < 0)
            return err_errno(err, "cannot link '%s'", name);
    }
    return copy_busybox(busybox, err);
}
