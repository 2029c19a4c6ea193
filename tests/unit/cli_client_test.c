/* The attached client against the other end of a socket: the test plays the shim, in a child
 * process. */
#include "support/suite.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/client.h"
#include "cli/client_detach.h"
#include "engine/attach.h"

static int shim[2];       /* socket pair: [0] is the client's */
static int in[2], out[2]; /* pipes that are the client's stdin and stdout */

static void set_up(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, shim), 0);
    ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    signal(SIGPIPE, SIG_IGN);
}

static void send_exit(int code)
{
    struct attach_exit end = {code, 0};
    char packet[1 + sizeof end] = {ATTACH_EXIT};

    memcpy(packet + 1, &end, sizeof end);
    ck_assert_int_gt(send(shim[1], packet, sizeof packet, 0), 0);
}

struct outcome {
    int result, code, end;
    char message[256];
};

/* Runs the client in a child with the pipes as its stdin and stdout; its outcome comes back by a
 * pipe. */
static pid_t start_client(bool stdin_too, int *ret_outcome)
{
    int report[2];
    pid_t pid;

    ck_assert_int_eq(pipe2(report, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        struct client_options options = {.stdin_too = stdin_too};
        struct outcome outcome = {0};
        struct err err = {0};
        enum client_end end = CLIENT_EXITED;

        dup2(in[0], 0);
        dup2(out[1], 1);
        close(shim[1]);
        close(in[1]);
        close(out[0]);
        close(out[1]);
        outcome.result = client_run(shim[0], &options, &end, &outcome.code, &err);
        outcome.end = end;
        snprintf(outcome.message, sizeof outcome.message, "%.200s", err.message);
        _exit(write(report[1], &outcome, sizeof outcome) != sizeof outcome);
    }
    close(shim[0]);
    close(report[1]);
    close(in[0]);
    close(out[1]);
    *ret_outcome = report[0];
    return pid;
}

static struct outcome finish(pid_t pid, int fd)
{
    struct outcome outcome = {0};

    ck_assert_int_eq(read(fd, &outcome, sizeof outcome), sizeof outcome);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    close(fd);
    return outcome;
}

START_TEST(output_and_the_exit_code_come_through)
{
    struct outcome outcome;
    char text[16] = "";
    pid_t pid;
    int fd;

    set_up();
    pid = start_client(false, &fd);
    ck_assert_int_eq(send(shim[1], "Ohello", 6, 0), 6);
    ck_assert_int_eq(read(out[0], text, sizeof text), 5);
    ck_assert_str_eq(text, "hello");
    send_exit(7);
    close(shim[1]);
    outcome = finish(pid, fd);
    ck_assert_int_eq(outcome.result, 0);
    ck_assert_int_eq(outcome.code, 7);
    ck_assert_int_eq(outcome.end, CLIENT_EXITED);
}
END_TEST

START_TEST(a_socket_that_breaks_off_is_an_error)
{
    struct outcome outcome;
    pid_t pid;
    int fd;

    set_up();
    pid = start_client(false, &fd);
    ck_assert_int_eq(send(shim[1], "Ohello", 6, 0), 6);
    close(shim[1]);
    outcome = finish(pid, fd);
    ck_assert_int_lt(outcome.result, 0);
    ck_assert_ptr_nonnull(strstr(outcome.message, "broke off before its process ended"));
}
END_TEST

START_TEST(stdin_and_its_end_reach_the_shim)
{
    char packet[64] = "";
    pid_t pid;
    int fd;

    set_up();
    pid = start_client(true, &fd);
    ck_assert_int_eq(write(in[1], "abc", 3), 3);
    ck_assert_int_eq(recv(shim[1], packet, sizeof packet, 0), 4);
    ck_assert_int_eq(memcmp(packet, "Iabc", 4), 0);
    close(in[1]);
    ck_assert_int_eq(recv(shim[1], packet, sizeof packet, 0), 1);
    ck_assert_int_eq(packet[0], ATTACH_EOF);
    send_exit(0);
    close(shim[1]);
    ck_assert_int_eq(finish(pid, fd).result, 0);
}
END_TEST

/* Takes what is there of the client's stdout. */
static size_t drain(void)
{
    static char text[ATTACH_MAX];
    size_t all = 0;
    ssize_t n;

    while ((n = read(out[0], text, sizeof text)) > 0)
        all += (size_t)n;
    return all;
}

/* Much in both directions at once, the shim never taking what comes, stdout not read at first:
 * output must come through all the same, and whole. */
START_TEST(much_in_both_directions_does_not_lock_up)
{
    static char packet[ATTACH_MAX], typed[4096];
    size_t got = 0, want = 0;
    pid_t pid;
    int fd;

    set_up();
    pid = start_client(true, &fd);
    fcntl(in[1], F_SETFL, O_NONBLOCK);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    packet[0] = ATTACH_STDOUT;
    for (int round = 0; round < 2000 || want < 10 * sizeof packet; round++) {
        if (write(in[1], typed, sizeof typed) < 0)
            ck_assert_int_eq(errno, EAGAIN);
        if (send(shim[1], packet, sizeof packet, MSG_DONTWAIT) > 0)
            want += sizeof packet - 1;
        got += round > 1000 ? drain() : 0;
    }
    while (got < want)
        got += drain();
    send_exit(0);
    close(shim[1]);
    ck_assert_int_eq(finish(pid, fd).result, 0);
    ck_assert_uint_eq(got, want);
}
END_TEST

START_TEST(a_reader_that_is_gone_ends_it)
{
    struct outcome outcome;
    pid_t pid;
    int fd;

    set_up();
    pid = start_client(false, &fd);
    close(out[0]);
    ck_assert_int_eq(send(shim[1], "Ohello", 6, 0), 6);
    outcome = finish(pid, fd);
    ck_assert_int_lt(outcome.result, 0);
    ck_assert_ptr_nonnull(strstr(outcome.message, "write /dev/stdout: Broken pipe"));
}
END_TEST

START_TEST(without_a_container_to_pass_it_to_a_signal_ends_us)
{
    pid_t pid;
    int fd, status;

    set_up();
    pid = start_client(false, &fd);
    /* Wait until it reads: then its signals are where they should be. */
    ck_assert_int_eq(send(shim[1], "Ox", 2, 0), 2);
    ck_assert_int_eq(read(out[0], &status, 1), 1);
    kill(pid, SIGTERM);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    close(fd);
}
END_TEST

/* Feeds text byte for byte and at once; the output in `text`. True: detached. */
static bool filter(const char *keys, const char *typed, char *text)
{
    struct detach d = {.count = strlen(keys)};
    size_t len, all = 0;
    bool done = false;

    memcpy(d.keys, keys, d.count);
    for (size_t i = 0; typed[i] && !done; i++) {
        done = detach_filter(&d, typed + i, 1, text + all, &len);
        all += len;
    }
    text[all] = 0;
    return done;
}

START_TEST(detach_keys_are_found_wherever_they_are)
{
    char text[64];

    ck_assert(filter("\x10\x11", "ab\x10\x11zz", text));
    ck_assert_str_eq(text, "ab");
    ck_assert(!filter("\x10\x11", "a\x10z", text));
    ck_assert_str_eq(text, "a\x10z");
    ck_assert(filter("\x10\x11", "\x10\x10\x11", text));
    ck_assert_str_eq(text, "\x10");
    ck_assert(filter("aab", "aaab", text));
    ck_assert_str_eq(text, "a");
    ck_assert(!filter("aab", "aacab", text));
    ck_assert_str_eq(text, "aacab");
    ck_assert(!filter("", "abc", text));
    ck_assert_str_eq(text, "abc");
}
END_TEST

SUITE(cli_client)
{
    TCase *t = tcase_create("client");

    tcase_set_timeout(t, 20);
    tcase_add_test(t, output_and_the_exit_code_come_through);
    tcase_add_test(t, a_socket_that_breaks_off_is_an_error);
    tcase_add_test(t, stdin_and_its_end_reach_the_shim);
    tcase_add_test(t, much_in_both_directions_does_not_lock_up);
    tcase_add_test(t, a_reader_that_is_gone_ends_it);
    tcase_add_test(t, without_a_container_to_pass_it_to_a_signal_ends_us);
    tcase_add_test(t, detach_keys_are_found_wherever_they_are);
    suite_add_tcase(suite, t);
}
