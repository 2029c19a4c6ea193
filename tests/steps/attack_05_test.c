/* The attack of chapter 5: layers that leave the directory they are unpacked in, and one that was
 * changed. Against step 4 its image is unpacked with tar, as without an engine; step 5 reads it. */
#include "support/suite.h"

#include <string.h>

#include "steps/steps.h"
#include "support/run.h"

#define ATTACK SOURCE_DIR "/tutorial/attacks/hostile-layer.sh"

/* That they are good attacks shows a tar which believes everything: some distributions' own tar
 * stops more of them than Debian's. */
static const struct run_options credulous = {.environment =
                                                 (const char *const[]){"TAR=tar -P", NULL}};

static const char *const attacks[] = {"dots", "link", "two_layers", "hard_link", "exchanged"};
enum { ATTACKS = sizeof attacks / sizeof *attacks };

START_TEST(it_works_without_an_engine)
{
    struct run_result r = {0};

    RUN(&r, &credulous, ATTACK, steps_keg(4), attacks[_i]);
    ck_assert_msg(r.code == 0, "%s%s", r.out.data, r.err.data);
    run_free(&r);
}
END_TEST

START_TEST(step_5_stops_it)
{
    struct run_result r = {0};

    RUN(&r, NULL, ATTACK, steps_keg(5), attacks[_i]);
    ck_assert_msg(r.code == 1, "%s%s", r.out.data, r.err.data);
    /* Not because nothing was run at all. */
    ck_assert_msg(strstr(r.out.data, "a layer: ") || strstr(r.out.data, "has the digest") ||
                      strstr(r.out.data, "pay to account 1111"),
                  "%s%s", r.out.data, r.err.data);
    run_free(&r);
}
END_TEST

/* What GNU tar lets through as Debian 12 has it, without any option. */
START_TEST(an_exchanged_layer_runs_without_notice)
{
    struct run_result r = {0};

    RUN(&r, NULL, ATTACK, steps_keg(4), "exchanged");
    ck_assert_msg(r.code == 0, "%s%s", r.out.data, r.err.data);
    run_free(&r);
}
END_TEST

SUITE(attack_05)
{
    TCase *t = tcase_create("hostile-layer");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, it_works_without_an_engine, 0, ATTACKS);
    tcase_add_loop_test(t, step_5_stops_it, 0, ATTACKS);
    tcase_add_test(t, an_exchanged_layer_runs_without_notice);
    suite_add_tcase(suite, t);
}
