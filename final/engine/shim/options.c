/* options.c - the order a shim gets: its arguments and the descriptor that goes with them. Its only
 * sender is the engine, so what is wrong with it is not explained. */
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/shim/shim.h"

static const struct {
    const char *name;
    enum { TEXT, NUMBER, FLAG } kind;
    size_t offset;
} table[] = {
    {"--id", TEXT, offsetof(struct shim_options, id)},
    {"--dir", TEXT, offsetof(struct shim_options, dir)},
    {"--run", TEXT, offsetof(struct shim_options, run)},
    {"--root", TEXT, offsetof(struct shim_options, root)},
    {"--runtime", TEXT, offsetof(struct shim_options, runtime)},
    {"--cooper", TEXT, offsetof(struct shim_options, cooper)},
    {"--log", TEXT, offsetof(struct shim_options, log)},
    {"--log-plan", FLAG, offsetof(struct shim_options, log_plan)},
    {"--gzip", TEXT, offsetof(struct shim_options, gzip)},
    {"--rows", NUMBER, offsetof(struct shim_options, rows)},
    {"--columns", NUMBER, offsetof(struct shim_options, columns)},
    {"--init-pid", NUMBER, offsetof(struct shim_options, init_pid)},
    {"--init-start", NUMBER, offsetof(struct shim_options, init_start)},
    {"--user", TEXT, offsetof(struct shim_options, user)},
    {"--exec-id", TEXT, offsetof(struct shim_options, exec_id)},
    {"--restarts", NUMBER, offsetof(struct shim_options, restarts)},
    {"--restart-delay", NUMBER, offsetof(struct shim_options, restart_delay)},
    {"--stdin", FLAG, offsetof(struct shim_options, open_stdin)},
    {"--stdin-once", FLAG, offsetof(struct shim_options, stdin_once)},
    {"--volumes", FLAG, offsetof(struct shim_options, volumes)},
    {"--health", FLAG, offsetof(struct shim_options, health)},
    {"--remove", FLAG, offsetof(struct shim_options, remove)},
    {"--join", TEXT, offsetof(struct shim_options, join)},
    {"--shm-size", NUMBER, offsetof(struct shim_options, shm_size)},
    {"--rules-socket", FLAG, offsetof(struct shim_options, rules_socket)},
    {"--descriptors", NUMBER, offsetof(struct shim_options, descriptors)},
    {"--leash", FLAG, offsetof(struct shim_options, leash)},
    {"--attached", FLAG, offsetof(struct shim_options, attached)},
};

/* Waits for the order; the end of the socket means that it was not needed. */
size_t shim_receive_order(char *text, size_t size, int *ret_fd)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {text, size};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *header;
    ssize_t n;

    do
        n = recvmsg(SHIM_REPORT_FD, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (!header || header->cmsg_type != SCM_RIGHTS || text[n - 1])
        _exit(0);
    memcpy(ret_fd, CMSG_DATA(header), sizeof *ret_fd);
    return (size_t)n;
}

/* The word behind `word`, or NULL at the end of the order. */
static char *next(char *word, const char *end)
{
    word += strlen(word) + 1;
    return word < end ? word : NULL;
}

/* Takes one option; returns the last word it used. */
static char *apply(struct shim_options *o, char *word, const char *end)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char *target = (char *)o + table[i].offset, *value;

        if (strcmp(table[i].name, word))
            continue;
        if (table[i].kind == FLAG) {
            *(bool *)target = true;
            return word;
        }
        value = next(word, end);
        if (!value)
            break;
        if (table[i].kind == TEXT)
            *(const char **)target = value;
        else if (str_to_u64(value, (unsigned long long *)target) < 0)
            break;
        return value;
    }
    _exit(125);
}

void shim_parse_options(char *text, size_t len, struct shim_options *ret)
{
    const char *end = text + len;

    for (char *word = next(text, end); word; word = next(word, end))
        word = apply(ret, word, end);
    if (!ret->id || !ret->dir || !ret->run || !ret->root)
        _exit(125);
}

void shim_receive_descriptors(struct shim_options *o)
{
    size_t have = 0;

    o->fds = mem_alloc((o->descriptors + 1) * sizeof *o->fds);
    while (have < o->descriptors) {
        union {
            struct cmsghdr align;
            char room[CMSG_SPACE(SHIM_FDS_A_PACKET * sizeof(int))];
        } control;
        char byte;
        struct iovec part = {&byte, 1};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof control};
        struct cmsghdr *header;
        ssize_t n;
        size_t count;

        do
            n = recvmsg(SHIM_REPORT_FD, &message, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
        count = header ? (header->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
        if (!count || have + count > o->descriptors)
            _exit(125);
        memcpy(o->fds + have, CMSG_DATA(header), count * sizeof(int));
        have += count;
    }
}
