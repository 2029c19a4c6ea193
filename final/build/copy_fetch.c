/* ADD of an address: a file of mode 0600, dated as its server says; and of a git repository. */
#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/file.h"
#include "build/copy_parts.h"
#include "build/git.h"
#include "registry/registry.h"

#define FILE_NAME "file" /* in the directory that is made for it */
#define FILE_MODE 0600

bool copy_is_address(const char *word)
{
    return str_starts(word, "http://") || str_starts(word, "https://");
}

bool copy_is_git(const char *word)
{
    return git_is_url(word);
}

static bool is_commit(const char *text)
{
    size_t n = strspn(text, "0123456789abcdef");

    return n >= 7 && n <= 40 && !text[n];
}

int copy_check_checksum(const char *checksum, struct err *err)
{
    if (digest_valid(checksum) || is_commit(checksum))
        return 0;
    return err_set(err, EINVAL,
                   "invalid checksum digest format: '%s': want sha256: and 64 digits, or a commit "
                   "of git",
                   checksum);
}

/* --- addresses -------------------------------------------------------------------------------- */

static int hex(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* The last component of the path, "%20" and the like taken back; "" when there is none. */
static char *name_of(const char *url)
{
    const char *path = strstr(url, "://") + 3;
    size_t len = strcspn(path, "?#");
    const char *slash = memrchr(path, '/', len), *end = path + len;
    struct buf name = {0};

    for (const char *p = slash ? slash + 1 : end; p < end; p++)
        if (*p == '%' && isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2])) {
            buf_add_char(&name, (char)(hex(p[1]) << 4 | hex(p[2])));
            p += 2;
        } else {
            buf_add_char(&name, *p);
        }
    buf_reserve(&name, 1);
    return buf_steal(&name);
}

static bool is_name(const char *name)
{
    return *name && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..");
}

int copy_add_address(struct copy_plan *plan, const char *url, struct err *err)
{
    const struct copy_request *request = plan->request;
    const struct tree nowhere = {.root = -1};
    cleanup_free char *name = name_of(url);
    struct copy_source *s;

    if (!is_name(name) && plan->into)
        return err_set(err, EINVAL, "cannot determine filename from url: %s", url);
    s = copy_add_source(plan, &nowhere);
    s->kind = COPY_ADDRESS;
    s->url = url;
    s->as = str_copy(is_name(name) ? name : FILE_NAME);
    s->unpack = request->unpack > 0;
    if (!request->checksum)
        return copy_fetch(plan, s, err);
    if (!digest_valid(request->checksum))
        return err_set(err, EINVAL, "checksum of '%s' must be a digest: sha256: and 64 digits",
                       url);
    s->known = str_format("%s %d %s", s->as, s->unpack, request->checksum);
    return 0;
}

struct fetching {
    int fd;
    struct hasher *hasher;
};

static int take(void *context, const void *data, size_t len, struct err *err)
{
    struct fetching *f = context;
    int r = file_write(f->fd, data, len);

    hasher_add(f->hasher, data, len);
    return r < 0 ? err_set(err, -r, "cannot write what was fetched: %s", strerror(-r)) : 0;
}

static bool is_cancelled(void *context)
{
    return copy_cancelled(context);
}

/* Into `fd`, checked against --checksum. */
static int fetch(struct copy_plan *plan, const char *url, int fd, struct err *err)
{
    int64_t modified = -1;
    const struct registry_options options = {
        .cancelled = is_cancelled, .context = plan, .modified = &modified};
    struct fetching f = {fd, hasher_new()};
    char digest[DIGEST_LEN + 1];
    int r = registry_fetch(url, &options, take, &f, err);

    hasher_finish(f.hasher, digest);
    if (r < 0)
        return err_wrap(err, "ADD failed");
    if (plan->request->checksum && strcmp(digest, plan->request->checksum) != 0)
        return err_set(err, EBADMSG, "digest mismatch %s: %s", digest, plan->request->checksum);
    if (modified >= 0) {
        const struct timespec times[2] = {{.tv_sec = modified}, {.tv_sec = modified}};

        if (futimens(fd, times) < 0)
            return err_errno(err, "cannot set the time of what was fetched");
    }
    return 0;
}

int copy_fetch(struct copy_plan *plan, struct copy_source *s, struct err *err)
{
    int r = copy_stage(plan, s, err);
    cleanup_close int fd =
        r < 0 ? -1
              : openat(s->tree.root, FILE_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);

    if (r < 0)
        return r;
    if (fd < 0)
        return err_errno(err, "cannot make a file for '%s'", s->url);
    r = fetch(plan, s->url, fd, err);
    if (r < 0)
        return r;
    s->kind = COPY_FILES;
    free(s->path);
    s->path = str_copy(FILE_NAME);
    return copy_walk(plan, s, err);
}

/* --- git -------------------------------------------------------------------------------------- */

int copy_add_git(struct copy_plan *plan, const char *url, struct err *err)
{
    const struct copy_request *request = plan->request;
    const struct git_request git = {.url = url,
                                    .keep_git_dir = request->keep_git_dir,
                                    .commit = request->checksum,
                                    .cancelled = request->cancelled};
    const struct tree nowhere = {.root = -1};
    struct copy_source *s = copy_add_source(plan, &nowhere);
    cleanup_free char *directory = NULL, *commit = NULL, *but = NULL;
    struct followed at = {0};
    int r;

    s->as = str_copy("");
    s->directory = true;
    r = copy_stage(plan, s, err);
    if (!r)
        r = git_checkout(&git, s->tree.root, &directory, git.keep_git_dir ? &commit : NULL, err);
    if (r < 0)
        return r;
    if (commit) { /* .git is different each time: in its index are the times of files */
        but = request->excludes ? strv_join(request->excludes, " ") : str_copy("");
        s->known = str_format("git %s %s but %s", commit, directory, but);
    }
    r = follow_path(s->tree.root, directory, true, &at);
    if (r < 0 || at.missing || !S_ISDIR(at.st.st_mode)) {
        followed_free(&at);
        return err_set(err, ENOENT, "no directory '%s' in '%s'", directory, url);
    }
    s->path = at.path;
    return 0;
}
