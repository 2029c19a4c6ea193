/* traits - runs inside a container and tells what its process was given: clocks, scheduling,
 * limits. Static, as probe, and of the same manners:
 *
 *     traits COMMAND [ARGUMENT...] [+ COMMAND [ARGUMENT...]]...
 *
 * Each command prints a line "command arguments: answer"; an answer "E<NAME>" is an errno. */
#include <errno.h>
#include <grp.h>
#include <linux/sched/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static void clock_of(char **a)
{
    clockid_t id = !strcmp(a[0], "boottime") ? CLOCK_BOOTTIME : CLOCK_MONOTONIC;
    struct timespec now;

    clock_gettime(id, &now);
    printf("%lld\n", (long long)now.tv_sec);
}

static void domain(char **a)
{
    char name[256] = "?";

    (void)a;
    getdomainname(name, sizeof name);
    printf("%s\n", name);
}

/* policy nice priority flags runtime/deadline/period: what belongs to the policy. Since Linux 6.12
 * runtime of other policies is a slice, and SCHED_IDLE keeps a nice value that means nothing. */
static void scheduler(char **a)
{
    struct sched_attr s = {0};

    (void)a;
    if (syscall(SYS_sched_getattr, 0, &s, sizeof s, 0) < 0) {
        printf("E%s\n", strerrorname_np(errno) + 1);
        return;
    }
    printf("%u %d %u 0x%llx %llu/%llu/%llu\n", s.sched_policy,
           s.sched_policy == 0 || s.sched_policy == 3 ? s.sched_nice : 0, s.sched_priority,
           (unsigned long long)s.sched_flags,
           s.sched_policy == 6 ? (unsigned long long)s.sched_runtime : 0,
           (unsigned long long)s.sched_deadline, (unsigned long long)s.sched_period);
}

static void io_priority(char **a)
{
    long value = syscall(SYS_ioprio_get, 1, 0);

    (void)a;
    printf("class %ld level %ld\n", value >> 13, value & 7);
}

static void processors(char **a)
{
    unsigned long mask[16] = {0};

    (void)a;
    syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
    printf("%lx\n", mask[0]);
}

static void memory(char **a)
{
    unsigned long nodes[128] = {0};
    int mode = -1;

    (void)a;
    if (syscall(SYS_get_mempolicy, &mode, nodes, 8 * sizeof nodes, NULL, 0) < 0)
        printf("E%s\n", strerrorname_np(errno) + 1);
    else
        printf("0x%x nodes %lx\n", mode, nodes[0]);
}

static void machine(char **a)
{
    struct utsname names;

    (void)a;
    uname(&names);
    printf("%s 0x%x\n", names.machine, personality(0xffffffff));
}

/* soft:hard of limit number N, "-" for none. */
static void limit(char **a)
{
    struct rlimit value = {0};

    getrlimit((__rlimit_resource_t)atoi(a[0]), &value);
    printf("%lld:%lld\n", (long long)value.rlim_cur, (long long)value.rlim_max);
}

static void groups(char **a)
{
    static gid_t list[65536];
    int n = getgroups(65536, list);

    (void)a;
    printf("%d, %u to %u\n", n, n > 0 ? list[0] : 0, n > 0 ? list[n - 1] : 0);
}

/* The names of the session keyring and whether it can be searched by its owner. */
static void keyring(char **a)
{
    char text[256] = "";
    long n = syscall(SYS_keyctl, 6 /* KEYCTL_DESCRIBE */, -3 /* session */, text, sizeof text);
    char *name = strrchr(text, ';');

    (void)a;
    if (n < 0)
        printf("E%s\n", strerrorname_np(errno) + 1);
    else
        printf("%s\n", name ? name + 1 : "?");
}

static void add_key(char **a)
{
    long key = syscall(SYS_add_key, "user", a[0], "secret", 6, -3);

    printf("%s\n", key < 0 ? strerrorname_np(errno) : "ok");
}

static void find_key(char **a)
{
    long key = syscall(SYS_keyctl, 10 /* KEYCTL_SEARCH */, -3, "user", a[0], 0);

    printf("%s\n", key < 0 ? strerrorname_np(errno) : "found");
}

static const struct {
    const char *name;
    int arguments;
    void (*run)(char **arguments);
} commands[] = {
    {"clock", 1, clock_of},  {"domain", 0, domain},   {"scheduler", 0, scheduler},
    {"io", 0, io_priority},  {"cpus", 0, processors}, {"memory", 0, memory},
    {"machine", 0, machine}, {"limit", 1, limit},     {"groups", 0, groups},
    {"keyring", 0, keyring}, {"add-key", 1, add_key}, {"find-key", 1, find_key},
};

static int run_one(char **words, int count)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(words[0], commands[i].name) || count - 1 < commands[i].arguments)
            continue;
        printf("%s", words[0]);
        for (int k = 1; k < count; k++)
            printf(" %s", words[k]);
        printf(": ");
        commands[i].run(words + 1);
        return 0;
    }
    printf("traits: no command '%s' with %d arguments\n", words[0], count - 1);
    return 2;
}

int main(int argc, char **argv)
{
    int r = 0;

    for (int i = 1; i < argc && !r; i++) {
        int first = i;

        while (i < argc && strcmp(argv[i], "+"))
            i++;
        r = run_one(argv + first, i - first);
        fflush(stdout);
    }
    return r;
}
