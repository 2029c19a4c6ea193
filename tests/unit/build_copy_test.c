/* COPY and ADD: which files go where, with which modes and owners. What is expected is what docker
 * 20.10 (BuildKit) made of the same trees, or what its reference says where that is older. */
#include "support/suite.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "build/copy.h"
#include "build/ignore.h"
#include "build_files.h"

static char place[4096];
static struct store *store;
static struct err err;
static int from, below, stage, outside;

static int make_directory(const char *name)
{
    cleanup_free char *path = str_format("%s/%s", place, name);
    int fd;

    ck_assert_int_eq(mkdir(path, 0755), 0);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static void setup(void)
{
    snprintf(place, sizeof place, "%s/copy-XXXXXX", getenv("TMPDIR"));
    ck_assert_ptr_nonnull(mkdtemp(place));
    umask(022);
    from = make_directory("from");
    below = make_directory("below");
    stage = make_directory("stage");
    outside = make_directory("outside");
    close(make_directory("root"));
    store = NULL;
}

static void teardown(void)
{
    struct err ignored;

    store_close(store);
    file_remove_tree(AT_FDCWD, place, &ignored);
}

/* --- what goes where -------------------------------------------------------------------------- */

struct scene {
    const char *from, *below, *words; /* sources, blanks between; the destination is the last */
    const char *result;               /* NULL: refused, `error` is a part of the message */
    const char *error, *ignore, *exclude, *chown, *chmod, *workdir;
    bool parents, link, keep_owner;
};

#define TREE "d d 750; f d/a 644 A; d d/e 700; f d/e/b 600 B; f x 644 X; f y 4755 Y"
#define PASSWD                                                                                     \
    "d etc 755; f etc/passwd 644 root:x:0:0::/:/bin/sh\nme:x:12:34::/:/bin/sh; "                   \
    "f etc/group 644 root:x:0:\nus:x:56:"

static const struct scene scenes[] = {
    /* one file */
    {.from = TREE, .below = "", .words = "x /", .result = "f x 644 X"},
    {.from = TREE, .below = "", .words = "x /z", .result = "f z 644 X"},
    {.from = TREE, .below = "", .words = "y /bin/", .result = "d bin 755; f bin/y 4755 Y"},
    {.from = TREE, .below = "", .words = "x /p/q/z", .result = "d p 755; d p/q 755; f p/q/z 644 X"},
    {.from = TREE, .below = "d p 711 @7:8", .words = "x /p", .result = "d p 711 @7:8; f p/x 644 X"},
    {.from = TREE,
     .below = "d p 711 @7:8",
     .words = "x /p/q/",
     .result = "d p 711 @7:8; d p/q 755; f p/q/x 644 X"},
    {.from = TREE,
     .below = "",
     .words = "./x .",
     .result = "d w 755; f w/x 644 X",
     .workdir = "/w"},
    {.from = TREE,
     .below = "",
     .words = "/x sub/",
     .result = "d w 755; d w/sub 755; f w/sub/x 644 X",
     .workdir = "/w"},
    {.from = TREE, .below = "", .words = "../../x /", .result = "f x 644 X"},
    {.from = TREE, .below = "f x 600 old", .words = "x /x", .result = "f x 644 X"},
    {.from = TREE,
     .below = "",
     .words = "none /",
     .error = "COPY failed: file not found in build context or excluded by "
              ".dockerignore: stat none: file does not exist"},
    {.from = TREE, .below = "", .words = "x/none /", .error = "stat x/none: file does not exist"},
    {.from = TREE,
     .below = "",
     .words = "none /",
     .error = "COPY failed: stat none: file does not exist in stage",
     .keep_owner = true},
    {.from = TREE,
     .below = "f x 644 old",
     .words = "x /x/",
     .error = "cannot copy to non-directory: /x"},
    {.from = TREE,
     .below = "f x 644 old",
     .words = "x /x/y/",
     .error = "cannot copy to '/x/y': Not a directory"},
    {.from = TREE,
     .below = "d p 755; d p/x 755",
     .words = "x /p",
     .error = "cannot replace to directory /p/x with file"},

    /* directories: what is in them */
    {.from = TREE,
     .below = "",
     .words = "d /d",
     .result = "d d 755; f d/a 644 A; d d/e 700; f d/e/b 600 B"},
    {.from = TREE, .below = "", .words = "d /", .result = "f a 644 A; d e 700; f e/b 600 B"},
    {.from = TREE,
     .below = "",
     .words = "d/ /t/u/",
     .result = "d t 755; d t/u 755; f t/u/a 644 A; d t/u/e 700; f t/u/e/b 600 B"},
    {.from = TREE,
     .below = "d t 711; d t/e 711 @5:5; f t/e/b 644 old",
     .words = "d /t",
     .result = "d t 711; f t/a 644 A; d t/e 700; f t/e/b 600 B"},
    {.from = TREE,
     .below = "d t 711; l t/e /",
     .words = "d /t",
     .error = "cannot copy to non-directory: /t/e"},
    {.from = TREE,
     .below = "d t 711; f t/e 644 old",
     .words = "d /t",
     .error = "cannot copy to non-directory: /t/e"},
    {.from = TREE,
     .below = "d t 711; d t/a 755",
     .words = "d /t",
     .error = "cannot replace to directory /t/a with file"},
    {.from = TREE,
     .below = "f t 644 old",
     .words = "d /t",
     .error = "cannot copy to non-directory: /t"},
    {.from = "d d 755; d d/empty 700", .below = "", .words = "d /", .result = "d empty 700"},
    {.from = "d d 755", .below = "", .words = "d /t", .result = "d t 755"},
    {.from = TREE,
     .below = "",
     .words = ". /t",
     .result = "d t 755; d t/d 750; f t/d/a 644 A; d t/d/e 700; f t/d/e/b 600 B; "
               "f t/x 644 X; f t/y 4755 Y"},

    /* several */
    {.from = TREE, .below = "", .words = "x y /t/", .result = "d t 755; f t/x 644 X; f t/y 4755 Y"},
    {.from = TREE,
     .below = "",
     .words = "x d/e /t/",
     .result = "d t 755; f t/b 600 B; f t/x 644 X"},
    {.from = TREE,
     .below = "",
     .words = "x d/e /t",
     .error = "When using COPY with more than one source file, the destination must be a "
              "directory and end with a /"},
    {.from = TREE "; d d2 755; f d2/x 600 Z",
     .below = "",
     .words = "x d2 /",
     .result = "f x 600 Z"},
    {.from = TREE "; d d2 755; d d2/x 755",
     .below = "",
     .words = "x d2 /",
     .error = "cannot copy to non-directory: /x"},

    /* patterns */
    {.from = TREE,
     .below = "",
     .words = "? /t/",
     .result = "d t 755; f t/a 644 A; d t/e 700; f t/e/b 600 B; f t/x 644 X; f t/y 4755 Y"},
    {.from = TREE, .below = "", .words = "[xz] /t/", .result = "d t 755; f t/x 644 X"},
    {.from = TREE, .below = "", .words = "d/* /t/", .result = "d t 755; f t/a 644 A; f t/b 600 B"},
    {.from = TREE, .below = "", .words = "*/*/b /t/", .result = "d t 755; f t/b 600 B"},
    {.from = TREE, .below = "", .words = "**/b /t/", .result = "d t 755; f t/b 600 B"},
    {.from = TREE,
     .below = "",
     .words = "d/**/[ab] /t/",
     .result = "d t 755; f t/a 644 A; f t/b 600 B"},
    {.from = TREE, .below = "", .words = "none* /t/", .result = ""},
    {.from = TREE, .below = "", .words = "x none* /t/", .result = "d t 755; f t/x 644 X"},
    {.from = TREE,
     .below = "d t 755",
     .words = "[xy] /t",
     .result = "d t 755; f t/x 644 X; f t/y 4755 Y"},
    {.from = TREE, .below = "", .words = "[xy] /t", .error = "more than one source file"},
    {.from = "f a*b 644 A; f axb 644 X",
     .below = "",
     .words = "a\\*b /t/",
     .result = "d t 755; f t/a*b 644 A"},
    {.from = "f [x] 644 A", .below = "", .words = "[[]x] /t/", .result = "d t 755; f t/[x] 644 A"},
    {.from = TREE, .below = "", .words = "[x /t/", .error = "syntax error in pattern"},

    /* symlinks of the context: the source itself is followed, what is in it is not */
    {.from = "f x 644 X; l s x", .below = "", .words = "s /t", .result = "f t 644 X"},
    {.from = "f x 644 X; l s x", .below = "", .words = "s /t/", .result = "d t 755; f t/s 644 X"},
    {.from = "d d 755; f d/x 644 X; l s d",
     .below = "",
     .words = "s /t",
     .result = "d t 755; f t/x 644 X"},
    {.from = "d d 755; f d/x 644 X; l s d", .below = "", .words = "s/x /t", .result = "f t 644 X"},
    {.from = "d d 755; l d/s ../../etc/passwd",
     .below = "",
     .words = "d /t",
     .result = "d t 755; l t/s ../../etc/passwd"},
    {.from = "f x 644 X; l s /x",
     .below = "",
     .words = "s /t",
     .result = "f t 644 X"}, /* "/" is the context */
    {.from = "f x 644 X; l s ../../../x", .below = "", .words = "s /t", .result = "f t 644 X"},
    {.from = "l s /etc/passwd",
     .below = "",
     .words = "s /t",
     .error = "stat s: file does not exist"},
    {.from = "l a b; l b a",
     .below = "",
     .words = "a /t",
     .error = "cannot look at 'a': Too many levels of symbolic links"},

    /* symlinks of the image: resolved inside of it */
    {.from = TREE,
     .below = "d real 711; l app real",
     .words = "x /app/",
     .result = "d real 711; f real/x 644 X"},
    {.from = TREE,
     .below = "d real 711; l app /real",
     .words = "x /app/sub/x",
     .result = "d real 711; d real/sub 755; f real/sub/x 644 X"},
    {.from = TREE,
     .below = "l app ../../../out",
     .words = "x /app/",
     .result = "d out 755; f out/x 644 X"},
    {.from = TREE,
     .below = "l app /etc/deep",
     .words = "d /app",
     .result = "d etc 755; d etc/deep 755; f etc/deep/a 644 A; "
               "d etc/deep/e 700; f etc/deep/e/b 600 B"},
    {.from = TREE, .below = "f real 600 old; l x real", .words = "x /x", .result = "f real 644 X"},
    {.from = TREE,
     .below = "d p 755; f real 600 old; l p/x ../real",
     .words = "x /p/",
     .result = "d p 755; f p/x 644 X"},
    {.from = TREE,
     .below = "l a b; l b a",
     .words = "x /a/",
     .error = "cannot copy to '/a': Too many levels"},

    {.from = "f x 644 X; l s x; d d 755; f d/y 644 Y; l t d",
     .below = "",
     .words = "[st] /n/",
     .result = "d n 755; f n/s 644 X; f n/y 644 Y"},
    {.from = "l s none", .below = "", .words = "? /n/", .error = "stat s: file does not exist"},
    {.from = "d a 755; f a/x 644 X; f b 644 B",
     .below = "",
     .words = "? /n",
     .result = "d n 755; f n/b 644 B; f n/x 644 X"},
    {.from = TREE, .below = "", .words = "none/* /t/", .error = "stat none/*: file does not exist"},

    {.from = "d d 755", .below = "l a b; l b a", .words = "d/* /a/", .result = ""},

    /* other kinds of files */
    {.from = "d d 755; f d/a 644 A; h d/b d/a; f d/c 644 A",
     .below = "",
     .words = "d /t",
     .result = "d t 755; f t/a 644 A; h t/b t/a; f t/c 644 A"},
    {.from = "d d 755; p d/fifo 622",
     .below = "",
     .words = "d /t",
     .result = "d t 755; p t/fifo 622"},
    {.from = "f .wh.x 644", .below = "", .words = ". /", .error = "'.wh.x' cannot be copied"},

    /* owners and modes */
    {.from = TREE,
     .below = "",
     .words = "d /n/t",
     .result = "d n 755 @5:6; d n/t 755 @5:6; f n/t/a 644 A @5:6; d n/t/e 700 @5:6; "
               "f n/t/e/b 600 B @5:6",
     .chown = "5:6"},
    {.from = TREE, .below = "", .words = "x /", .result = "f x 644 X @5:5", .chown = "5"},
    {.from = TREE, .below = PASSWD, .words = "x /", .result = "f x 644 X @12:34", .chown = "me"},
    {.from = TREE, .below = PASSWD, .words = "x /", .result = "f x 644 X @12:56", .chown = "me:us"},
    {.from = TREE, .below = PASSWD, .words = "x /", .result = "f x 644 X @0:56", .chown = ":us"},
    {.from = TREE, .below = PASSWD, .words = "x /", .result = "f x 644 X @7:56", .chown = "7:us"},
    {.from = TREE,
     .below = PASSWD,
     .words = "x /",
     .chown = "you",
     .error = "can't find uid for user you: no such user: you"},
    {.from = TREE,
     .below = PASSWD,
     .words = "x /",
     .chown = "me:you",
     .error = "can't find gid for group you: no such group: you"},
    {.from = TREE,
     .below = "",
     .words = "x /",
     .chown = "4294967295",
     .error = "no such user: 4294967295"},
    {.from = TREE,
     .below = "",
     .words = "x /",
     .chown = "a:b:c",
     .error = "invalid chown string format"},
    {.from = TREE,
     .below = "d etc 755; l etc/passwd /dev/zero",
     .words = "x /",
     .chown = "me",
     .error = "no such user: me"},
    {.from = TREE,
     .below = "",
     .words = "d /t",
     .result = "d t 755; f t/a 511 A; d t/e 511; f t/e/b 511 B",
     .chmod = "0511"},
    {.from = TREE,
     .below = "",
     .words = "d /t",
     .result = "d t 755; f t/a 644 A; d t/e 755; f t/e/b 644 B",
     .chmod = "u=rwX,go=rX"},
    {.from = "f x 644 X @9:9", .below = "", .words = "x /", .result = "f x 644 X"},
    {.from = "d d 755 @1:2; f d/x 644 X @9:9",
     .below = "",
     .words = "d /t",
     .result = "d t 755; f t/x 644 X @9:9",
     .keep_owner = true},
    {.from = "f x 644 X @9:9",
     .below = "",
     .words = "x /",
     .result = "f x 644 X @3:3",
     .chown = "3",
     .keep_owner = true},
    {.from = TREE,
     .below = "",
     .words = "x /",
     .chmod = "9",
     .error = "invalid chmod parameter: '9'. it should be octal"},

    /* .dockerignore */
    {.from = TREE, .below = "", .words = ". /", .result = "f y 4755 Y", .ignore = "d\nx"},
    {.from = TREE,
     .below = "",
     .words = "x /",
     .ignore = "x",
     .error = "stat x: file does not exist"},
    {.from = TREE,
     .below = "",
     .words = "d /t",
     .ignore = "d",
     .error = "stat d: file does not exist"},
    {.from = TREE,
     .below = "",
     .words = "d/e/b /t",
     .ignore = "d",
     .error = "stat d/e/b: file does not exist"},
    {.from = TREE,
     .below = "",
     .words = "d /t",
     .result = "d t 755; d t/e 700; f t/e/b 600 B",
     .ignore = "d\n!d/e"},
    {.from = TREE,
     .below = "",
     .words = ". /",
     .result = "d d 750; d d/e 700; f d/e/b 600 B",
     .ignore = "**\n!d/e/b"},
    {.from = TREE,
     .below = "",
     .words = "* /t/",
     .result = "d t 755; f t/x 644 X",
     .ignore = "*\n!x"},
    {.from = "f x 644 X; l s x",
     .below = "",
     .words = "s /",
     .ignore = "x",
     .error = "stat s: file does not exist"},

    /* --exclude */
    {.from = TREE, .below = "", .words = "d /t", .result = "d t 755; f t/a 644 A", .exclude = "e"},
    {.from = TREE,
     .below = "",
     .words = "d /t",
     .result = "d t 755; f t/a 644 A; d t/e 700",
     .exclude = "**/b"},
    {.from = TREE,
     .below = "",
     .words = "d /t",
     .result = "d t 755; d t/e 700; f t/e/b 600 B",
     .exclude = "*\n!e/b"},
    {.from = TREE,
     .below = "",
     .words = "[xy] /t/",
     .result = "d t 755; f t/x 644 X",
     .exclude = "y"},
    {.from = TREE,
     .below = "",
     .words = "* /t/",
     .result = "d t 755; f t/x 644 X; f t/y 4755 Y",
     .exclude = "d"},

    /* --parents */
    {.from = TREE,
     .below = "",
     .words = "d/e/b x /t/",
     .result = "d t 755; d t/d 750; d t/d/e 700; f t/d/e/b 600 B; f t/x 644 X",
     .parents = true},
    {.from = TREE,
     .below = "",
     .words = "d/e /t",
     .result = "d t 755; d t/d 750; d t/d/e 700; f t/d/e/b 600 B",
     .parents = true},
    {.from = TREE,
     .below = "",
     .words = "./d/./e /t/",
     .result = "d t 755; d t/e 700; f t/e/b 600 B",
     .parents = true},
    {.from = TREE,
     .below = "",
     .words = "d/./e/./b /t/",
     .result = "d t 755; d t/e 700; f t/e/b 600 B",
     .parents = true},
    {.from = TREE,
     .below = "",
     .words = "d/e/. /t/",
     .result = "d t 755; d t/d 750; d t/d/e 700; f t/d/e/b 600 B",
     .parents = true},
    {.from = TREE,
     .below = "",
     .words = "*/./**/b /t/",
     .result = "d t 755; d t/e 700; f t/e/b 600 B",
     .parents = true},
    {.from = TREE,
     .below = "",
     .words = "**/b /",
     .result = "d d 750; d d/e 700; f d/e/b 600 B",
     .parents = true},
    {.from = TREE,
     .below = "",
     .words = "none/b /",
     .parents = true,
     .error = "stat none/b: file does not exist"},
    {.from = TREE,
     .below = "",
     .words = "d /t/",
     .result = "d t 755; d t/d 750; d t/d/e 700; f t/d/e/b 600 B",
     .parents = true,
     .exclude = "d/a"},
    {.from = TREE,
     .below = "d t 755; d t/d 700 @4:4",
     .words = "d/e/b /t/",
     .result = "d t 755; d t/d 700 @4:4; d t/d/e 700; f t/d/e/b 600 B",
     .parents = true},

    /* --link: not even the symlinks of the image are looked at */
    {.from = TREE,
     .below = "d real 711; l app real",
     .words = "x /app/",
     .result = "d app 755; f app/x 644 X",
     .link = true},
    {.from = TREE,
     .below = PASSWD,
     .words = "x /",
     .result = "f x 644 X @12:34",
     .link = true,
     .chown = "me"},
};

static int run(const struct scene *s, char digest[DIGEST_LEN + 1])
{
    cleanup_strv struct strv words = {0}, excludes = {0};
    struct ignore *ignore = NULL;
    struct copy_plan *plan = NULL;
    const struct copy_target target = {stage, below};
    struct tree tree = {.root = from, .keep_owner = s->keep_owner, .what = "stage"};
    cleanup_free char *destination = NULL;
    struct copy_request request = {.store = store,
                                   .from = &tree,
                                   .sources = &words,
                                   .excludes = &excludes,
                                   .chown = s->chown,
                                   .chmod = s->chmod,
                                   .workdir = s->workdir,
                                   .parents = s->parents,
                                   .link = s->link,
                                   .unpack = -1,
                                   .epoch = COPY_NO_EPOCH};
    int r;

    strv_split(&words, s->words, ' ');
    request.destination = destination = words.items[--words.len];
    words.items[words.len] = NULL;
    if (s->exclude)
        strv_split(&excludes, s->exclude, '\n');
    if (s->ignore)
        ck_assert_int_eq(ignore_parse("i", s->ignore, strlen(s->ignore), &ignore, &err), 0);
    tree.ignore = ignore;
    r = copy_plan(&request, &plan, &err);
    if (!r)
        copy_plan_digest(plan, digest);
    if (!r)
        r = copy_apply(plan, &target, &err);
    if (!r) {
        char again[DIGEST_LEN + 1];

        copy_plan_digest(plan, again);
        ck_assert_str_eq(digest, again);
    }
    copy_plan_free(plan);
    ignore_free(ignore);
    return r;
}

START_TEST(files_go_where_docker_puts_them)
{
    const struct scene *s = &scenes[_i];
    cleanup_free char *told = NULL;
    char digest[DIGEST_LEN + 1];
    int r;

    files_make(from, s->from);
    files_make(below, s->below);
    r = run(s, digest);
    if (s->error) {
        ck_assert_msg(r < 0 && strstr(err.message, s->error), "'%s': %d '%s'", s->words, r,
                      err.message);
        return;
    }
    ck_assert_msg(!r, "'%s': %s", s->words, err.message);
    told = files_tell(stage);
    ck_assert_msg(!strcmp(told, s->result), "'%s':\n  %s\n  %s", s->words, told, s->result);
}
END_TEST

SUITE(build_copy)
{
    TCase *t = tcase_create("copy");

    tcase_set_tags(t, "needs-root");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, files_go_where_docker_puts_them, 0, sizeof scenes / sizeof *scenes);
    suite_add_tcase(suite, t);
}
