/* RUN --mount: what a command sees beside the files it starts from, and what must not stay in them.
 *
 * Everything is put together in a mount namespace that only this step and its container know: a
 * tmpfs there holds the texts of secrets, which so are never on a disk and gone with the step,
 * however it ends. What the container gets are ordinary binds of that.
 *
 *     bind     files of the context, or of a stage or image: read-only, or what is written is lost
 *     cache    a directory that stays from build to build, and is in no image
 *     tmpfs    a directory that is empty and goes
 *     secret   a file, or a variable
 *     ssh      the socket of the caller's agent
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "build/follow.h"
#include "build/stage.h"

/* --- reading them ----------------------------------------------------------------------------- */

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* What a mount does not say follows from what it says; relative targets from WORKDIR. */
static void complete(struct stage *s, struct run_mount *m, size_t number)
{
    const char *id = m->id ? m->id : m->source;

    if (m->type == MOUNT_SECRET && !m->id)
        m->id = str_copy(id ? id : last_part(m->target));
    if (m->type == MOUNT_SECRET && !m->target && !m->env)
        m->target = str_format("/run/secrets/%s", last_part(m->id));
    if (m->type == MOUNT_SSH && !m->id)
        m->id = str_copy("default");
    if (m->type == MOUNT_SSH && !m->target)
        m->target = str_format("/run/buildkit/ssh_agent.%zu", number);
    if (m->type == MOUNT_CACHE && !m->id)
        m->id = str_copy(m->target);
    if (m->target && *m->target != '/') {
        const char *workdir = json_str(s->config, "WorkingDir", "");
        char *whole = str_format("%s/%s", workdir, m->target);

        free(m->target);
        m->target = whole;
    }
}

/* A bind's parts are parted by colons. */
static int check_target(const struct run_mount *m, struct err *err)
{
    if (m->target && strchr(m->target, ':'))
        return err_set(err, EINVAL, "--mount target '%s' has a colon in it", m->target);
    return 0;
}

int run_mounts_parse(struct stage *s, struct run_mounts *m, struct err *err)
{
    cleanup_json json_t *variables = scope_variables(s);
    const struct word_rules rules = {.env = variables, .escape = s->file->escape};
    const struct strv *flags = &s->at->flags;

    m->items = mem_alloc((flags->len + 1) * sizeof *m->items);
    m->sources = mem_alloc((flags->len + 1) * sizeof *m->sources);
    m->locks = mem_alloc((flags->len + 1) * sizeof *m->locks);
    for (size_t i = 0; i < flags->len; i++) {
        struct run_mount *mount = &m->items[m->len];

        if (!str_starts(flags->items[i], "mount="))
            continue;
        if (mount_flag_parse(flags->items[i] + strlen("mount="), &rules, mount, err) < 0)
            return -err->code;
        complete(s, mount, m->len++);
        if (check_target(mount, err) < 0)
            return -err->code;
        if (mount->from && step_find_source(s, mount->from, &m->sources[m->len - 1], err) < 0)
            return -err->code;
    }
    return 0;
}

/* --- what the cache must know ----------------------------------------------------------------- */

/* The content of a bind decides, and the words of all of them; never what a secret or cache holds.
 */
int run_mounts_key(struct stage *s, struct run_mounts *m, json_t *ret, struct err *err)
{
    for (size_t i = 0; i < m->len; i++) {
        struct run_mount *mount = &m->items[i];
        cleanup_buf struct buf text = {0};
        char digest[DIGEST_LEN + 1] = "";
        int r = 0;

        run_mount_describe(mount, &text);
        if (mount->type == MOUNT_BIND && !mount->from)
            r = tree_digest(&s->build->context.tree, mount->source ? mount->source : ".", digest,
                            err);
        else if (mount->type == MOUNT_BIND)
            strcpy(digest, layers_top(&m->sources[i]));
        if (r < 0)
            return err_wrap(err, "--mount source %s", mount->source ? mount->source : ".");
        if (*digest)
            buf_printf(&text, ",content=%s", digest);
        json_push(ret, json_string(text.data));
    }
    return 0;
}

/* --- making them ------------------------------------------------------------------------------ */

struct mounting {
    struct stage *stage;
    struct run_mounts *all;
    const struct run_mount *mount;
    const struct layers *layers;
    size_t number;
    const char *place; /* the step's directory; place/m is the tmpfs */
    json_t *host;
};

static void add_bind(const struct mounting *m, const char *source, bool read_only)
{
    cleanup_free char *bind =
        str_format("%s:%s%s", source, m->mount->target, read_only ? ":ro" : "");
    json_t *binds = json_object_get(m->host, "Binds");

    if (!json_is_array(binds)) {
        binds = json_array();
        json_put(m->host, "Binds", binds);
    }
    json_push(binds, json_string(bind));
}

/* A file in the tmpfs with this text, bound at the mount's target. */
static int bind_text(const struct mounting *m, const char *text, size_t len, mode_t mode,
                     struct err *err)
{
    cleanup_free char *path = str_format("%s/m/%zu", m->place, m->number);
    int r = file_create(AT_FDCWD, path, text, len, mode, err);

    if (r < 0)
        return r;
    if (chown(path, m->mount->uid, m->mount->gid) < 0 || chmod(path, mode) < 0)
        return err_errno(err, "cannot set the owner of '%s'", path);
    add_bind(m, path, true);
    return 0;
}

static const struct build_secret *find_secret(const struct build_request *request, const char *id)
{
    for (size_t i = 0; i < request->secret_count; i++)
        if (!strcmp(request->secrets[i].id, id))
            return &request->secrets[i];
    return NULL;
}

#define SECRET_MAX (500u << 10) /* docker's */

static int make_secret(const struct mounting *m, struct err *err)
{
    const struct build_secret *secret = find_secret(m->stage->build->request, m->mount->id);
    cleanup_buf struct buf text = {0};
    int r = 0;

    if (!secret)
        return m->mount->required
                   ? err_set(err, ENOENT, "secret %s: not found: `build --secret id=%s,src=FILE`",
                             m->mount->id, m->mount->id)
                   : 0;
    if (secret->path)
        r = file_load(AT_FDCWD, secret->path, SECRET_MAX, &text, err);
    else
        buf_add_str(&text, secret->value);
    if (r < 0)
        return err_wrap(err, "secret %s", m->mount->id);
    if (m->mount->env)
        strv_take(&m->all->env, str_format("%s=%s", m->mount->env, text.len ? text.data : ""));
    if (m->mount->target)
        r = bind_text(m, text.data, text.len, m->mount->has_mode ? m->mount->mode : 0400, err);
    explicit_bzero(text.data, text.len);
    return r;
}

static int make_agent(const struct mounting *m, struct err *err)
{
    const struct build_request *request = m->stage->build->request;

    for (size_t i = 0; i < request->agent_count; i++) {
        if (strcmp(request->agents[i].id, m->mount->id) != 0)
            continue;
        add_bind(m, request->agents[i].socket, false);
        if (!m->all->agent_env.len)
            strv_take(&m->all->agent_env, str_format("SSH_AUTH_SOCK=%s", m->mount->target));
        return 0;
    }
    return m->mount->required ? err_set(err, ENOENT, "no SSH key %s forwarded: `build --ssh %s`",
                                        m->mount->id, m->mount->id)
                              : 0;
}

/* --- binds ------------------------------------------------------------------------------------ */

/* `source` in the directory `root`, resolved inside it by the kernel, shown at place/m/<number>. */
static int show(const struct mounting *m, int root, bool read_only, struct err *err)
{
    const char *source = m->mount->source ? m->mount->source : "/";
    cleanup_close int fd = beneath_open(root, source, O_PATH, 0, 0);
    cleanup_free char *at = str_format("%s/m/%zu", m->place, m->number);
    char from[64];
    struct stat st;
    int r = fd < 0 || fstat(fd, &st) < 0 ? -1 : 0;

    if (r < 0)
        return err_set(err, ENOENT, "--mount source '%s' is not in %s", source,
                       m->mount->from ? m->mount->from : "the build context");
    r = S_ISDIR(st.st_mode) ? mkdir(at, 0755) : mknod(at, S_IFREG | 0600, 0);
    snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
    if (r < 0 || mount(from, at, NULL, MS_BIND, NULL) < 0)
        return err_errno(err, "cannot mount '%s'", source);
    add_bind(m, at, read_only);
    return 0;
}

/* An overlay: over the layers, or over a directory; what is written goes with the step. */
static int mount_overlay(const struct mounting *m, const char *lower, const char *at,
                         struct err *err)
{
    cleanup_free char *layers = str_format("%s/layers", m->stage->engine->store->root);
    cleanup_free char *writable = str_format("%s/m/%zu.rw", m->place, m->number);
    cleanup_free char *upper = str_format("%s/upper", writable);
    cleanup_free char *work = str_format("%s/work", writable), *options = NULL;
    bool ro = !m->mount->read_write;

    options = ro ? str_format("lowerdir=%s,redirect_dir=nofollow,metacopy=off,index=off", lower)
                 : str_format("lowerdir=%s,upperdir=%s,workdir=%s,redirect_dir=nofollow,"
                              "metacopy=off,index=off",
                              lower, upper, work);
    if (mkdir(at, 0755) < 0 || mkdir(writable, 0700) < 0 || mkdir(upper, 0755) < 0 ||
        mkdir(work, 0700) < 0 || chdir(layers) < 0 ||
        mount("overlay", at, "overlay", ro ? MS_RDONLY : 0, options) < 0)
        return err_errno(err, "cannot mount the files of %s",
                         m->mount->from ? m->mount->from : "the build context");
    return 0;
}

/* overlayfs wants two directories where nothing is writable. */
static int layers_option(const struct mounting *m, char **ret, struct err *err)
{
    const struct strv *dirs = &m->layers->dirs;
    struct buf lower = {0};

    if (mkdirat(m->stage->engine->store->layers_fd, ".empty", 0755) < 0 && errno != EEXIST)
        return err_errno(err, "cannot make the empty layer");
    for (size_t i = dirs->len; i-- > 0;)
        buf_printf(&lower, "%s:", dirs->items[i]);
    buf_add_str(&lower, dirs->len ? ".empty" : ".empty:.empty");
    *ret = buf_steal(&lower);
    return 0;
}

static int open_tree_of(const struct mounting *m, struct err *err)
{
    cleanup_free char *at = str_format("%s/m/%zu.all", m->place, m->number), *lower = NULL;
    int fd, r = layers_option(m, &lower, err);

    if (r >= 0)
        r = mount_overlay(m, lower, at, err);
    if (r < 0)
        return r;
    fd = open(at, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? err_errno(err, "cannot open '%s'", at) : fd;
}

/* Files of the context that .dockerignore leaves, as a copy: nobody else's are seen, and what is
 * written to them is lost. */
static int copy_context(const struct mounting *m, struct err *err)
{
    const char *source = m->mount->source ? m->mount->source : ".";
    cleanup_free char *at = str_format("%s/c%zu", m->place, m->number), *path = NULL;
    cleanup_close int to = -1;
    bool is_directory;
    struct stat st;

    if (mkdir(at, 0755) < 0)
        return err_errno(err, "cannot make '%s'", at);
    to = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (to < 0 || tree_copy(&m->stage->build->context.tree, source, to, err) < 0)
        return err->code ? -err->code : err_errno(err, "cannot open '%s'", at);
    path = str_format("%s/%s", at, last_part(source));
    is_directory = lstat(path, &st) < 0 || S_ISDIR(st.st_mode);
    add_bind(m, is_directory ? at : path, !m->mount->read_write);
    return 0;
}

static int make_bind(const struct mounting *m, struct err *err)
{
    cleanup_close int root = -1;

    if (!m->mount->from)
        return copy_context(m, err);
    root = open_tree_of(m, err);
    return root < 0 ? root : show(m, root, !m->mount->read_write, err);
}

/* --- caches ----------------------------------------------------------------------------------- */

/* private: the first one that nobody has. */
static int lock_cache(const struct mounting *m, const char *name, unsigned copy, struct err *err)
{
    cleanup_free char *numbered = copy ? str_format("%s.%u", name, copy) : str_copy(name);
    cleanup_close int fd = store_build_directory(m->stage->engine->store, numbered, true, err);
    int how = m->mount->sharing == SHARING_SHARED    ? LOCK_SH
              : m->mount->sharing == SHARING_PRIVATE ? LOCK_EX | LOCK_NB
                                                     : LOCK_EX;

    if (fd < 0)
        return fd;
    while (flock(fd, how) < 0)
        if (errno == EWOULDBLOCK)
            return lock_cache(m, name, copy + 1, err);
        else if (errno != EINTR)
            return err_errno(err, "cannot lock the cache '%s'", m->mount->id);
    return steal_fd(&fd);
}

/* The directory itself is the source's, too, where the mount does not say how it is to be. */
static int own_cache(const struct mounting *m, int root, int data, struct err *err)
{
    const struct run_mount *mount = m->mount;
    struct followed at = {.st = {.st_mode = 0755}};
    mode_t mode;
    int r = 0;

    if (root >= 0)
        r = follow_path(root, mount->source ? mount->source : "/", true, &at);
    mode = mount->has_mode ? mount->mode : at.st.st_mode & 07777;
    if (r >= 0 && (fchown(data, mount->uid ? mount->uid : at.st.st_uid,
                          mount->gid ? mount->gid : at.st.st_gid) < 0 ||
                   fchmod(data, mode) < 0))
        r = -errno;
    followed_free(&at);
    return r < 0 ? err_set(err, -r, "cannot set the owner of the cache '%s': %s", mount->id,
                           strerror(-r))
                 : 0;
}

/* What it begins with. */
static int fill_cache(const struct mounting *m, int data, struct err *err)
{
    cleanup_close int root = -1;
    struct tree tree = {.keep_owner = true, .what = m->mount->from};
    int r;

    if (!m->mount->from)
        return own_cache(m, -1, data, err);
    tree.root = root = view_open(m->stage->engine->store, &m->layers->dirs, err);
    if (root < 0)
        return root;
    r = tree_copy(&tree, m->mount->source ? m->mount->source : "/", data, err);
    return r < 0 ? r : own_cache(m, root, data, err);
}

/* A shared one may be begun by several at once, and each may be killed or fail: it appears when it
 * is complete, and the first one stays. */
static int begin_cache(const struct mounting *m, int place, struct err *err)
{
    cleanup_free char *name = str_format("new.%d.%u.%zu", getpid(), m->stage->lane, m->number);
    cleanup_close int data = -1;
    struct err ignored;
    int r = 0;

    if (!faccessat(place, "data", F_OK, AT_SYMLINK_NOFOLLOW))
        return 0;
    if (file_remove_tree(place, name, err) < 0)
        return -err->code;
    if (mkdirat(place, name, 0755) == 0)
        data = openat(place, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (data < 0)
        return err_errno(err, "cannot make the cache '%s'", m->mount->id);
    r = fill_cache(m, data, err);
    if (r >= 0 && renameat2(place, name, place, "data", RENAME_NOREPLACE) < 0 && errno != EEXIST)
        r = err_errno(err, "cannot make the cache '%s'", m->mount->id);
    file_remove_tree(place, name, &ignored);
    return r;
}

static int make_cache(const struct mounting *m, struct err *err)
{
    char digest[DIGEST_LEN + 1];
    cleanup_free char *path = NULL;
    cleanup_close int lock = -1, data = -1;
    char link[64], dir[4096];
    ssize_t n;

    digest_of(m->mount->id, strlen(m->mount->id), digest);
    lock = lock_cache(m, digest_hex(digest), 0, err);
    if (lock < 0)
        return lock;
    if (begin_cache(m, lock, err) < 0)
        return -err->code;
    data = openat(lock, "data", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (data < 0)
        return err_errno(err, "cannot open the cache '%s'", m->mount->id);
    snprintf(link, sizeof link, "/proc/self/fd/%d", data);
    n = readlink(link, dir, sizeof dir - 1);
    if (n < 0)
        return err_errno(err, "cannot find the cache '%s'", m->mount->id);
    path = str_copy_n(dir, (size_t)n);
    add_bind(m, path, !m->mount->read_write);
    m->all->locks[m->all->lock_count++] = steal_fd(&lock);
    return 0;
}

static int make_tmpfs(const struct mounting *m, struct err *err)
{
    json_t *list = json_object_get(m->host, "Tmpfs");
    cleanup_free char *size =
        m->mount->size ? str_format("size=%llu", (unsigned long long)m->mount->size) : str_copy("");

    (void)err;
    if (!json_is_object(list)) {
        list = json_object();
        json_put(m->host, "Tmpfs", list);
    }
    json_put_str(list, m->mount->target, size);
    return 0;
}

/* --- all of them ------------------------------------------------------------------------------ */

static int make_script(const struct mounting *m, const struct heredoc *script, struct err *err)
{
    cleanup_free char *target = str_format("/dev/pipes/%s", script->name);
    const struct run_mount mount = {.target = target};
    struct mounting one = *m;

    one.mount = &mount;
    one.number = m->all->len;
    return bind_text(&one, script->text, strlen(script->text), 0755, err);
}

/* From here on what is mounted is seen by nobody else. */
static int enter(struct run_mounts *m, const char *place, struct err *err)
{
    cleanup_free char *at = str_format("%s/m", place);

    m->entered = engine_step_enter(err);
    if (m->entered < 0)
        return m->entered;
    if (mkdir(at, 0700) < 0 || mount("tmpfs", at, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700") < 0)
        return err_errno(err, "cannot mount a tmpfs at '%s'", at);
    return 0;
}

int run_mounts_make(struct stage *s, struct run_mounts *m, const char *place,
                    const struct heredoc *script, json_t *host, struct err *err)
{
    static int (*const make[])(const struct mounting *m, struct err *err) = {
        [MOUNT_BIND] = make_bind,     [MOUNT_CACHE] = make_cache, [MOUNT_TMPFS] = make_tmpfs,
        [MOUNT_SECRET] = make_secret, [MOUNT_SSH] = make_agent,
    };
    struct mounting one = {.stage = s, .all = m, .place = place, .host = host};
    int r = m->len || script ? enter(m, place, err) : 0;

    for (size_t i = 0; i < m->len && r >= 0; i++) {
        one.mount = &m->items[i];
        one.layers = &m->sources[i];
        one.number = i;
        r = make[one.mount->type](&one, err);
    }
    if (r >= 0 && script)
        r = make_script(&one, script, err);
    return r;
}

void run_mounts_targets(const struct run_mounts *m, struct strv *ret)
{
    for (size_t i = 0; i < m->len; i++)
        if (m->items[i].target)
            strv_add(ret, m->items[i].target + strspn(m->items[i].target, "/"));
}

void run_mounts_unmount(struct run_mounts *m)
{
    if (m->entered >= 0)
        engine_step_return(m->entered);
    m->entered = -1;
    for (size_t i = 0; i < m->lock_count; i++)
        close(m->locks[i]);
    m->lock_count = 0;
}

void run_mounts_free(struct run_mounts *m)
{
    run_mounts_unmount(m);
    for (size_t i = 0; i < m->len; i++)
        run_mount_free(&m->items[i]);
    for (size_t i = 0; i < m->len; i++)
        layers_free(&m->sources[i]);
    free(m->items);
    free(m->sources);
    free(m->locks);
    strv_free(&m->env);
    strv_free(&m->agent_env);
}
