/* dns.h - private to network/: the parts of the DNS server. RFC 1035; RFC 6891 (EDNS). */
#pragma once

#include <sys/socket.h>

#include "network/network.h"

/* --- dns_message.c */

enum { DNS_MESSAGE_MAX = 65535, DNS_UDP_MAX = 512, DNS_HEADER = 12 };
enum { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28 };
enum { DNS_NOERROR = 0, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3 };

struct dns_question {
    char name[256]; /* lower case, no dot at the end */
    uint16_t type;
    size_t end;      /* where it ends in the message */
    bool edns;       /* the asker knows EDNS */
    size_t udp_room; /* what it takes in one datagram */
};
/* One question of class IN in a query; false for everything else. */
bool dns_read_question(const uint8_t *message, size_t len, struct dns_question *ret);
/* The address of "2.0.18.172.in-addr.arpa" or its like for IPv6; false for another name. */
bool dns_reverse_address(const char *name, struct ip *ret);

/* An answer under construction: begins as the question. */
struct dns_answer {
    struct buf bytes;
    unsigned count;
};
void dns_answer_begin(const uint8_t *query, const struct dns_question *q, int code,
                      struct dns_answer *ret);
void dns_answer_address(struct dns_answer *a, const struct ip *ip);
void dns_answer_name(struct dns_answer *a, const char *name);
/* `room` 0: any size; what does not fit is left out, and that is said (TC). */
void dns_answer_end(struct dns_answer *a, const struct dns_question *q, size_t room);

/* --- dns_redirect.c: port 53 of 127.0.0.11 in a namespace leads to the server's own ports, so that
 * a container may run a server of its own on 53 */
int dns_redirect(int netns, uint16_t udp_port, uint16_t tcp_port, struct err *err);

/* --- dns_forward.c: what is not ours is asked of others */

struct dns_forwarder;
/* Gives the answer (or, with len 0, that there is none) back to who asked: `asker` is what
 * dns_forward was given. */
typedef void dns_reply(void *context, uint64_t asker, const uint8_t *message, size_t len);
struct dns_forwarder *dns_forwarder_new(int netns, const json_t *servers, dns_reply *reply,
                                        void *context);
void dns_forwarder_free(struct dns_forwarder *f);
/* False when there is nobody to ask, or too much is asked already. */
bool dns_forward(struct dns_forwarder *f, uint64_t asker, const uint8_t *query, size_t len,
                 bool tcp);
void dns_forward_forget(struct dns_forwarder *f, uint64_t asker); /* it has gone */
size_t dns_forward_room(const struct dns_forwarder *f);
size_t dns_forward_poll(struct dns_forwarder *f, struct pollfd *p, size_t room, int *timeout_ms);
void dns_forward_serve(struct dns_forwarder *f, const struct pollfd *p, size_t count);

int64_t dns_now_ms(void);
