/* cooper-init, the PID 1 that --init puts before the program, seen from inside and outside. */
#include "support/suite.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "container.h"

static json_t *config_with_init(const char *bundle, const char *command)
{
    json_t *config = container_config(bundle, command), *args = json_at(config, "process.args");

    json_array_insert_new(args, 0, json_string("--"));
    json_array_insert_new(args, 0, json_string("/sbin/docker-init"));
    container_append(config, "mounts",
                     container_mount("bind", BUILD_DIR "/libexec/cooper/cooper-init",
                                     "/sbin/docker-init", "bind,ro"));
    return config;
}

START_TEST(init_reaps_orphans_and_passes_the_code_on)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_with_init(bundle, "self + orphan + call 35 0 0 + exit 5");
    cleanup_outcome struct outcome o;

    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_ptr_ne(strstr(answer(&o, "self"), "ppid=1 "), NULL);
    ck_assert(WIFEXITED(o.status) && WEXITSTATUS(o.status) == 5);
}
END_TEST

/* SIGTERM has no effect on a PID 1 without a handler; with an init in between it ends the program.
 */
START_TEST(init_passes_signals_on)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_with_init(bundle, "term + exit 6");
    struct running r;

    container_start(bundle, config, &r);
    container_await(&r, "waiting");
    ck_assert_int_eq(kill(runtime_pid(r.c), SIGTERM), 0);
    ck_assert_int_eq(container_end(&r), 6 << 8);
}
END_TEST

START_TEST(init_dies_as_its_program_died)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_with_init(bundle, "die 9");
    cleanup_outcome struct outcome o;

    container_run(bundle, config, &o);
    ck_assert(WIFEXITED(o.status) && WEXITSTATUS(o.status) == 128 + SIGKILL);
}
END_TEST

SUITE(init)
{
    TCase *t = tcase_create("init");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, init_reaps_orphans_and_passes_the_code_on);
    tcase_add_test(t, init_passes_signals_on);
    tcase_add_test(t, init_dies_as_its_program_died);
    suite_add_tcase(suite, t);
}
