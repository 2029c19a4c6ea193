/* fork-bomb [COUNT] - starts processes until there are COUNT (300) or the kernel refuses.
 *
 * A real one has no count: the children fork too, and the table of processes is full within a
 * second. These only wait, and are ended again. Exit code: 0 all of them were started; 1 refused.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY = 300, AT_MOST = 2000 };

static pid_t children[AT_MOST];

/* Ends with the parent, also if that is killed. */
static void wait_for_the_end(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (getppid() == parent)
        pause();
    _exit(0);
}

int main(int argc, char **argv)
{
    int wanted = argc > 1 ? atoi(argv[1]) : MANY, count;
    pid_t parent = getpid();

    if (wanted > AT_MOST)
        wanted = AT_MOST;
    for (count = 0; count < wanted; count++) {
        children[count] = fork();
        if (children[count] < 0)
            break;
        if (children[count] == 0)
            wait_for_the_end(parent);
    }
    if (count < wanted)
        printf("%d processes, then: %s\n", count, strerror(errno));
    else
        printf("%d processes, and nobody said no\n", count);
    for (int i = 0; i < count; i++)
        if (kill(children[i], SIGKILL) == 0)
            waitpid(children[i], NULL, 0);
    return count < wanted;
}
