/* The book: built from a small tutorial of the tests' own and from the real one, every link leads
 * somewhere, nothing is fetched from elsewhere, and in a browser as narrow as a phone nothing but
 * code scrolls sideways. */
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "support/run.h"
#include "support/suite.h"
#include "tutorial/chapters.h"

static char *work, *book;
static struct strv pages;
static struct buf wrong;

static int note_page(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    if (type == FTW_F && str_ends(path, ".html"))
        strv_add(&pages, path);
    return 0;
}

static void make_book(const char *tutorial)
{
    struct run_result r = {0};

    strv_free(&pages);
    book = str_format("%s/book", work);
    RUN_OK(&r, NULL, SOURCE_DIR "/tutorial/book/build.sh", tutorial, book);
    ck_assert_str_eq(r.err.data, "");
    run_free(&r);
    nftw(book, note_page, 16, FTW_PHYS);
    ck_assert_uint_gt(pages.len, 0);
}

static void begin(void)
{
    work = temp_dir();
}

static void end(void)
{
    temp_dir_remove(work);
    free(book);
    strv_free(&pages);
    buf_free(&wrong);
}

static char *load(const char *path)
{
    struct buf b = {0};
    struct err err = {0};

    ck_assert_msg(!file_load(AT_FDCWD, path, 16 << 20, &b, &err), "%s", err.message);
    return buf_steal(&b);
}

/* "page.html#part", seen from `page` */
static void check_link(const char *page, const char *link)
{
    cleanup_free char *name = str_copy_n(link, strcspn(link, "#")), *file = NULL, *text = NULL,
                      *id = NULL;
    const char *hash = strchr(link, '#');

    if (str_starts(link, "data:"))
        return;
    file = *name ? str_format("%.*s/%s", (int)(strrchr(page, '/') - page), page, name)
                 : str_copy(page);
    if (access(file, R_OK) < 0) {
        buf_printf(&wrong, "%s: '%s' leads nowhere\n", page, link);
        return;
    }
    if (!hash)
        return;
    text = load(file);
    id = str_format("id=\"%s\"", hash + 1);
    if (!strstr(text, id))
        buf_printf(&wrong, "%s: '%s': the page has no such part\n", page, link);
}

/* Links may lead out into the world; what a page needs to be shown may not. */
static void check_page(const char *page)
{
    static const char *const fetched[] = {"<script", "<img", "<iframe",
                                          "@import", "url(", " src=\""};
    cleanup_free char *text = load(page);

    for (size_t i = 0; i < sizeof fetched / sizeof *fetched; i++)
        if (strstr(text, fetched[i]) && !strstr(text, "&lt;script"))
            buf_printf(&wrong, "%s: has '%s'\n", page, fetched[i]);
    for (const char *at = strstr(text, "href=\""); at; at = strstr(at, "href=\"")) {
        cleanup_free char *link = NULL;

        at += strlen("href=\"");
        link = str_copy_n(at, strcspn(at, "\""));
        if (!str_starts(link, "http://") && !str_starts(link, "https://"))
            check_link(page, link);
    }
}

static void check_pages(void)
{
    for (size_t i = 0; i < pages.len; i++)
        check_page(pages.items[i]);
    ck_assert_msg(!wrong.len, "%s", wrong.data);
}

static const char fixture[] = SOURCE_DIR "/tests/tutorial/fixtures/book";

START_TEST(every_link_of_the_tests_book_leads_somewhere)
{
    cleanup_free char *first = NULL, *page = NULL;

    make_book(fixture);
    check_pages();
    ck_assert_uint_eq(pages.len, 4); /* contents, two chapters, an answer */
    page = str_format("%s/01-first.html", book);
    first = load(page);
    ck_assert_ptr_nonnull(strstr(first, "rel=\"prev\" href=\"00-start.html\""));
    ck_assert_ptr_null(strstr(first, "rel=\"next\""));
    ck_assert_ptr_nonnull(strstr(first, "<span class=\"prompt root\"># </span>"));
    ck_assert_ptr_nonnull(strstr(first, "<svg "));
    ck_assert_ptr_nonnull(strstr(first, "<div class=\"path\">src/a.c: end</div>"));
    ck_assert_ptr_nonnull(strstr(first, "class=\"goal\""));
}
END_TEST

START_TEST(a_link_to_nowhere_is_found)
{
    cleanup_free char *page = NULL;
    struct err err = {0};
    static const char text[] =
        "<a href=\"no.html\"></a><a href=\"#no\"></a><script src=\"x\"></script>";

    page = str_format("%s/page.html", work);
    ck_assert(!file_create(AT_FDCWD, page, text, strlen(text), 0600, &err));
    check_page(page);
    ck_assert_ptr_nonnull(strstr(wrong.data, "'no.html' leads nowhere"));
    ck_assert_ptr_nonnull(strstr(wrong.data, "'#no': the page has no such part"));
    ck_assert_ptr_nonnull(strstr(wrong.data, "has '<script'"));
}
END_TEST

START_TEST(every_link_of_the_book_leads_somewhere)
{
    if (!chapters_list()->len)
        return; /* nothing is written yet */
    make_book(SOURCE_DIR "/tutorial");
    check_pages();
}
END_TEST

/* --- in a browser ---------------------------------------------------------------------------- */

/* A page that holds each page in a frame of a phone's width, one after the other, and writes down
 * how wide it is and its colour. */
static const char harness_head[] = "<!DOCTYPE html><meta name=\"color-scheme\" content=\"light "
                                   "dark\"><pre id=\"out\"></pre><script>\n"
                                   "const pages = [";
static const char harness_tail[] =
    "];\n"
    "const out = document.getElementById('out');\n"
    "function next() {\n"
    "    const page = pages.shift();\n"
    "    if (!page) { out.textContent += 'done\\n'; return; }\n"
    "    const frame = document.createElement('iframe');\n"
    "    frame.style = 'width:360px;height:640px;border:0';\n"
    "    frame.onload = () => {\n"
    "        const d = frame.contentDocument;\n"
    "        const colour = frame.contentWindow.getComputedStyle(d.body).backgroundColor;\n"
    "        out.textContent += page + ' ' + d.documentElement.scrollWidth + ' ' + colour + "
    "'\\n';\n"
    "        frame.remove();\n"
    "        next();\n"
    "    };\n"
    "    frame.src = page;\n"
    "    document.body.append(frame);\n"
    "}\n"
    "next();\n"
    "</script>\n";

static char *write_harness(void)
{
    cleanup_buf struct buf b = {0};
    char *path = str_format("%s/harness.html", work);
    struct err err = {0};

    buf_add_str(&b, harness_head);
    for (size_t i = 0; i < pages.len; i++)
        buf_printf(&b, "\"%s\",", pages.items[i] + strlen(work) + 1);
    buf_add_str(&b, harness_tail);
    ck_assert(!file_create(AT_FDCWD, path, b.data, b.len, 0600, &err));
    return path;
}

static void browse(const char *harness, const char *scheme, const char *colour)
{
    cleanup_free char *url = str_format("file://%s", harness);
    cleanup_free char *data = str_format("--user-data-dir=%s/%s", work, colour);
    struct run_options o = {.timeout_s = 100};
    struct run_result r = {0};
    size_t seen = 0;

    RUN(&r, &o, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
        "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", "--hide-scrollbars", "--allow-file-access-from-files",
        "--enable-logging=stderr", data, scheme, "--virtual-time-budget=20000", "--dump-dom", url);
    ck_assert_msg(strstr(r.out.data, "\ndone\n") != NULL, "exit %d\n%s\n%s", r.code, r.out.data,
                  r.err.data);
    ck_assert_msg(!strstr(r.err.data, ":CONSOLE"), "%s", r.err.data);
    for (size_t i = 0; i < pages.len; i++) {
        cleanup_free char *line =
            str_format("%s 360 rgb(%s)", pages.items[i] + strlen(work) + 1, colour);

        seen += strstr(r.out.data, line) != NULL;
    }
    ck_assert_msg(seen == pages.len, "every page ought to be 360 wide and in rgb(%s):\n%s", colour,
                  r.out.data);
    run_free(&r);
}

START_TEST(pages_fit_a_phone_in_light_and_dark)
{
    cleanup_free char *harness = NULL;

    if (_i && !chapters_list()->len)
        return;
    make_book(_i ? SOURCE_DIR "/tutorial" : fixture);
    harness = write_harness();
    browse(harness, "--blink-settings=preferredColorScheme=1", "255, 255, 255");
    browse(harness, "--blink-settings=preferredColorScheme=0", "15, 19, 24");
}
END_TEST

static const char *no_pandoc(void)
{
    return run_has_program("pandoc") ? NULL : "there is no pandoc";
}
TAG("pandoc", no_pandoc)

static const char *no_chromium(void)
{
    if (no_pandoc())
        return no_pandoc();
    return run_has_program("chromium") ? NULL : "there is no chromium (tests/deps.sh book)";
}
TAG("chromium", no_chromium)

SUITE(book)
{
    TCase *links = tcase_create("links"), *browser = tcase_create("browser");

    tcase_add_checked_fixture(links, begin, end);
    tcase_set_tags(links, "pandoc");
    tcase_set_timeout(links, 60);
    tcase_add_test(links, every_link_of_the_tests_book_leads_somewhere);
    tcase_add_test(links, a_link_to_nowhere_is_found);
    tcase_add_test(links, every_link_of_the_book_leads_somewhere);
    tcase_add_checked_fixture(browser, begin, end);
    tcase_set_tags(browser, "chromium");
    tcase_set_timeout(browser, 250);
    tcase_add_loop_test(browser, pages_fit_a_phone_in_light_and_dark, 0, 2);
    suite_add_tcase(suite, links);
    suite_add_tcase(suite, browser);
}
