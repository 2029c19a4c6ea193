/* git does it, as a program: argv as it is, no shell. A URL, a branch or a repository may be
 * somebody else's text: none can be taken for an option (CVE-2019-13139), and only protocols that
 * go over a network are allowed, for submodules too. */
#include "build/git.h"

#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"

#define SAID_MAX 4096 /* of what git says when it fails */
#define WAKE_MS  200  /* to look whether somebody cancelled */

struct repository {
    char *remote, *ref, *directory;
};

/* --- addresses -------------------------------------------------------------------------------- */

static bool is_http(const char *text)
{
    return str_starts(text, "http://") || str_starts(text, "https://");
}

bool git_is_url(const char *text)
{
    size_t path = strcspn(text, "#?");
    const char *at = strchr(text, '@'), *colon = strchr(text, ':');

    if (is_http(text))
        return path > 4 && !strncmp(text + path - 4, ".git", 4);
    if (str_starts(text, "git://") || str_starts(text, "ssh://") || str_starts(text, "github.com/"))
        return true;
    return str_starts(text, "git@") && at && colon && colon > at;
}

static void repository_free(struct repository *r)
{
    free(r->remote);
    free(r->ref);
    free(r->directory);
}

static int parse(const char *url, struct repository *ret, struct err *err)
{
    size_t n = strcspn(url, "#");
    const char *ref = url[n] ? url + n + 1 : "", *colon = strchr(ref, ':');
    const char *prefix = str_starts(url, "github.com/") ? "https://" : "";

    ret->remote = str_format("%s%.*s", prefix, (int)n, url);
    ret->ref = colon ? str_copy_n(ref, (size_t)(colon - ref)) : str_copy(ref);
    ret->directory = str_copy(colon ? colon + 1 : "");
    for (const char *p = url; *p; p++)
        if (iscntrl((unsigned char)*p) || *p == ' ')
            return err_set(err, EINVAL, "invalid git URL '%s'", url);
    if (*ret->ref == '-' || strpbrk(ret->ref, "^~?*[\\"))
        return err_set(err, EINVAL, "invalid refspec '%s' in '%s'", ret->ref, url);
    return 0;
}

static bool is_commit(const char *ref)
{
    return strlen(ref) == 40 && strspn(ref, "0123456789abcdef") == 40;
}

/* --- running it ------------------------------------------------------------------------------- */

/* A build may itself be started by git: in a hook, say. */
static void clean_environment(void)
{
    static const char *const names[] = {"GIT_DIR",        "GIT_WORK_TREE",
                                        "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY",
                                        "GIT_PREFIX",     "GIT_ALTERNATE_OBJECT_DIRECTORIES",
                                        "GIT_NAMESPACE",  "GIT_COMMON_DIR"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    setenv("GIT_TERMINAL_PROMPT", "0", 1);
    setenv("GIT_ALLOW_PROTOCOL", "http:https:git:ssh", 1);
}

__attribute__((noreturn)) static void become_git(char *const *argv, int directory, int said)
{
    int null = open("/dev/null", O_RDWR);

    clean_environment();
    umask(022); /* modes in the image must not depend on ours */
    if (null < 0 || fchdir(directory) < 0 || setpgid(0, 0) < 0 || dup2(null, 0) < 0 ||
        dup2(said, 1) < 0 || dup2(said, 2) < 0)
        _exit(126);
    execvp("git", argv);
    _exit(127);
}

/* What it says, until it and everything it started has ended. */
static int listen_to(int said, const volatile bool *cancelled, struct buf *text, struct err *err)
{
    struct pollfd p = {said, POLLIN, 0};
    char piece[1024];

    for (;;) {
        ssize_t n;

        if (cancelled && *cancelled)
            return err_set(err, ECANCELED, "cancelled");
        if (poll(&p, 1, WAKE_MS) < 1)
            continue;
        n = read(said, piece, sizeof piece);
        if (n < 0 && errno != EINTR)
            return err_errno(err, "cannot read what git says");
        if (!n)
            return 0;
        if (n > 0 && text->len < SAID_MAX)
            buf_add(text, piece, (size_t)n);
    }
}

static int wait_for(pid_t pid, int *status, struct err *err)
{
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            return err_errno(err, "cannot wait for git");
    return 0;
}

static int judge(int status, const struct buf *said, const char *what, struct err *err)
{
    if (WIFEXITED(status) && !WEXITSTATUS(status))
        return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return err_set(err, ENOENT, "%s needs git, which is not installed", what);
    return err_set(err, EIO, "%s failed: %.1500s", what,
                   said->data ? said->data : "git said nothing");
}

static int run(const struct git_request *request, int directory, const struct strv *argv,
               const char *what, struct buf *ret_said, struct err *err)
{
    int said[2], status = 0, r;
    pid_t pid;

    if (pipe2(said, O_CLOEXEC) < 0)
        return err_errno(err, "cannot make a pipe");
    pid = fork();
    if (!pid)
        become_git(argv->items, directory, said[1]);
    close(said[1]);
    if (pid < 0) {
        close(said[0]);
        return err_errno(err, "cannot start git");
    }
    r = listen_to(said[0], request->cancelled, ret_said, err);
    close(said[0]);
    if (r < 0)
        kill(-pid, SIGKILL);
    if (wait_for(pid, &status, err) < 0)
        return -err->code;
    while (ret_said->len && isspace((unsigned char)ret_said->data[ret_said->len - 1]))
        ret_said->data[--ret_said->len] = 0;
    return r < 0 ? r : judge(status, ret_said, what, err);
}

/* `words` end with NULL. */
static int git(const struct git_request *request, int directory, const char *const *words,
               struct err *err)
{
    static const char *const always[] = {"git",
                                         "-c",
                                         "core.hooksPath=/dev/null",
                                         "-c",
                                         "init.defaultBranch=master",
                                         "-c",
                                         "advice.detachedHead=false"};
    cleanup_free char *what = str_format("git %s of '%s'", words[0], request->url);
    cleanup_strv struct strv argv = {0};
    cleanup_buf struct buf said = {0};

    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        strv_add(&argv, always[i]);
    while (*words)
        strv_add(&argv, *words++);
    return run(request, directory, &argv, what, &said, err);
}

/* --- a checkout ------------------------------------------------------------------------------- */

/* One commit without its history. Not every server gives a commit by its name: then everything. */
static int fetch(const struct git_request *request, const struct repository *repo, int to,
                 struct err *err)
{
    const char *ref = *repo->ref ? repo->ref : "HEAD";
    const char *const one[] = {"fetch", "-q",         "--depth=1", "--no-tags",
                               "--",    repo->remote, ref,         NULL};
    const char *const all[] = {
        "fetch", "-q", "--tags", "--", repo->remote, "+refs/heads/*:refs/remotes/origin/*", NULL};
    int r = git(request, to, one, err);

    if (r != -EIO || !is_commit(ref))
        return r;
    err_clear(err);
    return git(request, to, all, err);
}

static int check_out(const struct git_request *request, const struct repository *repo, int to,
                     struct err *err)
{
    const char *commit = is_commit(repo->ref) ? repo->ref : "FETCH_HEAD";
    const char *const words[] = {"checkout", "-q", "--detach", commit, NULL};
    const char *const submodules[] = {"submodule",   "-q",        "update", "--init",
                                      "--recursive", "--depth=1", NULL};
    int r = git(request, to, words, err);

    if (r < 0 || faccessat(to, ".gitmodules", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return r;
    return git(request, to, submodules, err);
}

/* What was asked for is its whole name or a beginning of it. */
static int check_commit(const struct git_request *request, int to, char **ret, struct err *err)
{
    static const char *const words[] = {"git", "rev-parse", "HEAD", NULL};
    cleanup_strv struct strv argv = {0};
    cleanup_buf struct buf said = {0};
    int r;

    if (!request->commit && !ret)
        return 0;
    for (const char *const *w = words; *w; w++)
        strv_add(&argv, *w);
    r = run(request, to, &argv, "git rev-parse", &said, err);
    if (r < 0)
        return r;
    if (request->commit && !str_starts(said.data ? said.data : "", request->commit))
        return err_set(err, EBADMSG, "expected checksum to match %s, got %s", request->commit,
                       said.data ? said.data : "nothing");
    if (ret)
        *ret = str_copy(said.data ? said.data : "");
    return 0;
}

static int make(const struct git_request *request, const struct repository *repo, int to,
                char **ret_commit, struct err *err)
{
    static const char *const init[] = {"init", "-q", ".", NULL};
    int r = git(request, to, init, err);

    if (!r)
        r = fetch(request, repo, to, err);
    if (!r)
        r = check_out(request, repo, to, err);
    if (!r)
        r = check_commit(request, to, ret_commit, err);
    return r < 0 || request->keep_git_dir ? r : file_remove_tree(to, ".git", err);
}

/* A password in the address is nobody's business: not the terminal's, not a log's. */
static void hide_password(const char *url, struct err *err)
{
    const char *user = strstr(url, "://"), *at = user ? strchr(user + 3, '@') : NULL;
    const char *colon = at ? memchr(user + 3, ':', (size_t)(at - user - 3)) : NULL;
    cleanup_free char *secret = NULL, *message = str_copy(err->message);
    char *found;

    if (!colon || at > user + 3 + strcspn(user + 3, "/?#"))
        return;
    secret = str_copy_n(colon, (size_t)(at - colon) + 1);
    while ((found = strstr(message, secret))) {
        char *hidden =
            str_format("%.*s:xxxxx@%s", (int)(found - message), message, found + strlen(secret));

        free(message);
        message = hidden;
        if (!strcmp(secret, ":xxxxx@"))
            break;
    }
    err_set(err, err->code, "%s", message);
}

int git_checkout(const struct git_request *request, int to, char **ret_directory, char **ret_commit,
                 struct err *err)
{
    cleanup_free char *commit = NULL;
    struct repository repo = {0};
    int r = parse(request->url, &repo, err);

    if (!r)
        r = make(request, &repo, to, ret_commit ? &commit : NULL, err);
    if (r)
        hide_password(request->url, err);
    else
        *ret_directory = steal_ptr(&repo.directory);
    if (!r && ret_commit)
        *ret_commit = steal_ptr(&commit);
    repository_free(&repo);
    return r;
}
