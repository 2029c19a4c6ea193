/* What is in corpus/, and every beginning of it, given to its target: a crash is a failed test. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fuzz/fuzz.h"
#include "support/suite.h"

#define INPUT_MAX (1u << 20)
#define CUTS      16

static const char *not_root(void)
{
    return geteuid() ? "layers with owners are unpacked by root" : NULL;
}
TAG("needs-root-to-unpack", not_root)

/* All of it, and cut off at some places. A copy of its own each time: a sanitizer then sees what is
 * read beyond the end. */
static void give(fuzz_target *target, const struct buf *input)
{
    for (size_t i = 1; i <= CUTS; i++) {
        size_t len = input->len * i / CUTS;
        cleanup_free char *copy = mem_alloc(len + 1);

        if (len)
            memcpy(copy, input->data, len);
        target(copy, len);
    }
}

START_TEST(the_corpus_breaks_nothing)
{
    const char *name;
    fuzz_target *target = fuzz_find((size_t)_i, &name);
    cleanup_free char *path = NULL;
    cleanup_closedir DIR *dir = NULL;
    struct dirent *e;
    unsigned count = 0;

    ck_assert_ptr_nonnull(target);
    path = str_format("%s/tests/fuzz/corpus/%s", SOURCE_DIR, name);
    dir = opendir(path);
    ck_assert_msg(dir != NULL, "no '%s'", path);
    while ((e = readdir(dir))) {
        cleanup_buf struct buf input = {0};
        struct err err = {0};

        if (*e->d_name == '.')
            continue;
        ck_assert_msg(!file_load(dirfd(dir), e->d_name, INPUT_MAX, &input, &err), "%s",
                      err.message);
        give(target, &input);
        count++;
    }
    ck_assert_msg(count > 0, "nothing in '%s'", path);
}
END_TEST

SUITE(fuzz_corpus)
{
    TCase *t = tcase_create("corpus");
    const char *name;
    int count = 0;

    while (fuzz_find((size_t)count, &name))
        count++;
    tcase_set_tags(t, "needs-root-to-unpack");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, the_corpus_breaks_nothing, 0, count);
    suite_add_tcase(suite, t);
}
