/* Running the keg under test, and talking with the probe inside. */
#include "grade/grade.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

static char answer[4096];
static struct keg running[8]; /* of this check; nobody has waited for them */

/* In the child. Descriptor 9 is a directory of the host, left open on purpose: a keg that hands it
 * on has a hole. So is the variable. */
[[gnu::noreturn]] static void become(const char *output, int input, char *const argv[])
{
    int out = open(output, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int host = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_DFL);
    dup2(input, 0);
    dup2(out, 1);
    dup2(out, 2);
    dup2(host, 9);
    setenv("KEG_STORE", grade.store, 1);
    setenv("JUDGE_SECRET", "of the host", 1);
    execv(argv[0], argv);
    dprintf(2, "cannot run '%s': %s\n", argv[0], strerror(errno));
    _exit(127);
}

void keg_run(struct keg *ret, const char *const options[], const char *root,
             const char *const command[])
{
    static int count;
    struct strv argv = {0};
    int pair[2], on = 1;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
        setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
        broken("socketpair: %s", strerror(errno));
    strv_add(&argv, grade.bin);
    for (size_t i = 0; options && options[i]; i++)
        strv_add(&argv, options[i]);
    strv_add(&argv, root);
    for (size_t i = 0; command && command[i]; i++)
        strv_add(&argv, command[i]);
    *ret = (struct keg){.socket = pair[0]};
    ret->output = str_format("%s/output-%d-%d", grade.directory, (int)getpid(), ++count);
    ret->pid = fork();
    if (!ret->pid)
        become(ret->output, pair[1], argv.items);
    if (ret->pid < 0)
        broken("fork: %s", strerror(errno));
    for (size_t i = 0; i < sizeof running / sizeof *running; i++)
        if (!running[i].pid) {
            running[i] = *ret;
            break;
        }
    close(pair[1]);
    strv_free(&argv);
}

/* Receives one packet and the ID of its sender; 0: end of file, -1: nothing for too long. */
static int receive(struct keg *k, pid_t *ret_sender)
{
    char control[CMSG_SPACE(sizeof(struct ucred))];
    struct iovec iov = {answer, sizeof answer - 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct pollfd p = {.fd = k->socket, .events = POLLIN};
    struct cmsghdr *c;
    struct ucred sender = {0};
    ssize_t n;

    if (poll(&p, 1, fact_patience_ms()) <= 0)
        return -1;
    n = recvmsg(k->socket, &m, MSG_CMSG_CLOEXEC);
    if (n <= 0)
        return 0;
    answer[n] = 0;
    c = CMSG_FIRSTHDR(&m);
    if (c && c->cmsg_type == SCM_CREDENTIALS)
        memcpy(&sender, CMSG_DATA(c), sizeof sender);
    *ret_sender = sender.pid;
    return (int)n;
}

const char *keg_words(const struct keg *k)
{
    static char words[400];
    cleanup_free char *all = fact_file(k->output);

    snprintf(words, sizeof words, "%s", all);
    words[strcspn(words, "\n")] = 0;
    return *words ? words : "nothing";
}

void keg_await(struct keg *k)
{
    static const char expected[] = "that the command starts, with keg's standard input as its own";
    cleanup_free char *exe = NULL, *ours = str_format("%s/bin/probe", grade.root);

    if (receive(k, &k->inside) <= 0)
        explain(expected, "tutorial/01-chroot.md: What comes with the command",
                "the command did not start; the keg printed: %s", keg_words(k));
    /* Whoever else speaks on this socket is no process in a keg. */
    exe = str_format("/proc/%d/exe", (int)k->inside);
    if (!k->inside || !fact_same_content(exe, ours))
        explain(expected, "tutorial/01-chroot.md: What comes with the command",
                "some other program (PID %d) answered in its place", (int)k->inside);
}

void keg_probe(struct keg *ret, const char *const options[])
{
    keg_run(ret, options, grade.root, (const char *const[]){"/bin/probe", NULL});
    keg_await(ret);
}

const char *keg_ask(struct keg *k, const char *request)
{
    pid_t sender;

    if (send(k->socket, request, strlen(request) + 1, MSG_NOSIGNAL) < 0)
        return NULL;
    return receive(k, &sender) > 0 ? answer : NULL;
}

int keg_wait(struct keg *k)
{
    int pidfd = fact_pidfd(k->pid), status;
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    int ready = poll(&p, 1, fact_patience_ms());

    close(pidfd);
    if (ready <= 0)
        return -1;
    if (waitpid(k->pid, &status, 0) < 0)
        broken("waitpid: %s", strerror(errno));
    for (size_t i = 0; i < sizeof running / sizeof *running; i++)
        if (running[i].pid == k->pid)
            running[i].pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int keg_end(struct keg *k)
{
    shutdown(k->socket, SHUT_RDWR);
    close(k->socket);
    return keg_wait(k);
}

int keg_code(const char *root, const char *command)
{
    struct keg k;

    keg_run(&k, NULL, root, (const char *const[]){command, NULL});
    return keg_end(&k);
}

/* Gently, so that a keg can take away its control group or network: first the command ends. */
static void end_one(const struct keg *k)
{
    struct pollfd p = {.fd = fact_pidfd(k->pid), .events = POLLIN};

    shutdown(k->socket, SHUT_RDWR);
    if (poll(&p, 1, 200) == 0) {
        kill(k->pid, SIGTERM);
        poll(&p, 1, 3000);
    }
    close(p.fd);
}

void keg_end_all(void)
{
    for (size_t i = 0; i < sizeof running / sizeof *running; i++)
        if (running[i].pid)
            end_one(&running[i]);
}
