/* stages - makes one directory after the other below DIRECTORY, each in another kind of process:
 * what a tracer has to follow. The daemon's comes after the program itself has ended.
 *
 *     stages DIRECTORY     prints "NAME: ok" or "NAME: why not" for each
 *     stages hang          waits for ever
 *
 * Static, and executes itself. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *directory;

static void *make(void *name)
{
    char path[4096];

    prctl(PR_SET_NAME, name);
    snprintf(path, sizeof path, "%s/%s", directory, (const char *)name);
    dprintf(1, "%s: %s\n", (const char *)name, mkdir(path, 0755) < 0 ? strerror(errno) : "ok");
    return NULL;
}

/* Runs `act` in a child and waits for it. */
static void in_child(void (*act)(void))
{
    pid_t pid = fork();

    if (!pid) {
        act();
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void as_user(void)
{
    if (!setgid(65534) && !setuid(65534))
        make("user");
}

static void after_exec(void)
{
    execl("/proc/self/exe", "stages", directory, "exec", NULL);
}

static void as_init(void)
{
    make("init");
}

static void in_pid_namespace(void)
{
    if (!unshare(CLONE_NEWPID | CLONE_NEWNS))
        in_child(as_init);
}

static void in_user_namespace(void)
{
    if (!unshare(CLONE_NEWUSER))
        make("stranger");
}

static void in_thread(void)
{
    pthread_t thread;

    if (!pthread_create(&thread, NULL, make, "thread"))
        pthread_join(thread, NULL);
}

/* Waits until its parent has ended: the pipe's other end is then closed. */
static void as_daemon(int parent_lives)
{
    char byte;

    setsid();
    if (!read(parent_lives, &byte, 1))
        make("daemon");
}

int main(int argc, char **argv)
{
    int parent_lives[2];

    if (pipe(parent_lives) < 0 || argc < 2)
        return 2;
    if (!strcmp(argv[1], "hang"))
        return (int)read(parent_lives[0], argv[1], 1);
    directory = argv[1];
    if (argc == 3)
        return make(argv[2]) != NULL;
    make("first");
    in_child(as_user);
    in_child(after_exec);
    in_child(in_pid_namespace);
    in_child(in_user_namespace);
    in_thread();
    if (!fork()) {
        close(parent_lives[1]);
        as_daemon(parent_lives[0]);
    }
    return 0;
}
