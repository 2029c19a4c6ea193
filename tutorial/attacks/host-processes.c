/* host-processes VICTIM: counts the processes it can reach, and ends the one with this ID.
 *
 * There is no need for /proc: kill(2) with signal 0 sends nothing and tells whether there is
 * somebody. IDs are handed out in order, so all that are older than we are have a smaller one.
 *
 * Ends with 1 when it reaches nobody but its own family or the victim is out of reach. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { STOPPED = 1, NOT_TRIED = 2, SMALLEST_VICTIM = 100 };

int main(int argc, char **argv)
{
    int victim = argc > 1 ? atoi(argv[1]) : 0, count = 0;

    if (victim < SMALLEST_VICTIM) {
        fputs("usage: host-processes VICTIM (a process that you have started for this)\n", stderr);
        return NOT_TRIED;
    }
    for (int pid = 1; pid <= getpid(); pid++)
        if (kill(pid, 0) == 0 || errno == EPERM)
            count++;
    printf("Counting myself, I can reach %d processes.\n", count);
    if (kill(victim, SIGTERM) < 0) {
        printf("Process %d: %s.\n", victim, errno == ESRCH ? "there is none" : "I may not");
        return STOPPED;
    }
    printf("Process %d: I have ended it.\n", victim);
    return 0;
}
