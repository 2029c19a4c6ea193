/* A real terminal: the test holds the master of a pty, `cooper run -it` sits on its slave, and the
 * container has a pty of its own behind the shim. */
#include "engine/world.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

static int master = -1; /* of the pty the client runs on */
static pid_t client;
static struct buf screen; /* all that came so far */
static size_t seen;       /* up to where expect() has looked */
static struct termios before;

/* Starts `cooper args...` on a terminal of the given size. */
static void on_terminal(unsigned short rows, unsigned short columns, const char *const args[])
{
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    const char *argv[32] = {BUILD_DIR "/bin/cooper", "--root", world_root()};

    for (size_t i = 0; args[i]; i++)
        argv[3 + i] = args[i];
    client = forkpty(&master, NULL, NULL, &size);
    ck_assert_msg(client >= 0, "forkpty: %s", strerror(errno));
    if (client == 0) {
        execv(argv[0], (char *const *)(size_t)argv);
        _exit(127);
    }
    ck_assert_int_eq(tcgetattr(master, &before), 0);
}
#define ON_TERMINAL(rows, columns, ...)                                                            \
    on_terminal(rows, columns, (const char *const[]){__VA_ARGS__, NULL})

/* Reads what comes within `ms`; false at the end of the terminal's life or when nothing came. */
static bool read_more(int ms)
{
    struct pollfd p = {.fd = master, .events = POLLIN};
    char piece[4096];
    ssize_t n;

    if (poll(&p, 1, ms) <= 0)
        return false;
    n = read(master, piece, sizeof piece);
    if (n > 0)
        buf_add(&screen, piece, (size_t)n);
    else
        world_tick(); /* EIO: no slave is open any more, and poll(2) would not wait */
    return n > 0;
}

/* Waits until `text` appears behind what was expected last. */
static bool appears(const char *text, int seconds)
{
    for (int i = world_ticks(seconds); i > 0; i--) {
        char *hit;

        buf_add_str(&screen, "");
        hit = strstr(screen.data + seen, text);
        if (hit) {
            seen = (size_t)(hit - screen.data) + strlen(text);
            return true;
        }
        read_more(20);
    }
    return false;
}

static void expect(const char *text)
{
    ck_assert_msg(appears(text, 20), "'%s' did not appear; the screen:\n%s", text, screen.data);
}

static void type(const char *text)
{
    ck_assert_int_eq(write(master, text, strlen(text)), (ssize_t)strlen(text));
}

/* The client ends with this code, and leaves the terminal as it was. */
static void expect_end(int code)
{
    struct termios after;
    int status = 0;
    pid_t ended = 0;

    for (int i = world_ticks(20); i > 0 && !ended; i--) {
        read_more(20);
        ended = waitpid(client, &status, WNOHANG);
    }
    ck_assert_msg(ended == client, "the client does not end; the screen:\n%s", screen.data);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == code, "status %#x; the screen:\n%s",
                  (unsigned)status, screen.data);
    while (read_more(100))
        continue;
    ck_assert_int_eq(tcgetattr(master, &after), 0);
    ck_assert_uint_eq(after.c_lflag, before.c_lflag);
    ck_assert_uint_eq(after.c_iflag, before.c_iflag);
    ck_assert_uint_eq(after.c_oflag, before.c_oflag);
}

/* A shell that asks with "? " so that the prompt is told apart from what we type. */
#define SHELL "-it", "--rm", "-e", "PS1=? ", BOX, "sh"

START_TEST(it_is_a_terminal_of_our_size)
{
    ON_TERMINAL(31, 97, "run", SHELL);
    expect("? ");
    type("tty; stty size; echo $TERM\n");
    expect("/dev/pts/0\r\n31 97\r\nxterm\r\n");
    type("exit 5\n");
    expect_end(5);
    ck_assert_msg(!strstr(screen.data, "job control turned off"), "%s", screen.data);
}
END_TEST

START_TEST(resizing_goes_through)
{
    struct winsize size = {.ws_row = 40, .ws_col = 132};
    bool resized = false;

    ON_TERMINAL(24, 80, "run", SHELL);
    expect("? ");
    type("stty size\n");
    expect("24 80\r\n");
    ck_assert_int_eq(ioctl(master, TIOCSWINSZ, &size), 0); /* the kernel sends SIGWINCH */
    /* The message overtakes nothing and may come a little after the next line typed. */
    for (int i = 0; i < 50 && !resized; i++) {
        type("stty size\n");
        expect("stty size\r\n");
        expect("? ");
        resized = strstr(screen.data, "40 132\r\n") != NULL;
    }
    ck_assert_msg(resized, "%s", screen.data);
    type("exit\n");
    expect_end(0);
}
END_TEST

START_TEST(control_c_interrupts_inside)
{
    ON_TERMINAL(24, 80, "run", SHELL);
    expect("? ");
    type("sh -c 'echo be\"\"gin; exec sleep 1000'\n");
    expect("begin\r\n");
    type("\003");
    expect("? ");
    type("echo status=$?\n");
    expect("status=130");
    type("exit\n");
    expect_end(0);
}
END_TEST

START_TEST(control_z_and_jobs_work)
{
    ON_TERMINAL(24, 80, "run", SHELL);
    expect("? ");
    type("sh -c 'echo be\"\"gin; exec sleep 1000'\n");
    expect("begin\r\n");
    type("\032");
    expect("Stopped");
    expect("? ");
    type("bg\n");
    expect("[1]");
    expect("? ");
    type("jobs\n");
    expect("Running");
    type("kill %1; wait; exit\n");
    expect_end(0);
}
END_TEST

START_TEST(control_d_ends_input)
{
    ON_TERMINAL(24, 80, "run", "-it", "--rm", BOX, "cat");
    type("hello\n");
    expect("hello\r\nhello\r\n"); /* the terminal's echo, then cat */
    type("\004");
    expect_end(0);
}
END_TEST

START_TEST(detaching_leaves_it_running)
{
    ON_TERMINAL(24, 80, "run", "-it", "--name", "term", "-e", "PS1=? ", BOX, "sh");
    expect("? ");
    type("\020\021");
    expect_end(0);
    EXPECT(0, "running true\n", "", "inspect", "-f", "{{.State.Status}} {{.Config.Tty}}", "term");
    EXPECT(0, "term\n", "", "rm", "-f", "term");
}
END_TEST

/* The same for all that attach, with keys of one's own: by a flag, or by docker's config.json. */
static const struct {
    const char *args[8];
    const char *config, *keys;
} detachings[] = {
    {{"attach", "--detach-keys", "ctrl-a,d", "term"}, NULL, "\001d"},
    {{"exec", "-it", "--detach-keys", "x", "term", "cat"}, NULL, "x"},
    {{"attach", "term"}, "{\"detachKeys\":\"ctrl-e,e\"}", "\005e"},
    {{"attach", "--detach-keys", "y", "term"}, "{\"detachKeys\":\"ctrl-e,e\"}", "y"},
    {{"start", "-a", "-i", "--detach-keys", "ctrl-b", "ended"}, NULL, "\002"},
};

START_TEST(detaching_by_other_keys)
{
    cleanup_free char *dir = world_path("docker"), *file = str_format("%s/config.json", dir);
    const char *config = detachings[_i].config ? detachings[_i].config : "{}";
    struct err err = {0};

    ck_assert_msg(!file_make_dirs(AT_FDCWD, dir, 0755, &err), "%s", err.message);
    ck_assert_int_eq(file_store(AT_FDCWD, file, config, strlen(config), 0644, false, &err), 0);
    setenv("DOCKER_CONFIG", dir, 1);
    EXPECT(0, NULL, "", "run", "-dit", "--name", "term", BOX, "sh", "-c", "echo here; cat");
    EXPECT(0, NULL, "", "create", "-it", "--name", "ended", BOX, "sh", "-c", "echo here; cat");
    on_terminal(24, 80, detachings[_i].args);
    type("hello\n");
    expect("hello"); /* it is connected */
    type(detachings[_i].keys);
    expect_end(!strcmp(detachings[_i].args[0], "run"));
    ck_assert_ptr_nonnull(strstr(screen.data, "read escape sequence"));
    EXPECT(0, "running\n", "", "inspect", "-f", "{{.State.Status}}",
           strcmp(detachings[_i].args[0], "start") ? "term" : "ended");
}
END_TEST

/* A lone Ctrl-P is for the program inside (Emacs users live by it). */
START_TEST(half_an_escape_sequence_passes)
{
    ON_TERMINAL(24, 80, "run", SHELL);
    expect("? ");
    type("stty -icanon -echo; echo re''ady; dd bs=1 count=2 2>/dev/null | tr '\\020' P\n");
    expect("ready\r\n");
    type("\020x");
    expect("Px");
    type("exit\n");
    expect_end(0);
}
END_TEST

START_TEST(exec_has_a_terminal_too)
{
    EXPECT(0, NULL, "", "run", "-d", "--name", "term", BOX, "sleep", "1000");
    ON_TERMINAL(22, 66, "exec", "-it", "-e", "PS1=? ", "term", "sh");
    expect("? ");
    type("stty size; exit 4\n");
    expect("22 66\r\n");
    expect_end(4);
    EXPECT(0, "term\n", "", "rm", "-f", "term");
}
END_TEST

START_TEST(a_terminal_can_be_in_the_background)
{
    EXPECT(0, NULL, "", "run", "-dt", "--name", "term", BOX, "sh", "-c", "tty; stty size");
    world_wait_for("term", "{{.State.Status}}", "exited");
    ck_assert(str_starts(EXPECT(0, NULL, "", "logs", "term"), "/dev/pts/0\r\n"));
    EXPECT(0, "term\n", "", "rm", "term");
}
END_TEST

START_TEST(it_needs_a_terminal_outside)
{
    EXPECT(1, "", "the input device is not a TTY", "run", "--rm", "-it", BOX, "true");
}
END_TEST

/* Without -t the client passes signals on; on a terminal Ctrl-C is one. */
START_TEST(signals_are_passed_on)
{
    ON_TERMINAL(24, 80, "run", "--rm", BOX, "sh", "-c",
                "trap 'echo got int; exit 6' INT; echo ready; while :; do sleep 0.05; done");
    expect("ready\r\n");
    type("\003");
    expect("got int");
    expect_end(6);
}
END_TEST

SUITE(terminal)
{
    TCase *t = tcase_create("terminal");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, world_clear, NULL);
    tcase_add_test(t, it_is_a_terminal_of_our_size);
    tcase_add_test(t, resizing_goes_through);
    tcase_add_test(t, control_c_interrupts_inside);
    tcase_add_test(t, control_z_and_jobs_work);
    tcase_add_test(t, control_d_ends_input);
    tcase_add_test(t, detaching_leaves_it_running);
    tcase_add_loop_test(t, detaching_by_other_keys, 0, sizeof detachings / sizeof *detachings);
    tcase_add_test(t, half_an_escape_sequence_passes);
    tcase_add_test(t, exec_has_a_terminal_too);
    tcase_add_test(t, a_terminal_can_be_in_the_background);
    tcase_add_test(t, it_needs_a_terminal_outside);
    tcase_add_test(t, signals_are_passed_on);
    suite_add_tcase(suite, t);
}
