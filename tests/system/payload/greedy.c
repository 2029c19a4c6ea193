/* greedy - wants more than it is given, inside a container whose limits are tested. Static; an
 * image of this one file is enough.
 *
 *     greedy COMMAND [ARGUMENT...] [+ COMMAND [ARGUMENT...]]...
 *
 * Each command prints "command: answer"; an answer "E<NAME>" is an errno. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void answer(const char *command, long r)
{
    printf("%s: %s%s\n", command, r < 0 ? "E" : "ok", r < 0 ? strerrorname_np(errno) + 1 : "");
}

/* Every process makes another one, for ever. */
static void bomb(char **a)
{
    (void)a;
    printf("bomb: lit\n");
    fflush(stdout);
    close(0);
    close(1);
    close(2);
    signal(SIGTERM, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    for (;;)
        fork();
}

/* The processors it may run on, "0 2 ". */
static void affinity(char **a)
{
    cpu_set_t set;

    (void)a;
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof set, &set);
    printf("affinity: ");
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set))
            printf("%d ", i);
    printf("\n");
}

/* N MiB in huge pages of 2 MiB, reserved and touched. */
static void huge(char **a)
{
    size_t size = strtoul(a[0], NULL, 10) << 20;
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | (21 << 26), -1, 0);

    if (p != MAP_FAILED)
        memset(p, 1, size);
    answer("huge", p == MAP_FAILED ? -1 : 0);
}

/* Nested groups FROM/n/n/n..., N deep, and itself into the last. */
static void nest(char **a)
{
    char path[8192];
    int depth = atoi(a[1]), fd;
    size_t n = (size_t)snprintf(path, sizeof path, "%s", a[0]);

    for (int i = 0; i < depth; i++) {
        n += (size_t)snprintf(path + n, sizeof path - n, "/n");
        if (mkdir(path, 0755) < 0 && errno != EEXIST) {
            answer("nest", -1);
            return;
        }
    }
    snprintf(path + n, sizeof path - n, "/cgroup.procs");
    fd = open(path, O_WRONLY);
    answer("nest", fd < 0 ? -1 : write(fd, "0", 1));
}

/* Groups without end, each as deep as it gets: until killed. */
static void burrow(char **a)
{
    if (chdir(a[0]) < 0) {
        answer("burrow", -1);
        return;
    }
    printf("burrow: digging\n");
    fflush(stdout);
    for (unsigned i = 0;; i++) {
        char name[32];

        snprintf(name, sizeof name, "b%u", i % 50);
        mkdir(name, 0755);
        if (!(i % 3) && chdir(name) < 0)
            chdir(a[0]);
    }
}

static void enter(char **a)
{
    int fd = open(a[0], O_WRONLY);

    answer("enter", fd < 0 ? -1 : write(fd, "0", 1));
}

static void change(char **a)
{
    int fd = open(a[0], O_WRONLY);

    answer("change", fd < 0 ? -1 : write(fd, a[1], strlen(a[1])));
}

static void make(char **a)
{
    answer("make", mkdir(a[0], 0755));
}

/* Groups that change their names all the time. */
static void juggle(char **a)
{
    if (chdir(a[0]) < 0) {
        answer("juggle", -1);
        return;
    }
    printf("juggle: juggling\n");
    fflush(stdout);
    for (;;) {
        mkdir("a", 0755);
        mkdir("a/b", 0755);
        rename("a", "c");
        rmdir("c/b");
        rmdir("a/b");
        rmdir("c");
    }
}

/* N MiB written past the page cache. */
static void store(char **a)
{
    int fd = open(a[0], O_WRONLY | O_CREAT | O_DIRECT, 0600), count = atoi(a[1]);
    char *data = NULL;
    long r = fd < 0 ? -1 : 0;

    if (posix_memalign((void **)&data, 4096, 1 << 20))
        exit(1);
    memset(data, 7, 1 << 20);
    while (r >= 0 && count-- > 0)
        r = write(fd, data, 1 << 20);
    answer("store", r);
}

static void spin(char **a)
{
    (void)a;
    printf("spin: on\n");
    fflush(stdout);
    for (;;)
        ;
}

static void wait_eof(char **a)
{
    char c;

    (void)a;
    printf("wait: on\n");
    fflush(stdout);
    while (read(0, &c, 1) > 0)
        ;
}

static const struct {
    const char *name;
    void (*run)(char **arguments);
} commands[] = {
    {"affinity", affinity}, {"bomb", bomb}, {"burrow", burrow}, {"change", change},
    {"enter", enter},       {"huge", huge}, {"make", make},     {"juggle", juggle},
    {"nest", nest},         {"spin", spin}, {"store", store},   {"wait", wait_eof},
};

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int first = i;

        while (i < argc && strcmp(argv[i], "+"))
            i++;
        if (i < argc)
            argv[i] = NULL;
        for (size_t k = 0; k < sizeof commands / sizeof *commands; k++)
            if (!strcmp(argv[first], commands[k].name))
                commands[k].run(argv + first + 1);
        fflush(stdout);
    }
    return 0;
}
