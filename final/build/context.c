/* What PATH, URL and - mean, and which Dockerfile and .dockerignore go with them. */
#include "build/context.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "build/context_fetch.h"
#include "build/follow.h"
#include "build/git.h"
#include "build/ignore.h"

#define IGNORE_MAX (4u << 20)

struct opening {
    struct store *store;
    const struct context_request *request;
    struct context *context;
    bool text_only; /* what was fetched is a Dockerfile without a context */
    bool foreign;   /* fetched: nothing in it may lead out of it */
};

static bool is_http(const char *source)
{
    return str_starts(source, "http://") || str_starts(source, "https://");
}

bool context_is_remote(const char *source)
{
    return is_http(source) || git_is_url(source);
}

static bool is_input(const char *text)
{
    return text && !strcmp(text, "-");
}

static int prepare_failed(struct err *err)
{
    return err_wrap(err, "unable to prepare context");
}

/* --- a directory that is here ----------------------------------------------------------------- */

static int open_path(struct opening *o, struct err *err)
{
    const char *source = o->request->source;
    int fd = open(source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int number = errno;

    if (fd < 0 && number == ENOENT)
        err_set(err, ENOENT, "path \"%s\" not found", source);
    else if (fd < 0 && number == ENOTDIR)
        err_set(err, ENOTDIR, "context must be a directory: %s", source);
    else if (fd < 0)
        err_set(err, number, "cannot open '%s': %s", source, strerror(number));
    if (fd < 0)
        return prepare_failed(err);
    o->context->tree.root = fd;
    o->context->path = realpath(source, NULL);
    return 0;
}

/* --- one that has to be made ------------------------------------------------------------------ */

static int stage(struct opening *o, struct err *err)
{
    int fd = store_stage(o->store, o->context->stage, err);

    if (fd < 0) {
        *o->context->stage = 0;
        return fd;
    }
    o->context->tree.root = fd;
    o->foreign = true;
    return 0;
}

/* A directory of the repository becomes the root. */
static int enter(struct opening *o, const char *directory, struct err *err)
{
    int fd = beneath_open(o->context->tree.root, directory, O_RDONLY | O_DIRECTORY, 0, 0);

    if (fd < 0)
        return err_set(err, -fd, "no directory '%s' in '%s'", directory, o->request->source);
    close_fd(&o->context->tree.root);
    o->context->tree.root = fd;
    return 0;
}

static int fetch_git(struct opening *o, struct err *err)
{
    const struct git_request git = {.url = o->request->source, .cancelled = o->request->cancelled};
    cleanup_free char *directory = NULL;
    int r = git_checkout(&git, o->context->tree.root, &directory, NULL, err);

    return r < 0 || !*directory ? r : enter(o, directory, err);
}

static int fetch(struct opening *o, struct err *err)
{
    const struct context_request *request = o->request;
    int to = o->context->tree.root, r;
    bool tar = false;

    if (git_is_url(request->source))
        return fetch_git(o, err);
    r = is_input(request->source) ? context_take_input(request->input, request->cancelled, to,
                                                       &o->context->dockerfile, &tar, err)
                                  : context_take_url(request->source, request->cancelled, to,
                                                     &o->context->dockerfile, &tar, err);
    o->text_only = !r && !tar;
    return r;
}

static int open_fetched(struct opening *o, struct err *err)
{
    int r = stage(o, err);

    if (!r)
        r = fetch(o, err);
    if (!r && o->text_only && o->request->dockerfile)
        r = err_set(err, EINVAL,
                    "ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles");
    return r < 0 ? prepare_failed(err) : 0;
}

/* --- the Dockerfile --------------------------------------------------------------------------- */

static int read_input(struct opening *o, struct err *err)
{
    o->context->name = str_copy("Dockerfile");
    if (file_load_fd(o->request->input, CONTEXT_DOCKERFILE_MAX, &o->context->dockerfile, err) < 0)
        return err_wrap(err, "cannot read the Dockerfile from stdin");
    return 0;
}

/* -f names a file of this machine when the context is one of its directories, in it or elsewhere;
 * else one of the context. */
static int open_dockerfile(struct opening *o, const char *name)
{
    int root = o->context->tree.root, fd;

    if (o->request->dockerfile && !o->foreign) {
        fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
    }
    if (!o->foreign) {
        fd = openat(root, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
    }
    return beneath_open(root, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, 0);
}

static int no_dockerfile(struct opening *o, const char *name, int number, struct err *err)
{
    const char *directory = o->request->dockerfile || !o->context->path ? "" : o->context->path;

    err_set(err, -number, "unable to evaluate symlinks in Dockerfile path: lstat %s%s%s: %s",
            directory, *directory ? "/" : "", name,
            number == -ENOENT ? "no such file or directory" : strerror(-number));
    return prepare_failed(err);
}

static int load_dockerfile(struct opening *o, struct err *err)
{
    const char *wanted = o->request->dockerfile;
    const char *name = wanted ? wanted : "Dockerfile";
    cleanup_close int fd = open_dockerfile(o, name);
    struct stat st;

    if (fd == -ENOENT && !wanted) { /* docker is so kind, too */
        fd = open_dockerfile(o, "dockerfile");
        name = fd < 0 ? name : "dockerfile";
    }
    if (fd < 0)
        return no_dockerfile(o, name, fd, err);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        err_set(err, EINVAL, "the Dockerfile '%s' is not a regular file", name);
        return prepare_failed(err);
    }
    o->context->name = str_copy(name);
    if (file_load_fd(fd, CONTEXT_DOCKERFILE_MAX, &o->context->dockerfile, err) < 0)
        return err_wrap(err, "cannot read the Dockerfile '%s'", name);
    return 0;
}

static int find_dockerfile(struct opening *o, struct err *err)
{
    if (o->text_only) {
        o->context->name = str_copy("Dockerfile");
        return 0;
    }
    return is_input(o->request->dockerfile) ? read_input(o, err) : load_dockerfile(o, err);
}

/* --- .dockerignore ---------------------------------------------------------------------------- */

/* -ENOENT without a message. */
static int load_ignore(struct opening *o, const char *name, bool beside_dockerfile, struct err *err)
{
    bool outside = beside_dockerfile && o->request->dockerfile && !o->foreign;
    int root = o->context->tree.root;
    cleanup_close int fd = outside ? open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
                                   : beneath_open(root, name, O_RDONLY | O_NONBLOCK, 0, 0);
    cleanup_buf struct buf text = {0};
    struct stat st;

    if (fd < 0 && (outside ? errno : -fd) == ENOENT)
        return -ENOENT;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(err, EINVAL, "cannot read '%s': not a regular file", name);
    if (file_load_fd(fd, IGNORE_MAX, &text, err) < 0)
        return err_wrap(err, "cannot read '%s'", name);
    return ignore_parse(name, text.data ? text.data : "", text.len, &o->context->ignore, err);
}

/* The Dockerfile's own goes before the one of all. */
static int find_ignore(struct opening *o, struct err *err)
{
    bool input = o->text_only || is_input(o->request->dockerfile);
    cleanup_free char *own = str_format("%s.dockerignore", o->context->name);
    int r = input ? -ENOENT : load_ignore(o, own, true, err);

    if (r == -ENOENT && !err->code)
        r = load_ignore(o, ".dockerignore", false, err);
    if (r == -ENOENT && !err->code)
        return 0;
    return r < 0 ? prepare_failed(err) : 0;
}

/* --- all of it -------------------------------------------------------------------------------- */

static int open_all(struct opening *o, struct err *err)
{
    const struct context_request *request = o->request;
    bool remote = is_input(request->source) || context_is_remote(request->source);
    int r;

    if (is_input(request->source) && is_input(request->dockerfile))
        return err_set(err, EINVAL,
                       "invalid argument: can't use stdin for both build context and dockerfile");
    if (!*request->source)
        return err_set(err, EINVAL, "unable to prepare context: path \"\" not found");
    r = remote ? open_fetched(o, err) : open_path(o, err);
    if (!r)
        r = find_dockerfile(o, err);
    if (!r)
        r = find_ignore(o, err);
    return r;
}

int context_open(struct store *store, const struct context_request *request, struct context *ret,
                 struct err *err)
{
    struct context c = {.store = store, .tree = {.root = -1, .what = "build context"}};
    struct opening o = {.store = store, .request = request, .context = &c};
    int r;

    err_clear(err);
    r = open_all(&o, err);
    if (r < 0) {
        context_close(&c);
        return r;
    }
    c.tree.ignore = c.ignore;
    if (!o.foreign) /* what was fetched is never the same file again */
        c.tree.hashes = hashes_open(store, c.tree.root);
    *ret = c;
    return 0;
}

void context_close(struct context *context)
{
    struct err ignored;

    if (!context->store)
        return;
    hashes_close(context->tree.hashes);
    close_fd(&context->tree.root);
    if (*context->stage)
        store_stage_drop(context->store, context->stage, &ignored);
    ignore_free(context->ignore);
    buf_free(&context->dockerfile);
    free(context->name);
    free(context->path);
    *context = (struct context){0};
}
