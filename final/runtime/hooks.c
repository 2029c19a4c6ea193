/* Theory of operation: fork, a pipe for what the hook reads and two for what it says, and one
 * poll(2) over the pipes and the process until the process is gone. Its output is kept up to a
 * limit, to be shown if it fails; what a grandchild says later is not waited for. */
#include "runtime/hooks.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "runtime/spec_parts.h"

#define OUTPUT_MAX  700     /* of each stream: what an error message has room for */
#define TIMEOUT_MAX 2000000 /* seconds, 23 days: what poll(2) can wait for */

struct hook {
    const char *path;
    struct strv args, env;
    const struct hooks_place *place;
    bool own_env;
    int timeout_s; /* 0: none */
};

void hooks_known(struct strv *ret)
{
    static const char *const kinds[] = {"prestart",       "createRuntime", "createContainer",
                                        "startContainer", "poststart",     "poststop"};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        strv_add(ret, kinds[i]);
}

bool hooks_exist(const json_t *config, const char *kind)
{
    return json_array_size(json_object_get(json_at(config, "hooks"), kind)) > 0;
}

static void hook_free(struct hook *hook)
{
    strv_free(&hook->args);
    strv_free(&hook->env);
}

static int parse(const json_t *item, struct hook *ret, struct err *err)
{
    const json_t *env = json_object_get(item, "env");
    long long timeout = json_int(item, "timeout", 0);

    ret->path = json_str(item, "path", NULL);
    ret->timeout_s = (int)(timeout < TIMEOUT_MAX ? timeout : TIMEOUT_MAX);
    ret->own_env = json_is_array(env);
    if (!ret->path || *ret->path != '/')
        return err_set(err, EINVAL, "path '%s' is not an absolute path",
                       ret->path ? ret->path : "");
    if (json_object_get(item, "timeout") && timeout <= 0)
        return err_set(err, EINVAL, "timeout of '%s' is not greater than zero", ret->path);
    if (spec_strings(json_object_get(item, "args"), "args", &ret->args, err) < 0 ||
        spec_strings(env, "env", &ret->env, err) < 0)
        return -err->code;
    if (!ret->args.len)
        strv_add(&ret->args, ret->path);
    return 0;
}

/* --- the child -------------------------------------------------------------------------------- */

/* A process group of its own, so that a timeout ends all of it; signals as a program expects them
 * (some are blocked or ignored here); no descriptor but 0-2, also none that is meant for the
 * container. */
static _Noreturn void become_hook(const struct hook *hook, const int pipes[3], int report)
{
    static char *nothing[] = {NULL};
    char *const *env =
        hook->own_env ? (hook->env.items ? hook->env.items : nothing) : hook->place->environment;
    sigset_t none;
    int code;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setpgid(0, 0);
    if (dup2(pipes[0], 0) >= 0 && dup2(pipes[1], 1) >= 0 && dup2(pipes[2], 2) >= 0 &&
        syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) >= 0 &&
        (!hook->place->directory || chdir(hook->place->directory) >= 0))
        execve(hook->path, hook->args.items, env ? env : environ);
    code = errno;
    if (write(report, &code, sizeof code) < 0)
        _exit(126);
    _exit(127);
}

/* --- the parent ------------------------------------------------------------------------------- */

struct running {
    pid_t pid;
    int pidfd, in, out, err, report;
    const char *input;
    size_t left;
    struct buf said[2];
};

static void running_end(struct running *r)
{
    close_fd(&r->pidfd);
    close_fd(&r->in);
    close_fd(&r->out);
    close_fd(&r->err);
    close_fd(&r->report);
    buf_free(&r->said[0]);
    buf_free(&r->said[1]);
}

static int make_pipes(struct running *r, int theirs[4], struct err *err)
{
    int *const ours[] = {&r->in, &r->out, &r->err, &r->report};

    for (int i = 0; i < 4; i++) {
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
            return err_errno(err, "cannot make a pipe");
        *ours[i] = ends[i == 0];
        theirs[i] = ends[i != 0];
        if (i < 3 && fcntl(*ours[i], F_SETFL, O_NONBLOCK) < 0)
            return err_errno(err, "cannot set up a pipe");
    }
    return 0;
}

/* End of file: execve(2) closed the pipe. */
static int hear_of_exec(const struct running *r, const char *path, struct err *err)
{
    int code;

    if (file_read(r->report, &code, sizeof code) < (ssize_t)sizeof code)
        return 0;
    return err_set(err, code, "fork/exec %s: %s", path,
                   code == ENOENT ? "no such file or directory" : strerror(code));
}

static int start(const struct hook *hook, struct running *r, struct err *err)
{
    int theirs[4] = {-1, -1, -1, -1};

    if (!make_pipes(r, theirs, err)) {
        r->pid = fork();
        if (!r->pid)
            become_hook(hook, theirs, theirs[3]);
        if (r->pid < 0)
            err_errno(err, "cannot fork");
        else
            setpgid(r->pid, r->pid); /* whoever is first; EACCES when it has executed by now */
    }
    for (int i = 0; i < 4; i++)
        close_fd(&theirs[i]);
    if (err->code)
        return -err->code;
    r->pidfd = (int)syscall(SYS_pidfd_open, r->pid, 0);
    if (r->pidfd < 0)
        return err_errno(err, "cannot watch the hook");
    return hear_of_exec(r, hook->path, err);
}

static void feed(struct running *r)
{
    ssize_t n = write(r->in, r->input, r->left);

    if (n > 0) {
        r->input += n;
        r->left -= (size_t)n;
    }
    if (!r->left || (n < 0 && errno != EAGAIN && errno != EINTR))
        close_fd(&r->in); /* all of it, or it does not read: no hook has to */
}

static void drain(int *fd, struct buf *said)
{
    char piece[4096];
    ssize_t n = 1;

    while (*fd >= 0 && (n = read(*fd, piece, sizeof piece)) > 0)
        if (said->len < OUTPUT_MAX)
            buf_add(said, piece,
                    (size_t)n < OUTPUT_MAX - said->len ? (size_t)n : OUTPUT_MAX - said->len);
    if (!n)
        close_fd(fd);
}

static long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

/* Until the process is gone (0) or its time is up (-ETIMEDOUT). */
static int converse(struct running *r, int timeout_s)
{
    long deadline = now_ms() + timeout_s * 1000L;

    for (;;) {
        struct pollfd p[] = {
            {r->pidfd, POLLIN, 0}, {r->in, POLLOUT, 0}, {r->out, POLLIN, 0}, {r->err, POLLIN, 0}};
        long left = deadline - now_ms();
        int n = poll(p, 4, !timeout_s ? -1 : left > 0 ? (int)left : 0);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (!n)
            return -ETIMEDOUT;
        if (n < 0)
            continue;
        if (p[1].revents)
            feed(r);
        drain(&r->out, &r->said[0]);
        drain(&r->err, &r->said[1]);
        if (p[0].revents)
            return 0;
    }
}

static int judge(const struct running *r, int status, struct err *err)
{
    char how[64];

    if (WIFEXITED(status) && !WEXITSTATUS(status))
        return 0;
    if (WIFEXITED(status))
        snprintf(how, sizeof how, "exit status %d", WEXITSTATUS(status));
    else
        snprintf(how, sizeof how, "signal: %s",
                 WTERMSIG(status) == SIGKILL ? "killed" : strsignal(WTERMSIG(status)));
    return err_set(err, EIO, "error running hook: %s, stdout: %s, stderr: %s", how,
                   r->said[0].data ? r->said[0].data : "", r->said[1].data ? r->said[1].data : "");
}

static int reap(const struct running *r)
{
    int status = 0;

    while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static int run(const struct hook *hook, const char *input, struct err *err)
{
    cleanup_with(running_end) struct running r = {
        .pidfd = -1, .in = -1, .out = -1, .err = -1, .report = -1};
    int status, ended;

    r.input = input;
    r.left = strlen(input);
    if (start(hook, &r, err) < 0) {
        if (r.pid > 0)
            reap(&r);
        return -err->code;
    }
    ended = converse(&r, hook->timeout_s);
    if (ended < 0)
        kill(-r.pid, SIGKILL);
    status = reap(&r);
    if (ended == -ETIMEDOUT)
        return err_set(err, ETIMEDOUT, "hook ran past specified timeout of %d.0s", hook->timeout_s);
    if (ended < 0)
        return err_set(err, -ended, "cannot wait for the hook: %s", strerror(-ended));
    return judge(&r, status, err);
}

int hooks_check(const json_t *config, struct err *err)
{
    cleanup_strv struct strv kinds = {0};

    hooks_known(&kinds);
    for (size_t k = 0; k < kinds.len; k++) {
        const json_t *list = json_object_get(json_at(config, "hooks"), kinds.items[k]), *item;
        size_t i;

        json_array_foreach(list, i, item)
        {
            cleanup_with(hook_free) struct hook hook = {0};

            if (parse(item, &hook, err) < 0)
                return err_wrap(err, "hooks.%s[%zu]", kinds.items[k], i);
        }
    }
    return 0;
}

static int run_item(const json_t *item, const struct hooks_place *place, const char *input,
                    struct err *err)
{
    cleanup_with(hook_free) struct hook hook = {.place = place};

    return parse(item, &hook, err) < 0 ? -err->code : run(&hook, input, err);
}

int hooks_run(const json_t *config, const char *kind, const struct hooks_place *place,
              const json_t *state, struct err *err)
{
    const json_t *list = json_object_get(json_at(config, "hooks"), kind), *item;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
    cleanup_free char *input = NULL;
    size_t i;
    int r = 0;

    if (!json_array_size(list))
        return 0;
    err_clear(err);
    input = json_text(state, JSON_COMPACT);
    /* A hook need not read its input. */
    sigaction(SIGPIPE, &ignore, &old);
    json_array_foreach(list, i, item)
    {
        r = run_item(item, place, input, err);
        if (r < 0) {
            r = err_wrap(err, "error running %s hook #%zu", kind, i);
            break;
        }
    }
    sigaction(SIGPIPE, &old, NULL);
    return r;
}
