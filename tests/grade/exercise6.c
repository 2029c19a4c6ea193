/* What the exercises of chapter 6 ask for. The network namespace of each check is the keg's host.
 */
#include "grade/grade.h"

#include <errno.h>
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

#define HINTS "tutorial/answers/06-network/hints.md"

/* --- the host --------------------------------------------------------------------------------- */

/* A child answers everybody who comes to the port. */
static void serve_here(int port, const char *text)
{
    int server = network_listen("0.0.0.0", port), client;

    if (!fork()) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while ((client = accept(server, NULL, NULL)) >= 0) {
            send(client, text, strlen(text), MSG_NOSIGNAL);
            close(client);
        }
        _exit(0);
    }
    close(server);
}

static void serve_inside(struct keg *k, int port, const char *text)
{
    cleanup_free char *request = str_format("serve %d %s", port, text);
    const char *answer = keg_ask(k, request);

    if (!answer || !str_equal(answer, "done"))
        explain("a program inside can listen on any port", HINTS, "port %d: %s", port,
                answer ? answer : "it ended");
}

static bool hears_inside(struct keg *k, const char *address, int port, const char *text)
{
    cleanup_free char *request = str_format("connect %s:%d", address, port);
    const char *heard = keg_ask(k, request);

    return heard && str_equal(heard, text);
}

/* --- 1: nobody -------------------------------------------------------------------------------- */

static void none_has_no_cable(void)
{
    cleanup_free char *path = NULL, *devices = NULL;
    char address[INET_ADDRSTRLEN];
    struct keg k;

    PROBE(&k, "--network", "none");
    if (fact_namespace(k.inside, "net") == fact_namespace(0, "net"))
        explain("a network namespace of its own", HINTS, "the command is in the host's");
    path = str_format("/proc/%d/net/dev", (int)k.inside);
    devices = fact_file(path);
    network_address_inside(k.inside, address);
    if (strstr(devices, "eth0:") || *address)
        explain("no device but lo, no address but 127.0.0.1", HINTS, "%s",
                strstr(devices, "eth0:") ? "there is an eth0" : "there is another address");
    keg_end(&k);
}

static void none_has_a_loopback(void)
{
    struct keg k;

    PROBE(&k, "--network", "none");
    serve_inside(&k, 80, "hello");
    if (!hears_inside(&k, "127.0.0.1", 80, "hello"))
        explain("lo is switched on", HINTS, "nothing can be reached at 127.0.0.1");
    keg_end(&k);
}

static void none_leaves_the_host_alone(void)
{
    struct keg k;

    PROBE(&k, "--network", "none");
    if (if_nametoindex("keg0"))
        explain("without a cable no bridge is needed", HINTS, "the host has a device keg0");
    keg_end(&k);
}

static void an_unknown_network_is_refused(void)
{
    static const char *const options[] = {"--network", "nowhere", NULL};
    static const char *const command[] = {"/bin/probe", NULL};
    struct keg k;
    int code;

    keg_run(&k, options, grade.root, command);
    code = keg_end(&k);
    if (code != 125)
        explain("a network that does not exist ends keg with 125", HINTS, "it ended with %d", code);
}

/* --- 2: two doors ----------------------------------------------------------------------------- */

static void both_ports_lead_inside(void)
{
    static const struct {
        int host, inside;
        const char *text;
    } doors[] = {{8081, 80, "first"}, {8082, 443, "second"}};
    struct keg k;

    PROBE(&k, "--publish", "8081:80,8082:443");
    for (int i = 0; i < 2; i++)
        serve_inside(&k, doors[i].inside, doors[i].text);
    for (int i = 0; i < 2; i++)
        if (!str_equal(network_hear("127.0.0.1", doors[i].host), doors[i].text))
            explain("each port of the host leads to its port of the keg", HINTS,
                    "127.0.0.1:%d does not lead to port %d", doors[i].host, doors[i].inside);
    keg_end(&k);
}

static void a_taken_port_ends_keg(void)
{
    static const char *const options[] = {"--publish", "8081:80,8082:443", NULL};
    static const char *const command[] = {"/bin/probe", NULL};
    struct keg k;
    int code;

    serve_here(8082, "of the host");
    keg_run(&k, options, grade.root, command);
    code = keg_end(&k);
    if (code != 125)
        explain("when one of the ports is taken keg ends with 125", HINTS, "it ended with %d",
                code);
    if (!str_equal(network_hear("127.0.0.1", 8082), "of the host"))
        explain("who had the port keeps it", HINTS, "it does not answer any more");
}

/* --- 3: only the door ------------------------------------------------------------------------- */

/* A machine on the other side of the host that knows the way to the kegs. It takes orders,
 * "ADDRESS:PORT", and tells what it heard there. */
static int neighbour = -1;

[[gnu::noreturn]] static void be_a_neighbour(int orders)
{
    char order[64], *colon;
    const char *heard;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (unshare(CLONE_NEWNET) < 0 || send(orders, "here", 5, 0) < 0 ||
        recv(orders, order, sizeof order, 0) < 1)
        _exit(1);
    IP("address", "add", "192.0.2.2/24", "dev", "wire");
    IP("link", "set", "wire", "up");
    IP("route", "add", "10.99.0.0/24", "via", "192.0.2.1");
    serve_here(7, "outside");
    do {
        colon = strchr(order, ':');
        if (colon)
            *colon = 0;
        heard = colon ? network_hear(order, atoi(colon + 1)) : "ready";
        send(orders, heard, strlen(heard) + 1, MSG_NOSIGNAL);
    } while (recv(orders, order, sizeof order, 0) > 0);
    _exit(0);
}

static const char *ask_neighbour(const char *order)
{
    static char answer[256];
    ssize_t n;

    send(neighbour, order, strlen(order) + 1, MSG_NOSIGNAL);
    n = recv(neighbour, answer, sizeof answer - 1, 0);
    answer[n > 0 ? n : 0] = 0;
    return answer;
}

static void make_neighbour(void)
{
    cleanup_free char *pid_text = NULL;
    int pair[2];
    char c[8];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 || (pid = fork()) < 0)
        broken("cannot make a neighbour: %m");
    if (!pid)
        be_a_neighbour(pair[1]);
    close(pair[1]);
    neighbour = pair[0];
    pid_text = str_format("%d", (int)pid);
    if (recv(neighbour, c, sizeof c, 0) < 1)
        broken("the neighbour has no network namespace");
    IP("link", "add", "judge", "type", "veth", "peer", "name", "wire", "netns", pid_text);
    IP("address", "add", "192.0.2.1/24", "dev", "judge");
    IP("link", "set", "judge", "up");
    if (!str_equal(ask_neighbour("come up"), "ready"))
        broken("the neighbour did not come up");
}

static void a_neighbour_finds_only_the_door(void)
{
    struct keg k;

    make_neighbour();
    PROBE(&k, "--address", "10.99.0.31", "--publish", "8081:80");
    serve_inside(&k, 80, "published");
    serve_inside(&k, 81, "private");
    if (!str_equal(ask_neighbour("192.0.2.1:8081"), "published"))
        explain("another machine reaches the published port", HINTS,
                "nothing answers at the host's address, port 8081");
    if (*ask_neighbour("10.99.0.31:81"))
        explain("what is not published cannot be reached from another machine", HINTS,
                "a machine with a route to 10.99.0.0/24 was answered by 10.99.0.31:81");
    keg_end(&k);
}

static void all_else_goes_on_working(void)
{
    struct keg k, l;

    make_neighbour();
    PROBE(&k, "--address", "10.99.0.31");
    PROBE(&l, "--address", "10.99.0.32");
    serve_inside(&k, 81, "hello");
    if (!hears_inside(&l, "10.99.0.31", 81, "hello"))
        explain("kegs go on reaching each other", HINTS, "10.99.0.31:81 does not answer a keg");
    if (!str_equal(network_hear("10.99.0.31", 81), "hello"))
        explain("the host goes on reaching its kegs", HINTS, "10.99.0.31:81 does not answer it");
    if (!hears_inside(&k, "192.0.2.2", 7, "outside"))
        explain("the way out stays open, and answers come back", HINTS,
                "192.0.2.2:7 cannot be reached from inside");
    keg_end(&k);
    keg_end(&l);
}

/* --- 4: a pod --------------------------------------------------------------------------------- */

static void two_share_one_network(void)
{
    cleanup_free char *pid = NULL;
    struct keg k, l;

    PROBE(&k);
    serve_inside(&k, 80, "hello");
    pid = str_format("%d", (int)k.inside);
    PROBE(&l, "--join", pid);
    if (fact_namespace(l.inside, "net") != fact_namespace(k.inside, "net"))
        explain("--join PID: the network namespace is that process's", HINTS,
                "/proc/PID/ns/net of the two is not the same");
    if (fact_namespace(l.inside, "pid") == fact_namespace(k.inside, "pid") ||
        fact_namespace(l.inside, "mnt") == fact_namespace(k.inside, "mnt"))
        explain("nothing else is shared", HINTS, "/proc/PID/ns/pid or mnt is the same");
    if (!hears_inside(&l, "127.0.0.1", 80, "hello"))
        explain("each finds the other at 127.0.0.1", HINTS, "nothing answers there");
    keg_end(&k);
    keg_end(&l);
}

static void no_process_no_network(void)
{
    static const char *const bad[] = {"", "x", "0", "-1", "99999999"};
    static const char *const command[] = {"/bin/probe", NULL};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *options[] = {"--join", bad[i], NULL};
        struct keg k;
        int code;

        keg_run(&k, options, grade.root, command);
        code = keg_end(&k);
        if (code != 125)
            explain("--join with what is no process ends keg with 125", HINTS,
                    "--join '%s' ended with %d", bad[i], code);
    }
}

/* --- 5: strangers ----------------------------------------------------------------------------- */

static void isolated_kegs_do_not_talk(void)
{
    struct keg k, l;

    PROBE(&k, "--address", "10.99.0.31", "--isolate", "yes");
    PROBE(&l, "--address", "10.99.0.32", "--isolate", "yes");
    serve_inside(&k, 80, "hello");
    if (hears_inside(&l, "10.99.0.31", 80, "hello"))
        explain("two kegs with --isolate yes do not reach each other", HINTS,
                "10.99.0.32 was answered by 10.99.0.31:80");
    keg_end(&k);
    keg_end(&l);
}

static void isolated_kegs_reach_the_host(void)
{
    struct keg k;

    serve_here(7, "host");
    PROBE(&k, "--address", "10.99.0.31", "--isolate", "yes");
    serve_inside(&k, 80, "hello");
    if (!hears_inside(&k, "10.99.0.1", 7, "host"))
        explain("an isolated keg reaches the host", HINTS, "10.99.0.1 does not answer it");
    if (!str_equal(network_hear("10.99.0.31", 80), "hello"))
        explain("the host reaches an isolated keg", HINTS, "10.99.0.31:80 does not answer");
    keg_end(&k);
}

static void others_go_on_talking(void)
{
    struct keg k, l;

    PROBE(&k, "--address", "10.99.0.31", "--isolate", "no");
    PROBE(&l, "--address", "10.99.0.32");
    serve_inside(&k, 80, "hello");
    if (!hears_inside(&l, "10.99.0.31", 80, "hello"))
        explain("kegs that are not isolated reach each other", HINTS,
                "10.99.0.31:80 does not answer 10.99.0.32");
    keg_end(&k);
    keg_end(&l);
}

const struct exercise exercises_6[] = {
    {1, {"--network none has no cable", none_has_no_cable, true}},
    {1, {"--network none has a loopback", none_has_a_loopback, true}},
    {1, {"--network none changes nothing on the host", none_leaves_the_host_alone, true}},
    {1, {"an unknown network gives 125", an_unknown_network_is_refused, true}},
    {2, {"two published ports answer", both_ports_lead_inside, true}},
    {2, {"a taken port gives 125", a_taken_port_ends_keg, true}},
    {3, {"a neighbour finds only the published port", a_neighbour_finds_only_the_door, true}},
    {3, {"kegs, host and outside go on working", all_else_goes_on_working, true}},
    {4, {"--join shares the network and nothing else", two_share_one_network, true}},
    {4, {"--join with no process gives 125", no_process_no_network, true}},
    {5, {"isolated kegs do not talk", isolated_kegs_do_not_talk, true}},
    {5, {"isolated kegs reach the host", isolated_kegs_reach_the_host, true}},
    {5, {"others go on talking", others_go_on_talking, true}},
    {0, {0}},
};
