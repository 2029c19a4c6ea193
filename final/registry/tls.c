/* The certificates are handed to libcurl as text, together, beside the system's: a host with a CA
 * of its own may still redirect blobs to storage whose certificate is a public one, and each host's
 * directory is read for itself. */
#include "registry/tls.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

#define CA_FILE_MAX (1u << 20)

static int add_file(int dirfd, const char *name, struct buf *ret, struct err *err)
{
    cleanup_buf struct buf pem = {0};

    if (file_load(dirfd, name, CA_FILE_MAX, &pem, err) < 0)
        return err_wrap(err, "cannot read the CA certificate");
    buf_add(ret, pem.data, pem.len);
    buf_add_char(ret, '\n');
    return 0;
}

/* 1 when the directory is there, 0 when not. Only *.crt: *.cert and *.key beside it are a client's
 * own. */
static int add_directory(const char *path, struct buf *ret, struct err *err)
{
    cleanup_closedir DIR *dir = opendir(path);
    struct dirent *entry;

    if (!dir)
        return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(err, "cannot list '%s'", path);
    while ((entry = readdir(dir))) {
        if (!str_ends(entry->d_name, ".crt"))
            continue;
        if (add_file(dirfd(dir), entry->d_name, ret, err) < 0)
            return err_wrap(err, "'%s'", path);
    }
    return 1;
}

int tls_trust(const char *host, const char *ca_file, const char *config_dir, struct buf *ret,
              struct err *err)
{
    const char *const places[] = {config_dir, "/etc/cooper", "/etc/docker"};
    int r = ca_file ? add_file(AT_FDCWD, ca_file, ret, err) : 0;

    if (r < 0 || strchr(host, '/') || *host == '.') /* not a name for a directory */
        return r;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        cleanup_free char *path = NULL;

        if (!places[i])
            continue;
        path = str_format("%s/certs.d/%s", places[i], host);
        r = add_directory(path, ret, err);
        if (r)
            return r < 0 ? r : 0;
    }
    return 0;
}
