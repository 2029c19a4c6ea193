/* Addresses, pools, DNS messages, sets and ports as text: what needs no kernel. */
#include "support/suite.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/rows.h"
#include "network/dns.h"
#include "network/network.h"
#include "network/nft.h"
#include "network/rules.h"
#include "support/run.h"

static struct ip ip_of(const char *text)
{
    struct ip ip;

    ck_assert_msg(!ip_parse(text, &ip), "%s", text);
    return ip;
}

static struct subnet subnet_at(const char *text)
{
    struct subnet s;

    ck_assert_msg(!subnet_parse(text, false, &s), "%s", text);
    return s;
}

START_TEST(addresses_are_read_and_written)
{
    static const char *const good[] = {"0.0.0.0", "172.17.0.2", "255.255.255.255",
                                       "::",      "::1",        "fd00::1:2"};
    static const char *const bad[] = {"",       "1.2.3", "1.2.3.256", "1.2.3.4 ",
                                      "::1%lo", "[::1]", "g::"};
    char text[IP_TEXT_MAX];
    struct ip ip;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ip = ip_of(good[i]);
        ck_assert_str_eq(ip_format(&ip, text), good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(ip_parse(bad[i], &ip) == -EINVAL, "%s", bad[i]);
}
END_TEST

START_TEST(addresses_are_counted)
{
    static const struct {
        const char *from, *to;
        uint64_t n;
    } cases[] = {{"10.0.0.255", "10.0.1.0", 1},
                 {"255.255.255.255", "0.0.0.0", 1},
                 {"172.16.0.0", "172.17.0.0", 65536},
                 {"fd00::ffff:ffff:ffff:ffff", "fd00:0:0:1::", 1}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ip from = ip_of(cases[i].from), sum = ip_add(&from, cases[i].n),
                  to = ip_of(cases[i].to);

        ck_assert_msg(ip_equal(&sum, &to), "%s", cases[i].from);
    }
}
END_TEST

START_TEST(subnets_overlap_or_not)
{
    static const struct {
        const char *a, *b;
        bool overlap;
    } cases[] = {{"172.17.0.0/16", "172.17.5.0/24", true},
                 {"172.17.0.0/16", "172.18.0.0/16", false},
                 {"10.0.0.0/8", "10.255.255.255/32", true},
                 {"192.168.0.0/20", "192.168.16.0/20", false},
                 {"172.20.0.0/14", "172.23.255.0/24", true},
                 {"fd00::/8", "fd12::/64", true},
                 {"0.0.0.0/0", "::/0", false}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct subnet a = subnet_at(cases[i].a), b = subnet_at(cases[i].b);

        ck_assert_msg(subnet_overlaps(&a, &b) == cases[i].overlap, "%s %s", cases[i].a, cases[i].b);
        ck_assert_msg(subnet_overlaps(&b, &a) == cases[i].overlap, "%s %s", cases[i].b, cases[i].a);
    }
}
END_TEST

START_TEST(subnets_know_their_ends)
{
    struct subnet s = subnet_at("172.20.5.6/14");
    struct ip last = subnet_last(&s), inside = ip_of("172.23.1.1"), outside = ip_of("172.24.0.0");
    char text[SUBNET_TEXT_MAX], address[IP_TEXT_MAX];

    ck_assert_str_eq(subnet_format(&s, text), "172.20.0.0/14");
    ck_assert_str_eq(ip_format(&last, address), "172.23.255.255");
    ck_assert(subnet_contains(&s, &inside));
    ck_assert(!subnet_contains(&s, &outside));
    ck_assert_int_eq(subnet_parse("10.0.0.0/33", false, &s), -EINVAL);
    ck_assert_int_eq(subnet_parse("10.0.0.0", false, &s), -EINVAL);
    ck_assert_int_eq(subnet_parse("fd00::/129", false, &s), -EINVAL);
}
END_TEST

/* Docker's order: 172.17 to 172.31, then 192.168 by twentieths. */
START_TEST(pools_are_given_out_in_order)
{
    struct net_subnets taken = {0};
    struct err err = {0};
    char text[SUBNET_TEXT_MAX];

    for (int i = 0; i < 31; i++) {
        char expected[SUBNET_TEXT_MAX];
        struct subnet s;

        ck_assert_int_eq(net_pool_choose(&taken, &s, &err), 0);
        if (i < 15)
            snprintf(expected, sizeof expected, "172.%d.0.0/16", 17 + i);
        else
            snprintf(expected, sizeof expected, "192.168.%d.0/20", (i - 15) * 16);
        ck_assert_str_eq(subnet_format(&s, text), expected);
        taken.items = mem_grow(taken.items, taken.len + 1, sizeof *taken.items);
        taken.items[taken.len++] = s;
    }
    ck_assert_int_eq(net_pool_choose(&taken, &taken.items[0], &err), -ENOSPC);
    ck_assert(strstr(err.message, "fully subnetted"));
    free(taken.items);
}
END_TEST

START_TEST(a_hosts_route_takes_a_pool)
{
    struct subnet route = subnet_at("172.16.0.0/12"), s;
    struct net_subnets taken = {&route, 1};
    struct err err = {0};
    char text[SUBNET_TEXT_MAX];

    ck_assert_int_eq(net_pool_choose(&taken, &s, &err), 0);
    ck_assert_str_eq(subnet_format(&s, text), "192.168.0.0/20");
}
END_TEST

START_TEST(hardware_addresses)
{
    struct ip ip = ip_of("172.17.0.2");
    uint8_t mac[6];
    char text[18];

    net_mac_from(&ip, mac);
    net_mac_format(mac, text);
    ck_assert_str_eq(text, "02:42:ac:11:00:02");
    ck_assert_int_eq(net_mac_parse("92:d0:c6:0a:29:33", mac), 0);
    net_mac_format(mac, text);
    ck_assert_str_eq(text, "92:d0:c6:0a:29:33");
    ck_assert_int_eq(net_mac_parse("92:d0:c6:0a:29", mac), -EINVAL);
    ck_assert_int_eq(net_mac_parse("92:d0:c6:0a:29:3", mac), -EINVAL);
    ck_assert_int_eq(net_mac_parse("92:d0:c6:0a:29:33:1", mac), -EINVAL);
    ck_assert_int_eq(net_mac_parse("zz:d0:c6:0a:29:33", mac), -EINVAL);
}
END_TEST

/* --- DNS ------------------------------------------------------------------------------------- */

/* A query for one name, as every resolver sends it. */
static size_t query(const char *name, uint16_t type, bool edns, uint8_t *ret)
{
    static const uint8_t header[12] = {0x12, 0x34, 1, 0, 0, 1}, opt[11] = {0, 0, 41, 0x10, 0};
    size_t len = sizeof header;

    memcpy(ret, header, sizeof header);
    ret[11] = edns;
    while (*name) {
        size_t n = strcspn(name, ".");

        ret[len++] = (uint8_t)n;
        memcpy(ret + len, name, n);
        len += n;
        name += n + (name[n] == '.');
    }
    ret[len++] = 0;
    ret[len++] = 0;
    ret[len++] = (uint8_t)type;
    ret[len++] = 0;
    ret[len++] = 1;
    if (edns)
        memcpy(ret + len, opt, sizeof opt);
    return len + (edns ? sizeof opt : 0);
}

START_TEST(questions_are_read)
{
    uint8_t message[512];
    struct dns_question q;
    size_t len = query("WeB.Net1", DNS_A, true, message);

    ck_assert(dns_read_question(message, len, &q));
    ck_assert_str_eq(q.name, "web.net1");
    ck_assert_int_eq(q.type, DNS_A);
    ck_assert(q.edns);
    ck_assert_uint_eq(q.udp_room, 4096);
    len = query("web", DNS_AAAA, false, message);
    ck_assert(dns_read_question(message, len, &q));
    ck_assert_uint_eq(q.udp_room, 512);
    for (size_t cut = 0; cut < len; cut++) /* half of a question is none */
        ck_assert_msg(!dns_read_question(message, cut, &q), "%zu", cut);
    message[2] |= 0x80; /* an answer */
    ck_assert(!dns_read_question(message, len, &q));
}
END_TEST

/* Names that point at themselves or outside: read(2)'s data are whoever's. */
START_TEST(hostile_questions_are_refused)
{
    uint8_t message[64] = {0, 0, 1, 0, 0, 1};
    struct dns_question q;

    message[12] = 0xc0; /* a pointer to itself */
    message[13] = 12;
    ck_assert(!dns_read_question(message, sizeof message, &q));
    message[12] = 63; /* a label longer than the rest */
    ck_assert(!dns_read_question(message, 40, &q));
    for (unsigned seed = 0; seed < 20000; seed++) {
        uint8_t random[80];

        srand(seed);
        for (size_t i = 0; i < sizeof random; i++)
            random[i] = (uint8_t)rand();
        memcpy(random + 2, "\x01\x00\x00\x01", 4);
        dns_read_question(random, (size_t)rand() % sizeof random, &q); /* ASan looks on */
    }
}
END_TEST

START_TEST(answers_fit_or_say_so)
{
    uint8_t message[512];
    struct dns_question q;
    struct dns_answer a;
    struct ip ip = ip_of("172.18.0.2");
    size_t len = query("web", DNS_A, false, message);

    ck_assert(dns_read_question(message, len, &q));
    dns_answer_begin(message, &q, DNS_NOERROR, &a);
    dns_answer_address(&a, &ip);
    dns_answer_end(&a, &q, q.udp_room);
    ck_assert_uint_eq(a.bytes.len, len + 16);
    ck_assert_int_eq((uint8_t)a.bytes.data[2] & 0x82, 0x80); /* an answer, whole */
    ck_assert_int_eq(a.bytes.data[7], 1);
    ck_assert(!memcmp(a.bytes.data + len + 12, ip.bytes, 4));
    buf_free(&a.bytes);
    dns_answer_begin(message, &q, DNS_NOERROR, &a);
    for (int i = 0; i < 40; i++)
        dns_answer_address(&a, &ip);
    dns_answer_end(&a, &q, q.udp_room);
    ck_assert_int_eq((uint8_t)a.bytes.data[2] & 2, 2); /* cut short: ask by TCP */
    ck_assert_uint_le(a.bytes.len, 512);
    buf_free(&a.bytes);
}
END_TEST

START_TEST(reverse_names)
{
    static const char six[] =
        "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa";
    struct ip ip, expected = ip_of("172.18.0.2");

    ck_assert(dns_reverse_address("2.0.18.172.in-addr.arpa", &ip));
    ck_assert(ip_equal(&ip, &expected));
    ck_assert(dns_reverse_address(six, &ip));
    expected = ip_of("fd00::2");
    ck_assert(ip_equal(&ip, &expected));
    ck_assert(!dns_reverse_address("0.18.172.in-addr.arpa", &ip));
    ck_assert(!dns_reverse_address("256.0.18.172.in-addr.arpa", &ip));
    ck_assert(!dns_reverse_address("2.0.18.172.in-addr.arpa.net1", &ip));
}
END_TEST

START_TEST(resolv_conf_is_read)
{
    static const char text[] =
        "# comment\nnameserver 10.0.0.1 # a\n nameserver\tfd00::53%eth0\nnameserver nonsense\n"
        "search a.example b.example\ndomain last.example\noptions ndots:2 edns0\n";
    cleanup_resolv struct net_resolv r = {0};
    char *dir = temp_dir();
    cleanup_free char *path = str_format("%s/resolv.conf", dir), *servers = NULL, *search = NULL,
                      *options = NULL;
    struct err err = {0};

    ck_assert_int_eq(file_create(AT_FDCWD, path, text, strlen(text), 0644, &err), 0);
    net_resolv_read(path, &r);
    servers = strv_join(&r.servers, " ");
    search = strv_join(&r.search, " ");
    options = strv_join(&r.options, " ");
    ck_assert_str_eq(servers, "10.0.0.1 fd00::53%eth0");
    ck_assert_str_eq(search, "last.example");
    ck_assert_str_eq(options, "ndots:2 edns0");
    temp_dir_remove(dir);
}
END_TEST

/* --- sets, ports ----------------------------------------------------------------------------- */

START_TEST(elements_as_text)
{
    struct net_element e[] = {
        {.set = SET_SOURCES4, .link = "cv0", .mac = {2, 0x42, 0xac, 17, 0, 2}},
        {.set = SET_PUBLISHED4_ANY, .proto = IPPROTO_UDP, .port = 53, .to_port = 5353},
    };
    cleanup_buf struct buf text = {0};

    e[0].ip = e[1].to = ip_of("172.17.0.2");
    nft_element_text(&e[0], &text);
    ck_assert_str_eq(text.data, "\"cv0\" . 02:42:ac:11:00:02 . 172.17.0.2");
    text.len = 0;
    nft_element_text(&e[1], &text);
    ck_assert_str_eq(text.data, "udp . 53 : 172.17.0.2 . 5353");
}
END_TEST

static void check_cell(const char *json, const char *expected)
{
    struct err err = {0};
    cleanup_json json_t *ports = json_parse(json, strlen(json), "ports", &err);
    cleanup_free char *cell = rows_ports(ports);

    ck_assert_str_eq(cell, expected);
}

START_TEST(the_ports_cell)
{
    check_cell("{}", "");
    check_cell("{\"80/"
               "tcp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"8080\"},{\"HostIp\":\"::\","
               "\"HostPort\":\"8080\"}]}",
               "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp");
    check_cell("{\"9000/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"9000\"}],"
               "\"9001/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"9001\"}]}",
               "127.0.0.1:9000-9001->9000-9001/tcp");
    check_cell("{\"80/tcp\":null,\"443/tcp\":null,\"81/tcp\":null,\"82/tcp\":null,\"53/udp\":null}",
               "53/udp, 80-82/tcp, 443/tcp");
}
END_TEST

SUITE(network)
{
    TCase *t = tcase_create("addresses");

    tcase_add_test(t, addresses_are_read_and_written);
    tcase_add_test(t, addresses_are_counted);
    tcase_add_test(t, subnets_overlap_or_not);
    tcase_add_test(t, subnets_know_their_ends);
    tcase_add_test(t, pools_are_given_out_in_order);
    tcase_add_test(t, a_hosts_route_takes_a_pool);
    tcase_add_test(t, hardware_addresses);
    suite_add_tcase(suite, t);
    t = tcase_create("names");
    tcase_add_test(t, questions_are_read);
    tcase_add_test(t, hostile_questions_are_refused);
    tcase_add_test(t, answers_fit_or_say_so);
    tcase_add_test(t, reverse_names);
    tcase_add_test(t, resolv_conf_is_read);
    suite_add_tcase(suite, t);
    t = tcase_create("sets");
    tcase_add_test(t, elements_as_text);
    tcase_add_test(t, the_ports_cell);
    suite_add_tcase(suite, t);
}
