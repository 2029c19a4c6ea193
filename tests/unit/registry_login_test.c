/* Credentials kept and forgotten: in docker's file and with its helpers; what the administrator's
 * list of registries says; our own certificate. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "registry/credentials.h"
#include "registry/hosts.h"
#include "registry/registries.h"
#include "registry/registry.h"
#include "registry/tls.h"
#include "support/fake_registry.h"
#include "support/run.h"
#include "support/suite.h"

static char *directory;
static struct err err;

static void make(void)
{
    directory = temp_dir();
    setenv("DOCKER_CONFIG", directory, 1);
    unsetenv("COOPER_REGISTRIES");
    err_clear(&err);
}

static void drop(void)
{
    temp_dir_remove(directory);
}

static char *put(const char *name, const char *text, mode_t mode)
{
    char *path = str_format("%s/%s", directory, name);

    ck_assert_msg(!file_store(AT_FDCWD, path, text, strlen(text), mode, false, &err), "%s",
                  err.message);
    return path;
}

static char *content(const char *name)
{
    struct buf text = {0};
    cleanup_free char *path = str_format("%s/%s", directory, name);

    ck_assert_msg(!file_load(AT_FDCWD, path, 100000, &text, &err), "%s", err.message);
    return buf_steal(&text);
}

/* --- the file --------------------------------------------------------------------------------- */

START_TEST(what_is_kept_is_found_and_the_rest_stays)
{
    cleanup_free char *file = put("config.json",
                                  "{\"auths\":{\"other\":{\"auth\":\"eDp5\"}},\"psFormat\":\"x\","
                                  "\"HttpHeaders\":{\"a\":\"b\"}}",
                                  0644),
                      *plain = NULL, *text = NULL;
    cleanup_json json_t *json = NULL;
    struct credentials c;
    struct stat st;
    bool found;

    ck_assert_int_eq(registry_remember("lab:5000", "ann", "se:cret", NULL, &plain, &err), 0);
    ck_assert_str_eq(plain, file);
    ck_assert_int_eq(stat(file, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(credentials_find(file, "lab:5000", &c, &err), 0);
    ck_assert_str_eq(c.username, "ann");
    ck_assert_str_eq(c.password, "se:cret");
    credentials_free(&c);
    text = content("config.json");
    json = json_parse(text, strlen(text), "config", &err);
    ck_assert_str_eq(json_str(json, "psFormat", ""), "x");
    ck_assert_str_eq(json_str(json, "HttpHeaders.a", ""), "b");
    ck_assert_str_eq(json_str(json, "auths.other.auth", ""), "eDp5");

    ck_assert_int_eq(registry_forget("lab:5000", &found, &err), 0);
    ck_assert(found);
    ck_assert_int_eq(credentials_find(file, "lab:5000", &c, &err), 0);
    ck_assert_ptr_null(c.username);
    ck_assert_int_eq(credentials_find(file, "other", &c, &err), 0);
    ck_assert_str_eq(c.username, "x");
    credentials_free(&c);
    ck_assert_int_eq(registry_forget("lab:5000", &found, &err), 0);
    ck_assert(!found);
}
END_TEST

/* A token is kept instead of the password, and Docker Hub has a name of its own. */
/* docker takes a file with nothing in it for one that is not there. */
START_TEST(an_empty_file_is_none)
{
    cleanup_free char *file = put("config.json", "", 0644), *plain = NULL;
    struct credentials c;

    ck_assert_int_eq(credentials_find(file, "lab:5000", &c, &err), 0);
    ck_assert_ptr_null(c.username);
    ck_assert_int_eq(registry_remember("lab:5000", "ann", "secret", NULL, &plain, &err), 0);
    ck_assert_int_eq(credentials_find(file, "lab:5000", &c, &err), 0);
    ck_assert_str_eq(c.username, "ann");
    credentials_free(&c);
}
END_TEST

START_TEST(a_token_takes_the_passwords_place)
{
    cleanup_free char *plain = NULL, *text = NULL, *file = NULL;
    struct credentials c;

    ck_assert_int_eq(registry_remember("docker.io", "ann", "secret", "tok", &plain, &err), 0);
    text = content("config.json");
    ck_assert_ptr_nonnull(strstr(text, "\"https://index.docker.io/v1/\""));
    ck_assert_ptr_null(strstr(text, "YW5uOnNlY3JldA==")); /* ann:secret */
    file = str_format("%s/config.json", directory);
    ck_assert_int_eq(credentials_find(file, "docker.io", &c, &err), 0);
    ck_assert_str_eq(c.identity_token, "tok");
    credentials_free(&c);
}
END_TEST

/* --- helpers ---------------------------------------------------------------------------------- */

/* A helper that keeps one document in the file `kept`. */
static void install_helper(void)
{
    cleanup_free char *script = str_format(
        "#!/bin/sh\ncd %s\ncase $1 in\nstore) cat >kept ;;\n"
        "get) read server; test -f kept && grep -q \"\\\"$server\\\"\" kept && cat kept ||\n"
        "  { echo 'credentials not found in native keychain'; exit 1; } ;;\n"
        "erase) read server; rm -f kept ;;\nesac\n",
        directory);
    cleanup_free char *path = str_format("%s:%s", directory, getenv("PATH"));

    free(put("docker-credential-test", script, 0755));
    setenv("PATH", path, 1);
}

START_TEST(a_helper_keeps_what_the_file_does_not)
{
    cleanup_free char *file = put("config.json", "{\"credsStore\":\"test\"}", 0600), *plain = NULL;
    cleanup_free char *text = NULL, *kept = NULL;
    struct credentials c;
    bool found;

    install_helper();
    ck_assert_msg(!registry_remember("lab:5000", "ann", "secret", NULL, &plain, &err), "%s",
                  err.message);
    ck_assert_ptr_null(plain);
    text = content("config.json");
    ck_assert_ptr_null(strstr(text, "auth\""));
    kept = content("kept");
    ck_assert_str_eq(kept,
                     "{\"ServerURL\":\"lab:5000\",\"Username\":\"ann\",\"Secret\":\"secret\"}");
    ck_assert_int_eq(credentials_find(file, "lab:5000", &c, &err), 0);
    ck_assert_str_eq(c.password, "secret");
    credentials_free(&c);
    ck_assert_int_eq(credentials_find(file, "other:5000", &c, &err), 0);
    ck_assert_ptr_null(c.username);
    ck_assert_int_eq(registry_forget("lab:5000", &found, &err), 0);
    ck_assert_int_eq(credentials_find(file, "lab:5000", &c, &err), 0);
    ck_assert_ptr_null(c.username);
}
END_TEST

START_TEST(a_helper_for_one_registry_is_for_that_one)
{
    cleanup_free char *file =
        put("config.json",
            "{\"credHelpers\":{\"lab:5000\":\"test\"},\"auths\":{\"other\":{\"auth\":\"eDp5\"}}}",
            0600);
    struct credentials c;

    install_helper();
    free(put("kept", "{\"ServerURL\":\"lab:5000\",\"Username\":\"<token>\",\"Secret\":\"idt\"}",
             0600));
    ck_assert_int_eq(credentials_find(file, "lab:5000", &c, &err), 0);
    ck_assert_str_eq(c.identity_token, "idt");
    credentials_free(&c);
    ck_assert_int_eq(credentials_find(file, "other", &c, &err), 0);
    ck_assert_str_eq(c.username, "x");
    credentials_free(&c);
}
END_TEST

static const struct {
    const char *config, *message;
} bad_helpers[] = {
    {"{\"credsStore\":\"nosuch\"}", "'docker-credential-nosuch': executable file not found"},
    {"{\"credsStore\":\"../x\"}", "'../x' is no name of a credential helper"},
    {"{\"credsStore\":\"fails\"}", "'fails' cannot get credentials: it is locked"},
    {"{\"credsStore\":\"babbles\"}", "the credential helper's answer is not valid JSON"},
};

START_TEST(helpers_that_fail_are_told)
{
    cleanup_free char *file = put("config.json", bad_helpers[_i].config, 0600);
    struct credentials c;

    install_helper();
    free(put("docker-credential-fails", "#!/bin/sh\necho it is locked\nexit 1\n", 0755));
    free(put("docker-credential-babbles", "#!/bin/sh\necho hello\n", 0755));
    ck_assert_int_lt(credentials_find(file, "lab", &c, &err), 0);
    ck_assert_msg(strstr(err.message, bad_helpers[_i].message) != NULL, "'%s' lacks '%s'",
                  err.message, bad_helpers[_i].message);
}
END_TEST

/* --- login ------------------------------------------------------------------------------------ */

static struct fake_registry *fake;

static int log_in(const char *user, const char *password, char **ret_token)
{
    return registry_login(fake_address(fake), user, password, &(struct registry_options){0},
                          ret_token, &err);
}

START_TEST(a_registry_is_asked_whether_the_password_is_right)
{
    char *token = NULL;

    fake = fake_start();
    fake_serve(fake, "/v2/", "application/json", "{}", 2);
    fake_require(fake, "Basic YW5uOnNlY3JldA==", "Basic realm=\"x\"");
    ck_assert_msg(!log_in("ann", "secret", &token), "%s", err.message);
    ck_assert_ptr_null(token);
    ck_assert_int_eq(log_in("ann", "wrong", &token), -EPERM);
    ck_assert_ptr_nonnull(strstr(err.message, "/v2/ failed with status: 401 Unauthorized"));
    ck_assert(!strstr(err.message, "wrong"));
    fake_stop(fake);
}
END_TEST

START_TEST(a_token_service_may_give_a_token_to_keep)
{
    cleanup_free char *token = NULL, *challenge = NULL;

    fake = fake_start();
    challenge = str_format("Bearer realm=\"http://%s/token\",service=\"lab\"", fake_address(fake));
    fake_serve(fake, "/v2/", "application/json", "{}", 2);
    fake_serve(fake, "/token", "application/json",
               "{\"token\":\"t1\",\"refresh_token\":\"keep-me\"}", 40);
    fake_require(fake, "Bearer t1", challenge);
    ck_assert_msg(!log_in("ann", "secret", &token), "%s", err.message);
    ck_assert_str_eq(token, "keep-me");
    ck_assert_uint_eq(fake_count(fake, "offline_token=true&client_id=cooper"), 1);
    ck_assert_uint_eq(fake_count(fake, "Authorization: Basic YW5uOnNlY3JldA=="), 1);
    fake_stop(fake);
}
END_TEST

START_TEST(servers_are_known_by_their_domain)
{
    static const char *const cases[][2] = {
        {"https://lab:5000/v2/", "lab:5000"},
        {"lab:5000", "lab:5000"},
        {"http://lab", "lab"},
        {"https://index.docker.io/v1/", "docker.io"},
        {"registry-1.docker.io", "docker.io"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_free char *domain = registry_domain(cases[i][0]);

        ck_assert_str_eq(domain, cases[i][1]);
    }
}
END_TEST

/* --- the administrator's list ----------------------------------------------------------------- */

START_TEST(networks_are_listed_by_address)
{
    static const struct {
        const char *host;
        int insecure;
    } cases[] = {
        {"10.1.2.3:5000", 1},  {"10.1.2.3", 1},       {"11.1.2.3", 0},    {"192.168.3.129", 1},
        {"192.168.3.127", 0},  {"[fd00::1]:5000", 1}, {"[fe00::1]", 0},   {"ten.lab", 0},
        {"named.lab:5000", 1}, {"named.lab", 0},      {"10.evil.org", 0},
    };
    cleanup_free char *file = put("r.json",
                                  "{\"insecure-registries\":[\"10.0.0.0/8\",\"192.168.3.128/25\","
                                  "\"fd00::/8\",\"named.lab:5000\",\"bad/net\",\"1.2.3.4/99\"]}",
                                  0600);

    setenv("COOPER_REGISTRIES", file, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(registries_insecure(cases[i].host, &err) == cases[i].insecure, "%s",
                      cases[i].host);
}
END_TEST

START_TEST(mirrors_are_docker_hubs)
{
    cleanup_free char *file = put("r.json", "{\"registry-mirrors\":[\"https://m.lab\"]}", 0600);
    cleanup_free char *bad = put("b.json", "{\"registry-mirrors\":[\"m.lab\"]}", 0600);
    cleanup_strv struct strv mirrors = {0}, none = {0};

    setenv("COOPER_REGISTRIES", file, 1);
    ck_assert_int_eq(registry_mirrors_of("docker.io", &mirrors, &err), 0);
    ck_assert_uint_eq(mirrors.len, 1);
    ck_assert_int_eq(registry_mirrors_of("lab:5000", &none, &err), 0);
    ck_assert_uint_eq(none.len, 0);
    setenv("COOPER_REGISTRIES", bad, 1);
    ck_assert_int_eq(registry_mirrors_of("docker.io", &none, &err), -EINVAL);
}
END_TEST

/* --- our own certificate ---------------------------------------------------------------------- */

START_TEST(a_certificate_goes_with_its_key)
{
    cleanup_free char *certs = str_format("%s/certs.d/lab:5000", directory);
    cleanup_buf struct buf certificate = {0}, key = {0};

    ck_assert_int_eq(file_make_dirs(AT_FDCWD, certs, 0700, &err), 0);
    ck_assert_int_eq(tls_client("lab:5000", directory, &certificate, &key, &err), 0);
    ck_assert_uint_eq(certificate.len, 0);
    free(put("certs.d/lab:5000/me.cert", "CERT", 0600));
    ck_assert_int_eq(tls_client("lab:5000", directory, &certificate, &key, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.message, "missing key me.key for client certificate me.cert"));
    free(put("certs.d/lab:5000/me.key", "KEY", 0600));
    buf_free(&certificate);
    ck_assert_int_eq(tls_client("lab:5000", directory, &certificate, &key, &err), 0);
    ck_assert_str_eq(certificate.data, "CERT\n");
    ck_assert_str_eq(key.data, "KEY\n");
    ck_assert_int_eq(tls_client("lab:5001", directory, &certificate, &key, &err), 0);
}
END_TEST

SUITE(registry_login)
{
    const TTest *const tests[] = {
        what_is_kept_is_found_and_the_rest_stays,
        an_empty_file_is_none,
        a_token_takes_the_passwords_place,
        a_helper_keeps_what_the_file_does_not,
        a_helper_for_one_registry_is_for_that_one,
        a_registry_is_asked_whether_the_password_is_right,
        a_token_service_may_give_a_token_to_keep,
        servers_are_known_by_their_domain,
        networks_are_listed_by_address,
        mirrors_are_docker_hubs,
        a_certificate_goes_with_its_key,
    };
    TCase *t = tcase_create("login");

    tcase_add_checked_fixture(t, make, drop);
    tcase_set_timeout(t, 30);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(t, tests[i]);
    tcase_add_loop_test(t, helpers_that_fail_are_told, 0, sizeof bad_helpers / sizeof *bad_helpers);
    suite_add_tcase(suite, t);
}
