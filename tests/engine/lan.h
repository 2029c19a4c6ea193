/* lan.h - a network around the tests: a cable from the "host" (the namespace the tests and their
 * Cooper are in) to another machine, the "neighbour", which knows the way to the containers'
 * addresses and tries what it should not.
 *
 *     host       10.99.0.1  fd99::1      |  cable  |      neighbour  10.99.0.2  fd99::2
 *
 * And the other end of conversations: tests/system/payload/net.c, in the image as /bin/net. */
#pragma once

#include "engine/world.h"

#define HOST       "10.99.0.1"
#define HOST6      "fd99::1"
#define NEIGHBOUR  "10.99.0.2"
#define NEIGHBOUR6 "fd99::2"

/* Unchecked fixtures: the world, with the cable. */
void lan_make(void);
void lan_remove(void);
/* A checked fixture's setup: no containers, no networks of the test before. */
void lan_clear(void);

/* The program of both sides. */
#define NET BUILD_DIR "/tests/payload/net"

/* Starts a command on the neighbour (run_stop), its output into `log`. */
pid_t lan_start(const char *log, const char *const argv[]);
/* Runs a command on the neighbour. */
void lan_run(struct run_result *ret, const char *const argv[]);
#define NEIGHBOUR_RUN(ret, ...) lan_run(ret, (const char *const[]){__VA_ARGS__, NULL})

/* Where a question comes from. */
#define FROM_HOST      NULL
#define FROM_NEIGHBOUR "-neighbour"
/* Asks a server and compares the answer's beginning: "web from 10.", "refused", "timeout", ... The
 * third is waited for a second only, everything else for as long as it takes. `who`: one of the two
 * above, or a container. */
void lan_expect(const char *where, const char *who, const char *proto, const char *address,
                const char *port, const char *expected);
#define REACH(who, proto, address, port, expected)                                                 \
    lan_expect(__FILE__ ":" WORLD_STR(__LINE__), who, proto, address, port, expected)
/* Whether it answers now. */
bool lan_answers(const char *who, const char *proto, const char *address, const char *port);
/* Until it does: after a `start`, whose log tells of the first run too. At most 20 s. */
void lan_await(const char *who, const char *proto, const char *address, const char *port);
/* Neither refused nor answered: nothing comes back. */
#define SILENCE "timeout"

/* Starts a container with a server on a port, and waits until it answers; further arguments are
 * run's. */
void lan_serve(const char *name, const char *proto, const char *port, const char *const args[]);
#define SERVE(name, proto, port, ...)                                                              \
    lan_serve(name, proto, port, (const char *const[]){__VA_ARGS__, NULL})
/* Address of a container on a network (NULL: its first); caller frees. */
char *lan_address(const char *name, const char *network);
/* What `nft WORDS` prints; caller frees. */
char *lan_nft(const char *words);
/* "NAME TYPE" asked at 127.0.0.11 in a container, as `net dns` prints it; caller frees. */
char *lan_dns(const char *container, const char *name, const char *type, bool tcp);
