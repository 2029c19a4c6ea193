/* import from everywhere and in every packing; insert. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "engine/world.h"
#include "support/fake_registry.h"

#define MADE "made:1"

static struct fake_registry *web;

static void start(void)
{
    cleanup_run struct run_result r = {0};

    world_clear();
    COOPER(&r, "rmi", "-f", MADE);
    web = fake_start();
}

static void stop(void)
{
    fake_stop(web);
    web = NULL;
}

static char *url_of(const char *path)
{
    return str_format("http://%s%s", fake_address(web), path);
}

/* A template as hosting companies have them: a whole system with "./" before every name, device
 * nodes, hard links and set-user-ID programs. */
static char *make_template(const char *name, const char *packing)
{
    cleanup_free char *dir = world_path("template");
    char *file = world_path(name);
    cleanup_free char *script = str_format(
        "rm -rf %s; mkdir -p %s/bin %s/dev %s/etc/init.d %s/root; cd %s;"
        "cp /usr/bin/busybox bin/busybox; ln bin/busybox bin/sh; ln -s busybox bin/cat;"
        "ln -s busybox bin/stat; chmod 4755 bin/busybox; mknod dev/null c 1 3; mknod dev/sda b 8 0;"
        "mkfifo dev/initctl; echo template >etc/issue; chmod 700 root; tar -c . | %s >%s; rm -rf "
        "%s",
        dir, dir, dir, dir, dir, dir, packing, file, dir);
    cleanup_run struct run_result r = {0};

    RUN_OK(&r, NULL, "sh", "-ec", script);
    return file;
}

/* Serves a file and removes it. */
static void serve(const char *path, const char *file)
{
    cleanup_buf struct buf text = {0};
    struct err err = {0};

    ck_assert_int_eq(file_load(AT_FDCWD, file, 64 << 20, &text, &err), 0);
    fake_serve(web, path, "application/gzip", text.data, text.len);
    unlink(file);
}

static void check_runs(void)
{
    EXPECT(0, "template\n4755 2\n700\n", "", "run", "--rm", MADE, "sh", "-c",
           "cat /etc/issue; stat -c '%a %h' /bin/sh; stat -c %a /root");
}

/* --- import ----------------------------------------------------------------------------------- */

static const char *const packings[] = {"cat", "gzip", "bzip2", "xz", "zstd -q"};

START_TEST(a_template_is_imported_and_runs)
{
    cleanup_free char *file = make_template("template.tar", packings[_i]);

    EXPECT(0, NULL, "", "import", file, MADE);
    EXPECT(0, "Imported from -\n", "", "inspect", "-f", "{{.Comment}}", MADE);
    check_runs();
    unlink(file);
}
END_TEST

START_TEST(an_address_is_fetched)
{
    cleanup_free char *file = make_template("template.tar.gz", "gzip"), *url = url_of("/t.tar.gz");

    serve("/t.tar.gz", file);
    EXPECT(0, NULL, "", "import", "-m", "by web", "--change", "ENV A=b", url, MADE);
    EXPECT(0, "by web [A=b]\n", "", "inspect", "-f", "{{.Comment}} {{.Config.Env}}", MADE);
    check_runs();
}
END_TEST

START_TEST(a_transfer_that_breaks_off_goes_on)
{
    cleanup_free char *file = make_template("template.tar.gz", "gzip"), *url = url_of("/t.tar.gz");

    serve("/t.tar.gz", file);
    fake_break(web, &(struct fake_rule){.path = "/t.tar.gz", .times = 2, .cut = 300000});
    EXPECT(0, NULL, "", "import", url, MADE);
    ck_assert_uint_eq(fake_count(web, "\r\nRange: bytes=300000-\r\n"), 1);
    check_runs();
}
END_TEST

START_TEST(redirects_are_followed_and_end)
{
    cleanup_free char *file = make_template("template.tar.gz", "gzip"), *url = url_of("/moved");
    cleanup_free char *loop = url_of("/loop");

    serve("/t.tar.gz", file);
    fake_break(web, &(struct fake_rule){
                        .path = "/moved", .status = 302, .headers = "Location: /t.tar.gz\r\n"});
    fake_break(
        web, &(struct fake_rule){.path = "/loop", .status = 302, .headers = "Location: /loop\r\n"});
    EXPECT(0, NULL, "", "import", url, MADE);
    EXPECT(1, "", "stopped after 10 redirects", "import", loop, "other:1");
}
END_TEST

static const struct {
    struct fake_rule rule;
    const char *message;
} failures[] = {
    {{.path = "/x", .status = 404}, "the server answered with status 404"},
    {{.path = "/x", .status = 200, .body = "<html>hello</html>"}, "cannot import 'http://"},
    {{.path = "/x", .status = 302, .headers = "Location: file:///etc/passwd\r\n"},
     "is no http or https address: refused"},
    {{.path = "/x", .status = 200, .body = "0123456789", .no_range = true, .cut = 5},
     "the server cannot go on from there"},
};

START_TEST(what_cannot_be_imported_leaves_nothing)
{
    cleanup_free char *url = url_of("/x"), *before = OUTPUT("images", "-aq"), *after = NULL;
    cleanup_free char *staging = str_format("%s/staging", world_root());
    cleanup_run struct run_result r = {0};

    fake_break(web, &failures[_i].rule);
    EXPECT(1, "", failures[_i].message, "import", url, MADE);
    after = OUTPUT("images", "-aq");
    ck_assert_str_eq(before, after);
    RUN_OK(&r, NULL, "ls", staging);
    ck_assert_str_eq(r.out.data, "");
}
END_TEST

START_TEST(a_platform_is_written_down)
{
    cleanup_free char *file = make_template("template.tar", "cat");

    EXPECT(0, NULL, "", "import", "--platform", "linux/arm/v6", file, MADE);
    EXPECT(0, "linux arm v6\n", "", "inspect", "-f", "{{.Os}} {{.Architecture}} {{.Variant}}",
           MADE);
    EXPECT(0, NULL,
           "WARNING: The requested image's platform (linux/arm/v6) does not match the detected "
           "host platform (",
           "create", MADE, "sh");
    EXPECT(0, NULL, "", "create", "--platform", "linux/arm/v6", MADE, "sh");
    EXPECT(0, NULL, "", "create", BOX, "sh");
    world_clear();
    EXPECT(1, "", "unknown operating system or architecture", "import", "--platform",
           "linux/abacus", file);
    unlink(file);
}
END_TEST

/* --- insert ----------------------------------------------------------------------------------- */

START_TEST(a_file_is_inserted)
{
    cleanup_free char *url = url_of("/file"), *id = NULL, *parent = NULL, *box = NULL;

    fake_serve(web, "/file", NULL, "content\n", 8);
    id = OUTPUT("insert", BOX, url, "/data/new/dir/file");
    box = world_inspect(BOX, "{{.Id}}");
    parent = world_inspect(id, "{{.Parent}}");
    ck_assert_str_eq(parent, box);
    EXPECT(0, "content\n644 0:0\n755\n", "", "run", "--rm", id, "sh", "-c",
           "cd /data/new; cat dir/file; stat -c '%a %u:%g' dir/file; stat -c %a dir");
    EXPECT(0, NULL, "", "rmi", id);
}
END_TEST

/* Where the image's links lead, and not where they would lead here. */
START_TEST(an_inserted_file_goes_where_the_image_says)
{
    cleanup_free char *url = url_of("/file"), *id = NULL, *outside = world_path("outside");
    cleanup_free char *link =
        str_format("ln -s %s /link; mkdir -p /data/real; ln -s /data/real /l2;"
                   "chmod 711 /data; ln -s /etc/passwd /data/real/file",
                   outside);

    fake_serve(web, "/file", NULL, "content\n", 8);
    EXPECT(0, NULL, "", "run", "--name", "cc", BOX, "sh", "-c", link);
    EXPECT(0, NULL, "", "commit", "cc", MADE);
    id = OUTPUT("insert", MADE, url, "/l2/file");
    EXPECT(0, "content\n711\n", "", "run", "--rm", id, "sh", "-c",
           "test ! -L /data/real/file && cat /data/real/file; stat -c %a /data;"
           "! grep -q content /etc/passwd");
    EXPECT(0, NULL, "", "rmi", id);
    id = (free(id), OUTPUT("insert", MADE, url, "/link/file"));
    ck_assert_int_lt(access(outside, F_OK), 0);
    EXPECT(0, NULL, "", "rmi", id);
}
END_TEST

START_TEST(inserts_that_cannot_be_are_told)
{
    cleanup_free char *url = url_of("/none");

    EXPECT(1, "", "'file' is not an http or https address\n", "insert", BOX, "file", "/x");
    EXPECT(1, "", "'x' is not an absolute path in the image\n", "insert", BOX, url, "x");
    EXPECT(1, "", "No such image: nosuch:latest", "insert", "nosuch", url, "/x");
    EXPECT(1, "", "status 404", "insert", BOX, url, "/x");
    EXPECT(1, "", "cannot replace '/data'", "insert", BOX, url, "/data");
}
END_TEST

SUITE(import)
{
    const TTest *const tests[] = {
        an_address_is_fetched,
        a_transfer_that_breaks_off_goes_on,
        redirects_are_followed_and_end,
        a_platform_is_written_down,
        a_file_is_inserted,
        an_inserted_file_goes_where_the_image_says,
        inserts_that_cannot_be_are_told,
    };
    TCase *t = tcase_create("import");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, start, stop);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(t, tests[i]);
    tcase_add_loop_test(t, a_template_is_imported_and_runs, 0, sizeof packings / sizeof *packings);
    tcase_add_loop_test(t, what_cannot_be_imported_leaves_nothing, 0,
                        sizeof failures / sizeof *failures);
    suite_add_tcase(suite, t);
}
