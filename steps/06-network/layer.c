/* A layer is a tar, mostly compressed, of what changed against the layers below. Three rules make
 * it safe to use one from a stranger. Its digest is compared before anything in it is believed.
 * Each entry stays beneath the directory it is unpacked in: no "..", no absolute name, no way
 * through a symbolic link that came before it (libarchive sees to that, when asked). And the
 * directory gets its name when it is complete, by rename(2): where the name exists, the content is
 * right. */
#include "layer.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <linux/openat2.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "die.h"

enum { BLOCK = 1 << 16, HEX = 64 };

static const int stay_beneath = ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
                                ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS;

/* A digest becomes part of a path, and comes from a file that anybody may have written. */
static const char *hex_of(const char *digest)
{
    if (strncmp(digest, "sha256:", 7) || strspn(digest + 7, "0123456789abcdef") != HEX ||
        digest[7 + HEX])
        die(NULL, "'%s' is not 'sha256:' and 64 hexadecimal digits", digest);
    return digest + 7;
}

static void check_digest(int fd, const char *expected)
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    unsigned char block[BLOCK], sum[EVP_MAX_MD_SIZE];
    char hex[HEX + 1];
    ssize_t n;

    EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
    while ((n = read(fd, block, sizeof block)) > 0)
        EVP_DigestUpdate(hash, block, n);
    EVP_DigestFinal_ex(hash, sum, NULL);
    EVP_MD_CTX_free(hash);
    for (int i = 0; i < HEX / 2; i++)
        sprintf(hex + 2 * i, "%02x", sum[i]);
    if (n < 0 || strcmp(hex, expected))
        die("it was damaged or exchanged; fetch the image again",
            "the blob '%s' has the digest '%s'", expected, hex);
}

int layer_open_blob(const char *layout, const char *digest, long long size)
{
    char path[PATH_MAX];
    struct stat st;
    int fd;

    snprintf(path, sizeof path, "%s/blobs/sha256/%s", layout, hex_of(digest));
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        die("the image is not complete; fetch it again", "cannot open the blob '%s': %m", path);
    if (st.st_size != size)
        die(NULL, "the blob '%s' has %lld bytes instead of %lld", path, (long long)st.st_size,
            size);
    check_digest(fd, hex_of(digest));
    lseek(fd, 0, SEEK_SET);
    return fd;
}

/* A layer says "NAME is deleted" with an empty file .wh.NAME; overlayfs says it with a character
 * device 0:0. */
static void make_whiteout(struct archive_entry *entry, const char *path, const char *name)
{
    char target[PATH_MAX];

    snprintf(target, sizeof target, "%.*s%s", (int)(name - path), path, name + strlen(".wh."));
    archive_entry_set_pathname(entry, target);
    archive_entry_set_filetype(entry, AE_IFCHR);
    archive_entry_set_rdev(entry, 0);
}

/* A file .wh..wh..opq: nothing in this directory shines through from below. Overlayfs wants an
 * attribute. */
static int make_opaque(const char *path, const char *name)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC,
                           .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH};
    char directory[PATH_MAX];
    int fd, result;

    snprintf(directory, sizeof directory, "./%.*s", (int)(name - path), path);
    fd = syscall(SYS_openat2, AT_FDCWD, directory, &how, sizeof how);
    if (fd < 0)
        return -1;
    result = fsetxattr(fd, geteuid() ? "user.overlay.opaque" : "trusted.overlay.opaque", "y", 1, 0);
    close(fd);
    return result;
}

static const char *opaque_error(void)
{
    return errno == EOPNOTSUPP ? "the store's file system keeps no attributes; set KEG_STORE"
                               : strerror(errno);
}

/* Into the working directory. Returns NULL, or what is wrong. */
static const char *unpack_entry(struct archive *in, struct archive_entry *entry,
                                struct archive *out)
{
    const char *path = archive_entry_pathname(entry), *slash = strrchr(path, '/'),
               *name = slash ? slash + 1 : path;

    if (!strcmp(name, ".wh..wh..opq"))
        return make_opaque(path, name) < 0 ? opaque_error() : NULL;
    if (!strncmp(name, ".wh.", strlen(".wh.")))
        make_whiteout(entry, path, name);
    return archive_read_extract2(in, entry, out) < ARCHIVE_OK ? archive_error_string(out) : NULL;
}

static int remove_one(const char *path, const struct stat *, int, struct FTW *)
{
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Into the working directory. Returns NULL, or what is wrong with the entry named in ret_path. */
static const char *unpack_here(int blob, char ret_path[PATH_MAX])
{
    struct archive *in = archive_read_new(), *out = archive_write_disk_new();
    struct archive_entry *entry;
    const char *wrong = NULL;
    int code;

    archive_read_support_format_tar(in);
    archive_read_support_filter_gzip(in);
    archive_read_support_filter_zstd(in);
    archive_write_disk_set_options(out, stay_beneath | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
                                            (geteuid() ? 0 : ARCHIVE_EXTRACT_OWNER));
    if (archive_read_open_fd(in, blob, BLOCK) < ARCHIVE_OK)
        return archive_error_string(in);
    while (!wrong && (code = archive_read_next_header(in, &entry)) != ARCHIVE_EOF) {
        int broken = code < ARCHIVE_WARN; /* a name that is not ASCII is worth a warning to it */

        snprintf(ret_path, PATH_MAX, "%s", broken ? "" : archive_entry_pathname(entry));
        wrong = broken ? archive_error_string(in) : unpack_entry(in, entry, out);
    }
    if (!wrong && archive_write_free(out) < ARCHIVE_OK) /* directories get their modes and times */
        wrong = "its directories cannot be given their modes";
    if (!wrong)
        archive_read_free(in);
    return wrong;
}

static void unpack(int blob, const char *into)
{
    int home = open(".", O_PATH | O_CLOEXEC);
    char path[PATH_MAX] = "";
    const char *wrong;

    if (mkdir(into, 0755) < 0 || chdir(into) < 0)
        die("KEG_STORE names another place", "cannot make the directory '%s' for a layer: %m",
            into);
    wrong = unpack_here(blob, path);
    if (fchdir(home) < 0)
        die(NULL, "cannot go back to where keg was started: %m");
    close(home);
    if (wrong) {
        remove_tree(into);
        die("an image with this layer is broken or hostile", "cannot unpack '%s' of a layer: %s",
            path, wrong);
    }
}

char *layer_unpack(const char *layout, const char *digest, long long size)
{
    const char *given = getenv("KEG_STORE"), *store = given ? given : "/var/lib/keg";
    char path[PATH_MAX - 16], part[PATH_MAX];
    int blob;

    if (mkdir(store, 0700) < 0 && errno != EEXIST)
        die("KEG_STORE names another place", "cannot make the store '%s': %m", store);
    snprintf(path, sizeof path, "%s/%s", store, hex_of(digest));
    snprintf(part, sizeof part, "%s.%d", path, getpid());
    if (access(path, F_OK) < 0) {
        blob = layer_open_blob(layout, digest, size);
        unpack(blob, part);
        if (rename(part, path) < 0)
            remove_tree(part); /* another keg was faster */
        close(blob);
    }
    return strdup(path);
}
