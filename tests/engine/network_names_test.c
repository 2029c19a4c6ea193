/* Names: /etc/hosts and resolv.conf on the default bridge, 127.0.0.11 on networks that users make,
 * and the host's own resolver (dnsmasq) behind it. */
#include "engine/lan.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define EXPECT_OK(...) EXPECT(0, NULL, "", __VA_ARGS__)

static pid_t upstream;
static char *resolv_conf;

/* Records of the resolver: one short, one too long for a datagram. */
static pid_t start_upstream(const char *log)
{
    cleanup_strv struct strv argv = {0};
    static const char *const fixed[] = {"dnsmasq",
                                        "--keep-in-foreground",
                                        "--conf-file=/dev/null",
                                        "--no-resolv",
                                        "--no-hosts",
                                        "--listen-address=" HOST,
                                        "--bind-interfaces",
                                        "--log-facility=-",
                                        "--log-queries",
                                        "--user=root",
                                        "--pid-file",
                                        "--address=/up.example/192.0.2.7",
                                        "--address=/up.example/2001:db8::7",
                                        "--address=/#/"};

    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        strv_add(&argv, fixed[i]);
    for (int i = 0; i < 60; i++)
        strv_take(
            &argv,
            str_format("--txt-record=big.example,%02d-forty-letters-of-text-each-of-them-here", i));
    return run_start(NULL, log, (const char *const *)argv.items);
}

static void write_resolv_conf(const char *text)
{
    struct err err = {0};
    int fd = open(resolv_conf, O_WRONLY | O_TRUNC | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_msg(!file_write(fd, text, strlen(text)), "%s", err.message);
    close(fd);
}

#define HOSTS_RESOLVERS "nameserver " HOST "\nsearch lan.example\noptions edns0\n"

/* /etc/resolv.conf of the host, for everything these tests start. */
static void names_make(void)
{
    cleanup_free char *log = NULL, *text = NULL;
    char *real = realpath("/etc/resolv.conf", NULL);

    lan_make();
    resolv_conf = world_path("resolv.conf");
    log = world_path("dnsmasq");
    close(open(resolv_conf, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    write_resolv_conf(HOSTS_RESOLVERS);
    ck_assert_int_eq(mount(resolv_conf, real ? real : "/etc/resolv.conf", NULL, MS_BIND, NULL), 0);
    upstream = start_upstream(log);
    text = run_wait_for_text(log, "started", 20);
    ck_assert_msg(text != NULL, "dnsmasq did not start");
    free(real);
}

static void names_remove(void)
{
    umount2("/etc/resolv.conf", MNT_DETACH);
    run_stop(upstream);
    free(resolv_conf);
    lan_remove();
}

static void names_clear(void)
{
    write_resolv_conf(HOSTS_RESOLVERS);
    lan_clear();
}

static void expect_dns(const char *container, const char *name, const char *type,
                       const char *expected)
{
    cleanup_free char *udp = lan_dns(container, name, type, false),
                      *tcp = lan_dns(container, name, type, true);

    ck_assert_msg(str_equal(udp, expected), "%s %s by UDP: '%s', expected '%s'", name, type, udp,
                  expected);
    ck_assert_msg(str_equal(tcp, expected), "%s %s by TCP: '%s', expected '%s'", name, type, tcp,
                  expected);
}

static char *answer(const char *address)
{
    return str_format("noerror %s", address);
}

/* --- names of containers --------------------------------------------------------------------- */

START_TEST(names_aliases_and_short_ids)
{
    cleanup_free char *web = NULL, *id = NULL, *right = NULL, *reverse = NULL;
    unsigned b[4];

    EXPECT_OK("network", "create", "net-one");
    SERVE("web", "tcp", "80", "--network", "net-one", "--network-alias", "www", "--network-alias",
          "Shop");
    SERVE("asker", "tcp", "80", "--network", "net-one");
    web = lan_address("web", "net-one");
    right = answer(web);
    id = world_inspect("web", "{{.Id}}");
    id[12] = 0;
    expect_dns("asker", "web", "a", right);
    expect_dns("asker", "WEB", "a", right);
    expect_dns("asker", "www", "a", right);
    expect_dns("asker", "shop", "a", right);
    expect_dns("asker", id, "a", right);
    expect_dns("asker", "web.net-one", "a", right);
    expect_dns("asker", "web", "aaaa", "noerror"); /* the name is there, such an address is not */
    ck_assert_int_eq(sscanf(web, "%u.%u.%u.%u", &b[0], &b[1], &b[2], &b[3]), 4);
    reverse = str_format("%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]);
    expect_dns("asker", reverse, "ptr", "noerror web.net-one.");
    EXPECT(0, "172.", NULL, "exec", "asker", "sh", "-c",
           "ping -c1 -w20 web | sed -n 's/^PING web (\\(172.\\).*/\\1/p' | tr -d '\\n'");
}
END_TEST

START_TEST(names_come_and_go)
{
    cleanup_free char *first = NULL, *second = NULL;

    EXPECT_OK("network", "create", "net-one");
    EXPECT_OK("network", "create", "net-two");
    SERVE("asker", "tcp", "80", "--network", "net-one");
    expect_dns("asker", "web", "a", "nxdomain");
    SERVE("web", "tcp", "80", "--network", "net-one");
    first = lan_address("web", "net-one");
    second = answer(first);
    expect_dns("asker", "web", "a", second);
    EXPECT_OK("stop", "-t", "0", "web");
    expect_dns("asker", "web", "a", "nxdomain");
    EXPECT_OK("start", "web");
    free(first);
    free(second);
    first = lan_address("web", "net-one");
    second = answer(first);
    expect_dns("asker", "web", "a", second);
    EXPECT_OK("network", "disconnect", "net-one", "web");
    expect_dns("asker", "web", "a", "nxdomain");
    EXPECT_OK("network", "connect", "--alias", "again", "net-one", "web");
    free(first);
    free(second);
    first = lan_address("web", "net-one");
    second = answer(first);
    expect_dns("asker", "again", "a", second);
    EXPECT_OK("rm", "-f", "web");
    expect_dns("asker", "again", "a", "nxdomain");
    SERVE("far", "tcp", "80", "--network", "net-two"); /* of another network */
    expect_dns("asker", "far", "a", "nxdomain");
}
END_TEST

/* Who is renamed while it runs is called so at once, and no longer as before; aliases stay. */
START_TEST(a_new_name_is_known)
{
    cleanup_free char *web = NULL, *right = NULL, *reverse = NULL;
    unsigned b[4];

    EXPECT_OK("network", "create", "net-one");
    SERVE("web", "tcp", "80", "--network", "net-one", "--network-alias", "www");
    SERVE("asker", "tcp", "80", "--network", "net-one");
    web = lan_address("web", "net-one");
    right = answer(web);
    EXPECT_OK("rename", "web", "shop");
    expect_dns("asker", "shop", "a", right);
    expect_dns("asker", "www", "a", right);
    expect_dns("asker", "web", "a", "nxdomain");
    ck_assert_int_eq(sscanf(web, "%u.%u.%u.%u", &b[0], &b[1], &b[2], &b[3]), 4);
    reverse = str_format("%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]);
    expect_dns("asker", reverse, "ptr", "noerror shop.net-one.");
    EXPECT_OK("rm", "-f", "shop");
    expect_dns("asker", "shop", "a", "nxdomain");
    expect_dns("asker", reverse, "ptr", "nxdomain");
}
END_TEST

/* A shim that is killed cannot take its names away; nobody gives them out all the same. */
START_TEST(a_dead_containers_name_is_gone)
{
    cleanup_free char *pid = NULL, *right = NULL, *web = NULL;
    cleanup_run struct run_result r = {0};

    EXPECT_OK("network", "create", "net-one");
    SERVE("asker", "tcp", "80", "--network", "net-one");
    SERVE("web", "tcp", "80", "--network", "net-one");
    web = lan_address("web", "net-one");
    right = answer(web);
    expect_dns("asker", "web", "a", right);
    pid = world_inspect("web", "{{.State.Pid}}");
    right = (free(right), str_format("kill -9 $(sed -n 's/^PPid:.//p' /proc/%s/status)", pid));
    RUN_OK(&r, NULL, "sh", "-c", right);
    for (int i = world_ticks(20); i > 0; i--) {
        cleanup_free char *now = lan_dns("asker", "web", "a", false);

        if (str_equal(now, "nxdomain"))
            break;
        world_tick();
    }
    expect_dns("asker", "web", "a", "nxdomain");
}
END_TEST

START_TEST(several_of_one_name)
{
    cleanup_free char *a = NULL, *b = NULL, *c = NULL;
    int first[3] = {0};

    EXPECT_OK("network", "create", "net-one");
    SERVE("aa", "tcp", "80", "--network", "net-one", "--network-alias", "all");
    SERVE("bb", "tcp", "80", "--network", "net-one", "--network-alias", "all");
    SERVE("cc", "tcp", "80", "--network", "net-one", "--network-alias", "all");
    a = lan_address("aa", NULL);
    b = lan_address("bb", NULL);
    c = lan_address("cc", NULL);
    for (int i = 0; i < 40; i++) {
        cleanup_free char *all = lan_dns("aa", "all", "a", false);

        ck_assert_msg(strstr(all, a) && strstr(all, b) && strstr(all, c), "%s", all);
        first[0] += str_starts(all + strlen("noerror "), a);
        first[1] += str_starts(all + strlen("noerror "), b);
        first[2] += str_starts(all + strlen("noerror "), c);
    }
    ck_assert_msg(first[0] && first[1] && first[2], "first of 40: %d %d %d", first[0], first[1],
                  first[2]);
}
END_TEST

START_TEST(names_with_ipv6)
{
    EXPECT(0, NULL, NULL, "network", "create", "--ipv6", "--subnet", "fd06::/64", "six");
    SERVE("web", "tcp", "80", "--network", "six", "--ip6", "fd06::7");
    SERVE("asker", "tcp", "80", "--network", "six");
    expect_dns("asker", "web", "aaaa", "noerror fd06::7");
    expect_dns("asker", "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.0.d.f.ip6.arpa",
               "ptr", "noerror web.six.");
}
END_TEST

/* A server of one's own on port 53 is not in the way, nor is ours. */
START_TEST(port_53_is_the_containers)
{
    cleanup_free char *web = NULL, *right = NULL;

    EXPECT_OK("network", "create", "net-one");
    SERVE("dns", "udp", "53", "--network", "net-one");
    SERVE("asker", "tcp", "53", "--network", "net-one");
    web = lan_address("dns", NULL);
    right = answer(web);
    REACH("asker", "udp", web, "53", "dns from ");
    REACH("asker", "tcp", "127.0.0.1", "53", "asker from ");
    expect_dns("dns", "dns", "a", right);
    expect_dns("asker", "dns", "a", right);
}
END_TEST

/* --- what is forwarded ----------------------------------------------------------------------- */

START_TEST(the_hosts_resolver_answers_the_rest)
{
    cleanup_free char *big = NULL, *whole = NULL;
    int records = 0;

    EXPECT_OK("network", "create", "net-one");
    SERVE("asker", "tcp", "80", "--network", "net-one");
    expect_dns("asker", "up.example", "a", "noerror 192.0.2.7");
    expect_dns("asker", "up.example", "aaaa", "noerror 2001:db8::7");
    expect_dns("asker", "gone.example", "a", "nxdomain");
    big = lan_dns("asker", "big.example", "txt", false);
    ck_assert_msg(strstr(big, "truncated"), "%s",
                  big); /* passed on as it is: the asker asks again */
    whole = lan_dns("asker", "big.example", "txt", true);
    for (const char *p = whole; (p = strstr(p, "-forty-letters")); p++)
        records++;
    ck_assert_msg(records == 60 && !strstr(whole, "truncated"), "%d: %s", records, whole);
}
END_TEST

/* Another resolv.conf on the host counts at once; one that answers nothing is given up. */
START_TEST(resolvers_change_and_fail)
{
    EXPECT_OK("network", "create", "net-one");
    SERVE("asker", "tcp", "80", "--network", "net-one");
    write_resolv_conf("nameserver 10.99.0.77\n"); /* nobody is there */
    expect_dns("asker", "up.example", "a", "servfail");
    write_resolv_conf("nameserver 10.99.0.77\nnameserver " HOST "\n");
    expect_dns("asker", "up.example", "a", "noerror 192.0.2.7"); /* the second one */
    write_resolv_conf("");
    expect_dns("asker", "up.example", "a", "servfail");
}
END_TEST

START_TEST(dns_of_the_users_choice)
{
    write_resolv_conf("nameserver 10.99.0.77\n");
    EXPECT_OK("network", "create", "net-one");
    SERVE("asker", "tcp", "80", "--network", "net-one", "--dns", HOST);
    expect_dns("asker", "up.example", "a", "noerror 192.0.2.7");
    EXPECT(0, "nameserver 127.0.0.11\noptions ndots:0\n", NULL, "exec", "asker", "cat",
           "/etc/resolv.conf");
}
END_TEST

START_TEST(an_internal_network_asks_nobody)
{
    cleanup_free char *web = NULL, *right = NULL;

    EXPECT_OK("network", "create", "--internal", "inner");
    SERVE("asker", "tcp", "80", "--network", "inner");
    SERVE("web", "tcp", "80", "--network", "inner");
    web = lan_address("web", NULL);
    right = answer(web);
    expect_dns("asker", "web", "a", right);
    expect_dns("asker", "up.example", "a", "servfail");
}
END_TEST

/* --- files ----------------------------------------------------------------------------------- */

START_TEST(files_as_docker_writes_them)
{
    cleanup_free char *hosts = NULL, *expected = NULL, *web = NULL;

    SERVE("web", "tcp", "80", "--hostname", "cask", "--domainname", "cellar.example", "--add-host",
          "db:10.1.2.3", "--add-host", "me=host-gateway", "--add-host", "six=[2001:db8::1]");
    web = lan_address("web", NULL);
    hosts = OUTPUT("exec", "web", "cat", "/etc/hosts");
    expected = str_format(
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n"
        "ff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
        "10.1.2.3\tdb\n%s\tme\n2001:db8::1\tsix\n%s\tcask.cellar.example cask",
        "GATEWAY", web);
    {
        cleanup_free char *gateway = world_inspect("web", "{{.NetworkSettings.Gateway}}");
        char *at = strstr(expected, "GATEWAY");
        cleanup_free char *whole =
            str_format("%.*s%s%s", (int)(at - expected), expected, gateway, at + strlen("GATEWAY"));

        ck_assert_str_eq(hosts, whole);
    }
    EXPECT(0, "cask\n", NULL, "exec", "web", "cat", "/etc/hostname");
    EXPECT(0, "nameserver " HOST "\nsearch lan.example\noptions edns0\n", NULL, "exec", "web",
           "cat", "/etc/resolv.conf");
    EXPECT(0, "nameserver 9.9.9.9\nsearch x.example\noptions ndots:3\n", NULL, "run", "--rm",
           "--dns", "9.9.9.9", "--dns-search", "x.example", "--dns-option", "ndots:3", BOX, "cat",
           "/etc/resolv.conf");
    write_resolv_conf("nameserver fd99::53\nnameserver fe80::1%lan\nnameserver " HOST "\n");
    EXPECT(0, "nameserver " HOST "\n", NULL, "run", "--rm", BOX, "cat", "/etc/resolv.conf");
    EXPECT(0, "nameserver fd99::53\nnameserver fe80::1%lan\nnameserver " HOST "\n", NULL, "run",
           "--rm", "--network", "host", BOX, "cat", "/etc/resolv.conf");
    EXPECT(0, "a.b.example a\n", NULL, "run", "--rm", "--hostname", "a.b.example", BOX, "sh", "-c",
           "tail -n 1 /etc/hosts | cut -f 2");
    write_resolv_conf("nameserver 127.0.0.53\n"); /* which a container cannot reach */
    EXPECT(0, "nameserver 8.8.8.8\nnameserver 8.8.4.4\n", NULL, "run", "--rm", BOX, "cat",
           "/etc/resolv.conf");
    EXPECT(0, "", NULL, "run", "--rm", "--network", "none", BOX, "sh", "-c",
           "tail -n +7 /etc/hosts; cat /etc/resolv.conf");
}
END_TEST

START_TEST(links_on_the_default_bridge)
{
    cleanup_free char *db = NULL, *line = NULL, *hosts = NULL, *id = NULL;

    SERVE("db1", "tcp", "80", NULL);
    SERVE("web", "tcp", "80", "--link", "db1:database");
    db = lan_address("db1", NULL);
    id = world_inspect("db1", "{{.Id}}");
    line = str_format("%s\tdatabase %.12s db1\n", db, id);
    hosts = OUTPUT("exec", "web", "cat", "/etc/hosts");
    ck_assert_msg(strstr(hosts, line), "%s\nexpected: %s", hosts, line);
    EXPECT(0, NULL, NULL, "exec", "web", "ping", "-c1", "-w20", "database");
    EXPECT(125, NULL, "No such container: nosuch", "run", "--rm", "--link", "nosuch", BOX, "true");
    EXPECT(0, "[\"/db1:/web/database\"]\n", "", "inspect", "-f", "{{json .HostConfig.Links}}",
           "web");
    EXPECT_OK("rename", "db1", "db2"); /* a link is to the container, not to its name */
    EXPECT(0, "[\"/db2:/web/database\"]\n", "", "inspect", "-f", "{{json .HostConfig.Links}}",
           "web");
    EXPECT_OK("stop", "-t", "0", "web");
    EXPECT_OK("start", "web");
    free(hosts);
    hosts = OUTPUT("exec", "web", "cat", "/etc/hosts");
    ck_assert_msg(strstr(hosts, " db2\n"), "%s", hosts);
    EXPECT_OK("stop", "-t", "0", "web");
    EXPECT_OK("rm", "-f", "db2");
    EXPECT(0, "web\n", "is linked to one that was removed: database", "start", "web");
}
END_TEST

/* Each start gives it another address, which who has linked to it is told. */
START_TEST(a_link_follows_its_container)
{
    cleanup_free char *before = NULL, *after = NULL, *line = NULL, *hosts = NULL, *id = NULL,
                      *marks = str_format("%s/run/network/links", world_root());
    cleanup_run struct run_result r = {0};

    SERVE("db1", "tcp", "80", NULL);
    SERVE("web", "tcp", "80", "--link", "db1:database");
    before = lan_address("db1", NULL);
    id = world_inspect("db1", "{{.Id}}");
    EXPECT_OK("stop", "-t", "0", "db1");
    EXPECT_OK("start", "db1");
    after = lan_address("db1", NULL);
    ck_assert_str_ne(before, after);
    line = str_format("%s\tdatabase %.12s db1\n", after, id);
    hosts = OUTPUT("exec", "web", "cat", "/etc/hosts");
    ck_assert_msg(strstr(hosts, line) && !strstr(hosts, before), "%s\nexpected: %s", hosts, line);
    lan_await("web", "tcp", after, "80");
    EXPECT(0, NULL, NULL, "exec", "web", "ping", "-c1", "-w20", "database");
    EXPECT_OK("network", "create", "net-one");
    EXPECT_OK("network", "connect", "net-one", "db1");
    EXPECT(1, NULL, "could not get container for nosuch", "network", "connect", "--link",
           "nosuch:x", "net-one", "web");
    EXPECT_OK("network", "connect", "--link", "db1:other", "net-one", "web");
    free(after);
    after = lan_address("db1", "net-one");
    EXPECT(0, after, NULL, "exec", "web", "sh", "-c",
           "sed -n 's/\\t.*\\bother\\b.*//p' /etc/hosts | tr -d '\\n'");
    EXPECT_OK("stop", "-t", "0", "web");
    EXPECT_OK("start", "web"); /* it is kept */
    EXPECT(0, after, NULL, "exec", "web", "sh", "-c",
           "sed -n 's/\\t.*\\bother\\b.*//p' /etc/hosts | tr -d '\\n'");
    EXPECT_OK("rm", "-f", "web");
    EXPECT_OK("stop", "-t", "0", "db1");
    EXPECT_OK("start", "db1"); /* nobody is left to be told */
    EXPECT_OK("rm", "-f", "db1");
    RUN_OK(&r, NULL, "find", marks, "-mindepth", "1");
    ck_assert_str_eq(r.out.data, "");
}
END_TEST

SUITE(network_names)
{
    TCase *t = tcase_create("names");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, names_make, names_remove);
    tcase_add_checked_fixture(t, names_clear, NULL);
    tcase_add_test(t, names_aliases_and_short_ids);
    tcase_add_test(t, names_come_and_go);
    tcase_add_test(t, a_new_name_is_known);
    tcase_add_test(t, a_dead_containers_name_is_gone);
    tcase_add_test(t, several_of_one_name);
    tcase_add_test(t, names_with_ipv6);
    tcase_add_test(t, port_53_is_the_containers);
    tcase_add_test(t, the_hosts_resolver_answers_the_rest);
    tcase_add_test(t, resolvers_change_and_fail);
    tcase_add_test(t, dns_of_the_users_choice);
    tcase_add_test(t, an_internal_network_asks_nobody);
    tcase_add_test(t, files_as_docker_writes_them);
    tcase_add_test(t, links_on_the_default_bridge);
    tcase_add_test(t, a_link_follows_its_container);
    suite_add_tcase(suite, t);
}
