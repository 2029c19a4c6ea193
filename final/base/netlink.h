/* netlink.h - requests to the kernel over a netlink socket: netlink(7), rtnetlink(7).
 *
 * A request is a header, a fixed part and attributes, some of which hold attributes again. Several
 * requests go into one batch and into the kernel by one system call, which works them off in order
 * and acknowledges each. libmnl does the same; it is here because Debian ships it as a shared
 * object only and cooper is static: loading a library costs more than all requests of a start
 * together.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct nlattr;
struct nlmsghdr;

struct nl_batch {
    struct buf bytes;
    size_t message; /* where the message under construction begins */
    size_t count;
    struct {
        const char *what; /* for the error: "make the bridge" */
        int tolerated;    /* an errno that is as good as success here, or 0 */
        uint32_t seq;
    } steps[64];
};
#define cleanup_batch __attribute__((cleanup(nl_batch_free)))
void nl_batch_free(struct nl_batch *batch);

/* Begins a message with its fixed part (zeroed and NULL-able). NLM_F_REQUEST is added, and
 * NLM_F_ACK unless `what` is NULL: such a message is not answered (the frame of an nftables batch).
 */
void nl_message(struct nl_batch *batch, uint16_t type, uint16_t flags, const void *fixed,
                size_t fixed_len, const char *what, int tolerated);
void nl_put(struct nl_batch *batch, uint16_t type, const void *data, size_t len);
void nl_put_text(struct nl_batch *batch, uint16_t type, const char *text); /* with its NUL */
void nl_put_u8(struct nl_batch *batch, uint16_t type, uint8_t value);
void nl_put_u32(struct nl_batch *batch, uint16_t type, uint32_t value);
void nl_put_be32(struct nl_batch *batch, uint16_t type, uint32_t value);
/* Attributes inside an attribute: nl_end(batch, nl_nest(...)). */
size_t nl_nest(struct nl_batch *batch, uint16_t type);
void nl_end(struct nl_batch *batch, size_t nest);
/* A zeroed fixed part inside a nest (VETH_INFO_PEER has one). */
void nl_put_raw(struct nl_batch *batch, const void *data, size_t len);

/* A socket of the network namespace the caller is in (or, with `netns` >= 0, of that one). */
int nl_open(int protocol, struct err *err);
int nl_open_in(int netns, int protocol, struct err *err);

/* Sends the batch and reads one answer a step. The first one that failed and is not tolerated is
 * the error: "cannot <what>: <strerror>". The batch is empty afterwards. `nft` batches stop at the
 * first failure. */
int nl_send(int fd, struct nl_batch *batch, struct err *err);

/* Sends a batch of one request and calls `visit` with every message of the answer (dump or not). A
 * negative result of `visit` ends it. The errno of a refused request is returned without a message.
 */
typedef int nl_visit(void *context, const struct nlmsghdr *message);
int nl_query(int fd, struct nl_batch *batch, nl_visit *visit, void *context);

/* The attributes of a message behind its fixed part, or inside a nest, by type; those above `max`
 * are passed over. */
void nl_attributes(const struct nlmsghdr *message, size_t fixed_len, const struct nlattr **ret,
                   unsigned max);
void nl_nested(const struct nlattr *nest, const struct nlattr **ret, unsigned max);
const void *nl_data(const struct nlattr *a);
size_t nl_len(const struct nlattr *a);
uint32_t nl_u32(const struct nlattr *a); /* 0 for NULL */
