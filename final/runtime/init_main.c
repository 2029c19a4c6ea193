/* cooper-init - PID 1 for containers run with --init, found inside as /sbin/docker-init.
 *
 *     docker-init -- PROGRAM [ARGUMENT...]
 *
 * The kernel treats PID 1 of a PID namespace differently: signals it has no handler for are not
 * delivered, so `docker stop` waits in vain for a program that never expected to be PID 1; and
 * orphans become its children, zombies unless it waits for them. This program does both duties and
 * nothing else: it starts the real one as a child, passes every signal on, reaps, and ends with the
 * child's status. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void die(const char *what)
{
    dprintf(2, "docker-init: %s: %s\n", what, strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

/* Signals that tell of our own faults or are about our own children are not passed on. */
static void signals_to_forward(sigset_t *ret)
{
    static const int own[] = {SIGFPE,  SIGILL, SIGSEGV, SIGBUS, SIGABRT,
                              SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU};

    sigfillset(ret);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(ret, own[i]);
}

/* The child gets a process group of its own, in the terminal's foreground, so that Ctrl-C reaches
 * it once, from the terminal, and not a second time through us. */
static _Noreturn void run_child(char **argv, const sigset_t *mask)
{
    setpgid(0, 0);
    /* SIGTTOU stops who sets the foreground from the background; without a terminal this just
     * fails. */
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(0, getpgrp());
    signal(SIGTTOU, SIG_DFL);
    signal(SIGTTIN, SIG_DFL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(*argv, argv);
    die(*argv);
}

/* Reaps all that have ended; returns the main child's exit status or -1 while it runs. */
static int reap(pid_t child)
{
    int status, code = -1;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == child)
            code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return code;
}

int main(int argc, char **argv)
{
    int skip = argc > 1 && !strcmp(argv[1], "--") ? 2 : 1;
    sigset_t forward, before;
    pid_t child;

    if (argc <= skip) {
        dprintf(2, "usage: docker-init -- PROGRAM [ARGUMENT...]\n");
        return 125;
    }
    /* Blocked, they queue up for sigwaitinfo(2): none is lost between fork and wait. */
    signals_to_forward(&forward);
    sigprocmask(SIG_BLOCK, &forward, &before);
    signal(SIGTTIN, SIG_IGN);
    signal(SIGTTOU, SIG_IGN);
    child = fork();
    if (child < 0)
        die("cannot start a process");
    if (!child)
        run_child(argv + skip, &before);
    for (;;) {
        int sig = sigwaitinfo(&forward, NULL), code;

        if (sig < 0 && errno != EINTR)
            die("cannot wait for signals");
        if (sig > 0 && sig != SIGCHLD)
            kill(child, sig);
        code = reap(child);
        if (code >= 0)
            return code;
    }
}
