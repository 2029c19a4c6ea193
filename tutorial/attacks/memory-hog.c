/* memory-hog [MEGABYTES] - takes memory, twice as much each time, up to MEGABYTES (256).
 *
 * Asking is free: the kernel gives a page only when somebody writes to it. So this writes to each.
 * Exit code: 0 it holds all of it; 1 the kernel did not give it. (The usual answer is no answer:
 * the kernel kills it.) */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PAGE = 4096, MUCH = 256, AT_MOST = 512 };

int main(int argc, char **argv)
{
    size_t wanted = argc > 1 ? (size_t)atoi(argv[1]) : MUCH, room = (size_t)AT_MOST << 20, done = 0;
    char *memory = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        perror("memory-hog: mmap");
        return 1;
    }
    for (size_t goal = 16; goal <= wanted && goal <= AT_MOST; goal *= 2) {
        for (; done < goal << 20; done += PAGE)
            memory[done] = 1;
        printf("holding %zu MB\n", goal);
        fflush(stdout); /* what is not written when the kernel kills us is lost */
    }
    return 0;
}
