/* Programs named docker-credential-NAME keep secrets where config.json would hold them in the
 * clear: a keyring, a password manager, a cloud's own. The protocol is docker's: the verb is the
 * argument, the request comes on stdin, the answer is JSON on stdout, and an error is text on
 * stdout and a code that is not 0. */
#include "registry/helper.h"

#include <fcntl.h>
#include <jansson.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

#define ANSWER_MAX (1u << 20)

extern char **environ;

/* A helper is named by the user's own configuration, but not by a path. */
static int check_name(const char *helper, struct err *err)
{
    if (*helper && !strchr(helper, '/'))
        return 0;
    return err_set(err, EINVAL, "'%s' is no name of a credential helper", helper);
}

/* Starts docker-credential-HELPER VERB with `in` as stdin and the pipe's end as stdout. */
static int start(const char *helper, const char *verb, int in, int out, pid_t *ret, struct err *err)
{
    cleanup_free char *program = str_format("docker-credential-%s", helper);
    char *argv[] = {program, (char *)verb, NULL};
    posix_spawn_file_actions_t actions;
    int r;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    r = posix_spawnp(ret, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (r)
        return err_set(err, r == ENOENT ? ENOEXEC : r,
                       "cannot execute the credential helper '%s': %s", program,
                       r == ENOENT ? "executable file not found in $PATH" : strerror(r));
    return 0;
}

/* Its exit code; -1 when a signal ended it. */
static int wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Its input is a memory file, so that nobody has to write and read at the same time. -ENOENT
 * without a message when it says that it has nothing. */
static int run(const char *helper, const char *verb, const char *input, struct buf *answer,
               struct err *err)
{
    int pipe_fds[2], code, r = check_name(helper, err);
    cleanup_close int in = r < 0 ? r : file_memfd("credentials", input, strlen(input), err);
    cleanup_close int from = -1, to = -1;
    pid_t pid;

    if (in < 0)
        return in;
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return err_errno(err, "cannot make a pipe");
    from = pipe_fds[0];
    to = pipe_fds[1];
    if (start(helper, verb, in, to, &pid, err) < 0)
        return -err->code;
    close_fd(&to);
    r = file_load_fd(from, ANSWER_MAX, answer, err);
    code = wait_for(pid);
    if (r < 0 || !code)
        return r;
    if (answer->data && strstr(answer->data, "credentials not found"))
        return -ENOENT;
    return err_set(err, EACCES, "the credential helper '%s' cannot %s credentials: %.*s", helper,
                   verb, answer->data ? (int)strcspn(answer->data, "\r\n") : 0,
                   answer->data ? answer->data : "");
}

/* {"ServerURL", "Username", "Secret"}; the user "<token>" stands for an identity token. */
static int read_answer(const char *helper, const struct buf *answer, struct credentials *ret,
                       struct err *err)
{
    cleanup_json json_t *json = json_parse(answer->data ? answer->data : "", answer->len,
                                           "the credential helper's answer", err);
    const char *user = json_str(json, "Username", NULL), *secret = json_str(json, "Secret", NULL);

    if (!json)
        return -err->code;
    if (!user || !secret)
        return err_set(err, EPROTO, "the credential helper '%s' answered without name and secret",
                       helper);
    if (!strcmp(user, "<token>")) {
        ret->identity_token = str_copy(secret);
    } else {
        ret->username = str_copy(user);
        ret->password = str_copy(secret);
    }
    return 0;
}

static void wipe(struct buf *b)
{
    if (b->data)
        explicit_bzero(b->data, b->len);
    buf_free(b);
}

int helper_get(const char *helper, const char *server, struct credentials *ret, struct err *err)
{
    cleanup_with(wipe) struct buf answer = {0};
    int r = run(helper, "get", server, &answer, err);

    *ret = (struct credentials){0};
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    return read_answer(helper, &answer, ret, err);
}

int helper_store(const char *helper, const char *server, const struct credentials *c,
                 struct err *err)
{
    cleanup_with(wipe) struct buf answer = {0};
    cleanup_json json_t *json = json_object();
    char *text;
    int r;

    json_put_str(json, "ServerURL", server);
    json_put_str(json, "Username", c->identity_token ? "<token>" : c->username);
    json_put_str(json, "Secret", c->identity_token ? c->identity_token : c->password);
    text = json_text(json, JSON_COMPACT);
    r = run(helper, "store", text, &answer, err);
    explicit_bzero(text, strlen(text));
    free(text);
    return r == -ENOENT ? 0 : r;
}

int helper_erase(const char *helper, const char *server, struct err *err)
{
    cleanup_with(wipe) struct buf answer = {0};
    int r = run(helper, "erase", server, &answer, err);

    return r == -ENOENT ? 0 : r;
}
