/* What the exercises of chapter 4 ask for. */
#include "grade/grade.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define ANSWERS "tutorial/answers/04-unionfs/hints.md, exercise "

static bool asked_to_write(struct keg *k, const char *path)
{
    cleanup_free char *request = str_format("write %s", path);

    if (!keg_ask(k, request))
        explain("the command goes on", ANSWERS "1", "it ended: %s", keg_words(k));
    return fact_sees(k->inside, path);
}

static void root_is_read_only(void)
{
    cleanup_free char *root = NULL;
    struct statvfs fs;
    struct keg k;

    PROBE(&k, "--root", "ro");
    root = fact_path(k.inside, "/");
    if (statvfs(root, &fs) < 0 || !(fs.f_flag & ST_RDONLY))
        explain("with --root ro the root is mounted read-only", ANSWERS "1",
                "statvfs of /proc/PID/root does not say so");
    if (asked_to_write(&k, "/etc/judge"))
        explain("with --root ro nothing can be written", ANSWERS "1",
                "the command has made /etc/judge");
    if (!asked_to_write(&k, "/dev/judge"))
        explain("/dev stays writable", ANSWERS "1", "the command could not make /dev/judge");
    keg_end(&k);
}

static void without_it_it_is_not(void)
{
    struct keg k;

    PROBE(&k);
    if (!asked_to_write(&k, "/etc/judge"))
        explain("without --root ro the root can be written", ANSWERS "1",
                "the command could not make /etc/judge");
    keg_end(&k);
}

/* --- exercise 2 ------------------------------------------------------------------------------- */

static void expect_scratch(struct keg *k, const char *place)
{
    cleanup_free char *path = str_format("/proc/%d/mountinfo", (int)k->inside);
    cleanup_free char *mounts = fact_file(path), *field = str_format(" %s ", place);
    char *line = strstr(mounts, field);

    if (!line)
        explain("with --tmpfs there is a mount on the keg's directory", ANSWERS "2",
                "/proc/PID/mountinfo has none on %s", place);
    line[strcspn(line, "\n")] = 0;
    if (!strstr(line, " - tmpfs "))
        explain("it is a tmpfs", ANSWERS "2", "/proc/PID/mountinfo says:%s", line);
    if (!strstr(line, "nodev"))
        explain("devices do not open there", ANSWERS "2", "/proc/PID/mountinfo says:%s", line);
}

static void scratch_is_memory(void)
{
    cleanup_free char *below = str_format("%s/tmp/judge", grade.root);
    struct keg k;

    PROBE(&k, "--tmpfs", "/tmp");
    expect_scratch(&k, "/tmp");
    if (!asked_to_write(&k, "/tmp/judge"))
        explain("/tmp can be written", ANSWERS "2", "the command could not make /tmp/judge");
    if (!access(below, F_OK))
        explain("what is written to /tmp goes to memory", ANSWERS "2", "it is in the lower root");
    keg_end(&k);
}

static char *fresh_directory(const char *name)
{
    char *path = str_format("%s/%s", grade.directory, name);

    if (mkdir(path, 0755) < 0)
        broken("cannot make '%s': %m", path);
    return path;
}

static void scratch_does_not_land_in_upper(void)
{
    cleanup_free char *changes = fresh_directory("scratch");
    cleanup_free char *landed = str_format("%s/upper/tmp/judge", changes);
    struct keg k;

    PROBE(&k, "--upper", changes, "--tmpfs", "/tmp");
    if (!asked_to_write(&k, "/tmp/judge"))
        explain("/tmp can be written", ANSWERS "2", "the command could not make /tmp/judge");
    keg_end(&k);
    if (!access(landed, F_OK))
        explain("what is written to /tmp does not land in --upper", ANSWERS "2",
                "there is upper/tmp/judge");
}

/* Followed in the keg the link leads to the keg's /etc, followed on the host to the host's. */
static void scratch_stays_inside(void)
{
    cleanup_free char *link = str_format("%s/judge-link-%d", grade.root, (int)getpid());
    const char *name = strrchr(link, '/');
    struct keg k;

    if (symlink("/../../../../../../../../etc", link) < 0)
        broken("cannot make '%s': %m", link);
    PROBE(&k, "--tmpfs", name);
    expect_scratch(&k, "/etc");
    keg_end(&k);
    unlink(link);
}

/* --- exercises 4 and 5: trees that nobody can know before ------------------------------------- */

static unsigned salt(void)
{
    static unsigned number;

    if (!number && getrandom(&number, sizeof number, 0) < 0)
        broken("getrandom: %m");
    return number;
}

/* DIRECTORY/NAME-SALT; a "@" in the name stands for the salt. The caller frees it. */
static char *salted(const char *directory, const char *name)
{
    struct buf b = {0};

    buf_printf(&b, "%s/", directory);
    for (; *name; name++)
        if (*name == '@')
            buf_printf(&b, "%08x", salt());
        else
            buf_add_char(&b, *name);
    return buf_steal(&b);
}

static void make_file(const char *directory, const char *name, mode_t mode)
{
    cleanup_free char *path = salted(directory, name);
    struct err err = {0};

    if (file_create(AT_FDCWD, path, "text\n", 5, mode, &err) < 0)
        broken("%s", err.message);
}

static void make_dirs(const char *directory, const char *name)
{
    cleanup_free char *path = salted(directory, name);
    struct err err = {0};

    if (file_make_dirs(AT_FDCWD, path, 0755, &err) < 0)
        broken("%s", err.message);
}

static void make_opaque(const char *directory, const char *name)
{
    cleanup_free char *path = salted(directory, name);

    if (setxattr(path, "trusted.overlay.opaque", "y", 1, 0) < 0)
        broken("cannot mark '%s' as opaque: %m", path);
}

static void make_whiteout(const char *directory, const char *name)
{
    cleanup_free char *path = salted(directory, name);

    if (mknod(path, S_IFCHR, makedev(0, 0)) < 0)
        broken("cannot make the whiteout '%s': %m", path);
}

/* Below d/, which is opaque in `upper`: "gone" in `first`, "deep" and "sub/file" in `second`, where
 * "whited" is hidden by `first` already; "kept" is in `upper` again. */
static void fill_layers(const char *upper, const char *first, const char *second)
{
    make_dirs(upper, "d@");
    make_opaque(upper, "d@");
    make_file(upper, "d@/kept@", 0644);
    make_dirs(first, "d@");
    make_file(first, "d@/gone@", 0644);
    make_file(first, "d@/kept@", 0644);
    make_whiteout(first, "d@/whited@");
    make_dirs(second, "d@/sub@");
    make_file(second, "d@/deep@", 0644);
    make_file(second, "d@/whited@", 0644);
    make_file(second, "d@/sub@/file@", 0644);
}

static void expect_line(const char *output, const char *line, bool wanted)
{
    cleanup_free char *full = salted("", line), *text = str_format("\nD %s\n", full);
    cleanup_free char *all = str_format("\n%s", output);

    if (!strstr(all, text) == wanted)
        explain("a D for each entry of the lower directories that an opaque one hides, and for "
                "nothing else",
                ANSWERS "4", "'D %s' is %s", full, wanted ? "missing" : "printed");
}

static void diff_lists_what_is_hidden(void)
{
    cleanup_free char *changes = fresh_directory("changes"), *first = fresh_directory("first");
    cleanup_free char *upper = fresh_directory("changes/upper"),
                      *second = fresh_directory("second");
    cleanup_free char *lowers = str_format("%s:%s", first, second), *output = NULL;
    struct keg k;

    fill_layers(upper, first, second);
    keg_run(&k, NULL, "diff", (const char *const[]){changes, lowers, NULL});
    keg_end(&k);
    output = fact_file(k.output);
    expect_line(output, "d@/gone@", true);
    expect_line(output, "d@/deep@", true);
    expect_line(output, "d@/sub@", true);
    expect_line(output, "d@/kept@", false);
    expect_line(output, "d@/whited@", false);
    expect_line(output, "d@/sub@/file@", false);
}

static void fill_changes(const char *upper)
{
    cleanup_free char *file = NULL, *link = NULL;

    make_dirs(upper, "d@");
    make_opaque(upper, "d@");
    make_dirs(upper, "plain@");
    make_file(upper, "d@/file@", 0644);
    make_whiteout(upper, "plain@/gone@");
    make_whiteout(upper, "top@");
    file = salted(upper, "d@/file@");
    link = salted(upper, "link@");
    if (lchown(file, 1234, 4321) < 0 || chmod(file, 04750) < 0 || symlink("/etc/judge", link) < 0)
        broken("cannot prepare '%s': %m", upper);
}

static void expect_mark(const char *layer, const char *name)
{
    cleanup_free char *path = salted(layer, name);
    struct stat st;

    if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size)
        explain("whiteouts and opaque directories become empty files", ANSWERS "5",
                "there is no empty file '%s'", path + strlen(layer) + 1);
}

static void expect_nothing(const char *layer, const char *name)
{
    cleanup_free char *path = salted(layer, name);
    struct stat st;

    if (lstat(path, &st) == 0)
        explain("a layer has marks in the place of whiteouts, and no mark without reason",
                ANSWERS "5", "there is '%s'", path + strlen(layer) + 1);
}

static void expect_copies(const char *upper, const char *layer)
{
    cleanup_free char *from = salted(upper, "d@/file@"), *to = salted(layer, "d@/file@");
    cleanup_free char *link = salted(layer, "link@");
    char target[64] = "";
    struct stat st;

    if (!fact_same_content(from, to))
        explain("files are copied", ANSWERS "5", "'%s' is not the same", to);
    if (lstat(to, &st) < 0 || st.st_uid != 1234 || st.st_gid != 4321 || st.st_mode != 0104750)
        explain("mode and owner are copied", ANSWERS "5",
                "mode %o and owner %u:%u, and not 104750 and 1234:4321", st.st_mode, st.st_uid,
                st.st_gid);
    if (readlink(link, target, sizeof target - 1) < 0 || !str_equal(target, "/etc/judge"))
        explain("symbolic links are copied as links", ANSWERS "5", "'%s' leads to '%s'", link,
                target);
}

static void commit_makes_a_layer(void)
{
    cleanup_free char *changes = fresh_directory("to-commit");
    cleanup_free char *upper = fresh_directory("to-commit/upper");
    cleanup_free char *layer = str_format("%s/layer", grade.directory);
    struct keg k;

    fill_changes(upper);
    keg_run(&k, NULL, "commit", (const char *const[]){changes, layer, NULL});
    if (keg_end(&k) != 0)
        explain("keg commit DIR LAYER ends with 0", ANSWERS "5", "it printed: %s", keg_words(&k));
    expect_mark(layer, "d@/.wh..wh..opq");
    expect_mark(layer, ".wh.top@");
    expect_mark(layer, "plain@/.wh.gone@");
    expect_nothing(layer, "top@");
    expect_nothing(layer, "plain@/gone@");
    expect_nothing(layer, "plain@/.wh..wh..opq");
    expect_copies(upper, layer);
}

const struct exercise exercises_4[] = {
    {1, {"--root ro makes the root read-only", root_is_read_only, false}},
    {1, {"without it the root can be written", without_it_it_is_not, false}},
    {2, {"--tmpfs DIR mounts memory there", scratch_is_memory, false}},
    {2, {"a link in the place of DIR leads to a place in the keg", scratch_stays_inside, false}},
    {2, {"nothing of it lands in --upper", scratch_does_not_land_in_upper, true}},
    {4, {"keg diff lists what an opaque directory hides", diff_lists_what_is_hidden, true}},
    {5, {"keg commit makes a layer", commit_makes_a_layer, true}},
    {0, {0}},
};
