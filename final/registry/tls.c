/* The certificates are handed to libcurl as text, together, beside the system's: a host with a CA
 * of its own may still redirect blobs to storage whose certificate is a public one, and each host's
 * directory is read for itself. */
#include "registry/tls.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define CA_FILE_MAX (1u << 20)

static int add_file(int dirfd, const char *name, struct buf *ret, struct err *err)
{
    cleanup_buf struct buf pem = {0};

    if (file_load(dirfd, name, CA_FILE_MAX, &pem, err) < 0)
        return err_wrap(err, "cannot read the certificate");
    buf_add(ret, pem.data, pem.len);
    buf_add_char(ret, '\n');
    return 0;
}

/* Only *.crt: *.cert and *.key beside it are our own. */
static int add_directory(const char *path, struct buf *ret, struct err *err)
{
    cleanup_closedir DIR *dir = opendir(path);
    struct dirent *entry;

    if (!dir)
        return err_errno(err, "cannot list '%s'", path);
    while ((entry = readdir(dir))) {
        if (!str_ends(entry->d_name, ".crt"))
            continue;
        if (add_file(dirfd(dir), entry->d_name, ret, err) < 0)
            return err_wrap(err, "'%s'", path);
    }
    return 0;
}

/* The directory that counts for `host`; NULL when there is none. The caller frees. */
static char *find_directory(const char *host, const char *config_dir)
{
    const char *const places[] = {config_dir, "/etc/cooper", "/etc/docker"};

    if (strchr(host, '/') || *host == '.') /* not a name for a directory */
        return NULL;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *path = places[i] ? str_format("%s/certs.d/%s", places[i], host) : NULL;

        if (path && !access(path, F_OK))
            return path;
        free(path);
    }
    return NULL;
}

int tls_trust(const char *host, const char *ca_file, const char *config_dir, struct buf *ret,
              struct err *err)
{
    cleanup_free char *path = find_directory(host, config_dir);
    int r = ca_file ? add_file(AT_FDCWD, ca_file, ret, err) : 0;

    if (r >= 0 && path)
        r = add_directory(path, ret, err);
    return r < 0 ? r : 0;
}

/* Adds the certificate `name` and the key that goes with it. */
static int add_pair(int dirfd, const char *name, struct buf *certificate, struct buf *key,
                    struct err *err)
{
    cleanup_free char *key_name =
        str_format("%.*s.key", (int)(strlen(name) - strlen(".cert")), name);
    int r = add_file(dirfd, name, certificate, err);

    if (r < 0)
        return r;
    if (faccessat(dirfd, key_name, F_OK, 0) < 0)
        return err_set(err, ENOENT, "missing key %s for client certificate %s", key_name, name);
    return add_file(dirfd, key_name, key, err);
}

/* The first pair there is: libcurl presents one. */
int tls_client(const char *host, const char *config_dir, struct buf *ret_certificate,
               struct buf *ret_key, struct err *err)
{
    cleanup_free char *path = find_directory(host, config_dir);
    cleanup_closedir DIR *dir = path ? opendir(path) : NULL;
    struct dirent *entry;

    if (path && !dir)
        return err_errno(err, "cannot list '%s'", path);
    while (dir && (entry = readdir(dir)))
        if (str_ends(entry->d_name, ".cert") && !ret_certificate->len &&
            add_pair(dirfd(dir), entry->d_name, ret_certificate, ret_key, err) < 0)
            return err_wrap(err, "'%s'", path);
    return 0;
}
