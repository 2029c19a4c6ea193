#include "engine/lan.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

static pid_t neighbour; /* a process that is there for its namespace */

/* One command a line, blanks between words, into a namespace ("" the host's). */
static void configure(const char *netns, const char *const *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cleanup_run struct run_result r = {0};
        cleanup_free char *line = str_format("%s %s", netns, lines[i]);

        RUN_OK(&r, NULL, "sh", "-c", line);
    }
}

static pid_t make_neighbour(void)
{
    int ready[2];
    pid_t pid;
    char byte;

    ck_assert_int_eq(pipe(ready), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "!", 1) != 1)
            _exit(1);
        close(ready[0]);
        close(ready[1]);
        for (;;)
            pause();
    }
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

void lan_make(void)
{
    static const char *const of_host[] = {
        "ip addr add 10.99.0.1/24 dev lan0",
        "ip addr add fd99::1/64 dev lan0 nodad",
        "ip link set lan0 up",
    };
    /* The neighbour knows where the containers are, as somebody on the same cable can. */
    static const char *const of_neighbour[] = {
        "ip link set lo up",
        "ip addr add 10.99.0.2/24 dev eth0",
        "ip addr add fd99::2/64 dev eth0 nodad",
        "ip link set eth0 up",
        "ip route add 172.16.0.0/12 via 10.99.0.1",
        "ip route add 10.50.0.0/16 via 10.99.0.1",
        "ip -6 route add fd00::/10 via fd99::1",
    };
    cleanup_free char *enter = NULL, *pair = NULL;
    cleanup_run struct run_result r = {0};

    /* What a test mounts is seen by what it starts, and by nobody else. */
    ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
    ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    neighbour = make_neighbour();
    enter = str_format("nsenter --net=/proc/%d/ns/net", (int)neighbour);
    pair = str_format("ip link add lan0 type veth peer name eth0 netns %d", (int)neighbour);
    RUN_OK(&r, NULL, "sh", "-c", pair);
    configure("", of_host, sizeof of_host / sizeof *of_host);
    configure(enter, of_neighbour, sizeof of_neighbour / sizeof *of_neighbour);
    world_program(NET, "net");
    world_make();
}

void lan_remove(void)
{
    cleanup_run struct run_result r = {0};

    world_remove();
    if (neighbour > 0) {
        kill(neighbour, SIGKILL);
        waitpid(neighbour, NULL, 0);
    }
    neighbour = 0;
    RUN(&r, NULL, "ip", "link", "del", "lan0");
}

void lan_clear(void)
{
    world_clear();
    EXPECT(0, NULL, NULL, "network", "prune", "-f");
}

static void on_neighbour(const char *const argv[], struct strv *ret)
{
    strv_add(ret, "nsenter");
    strv_take(ret, str_format("--net=/proc/%d/ns/net", (int)neighbour));
    for (size_t i = 0; argv[i]; i++)
        strv_add(ret, argv[i]);
}

pid_t lan_start(const char *log, const char *const argv[])
{
    cleanup_strv struct strv all = {0};

    on_neighbour(argv, &all);
    return run_start(NULL, log, (const char *const *)all.items);
}

void lan_run(struct run_result *ret, const char *const argv[])
{
    cleanup_strv struct strv all = {0};

    on_neighbour(argv, &all);
    run_argv(ret, NULL, (const char *const *)all.items);
}

static void ask(struct run_result *ret, const char *who, const char *proto, const char *address,
                const char *port, const char *patience)
{
    if (!who)
        RUN(ret, NULL, NET, "ask", proto, address, port, patience);
    else if (!strcmp(who, FROM_NEIGHBOUR))
        NEIGHBOUR_RUN(ret, NET, "ask", proto, address, port, patience);
    else
        COOPER(ret, "exec", who, "net", "ask", proto, address, port, patience);
}

void lan_expect(const char *where, const char *who, const char *proto, const char *address,
                const char *port, const char *expected)
{
    cleanup_run struct run_result r = {0};

    ask(&r, who, proto, address, port, strcmp(expected, SILENCE) ? "20000" : "1000");
    ck_assert_msg(str_starts(r.out.data, expected),
                  "%s: %s asks %s %s:%s\n  answer: '%s'%s\n  expected: '%s'", where,
                  who ? who : "the host", proto, address, port, r.out.data, r.err.data, expected);
}

bool lan_answers(const char *who, const char *proto, const char *address, const char *port)
{
    cleanup_run struct run_result r = {0};

    ask(&r, who, proto, address, port, "1000");
    return r.code == 0;
}

void lan_await(const char *who, const char *proto, const char *address, const char *port)
{
    for (int i = world_ticks(20); i > 0 && !lan_answers(who, proto, address, port); i--)
        world_tick();
}

void lan_serve(const char *name, const char *proto, const char *port, const char *const args[])
{
    cleanup_strv struct strv argv = {0};
    const char *first[] = {"run", "-d", "--name", name},
               *last[] = {BOX, "net", "serve", proto, port, name};

    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        strv_add(&argv, first[i]);
    for (size_t i = 0; args[i]; i++)
        strv_add(&argv, args[i]);
    for (size_t i = 0; i < sizeof last / sizeof *last; i++)
        strv_add(&argv, last[i]);
    free(world_output((const char *const *)argv.items));
    world_wait_log(name, "ready");
}

char *lan_address(const char *name, const char *network)
{
    cleanup_free char *format =
        network ? str_format("{{(index .NetworkSettings.Networks \"%s\").IPAddress}}", network)
                : str_copy("{{range .NetworkSettings.Networks}}{{println .IPAddress}}{{end}}");

    char *address = world_inspect(name, format);

    address[strcspn(address, "\n")] = 0;
    return address;
}

char *lan_dns(const char *container, const char *name, const char *type, bool tcp)
{
    cleanup_run struct run_result r = {0};
    size_t len;

    COOPER(&r, "exec", container, "net", "dns", "127.0.0.11", name, type, tcp ? "tcp" : NULL);
    len = r.out.len;
    if (len && r.out.data[len - 1] == '\n')
        r.out.data[len - 1] = 0;
    return str_copy(r.out.data);
}

char *lan_nft(const char *words)
{
    cleanup_run struct run_result r = {0};
    cleanup_free char *line = str_format("nft %s", words);

    RUN_OK(&r, NULL, "sh", "-c", line);
    return str_copy(r.out.data);
}
