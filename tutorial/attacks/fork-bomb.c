/* fork-bomb [COUNT] - starts processes until there are COUNT (300) or the kernel refuses.
 *
 * A real one has no count: the children fork too, and the table of processes is full within a
 * second. These only wait, and end with the first one. Exit code: 0 all of them were started; 1
 * refused. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { MANY = 300, AT_MOST = 2000 };

static void wait_for_the_end(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (getppid() == parent)
        pause();
    _exit(0);
}

int main(int argc, char **argv)
{
    int wanted = argc > 1 ? atoi(argv[1]) : MANY, count = 0;
    pid_t parent = getpid(), child = 0;

    while (count < wanted && count < AT_MOST && (child = fork()) > 0)
        count++;
    if (child == 0 && getpid() != parent)
        wait_for_the_end(parent);
    if (child < 0)
        printf("%d processes, then: %s\n", count, strerror(errno));
    else
        printf("%d processes, and nobody said no\n", count);
    return child < 0;
}
