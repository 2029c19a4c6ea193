/* The rules of the tree, held by a test: arrows between rooms point down, files and functions stay
 * small, and nothing shells out or sleeps. Each rule looks at every source line; a violation names
 * file and line. */
#include "support/suite.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "support/sources.h"

enum { MAX_FILE_LINES = 600, MAX_FUNCTION_LINES = 60, MAX_MEDIAN_LINES = 18 };

/* The rooms, top down. Equal levels are siblings. */
static const struct room {
    const char *name;
    int level;
} rooms[] = {
    {"cli", 6},   {"compose", 5},  {"build", 4},   {"engine", 3},  {"runtime", 2},
    {"image", 2}, {"registry", 2}, {"network", 2}, {"storage", 2}, {"base", 1},
};

static struct strv sources;   /* absolute paths of all .c and .h files */
static struct buf violations; /* one a line */

static const struct room *room_named(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++)
        if (strlen(rooms[i].name) == len && !memcmp(rooms[i].name, name, len))
            return &rooms[i];
    return NULL;
}

/* The path as a reader knows it: below the source directory. */
static const char *shown(const char *path)
{
    return path + strlen(SOURCE_DIR) + 1;
}

static bool below(const char *path, const char *directory)
{
    return str_starts(shown(path), directory);
}

static void violation(const char *path, int line, const char *what, const char *detail)
{
    buf_printf(&violations, "  %s:%d: %s%s\n", shown(path), line, what, detail);
}

static int note_source(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    if (type == FTW_F && (str_ends(path, ".c") || str_ends(path, ".h")))
        strv_add(&sources, path);
    return 0;
}

static void find_sources(void)
{
    static const char *const directories[] = {"final", "steps", "tests"};

    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        char *path = str_format("%s/%s", SOURCE_DIR, directories[i]);

        nftw(path, note_source, 16, FTW_PHYS); /* steps/ need not be there */
        free(path);
    }
}

static void forget_sources(void)
{
    strv_free(&sources);
    buf_free(&violations);
}

static void check_all(const char *directory, source_rule *rule, const char *law)
{
    ck_assert_msg(sources.len > 20, "only %zu sources below %s", sources.len, SOURCE_DIR);
    for (size_t i = 0; i < sources.len; i++)
        if (below(sources.items[i], directory))
            source_for_lines(sources.items[i], rule);
    ck_assert_msg(violations.len == 0, "%s\n%s", law, violations.data ? violations.data : "");
}

/* --- arrows
 * --------------------------------------------------------------------------------------- */

/* "#include "room/header.h"" from a file of another room: only downwards or sideways, and only what
 * that room makes public: the header of its own name, engine's protocol, all of base. */
static void check_include(const char *path, int line, const char *text)
{
    const char *own = shown(path) + strlen("final/"), *name = text, *slash;
    const struct room *from = room_named(own, strcspn(own, "/")), *to;
    char *public;

    if (!str_starts(text, "#include \""))
        return;
    name += strlen("#include \"");
    slash = strchr(name, '/');
    to = slash ? room_named(name, (size_t)(slash - name)) : NULL;
    if (!to || !from || to == from || str_equal(to->name, "base"))
        return;
    if (to->level > from->level)
        violation(path, line, "an arrow that points up: ", text);
    public = str_format("%s/%s.h\"", to->name, to->name);
    if (!str_equal(name, public) && !str_starts(name, "engine/attach.h"))
        violation(path, line, "another room's private header: ", text);
    free(public);
}

START_TEST(arrows_point_down)
{
    check_all(
        "final/", check_include,
        "cli > compose > build > engine > runtime, image, registry, network, storage > base:");
}
END_TEST

/* --- sizes
 * ---------------------------------------------------------------------------------------- */

START_TEST(files_are_short)
{
    for (size_t i = 0; i < sources.len; i++) {
        int lines = source_for_lines(sources.items[i], NULL);

        if (lines > MAX_FILE_LINES)
            violation(sources.items[i], lines, "the file is too long", "");
    }
    ck_assert_msg(violations.len == 0, "at most %d lines a file:\n%s", MAX_FILE_LINES,
                  violations.data ? violations.data : "");
}
END_TEST

static int opened;   /* the line of the function's "{", 0 outside */
static int *lengths; /* of all functions so far */
static size_t functions;

static void measure_function(const char *path, int line, const char *text)
{
    int length = source_function_end(&opened, line, text);
    char detail[32];

    if (length < 0)
        return;
    lengths = mem_grow(lengths, functions + 1, sizeof *lengths);
    lengths[functions++] = length;
    snprintf(detail, sizeof detail, "%d lines", length);
    if (length > MAX_FUNCTION_LINES)
        violation(path, line, "the function is too long: ", detail);
}

START_TEST(functions_are_short)
{
    int median;

    check_all("", measure_function, "at most 60 lines a function:");
    median = source_median(lengths, (int)functions);
    free(lengths);
    ck_assert_msg(median <= MAX_MEDIAN_LINES, "%zu functions have a median of %d lines, over %d",
                  functions, median, MAX_MEDIAN_LINES);
}
END_TEST

/* --- what is never called
 * ------------------------------------------------------------------------- */

static bool is_word(char c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static void check_calls(const char *path, int line, const char *text)
{
    static const char *const banned[] = {"system(", "popen(", "sleep(", "usleep(", "nanosleep("};
    const char *comment = strstr(text, "/*");
    const char *first = text + strspn(text, " \t");

    if (*first == '*' || str_starts(first, "//"))
        return; /* inside a comment: "sleep(3)" may be spoken of */
    for (size_t i = 0; i < sizeof banned / sizeof *banned; i++) {
        const char *at = strstr(text, banned[i]);

        if (at && (at == text || !is_word(at[-1])) && (!comment || at < comment))
            violation(path, line, "calls ", banned[i]);
    }
}

START_TEST(nothing_shells_out_or_sleeps)
{
    static const char law[] = "no shell between us and the kernel, no waiting by the clock:";

    check_all("final/", check_calls, law);
    check_all("steps/", check_calls, law);
}
END_TEST

SUITE(tree)
{
    TCase *t = tcase_create("rules");

    tcase_add_checked_fixture(t, find_sources, forget_sources);
    tcase_add_test(t, arrows_point_down);
    tcase_add_test(t, files_are_short);
    tcase_add_test(t, functions_are_short);
    tcase_add_test(t, nothing_shells_out_or_sleeps);
    suite_add_tcase(suite, t);
}
