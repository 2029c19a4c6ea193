/* login at a terminal: it asks, shows nothing of the password, and leaves the terminal as it was.
 */
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/world.h"
#include "support/registry_server.h"

static struct registry_server server;
static char *config; /* DOCKER_CONFIG */
static int master;   /* of the terminal the command sits at */
static pid_t client;
static struct buf screen;

static void start(void)
{
    config = world_path("docker");
    setenv("DOCKER_CONFIG", config, 1);
    unsetenv("COOPER_REGISTRIES");
    registry_server_start(&server,
                          &(struct registry_server_options){.user = "ann", .password = "secret"});
    client = forkpty(&master, NULL, NULL, NULL);
    ck_assert_int_ge(client, 0);
    if (client == 0) {
        execl(BUILD_DIR "/bin/cooper", "cooper", "--root", world_root(), "login", server.address,
              NULL);
        _exit(127);
    }
}

static void stop(void)
{
    cleanup_run struct run_result r = {0};

    close(master);
    registry_server_stop(&server);
    RUN(&r, NULL, "rm", "-rf", config);
    free(config);
    buf_free(&screen);
    screen = (struct buf){0};
}

/* Waits until `text` is on the screen. */
static void appears(const char *text)
{
    char piece[256];

    buf_add_str(&screen, "");
    for (int i = world_ticks(20); !strstr(screen.data, text); i--) {
        struct pollfd p = {.fd = master, .events = POLLIN};
        ssize_t n = poll(&p, 1, 100) > 0 ? read(master, piece, sizeof piece) : 0;

        ck_assert_msg(i > 0, "'%s' does not appear: '%s'", text, screen.data);
        if (n > 0)
            buf_add(&screen, piece, (size_t)n);
        else
            world_tick();
    }
}

static void type(const char *text)
{
    ck_assert_int_eq(write(master, text, strlen(text)), (ssize_t)strlen(text));
}

static bool echoes(void)
{
    struct termios now;

    ck_assert_int_eq(tcgetattr(master, &now), 0);
    return now.c_lflag & ECHO;
}

/* The prompt is printed a moment before the terminal falls silent. */
static void wait_for_silence(void)
{
    appears("Password: ");
    for (int i = world_ticks(20); echoes(); i--) {
        ck_assert_int_gt(i, 0);
        world_tick();
    }
}

START_TEST(a_password_is_not_shown)
{
    int status;

    appears("Username: ");
    type("ann\n");
    wait_for_silence();
    type("secret\n");
    appears("Login Succeeded");
    ck_assert_int_eq(waitpid(client, &status, 0), client);
    ck_assert_int_eq(status, 0);
    ck_assert_ptr_null(strstr(screen.data, "secret"));
    ck_assert(echoes());
}
END_TEST

START_TEST(whoever_thinks_better_of_it_keeps_the_terminal)
{
    int status;

    appears("Username: ");
    type("ann\n");
    wait_for_silence();
    type("\x03");
    ck_assert_int_eq(waitpid(client, &status, 0), client);
    ck_assert(WIFSIGNALED(status) ? WTERMSIG(status) == SIGINT : WEXITSTATUS(status) == 130);
    ck_assert(echoes());
    ck_assert_int_lt(access(config, F_OK), 0);
}
END_TEST

SUITE(login_terminal)
{
    TCase *t = tcase_create("login_terminal");

    tcase_set_tags(t, "needs-root needs-registry");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, start, stop);
    tcase_add_test(t, a_password_is_not_shown);
    tcase_add_test(t, whoever_thinks_better_of_it_keeps_the_terminal);
    suite_add_tcase(suite, t);
}
