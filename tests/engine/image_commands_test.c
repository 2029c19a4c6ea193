/* tag, history, images, rmi and image prune: what a real docker prints, word for word. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "engine/world.h"

/* box:1 <- kid:1 <- kid:2, each with a layer of its own; the containers are gone. */
static void make_family(void)
{
    EXPECT(0, NULL, "", "run", "--name", "cc", BOX, "sh", "-c", "echo hi >/data/f");
    EXPECT(0, NULL, "", "commit", "-m", "msg", "cc", "kid:1");
    EXPECT(0, NULL, "", "rm", "cc");
    EXPECT(0, NULL, "", "run", "--name", "cc", "kid:1", "sh", "-c",
           "echo hi >/data/g; : a very long command line that goes on and on");
    EXPECT(0, NULL, "", "commit", "-m", "msg two", "cc", "kid:2");
    EXPECT(0, NULL, "", "rm", "cc");
}

/* Removes what `images` lists in this form, except `kept`. */
static void remove_all_but(const char *format, const char *kept)
{
    cleanup_free char *list = OUTPUT("images", "-a", "--no-trunc", "--format", format);

    for (char *rest = list, *item; (item = strsep(&rest, "\n")) && *item;) {
        cleanup_run struct run_result r = {0};

        if (strcmp(item, kept))
            COOPER(&r, "rmi", "-f", item);
    }
}

/* Everything but the box: first other names, then other images, newest first. */
static void clear(void)
{
    cleanup_free char *box = NULL;

    world_clear();
    box = OUTPUT("inspect", "-f", "{{.Id}}", BOX);
    remove_all_but("{{.Repository}}:{{.Tag}}", BOX);
    remove_all_but("{{.ID}}", box);
}

static char *id_of(const char *name)
{
    return world_inspect(name, "{{.Id}}");
}

/* --- tag -------------------------------------------------------------------------------------- */

START_TEST(a_tag_is_one_more_name)
{
    cleanup_free char *box = id_of(BOX), *other = NULL;

    EXPECT(0, "", "", "tag", BOX, "lab:5000/me/other:2");
    other = id_of("lab:5000/me/other:2");
    ck_assert_str_eq(box, other);
    EXPECT(0, "", "", "tag", box, "kid");
    EXPECT(0, "kid:latest\n", "", "images", "--format", "{{.Repository}}:{{.Tag}}", "kid");
    make_family();
    EXPECT(0, "", "", "tag", "kid:2", "kid:latest"); /* the name moves */
    EXPECT(0, "msg two\n", "", "inspect", "-f", "{{.Comment}}", "kid");
}
END_TEST

static const struct {
    const char *source, *target, *message;
} bad_tags[] = {
    {"nosuch", "x:1", "Error response from daemon: No such image: nosuch:latest\n"},
    {BOX, "UPPER:1",
     "Error parsing reference: \"UPPER:1\" is not a valid repository/tag: invalid reference "
     "format: "
     "repository name (library/UPPER) must be lowercase\n"},
    {"UPPER:1", "x:1", "Error parsing reference: \"UPPER:1\" is not a valid repository/tag"},
    {BOX, "x@sha256:74d99b849017e6b017e26bed6c0e47a63e8022391f73e1187ca44a51f54ebfbb",
     "refusing to create a tag with a digest reference\n"},
    {BOX, "74d99b849017e6b017e26bed6c0e47a63e8022391f73e1187ca44a51f54ebfbb",
     "cannot specify 64-byte hexadecimal strings\n"},
};

START_TEST(bad_tags_are_refused)
{
    EXPECT(1, "", bad_tags[_i].message, "tag", bad_tags[_i].source, bad_tags[_i].target);
}
END_TEST

/* --- history ---------------------------------------------------------------------------------- */

START_TEST(history_tells_the_steps)
{
    cleanup_free char *expected = NULL, *two = NULL, *one = NULL, *box = NULL, *sizes = NULL;

    make_family();
    two = id_of("kid:2");
    one = id_of("kid:1");
    box = id_of(BOX);
    expected = str_format("%.12s|sh -c echo hi >/data/g; : a very long comman…|3B|msg two\n"
                          "%.12s|sh -c echo hi >/data/f|3B|msg\n",
                          two + 7, one + 7);
    ck_assert_msg(str_starts(EXPECT(0, NULL, "", "history", "--format",
                                    "{{.ID}}|{{.CreatedBy}}|{{.Size}}|{{.Comment}}", "kid:2"),
                             expected),
                  "not %s", expected);
    free(expected);
    expected = str_format("%s\n%s\n%s\n", two, one, box);
    EXPECT(0, expected, "", "history", "-q", "--no-trunc", "kid:2");
    sizes = OUTPUT("history", "-H=false", "--format", "{{.Size}}", "kid:2");
    ck_assert_msg(str_starts(sizes, "3\n3\n"), "%s", sizes);
    ck_assert(str_starts(EXPECT(0, NULL, "", "history", "kid:2"), "IMAGE          CREATED"));
    ck_assert(str_starts(EXPECT(0, NULL, "", "history", "-H=false", "kid:2"),
                         "IMAGE          CREATED AT             CREATED BY"));
    EXPECT(0, "true\n", "", "history", "-H=false", "--format", /* for programs: a time */
           "{{if eq .CreatedSince .CreatedAt}}true{{end}}", BOX);
    EXPECT(1, "", "No such image: nosuch:latest", "history", "nosuch");
    EXPECT(1, "", "does not provide the specified platform (linux/s390x)", "history", "--platform",
           "linux/s390x", BOX);
}
END_TEST

/* --- images ----------------------------------------------------------------------------------- */

#define NAMES "--format", "{{.Repository}}:{{.Tag}}"

START_TEST(images_are_filtered)
{
    make_family();
    EXPECT(0, "kid:2\nkid:1\n", "", "images", NAMES, "kid");
    EXPECT(0, "kid:2\n", "", "images", NAMES, "k?d:2");
    EXPECT(0, "kid:1\nbox:1\n", "", "images", NAMES, "--filter", "before=kid:2");
    EXPECT(0, "kid:2\n", "", "images", NAMES, "--filter", "since=kid:1");
    EXPECT(0, "kid:2\nkid:1\nbox:1\n", "", "images", NAMES, "--filter", "until=2100-01-01");
    EXPECT(0, "", "", "images", NAMES, "--filter", "until=1h");
    EXPECT(0, "kid:2\nbox:1\n", "", "images", NAMES, "--filter", "reference=kid:2", "box");
    EXPECT(0, "", "", "images", NAMES, "--filter", "dangling=true");
    EXPECT(0, NULL, "", "run", "--name", "cc", "-l", "a=1", "-l", "b=2", BOX, "true");
    EXPECT(0, NULL, "", "commit", "cc", "kid:3");
    EXPECT(0, "kid:3\n", "", "images", NAMES, "--filter", "label=a=1", "--filter", "label=b");
    EXPECT(0, "", "", "images", NAMES, "--filter", "label=a=1", "--filter", "label=b=1");
    EXPECT(1, "", "No such image: nosuch:latest", "images", "--filter", "since=nosuch");
    EXPECT(1, "", "syntax error in pattern", "images", "--filter", "reference=k[id:1");
    EXPECT(1, "", "syntax error in pattern", "images", "k[");
    EXPECT(0, "kid:2\n", "", "images", NAMES, "k[a-i]d:\\2");
    EXPECT(1, "", "invalid filter 'foo'", "images", "--filter", "foo=bar");
    EXPECT(125, "", "bad format of filter (expected name=value)", "images", "--filter", "foo");
}
END_TEST

START_TEST(steps_on_the_way_are_hidden)
{
    cleanup_free char *one = NULL;

    make_family();
    one = id_of("kid:1");
    EXPECT(0, "Untagged: kid:1\n", "", "rmi", "kid:1"); /* kid:2 was made from it */
    EXPECT(0, "kid:2\nbox:1\n", "", "images", NAMES);
    EXPECT(0, "kid:2\n<none>:<none>\nbox:1\n", "", "images", "-a", NAMES);
    EXPECT(0, "", "", "images", "-q", "--filter", "dangling=true");
    EXPECT(0, "Total reclaimed space: 0B\n", "", "image", "prune", "-f");
}
END_TEST

START_TEST(a_tree_shows_what_grew_out_of_what)
{
    const char *out;

    make_family();
    EXPECT(0, NULL, "", "tag", BOX, "box:2");
    EXPECT(0, NULL, "", "run", "--name", "cc", "kid:2", "true");
    out = EXPECT(0, NULL, "", "images", "--tree");
    ck_assert_msg(str_starts(out,
                             "IMAGE          ID             DISK USAGE   CONTENT SIZE   EXTRA\n"
                             "box:1, box:2   "),
                  "%s", out);
    ck_assert_ptr_nonnull(strstr(out, "\n└─ kid:1       "));
    ck_assert_ptr_nonnull(strstr(out, "\n   └─ kid:2    "));
    ck_assert_ptr_nonnull(strstr(out, "   U\n"));
    EXPECT(1, "", "--quiet is not yet supported with --tree\n", "images", "--tree", "-q");
}
END_TEST

/* --- rmi -------------------------------------------------------------------------------------- */

START_TEST(parents_without_a_name_go_with_their_last_child)
{
    cleanup_free char *one = NULL, *two = NULL, *chains = NULL, *expected = NULL;
    const char *out;

    make_family();
    one = id_of("kid:1");
    two = id_of("kid:2");
    EXPECT(1, "", "(cannot be forced) - image has dependent child images\n", "rmi", "-f", one);
    EXPECT(0, "Untagged: kid:1\n", "", "rmi", "kid:1");
    out = EXPECT(0, NULL, "", "rmi", "kid:2");
    expected = str_format("Untagged: kid:2\nDeleted: %s\nDeleted: sha256:", two);
    ck_assert_msg(str_starts(out, expected), "%s", out);
    free(expected);
    expected = str_format("\nDeleted: %s\nDeleted: sha256:", one);
    ck_assert_msg(strstr(out, expected) != NULL, "%s", out);
    EXPECT(0, "box:1\n", "", "images", "-a", NAMES);
}
END_TEST

START_TEST(no_prune_leaves_the_parents)
{
    make_family();
    EXPECT(0, NULL, "", "rmi", "kid:1");
    EXPECT(0, NULL, "", "rmi", "--no-prune", "kid:2");
    EXPECT(0, "<none>:<none>\nbox:1\n", "", "images", "-a", NAMES);
}
END_TEST

START_TEST(names_go_one_by_one)
{
    cleanup_free char *id = NULL, *expected = NULL;

    make_family();
    id = id_of("kid:2");
    EXPECT(0, NULL, "", "tag", "kid:2", "alias:1");
    expected = str_format("Error response from daemon: conflict: unable to delete %.12s (must be "
                          "forced) - image is referenced in multiple repositories\n",
                          id + 7);
    EXPECT(1, "", expected, "rmi", id);
    EXPECT(0, "Untagged: kid:2\n", "", "rmi", "kid:2");
    EXPECT(1, NULL, "No such image: nosuch:latest\n", "rmi", "nosuch", "alias:1");
    EXPECT(0, "", "No such image: alias:1\n", "rmi", "-f", "alias:1");
}
END_TEST

START_TEST(what_containers_use_stays)
{
    cleanup_free char *image = NULL, *container = NULL, *by_name = NULL, *by_id = NULL;

    make_family();
    EXPECT(0, NULL, "", "run", "--name", "cc", "kid:2", "true");
    image = id_of("kid:2");
    container = world_inspect("cc", "{{.Id}}");
    by_name = str_format("conflict: unable to remove repository reference \"kid:2\" (must force) - "
                         "container %.12s is using its referenced image %.12s\n",
                         container, image + 7);
    by_id = str_format("conflict: unable to delete %.12s (must be forced) - image is being used by "
                       "stopped container %.12s\n",
                       image + 7, container);
    EXPECT(1, "", by_name, "rmi", "kid:2");
    EXPECT(1, "", by_id, "rmi", image);
    EXPECT(0, NULL, "", "tag", "kid:2", "alias:1");
    EXPECT(0, "Untagged: alias:1\n", "", "rmi", "alias:1"); /* another name is left */
    EXPECT(0, "Untagged: kid:2\n", "", "rmi", "-f", "kid:2");
    EXPECT(0, NULL, "", "start", "cc");
    EXPECT(0, "Total reclaimed space: 0B\n", "", "image", "prune", "-f");
}
END_TEST

/* --- prune ------------------------------------------------------------------------------------ */

START_TEST(pruning_asks_first)
{
    cleanup_run struct run_result r = {0};
    const struct run_options no = {.input = "n\n", .input_len = 2},
                             yes = {.input = "y\n", .input_len = 2};

    make_family();
    EXPECT(0, NULL, "", "tag", BOX, "kid:2"); /* the old kid:2 is dangling now */
    world_run(&r, &no, (const char *const[]){"image", "prune", NULL});
    ck_assert_str_eq(r.out.data, "WARNING! This will remove all dangling images.\n"
                                 "Are you sure you want to continue? [y/N] ");
    EXPECT(0, "<none>:<none>\n", "", "images", "--filter", "dangling=true", NAMES);
    world_run(&r, &yes, (const char *const[]){"image", "prune", NULL});
    ck_assert_ptr_nonnull(strstr(r.out.data, "Deleted Images:\ndeleted: sha256:"));
    EXPECT(0, "", "", "images", "--filter", "dangling=true", NAMES);
    EXPECT(0, "kid:1\nbox:1\nkid:2\n", "", "images", NAMES);
}
END_TEST

START_TEST(prune_all_keeps_what_is_in_use)
{
    const char *out;

    make_family();
    EXPECT(0, NULL, "", "run", "--name", "cc", BOX, "true");
    EXPECT(0, "Total reclaimed space: 0B\n", "", "image", "prune", "-af", "--filter", "until=1h");
    EXPECT(0, "Total reclaimed space: 0B\n", "", "image", "prune", "-af", "--filter", "label=no");
    EXPECT(1, "", "failed to parse value as time or duration: \"xx\"", "image", "prune", "-af",
           "--filter", "until=xx");
    out = EXPECT(0, NULL, "", "image", "prune", "-af");
    ck_assert_ptr_nonnull(strstr(out, "untagged: kid:2\n"));
    ck_assert_ptr_nonnull(strstr(out, "untagged: kid:1\n"));
    EXPECT(0, "box:1\n", "", "images", "-a", NAMES);
}
END_TEST

START_TEST(another_platforms_image_is_left_alone)
{
    cleanup_run struct run_result r = {0};

    RUN_OK(&r, NULL, "uname", "-m");
    r.out.data[strcspn(r.out.data, "\n")] = 0;
    EXPECT(0, "", "", "tag", BOX, "mine:1");
    EXPECT(1, "",
           "image with reference mine:1 was found but does not provide the specified platform "
           "(linux/s390x)\n",
           "rmi", "--platform", "linux/s390x", "mine:1");
    EXPECT(1, "[]\n", "does not provide the specified platform (linux/s390x)\n", "image", "inspect",
           "--platform", "linux/s390x", "mine:1");
    EXPECT(1, "", "unknown operating system", "rmi", "--platform", "linux/abacus", "mine:1");
    EXPECT(0, NULL, "", "image", "inspect", "--platform", r.out.data, "mine:1");
    EXPECT(0, "Untagged: mine:1\n", "", "rmi", "--platform", "linux/s390x", "--platform",
           r.out.data, "mine:1");
}
END_TEST

/* --- events ----------------------------------------------------------------------------------- */

START_TEST(events_tell_of_images)
{
    cleanup_free char *since = NULL, *id = NULL, *expected = NULL;
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    since = str_format("%lld.%09ld", (long long)now.tv_sec, now.tv_nsec);
    EXPECT(0, "", "", "run", "--name", "maker", "--network", "none", BOX, "sh", "-c",
           "echo >/made");
    id = OUTPUT("commit", "maker", "made:1");
    EXPECT(0, NULL, "", "rm", "maker");
    EXPECT(0, NULL, "", "tag", "made:1", "made:2");
    EXPECT(0, NULL, "", "rmi", "made:1", "made:2");
    EXPECT(0, NULL, "", "image", "prune", "-f");
    expected = str_format("tag {\"name\":\"made:1\"}\ntag {\"name\":\"made:2\"}\n"
                          "untag {\"name\":\"made:1\"}\nuntag {\"name\":\"made:2\"}\n"
                          "delete {\"name\":\"%s\"}\nprune {\"reclaimed\":\"0\"}\n",
                          id);
    EXPECT(0, expected, "", "events", "--since", since, "--until", "0s", "-f", "type=image",
           "--format", "{{.Action}} {{json .Actor.Attributes}}");
}
END_TEST

/* What the files of blobs and layers hold. */
static unsigned long long bytes_of_files(void)
{
    cleanup_free char *command =
        str_format("cd %s && find blobs layers staging -type f -printf '%%s\\n' | "
                   "awk '{n += $1} END {print n}'",
                   world_root());
    cleanup_run struct run_result r = {0};

    RUN_OK(&r, NULL, "sh", "-c", command);
    return strtoull(r.out.data, NULL, 10);
}

/* A layer of a million bytes more, with a name of its own. */
static void make_megabyte(void)
{
    EXPECT(0, "", "", "run", "--name", "maker", "--network", "none", BOX, "sh", "-c",
           "head -c 1000000 /dev/urandom >/million");
    EXPECT(0, NULL, "", "commit", "maker", "million:1");
    EXPECT(0, "maker\n", "", "rm", "maker");
}

/* Within what four digits can say. */
static void assert_freed(const char *said, unsigned long long bytes)
{
    const char *line = strstr(said, "Total reclaimed space: ");
    double megabytes;

    ck_assert_msg(line && sscanf(line, "Total reclaimed space: %lfMB", &megabytes) == 1, "%s",
                  said);
    ck_assert_double_eq_tol(megabytes * 1e6, (double)bytes, 1000);
}

START_TEST(what_is_said_to_be_freed_is_free)
{
    unsigned long long before;
    const char *said;

    make_megabyte();
    before = bytes_of_files();
    said = EXPECT(0, NULL, "", "image", "prune", "-af", "--filter", "reference=million");
    assert_freed(said, before - bytes_of_files());
}
END_TEST

START_TEST(rmi_says_on_a_terminal_how_much_is_free)
{
    cleanup_free char *command =
        str_format("%s/bin/cooper --root %s rmi million:1 nosuch:1", BUILD_DIR, world_root());
    cleanup_run struct run_result r = {0};
    unsigned long long before;

    make_megabyte();
    before = bytes_of_files();
    RUN(&r, NULL, "script", "-qec", command, "/dev/null");
    ck_assert_int_eq(r.code, 1);
    assert_freed(r.out.data, before - bytes_of_files());
    make_megabyte();
    EXPECT(0, NULL, "", "rmi", "million:1"); /* "": not for scripts */
}
END_TEST

SUITE(image_commands)
{
    const TTest *const tests[] = {
        a_tag_is_one_more_name,
        history_tells_the_steps,
        images_are_filtered,
        steps_on_the_way_are_hidden,
        a_tree_shows_what_grew_out_of_what,
        parents_without_a_name_go_with_their_last_child,
        no_prune_leaves_the_parents,
        names_go_one_by_one,
        what_containers_use_stays,
        pruning_asks_first,
        prune_all_keeps_what_is_in_use,
        events_tell_of_images,
        another_platforms_image_is_left_alone,
        what_is_said_to_be_freed_is_free,
        rmi_says_on_a_terminal_how_much_is_free,
    };
    TCase *t = tcase_create("image_commands");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, clear, NULL);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(t, tests[i]);
    tcase_add_loop_test(t, bad_tags_are_refused, 0, sizeof bad_tags / sizeof *bad_tags);
    suite_add_tcase(suite, t);
}
