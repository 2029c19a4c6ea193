/* Step 5: an image made elsewhere: its layers, its configuration, and nothing believed unchecked.
 */
#include "grade/grade.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "grade/oci.h"

#define CHAPTER      "tutorial/05-images.md: "
#define PROBE_IS_CMD "\"Cmd\":[\"/bin/probe\"]"

static void run_image(struct keg *k, const struct oci_image *image, const char *const command[])
{
    keg_run(k, NULL, image->reference, command);
    keg_await(k);
}

/* Each has a layer that no earlier one had: what keg has unpacked and checked before it need not
 * read again. */
static void write_simple(struct oci_image *ret, const char *config)
{
    static int images;
    cleanup_free char *number = str_format("%d of %d\n", ++images, (int)getpid());
    struct buf layer = {0};

    oci_add_base(&layer);
    oci_add_text(&layer, "etc/number", number);
    oci_write(ret, &layer, 1, config);
}

/* Root marks a directory with an attribute that every file system keeps; others need "user." ones,
 * and tmpfs has kept those only since Linux 6.6. */
static bool store_keeps_attributes(void)
{
    return grade.is_root || setxattr(grade.directory, "user.grade", "y", 1, 0) == 0;
}

static void layers_lie_on_each_other(void)
{
    bool opaque = store_keeps_attributes();
    struct buf layers[2] = {{0}};
    struct oci_image image;
    struct keg k;

    oci_add_base(&layers[0]);
    oci_add_text(&layers[0], "etc/deleted", "");
    oci_add_directory(&layers[0], "etc/replaced");
    oci_add_text(&layers[0], "etc/replaced/old", "");
    oci_add_text(&layers[1], "etc/.wh.deleted", "");
    oci_add_directory(&layers[1], "etc/replaced");
    if (opaque)
        oci_add_text(&layers[1], "etc/replaced/.wh..wh..opq", "");
    oci_add_text(&layers[1], "etc/replaced/new", "");
    oci_write(&image, layers, 2, PROBE_IS_CMD);
    run_image(&k, &image, NULL);
    if (!fact_sees(k.inside, "/etc/passwd") || !fact_sees(k.inside, "/etc/replaced/new"))
        explain("the root has the files of all layers", CHAPTER "Following the pointers",
                "some are missing");
    if (fact_sees(k.inside, "/etc/deleted") || fact_sees(k.inside, "/etc/.wh.deleted"))
        explain(".wh.NAME in a layer deletes NAME of those below, and is no file itself",
                CHAPTER "Taking away", "one of the two is there");
    if (opaque && fact_sees(k.inside, "/etc/replaced/old"))
        explain(".wh..wh..opq hides what the layers below have in the directory",
                CHAPTER "Taking away", "the old file is still there");
}

/* Builders write an empty layer for each line that changes no file: the same one each time. */
static void layer_may_come_twice(void)
{
    struct buf layers[4] = {{0}};
    struct oci_image image;
    struct keg k;

    oci_add_base(&layers[0]);
    oci_add_text(&layers[1], "etc/twice", "");
    oci_add_text(&layers[2], "etc/.wh.twice", "");
    oci_add_text(&layers[3], "etc/twice", "");
    oci_write(&image, layers, 4, PROBE_IS_CMD);
    run_image(&k, &image, NULL);
    if (!fact_sees(k.inside, "/etc/twice"))
        explain("a layer counts where it is highest", CHAPTER "Taking away",
                "a file is missing that a layer deletes, and the one above it brings again");
}

/* In a tar such a name is in a header of its own, as UTF-8. */
static void name_outside_ascii(void)
{
    static const char record[] = "18 path=etc/f\xc3\xbcnf\n";
    struct buf layer = {0};
    struct oci_image image;
    struct keg k;

    oci_add_base(&layer);
    oci_add(&layer, 'x', "name", record, strlen(record), 0644);
    oci_add_text(&layer, "etc/f", "");
    oci_write(&image, &layer, 1, PROBE_IS_CMD);
    run_image(&k, &image, NULL);
    if (!fact_sees(k.inside, "/etc/f\xc3\xbcnf"))
        explain("the name of a file is bytes", CHAPTER "A layer must stay at home",
                "a file named in UTF-8 is missing");
}

static void expect_arguments(pid_t pid, const char *wanted, size_t len)
{
    cleanup_free char *path = str_format("/proc/%d/cmdline", (int)pid);
    char seen[512] = "";
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(seen, 1, sizeof seen, f) : 0;

    if (f)
        fclose(f);
    for (size_t i = 0; i + 1 < n; i++)
        seen[i] = seen[i] ? seen[i] : ' ';
    if (n != len || memcmp(seen, wanted, len))
        explain("Entrypoint, and behind it what the command line says, or else Cmd",
                CHAPTER "How it is run", "the arguments are '%s', not '%s'", seen, wanted);
}

static void entrypoint_and_cmd(void)
{
    static const char config[] = "\"Entrypoint\":[\"/bin/probe\",\"a\"],\"Cmd\":[\"b\"]";
    struct oci_image image;
    struct keg k;

    write_simple(&image, config);
    run_image(&k, &image, NULL);
    expect_arguments(k.inside, "/bin/probe a b", sizeof "/bin/probe a b");
    keg_end(&k);
    run_image(&k, &image, (const char *const[]){"c", NULL});
    expect_arguments(k.inside, "/bin/probe a c", sizeof "/bin/probe a c");
}

static void environment_of_the_image(void)
{
    cleanup_free char *path = NULL;
    char all[8192] = "";
    struct oci_image image;
    struct keg k;
    size_t n;
    FILE *f;

    write_simple(&image, PROBE_IS_CMD ",\"Env\":[\"PATH=/bin\",\"GREETING=hello you\"]");
    run_image(&k, &image, NULL);
    path = str_format("/proc/%d/environ", (int)k.inside);
    f = fopen(path, "re");
    n = f ? fread(all, 1, sizeof all, f) : 0;
    if (f)
        fclose(f);
    if (!memmem(all, n, "GREETING=hello you", sizeof "GREETING=hello you"))
        explain("the command has the variables of the image's Env", CHAPTER "How it is run",
                "GREETING=hello you is not in /proc/PID/environ");
}

static void working_directory_of_the_image(void)
{
    cleanup_free char *cwd = NULL, *work = NULL;
    struct oci_image image;
    struct stat a, b;
    struct keg k;

    write_simple(&image, PROBE_IS_CMD ",\"WorkingDir\":\"/work\"");
    run_image(&k, &image, NULL);
    cwd = str_format("/proc/%d/cwd", (int)k.inside);
    work = fact_path(k.inside, "/work");
    if (stat(cwd, &a) < 0 || stat(work, &b) < 0 || a.st_dev != b.st_dev || a.st_ino != b.st_ino)
        explain("the command starts in the image's WorkingDir", CHAPTER "How it is run",
                "/proc/PID/cwd is another directory");
}

static void user_of_the_image(void)
{
    struct oci_image image;
    struct keg k;

    write_simple(&image, PROBE_IS_CMD ",\"User\":\"reader\"");
    run_image(&k, &image, NULL);
    if (!str_equal(fact_status(k.inside, "Uid"), "1000\t1000\t1000\t1000"))
        explain("the command runs as the image's User, looked up in the image's /etc/passwd",
                CHAPTER "Who runs it", "Uid in /proc/PID/status: %s", fact_status(k.inside, "Uid"));
    if (!str_equal(fact_status(k.inside, "Gid"), "1001\t1001\t1001\t1001"))
        explain("and with that user's group", CHAPTER "Who runs it", "Gid in /proc/PID/status: %s",
                fact_status(k.inside, "Gid"));
    if (fact_capabilities(k.inside, "CapEff"))
        explain("an ordinary user inside has no capability in effect", CHAPTER "Who runs it",
                "CapEff in /proc/PID/status: %s", fact_status(k.inside, "CapEff"));
}

/* --- nothing is believed ---------------------------------------------------------------------- */

static void expect_refusal(const struct oci_image *image, const char *expected)
{
    struct keg k;
    int code;

    keg_run(&k, NULL, image->reference, NULL);
    code = keg_end(&k);
    if (code != 125)
        explain(expected, CHAPTER "Nothing is believed", "keg ended with %d", code);
}

/* Changes the last byte of a blob; its size stays. */
static void spoil(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    off_t at = lseek(fd, -1, SEEK_END);
    char c;

    if (fd < 0 || pread(fd, &c, 1, at) != 1)
        broken("cannot read %s: %m", path);
    c ^= 1;
    if (pwrite(fd, &c, 1, at) != 1)
        broken("cannot write %s: %m", path);
    close(fd);
}

/* The kernel unties a process that changes its user from its parent. */
static void kill_ends_another_user_too(void)
{
    struct oci_image image;
    struct keg k;
    int pidfd;

    write_simple(&image, PROBE_IS_CMD ",\"User\":\"1000\"");
    run_image(&k, &image, NULL);
    pidfd = fact_pidfd(k.inside);
    kill(k.pid, SIGKILL);
    if (!fact_gone(pidfd))
        explain("when keg is killed (-9) the command of another user ends, too",
                CHAPTER "Who runs it", "the command runs on without keg");
}

static void changed_layer_is_refused(void)
{
    struct oci_image image;

    write_simple(&image, PROBE_IS_CMD ",\"Env\":[\"A=1\"]");
    spoil(image.top);
    expect_refusal(&image, "a layer whose digest is wrong is refused, with 125");
}

/* Another program in Cmd, of the same length: only the digest tells. */
static void changed_configuration_is_refused(void)
{
    cleanup_free char *text = NULL;
    struct oci_image image;
    char *at;
    int fd;

    write_simple(&image, PROBE_IS_CMD ",\"Env\":[\"A=2\"]");
    text = fact_file(image.config);
    at = strstr(text, "A=2");
    fd = open(image.config, O_WRONLY | O_CLOEXEC);
    if (!at || pwrite(fd, "A=3", 3, at - text) != 3)
        broken("cannot write %s: %m", image.config);
    close(fd);
    expect_refusal(&image, "a configuration whose digest is wrong is refused, with 125");
}

static void wrong_size_is_refused(void)
{
    struct oci_image image;
    struct stat st;

    write_simple(&image, PROBE_IS_CMD ",\"Env\":[\"A=4\"]");
    if (stat(image.top, &st) < 0 || truncate(image.top, st.st_size + 1) < 0)
        broken("cannot change %s: %m", image.top);
    expect_refusal(&image, "a layer that is longer than its descriptor says is refused, with 125");
}

static void missing_layer_is_refused(void)
{
    struct buf layers[2] = {{0}};
    struct oci_image image;

    oci_add_base(&layers[0]);
    oci_add_text(&layers[1], "etc/more", "only in this image\n");
    oci_write(&image, layers, 2, PROBE_IS_CMD);
    unlink(image.top);
    expect_refusal(&image, "an image with a layer missing is refused, with 125");
}

static void expect_untouched(const char *directory)
{
    cleanup_free char *path = str_format("%s/escaped", directory);

    if (access(path, F_OK) == 0)
        explain("a layer writes into its own tree only", CHAPTER "A layer must stay at home",
                "a file of the layer is now on the host: %s", path);
}

/* As deep as anybody unpacks, and more. */
static void dots_do_not_escape(void)
{
    cleanup_free char *name = NULL;
    struct buf layers[2] = {{0}};
    struct oci_image image;
    struct keg k;

    name = str_format("../../../../../../../../../..%s/escaped", grade.directory);
    oci_add_base(&layers[0]);
    oci_add_text(&layers[1], name, "by dots\n");
    oci_write(&image, layers, 2, PROBE_IS_CMD);
    keg_run(&k, NULL, image.reference, NULL);
    keg_end(&k);
    expect_untouched(grade.directory);
}

static void links_do_not_escape(void)
{
    struct buf layers[2] = {{0}};
    struct oci_image image;
    struct keg k;

    oci_add_base(&layers[0]);
    oci_add_link(&layers[1], "way", grade.directory);
    oci_add_text(&layers[1], "way/escaped", "through a link\n");
    oci_write(&image, layers, 2, PROBE_IS_CMD);
    keg_run(&k, NULL, image.reference, NULL);
    keg_end(&k);
    expect_untouched(grade.directory);
}

const struct check checks_5[] = {
    {"layers lie on each other", layers_lie_on_each_other, false},
    {"a layer may come twice", layer_may_come_twice, false},
    {"a name need not be ASCII", name_outside_ascii, false},
    {"Entrypoint and Cmd make the command", entrypoint_and_cmd, false},
    {"Env is set", environment_of_the_image, false},
    {"WorkingDir is where it starts", working_directory_of_the_image, false},
    {"User is who it is", user_of_the_image, true},
    {"kill -9 of keg ends another user's command", kill_ends_another_user_too, true},
    {"a changed layer is refused", changed_layer_is_refused, false},
    {"a changed configuration is refused", changed_configuration_is_refused, false},
    {"a layer of the wrong size is refused", wrong_size_is_refused, false},
    {"a missing layer is refused", missing_layer_is_refused, false},
    {"\"..\" in a layer does not escape", dots_do_not_escape, false},
    {"a symbolic link in a layer does not escape", links_do_not_escape, false},
    {0},
};
