/* Events: every command tells what docker's tells, in docker's order, also to who listens in
 * another process while it happens. */
#include "engine/world.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define ACTIONS "{{.Type}} {{.Action}}"

/* All events of one container so far, as `format` shows them; caller frees. */
static char *events_of(const char *name, const char *format)
{
    cleanup_free char *filter = str_format("container=%s", name);

    return OUTPUT("events", "--until", "0s", "--filter", filter, "--format", format);
}

static void expect_actions(const char *name, const char *expected)
{
    cleanup_free char *actions = events_of(name, "{{.Action}}");

    for (char *p = actions; *p; p++)
        if (*p == '\n')
            *p = ',';
    ck_assert_msg(str_equal(actions, expected), "events of '%s':\n  %s\nexpected:\n  %s", name,
                  actions, expected);
}

START_TEST(the_order_of_a_run)
{
    EXPECT(0, "hi\n", "", "run", "--rm", "--name", "aa1", BOX, "echo", "hi");
    expect_actions("aa1", "create,attach,start,die,destroy");
    EXPECT(0, NULL, "", "run", "-d", "--rm", "--name", "aa2", BOX, "true");
    for (int i = world_ticks(20); i > 0; i--) { /* removed by its shim */
        cleanup_free char *actions = events_of("aa2", "{{.Action}}");

        if (strstr(actions, "destroy"))
            break;
        world_tick();
    }
    expect_actions("aa2", "create,start,die,destroy");
    EXPECT(127, "", "not found", "run", "--name", "aa3", BOX, "nosuch");
    expect_actions("aa3", "create,attach"); /* what never ran did not die */
}
END_TEST

START_TEST(the_order_of_a_stop)
{
    EXPECT(0, NULL, "", "run", "-d", "--name", "bb1", BOX, "sleep", "60");
    EXPECT(0, NULL, "", "stop", "-t", "0", "bb1");
    expect_actions("bb1", "create,start,kill,kill,die,stop");
    EXPECT(0, NULL, "", "start", "bb1");
    EXPECT(0, NULL, "", "kill", "bb1");
    EXPECT(0, NULL, "", "wait", "bb1");
    EXPECT(0, NULL, "", "rm", "bb1");
    expect_actions("bb1", "create,start,kill,kill,die,stop,start,kill,die,destroy");
    EXPECT(0, NULL, "", "run", "-d", "--name", "bb2", BOX, "sleep", "60");
    EXPECT(0, NULL, "", "rm", "-f", "bb2");
    expect_actions("bb2", "create,start,kill,die,destroy");
}
END_TEST

START_TEST(attributes_are_docker_s)
{
    cleanup_free char *id = OUTPUT("run", "-d", "--name", "cc1", "-l", "b=2", "-l", "a=1", BOX,
                                   "sh", "-c", "kill -9 $$; exit 3");
    cleanup_free char *lines = NULL, *expected = NULL, *attributes = NULL;

    EXPECT(0, "3\n", "", "wait", "cc1");
    attributes = events_of("cc1", "{{json .Actor.Attributes}}");
    ck_assert_ptr_nonnull(strstr(attributes, "\"exitCode\":\"3\""));
    EXPECT(0, "cc1\n", "", "rm", "cc1");
    lines = OUTPUT("events", "--until", "0s", "--filter", "container=cc1", "--filter", "event=die");
    expected = str_format("Z container die %s (a=1, b=2, exitCode=3, image=" BOX ", name=cc1)", id);
    ck_assert_msg(strstr(lines, expected) && strlen(lines) == strlen(expected) + 29, "'%s'", lines);
}
END_TEST

START_TEST(the_api_object)
{
    cleanup_free char *id = OUTPUT("create", "--name", "dd1", BOX), *json = NULL, *start = NULL;

    json = events_of("dd1", "json");
    start = str_format("{\"status\":\"create\",\"id\":\"%s\",\"from\":\"" BOX
                       "\",\"Type\":\"container\",\"Action\":\"create\",\"Actor\":{\"ID\":\"%s\","
                       "\"Attributes\":{\"image\":\"" BOX "\",\"name\":\"dd1\"}},\"scope\":"
                       "\"local\",\"time\":",
                       id, id);
    ck_assert_msg(str_starts(json, start), "'%s'\nexpected '%s...'", json, start);
}
END_TEST

START_TEST(exec_has_its_own)
{
    cleanup_free char *actions = NULL;
    cleanup_free char *end = NULL;

    EXPECT(0, NULL, "", "run", "-d", "--name", "ee1", BOX, "sleep", "60");
    EXPECT(4, "", "", "exec", "ee1", "sh", "-c", "exit 4");
    actions =
        OUTPUT("events", "--until", "0s", "--filter", "container=ee1", "--filter",
               "event=exec_create", "--filter", "event=exec_start", "--format", "{{.Action}}");
    ck_assert_str_eq(actions, "exec_create: sh -c exit 4\nexec_start: sh -c exit 4");
    end =
        OUTPUT("events", "--until", "0s", "--filter", "container=ee1", "--filter", "event=exec_die",
               "--format", "{{.Actor.Attributes.exitCode}} {{len .Actor.Attributes.execID}}");
    ck_assert_str_eq(end, "4 64");
}
END_TEST

START_TEST(filters_choose)
{
    EXPECT(0, NULL, "", "create", "--name", "ff1", "-l", "k=v", BOX);
    EXPECT(0, NULL, "", "rm", "ff1");
    EXPECT(0, "", "", "events", "--until", "0s", "-f", "label=k=v", "-f", "label=other");
    EXPECT(1, "", "invalid filter 'foo'\n", "events", "--until", "0s", "-f", "foo=bar");
    EXPECT(1, "", "`since` time (4102444800) cannot be after `until` time (1)\n", "events",
           "--since", "2100-01-01", "--until", "1");
    EXPECT(0, "ff1 destroy\n", "", "events", "--until", "0s", "-f", "label=k=v", "-f",
           "event=destroy", "--format", "{{.Actor.Attributes.name}} {{.Action}}");
    EXPECT(0, "", "", "events", "--until", "0s", "-f", "label=k=x");
    EXPECT(0, "", "", "events", "--until", "0s", "-f", "type=network", "-f", "container=ff1");
    EXPECT(0, "create\ndestroy\n", "", "events", "--until", "0s", "-f", "image=box", "-f",
           "container=ff1", "--format", "{{.Action}}");
    EXPECT(0, "", "", "events", "--until", "0s", "-f", "image=bo", "-f", "container=ff1");
    EXPECT(0, "", "", "events", "--since", "0s", "--until", "0s");
    EXPECT(125, "", "invalid argument \"foo\" for \"-f, --filter\" flag: bad format of filter",
           "events", "-f", "foo");
    EXPECT(1, "", "failed to parse value as time or duration: \"x\"\n", "events", "--since", "x");
    EXPECT(64, "", "Error parsing format: template: :1: unclosed action\n", "events", "--format",
           "{{");
}
END_TEST

/* A listener in another process hears of it while it happens, and ends at its time. */
START_TEST(who_listens_hears_at_once)
{
    cleanup_free char *log = world_path("listener"), *text = NULL;
    pid_t listener = START(log, "events", "--format", ACTIONS " {{.Actor.Attributes.name}}");

    /* Until it listens nothing is told: so something is told until it is heard. */
    for (int i = world_ticks(20); i > 0 && !text; i--) {
        EXPECT(0, NULL, "", "run", "--rm", "--name", "gg1", BOX, "true");
        text = run_wait_for_text(log, "container destroy gg1", 1);
    }
    ck_assert_ptr_nonnull(text);
    EXPECT(0, NULL, "", "run", "--name", "gg2", BOX, "true");
    free(text);
    text = run_wait_for_text(log, "container die gg2", 20);
    ck_assert_ptr_nonnull(text);
    run_stop(listener);
    EXPECT(0, "", "", "events", "--since", "1s", "--until", "0s", "-f", "container=nobody");
}
END_TEST

START_TEST(a_killed_shim_s_container_dies_too)
{
    cleanup_free char *pid = NULL, *end = NULL;
    int shim;

    EXPECT(0, NULL, "", "run", "-d", "--name", "hh1", BOX, "sleep", "60");
    pid = world_inspect("hh1", "{{.State.Pid}}");
    shim = world_parent_of(atoi(pid));
    kill(shim, SIGKILL);
    world_wait_for("hh1", "{{.State.Status}}", "exited");
    expect_actions("hh1", "create,start,die");
    end = events_of("hh1", "{{index .Actor.Attributes \"exitCode\"}}");
    ck_assert_msg(str_ends(end, "137"), "'%s'", end);
}
END_TEST

SUITE(events)
{
    TCase *t = tcase_create("events");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, world_clear, NULL);
    tcase_add_test(t, the_order_of_a_run);
    tcase_add_test(t, the_order_of_a_stop);
    tcase_add_test(t, attributes_are_docker_s);
    tcase_add_test(t, the_api_object);
    tcase_add_test(t, exec_has_its_own);
    tcase_add_test(t, filters_choose);
    tcase_add_test(t, who_listens_hears_at_once);
    tcase_add_test(t, a_killed_shim_s_container_dies_too);
    suite_add_tcase(suite, t);
}
