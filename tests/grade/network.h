/* network.h - the network that the judge stands in, for step 6 and its exercises. */
#pragma once

#include <arpa/inet.h>
#include <sys/types.h>

/* Puts this check into a network namespace of its own, with a loopback, so that it neither finds
 * another's devices and rules nor leaves any to the machine. Every check of step 6 and later begins
 * with it. Nothing without root. */
void network_separate(void);

/* Runs ip(8); IP("link", "set", "lo", "up"). */
void network_ip(const char *const argv[]);
#define IP(...) network_ip((const char *const[]){"ip", __VA_ARGS__, NULL})

/* A server's socket. */
int network_listen(const char *address, int port);
/* What a server says (static buffer); "" when it cannot be reached in three seconds. */
const char *network_hear(const char *address, int port);

/* The IPv4 address of the process's namespace that is not a loopback's; "" if there is none. */
void network_address_inside(pid_t pid, char ret[INET_ADDRSTRLEN]);
