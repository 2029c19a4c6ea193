#include "runtime/program.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int no_program(const char *name, int code, struct err *err)
{
    if (code == ENOENT && !strchr(name, '/'))
        err_set(err, code, "exec: \"%s\": executable file not found in $PATH", name);
    else if (code == ENOENT || code == ENOTDIR)
        err_set(err, ENOENT, "exec: \"%s\": stat %s: no such file or directory", name, name);
    else if (code == EISDIR)
        err_set(err, code, "exec: \"%s\": is a directory", name);
    else
        err_set(err, code, "exec: \"%s\": permission denied", name);
    err->exit_status = code == ENOENT || code == ENOTDIR ? 127 : 126;
    return -err->code;
}

/* 0 if it can be run; the check is the user's own, execve(2) has the last word. */
static int check_program(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? -EACCES : 0;
}

static int find_in_path(const char *name, const char *path, char ret[PATH_MAX], struct err *err)
{
    cleanup_strv struct strv dirs = {0};
    int worst = ENOENT;

    strv_split(&dirs, path, ':');
    for (size_t i = 0; i < dirs.len; i++) {
        const char *dir = *dirs.items[i] ? dirs.items[i] : ".";
        int r;

        if (snprintf(ret, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
            continue;
        r = check_program(ret);
        if (!r)
            return 0;
        if (r == -EACCES)
            worst = EACCES; /* found but not executable: say so if nothing better comes */
    }
    return no_program(name, worst, err);
}

int program_find(const char *name, const char *path, char ret[PATH_MAX], struct err *err)
{
    int r;

    if (!*name)
        return no_program(name, ENOENT, err);
    if (!strchr(name, '/'))
        return find_in_path(name, path ? path : DEFAULT_PATH, ret, err);
    r = check_program(name);
    if (r < 0)
        return no_program(name, -r, err);
    snprintf(ret, PATH_MAX, "%s", name);
    return 0;
}

int program_failed(const char *program, struct err *err)
{
    int code = errno;

    /* The file is there: what is missing is its "#!" interpreter or its dynamic loader. */
    if (code == ENOENT)
        err_set(err, code, "exec %s: no such file or directory", program);
    else if (code == ENOEXEC)
        err_set(err, code, "exec %s: exec format error", program);
    else
        err_set(err, code, "exec %s: %s", program,
                code == EACCES ? "permission denied" : strerror(code));
    err->exit_status = code == ENOENT ? 127 : 126;
    return -code;
}
