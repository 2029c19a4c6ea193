/* Chapter 6's attacks: an open network, and packets that pretend to come from the host itself. Each
 * test has a network namespace of its own, which plays the host. */
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "steps/steps.h"
#include "support/run.h"
#include "support/suite.h"

#define ROOTFS BUILD_DIR "/rootfs"
enum { PRIVATE_PORT = 9099, OPEN_PORT = 8000 };

/* A service that listens on 127.0.0.1 only and answers everybody. */
static void serve_privately(void)
{
    static const char answer[] = "for this machine only\n";
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(PRIVATE_PORT),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), client;

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(fd, 8), 0);
    if (fork())
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while ((client = accept(fd, NULL, NULL)) >= 0) {
        send(client, answer, sizeof answer - 1, MSG_NOSIGNAL);
        shutdown(client, SHUT_WR);
        close(client);
    }
    _exit(1);
}

static void be_a_host(void)
{
    struct run_result r = {0};

    ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
    RUN_OK(&r, NULL, "ip", "link", "set", "lo", "up");
    run_free(&r);
    serve_privately();
}

START_TEST(step_5_reaches_what_is_private_to_the_host)
{
    struct run_result r = {0};

    RUN(&r, NULL, steps_keg(5), ROOTFS, "/attacks/open-network", "9099");
    ck_assert_msg(r.code == 0, "%d: %s%s", r.code, r.out.data, r.err.data);
    ck_assert_ptr_nonnull(strstr(r.out.data, "for this machine only"));
    run_free(&r);
}
END_TEST

START_TEST(step_6_does_not)
{
    struct run_result r = {0};

    RUN(&r, NULL, steps_keg(6), ROOTFS, "/attacks/open-network", "9099");
    ck_assert_msg(r.code == 1, "%d: %s%s", r.code, r.out.data, r.err.data);
    ck_assert_ptr_null(strstr(r.out.data, "for this machine only"));
    run_free(&r);
}
END_TEST

/* Is somebody at this port of the host, after a server in a keg has taken it? */
static bool keg_takes_port(const char *keg)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(OPEN_PORT),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char *directory = temp_dir();
    cleanup_free char *log = str_format("%s/log", directory), *said = NULL;
    pid_t pid =
        run_start(NULL, log,
                  (const char *const[]){keg, ROOTFS, "sh", "-c",
                                        "httpd -p 8000 -h /www; echo up; exec sleep 100", NULL});
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), result;

    said = run_wait_for_text(log, "up", 20);
    ck_assert_ptr_nonnull(said);
    result = connect(fd, (struct sockaddr *)&to, sizeof to);
    ck_assert(result == 0 || errno == ECONNREFUSED);
    close(fd);
    run_stop(pid);
    temp_dir_remove(directory);
    return result == 0;
}

START_TEST(step_5_takes_ports_of_the_host)
{
    ck_assert(keg_takes_port(steps_keg(5)));
}
END_TEST

START_TEST(step_6_has_ports_of_its_own)
{
    ck_assert(!keg_takes_port(steps_keg(6)));
}
END_TEST

static int spoof(const char *keg)
{
    struct run_result r = {0};
    int code;

    RUN(&r, NULL, keg, "--publish", "8080:80", ROOTFS, "/attacks/loopback-spoof", "9099");
    ck_assert_msg(r.code == 0 || r.code == 1, "%d: %s%s", r.code, r.out.data, r.err.data);
    code = r.code;
    run_free(&r);
    return code;
}

START_TEST(what_is_published_is_no_door_to_the_hosts_loopback)
{
    ck_assert_int_eq(spoof(steps_keg(6)), 1);
}
END_TEST

/* Only because of the rule: with one word changed the same attack works. */
START_TEST(without_the_rule_it_would_be_one)
{
    cleanup_free char *directory = temp_dir(), *keg = str_format("%s/step/keg", directory);
    struct run_options patient = {.directory = directory, .timeout_s = 120};
    struct run_result r = {0};

    RUN_OK(&r, &patient, "sh", "-c",
           "cp -r \"$0\"/steps/06-network step && cd step &&"
           "sed -i 's|127.0.0.0/8 drop|127.0.0.0/8 accept|' network.c && make -s clean keg",
           SOURCE_DIR);
    run_free(&r);
    ck_assert_int_eq(spoof(keg), 0);
    temp_dir_remove(steal_ptr(&directory));
}
END_TEST

SUITE(attack_06)
{
    TCase *t = tcase_create("network");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 150);
    tcase_add_checked_fixture(t, be_a_host, NULL);
    tcase_add_test(t, step_5_reaches_what_is_private_to_the_host);
    tcase_add_test(t, step_6_does_not);
    tcase_add_test(t, step_5_takes_ports_of_the_host);
    tcase_add_test(t, step_6_has_ports_of_its_own);
    tcase_add_test(t, what_is_published_is_no_door_to_the_hosts_loopback);
    tcase_add_test(t, without_the_rule_it_would_be_one);
    suite_add_tcase(suite, t);
}
