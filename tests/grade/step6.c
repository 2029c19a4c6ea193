/* Step 6: a network of its own. The judge sits in a network namespace made for it, with a second
 * one behind it that plays the outside world: nothing of this reaches the machine's own network. */
#include "grade/grade.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "grade/network.h"

#define CHAPTER "tutorial/06-network.md: "

/* A keg whose probe answers on this port. */
static void serve(struct keg *k, const char *const options[], int port, const char *text)
{
    cleanup_free char *request = str_format("serve %d %s", port, text);
    const char *answer;

    keg_probe(k, options);
    answer = keg_ask(k, request);
    if (!answer || !str_equal(answer, "done"))
        explain("a program inside can listen on any port", CHAPTER "An empty network",
                "port %d: %s", port, answer ? answer : "it ended");
}

static void network_is_its_own(void)
{
    struct keg k;

    PROBE(&k);
    if (fact_namespace(k.inside, "net") == fact_namespace(0, "net"))
        explain("the command is in a network namespace of its own", CHAPTER "An empty network",
                "/proc/PID/ns/net is the same as the judge's");
}

static void loopback_works(void)
{
    const char *heard;
    struct keg k;

    serve(&k, NULL, 80, "hello");
    heard = keg_ask(&k, "connect 127.0.0.1:80");
    if (!heard || !str_equal(heard, "hello"))
        explain("127.0.0.1 works inside", CHAPTER "An empty network", "connecting to it: %s",
                heard ? heard : "the command ended");
}

/* The attack of the chapter: a service of the host that trusts whoever comes from 127.0.0.1. */
static void host_loopback_is_out_of_reach(void)
{
    int port = 20000 + (int)getpid() % 20000, server;
    cleanup_free char *request = str_format("connect 127.0.0.1:%d", port);
    const char *heard;
    struct keg k;

    server = network_listen("127.0.0.1", port);
    PROBE(&k);
    heard = keg_ask(&k, request);
    close(server);
    if (!heard || !str_equal(heard, strerror(ECONNREFUSED)))
        explain("what listens on the host's 127.0.0.1 cannot be reached from inside",
                CHAPTER "An empty network", "connecting to it: %s",
                heard ? heard : "the command ended");
}

static void two_kegs_talk(void)
{
    cleanup_free char *request = NULL;
    char first[INET_ADDRSTRLEN], second[INET_ADDRSTRLEN];
    const char *heard;
    struct keg k, l;

    serve(&k, NULL, 80, "hello");
    PROBE(&l);
    network_address_inside(k.inside, first);
    network_address_inside(l.inside, second);
    if (!str_starts(first, "10.99.") || str_equal(first, second))
        explain("each keg has an address of its own in 10.99.0.0/24", CHAPTER "Plugging in",
                "they have '%s' and '%s' (/proc/PID/net/fib_trie)", first, second);
    request = str_format("connect %s:80", first);
    heard = keg_ask(&l, request);
    if (!heard || !str_equal(heard, "hello"))
        explain("two kegs reach each other through the bridge", CHAPTER "Plugging in",
                "%s connecting to %s: %s", second, first, heard ? heard : "the command ended");
}

static void host_reaches_the_keg(void)
{
    char address[INET_ADDRSTRLEN];
    struct keg k;

    serve(&k, NULL, 80, "hello");
    network_address_inside(k.inside, address);
    if (!str_equal(network_hear(address, 80), "hello"))
        explain("the host reaches a keg at its address", CHAPTER "Plugging in",
                "nothing answers at '%s', port 80", address);
}

static void published_port_answers(void)
{
    struct keg k;

    serve(&k, (const char *const[]){"--publish", "8081:80", NULL}, 80, "published");
    if (!str_equal(network_hear("127.0.0.1", 8081), "published"))
        explain("with --publish 8081:80 port 8081 of the host is port 80 of the keg",
                CHAPTER "Out and in", "nothing answers at 127.0.0.1, port 8081");
    keg_end(&k);
    if (*network_hear("127.0.0.1", 8081))
        explain("when the keg ends its port closes", CHAPTER "Out and in",
                "port 8081 still answers");
}

/* --- the outside world ------------------------------------------------------------------------ */

/* Tells every client the address that it seems to come from. */
[[gnu::noreturn]] static void be_outside(int ready, int go)
{
    struct sockaddr_in peer;
    socklen_t len = sizeof peer;
    char text[INET_ADDRSTRLEN], c = 0;
    int server, client;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (unshare(CLONE_NEWNET) < 0 || write(ready, &c, 1) != 1 || read(go, &c, 1) != 1)
        _exit(1);
    IP("address", "add", "192.0.2.2/24", "dev", "outside");
    IP("link", "set", "outside", "up");
    server = network_listen("192.0.2.2", 7);
    if (write(ready, &c, 1) != 1)
        _exit(1);
    while ((client = accept(server, (struct sockaddr *)&peer, &len)) >= 0) {
        inet_ntop(AF_INET, &peer.sin_addr, text, sizeof text);
        send(client, text, strlen(text), MSG_NOSIGNAL);
        close(client);
    }
    _exit(0);
}

static void make_outside(void)
{
    cleanup_free char *pid_text = NULL;
    int ready[2], go[2];
    char c = 0;
    pid_t pid;

    if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0 || (pid = fork()) < 0)
        broken("cannot make the outside world: %m");
    if (!pid)
        be_outside(ready[1], go[0]);
    pid_text = str_format("%d", (int)pid);
    if (read(ready[0], &c, 1) != 1)
        broken("the outside world has no network namespace");
    IP("link", "add", "judge", "type", "veth", "peer", "name", "outside", "netns", pid_text);
    IP("address", "add", "192.0.2.1/24", "dev", "judge");
    IP("link", "set", "judge", "up");
    if (write(go[1], &c, 1) != 1 || read(ready[0], &c, 1) != 1)
        broken("the outside world did not come up");
}

/* Nobody out there has a way back to 10.99.0.0/24. */
static void outside_is_reached(void)
{
    const char *heard;
    struct keg k;

    make_outside();
    PROBE(&k);
    heard = keg_ask(&k, "connect 192.0.2.2:7");
    if (!heard || !str_equal(heard, "192.0.2.1"))
        explain(
            "from inside another machine is reached, and sees the host's address: default route, "
            "forwarding, masquerade",
            CHAPTER "Out and in", "connecting: %s", heard ? heard : "the command ended");
}

static int count_links(void)
{
    struct if_nameindex *list = if_nameindex();
    int count = 0;

    while (list && list[count].if_index)
        count++;
    if_freenameindex(list);
    return count;
}

/* The loopback is always there. */
static bool only_the_bridge(void *context)
{
    (void)context;
    return count_links() <= 2;
}

/* The kernel takes a namespace and its devices apart some time after the last process has left. */
static void expect_only_the_bridge(void)
{
    if (!fact_becomes(only_the_bridge, NULL))
        explain("when a keg ends or is killed its devices are gone; only the bridge may stay",
                CHAPTER "Out and in", "%d devices are left", count_links());
}

static void no_device_stays(void)
{
    struct keg k;

    for (int i = 0; i < 2; i++) {
        PROBE(&k, "--publish", "8082:80");
        keg_end(&k);
    }
    expect_only_the_bridge();
}

static void killed_keg_leaves_no_device(void)
{
    struct keg k;

    PROBE(&k);
    kill(k.pid, SIGKILL);
    expect_only_the_bridge();
}

const struct check checks_6[] = {
    {"the network is its own", network_is_its_own, false},
    {"the loopback works", loopback_works, false},
    {"the host's loopback is out of reach", host_loopback_is_out_of_reach, false},
    {"two kegs talk", two_kegs_talk, true},
    {"the host reaches a keg", host_reaches_the_keg, true},
    {"a published port answers, and closes", published_port_answers, true},
    {"the outside is reached", outside_is_reached, true},
    {"no device stays", no_device_stays, true},
    {"a killed keg leaves no device", killed_keg_leaves_no_device, true},
    {0},
};
