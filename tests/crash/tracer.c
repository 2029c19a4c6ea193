#include "crash/tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "crash/memory.h"
#include "crash/tracee.h"

#define OPTIONS                                                                                    \
    (PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |         \
     PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)
/* At a call's own return: SIGTRAP made different by PTRACE_O_TRACESYSGOOD. */
#define STOP_OF_CALL (SIGTRAP | 0x80)
#define COMMANDS_MAX 64

struct tracer {
    struct tracees tracees;
    struct injection *injection;
    struct point_list *record;
    bool killing; /* whoever appears now is killed, too */
    struct command {
        pid_t pid;
        int status;
        bool ended;
    } commands[COMMANDS_MAX]; /* the last ones started, round and round */
    size_t started;
};

long tracer_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct tracer *tracer_new(const char *const *programs)
{
    struct tracer *t = mem_alloc(sizeof *t);
    sigset_t child;

    t->tracees.programs = programs;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    /* Blocked, it is kept for sigtimedwait(2): no change of state goes unnoticed. */
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    return t;
}

void tracer_free(struct tracer *t)
{
    if (!t)
        return;
    tracer_kill(t);
    free(t->tracees.items);
    free(t);
}

/* Whoever is to be killed after a call that has not returned yet is let off: the point was not come
 * by after all. */
static void let_off(struct tracer *t)
{
    for (size_t i = 0; i < t->tracees.len; i++)
        if (t->tracees.items[i].to_exit) {
            t->tracees.items[i].to_exit = false;
            t->injection->reached = t->injection->hit_command = false;
        }
}

void tracer_inject(struct tracer *t, struct injection *injection)
{
    let_off(t);
    t->injection = injection;
}

void tracer_record(struct tracer *t, struct point_list *list)
{
    t->record = list;
}

/* --- at a point ------------------------------------------------------------------------------- */

/* Of one that has just executed the news may not have reached us yet. */
static bool runs_payload(struct tracer *t)
{
    for (size_t i = 0; i < t->tracees.len; i++) {
        struct tracee now = t->tracees.items[i];

        tracee_executed(&t->tracees, &now);
        if (!now.counted && *now.program)
            return true;
    }
    return false;
}

static void kill_all(struct tracer *t)
{
    t->killing = true;
    if (t->injection)
        t->injection->payload |= runs_payload(t);
    for (size_t i = 0; i < t->tracees.len; i++)
        kill(t->tracees.items[i].tgid, SIGKILL);
}

static bool is_command(const struct tracer *t, pid_t pid)
{
    return t->started && t->commands[(t->started - 1) % COMMANDS_MAX].pid == pid;
}

static void strike(struct tracer *t, struct tracee *tracee)
{
    struct injection *injection = t->injection;

    injection->reached = true;
    injection->hit_command =
        injection->kind == KILL_ALL || (injection->kind != FAIL && is_command(t, tracee->tgid));
    if (injection->kind == KILL_ALL)
        kill_all(t);
    else if (injection->kind == KILL_BEFORE)
        kill(tracee->tgid, SIGKILL);
    else if (injection->kind == KILL_AFTER)
        tracee->to_exit = true;
    else if (injection->kind == FAIL && memory_fail_call(tracee->tid, injection->error) < 0)
        injection->reached = false;
}

/* Names the point only when somebody wants the name: that is most of what a stop costs. */
static void meet_point(struct tracer *t, const struct stopped *at, struct tracee *tracee)
{
    struct injection *injection = t->injection;
    bool sought = injection && injection->at && !injection->reached &&
                  strstr(injection->at->key, at->call->name);
    struct point point;

    if ((!sought && !t->record && !tracee->loading) || !point_describe(at, &point))
        return;
    tracee->loading = false;
    if (sought && str_equal(point.key, injection->at->key) &&
        ++injection->seen == injection->at->occurrence)
        strike(t, tracee);
    if (t->record)
        point_list_add(t->record, &point);
    else
        free(point.key);
}

static void take_stage(struct tracee *tracee, const struct stopped *at)
{
    if (!strcmp(at->call->name, "prctl") && at->args[0] == PR_SET_NAME)
        memory_read_text(at->tid, at->args[1], tracee->stage, sizeof tracee->stage);
}

static void before_call(struct tracer *t, struct tracee *tracee)
{
    struct __ptrace_syscall_info info;
    struct stopped at = {.tid = tracee->tid,
                         .program = tracee->program,
                         .stage = tracee->stage,
                         .loading = tracee->loading};

    if (!tracee->counted || ptrace(PTRACE_GET_SYSCALL_INFO, tracee->tid, sizeof info, &info) <= 0 ||
        info.op != PTRACE_SYSCALL_INFO_SECCOMP)
        return;
    at.call = call_find((long)info.seccomp.nr);
    if (!at.call)
        return;
    memcpy(at.args, info.seccomp.args, sizeof at.args);
    take_stage(tracee, &at);
    meet_point(t, &at, tracee);
}

/* --- events ----------------------------------------------------------------------------------- */

static void resume(const struct tracee *tracee, int sig)
{
    /* ESRCH: it was killed a moment ago, its end will be reported. */
    ptrace(tracee->to_exit ? PTRACE_SYSCALL : PTRACE_CONT, tracee->tid, 0, (long)sig);
}

static void on_birth(struct tracer *t, pid_t parent)
{
    unsigned long child;

    if (!ptrace(PTRACE_GETEVENTMSG, parent, 0, &child))
        tracee_meet(&t->tracees, (pid_t)child, parent);
}

/* A thread that executes takes over its leader's id. */
static void on_exec(struct tracer *t, struct tracee *tracee)
{
    pid_t tid = tracee->tid;
    unsigned long former;

    if (!ptrace(PTRACE_GETEVENTMSG, tid, 0, &former) && (pid_t)former != tid)
        tracee_forget(&t->tracees, (pid_t)former);
    tracee = tracee_find(&t->tracees, tid);
    tracee_executed(&t->tracees, tracee);
    if (t->injection && !tracee->counted)
        t->injection->payload = true;
}

static void on_stop(struct tracer *t, pid_t tid, int status)
{
    struct tracee *tracee = tracee_meet(&t->tracees, tid, 0);
    int event = status >> 16, sig = WSTOPSIG(status), deliver = 0;

    if (t->killing)
        kill(tracee->tgid, SIGKILL);
    if (event == PTRACE_EVENT_SECCOMP) {
        before_call(t, tracee);
    } else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK ||
               event == PTRACE_EVENT_CLONE) {
        on_birth(t, tid);
    } else if (event == PTRACE_EVENT_EXEC) {
        on_exec(t, tracee);
    } else if (event == PTRACE_EVENT_STOP && sig != SIGTRAP) {
        ptrace(PTRACE_LISTEN, tid, 0, 0); /* stopped by SIGSTOP: remains so */
        return;
    } else if (sig == STOP_OF_CALL && tracee->to_exit) {
        kill(tracee->tgid, SIGKILL);
        return;
    } else if (!event && sig != STOP_OF_CALL) {
        deliver = sig;
    }
    tracee = tracee_find(&t->tracees, tid);
    if (tracee)
        resume(tracee, deliver);
}

static void on_end(struct tracer *t, pid_t pid, int status)
{
    tracee_forget(&t->tracees, pid);
    for (size_t i = 0; i < COMMANDS_MAX; i++)
        if (t->commands[i].pid == pid && !t->commands[i].ended) {
            t->commands[i].status = status;
            t->commands[i].ended = true;
        }
}

/* Serves one event: 1; 0 when none came in time; -ECHILD when nobody is left. */
static int serve(struct tracer *t, long wait_ms)
{
    struct timespec patience = {wait_ms / 1000, wait_ms % 1000 * 1000000};
    int status;
    pid_t pid = waitpid(-1, &status, __WALL | WNOHANG);
    sigset_t child;

    if (!pid && wait_ms > 0) {
        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        sigtimedwait(&child, NULL, &patience);
        pid = waitpid(-1, &status, __WALL | WNOHANG);
    }
    if (pid < 0)
        return -errno;
    if (!pid)
        return 0;
    if (WIFSTOPPED(status))
        on_stop(t, pid, status);
    else
        on_end(t, pid, status);
    return 1;
}

/* --- commands --------------------------------------------------------------------------------- */

pid_t tracer_start(struct tracer *t, const char *const argv[], bool traced, int out, int err)
{
    int go[2] = {-1, -1};
    struct tracee *tracee;
    pid_t pid;

    if (traced && pipe2(go, O_CLOEXEC) < 0)
        return -errno;
    t->killing = false;
    pid = fork();
    if (!pid)
        tracee_become(argv, go[0], out, err);
    close_fd(&go[0]);
    if (pid > 0 && traced) {
        tracee = tracee_meet(&t->tracees, pid, 0);
        if (ptrace(PTRACE_SEIZE, pid, 0, OPTIONS) < 0 || write(go[1], "", 1) != 1)
            kill(tracee->tgid, SIGKILL);
    }
    close_fd(&go[1]);
    if (pid > 0)
        t->commands[t->started++ % COMMANDS_MAX] = (struct command){.pid = pid};
    return pid;
}

static struct command *command_of(struct tracer *t, pid_t pid)
{
    for (size_t i = 0; i < COMMANDS_MAX; i++)
        if (t->commands[i].pid == pid)
            return &t->commands[i];
    return NULL;
}

int tracer_wait(struct tracer *t, pid_t pid, int limit_ms)
{
    const struct command *command = command_of(t, pid);
    long deadline = tracer_now() + limit_ms;

    while (command && !command->ended && tracer_now() < deadline)
        if (serve(t, 50) < 0)
            return -1;
    return command && command->ended ? command->status : -1;
}

/* Asleep once may be between two steps: twice, with nothing heard in between, is asleep. */
int tracer_settle(struct tracer *t, int limit_ms)
{
    long deadline = tracer_now() + limit_ms;
    int quiet = 0;

    while (tracer_now() < deadline) {
        int r = serve(t, 2);

        if (r < 0 || !t->tracees.len)
            return 0;
        quiet = !r && tracees_asleep(&t->tracees) ? quiet + 1 : 0;
        if (quiet == 2)
            return (int)t->tracees.len;
    }
    return -1;
}

bool tracer_wait_gone(struct tracer *t, int limit_ms)
{
    long deadline = tracer_now() + limit_ms;
    int r = 0;

    while (r >= 0 && tracer_now() < deadline)
        r = serve(t, 5);
    return r == -ECHILD;
}

void tracer_kill(struct tracer *t)
{
    kill_all(t);
    tracer_wait_gone(t, 10000);
}

char *tracer_describe(struct tracer *t)
{
    struct buf ret = {0};

    tracees_describe(&t->tracees, &ret);
    return buf_steal(&ret);
}
