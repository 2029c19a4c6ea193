/* What a COPY is known by: its digest, what is remembered of files; times; and COPY while somebody
 * exchanges its files. */
#include "support/suite.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "build_files.h"
#include "build_scene.h"

/* --- times ------------------------------------------------------------------------------------ */

static void date(int root, const char *path, time_t when)
{
    const struct timespec times[2] = {{.tv_sec = when, .tv_nsec = 5}, {.tv_sec = when}};

    ck_assert_int_eq(utimensat(root, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

START_TEST(times_are_the_sources_unless_there_is_an_epoch)
{
    struct copy_request copy = {.destination = "/old/", .unpack = -1, .epoch = COPY_NO_EPOCH};

    files_make(from, "d d 755; f d/a 644 A; l d/l a");
    files_make(below, "d old 755");
    date(from, "d/a", WHEN);
    date(from, "d/l", WHEN + 1);
    date(below, "old", WHEN + 2);
    ck_assert_int_eq(scene_copy(&copy, "d", (char[DIGEST_LEN + 1]){0}), 0);
    ck_assert_int_eq(scene_time("old/a"), WHEN);
    ck_assert_int_eq(scene_time("old/l"), WHEN + 1);
    ck_assert_int_eq(scene_time("old"), WHEN + 2); /* the image's own stays as it is there */
}
END_TEST

/* Of a context all of them: its times are an accident. Of an image only what is newer. */
START_TEST(with_an_epoch_the_day_does_not_matter)
{
    const struct tree image = {.root = from, .keep_owner = true, .what = "stage"};
    struct copy_request context = {.destination = "/c/d/", .unpack = -1, .epoch = WHEN};
    struct copy_request other = {.from = &image, .destination = "/i/", .unpack = -1, .epoch = WHEN};

    files_make(from, "d d 755; f d/a 644 A; f d/b 644 B; d d/e 755");
    date(from, "d/a", WHEN - 100);
    date(from, "d/b", WHEN + 100);
    date(from, "d/e", WHEN + 100);
    ck_assert_int_eq(scene_copy(&context, "d", (char[DIGEST_LEN + 1]){0}), 0);
    ck_assert_int_eq(scene_copy(&other, "d", (char[DIGEST_LEN + 1]){0}), 0);
    ck_assert_int_eq(scene_time("c"), WHEN);
    ck_assert_int_eq(scene_time("c/d"), WHEN);
    ck_assert_int_eq(scene_time("c/d/a"), WHEN);
    ck_assert_int_eq(scene_time("c/d/e"), WHEN);
    ck_assert_int_eq(scene_time("i/a"), WHEN - 100);
    ck_assert_int_eq(scene_time("i/b"), WHEN);
    ck_assert_int_eq(scene_time("i/e"), WHEN);
}
END_TEST

/* --- the digest ------------------------------------------------------------------------------- */

static void digest_now(char digest[DIGEST_LEN + 1])
{
    const struct tree here = {.root = from, .what = "build context"};

    ck_assert_msg(!tree_digest(&here, "d", digest, &err), "%s", err.message);
}

static const struct {
    const char *change; /* a line for files_make, or */
    const char *path;   /* something done to it: */
    int mode;           /* permissions, -1: none */
    long when;          /* time, 0: none */
    bool differs;
} changes[] = {
    {NULL, "d/a", -1, 0, false},        {NULL, "d/a", -1, WHEN, false},
    {NULL, "d/e", -1, WHEN, false},     {NULL, "d/a", 0600, 0, true},
    {NULL, "d/e", 0700, 0, true},       {NULL, "d", 0700, 0, false},
    {"f d/a 644 B", NULL, -1, 0, true}, {"f d/z 644 A", NULL, -1, 0, true},
    {"d d/z 755", NULL, -1, 0, true},   {"l d/z a", NULL, -1, 0, true},
    {"h d/z d/a", NULL, -1, 0, true},   {"f z 644 Z", NULL, -1, 0, false},
};

START_TEST(the_digest_is_of_all_that_counts)
{
    char before[DIGEST_LEN + 1], after[DIGEST_LEN + 1];

    files_make(from, "d d 755; f d/a 644 A; d d/e 755; l d/l a");
    digest_now(before);
    if (changes[_i].change)
        files_make(from, changes[_i].change);
    if (changes[_i].mode >= 0)
        ck_assert_int_eq(fchmodat(from, changes[_i].path, (mode_t)changes[_i].mode, 0), 0);
    if (changes[_i].when)
        date(from, changes[_i].path, changes[_i].when);
    digest_now(after);
    ck_assert_int_eq(strcmp(before, after) != 0, changes[_i].differs);
}
END_TEST

START_TEST(the_digest_is_of_what_was_asked_for_too)
{
    struct copy_request requests[] = {
        {.destination = "/a"},
        {.destination = "/b"},
        {.destination = "/a/"},
        {.destination = "/a", .chown = "1"},
        {.destination = "/a", .chmod = "700"},
        {.destination = "/a", .link = true},
        {.destination = "/a", .add = true},
    };
    char digests[sizeof requests / sizeof *requests][DIGEST_LEN + 1];

    files_make(from, "f x 644 X");
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        scene_plan(&requests[i], "x", digests[i]);
        for (size_t k = 0; k < i; k++)
            ck_assert_str_ne(digests[i], digests[k]);
    }
}
END_TEST

/* What the cache remembers must be what is in the layer, even if a file changed in between. */
START_TEST(a_file_that_changes_is_known_as_it_was_copied)
{
    const struct tree tree = {.root = from, .what = "build context"};
    const struct copy_target target = {stage, -1};
    cleanup_strv struct strv sources = {0};
    struct copy_request request = {
        .from = &tree, .sources = &sources, .destination = "/", .epoch = 0};
    char planned[DIGEST_LEN + 1], copied[DIGEST_LEN + 1], again[DIGEST_LEN + 1];
    struct copy_plan *plan;

    strv_add(&sources, "d");
    files_make(from, "d d 755; f d/a 644 old");
    ck_assert_int_eq(copy_plan(&request, &plan, &err), 0);
    copy_plan_digest(plan, planned);
    files_make(from, "f d/a 644 newer");
    ck_assert_msg(!copy_apply(plan, &target, &err), "%s", err.message);
    copy_plan_digest(plan, copied);
    copy_plan_free(plan);
    ck_assert_int_eq(copy_plan(&request, &plan, &err), 0);
    copy_plan_digest(plan, again);
    copy_plan_free(plan);
    ck_assert_str_ne(planned, copied);
    ck_assert_str_eq(copied, again);
}
END_TEST

/* --- what is remembered of files -------------------------------------------------------------- */

static struct stat old_file(ino_t inode)
{
    return (struct stat){.st_ino = inode, .st_dev = 1, .st_size = 3, .st_ctim = {.tv_sec = WHEN}};
}

START_TEST(what_a_file_has_is_remembered_while_it_does_not_change)
{
    char digest[DIGEST_LEN + 1], found[DIGEST_LEN + 1];
    struct stat a = old_file(1), b = old_file(2), fresh = old_file(3);
    struct hashes *h = hashes_open(store, from);

    digest_of("x", 1, digest);
    clock_gettime(CLOCK_REALTIME, &fresh.st_ctim);
    ck_assert(!hashes_find(h, &a, found));
    hashes_note(h, &a, digest);
    hashes_note(h, &b, digest);
    hashes_note(h, &fresh, digest);
    hashes_close(h);
    h = hashes_open(store, from);
    ck_assert(hashes_find(h, &a, found));
    ck_assert_str_eq(found, digest);
    ck_assert_msg(!hashes_find(h, &fresh, found), "it may change within the same tick");
    a.st_ctim.tv_nsec++;
    ck_assert(!hashes_find(h, &a, found));
    a = old_file(1);
    a.st_size++;
    ck_assert(!hashes_find(h, &a, found));
    b.st_dev++;
    ck_assert(!hashes_find(h, &b, found));
    hashes_close(h);
}
END_TEST

START_TEST(broken_notes_are_none)
{
    char digest[DIGEST_LEN + 1], found[DIGEST_LEN + 1];
    struct stat a = old_file(1);
    struct hashes *h = hashes_open(store, -1);
    cleanup_buf struct buf file = {0};

    digest_of("x", 1, digest);
    hashes_note(h, &a, digest);
    hashes_close(h);
    ck_assert_int_eq(file_load(store->root_fd, "build/hashes/images", 1 << 20, &file, &err), 0);
    for (size_t i = 0; i < file.len; i += 7) {
        file.data[i] ^= 1;
        ck_assert_int_eq(file_store(store->root_fd, "build/hashes/images", file.data,
                                    i % 2 ? file.len : i, 0600, false, &err),
                         0);
        h = hashes_open(store, -1);
        ck_assert(!hashes_find(h, &a, found));
        hashes_close(h);
        file.data[i] ^= 1;
    }
}
END_TEST

/* --- somebody exchanges files ----------------------------------------------------------------- */

static atomic_bool over;

/* A directory and a file of the context become symlinks to what is outside, and again, and again.
 */
static void *exchange(void *context)
{
    (void)context;
    while (!over) {
        renameat2(from, "d", from, "evil", RENAME_EXCHANGE);
        renameat2(from, "f", from, "g", RENAME_EXCHANGE);
    }
    return NULL;
}

START_TEST(nothing_outside_is_read_whatever_the_context_becomes)
{
    cleanup_free char *secret = str_format("%s/below", scene), *file = NULL;
    pthread_t thread;

    file = str_format("%s/x", secret);
    files_make(below, "f x 644 SECRET");
    files_make(from, "d d 755; f d/x 644 fine; f f 644 fine");
    ck_assert_int_eq(symlinkat(secret, from, "evil"), 0);
    ck_assert_int_eq(symlinkat(file, from, "g"), 0);
    over = false;
    ck_assert_int_eq(pthread_create(&thread, NULL, exchange, NULL), 0);
    for (int i = 0; i < 400; i++) {
        static const char *const words[] = {".", "d", "f", "d/x", "*"};
        struct copy_request copy = {.destination = "/t/", .unpack = -1, .epoch = COPY_NO_EPOCH};
        cleanup_free char *told = NULL;

        scene_copy(&copy, words[i % 5], (char[DIGEST_LEN + 1]){0}); /* may fail */
        told = files_tell(stage);
        ck_assert_msg(!strstr(told, "SECRET"), "%s", told);
        ck_assert_int_eq(file_remove_tree(stage, "t", &err), 0);
    }
    over = true;
    pthread_join(thread, NULL);
}
END_TEST

SUITE(build_digest)
{
    TCase *t = tcase_create("digest");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, scene_make, scene_remove);
    tcase_add_test(t, times_are_the_sources_unless_there_is_an_epoch);
    tcase_add_test(t, with_an_epoch_the_day_does_not_matter);
    tcase_add_loop_test(t, the_digest_is_of_all_that_counts, 0, sizeof changes / sizeof *changes);
    tcase_add_test(t, the_digest_is_of_what_was_asked_for_too);
    tcase_add_test(t, a_file_that_changes_is_known_as_it_was_copied);
    tcase_add_test(t, what_a_file_has_is_remembered_while_it_does_not_change);
    tcase_add_test(t, broken_notes_are_none);
    tcase_add_test(t, nothing_outside_is_read_whatever_the_context_becomes);
    suite_add_tcase(suite, t);
}
