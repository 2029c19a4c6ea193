/* A terminal of the container's own, for its first process and for exec. */
#include "support/suite.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "container.h"

static char *read_terminal(int master)
{
    struct buf text = {0};
    char chunk[1024];
    ssize_t n;

    while ((n = read(master, chunk, sizeof chunk)) > 0) /* EIO: all slaves are closed */
        buf_add(&text, chunk, (size_t)n);
    return buf_steal(&text);
}

START_TEST(a_terminal_is_the_containers_own)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(
        bundle, "tty + stat /dev/console + fds + list /dev/pts + open /dev/tty + exit 3");
    struct runtime_container *c;
    struct runtime_request request = {.id = "tty",
                                      .bundle = bundle,
                                      .config = config,
                                      .stdio = {-1, -1, -1},
                                      .rows = 33,
                                      .columns = 99};
    cleanup_outcome struct outcome o = {0};
    struct err err = {0};

    container_set(config, "process.terminal", json_true());
    ck_assert_msg(!runtime_create(&request, &c, &err), "%s", err.message);
    ck_assert_int_ge(runtime_console(c), 0);
    ck_assert(fcntl(runtime_console(c), F_GETFD) & FD_CLOEXEC);
    ck_assert_msg(!runtime_start(c, &err), "%s", err.message);
    o.output = read_terminal(runtime_console(c));
    ck_assert_int_eq(waitpid(runtime_pid(c), &o.status, 0), runtime_pid(c));
    ck_assert(!runtime_destroy(c, &err));
    runtime_free(c);
    for (char *p = o.output; (p = strstr(p, "\r\n"));)
        memmove(p, p + 1, strlen(p));
    ck_assert_str_eq(answer(&o, "tty"), "111 /dev/pts/0 33x99 foreground=1");
    ck_assert_int_eq(strncmp(answer(&o, "stat /dev/console"), "02062", 5), 0);
    ck_assert_str_eq(answer(&o, "fds"), "0 1 2 ");
    ck_assert_str_eq(answer(&o, "list /dev/pts"), "[0 ptmx ]");
    ck_assert_str_eq(answer(&o, "open /dev/tty"), "ok");
    ck_assert(WIFEXITED(o.status) && WEXITSTATUS(o.status) == 3);
}
END_TEST

START_TEST(exec_has_a_terminal_too)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait");
    cleanup_json json_t *process = NULL;
    cleanup_outcome struct outcome o = {0};
    struct runtime_exec_request request;
    struct err err = {0};
    struct running r;
    int console = -1;
    pid_t pid;

    container_start(bundle, config, &r);
    process = json_deep_copy(json_object_get(config, "process"));
    json_put(process, "args", json_pack("[s,s]", "probe", "tty"));
    json_put(process, "terminal", json_true());
    request = (struct runtime_exec_request){.init = runtime_pid(r.c),
                                            .init_pidfd = runtime_pidfd(r.c),
                                            .bundle = bundle,
                                            .config = config,
                                            .process = process,
                                            .stdio = {-1, -1, -1},
                                            .rows = 10,
                                            .columns = 20};
    ck_assert_msg(!runtime_exec(&request, &pid, &console, &err), "%s", err.message);
    o.output = read_terminal(console);
    close(console);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_ptr_ne(strstr(o.output, "tty: 111 /dev/pts/0 10x20 foreground=1"), NULL);
    container_end(&r);
}
END_TEST

static char *read_terminal_until(int master, const char *text)
{
    struct buf said = {0};
    char byte;

    buf_reserve(&said, 1);
    while (!strstr(said.data, text) && read(master, &byte, 1) == 1)
        buf_add_char(&said, byte);
    return buf_steal(&said);
}

/* consoleSize counts where the caller has no terminal to take the size from. */
START_TEST(a_terminal_has_the_size_of_the_document)
{
    cleanup_free char *bundle = container_bundle(), *said = NULL, *exec_said = NULL;
    cleanup_json json_t *config = container_config(bundle, "tty + term");
    cleanup_json json_t *process = NULL;
    struct runtime_container *c;
    struct runtime_request request = {
        .id = "size", .bundle = bundle, .config = config, .stdio = {-1, -1, -1}};
    struct runtime_exec_request joining = {
        .bundle = bundle, .config = config, .stdio = {-1, -1, -1}};
    struct err err = {0};
    int console = -1;
    pid_t pid;

    container_set(config, "process.terminal", json_true());
    container_set(config, "process.consoleSize", json_pack("{s:i,s:i}", "height", 11, "width", 22));
    ck_assert_msg(!runtime_create(&request, &c, &err), "%s", err.message);
    ck_assert_msg(!runtime_start(c, &err), "%s", err.message);
    process = json_deep_copy(json_object_get(config, "process"));
    json_put(process, "args", json_pack("[s,s]", "probe", "tty"));
    joining.init = runtime_pid(c);
    joining.init_pidfd = runtime_pidfd(c);
    joining.process = process;
    ck_assert_msg(!runtime_exec(&joining, &pid, &console, &err), "%s", err.message);
    exec_said = read_terminal(console);
    close(console);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_ptr_ne(strstr(exec_said, " 11x22 "), NULL);
    said = read_terminal_until(runtime_console(c), "foreground=");
    ck_assert(!kill(runtime_pid(c), SIGKILL));
    ck_assert_int_eq(waitpid(runtime_pid(c), NULL, 0), runtime_pid(c));
    ck_assert(!runtime_destroy(c, &err));
    runtime_free(c);
    ck_assert_ptr_ne(strstr(said, "/dev/pts/0 11x22 "), NULL);
}
END_TEST

SUITE(terminal)
{
    TCase *t = tcase_create("terminal");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, a_terminal_is_the_containers_own);
    tcase_add_test(t, exec_has_a_terminal_too);
    tcase_add_test(t, a_terminal_has_the_size_of_the_document);
    suite_add_tcase(suite, t);
}
