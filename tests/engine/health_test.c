/* Health checks: what they find, what they leave behind, and what everybody is told about it. */
#include "engine/world.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define STATUS "{{.State.Health.Status}}"
#define STREAK "{{.State.Health.FailingStreak}}"
#define FAST   "--health-interval", "30ms"

/* The `n`th entry, once there are so many; the caller frees. */
static char *entry(const char *name, int n, const char *member)
{
    cleanup_free char *count = str_format("{{if gt (len .State.Health.Log) %d}}yes{{end}}", n - 1);
    cleanup_free char *format = str_format("{{(index .State.Health.Log %d).%s}}", n - 1, member);

    world_wait_for(name, count, "yes");
    return world_inspect(name, format);
}

/* The wait for a number that grows. */
static void wait_at_least(const char *name, const char *what, int n)
{
    cleanup_free char *format = str_format("{{if ge (%s) %d}}yes{{end}}", what, n);

    world_wait_for(name, format, "yes");
}

/* The record of a change comes before its event: who has seen the one may have to wait for the
 * other. */
static void wait_health_events(const char *name, const char *actions)
{
    cleanup_free char *filter = str_format("container=%s", name);

    for (int i = world_ticks(20); i > 0; i--) {
        cleanup_free char *now =
            OUTPUT("events", "--since", "1", "--until", "0s", "--filter", "event=health_status",
                   "--filter", filter, "--format", "{{.Action}}");

        if (str_equal(now, actions))
            return;
        world_tick();
    }
    ck_abort_msg("container '%s' never had these events: %s", name, actions);
}

static void expect_status(const char *text)
{
    ck_assert_ptr_nonnull(strstr(EXPECT(0, NULL, "", "ps", "--format", "{{.Status}}"), text));
}

/* --- states ---------------------------------------------------------------------------------- */

START_TEST(it_is_well_or_not)
{
    EXPECT(0, NULL, "", "run", "-d", "--name", "web", "--health-cmd", "! test -e /bad",
           "--health-retries", "2", FAST, BOX, "sh", "-c", "sleep 600");
    world_wait_for("web", STATUS, "healthy");
    EXPECT(0, "web\n", "", "ps", "--filter", "health=healthy", "--format", "{{.Names}}");
    EXPECT(0, "", "", "ps", "--filter", "health=unhealthy", "--format", "{{.Names}}");
    expect_status(" (healthy)");
    EXPECT(0, "", "", "exec", "web", "touch", "/bad");
    world_wait_for("web", STATUS, "unhealthy");
    wait_at_least("web", ".State.Health.FailingStreak", 2);
    expect_status(" (unhealthy)");
    EXPECT(0, "", "", "exec", "web", "rm", "/bad");
    world_wait_for("web", STATUS " " STREAK, "healthy 0");
    wait_health_events("web",
                       "health_status: healthy\nhealth_status: unhealthy\nhealth_status: healthy");
}
END_TEST

/* Who has never been well is not unwell while it may still be coming up; then it is looked at more
 * often. */
START_TEST(failures_of_the_start_do_not_count)
{
    EXPECT(0, NULL, "", "run", "-d", "--name", "web", "--health-cmd", "test -e /ok",
           "--health-start-period", "1h", "--health-start-interval", "20ms", "--health-interval",
           "20ms", "--health-retries", "1", BOX, "sleep", "600");
    wait_at_least("web", "len .State.Health.Log", 4);
    EXPECT(0, "starting 0\n", "", "inspect", "-f", STATUS " " STREAK, "web");
    expect_status(" (health: starting)");
    EXPECT(0, "", "", "exec", "web", "sh", "-c", ">/ok");
    world_wait_for("web", STATUS, "healthy");
    EXPECT(0, "", "", "exec", "web", "rm", "/ok"); /* it was well: the period is over */
    world_wait_for("web", STATUS, "unhealthy");
}
END_TEST

START_TEST(without_a_start_period_they_do)
{
    EXPECT(0, NULL, "", "run", "-d", "--name", "web", "--health-cmd", "exit 3",
           "--health-start-interval", "1h", "--health-retries", "3", FAST, BOX, "sleep", "600");
    world_wait_for("web", STATUS, "unhealthy");
    free(entry("web", 3, "Output"));
    EXPECT(0, "3\n", "", "inspect", "-f", "{{(index .State.Health.Log 0).ExitCode}}", "web");
}
END_TEST

START_TEST(nobody_looks_at_what_has_ended)
{
    cleanup_free char *first = NULL, *again = NULL;

    EXPECT(0, NULL, "", "create", "--name", "web", "--health-cmd", "true", FAST, BOX, "sleep",
           "600");
    EXPECT(0, "null\n", "", "inspect", "-f", "{{json .State.Health}}", "web");
    EXPECT(0, "web\n", "", "ps", "-a", "--filter", "health=none", "--format", "{{.Names}}");
    EXPECT(0, "web\n", "", "start", "web");
    world_wait_for("web", STATUS, "healthy");
    first = entry("web", 1, "Start");
    EXPECT(0, "web\n", "", "stop", "-t", "0", "web");
    EXPECT(0, "unhealthy\n", "", "inspect", "-f", STATUS, "web");
    EXPECT(0, "web\n", "", "ps", "-a", "--filter", "health=unhealthy", "--format", "{{.Names}}");
    ck_assert_ptr_null(
        strstr(EXPECT(0, NULL, "", "ps", "-a", "--format", "{{.Status}}"), "health"));
    /* What was found before is still there; the state begins anew. */
    EXPECT(0, NULL, "", "create", "--name", "slow", "--health-cmd", "true", "--health-interval",
           "1h", BOX, "sleep", "600");
    EXPECT(0, "slow\n", "", "start", "slow");
    EXPECT(0, "starting 0 0\n", "", "inspect", "-f", STATUS " " STREAK " {{len .State.Health.Log}}",
           "slow");
    EXPECT(0, "web\n", "", "start", "web");
    again = entry("web", 1, "Start");
    world_wait_for("web", STATUS, "healthy");
    ck_assert_ptr_nonnull(first);
}
END_TEST

/* --- what is run ----------------------------------------------------------------------------- */

START_TEST(it_is_one_of_the_container)
{
    cleanup_free char *output = NULL;

    EXPECT(0, NULL, "", "run", "-d", "--name", "web", "-u", "82:50", "-w", "/etc", "-e", "A=b",
           "-t", "--health-cmd", "id -u; pwd; echo $A-$TERM; echo err >&2; cat; hostname", "-h",
           "w", FAST, BOX, "sleep", "600");
    output = entry("web", 1, "Output");
    ck_assert_str_eq(output, "82\n/etc\nb-\nerr\nw\n");
}
END_TEST

START_TEST(the_image_says_what_nobody_else_does)
{
    static const char check[] = "{{.Config.Healthcheck.Test}} {{.Config.Healthcheck.Interval}}";
    cleanup_free char *output = NULL;

    EXPECT(0, NULL, NULL, "create", "--name", "base", BOX, "true");
    EXPECT(0, NULL, NULL, "commit", "--change",
           "HEALTHCHECK --interval=25ms CMD [\"echo\", \"a  b\"]", "base", "checked:1");
    EXPECT(0, NULL, "", "run", "-d", "--name", "plain", "checked:1", "sleep", "600");
    world_wait_for("plain", STATUS, "healthy");
    output = entry("plain", 1, "Output");
    ck_assert_str_eq(output, "a  b\n"); /* no shell in between */
    EXPECT(0, NULL, "", "run", "-d", "--name", "slow", "--health-interval", "1h", "checked:1",
           "sleep", "600");
    EXPECT(0, "[CMD echo a  b] 3600000000000\n", "", "inspect", "-f", check, "slow");
    EXPECT(0, NULL, "", "run", "-d", "--name", "off", "--no-healthcheck", "checked:1", "sleep",
           "600");
    EXPECT(0, "null\n", "", "inspect", "-f", "{{json .State.Health}}", "off");
    EXPECT(0, "off\n", "", "ps", "--filter", "health=none", "--format", "{{.Names}}");
    world_clear();
    EXPECT(0, NULL, "", "rmi", "checked:1");
}
END_TEST

/* The five last ones, and of each at most 4096 bytes. */
START_TEST(the_log_stays_small)
{
    cleanup_free char *output = NULL, *first = NULL, *now = NULL;

    EXPECT(0, NULL, "", "run", "-d", "--name", "web", "--health-cmd",
           "head -c 100000 /dev/zero | tr '\\0' x", FAST, BOX, "sleep", "600");
    output = entry("web", 1, "Output");
    ck_assert_uint_eq(strlen(output), 4096 + 3);
    ck_assert_str_eq(output + 4096, "...");
    ck_assert_uint_eq(strspn(output, "x"), 4096);
    first = entry("web", 5, "Start");
    do { /* until the fifth is another one */
        free(now);
        world_tick();
        now = entry("web", 5, "Start");
    } while (!strcmp(first, now));
    EXPECT(0, "5\n", "", "inspect", "-f", "{{len .State.Health.Log}}", "web");
}
END_TEST

START_TEST(what_cannot_run_is_not_well)
{
    cleanup_free char *output = NULL;

    EXPECT(0, NULL, NULL, "create", "--name", "base", BOX, "true");
    EXPECT(0, NULL, NULL, "commit", "--change", "HEALTHCHECK CMD [\"/nosuch\"]", "base",
           "checked:1");
    EXPECT(0, NULL, "", "run", "-d", "--name", "web", FAST, "--health-retries", "1", "checked:1",
           "sleep", "600");
    world_wait_for("web", STATUS, "unhealthy");
    output = entry("web", 1, "Output");
    ck_assert_msg(strstr(output, "/nosuch") && strstr(output, "no such file or directory"), "%s",
                  output);
    EXPECT(0, "-1\n", "", "inspect", "-f", "{{(index .State.Health.Log 0).ExitCode}}", "web");
    world_clear();
    EXPECT(0, NULL, "", "rmi", "checked:1");
}
END_TEST

/* --- what takes too long, and what is in the way ---------------------------------------------- */

/* The command and what it has started. */
START_TEST(what_takes_too_long_is_killed)
{
    cleanup_free char *output = NULL, *top = NULL;
    int sleeping = 0;

    EXPECT(0, NULL, "", "run", "-d", "--name", "web", "--health-cmd",
           "echo begun; sleep 4321 & sleep 4321; true", "--health-timeout", "700ms",
           "--health-interval", "10ms", "--health-retries", "2", BOX, "sleep", "600");
    world_wait_for("web", STATUS, "unhealthy");
    output = entry("web", 1, "Output");
    ck_assert_str_eq(output, "Health check exceeded timeout (700ms): begun\n");
    EXPECT(0, "-1\n", "", "inspect", "-f", "{{(index .State.Health.Log 0).ExitCode}}", "web");
    wait_at_least("web", ".State.Health.FailingStreak", 4);
    EXPECT(0, "web\n", "", "pause", "web"); /* at most those of one check are there */
    top = OUTPUT("top", "web", "-o", "pid,args");
    for (const char *at = top; (at = strstr(at, "sleep 4321")); at++)
        sleeping++;
    ck_assert_msg(sleeping <= 6, "%s", top); /* three processes, two each */
    EXPECT(0, "web\n", "", "unpause", "web");
}
END_TEST

START_TEST(a_paused_container_is_left_alone)
{
    cleanup_free char *before = NULL, *after = NULL;
    static const char last[] = "{{range .State.Health.Log}}{{.End}} {{end}}";

    EXPECT(0, NULL, "", "run", "-d", "--name", "web", "--health-cmd", "true", "--health-timeout",
           "50ms", FAST, BOX, "sleep", "600");
    world_wait_for("web", STATUS, "healthy");
    EXPECT(0, "web\n", "", "pause", "web");
    for (int i = world_ticks(1); i > 0; i--) /* one that was on its way */
        world_tick();
    before = world_inspect("web", last);
    for (int i = world_ticks(1); i > 0; i--)
        world_tick();
    after = world_inspect("web", last);
    ck_assert_str_eq(before, after);
    EXPECT(0, "healthy\n", "", "inspect", "-f", STATUS, "web");
    EXPECT(0, "web\n", "", "unpause", "web");
    do {
        free(after);
        world_tick();
        after = world_inspect("web", last);
    } while (!strcmp(before, after));
    EXPECT(0, "healthy\n", "", "inspect", "-f", STATUS, "web");
}
END_TEST

/* --- ends while a check is on its way --------------------------------------------------------- */

static char *start_hanging(const char *mode)
{
    char *id =
        OUTPUT("run", "-d", "--name", "web", "--pid", mode, "--health-cmd",
               "echo $$ >/tmp/begun; sleep 600; true", "--health-interval", "10ms", BOX, "sh", "-c",
               "mkdir -p /tmp; until test -s /tmp/begun; do usleep 10000; done; echo ready; "
               "sleep 600");

    world_wait_log("web", "ready");
    return id;
}

START_TEST(an_end_does_not_wait_for_a_check)
{
    static const char *const modes[] = {"", "host"};

    for (size_t i = 0; i < 2; i++) {
        cleanup_free char *id = start_hanging(modes[i]);

        EXPECT(0, "web\n", "", "stop", "-t", "0", "web");
        EXPECT(0, "web\n", "", "rm", "web");
        world_assert_nothing_left(id);
    }
}
END_TEST

START_TEST(a_killed_shim_takes_its_prober_along)
{
    cleanup_free char *id = start_hanging("");
    pid_t shim = world_shim_of(id);

    ck_assert_int_eq(kill(shim, SIGKILL), 0);
    world_wait_for("web", "{{.State.Status}} " STATUS, "exited unhealthy");
    EXPECT(0, "web\n", "", "rm", "web");
    world_assert_nothing_left(id);
}
END_TEST

START_TEST(words)
{
    EXPECT(1, "", "Error response from daemon: Unrecognised filter value for health: foo\n", "ps",
           "--filter", "health=foo");
    EXPECT(0, NULL, "", "create", "--name", "web", BOX, "true");
    EXPECT(0, "null\n", "", "inspect", "-f", "{{json .State.Health}}", "web");
    EXPECT(0, NULL, "", "create", "--name", "empty", "--health-cmd", "", BOX, "true");
    EXPECT(0, "null\n", "", "inspect", "-f", "{{json .Config.Healthcheck}}", "empty");
    EXPECT(1, "\n", "template parsing error: template: :1:", "inspect", "-f", STATUS, "web");
}
END_TEST

static void add_tests(TCase *t)
{
    tcase_add_test(t, it_is_well_or_not);
    tcase_add_test(t, failures_of_the_start_do_not_count);
    tcase_add_test(t, without_a_start_period_they_do);
    tcase_add_test(t, nobody_looks_at_what_has_ended);
    tcase_add_test(t, it_is_one_of_the_container);
    tcase_add_test(t, the_image_says_what_nobody_else_does);
    tcase_add_test(t, the_log_stays_small);
    tcase_add_test(t, what_cannot_run_is_not_well);
    tcase_add_test(t, what_takes_too_long_is_killed);
    tcase_add_test(t, a_paused_container_is_left_alone);
    tcase_add_test(t, an_end_does_not_wait_for_a_check);
    tcase_add_test(t, a_killed_shim_takes_its_prober_along);
    tcase_add_test(t, words);
}

SUITE(health)
{
    TCase *t = tcase_create("health");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, world_clear, NULL);
    add_tests(t);
    suite_add_tcase(suite, t);
}
