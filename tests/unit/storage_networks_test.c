/* Networks in the database: names, and addresses that nobody gets twice. */
#include "support/suite.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/ip.h"
#include "base/json.h"
#include "storage/storage.h"

static char root[4096], image[DIGEST_LEN + 1], network[65];
static struct store *store;
static struct err err;

#define DONE(call) ck_assert_msg((call) >= 0, "%s", err.message)

static void add_network(const char *id_digit, const char *name)
{
    struct network n = {.name = str_copy(name), .config = json_object(), .created_ns = 5};

    for (int i = 0; i < 64; i++)
        n.id[i] = *id_digit;
    strcpy(network, n.id);
    DONE(store_network_add(store, &n, &err));
    network_free(&n);
}

static void setup(void)
{
    struct image_record record = {.id = image, .manifest = "", .created_ns = 5};
    static const char config[] = "{}";

    snprintf(root, sizeof root, "%s/networks-XXXXXX", getenv("TMPDIR"));
    ck_assert_ptr_nonnull(mkdtemp(root));
    DONE(store_open(root, &store, &err));
    digest_of(config, 2, image);
    DONE(store_blob_put(store, image, config, 2, &err));
    strv_add(&record.blobs, image);
    DONE(store_image_add(store, &record, &err));
    strv_free(&record.blobs);
    add_network("a", "one");
}

static void teardown(void)
{
    store_close(store);
    file_remove_tree(AT_FDCWD, root, &err);
}

static void container_id(int n, char ret[65])
{
    snprintf(ret, 65, "%064d", n);
}

static void add_container(int n)
{
    struct container c = {.image_id = str_copy(image),
                          .image_name = str_copy("x"),
                          .name = str_format("c%d", n),
                          .config = json_object()};

    container_id(n, c.id);
    DONE(store_container_add(store, &c, &err));
    container_free(&c);
}

/* Takes an address for container n on the network and records it; what came, or the error. */
static int take(int n, const char *first, const char *last, const char *wanted,
                char ret[IP_TEXT_MAX])
{
    cleanup_json json_t *config = json_object();
    struct ip from, to, want = {0}, got = {0};
    char id[65];
    int r;

    ck_assert(!ip_parse(first, &from) && !ip_parse(last, &to));
    if (wanted)
        ck_assert(!ip_parse(wanted, &want));
    container_id(n, id);
    DONE(store_begin(store, &err));
    r = store_address_take(store, network, &from, &to, &want, &got, &err);
    json_put_str(config, got.len == 16 ? "GlobalIPv6Address" : "IPAddress", ip_format(&got, ret));
    if (!r)
        r = store_endpoint_put(store, id, network, 0, config, &err);
    return store_end(store, r, &err);
}

static void expect_take(int n, const char *expected)
{
    char text[IP_TEXT_MAX];

    ck_assert_int_ge(take(n, "10.0.0.2", "10.0.0.5", NULL, text), 0);
    ck_assert_str_eq(text, expected);
}

static void release(int n)
{
    char id[65];

    container_id(n, id);
    DONE(store_endpoints_release(store, id, NULL, &err));
}

START_TEST(addresses_go_round)
{
    char text[IP_TEXT_MAX];
    struct ip gateway;

    for (int i = 1; i <= 6; i++)
        add_container(i);
    ip_parse("10.0.0.3", &gateway);
    ck_assert_int_ge(store_address_reserve(store, network, &gateway, &err), 0);
    ck_assert_int_eq(store_address_reserve(store, network, &gateway, &err), -EADDRINUSE);
    expect_take(1, "10.0.0.2");
    release(1);
    expect_take(1, "10.0.0.4"); /* .3 is reserved, .2 was just given back */
    expect_take(2, "10.0.0.5");
    expect_take(3, "10.0.0.2");
    ck_assert_int_eq(take(4, "10.0.0.2", "10.0.0.5", NULL, text), -ENOSPC);
    release(2);
    expect_take(4, "10.0.0.5");
}
END_TEST

START_TEST(a_wanted_address_is_that_one_or_none)
{
    char text[IP_TEXT_MAX];

    add_container(1);
    add_container(2);
    ck_assert_int_ge(take(1, "10.0.0.2", "10.0.0.5", "10.0.0.77", text), 0);
    ck_assert_str_eq(text, "10.0.0.77");
    ck_assert_int_eq(take(2, "10.0.0.2", "10.0.0.5", "10.0.0.77", text), -EADDRINUSE);
    release(1);
    ck_assert_int_ge(take(2, "10.0.0.2", "10.0.0.5", "10.0.0.77", text), 0);
}
END_TEST

START_TEST(ipv6_is_counted_alike)
{
    char text[IP_TEXT_MAX];

    for (int i = 1; i <= 2; i++)
        add_container(i);
    ck_assert_int_ge(take(1, "fd00::ff", "fd00::1:ffff", NULL, text), 0);
    ck_assert_str_eq(text, "fd00::ff");
    ck_assert_int_ge(take(2, "fd00::ff", "fd00::1:ffff", NULL, text), 0);
    ck_assert_str_eq(text, "fd00::100");
}
END_TEST

/* What a container has goes with its record; a network that is used does not go. */
START_TEST(endpoints_go_with_their_container)
{
    struct endpoint_list list;
    char text[IP_TEXT_MAX], id[65];

    add_container(1);
    container_id(1, id);
    ck_assert_int_ge(take(1, "10.0.0.2", "10.0.0.5", NULL, text), 0);
    ck_assert_int_eq(store_network_remove(store, network, &err), -EBUSY);
    DONE(store_endpoints(store, NULL, network, &list, &err));
    ck_assert_uint_eq(list.len, 1);
    ck_assert_str_eq(list.items[0].container, id);
    endpoint_list_free(&list);
    DONE(store_container_remove(store, id, &err));
    DONE(store_endpoints(store, NULL, NULL, &list, &err));
    ck_assert_uint_eq(list.len, 0);
    endpoint_list_free(&list);
    ck_assert_int_ge(store_network_remove(store, network, &err), 0);
}
END_TEST

START_TEST(networks_are_found)
{
    struct network n;

    add_network("b", "two");
    ck_assert_int_eq(store_network_find(store, "one", &n, &err), 0);
    ck_assert_str_eq(n.name, "one");
    network_free(&n);
    ck_assert_int_eq(store_network_find(store, "bbb", &n, &err), 0);
    ck_assert_str_eq(n.name, "two");
    network_free(&n);
    ck_assert_int_eq(store_network_find(store, "three", &n, &err), -ENOENT);
    ck_assert_int_eq(store_network_find(store, "", &n, &err), -ENOENT);
    n = (struct network){.name = "one", .id = "c", .config = json_object()};
    ck_assert_int_eq(store_network_add(store, &n, &err), -EEXIST);
    ck_assert_str_eq(err.message, "network with name one already exists");
    json_decref(n.config);
}
END_TEST

SUITE(storage_networks)
{
    TCase *t = tcase_create("networks");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, addresses_go_round);
    tcase_add_test(t, a_wanted_address_is_that_one_or_none);
    tcase_add_test(t, ipv6_is_counted_alike);
    tcase_add_test(t, endpoints_go_with_their_container);
    tcase_add_test(t, networks_are_found);
    suite_add_tcase(suite, t);
}
