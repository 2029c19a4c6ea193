/* Where plain HTTP is allowed, which credentials belong to whom, which CAs count. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "registry/credentials.h"
#include "registry/hosts.h"
#include "registry/tls.h"
#include "support/run.h"
#include "support/suite.h"

static char *directory;

static void make(void)
{
    directory = temp_dir();
    unsetenv("COOPER_REGISTRIES");
}

static void drop(void)
{
    temp_dir_remove(directory);
}

static char *put(const char *name, const char *text)
{
    char *path = str_format("%s/%s", directory, name);
    struct err err = {0};

    ck_assert_msg(!file_store(AT_FDCWD, path, text, strlen(text), 0600, false, &err), "%s",
                  err.message);
    return path;
}

static const struct {
    const char *host;
    bool loopback;
} hosts[] = {
    {"127.0.0.1", true},
    {"127.0.0.1:5000", true},
    {"127.255.3.4:1", true},
    {"localhost", true},
    {"LOCALHOST:5000", true},
    {"[::1]:5000", true},
    {"[::1]", true},
    {"128.0.0.1:5000", false},
    {"127.0.0.1.evil.org", false},
    {"localhost.evil.org:5000", false},
    {"[::2]:5000", false},
    {"registry-1.docker.io", false},
    {"127.1", false},
    {"", false},
};

START_TEST(loopback_is_told_by_address_not_by_prefix)
{
    ck_assert_msg(hosts_is_loopback(hosts[_i].host) == hosts[_i].loopback, "'%s'", hosts[_i].host);
}
END_TEST

START_TEST(urls_give_the_host_that_would_be_asked)
{
    static const struct {
        const char *url, *host;
        bool tls;
    } urls[] = {
        {"https://Registry.Lab:5000/v2/", "registry.lab:5000", true},
        {"http://user:p%40ss@127.0.0.1:80/x?y@z", "127.0.0.1:80", false},
        {"HTTPS://a#b@c", "a", true},
        {"https://good.org\\@evil.org/", "evil.org", true},
        {"https://[::1]:5000?x", "[::1]:5000", true},
    };
    static const char *const refused[] = {"ftp://a/", "file:///etc/passwd", "//a/b", "/v2/", ""};
    bool tls;

    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        cleanup_free char *host = hosts_of_url(urls[i].url, &tls);

        ck_assert_str_eq(host, urls[i].host);
        ck_assert_int_eq(tls, urls[i].tls);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        ck_assert_ptr_null(hosts_of_url(refused[i], &tls));
}
END_TEST

START_TEST(plain_http_only_where_the_file_says)
{
    cleanup_free char *file = put("r.json", "{\"insecure-registries\":[\"lab:5000\"]}");
    cleanup_free char *bad = put("bad.json", "{\"insecure-registries\":[");
    struct err err = {0};

    setenv("COOPER_REGISTRIES", file, 1);
    ck_assert_int_eq(hosts_allow_plain("lab:5000", &err), 1);
    ck_assert_int_eq(hosts_allow_plain("lab:5001", &err), 0);
    ck_assert_int_eq(hosts_allow_plain("lab", &err), 0);
    ck_assert_int_eq(hosts_allow_plain("127.0.0.1:5000", &err), 1);
    setenv("COOPER_REGISTRIES", "/nonexistent", 1);
    ck_assert_int_eq(hosts_allow_plain("lab:5000", &err), 0);
    setenv("COOPER_REGISTRIES", bad, 1);
    ck_assert_int_lt(hosts_allow_plain("lab:5000", &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "bad.json"));
}
END_TEST

/* ann:secret, bob:a:b:c, x (no colon) */
static const char config[] =
    "{\"auths\":{\"lab:5000\":{\"auth\":\"YW5uOnNlY3JldA==\"},"
    "\"https://old.lab/v1/\":{\"auth\":\"Ym9iOmE6Yjpj\"},"
    "\"https://index.docker.io/v1/\":{\"auth\":\"YW5uOnNlY3JldA==\",\"identitytoken\":\"idt\"},"
    "\"plain\":{\"username\":\"u\",\"password\":\"p\"},"
    "\"broken\":{\"auth\":\"!!!\"},\"nocolon\":{\"auth\":\"eA==\"},\"empty\":{}}}";

START_TEST(credentials_belong_to_exactly_one_host)
{
    static const struct {
        const char *domain, *user, *password, *token;
        int result;
    } cases[] = {
        {"lab:5000", "ann", "secret", NULL, 0},
        {"lab", NULL, NULL, NULL, 0},
        {"lab:50001", NULL, NULL, NULL, 0},
        {"old.lab", "bob", "a:b:c", NULL, 0},
        {"docker.io", "ann", "secret", "idt", 0},
        {"index.docker.io", "ann", "secret", "idt", 0},
        {"plain", "u", "p", NULL, 0},
        {"empty", NULL, NULL, NULL, 0},
        {"broken", NULL, NULL, NULL, -EINVAL},
        {"nocolon", NULL, NULL, NULL, -EINVAL},
    };
    cleanup_free char *file = put("config.json", config);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct credentials c;
        struct err err = {0};

        ck_assert_int_eq(credentials_find(file, cases[i].domain, &c, &err), cases[i].result);
        ck_assert_msg(str_equal(c.username, cases[i].user) &&
                          str_equal(c.password, cases[i].password) &&
                          str_equal(c.identity_token, cases[i].token),
                      "%s: %s", cases[i].domain, c.username);
        ck_assert(!strstr(err.message, "secret"));
        credentials_free(&c);
    }
}
END_TEST

START_TEST(no_file_means_no_credentials_and_a_broken_one_an_error)
{
    cleanup_free char *broken = put("config.json", "{\"auths\":");
    struct credentials c;
    struct err err = {0};

    ck_assert_int_eq(credentials_find("/nonexistent/config.json", "lab", &c, &err), 0);
    ck_assert_int_eq(credentials_find(NULL, "lab", &c, &err), 0);
    ck_assert_ptr_null(c.username);
    ck_assert_int_lt(credentials_find(broken, "lab", &c, &err), 0);
}
END_TEST

START_TEST(basic_is_base64_of_user_and_password)
{
    struct credentials c = {.username = str_copy("Aladdin"), .password = str_copy("open sesame")};
    cleanup_free char *header = credentials_basic(&c);

    ck_assert_str_eq(header, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="); /* RFC 7617's own example */
    credentials_free(&c);
}
END_TEST

START_TEST(authorities_come_from_the_directory_of_the_host)
{
    cleanup_free char *certs = str_format("%s/certs.d/lab:5000", directory), *one = NULL,
                      *two = NULL;
    cleanup_buf struct buf pem = {0}, other = {0};
    struct err err = {0};

    ck_assert_int_eq(file_make_dirs(AT_FDCWD, certs, 0700, &err), 0);
    one = put("certs.d/lab:5000/ca.crt", "ONE");
    two = put("certs.d/lab:5000/client.key", "TWO");
    ck_assert_int_eq(tls_trust("lab:5000", NULL, directory, &pem, &err), 0);
    ck_assert_str_eq(pem.data, "ONE\n");
    ck_assert_int_eq(tls_trust("lab:5001", one, directory, &other, &err), 0);
    ck_assert_str_eq(other.data, "ONE\n");
    ck_assert_int_lt(tls_trust("lab:5001", "/nonexistent", directory, &other, &err), 0);
}
END_TEST

SUITE(registry_hosts)
{
    TCase *t = tcase_create("hosts");

    tcase_add_checked_fixture(t, make, drop);
    tcase_add_loop_test(t, loopback_is_told_by_address_not_by_prefix, 0,
                        sizeof hosts / sizeof *hosts);
    tcase_add_test(t, urls_give_the_host_that_would_be_asked);
    tcase_add_test(t, plain_http_only_where_the_file_says);
    tcase_add_test(t, credentials_belong_to_exactly_one_host);
    tcase_add_test(t, no_file_means_no_credentials_and_a_broken_one_an_error);
    tcase_add_test(t, basic_is_base64_of_user_and_password);
    tcase_add_test(t, authorities_come_from_the_directory_of_the_host);
    suite_add_tcase(suite, t);
}
