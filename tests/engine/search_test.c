/* search on a registry that has docker's interface for it, /v1/search: what Docker Hub answers,
 * from a fake one. Registries without it are in login_test.c. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/world.h"
#include "support/fake_registry.h"

#define RESULT(name, description, stars, official)                                                 \
    "{\"name\":\"" name "\",\"description\":\"" description "\",\"star_count\":" stars             \
    ",\"is_official\":" official ",\"is_automated\":false}"
#define LONG  "Goes on\\nand on and on and on and on and is cut off"
#define WHOLE "Goes on and on and on and on and on and is cut off"
#define CUT   "Goes on and on and on and on and on and is c…"

static struct fake_registry *hub;
static char *term;

static void start(void)
{
    static const char answer[] = "{\"results\":[" RESULT(
        "busybox", "Small.", "3000", "true") "," RESULT("me/busybox", LONG, "12", "false") "]}";

    hub = fake_start();
    term = str_format("%s/busy box+", fake_address(hub));
    fake_serve(hub, "/v1/search", "application/json", answer, strlen(answer));
}

static void stop(void)
{
    fake_stop(hub);
    free(term);
}

/* In `expected`, %s is the registry's address. */
static const struct {
    const char *args[4], *expected;
} searches[] = {
    {{"--format", "{{.Name}} {{.Description}} {{.StarCount}} {{.IsOfficial}}"},
     "%s/busybox Small. 3000 [OK]\n%s/me/busybox " CUT " 12 \n"},
    {{"--no-trunc", "--format", "{{.Description}}"}, "Small.\n" WHOLE "\n"},
    {{"--format", "{{.Name}}", "--filter=stars=13"}, "%s/busybox\n"},
    {{"--format", "{{.Name}}", "--filter=is-official=false"}, "%s/me/busybox\n"},
    {{"--format", "json", "--filter=stars=13"},
     "{\"Description\":\"Small.\",\"IsOfficial\":\"true\",\"Name\":\"%s/"
     "busybox\",\"StarCount\":\"3000\"}\n"},
};

START_TEST(what_the_hub_says_is_shown)
{
    cleanup_free char *expected =
        str_format(searches[_i].expected, fake_address(hub), fake_address(hub));
    const char *const *a = searches[_i].args;

    EXPECT(0, expected, "", "search", term, a[0], a[1], a[2], a[3]);
    ck_assert_uint_eq(fake_count(hub, "GET /v1/search?q=busy%20box%2B&n=25 "), 1);
}
END_TEST

START_TEST(the_table_is_dockers)
{
    const char *out = EXPECT(0, NULL, "", "search", "--limit", "7", term);

    ck_assert_msg(str_starts(out, "NAME  ") && strstr(out, "DESCRIPTION  ") &&
                      strstr(out, "   STARS     OFFICIAL\n") && strstr(out, "   3000      [OK]\n"),
                  "%s", out);
    ck_assert_uint_eq(fake_count(hub, "&n=7 "), 1);
}
END_TEST

START_TEST(an_answer_that_is_none_is_told)
{
    fake_break(hub, &(struct fake_rule){.path = "/v1/search", .times = 1, .body = "<html>"});
    EXPECT(1, "", "the search's answer is not valid JSON", "search", term);
    fake_break(hub, &(struct fake_rule){.path = "/v1/search", .times = 1, .status = 403});
    EXPECT(1, "", "Unexpected status code 403", "search", term);
}
END_TEST

SUITE(search)
{
    TCase *t = tcase_create("search");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, start, stop);
    tcase_add_loop_test(t, what_the_hub_says_is_shown, 0, sizeof searches / sizeof *searches);
    tcase_add_test(t, the_table_is_dockers);
    tcase_add_test(t, an_answer_that_is_none_is_told);
    suite_add_tcase(suite, t);
}
