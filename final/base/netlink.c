#include "base/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/netns.h"

enum { ANSWER_MAX = 32768 };

void nl_batch_free(struct nl_batch *batch)
{
    buf_free(&batch->bytes);
    batch->count = 0;
}

static const char padding[NLMSG_ALIGNTO];

static void append(struct nl_batch *batch, const void *data, size_t len)
{
    if (data)
        buf_add(&batch->bytes, data, len);
    else
        for (size_t i = 0; i < len; i++)
            buf_add_char(&batch->bytes, 0);
    buf_add(&batch->bytes, padding, NLMSG_ALIGN(len) - len);
}

/* The message's length grows with each part. Behind the helper that moves the buffer, always looked
 * up anew. */
static void grow_message(struct nl_batch *batch)
{
    struct nlmsghdr *header = (struct nlmsghdr *)(batch->bytes.data + batch->message);

    header->nlmsg_len = (uint32_t)(batch->bytes.len - batch->message);
}

void nl_message(struct nl_batch *batch, uint16_t type, uint16_t flags, const void *fixed,
                size_t fixed_len, const char *what, int tolerated)
{
    static uint32_t last_seq;
    struct nlmsghdr header = {.nlmsg_type = type,
                              .nlmsg_flags =
                                  (uint16_t)(NLM_F_REQUEST | (what ? NLM_F_ACK : 0) | flags),
                              .nlmsg_seq = ++last_seq};

    batch->message = batch->bytes.len;
    append(batch, &header, sizeof header);
    append(batch, fixed, fixed_len);
    grow_message(batch);
    if (!what)
        return;
    batch->steps[batch->count].what = what;
    batch->steps[batch->count].tolerated = tolerated;
    batch->steps[batch->count].seq = header.nlmsg_seq;
    if (batch->count < sizeof batch->steps / sizeof *batch->steps - 1)
        batch->count++;
}

void nl_put_raw(struct nl_batch *batch, const void *data, size_t len)
{
    append(batch, data, len);
    grow_message(batch);
}

void nl_put(struct nl_batch *batch, uint16_t type, const void *data, size_t len)
{
    struct nlattr header = {.nla_type = type, .nla_len = (uint16_t)(sizeof header + len)};

    buf_add(&batch->bytes, &header, sizeof header);
    nl_put_raw(batch, data, len);
}

void nl_put_text(struct nl_batch *batch, uint16_t type, const char *text)
{
    nl_put(batch, type, text, strlen(text) + 1);
}

void nl_put_u8(struct nl_batch *batch, uint16_t type, uint8_t value)
{
    nl_put(batch, type, &value, sizeof value);
}

void nl_put_u32(struct nl_batch *batch, uint16_t type, uint32_t value)
{
    nl_put(batch, type, &value, sizeof value);
}

void nl_put_be32(struct nl_batch *batch, uint16_t type, uint32_t value)
{
    nl_put_u32(batch, type, htonl(value));
}

size_t nl_nest(struct nl_batch *batch, uint16_t type)
{
    size_t at = batch->bytes.len;

    nl_put(batch, type | NLA_F_NESTED, NULL, 0);
    return at;
}

void nl_end(struct nl_batch *batch, size_t nest)
{
    ((struct nlattr *)(batch->bytes.data + nest))->nla_len = (uint16_t)(batch->bytes.len - nest);
}

/* --- talking --------------------------------------------------------------------------------- */

int nl_open(int protocol, struct err *err)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), one = 1;

    if (fd < 0)
        return err_errno(err, "cannot make a netlink socket");
    /* The kernel's own words about what it did not like; an answer need not repeat the question. */
    setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof one);
    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
    return fd;
}

int nl_open_in(int netns, int protocol, struct err *err)
{
    cleanup_close int own = -1;
    int fd, r;

    if (netns < 0)
        return nl_open(protocol, err);
    r = netns_enter(netns, &own, err);
    if (r < 0)
        return r;
    fd = nl_open(protocol, err);
    r = netns_leave(own, err);
    if (r < 0 && fd >= 0)
        close(fd);
    return r < 0 ? r : fd;
}

/* The kernel's explanation at the end of an error message, or NULL. */
static const char *explanation(const struct nlmsghdr *message)
{
    const struct nlmsgerr *answer = NLMSG_DATA(message);
    const struct nlattr *found[NLMSGERR_ATTR_MSG + 1] = {NULL};
    size_t skip = sizeof *answer;

    if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
        return NULL;
    if (!(message->nlmsg_flags & NLM_F_CAPPED))
        skip += answer->msg.nlmsg_len - NLMSG_HDRLEN;
    nl_attributes(message, skip, found, NLMSGERR_ATTR_MSG);
    return found[NLMSGERR_ATTR_MSG] ? nl_data(found[NLMSGERR_ATTR_MSG]) : NULL;
}

/* Notes one answer. The number of steps it settles: 0 or 1. */
static size_t take_answer(const struct nl_batch *batch, const struct nlmsghdr *message,
                          struct err *err)
{
    const struct nlmsgerr *answer = NLMSG_DATA(message);
    const char *why;

    if (message->nlmsg_type != NLMSG_ERROR)
        return 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->steps[i].seq != message->nlmsg_seq)
            continue;
        if (!answer->error || answer->error == -batch->steps[i].tolerated || err->code)
            return 1;
        why = explanation(message);
        err_set(err, -answer->error, "cannot %s: %s%s%s", batch->steps[i].what,
                strerror(-answer->error), why ? ": " : "", why ? why : "");
        return 1;
    }
    /* It belongs to the frame around the steps: nothing of them was done. */
    if (answer->error && !err->code)
        err_set(err, -answer->error, "the kernel refused a batch of changes: %s",
                strerror(-answer->error));
    return answer->error ? batch->count : 0;
}

static int receive(int fd, char *answer, size_t size, ssize_t *ret)
{
    do
        *ret = recv(fd, answer, size, 0);
    while (*ret < 0 && errno == EINTR);
    return *ret < 0 ? -errno : 0;
}

static int send_all(int fd, const struct nl_batch *batch)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t n;

    do
        n = sendto(fd, batch->bytes.data, batch->bytes.len, 0, (struct sockaddr *)&kernel,
                   sizeof kernel);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

int nl_send(int fd, struct nl_batch *batch, struct err *err)
{
    char answer[ANSWER_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
    size_t settled = 0;
    ssize_t len = 0;
    int r = send_all(fd, batch);

    err_clear(err);
    while (!r && settled < batch->count) {
        r = receive(fd, answer, sizeof answer, &len);
        for (struct nlmsghdr *m = (struct nlmsghdr *)answer; !r && NLMSG_OK(m, len);
             m = NLMSG_NEXT(m, len))
            settled += take_answer(batch, m, err);
    }
    if (r < 0 && !err->code)
        err_set(err, -r, "cannot talk to the kernel about the network: %s", strerror(-r));
    batch->bytes.len = batch->count = 0;
    return -err->code;
}

int nl_query(int fd, struct nl_batch *batch, nl_visit *visit, void *context)
{
    char answer[ANSWER_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
    uint32_t seq = ((struct nlmsghdr *)(batch->bytes.data + batch->message))->nlmsg_seq;
    int r = send_all(fd, batch);

    batch->bytes.len = batch->count = 0;
    while (!r) {
        ssize_t len;

        r = receive(fd, answer, sizeof answer, &len);
        for (struct nlmsghdr *m = (struct nlmsghdr *)answer; !r && NLMSG_OK(m, len);
             m = NLMSG_NEXT(m, len)) {
            if (m->nlmsg_seq != seq)
                continue;
            if (m->nlmsg_type == NLMSG_DONE)
                return 0;
            if (m->nlmsg_type == NLMSG_ERROR)
                return ((struct nlmsgerr *)NLMSG_DATA(m))->error;
            r = visit(context, m);
            if (r >= 0 && !(m->nlmsg_flags & NLM_F_MULTI))
                return r;
        }
    }
    return r;
}

/* --- reading --------------------------------------------------------------------------------- */

static void index_attributes(const struct nlattr *a, size_t left, const struct nlattr **ret,
                             unsigned max)
{
    while (left >= sizeof *a && a->nla_len >= sizeof *a && a->nla_len <= left) {
        unsigned type = a->nla_type & NLA_TYPE_MASK;
        size_t step = NLA_ALIGN(a->nla_len);

        if (type <= max)
            ret[type] = a;
        if (step >= left)
            return;
        left -= step;
        a = (const struct nlattr *)((const char *)a + step);
    }
}

void nl_attributes(const struct nlmsghdr *message, size_t fixed_len, const struct nlattr **ret,
                   unsigned max)
{
    const char *body = NLMSG_DATA(message);
    size_t len = message->nlmsg_len - NLMSG_HDRLEN, skip = NLMSG_ALIGN(fixed_len);

    memset(ret, 0, (max + 1) * sizeof *ret);
    if (len > skip)
        index_attributes((const struct nlattr *)(body + skip), len - skip, ret, max);
}

void nl_nested(const struct nlattr *nest, const struct nlattr **ret, unsigned max)
{
    memset(ret, 0, (max + 1) * sizeof *ret);
    if (nest)
        index_attributes(nl_data(nest), nl_len(nest), ret, max);
}

const void *nl_data(const struct nlattr *a)
{
    return (const char *)a + NLA_HDRLEN;
}

size_t nl_len(const struct nlattr *a)
{
    return a->nla_len - NLA_HDRLEN;
}

uint32_t nl_u32(const struct nlattr *a)
{
    uint32_t value = 0;

    if (a && nl_len(a) >= sizeof value)
        memcpy(&value, nl_data(a), sizeof value);
    return value;
}
