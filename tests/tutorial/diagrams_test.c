/* The diagrams in the tree are what their sources draw. */
#include <fcntl.h>
#include <glob.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "support/run.h"
#include "support/suite.h"

START_TEST(drawings_are_what_their_sources_say)
{
    glob_t found = {0};
    size_t drawn = 0;

    ck_assert_int_eq(glob(SOURCE_DIR "/tutorial/diagrams/*.pic", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *pic = found.gl_pathv[i];
        cleanup_free char *svg = str_format("%.*s.svg", (int)strlen(pic) - 4, pic);
        cleanup_buf struct buf have = {0};
        struct run_result r = {0};
        struct err err = {0};

        if (str_ends(pic, "/style.pic"))
            continue;
        RUN_OK(&r, NULL, SOURCE_DIR "/tutorial/diagrams/draw.sh", pic);
        ck_assert_msg(!file_load(AT_FDCWD, svg, 4 << 20, &have, &err), "%s", err.message);
        ck_assert_msg(str_equal(have.data, r.out.data), "%s: not what %s draws: make diagrams", svg,
                      pic);
        run_free(&r);
        drawn++;
    }
    ck_assert(drawn > 0);
    globfree(&found);
}
END_TEST

static const char *no_dpic(void)
{
    return run_has_program("dpic") ? NULL : "there is no dpic";
}
TAG("dpic", no_dpic)

SUITE(diagrams)
{
    TCase *t = tcase_create("diagrams");

    tcase_add_test(t, drawings_are_what_their_sources_say);
    tcase_set_tags(t, "dpic");
    tcase_set_timeout(t, 60);
    suite_add_tcase(suite, t);
}
