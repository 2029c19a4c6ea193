/* The first process of a PID namespace is its init, with init's privileges and duties. A signal it
 * has no handler for is not delivered to it, so a plain program that is PID 1 does not hear
 * SIGTERM. Orphans become its children, and when they end somebody has to wait(2) for them or they
 * stay as zombies. And when it ends, the kernel kills the rest. So keg is PID 1 itself, the command
 * its child. */
#include "init.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "die.h"

/* All signals but the terminal's job control: Ctrl-Z stops keg together with its command. */
static sigset_t supervised(void)
{
    sigset_t set;

    sigfillset(&set);
    sigdelset(&set, SIGTSTP);
    sigdelset(&set, SIGTTIN);
    sigdelset(&set, SIGTTOU);
    return set;
}

void init_block_signals(void)
{
    sigset_t set = supervised();

    sigprocmask(SIG_BLOCK, &set, NULL);
}

int init_supervise(pid_t child)
{
    sigset_t set = supervised();
    siginfo_t signal;
    int status;
    pid_t pid;

    for (;;) {
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
            if (pid == child)
                return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        /* What the terminal sends (SI_KERNEL: Ctrl-C) the command gets from it as well. */
        if (sigwaitinfo(&set, &signal) > 0 && signal.si_signo != SIGCHLD &&
            signal.si_code != SI_KERNEL)
            kill(child, signal.si_signo);
    }
}

int init_run(char **command, char **environment)
{
    sigset_t none;
    pid_t pid;

    /* Else the keg's root could open /proc/1/exe, which is keg's own file on the host, and write to
     * it. */
    if (prctl(PR_SET_DUMPABLE, 0) < 0)
        die(NULL, "cannot hide keg's own process: %m");
    pid = fork();
    if (pid < 0)
        die(NULL, "cannot start a process for '%s': %m", command[0]);
    if (pid == 0) {
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        command_exec(command, environment);
    }
    return init_supervise(pid);
}
