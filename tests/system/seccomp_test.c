/* linux.seccomp: what its actions do to a process, and the agent that answers for SCMP_ACT_NOTIFY.
 */
#include "support/suite.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "container.h"

#if defined(__x86_64__)

#define CHDIR 80 /* a call that probe does not make by itself */

static json_t *filtered(const char *bundle, const char *command, const char *seccomp)
{
    json_t *config = container_config(bundle, command);
    struct err err = {0};
    json_t *profile = json_parse_u64(seccomp, strlen(seccomp), "profile", &err);

    ck_assert_msg(profile != NULL, "%s", err.message);
    json_object_clear(json_object_get(config, "annotations"));
    container_set(config, "linux.seccomp", profile);
    return config;
}

/* --- actions ---------------------------------------------------------------------------------- */

static const struct {
    const char *rule;   /* of chdir */
    const char *answer; /* of probe, or NULL: the signal below */
    int signal;
} actions[] = {
    {"\"action\":\"SCMP_ACT_ERRNO\"", "EPERM", 0},
    {"\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":110", "ETIMEDOUT", 0},
    {"\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":0", "ok", 0},
    {"\"action\":\"SCMP_ACT_LOG\"", "EFAULT", 0},
    {"\"action\":\"SCMP_ACT_TRACE\"", "ENOSYS", 0}, /* nobody traces */
    {"\"action\":\"SCMP_ACT_KILL_PROCESS\"", NULL, SIGSYS},
    {"\"action\":\"SCMP_ACT_KILL_THREAD\"", NULL, SIGSYS},
    {"\"action\":\"SCMP_ACT_TRAP\"", NULL, SIGSYS},
    {"\"action\":\"SCMP_ACT_ERRNO\",\"args\":[{\"index\":0,\"op\":\"SCMP_CMP_EQ\",\"value\":0}]",
     "EPERM", 0},
    {"\"action\":\"SCMP_ACT_ERRNO\",\"args\":[{\"index\":0,\"op\":\"SCMP_CMP_GT\",\"value\":0}]",
     "EFAULT", 0},
};

/* Process 1 of a PID namespace does not die of a signal it sends itself: a child makes the call. */
START_TEST(an_action_does_what_it_says)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *profile =
        str_format("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"chdir\","
                   "\"a-call-of-the-future\"],%s}]}",
                   actions[_i].rule);
    cleanup_json json_t *config = filtered(bundle, "call 80 0", profile);
    cleanup_outcome struct outcome o;

    container_remove_namespace(config, "pid");
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    if (actions[_i].answer)
        ck_assert_str_eq(answer(&o, "call 80 0"), actions[_i].answer);
    else
        ck_assert(WIFSIGNALED(o.status) && WTERMSIG(o.status) == actions[_i].signal);
}
END_TEST

static const struct {
    const char *profile, *message;
} bad[] = {
    {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"SECCOMP_FILTER_FLAG_FUTURE\"]}",
     "linux.seccomp: flags: there is no flag 'SECCOMP_FILTER_FLAG_FUTURE'"},
    {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"chdir\"],\"action\":"
     "\"SCMP_ACT_NOTIFY\"}]}",
     "SCMP_ACT_NOTIFY is used, but there is no listenerPath"},
    {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/"
     "nowhere\",\"syscalls\":[{\"names\":["
     "\"write\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}",
     "SCMP_ACT_NOTIFY cannot be used for the write syscall"},
    {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/"
     "nowhere\",\"syscalls\":[{\"names\":["
     "\"sendmsg\",\"sendmmsg\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}",
     "for both sendmsg and sendmmsg"},
    {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/"
     "nowhere\",\"syscalls\":[{\"names\":["
     "\"chdir\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}",
     "cannot connect to the seccomp agent at '/nowhere': No such file or directory"},
};

START_TEST(what_cannot_be_is_an_error)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = filtered(bundle, "true", bad[_i].profile);
    cleanup_outcome struct outcome o;

    container_run(bundle, config, &o);
    ck_assert_int_lt(o.created, 0);
    ck_assert_msg(strstr(o.err.message, bad[_i].message) != NULL, "%s", o.err.message);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

static const char *const flags[] = {
    "[]",
    "[\"SECCOMP_FILTER_FLAG_LOG\"]",
    "[\"SECCOMP_FILTER_FLAG_SPEC_ALLOW\",\"SECCOMP_FILTER_FLAG_TSYNC\"]",
};

START_TEST(flags_reach_the_kernel)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *profile =
        str_format("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":%s}", flags[_i]);
    cleanup_json json_t *config = filtered(bundle, "status Seccomp", profile);
    cleanup_outcome struct outcome o;

    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "status Seccomp"), "2");
}
END_TEST

/* --- the agent -----------------------------------------------------------------------------------
 *
 * A process of the test that listens, takes one state and one descriptor, and answers every call it
 * is told of: chdir(2) fails with EOVERFLOW, others go on. */

struct agent {
    pid_t pid;
    int said; /* the state it got, as text, then end of file when nobody is left to ask */
    char path[108];
};

/* Until nobody is left under the filter. */
static void answer_calls(int notify)
{
    struct pollfd ready = {.fd = notify, .events = POLLIN};
    struct seccomp_notif call;
    struct seccomp_notif_resp reply;

    while (poll(&ready, 1, -1) >= 0 && ready.revents & POLLIN) {
        memset(&call, 0, sizeof call);
        if (ioctl(notify, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
            continue; /* the caller died meanwhile */
        reply = (struct seccomp_notif_resp){.id = call.id};
        if (call.data.nr == CHDIR)
            reply.error = -EOVERFLOW;
        else
            reply.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        ioctl(notify, SECCOMP_IOCTL_NOTIF_SEND, &reply);
    }
}

static _Noreturn void run_agent(int listener, int out)
{
    char text[65536];
    struct iovec data = {text, sizeof text};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    int peer, notify = -1;
    ssize_t n;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    peer = accept(listener, NULL, NULL);
    n = recvmsg(peer, &message, MSG_CMSG_CLOEXEC);
    if (n > 0 && CMSG_FIRSTHDR(&message))
        memcpy(&notify, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof notify);
    if (n > 0 && write(out, text, (size_t)n) == n)
        close(out);
    answer_calls(notify);
    _exit(0);
}

static void agent_start(struct agent *ret, const char *bundle)
{
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), out[2];
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "%s/agent", bundle);
    unlink(address.sun_path);
    ck_assert(!bind(listener, (struct sockaddr *)&address, sizeof address) && !listen(listener, 4));
    ck_assert(!pipe2(out, O_CLOEXEC));
    ret->pid = fork();
    if (!ret->pid)
        run_agent(listener, out[1]);
    close(listener);
    close(out[1]);
    ret->said = out[0];
    strcpy(ret->path, address.sun_path);
}

/* The state it was sent; the agent goes on answering. */
static json_t *agent_state(struct agent *agent)
{
    cleanup_free char *text = read_all(agent->said);
    struct err err = {0};
    json_t *state = json_parse(text, strlen(text), "the container process state", &err);

    ck_assert_msg(state != NULL, "%s: %s", err.message, text);
    close(agent->said);
    return state;
}

static void agent_end(struct agent *agent)
{
    kill(agent->pid, SIGKILL);
    waitpid(agent->pid, NULL, 0);
}

static json_t *notifying(const char *bundle, const struct agent *agent, const char *command,
                         const char *names)
{
    cleanup_free char *profile = str_format(
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"%s\",\"listenerMetadata\":"
        "\"for the agent\",\"syscalls\":[{\"names\":[%s],\"action\":\"SCMP_ACT_NOTIFY\"}]}",
        agent->path, names);

    return filtered(bundle, command, profile);
}

static void check_state(const json_t *state, const char *status, pid_t pid, pid_t init)
{
    ck_assert_str_eq(json_str(state, "metadata", ""), "for the agent");
    ck_assert_str_eq(json_string_value(json_array_get(json_at(state, "fds"), 0)), "seccompFd");
    ck_assert_uint_eq(json_array_size(json_at(state, "fds")), 1);
    ck_assert_int_eq(json_int(state, "pid", 0), pid);
    ck_assert_int_eq(json_int(state, "state.pid", 0), init);
    ck_assert_str_eq(json_str(state, "state.status", ""), status);
    ck_assert_str_ne(json_str(state, "state.ociVersion", ""), "");
    ck_assert_str_ne(json_str(state, "state.bundle", ""), "");
    ck_assert_str_ne(json_str(state, "state.id", ""), "");
}

/* The calls between filter and program may be among those that wait for the agent, too. */
static const char *const notified[] = {
    "\"chdir\"",
    "\"chdir\",\"sendmsg\"",
    "\"chdir\",\"recvmsg\",\"sendmmsg\",\"execve\",\"capset\",\"prctl\"",
};

START_TEST(the_agent_answers)
{
    cleanup_free char *bundle = container_bundle();
    struct agent agent;
    struct running r;

    agent_start(&agent, bundle);
    cleanup_json json_t *config = notifying(bundle, &agent, "call 80 0 + fds + wait", notified[_i]);
    container_start(bundle, config, &r);
    container_await(&r, "call 80 0: EOVERFLOW\nfds: 0 1 2 \n");
    cleanup_json json_t *state = agent_state(&agent);
    check_state(state, "creating", runtime_pid(r.c), runtime_pid(r.c));
    container_end(&r);
    agent_end(&agent);
}
END_TEST

START_TEST(the_agent_answers_for_an_unprivileged_user)
{
    cleanup_free char *bundle = container_bundle();
    struct agent agent;
    cleanup_outcome struct outcome o;

    agent_start(&agent, bundle);
    cleanup_json json_t *config =
        notifying(bundle, &agent, "call 80 0 + ids + status NoNewPrivs", "\"chdir\"");
    container_set(config, "process.noNewPrivileges", json_true());
    container_annotate(config, "org.cooper.user", "app");
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "call 80 0"), "EOVERFLOW");
    ck_assert_str_eq(answer(&o, "status NoNewPrivs"), "1");
    agent_end(&agent);
}
END_TEST

START_TEST(the_agent_answers_for_exec)
{
    cleanup_free char *bundle = container_bundle();
    struct agent first, second;
    struct executed e;
    struct running r;

    agent_start(&first, bundle);
    cleanup_json json_t *config = notifying(bundle, &first, "wait", "\"chdir\"");
    container_start(bundle, config, &r);
    cleanup_json json_t *state = agent_state(&first);
    agent_start(&second, bundle); /* at the same path */
    container_exec(&r, bundle, config, "call 80 0 + self + fds", NULL, &e);
    ck_assert_msg(!e.result, "%s", e.err.message);
    ck_assert_ptr_ne(strstr(e.output, "call 80 0: EOVERFLOW"), NULL);
    ck_assert_ptr_ne(strstr(e.output, "fds: 0 1 2 "), NULL);
    cleanup_json json_t *exec_state = agent_state(&second);
    ck_assert_int_ne(json_int(exec_state, "pid", 0), runtime_pid(r.c));
    check_state(exec_state, "running", (pid_t)json_int(exec_state, "pid", 0), runtime_pid(r.c));
    free(e.output);
    container_end(&r);
    agent_end(&first);
    agent_end(&second);
}
END_TEST

START_TEST(the_agent_answers_in_a_user_namespace)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *rootfs = str_format("%s/rootfs", bundle);
    struct agent agent;
    cleanup_outcome struct outcome o;

    agent_start(&agent, bundle);
    cleanup_json json_t *config = notifying(bundle, &agent, "call 80 0", "\"chdir\"");
    ck_assert(!chown(rootfs, 7000, 7000));
    container_append(config, "linux.namespaces", json_pack("{s:s}", "type", "user"));
    container_set(config, "linux.uidMappings",
                  json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID", 7000, "size", 10));
    container_set(config, "linux.gidMappings",
                  json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID", 7000, "size", 10));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "call 80 0"), "EOVERFLOW");
    agent_end(&agent);
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(seccomp)
{
    TCase *t = tcase_create("seccomp");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    LOOP(an_action_does_what_it_says, actions);
    LOOP(what_cannot_be_is_an_error, bad);
    LOOP(flags_reach_the_kernel, flags);
    LOOP(the_agent_answers, notified);
    tcase_add_test(t, the_agent_answers_for_an_unprivileged_user);
    tcase_add_test(t, the_agent_answers_for_exec);
    tcase_add_test(t, the_agent_answers_in_a_user_namespace);
    suite_add_tcase(suite, t);
}

#endif
