/* Terminals: handed to a supervisor through --console-socket, or relayed in the foreground. */
#include "runtime/tool.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "system/container.h"

static void terminal_box(struct box *ret, const char *command)
{
    tool_box(ret, command);
    container_set(ret->config, "process.terminal", json_true());
    tool_write(ret);
}

/* A terminal's master and all that was said there. */
struct screen {
    int master;
    char said[65536];
    size_t len;
};

/* Reads until all of it holds `text`. */
static void await(struct screen *s, const char *text)
{
    while (!strstr(s->said, text)) {
        struct pollfd p = {s->master, POLLIN, 0};
        ssize_t n;

        ck_assert_msg(poll(&p, 1, 60000) == 1, "nothing more than: %s", s->said);
        n = read(s->master, s->said + s->len, sizeof s->said - 1 - s->len);
        ck_assert_msg(n > 0, "it ended after: %s", s->said);
        s->len += (size_t)n;
        s->said[s->len] = 0;
    }
}

/* --- the supervisor's side of --console-socket ------------------------------------------------ */

static int listen_on(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert(strlen(path) < sizeof address.sun_path);
    strcpy(address.sun_path, path);
    ck_assert(!bind(fd, (struct sockaddr *)&address, sizeof address) && !listen(fd, 1));
    return fd;
}

/* One message: a name, and with it one descriptor. */
static int receive(int listener, const char *expected_name)
{
    cleanup_close int connection = -1;
    char name[64];
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec data = {name, sizeof name};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    struct pollfd p = {listener, POLLIN, 0};
    struct cmsghdr *head;
    ssize_t n;
    int fd;

    ck_assert_msg(poll(&p, 1, 60000) == 1, "nobody connects to the socket");
    connection = accept(listener, NULL, NULL);
    n = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
    ck_assert_int_eq(n, strlen(expected_name));
    ck_assert(!memcmp(name, expected_name, (size_t)n));
    head = CMSG_FIRSTHDR(&message);
    ck_assert(head && head->cmsg_type == SCM_RIGHTS && head->cmsg_len == CMSG_LEN(sizeof fd));
    memcpy(&fd, CMSG_DATA(head), sizeof fd);
    return fd;
}

static void receive_master(int listener, struct screen *ret)
{
    *ret = (struct screen){.master = receive(listener, "/dev/ptmx")};
}

START_TEST(create_hands_the_terminal_over)
{
    cleanup_box struct box box;
    cleanup_free char *path = NULL;
    cleanup_close int listener = -1;
    struct winsize size = {.ws_row = 33, .ws_col = 99};
    struct screen screen;

    terminal_box(&box, "tty + term");
    path = str_format("%s/console.sock", box.bundle);
    listener = listen_on(path);
    CREATE(&box, "--console-socket", path);
    receive_master(listener, &screen);
    ck_assert(!ioctl(screen.master, TIOCSWINSZ, &size));
    EXPECT(0, "", "", "start", box.id);
    await(&screen, "tty: 111 /dev/pts/0 33x99 foreground=1");
    await(&screen, "waiting");
    EXPECT(0, "", "", "kill", box.id);
    await(&screen, "signal 15");
    tool_await_status(box.id, "stopped");
    EXPECT(0, "", "", "delete", box.id);
    tool_gone(&box);
}
END_TEST

START_TEST(run_and_exec_detached_hand_theirs_over)
{
    cleanup_box struct box box;
    cleanup_free char *path = NULL;
    cleanup_close int listener = -1;
    struct screen first, second;

    terminal_box(&box, "tty + term");
    path = str_format("%s/console.sock", box.bundle);
    listener = listen_on(path);
    EXPECT(0, "", "", "run", "-d", "--console-socket", path, "-b", box.bundle, box.id);
    receive_master(listener, &first);
    await(&first, "waiting");
    EXPECT(0, "", "", "exec", "-d", "-t", "--console-socket", path, box.id, "/bin/probe", "tty");
    receive_master(listener, &second);
    await(&second, "tty: 111 /dev/pts/1 0x0 foreground=1");
    EXPECT(0, "", "", "delete", "-f", box.id);
    tool_gone(&box);
}
END_TEST

/* Longer than a socket's address may be. */
START_TEST(the_sockets_path_may_be_long)
{
    cleanup_box struct box box;
    cleanup_free char *directory = NULL, *path = NULL;
    cleanup_close int listener = -1;
    struct screen screen;

    terminal_box(&box, "true");
    directory = str_format("%s/%0100d", box.bundle, 0);
    ck_assert(!mkdir(directory, 0700) && !chdir(directory));
    listener = listen_on("s");
    path = str_format("%s/s", directory);
    EXPECT(0, "", "", "run", "-d", "--console-socket", path, "-b", box.bundle, box.id);
    receive_master(listener, &screen);
    tool_await_status(box.id, "stopped");
    EXPECT(0, "", "", "delete", box.id);
}
END_TEST

/* Before anything is made. */
START_TEST(a_terminal_needs_somebody_to_hold_it)
{
    cleanup_box struct box box, plain;

    terminal_box(&box, "tty");
    tool_box(&plain, "true");
    EXPECT(1, "",
           "cannot allocate tty if cooper-runtime will detach without setting console socket",
           "create", "-b", box.bundle, box.id);
    EXPECT(1, "", "cannot allocate tty", "run", "-d", "-b", box.bundle, box.id);
    EXPECT(1, "", "cannot use console socket if cooper-runtime will not detach or allocate tty",
           "create", "--console-socket", "/x", "-b", plain.bundle, plain.id);
    EXPECT(1, "", "cannot use console socket", "run", "--console-socket", "/x", "-b", box.bundle,
           box.id);
    EXPECT(1, "", "cannot connect to the console socket '/no/such'", "create", "--console-socket",
           "/no/such", "-b", box.bundle, box.id);
    tool_gone(&box);
}
END_TEST

/* --- pidfds ----------------------------------------------------------------------------------- */

/* A pidfd is the process itself: it says when it has ended, and signals it. */
static void expect_pidfd(int pidfd)
{
    struct pollfd p = {pidfd, POLLIN, 0};

    ck_assert_int_eq(poll(&p, 1, 0), 0);
    ck_assert(!pidfd_send_signal(pidfd, SIGKILL, NULL, 0));
    ck_assert_int_eq(poll(&p, 1, 60000), 1);
    close(pidfd);
}

START_TEST(pidfds_are_handed_over)
{
    cleanup_box struct box box;
    cleanup_free char *path = NULL;
    cleanup_close int listener = -1;
    int init;

    tool_box(&box, "term");
    path = str_format("%s/pidfd.sock", box.bundle);
    listener = listen_on(path);
    EXPECT(0, NULL, "", "run", "-d", "--pidfd-socket", path, "-b", box.bundle, box.id);
    init = receive(listener, "standard");
    EXPECT(0, NULL, "", "exec", "-d", "--pidfd-socket", path, box.id, "/bin/probe", "term");
    expect_pidfd(receive(listener, "setns"));
    expect_pidfd(init);
    tool_await_status(box.id, "stopped");
    EXPECT(0, "", "", "delete", box.id);
    EXPECT(1, "", "cannot connect to the pidfd socket '/no/such'", "create", "--pidfd-socket",
           "/no/such", "-b", box.bundle, box.id);
    tool_gone(&box);
}
END_TEST

/* --- in the foreground ------------------------------------------------------------------------ */

/* A terminal of the test's own, with cooper-runtime at it. *ret_before (NULL: not asked): how the
 * terminal was before anybody had it. */
static pid_t at_terminal(const char *const args[], const struct winsize *size, int *ret_master,
                         struct termios *ret_before)
{
    cleanup_strv struct strv argv = {0};
    int slave;
    pid_t pid;

    strv_add(&argv, RUNTIME);
    strv_add(&argv, "--root");
    strv_add(&argv, tool_root());
    for (size_t i = 0; args[i]; i++)
        strv_add(&argv, args[i]);
    ck_assert(!openpty(ret_master, &slave, NULL, NULL, size));
    ck_assert(!ret_before || !tcgetattr(slave, ret_before));
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (!pid) {
        close(*ret_master);
        if (!login_tty(slave))
            execv(RUNTIME, argv.items);
        _exit(127);
    }
    close(slave);
    return pid;
}

static void type(int master, const char *text)
{
    ck_assert_int_eq(write(master, text, strlen(text)), strlen(text));
}

/* Keys go in raw, output comes out, sizes follow, and the terminal is as before at the end. */
START_TEST(run_relays_a_terminal)
{
    cleanup_box struct box box;
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    struct termios before, after;
    struct screen screen = {0};
    int status;
    pid_t pid;

    terminal_box(&box, "tty + wait + tty + exit 6");
    pid = at_terminal((const char *const[]){"run", "-b", box.bundle, box.id, NULL}, &size,
                      &screen.master, &before);
    await(&screen, "tty: 111 /dev/pts/0 24x80 foreground=1");
    size = (struct winsize){.ws_row = 40, .ws_col = 132};
    ck_assert(!ioctl(screen.master, TIOCSWINSZ, &size) && !kill(pid, SIGWINCH));
    type(screen.master, "typed\r");
    await(&screen, "typed"); /* the container's terminal echoes, ours is raw */
    type(screen.master, "\004");
    await(&screen, "tty: 111 /dev/pts/0 40x132");
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 6);
    ck_assert(!tcgetattr(screen.master, &after));
    ck_assert_uint_eq(before.c_lflag, after.c_lflag);
    close(screen.master);
    tool_gone(&box);
}
END_TEST

/* Ctrl-C is a key like others; the container's terminal makes a signal of it for who is in its
 * foreground. */
START_TEST(ctrl_c_is_the_containers)
{
    cleanup_box struct box box;
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    struct screen screen = {0};
    int status;
    pid_t pid;

    tool_box(&box, "term");
    tool_up(&box, "waiting");
    pid = at_terminal(
        (const char *const[]){"exec", "-t", box.id, "/bin/probe", "tty", "+", "wait", NULL}, &size,
        &screen.master, NULL);
    await(&screen, "tty: 111 /dev/pts/0 24x80 foreground=1");
    type(screen.master, "\003");
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGINT);
    close(screen.master);
    EXPECT(0, "", "", "delete", "-f", box.id);
}
END_TEST

/* All of it arrives, also what was said just before the end. */
START_TEST(nothing_of_the_output_is_lost)
{
    cleanup_box struct box box;
    cleanup_run struct run_result r = {0};
    const char *at;
    int count = 0;

    tool_box(&box, "term");
    tool_up(&box, "waiting");
    RT(&r, "exec", "-t", box.id, "/bin/probe", "list", "/proc/self/fd", "+", "cat", "/bin/probe",
       "+", "env", "HOME");
    ck_assert_int_eq(r.code, 0);
    ck_assert(str_ends(r.out.data, "env HOME: /root\r\n"));
    for (at = r.out.data; (at = strstr(at, "\r\n")); at++)
        count++;
    ck_assert_int_ge(count, 3);
    EXPECT(0, "", "", "delete", "-f", box.id);
}
END_TEST

SUITE(terminal)
{
    TCase *t = tcase_create("terminal");

    tcase_set_timeout(t, 90);
    tcase_add_unchecked_fixture(t, tool_setup, tool_teardown);
    tcase_add_test(t, create_hands_the_terminal_over);
    tcase_add_test(t, run_and_exec_detached_hand_theirs_over);
    tcase_add_test(t, the_sockets_path_may_be_long);
    tcase_add_test(t, a_terminal_needs_somebody_to_hold_it);
    tcase_add_test(t, pidfds_are_handed_over);
    tcase_add_test(t, run_relays_a_terminal);
    tcase_add_test(t, ctrl_c_is_the_containers);
    tcase_add_loop_test(t, nothing_of_the_output_is_lost, 0, 5);
    suite_add_tcase(suite, t);
}
