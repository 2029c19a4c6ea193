/* The command that the judge runs inside a keg. It does what it is asked on its standard input, a
 * SOCK_SEQPACKET socket: one packet a request, one an answer. The judge believes only that a
 * request was tried; what came of it, it looks up in the kernel. At end of file the probe ends with
 * 0.
 *
 * Static, because the root it runs in has no libraries. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_FORKS = 200, MAX_HOG_MIB = 256 };

static int trap_code;

static void on_term(int signal)
{
    (void)signal;
    _exit(trap_code);
}

/* "done" or the error. */
static void report(int result, char *answer, size_t size)
{
    snprintf(answer, size, "%s", result < 0 ? strerror(errno) : "done");
}

static void get_hostname(char *argument, char *answer, size_t size)
{
    (void)argument;
    gethostname(answer, size);
}

static void write_file(char *path, char *answer, size_t size)
{
    static const char text[] = "written inside\n";
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    report(fd < 0 ? fd : (int)write(fd, text, sizeof text - 1), answer, size);
    close(fd);
}

static void unlink_file(char *path, char *answer, size_t size)
{
    report(unlink(path), answer, size);
}

/* A second name for the kernel's /dev/null: "done" when it can be made and opened. */
static void open_device(char *path, char *answer, size_t size)
{
    int fd = mknod(path, S_IFCHR | 0666, makedev(1, 3));

    if (fd == 0)
        fd = open(path, O_WRONLY | O_CLOEXEC);
    report(fd, answer, size);
    if (fd >= 0)
        close(fd);
}

/* The oldest way out of a chroot: the root goes deeper, the working directory stays above it, and
 * from there ".." knows no end. */
static void escape(char *argument, char *answer, size_t size)
{
    (void)argument;
    mkdir("/tmp/deeper", 0755);
    if (chroot("/tmp/deeper") < 0) {
        report(-1, answer, size);
        return;
    }
    for (int i = 0; i < 64; i++)
        if (chdir("..") < 0)
            break;
    report(chroot("."), answer, size);
}

/* A bounded fork bomb: the children wait for a signal and end with their parent. */
static void fork_many(char *count, char *answer, size_t size)
{
    int wanted = atoi(count), made = 0;

    for (; made < wanted && made < MAX_FORKS; made++) {
        pid_t pid = fork();

        if (pid < 0)
            break;
        if (!pid) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;)
                pause();
        }
    }
    snprintf(answer, size, "%d", made);
}

static void hog_memory(char *mib, char *answer, size_t size)
{
    size_t room = (size_t)atoi(mib) << 20;
    char *p;

    if (room > (size_t)MAX_HOG_MIB << 20)
        room = (size_t)MAX_HOG_MIB << 20;
    p = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; p != MAP_FAILED && i < room; i += 4096)
        p[i] = 1;
    report(p == MAP_FAILED ? -1 : 0, answer, size);
}

/* Two processes use all the CPU they get. */
static void spin(char *argument, char *answer, size_t size)
{
    pid_t pid = fork();

    (void)argument;
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            ;
    }
    snprintf(answer, size, "%d", (int)pid);
    send(0, answer, strlen(answer) + 1, MSG_NOSIGNAL);
    for (;;)
        ;
}

/* Leaves an orphan that ends after its parent: PID 1 inherits a zombie. Answers with its PID. */
static void make_orphan(char *argument, char *answer, size_t size)
{
    int gate[2], result[2];
    pid_t child, orphan = 0;
    char c;

    (void)argument;
    if (pipe2(gate, O_CLOEXEC) < 0 || pipe2(result, O_CLOEXEC) < 0)
        return;
    child = fork();
    if (!child) {
        orphan = fork();
        if (orphan) {
            if (write(result[1], &orphan, sizeof orphan) < 0)
                _exit(1);
            _exit(0);
        }
        close(gate[1]);
        if (read(gate[0], &c, 1) < 0)
            _exit(1);
        _exit(0);
    }
    if (read(result[0], &orphan, sizeof orphan) < 0)
        orphan = -1;
    waitpid(child, NULL, 0);
    close(gate[1]);
    snprintf(answer, size, "%d", (int)orphan);
}

static void trap_term(char *code, char *answer, size_t size)
{
    trap_code = atoi(code);
    report(signal(SIGTERM, on_term) == SIG_ERR ? -1 : 0, answer, size);
}

static void become_exit(char *code, char *answer, size_t size)
{
    (void)answer;
    (void)size;
    exit(atoi(code));
}

static void die_by_signal(char *number, char *answer, size_t size)
{
    report(kill(getpid(), atoi(number)), answer, size);
}

static void in_address(const char *text, const char *port, struct sockaddr_in *ret)
{
    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    inet_pton(AF_INET, text, &ret->sin_addr);
}

/* "connect ADDRESS:PORT": what the server said, or the error. */
static void connect_to(char *target, char *answer, size_t size)
{
    char *colon = strchr(target, ':');
    struct timeval limit = {.tv_sec = 3};
    struct sockaddr_in address;
    ssize_t n;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (!colon)
        return;
    *colon = 0;
    in_address(target, colon + 1, &address);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    n = connect(fd, (struct sockaddr *)&address, sizeof address);
    if (!n)
        n = read(fd, answer, size - 1);
    if (n < 0)
        report(-1, answer, size);
    else
        answer[n] = 0;
    close(fd);
}

/* "serve PORT TEXT": a child answers every connection with TEXT. */
static void serve(char *argument, char *answer, size_t size)
{
    char *text = strchr(argument, ' ');
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, peer;

    if (!text)
        return;
    *text++ = 0;
    in_address("0.0.0.0", argument, &address);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 8) < 0) {
        report(-1, answer, size);
        return;
    }
    if (!fork()) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            peer = accept(fd, NULL, NULL);
            send(peer, text, strlen(text), MSG_NOSIGNAL);
            close(peer);
        }
    }
    close(fd);
    report(0, answer, size);
}

static const struct {
    const char *name;
    void (*run)(char *argument, char *answer, size_t size);
} requests[] = {
    {"hostname", get_hostname}, {"write", write_file}, {"unlink", unlink_file},
    {"device", open_device},    {"escape", escape},    {"fork", fork_many},
    {"hog", hog_memory},        {"spin", spin},        {"orphan", make_orphan},
    {"trap", trap_term},        {"exit", become_exit}, {"kill", die_by_signal},
    {"connect", connect_to},    {"serve", serve},
};

static void handle(char *request, char *answer, size_t size)
{
    char *argument = strchr(request, ' ');

    if (argument)
        *argument++ = 0;
    snprintf(answer, size, "no such request");
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        if (!strcmp(requests[i].name, request))
            requests[i].run(argument ? argument : request + strlen(request), answer, size);
}

int main(void)
{
    char request[4096], answer[4096] = "here";
    ssize_t n;

    /* The kernel adds to each packet who sent it. */
    if (send(0, answer, strlen(answer) + 1, MSG_NOSIGNAL) < 0)
        return 99;
    while ((n = recv(0, request, sizeof request - 1, 0)) > 0) {
        request[n] = 0;
        handle(request, answer, sizeof answer);
        send(0, answer, strlen(answer) + 1, MSG_NOSIGNAL);
    }
    return 0;
}
