/* probe.c - one health check: a fork of the shim that joins the container, waits for the command,
 * and says how it went.
 *
 * It must not outlive the shim, or a container that is gone would be waited for: the kernel kills
 * it with its parent (PR_SET_PDEATHSIG). It must reap the command, because a PID namespace ends
 * only when all that ever joined it are reaped. */
#include "engine/shim/probe.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "engine/shim/shim.h"
#include "runtime/runtime.h"

struct probe {
    const struct shim_options *options;
    const struct probe_place *place;
    struct probe_result *result;
    long long timeout; /* ms */
    int output;        /* read end of what the command says */
    bool overflow;
    char id[ID_LEN + 1]; /* what events call it */
};

bool probe_is_idle(const struct probe_place *place)
{
    struct err ignored = {0};

    return runtime_cgroup_frozen(&place->group, &ignored) == 1;
}

/* --- the command ----------------------------------------------------------------------------- */

static void remove_term(json_t *env)
{
    json_t *item;
    size_t i;

    json_array_foreach(env, i, item) if (str_starts(json_string_value(item), "TERM="))
    {
        json_array_remove(env, i);
        return;
    }
}

/* The container's own process, with another command and no terminal. */
static json_t *process_of(const json_t *config, const json_t *command)
{
    json_t *process = json_deep_copy(json_object_get(config, "process"));

    if (json_flag(process, "terminal", false))
        remove_term(json_object_get(process, "env"));
    json_put(process, "terminal", json_false());
    json_object_set(process, "args", (json_t *)command);
    return process;
}

static void tell(const struct probe *p, const char *what, const json_t *command)
{
    cleanup_strv struct strv words = {0};
    cleanup_free char *line = NULL, *action = NULL;

    json_strings(command, &words);
    line = strv_join(&words, " ");
    action = str_format("%s: %s", what, line);
    shim_event(p->options, action, "execID", p->id);
}

static int spawn_with(struct probe *p, const json_t *config, const json_t *command, pid_t *ret_pid,
                      struct err *err)
{
    cleanup_json json_t *process = process_of(config, command);
    struct shim_spawn what = {.init = p->place->init,
                              .config = config,
                              .process = process,
                              .user = json_string_value(json_object_get(
                                  json_object_get(config, "annotations"), "org.cooper.user")),
                              .stdio = {-1, -1, -1}};
    int ends[2], console = -1, r;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, "cannot make a pipe for a health check");
    p->output = ends[0];
    what.stdio[1] = ends[1];
    what.stdio[2] = fcntl(ends[1], F_DUPFD_CLOEXEC, 3);
    fcntl(p->output, F_SETFL, O_NONBLOCK);
    tell(p, "exec_create", command);
    tell(p, "exec_start", command);
    r = shim_spawn(p->options, &what, ret_pid, &console, err);
    shim_close_theirs(what.stdio);
    return r;
}

static int spawn(struct probe *p, pid_t *ret_pid, struct err *err)
{
    cleanup_json json_t *document = shim_load_file(p->options);
    cleanup_json json_t *config = shim_load_config(p->options, err);
    const json_t *command = json_at(document, "health.command");

    if (!config)
        return -err->code;
    if (!command)
        return err_set(err, ENOENT, "the health check of this container is not known");
    p->timeout = json_int(document, "health.timeout", 30000);
    return spawn_with(p, config, command, ret_pid, err);
}

/* --- what it says ---------------------------------------------------------------------------- */

/* Reads what is there; what is too much is read all the same, so that the command can go on. */
static void take_output(struct probe *p)
{
    struct probe_result *result = p->result;
    char rest[4096];
    ssize_t n;

    for (;;) {
        size_t room = HEALTH_OUTPUT_MAX - result->len;

        n = room ? read(p->output, result->output + result->len, room)
                 : read(p->output, rest, sizeof rest);
        if (n < 0 && errno == EINTR)
            continue;
        if (!n)
            close_fd(&p->output);
        if (n <= 0)
            return;
        result->len += room ? (uint32_t)n : 0;
        p->overflow |= !room;
    }
}

/* True once it has ended, false when the time is up. timeout -1: for ever. */
static bool wait_for(struct probe *p, int pidfd, long long timeout)
{
    long long until = shim_clock_ms() + timeout;

    for (;;) {
        struct pollfd fds[2] = {{pidfd, POLLIN, 0}, {p->output, POLLIN, 0}};
        long long left = timeout < 0 ? -1 : until - shim_clock_ms();

        if (timeout >= 0 && left <= 0)
            return false;
        if (poll(fds, 2, left > INT32_MAX ? INT32_MAX : (int)left) < 0)
            continue; /* interrupted */
        if (fds[1].revents)
            take_output(p);
        if (fds[0].revents)
            return true;
    }
}

/* Puts text before what the command has said. */
static void prefix(struct probe_result *result, const char *text)
{
    size_t n = strlen(text);

    memmove(result->output + n, result->output, result->len);
    memcpy(result->output, text, n);
    result->len += (uint32_t)n;
}

/* The time as Go prints it: "30s", "1.5s", "500ms", "1m30s". */
static void time_text(long long ms, char *ret, size_t size)
{
    char minutes[32] = "";

    if (ms < 1000) {
        snprintf(ret, size, "%lldms", ms);
        return;
    }
    if (ms >= 3600000)
        snprintf(minutes, sizeof minutes, "%lldh%lldm", ms / 3600000, ms / 60000 % 60);
    else if (ms >= 60000)
        snprintf(minutes, sizeof minutes, "%lldm", ms / 60000);
    snprintf(ret, size, "%s%gs", minutes, (double)(ms % 60000) / 1000);
}

static void say_timeout(struct probe *p)
{
    char text[128], span[64];

    time_text(p->timeout, span, sizeof span);
    snprintf(text, sizeof text, "Health check exceeded timeout (%s)%s", span,
             p->result->len ? ": " : "");
    prefix(p->result, text);
    p->result->exit_code = -1;
}

/* --- one check ------------------------------------------------------------------------------- */

static void watch(struct probe *p, pid_t pid, int pidfd)
{
    bool in_time = wait_for(p, pidfd, p->timeout);
    struct shim_options named = *p->options;
    int code;

    if (!in_time) {
        p->result->cancelled = probe_is_idle(p->place);
        kill(-pid, SIGKILL); /* it leads a session, and so a group: with what it has started */
        kill(pid, SIGKILL);
        wait_for(p, pidfd, -1);
    }
    if (p->output >= 0)
        take_output(p);
    code = shim_reap(pid);
    named.exec_id = p->id;
    shim_exec_event(&named, "exec_die", code);
    p->result->exit_code = code;
    if (p->overflow) {
        memcpy(p->result->output + p->result->len, "...", 3);
        p->result->len += 3;
    }
    if (!in_time)
        say_timeout(p);
}

static void check(struct probe *p)
{
    cleanup_close int pidfd = -1;
    struct err err = {0};
    pid_t pid;
    int r = spawn(p, &pid, &err);

    if (!r)
        r = pidfd = shim_open_child(pid, &err);
    if (r >= 0) {
        watch(p, pid, pidfd);
        return;
    }
    p->result->exit_code = -1;
    p->result->len = (uint32_t)snprintf(p->result->output, HEALTH_OUTPUT_MAX, "%s", err.message);
    if (p->result->len >= HEALTH_OUTPUT_MAX)
        p->result->len = HEALTH_OUTPUT_MAX - 1;
}

/* Nothing of the shim's: its lock, its clients and its sockets are to be gone when it closes them.
 */
static void keep_only(int socket)
{
    if (dup2(socket, SHIM_REPORT_FD) < 0 || proc_close_from(SHIM_REPORT_FD + 1) < 0)
        _exit(125);
    fcntl(SHIM_REPORT_FD, F_SETFD, FD_CLOEXEC);
}

void probe_and_exit(const struct shim_options *o, const struct probe_place *place, int socket)
{
    struct probe_result *result = mem_alloc(sizeof *result);
    struct probe p = {.options = o, .place = place, .result = result, .output = -1};
    struct err ignored = {0};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "cooper-probe");
    if (getppid() != place->shim)
        _exit(125); /* it died before that */
    keep_only(socket);
    id_generate(p.id, &ignored);
    result->start_ns = clock_now();
    result->start_ms = shim_clock_ms();
    check(&p);
    result->end_ns = clock_now();
    send(SHIM_REPORT_FD, result, offsetof(struct probe_result, output) + result->len, MSG_NOSIGNAL);
    _exit(0);
}
