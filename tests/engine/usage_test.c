/* system df and system prune: what they say against what is on the disk, and in docker's words. */
#include "engine/world.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/human.h"

/* --- du --------------------------------------------------------------------------------------- */

static struct {
    ino_t linked[256]; /* files with several names, seen already */
    size_t count;
    unsigned long long bytes;
} walk;

static int add_file(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)path, (void)type, (void)where;
    if (!S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode))
        return 0;
    for (size_t i = 0; st->st_nlink > 1 && i < walk.count; i++)
        if (walk.linked[i] == st->st_ino)
            return 0;
    if (st->st_nlink > 1 && walk.count < sizeof walk.linked / sizeof *walk.linked)
        walk.linked[walk.count++] = st->st_ino;
    walk.bytes += (unsigned long long)st->st_size;
    return 0;
}

/* Bytes of the files and of the targets of symlinks below ROOT/<path>. */
static unsigned long long du(const char *path)
{
    cleanup_free char *whole = str_format("%s/%s", world_root(), path);

    memset(&walk, 0, sizeof walk);
    nftw(whole, add_file, 16, FTW_PHYS);
    return walk.bytes;
}

static unsigned long long du_of_images(void)
{
    return du("layers") + du("blobs");
}

static unsigned long long du_of_container(const char *name)
{
    cleanup_free char *id = world_inspect(name, "{{.Id}}");
    cleanup_free char *upper = str_format("containers/%s/upper", id);

    return du(upper);
}

static char *human(unsigned long long bytes)
{
    char text[HUMAN_MAX];

    human_size((double)bytes, 4, text);
    return str_copy(text);
}

/* --- the world of these tests ----------------------------------------------------------------- */

/* Two images that share layers, one of them with files of several names; two containers with
 * something written; two volumes that are used, one that is not. */
static void furnish(void)
{
    EXPECT(0, NULL, "", "run", "--name", "grew", BOX, "sh", "-c",
           "mkdir /d; head -c 100000 /dev/zero >/d/a; ln /d/a /d/b; ln /d/a /e; echo x >/f");
    EXPECT(0, NULL, NULL, "commit", "grew", "grown:1");
    EXPECT(0, NULL, "", "run", "-d", "--name", "live", "-v", "named:/v", "-v", "/anon", BOX, "sh",
           "-c",
           "head -c 3000 /dev/zero >/v/x; head -c 50 /dev/zero >/anon/y; echo ok >/z; "
           "echo ready; sleep 600");
    world_wait_log("live", "ready");
    EXPECT(0, "lonely\n", "", "volume", "create", "lonely");
}

static void unfurnish(void)
{
    world_clear();
    EXPECT(0, NULL, NULL, "volume", "prune", "-af");
    EXPECT(0, NULL, NULL, "rmi", "-f", "grown:1");
}

/* --- df --------------------------------------------------------------------------------------- */

START_TEST(df_says_what_du_says)
{
    unsigned long long named, anonymous;
    cleanup_free char *images = NULL, *containers = NULL, *volumes = NULL, *expected = NULL;

    furnish();
    named = du("volumes/named/_data");
    ck_assert_int_eq((int)named, 3000);
    anonymous = du("volumes") - named;
    ck_assert_int_eq((int)anonymous, 50);
    images = human(du_of_images());
    containers = human(du_of_container("grew") + du_of_container("live"));
    volumes = human(named + anonymous);
    expected = str_format("Images 2 1 %s\nContainers 2 1 %s\nLocal Volumes 3 2 %s\n"
                          "Build Cache 0 0 0B\n",
                          images, containers, volumes);
    EXPECT(0, expected, "", "system", "df", "--format",
           "{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}}");
}
END_TEST

/* What df calls reclaimable is what prune gives back, and what the disk then has less. */
START_TEST(prune_gives_back_what_df_promised)
{
    unsigned long long images, containers, freed;
    cleanup_free char *promise = NULL, *total = NULL;
    const char *out;

    furnish();
    images = du_of_images();
    containers = du_of_container("grew");
    EXPECT(0, NULL, "", "container", "prune", "-f"); /* so that grown:1 is all there is to gain */
    promise =
        OUTPUT("system", "df", "--format", "{{if eq .Type \"Images\"}}{{.Reclaimable}}{{end}}");
    out = EXPECT(0, NULL, "", "system", "prune", "-af");
    freed = images - du_of_images();
    ck_assert_msg(freed > 100000 && containers > 100000, "%llu %llu", freed, containers);
    total = human(freed);
    ck_assert_msg(strstr(promise, total) != NULL, "df: '%s', freed %s", promise, total);
    ck_assert_msg(str_ends(out, "B\n") && strstr(out, "untagged: grown:1\n"), "%s", out);
    ck_assert_msg(strstr(strstr(out, "Total reclaimed space: "), total) != NULL, "%s: %s", total,
                  out);
    EXPECT(0, NULL, "", "exec", "live", "cat", "/z");
}
END_TEST

START_TEST(system_prune_is_all_prunes_in_turn)
{
    unsigned long long before;
    cleanup_free char *grew = NULL, *anonymous = NULL, *total = NULL, *expected = NULL;
    const char *out;

    furnish();
    EXPECT(0, NULL, "", "network", "create", "lan");
    grew = world_inspect("grew", "{{.Id}}");
    EXPECT(0, NULL, "", "rm", "-f", "live"); /* leaves its anonymous volume to nobody */
    anonymous = OUTPUT("volume", "ls", "--format", "{{if eq (len .Name) 64}}{{.Name}}{{end}}");
    before = du_of_images() + du_of_container("grew") + du("volumes");
    out = EXPECT(0, NULL, "", "system", "prune", "-f", "--volumes");
    total = human(before - du_of_images() - du("volumes"));
    expected = str_format("Deleted Containers:\n%s\n\nDeleted Networks:\nlan\n\n"
                          "Deleted Volumes:\n%s\n\nTotal reclaimed space: %s\n",
                          grew, anonymous + strspn(anonymous, "\n"), total);
    for (char *end = strstr(expected, "\n\n\n"); end; end = strstr(expected, "\n\n\n"))
        memmove(end, end + 1, strlen(end));
    ck_assert_str_eq(out, expected);
    EXPECT(0, "lonely\nnamed\n", "", "volume", "ls", "-q");
}
END_TEST

START_TEST(filters_are_for_all_steps)
{
    EXPECT(0, NULL, "", "create", "--name", "kept", "-l", "keep", BOX);
    EXPECT(0, NULL, "", "create", "--name", "other", BOX);
    EXPECT(0, NULL, "", "network", "create", "--label", "keep", "lan");
    EXPECT(0, NULL, "", "network", "create", "lan2");
    EXPECT(0, "Total reclaimed space: 0B\n", "", "system", "prune", "-f", "--filter", "until=1h");
    EXPECT(0, NULL, "", "system", "prune", "-f", "--filter", "label!=keep");
    EXPECT(0, "kept\n", "", "ps", "-a", "--format", "{{.Names}}");
    EXPECT(0, "lan\n", "", "network", "ls", "--filter", "type=custom", "--format", "{{.Name}}");
    EXPECT(0, NULL, "", "system", "prune", "-f", "--filter", "label=keep");
    EXPECT(0, "", "", "ps", "-aq");
    EXPECT(0, "", "", "network", "ls", "-q", "--filter", "type=custom");
}
END_TEST

/* --- builds ----------------------------------------------------------------------------------- */

static void expect_cache(const char *numbers)
{
    const char *out = EXPECT(0, NULL, "", "system", "df", "--format",
                             "{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}");
    cleanup_free char *line = str_format("\nBuild Cache %s\n", numbers);

    ck_assert_msg(str_ends(out, line), "'%s' instead of '%s'", out, line);
}

/* Layers of steps belong to the image while there is one, then to the cache, until that is pruned.
 */
START_TEST(the_build_cache_is_counted_and_goes)
{
    cleanup_free char *dir = world_path("context"), *file = str_format("%s/Dockerfile", dir);
    static const char text[] = "FROM " BOX "\nRUN head -c 70000 /dev/zero >/x\n";
    unsigned long long before = du_of_images();
    struct err err = {0};
    const char *out;

    ck_assert(!file_make_dirs(AT_FDCWD, dir, 0755, &err));
    ck_assert(!file_store(AT_FDCWD, file, text, strlen(text), 0644, false, &err));
    EXPECT(0, NULL, NULL, "build", "-q", "--network", "none", "-t", "built:1", dir);
    expect_cache("1 1 0B 0B");
    EXPECT(0, NULL, NULL, "rmi", "built:1");
    expect_cache("1 0 70kB 70kB");
    out = EXPECT(0, NULL, "", "system", "df", "-v");
    ck_assert_msg(
        strstr(out, "\n\nBuild cache usage: 70kB\n\nCACHE ID       CACHE TYPE   SIZE  ") &&
            str_ends(out, "false\n"),
        "%s", out);
    out = EXPECT(0, NULL, "", "system", "prune", "-f");
    ck_assert_msg(str_starts(out, "Deleted build cache objects:\n") &&
                      str_ends(out, "\n\nTotal reclaimed space: 70kB\n"),
                  "%s", out);
    ck_assert(du_of_images() == before);
}
END_TEST

/* --- words ------------------------------------------------------------------------------------ */

#define QUESTION "\nAre you sure you want to continue? [y/N] "
#define ALWAYS                                                                                     \
    "WARNING! This will remove:\n  - all stopped containers\n"                                     \
    "  - all networks not used by at least one container\n"

START_TEST(system_prune_asks_first)
{
    static const struct {
        const char *args[8], *question;
    } cases[] = {
        {{"system", "prune"}, ALWAYS "  - all dangling images\n  - unused build cache\n" QUESTION},
        {{"system", "prune", "-a"},
         ALWAYS "  - all images without at least one container associated to them\n"
                "  - all build cache\n" QUESTION},
        {{"system", "prune", "--volumes"},
         ALWAYS "  - all anonymous volumes not used by at least one container\n"
                "  - all dangling images\n  - unused build cache\n" QUESTION},
        {{"system", "prune", "--filter", "label=x"},
         ALWAYS "  - all dangling images\n  - unused build cache\n\n  Items to be pruned will be "
                "filtered with:\n"
                "  - label=x\n" QUESTION},
    };
    const struct run_options no = {.input = "n\n", .input_len = 2};
    cleanup_run struct run_result r = {0};

    EXPECT(0, NULL, "", "create", "--name", "made", BOX);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world_run(&r, &no, cases[i].args);
        ck_assert_int_eq(r.code, 0);
        ck_assert_str_eq(r.out.data, cases[i].question);
    }
    EXPECT(0, "made\n", "", "ps", "-a", "--format", "{{.Names}}");
    EXPECT(1, "", "ERROR: The \"until\" filter is not supported with \"--volumes\"\n", "system",
           "prune", "-f", "--volumes", "--filter", "until=1h");
    EXPECT(1, "", "invalid filter 'nosuch'\n", "system", "prune", "-f", "--filter", "nosuch=1");
}
END_TEST

START_TEST(df_has_docker_s_forms)
{
    const char *out = EXPECT(0, NULL, "", "system", "df");

    ck_assert_msg(str_starts(out, "TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE\n"
                                  "Images          1         0         "),
                  "%s", out);
    ck_assert_msg(str_ends(out, "(100%)\n"
                                "Containers      0         0         0B        0B\n"
                                "Local Volumes   0         0         0B        0B\n"
                                "Build Cache     0         0         0B        0B\n"),
                  "%s", out);
    out = EXPECT(0, NULL, "", "system", "df", "--format", "json");
    ck_assert_msg(strstr(out, "\n{\"Active\":\"0\",\"Reclaimable\":\"0B\",\"Size\":\"0B\","
                              "\"TotalCount\":\"0\",\"Type\":\"Containers\"}\n") != NULL,
                  "%s", out);
    EXPECT(1, "", "failed to execute template: template: ", "system", "df", "--format",
           "{{.Nope}}");
}
END_TEST

START_TEST(df_tells_the_details)
{
    cleanup_free char *live = NULL;
    const char *out;

    furnish();
    live = world_inspect("live", "{{slice .Id 0 12}}");
    out = EXPECT(0, NULL, "", "system", "df", "-v");
    ck_assert(str_starts(out, "Images space usage:\n\nREPOSITORY   TAG       IMAGE ID"));
    ck_assert(strstr(out, "  SIZE      SHARED SIZE   UNIQUE SIZE   CONTAINERS\n"));
    ck_assert(strstr(out, "\n\nContainers space usage:\n\nCONTAINER ID   IMAGE     COMMAND"));
    ck_assert(strstr(out, live));
    ck_assert(strstr(out, "\n\nLocal Volumes space usage:\n\nVOLUME NAME"));
    ck_assert(str_ends(out,
                       "\n\nBuild cache usage: 0B\n\nCACHE ID   CACHE TYPE   SIZE      CREATED   "
                       "LAST USED   USAGE     SHARED\n"));
    EXPECT(0, "grew 100kB 0\nlive 3B 2\n", "", "system", "df", "-v", "--format",
           "{{range .Containers}}{{if eq .Names \"grew\"}}{{.Names}} {{.Size}} {{.LocalVolumes}}"
           "{{end}}{{end}}\n{{range .Containers}}{{if eq .Names \"live\"}}{{.Names}} {{.Size}} "
           "{{.LocalVolumes}}{{end}}{{end}}");
    EXPECT(
        0, " lonely:0:0B named:1:3kB\n", "", "system", "df", "-v", "--format",
        "{{range .Volumes}}{{if lt (len .Name) 64}} {{.Name}}:{{.Links}}:{{.Size}}{{end}}{{end}}");
    EXPECT(0, "0 2\n", "", "system", "df", "-v", "--format",
           "{{range .Images}}{{if eq .Repository \"grown\"}}{{.Containers}}{{end}}{{end}} "
           "{{range .Images}}{{if eq .Repository \"box\"}}{{.Containers}}{{end}}{{end}}");
}
END_TEST

SUITE(usage)
{
    const TTest *const tests[] = {
        df_says_what_du_says,
        prune_gives_back_what_df_promised,
        system_prune_is_all_prunes_in_turn,
        filters_are_for_all_steps,
        system_prune_asks_first,
        df_has_docker_s_forms,
        df_tells_the_details,
        the_build_cache_is_counted_and_goes,
    };
    TCase *t = tcase_create("usage");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, unfurnish, unfurnish);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(t, tests[i]);
    suite_add_tcase(suite, t);
}
