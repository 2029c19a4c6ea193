/* Registries behind a proxy that the environment names. The proxy is a few threads of the test's:
 * it leads everybody to one registry, whatever host they ask for, so nobody's names are needed. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "engine/world.h"
#include "support/registry_server.h"

#define FAR "registry.far.invalid:5000" /* no DNS has it */

static struct registry_server server;
static int listener = -1;
static char *address; /* of the proxy, for the environment */
static unsigned tunnels, requests;

/* --- the proxy ------------------------------------------------------------------------------- */

static struct sockaddr_in loopback(unsigned port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static bool pass_on(int from, int to)
{
    char piece[16384];
    ssize_t n = read(from, piece, sizeof piece);

    return n > 0 && file_write(to, piece, (size_t)n) == 0;
}

static void pass_both_ways(int a, int b)
{
    struct pollfd p[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};

    while (poll(p, 2, -1) > 0)
        if ((p[0].revents && !pass_on(a, b)) || (p[1].revents && !pass_on(b, a)))
            return;
}

/* Up to the empty line; what is behind it nobody has sent yet. */
static bool read_head(int fd, char head[8192])
{
    for (size_t n = 0; n < 8191 && read(fd, head + n, 1) == 1;) {
        head[++n] = 0;
        if (strstr(head, "\r\n\r\n"))
            return true;
    }
    return false;
}

/* CONNECT asks for a tunnel, for TLS; everything else goes on as it is: registries understand
 * requests for whole URLs. */
static void *serve(void *fd_value)
{
    static const char opened[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    const struct sockaddr_in there = loopback(server.port);
    cleanup_close int fd = (int)(intptr_t)fd_value,
                      to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char head[8192] = "";
    bool tunnel;

    if (!read_head(fd, head) || connect(to, (const struct sockaddr *)&there, sizeof there) < 0)
        return NULL;
    tunnel = str_starts(head, "CONNECT ");
    __atomic_add_fetch(tunnel ? &tunnels : &requests, 1, __ATOMIC_RELAXED);
    if ((tunnel ? file_write(fd, opened, sizeof opened - 1) : file_write(to, head, strlen(head))) ==
        0)
        pass_both_ways(fd, to);
    return NULL;
}

static void *accept_all(void *unused)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        pthread_t thread;

        if (fd < 0)
            return unused;
        ck_assert_int_eq(pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd), 0);
        pthread_detach(thread);
    }
}

static void start_proxy(void)
{
    struct sockaddr_in here = loopback(0);
    socklen_t len = sizeof here;
    pthread_t thread;

    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&here, sizeof here), 0);
    ck_assert_int_eq(listen(listener, 64), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&here, &len), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, accept_all, NULL), 0);
    pthread_detach(thread);
    address = str_format("http://127.0.0.1:%u", ntohs(here.sin_port));
}

/* --- the tests ------------------------------------------------------------------------------- */

static char *config, *file;

static void start(void)
{
    static const char insecure[] = "{\"insecure-registries\":[\"" FAR "\"]}";
    struct err err = {0};

    config = world_path("docker");
    file = world_path("registries.json");
    setenv("DOCKER_CONFIG", config, 1);
    setenv("COOPER_REGISTRIES", file, 1);
    ck_assert_int_eq(file_store(AT_FDCWD, file, insecure, strlen(insecure), 0600, false, &err), 0);
    start_proxy();
}

static void stop(void)
{
    shutdown(listener, SHUT_RDWR);
    close_fd(&listener);
    registry_server_stop(&server);
    unlink(file);
    free(config);
    free(file);
    free(address);
}

static void push_and_pull(void)
{
    EXPECT(0, "", "", "tag", BOX, FAR "/me/app:v1");
    EXPECT(0, NULL, "", "push", FAR "/me/app:v1");
    EXPECT(0, NULL, "", "rmi", FAR "/me/app:v1");
    EXPECT(0, NULL, "", "pull", FAR "/me/app:v1");
    EXPECT(0, NULL, "", "rmi", FAR "/me/app:v1");
}

START_TEST(plain_registries_are_reached_through_it)
{
    registry_server_start(&server, NULL);
    EXPECT(1, "", "no such host", "pull", FAR "/me/app:v1");
    setenv("HTTP_PROXY", address, 1);
    setenv("HTTPS_PROXY", address, 1);
    push_and_pull();
    ck_assert_uint_gt(requests, 0);
}
END_TEST

START_TEST(tls_goes_through_a_tunnel)
{
    registry_server_start(&server, &(struct registry_server_options){.tls = true});
    setenv("HTTPS_PROXY", address, 1);
    push_and_pull();
    ck_assert_uint_gt(tunnels, 0);
    ck_assert_uint_eq(requests, 0);
}
END_TEST

/* NO_PROXY, and the machine itself. */
START_TEST(some_are_asked_directly)
{
    cleanup_free char *near = NULL;

    registry_server_start(&server, NULL);
    setenv("HTTP_PROXY", address, 1);
    setenv("HTTPS_PROXY", address, 1);
    setenv("NO_PROXY", "other.invalid,.far.invalid", 1);
    EXPECT(1, "", "no such host", "pull", FAR "/me/app:v1");
    near = str_format("%s/me/app:v1", server.address);
    EXPECT(0, "", "", "tag", BOX, near);
    EXPECT(0, NULL, "", "push", near);
    ck_assert_uint_eq(tunnels + requests, 0);
}
END_TEST

START_TEST(one_that_is_down_is_told)
{
    setenv("HTTPS_PROXY", "http://127.0.0.1:1", 1);
    EXPECT(1, "", "127.0.0.1", "pull", "docker.io/library/busybox:1");
    setenv("HTTPS_PROXY", "http://proxy.far.invalid:3128", 1);
    EXPECT(1, "", "lookup of the proxy: no such host", "pull", "docker.io/library/busybox:1");
}
END_TEST

SUITE(proxy)
{
    TCase *t = tcase_create("proxy");

    tcase_set_tags(t, "needs-root needs-registry");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, start, stop);
    tcase_add_test(t, plain_registries_are_reached_through_it);
    tcase_add_test(t, tls_goes_through_a_tunnel);
    tcase_add_test(t, some_are_asked_directly);
    tcase_add_test(t, one_that_is_down_is_told);
    suite_add_tcase(suite, t);
}
