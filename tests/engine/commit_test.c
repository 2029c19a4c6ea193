/* commit: what a container wrote becomes an image, nothing else does, and nothing is lost. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "engine/world.h"

#define MADE "made:1"

static void clear(void)
{
    cleanup_run struct run_result r = {0};

    world_clear();
    COOPER(&r, "rmi", "-f", MADE, "made:2");
}

/* Runs `script` in container "c" of the box, to its end. */
static void write_in_container(const char *script)
{
    EXPECT(0, NULL, "", "run", "--name", "cc", BOX, "sh", "-c", script);
}

static void commit(void)
{
    EXPECT(0, NULL, "", "commit", "cc", MADE);
}

START_TEST(what_was_written_is_in_the_image)
{
    write_in_container("echo new >/data/new; rm /etc/group; chmod 700 /root; ln -s new /data/link;"
                       "rm -r /tmp; mkdir /tmp; mkfifo /data/pipe; echo changed >>/etc/passwd");
    commit();
    EXPECT(0, "new\nnew\nno group\n700\nfifo\nchanged\n", "", "run", "--rm", MADE, "sh", "-c",
           "cat /data/new /data/link; test -e /etc/group || echo no group; stat -c %a /root;"
           "test -p /data/pipe && echo fifo; tail -n 1 /etc/passwd");
}
END_TEST

START_TEST(directories_made_anew_hide_the_old_ones)
{
    write_in_container("rm -r /bin; mkdir /bin; echo >/bin/only");
    commit();
    EXPECT(127, "", "executable file not found", "run", "--rm", MADE, "ls");
    EXPECT(0, NULL, "", "rm", "cc");
    EXPECT(0, NULL, "", "rmi", MADE);
    write_in_container("mkdir /data/d; echo 1 >/data/d/old");
    commit();
    EXPECT(0, NULL, "", "rm", "cc");
    EXPECT(0, NULL, "", "run", "--name", "cc", MADE, "sh", "-c",
           "rm -r /data/d; mkdir /data/d; echo 2 >/data/d/new");
    EXPECT(0, NULL, "", "commit", "cc", "made:2");
    EXPECT(0, "new\n", "", "run", "--rm", "made:2", "ls", "/data/d");
}
END_TEST

START_TEST(links_holes_and_owners_are_kept)
{
    write_in_container("cd /data; echo x >a; ln a b; chown 82:50 a; chmod 4711 a;"
                       "dd if=/dev/zero of=hole bs=1 count=1 seek=20000000 2>/dev/null");
    commit();
    EXPECT(0, "2 82:50 4711\n20000001\nsparse\n", "", "run", "--rm", MADE, "sh", "-c",
           "cd /data; stat -c '%h %u:%g %a' b; stat -c %s hole;"
           "test $(stat -c %b hole) -lt 1000 && echo sparse");
}
END_TEST

START_TEST(volumes_and_mount_points_are_left_out)
{
    cleanup_free char *layers = NULL, *here = NULL;

    EXPECT(0, NULL, "", "run", "--name", "cc", "-v", "/vol", "--tmpfs", "/scratch", BOX, "sh", "-c",
           "echo v >/vol/file; echo s >/scratch/file; echo h >>/etc/hosts");
    commit();
    EXPECT(0, "/scratch:\n\n/vol:\n", "", "run", "--rm", MADE, "ls", "/scratch", "/vol");
    EXPECT(0, "map[/vol:map[]]\n", "", "inspect", "-f", "{{.Config.Volumes}}", MADE);
    EXPECT(0, NULL, "", "rm", "cc");

    write_in_container("true");
    EXPECT(0, NULL, "", "commit", "cc", "made:2"); /* nothing was written: no layer */
    layers = world_inspect("made:2", "{{json .RootFS.Layers}}");
    here = world_inspect(BOX, "{{json .RootFS.Layers}}");
    ck_assert_str_eq(layers, here);
}
END_TEST

/* The file that says "you are in a container" is ours, also where it came back by export and
 * import. */
START_TEST(the_mark_of_a_container_is_no_change)
{
    cleanup_free char *tar = world_path("exported.tar");

    EXPECT(0, "755 0\n", "", "run", "--name", "cc", BOX, "stat", "-c", "%a %s", "/.dockerenv");
    EXPECT(0, "", "", "diff", "cc");
    EXPECT(0, "", "", "export", "-o", tar, "cc");
    EXPECT(0, NULL, "", "import", tar, MADE);
    EXPECT(0, NULL, "", "rm", "cc");
    EXPECT(0, "755 0\n", "", "run", "--name", "cc", MADE, "stat", "-c", "%a %s", "/.dockerenv");
    EXPECT(0, "", "", "diff", "cc");
    unlink(tar);
}
END_TEST

START_TEST(what_a_layer_cannot_say_is_told)
{
    write_in_container("echo x >/data/.wh.passwd");
    EXPECT(1, "", "'data/.wh.passwd': a layer cannot have a file called '.wh.passwd'", "commit",
           "cc", MADE);
}
END_TEST

START_TEST(the_same_files_make_the_same_layer)
{
    cleanup_free char *one = NULL, *two = NULL;

    write_in_container("echo x >/data/x; mkdir -p /data/a/b/c; rm /etc/group");
    commit();
    EXPECT(0, NULL, "", "commit", "-m", "again", "cc", "made:2");
    one = world_inspect(MADE, "{{json .RootFS.Layers}}");
    two = world_inspect("made:2", "{{json .RootFS.Layers}}");
    ck_assert_str_eq(one, two);
}
END_TEST

static const struct {
    const char *change, *format, *shown;
} changes[] = {
    {"CMD [\"a\",\"b\"]", "{{json .Config.Cmd}}", "[\"a\",\"b\"]"},
    {"ENTRYPOINT [\"x\"]", "{{json .Config.Entrypoint}} {{json .Config.Cmd}}", "[\"x\"] null"},
    {"ENV A=2 N=$A", "{{json .Config.Env}}", "[\"A=2\",\"N=1\"]"},
    {"EXPOSE 81/udp 82", "{{json .Config.ExposedPorts}}", "{\"81/udp\":{},\"82/tcp\":{}}"},
    {"HEALTHCHECK --interval=5s CMD true", "{{json .Config.Healthcheck}}",
     "{\"Test\":[\"CMD-SHELL\",\"true\"],\"Interval\":5000000000}"},
    {"LABEL m=n", "{{json .Config.Labels}}", "{\"l\":\"v\",\"m\":\"n\"}"},
    {"ONBUILD RUN ls", "{{json .Config.OnBuild}}", "[\"RUN ls\"]"},
    {"USER www", "{{.Config.User}}", "www"},
    {"VOLUME /v2", "{{json .Config.Volumes}}", "{\"/v2\":{}}"},
    {"WORKDIR sub", "{{.Config.WorkingDir}}", "/data/sub"},
    {"STOPSIGNAL KILL", "{{.Config.StopSignal}}", "KILL"},
};

START_TEST(changes_are_laid_over_the_containers_own)
{
    cleanup_free char *shown = NULL;

    EXPECT(0, NULL, "", "run", "--name", "cc", "-e", "A=1", "-l", "l=v", "-w", "/data", BOX,
           "true");
    EXPECT(0, NULL, "", "commit", "--change", changes[_i].change, "cc", MADE);
    shown = world_inspect(MADE, changes[_i].format);
    ck_assert_str_eq(shown, changes[_i].shown);
}
END_TEST

START_TEST(who_and_why_are_written_down)
{
    cleanup_free char *parent = world_inspect(BOX, "{{.Id}}"), *of = NULL;

    write_in_container("echo >/data/x");
    EXPECT(0, NULL, "", "commit", "-a", "Ann <a@x>", "-m", "why not", "cc", MADE);
    EXPECT(0, "Ann <a@x>,why not,,linux\n", "", "inspect", "-f",
           "{{.Author}},{{.Comment}},{{.Config.Hostname}},{{.Os}}", MADE);
    of = world_inspect(MADE, "{{.Parent}}");
    ck_assert_str_eq(of, parent);
}
END_TEST

START_TEST(mistakes_are_told_before_anything_is_done)
{
    write_in_container("true");
    EXPECT(1, "", "Error response from daemon: No such container: nosuch", "commit", "nosuch");
    EXPECT(1, "", "invalid reference format: repository name (library/UPPER) must be lowercase",
           "commit", "cc", "UPPER");
    EXPECT(1, "", "refusing to create a tag with a digest reference", "commit", "cc",
           "x@sha256:0000000000000000000000000000000000000000000000000000000000000000");
    EXPECT(1, "", "run is not a valid change command", "commit", "-c", "RUN x", "cc");
    EXPECT(1, "", "'cooper commit' requires at least 1 and at most 2 arguments", "commit");
}
END_TEST

/* --- standing still --------------------------------------------------------------------------- */

/* Counts in two files, one before and one behind a big one in the order of copying. */
#define COUNT                                                                                      \
    "cd /data; dd if=/dev/zero bs=1M count=1 2>/dev/null | tr '\\0' 'x' >one;"                     \
    "for i in $(seq 60); do cat one; done >middle; echo ready;"                                    \
    "while true; do echo >>a; echo >>z; done"

START_TEST(the_container_stands_still_meanwhile)
{
    cleanup_free char *difference = NULL;

    EXPECT(0, NULL, "", "run", "-d", "--name", "cc", BOX, "sh", "-c", COUNT);
    world_wait_log("cc", "ready");
    commit();
    difference =
        OUTPUT("run", "--rm", MADE, "sh", "-c", "cd /data; echo $(($(wc -l <a) - $(wc -l <z)))");
    ck_assert_msg(!strcmp(difference, "0") || !strcmp(difference, "1"),
                  "between the first file and the last one it counted %s", difference);
    EXPECT(0, NULL, NULL, "exec", "cc", "true"); /* and goes on */
}
END_TEST

/* Dies at the first file that is no regular one: the container is frozen then. */
START_TEST(a_killed_commit_leaves_no_container_frozen)
{
    cleanup_run struct run_result r = {0};
    static const char *const commit_killed[] = {"strace",
                                                "-qq",
                                                "-o",
                                                "/dev/null",
                                                "-e",
                                                "inject=mknodat:signal=SIGKILL",
                                                BUILD_DIR "/bin/cooper",
                                                "--root",
                                                NULL,
                                                "commit",
                                                "cc",
                                                NULL};
    const char *argv[sizeof commit_killed / sizeof *commit_killed];

    memcpy(argv, commit_killed, sizeof argv);
    argv[8] = world_root();
    EXPECT(0, NULL, "", "run", "-d", "--name", "cc", BOX, "sh", "-c",
           "mkfifo /data/pipe; echo ready; while true; do usleep 10000; echo alive; done");
    world_wait_log("cc", "ready");
    run_argv(&r, NULL, argv);
    ck_assert_int_eq(r.code, 128 + SIGKILL);
    EXPECT(0, NULL, "", "ps");
    EXPECT(0, NULL, "", "logs", "cc"); /* as far as it came */
    world_wait_log("cc", "alive");
    EXPECT(0, "still\n", "", "exec", "cc", "echo", "still");
    commit();
}
END_TEST

SUITE(commit)
{
    const TTest *const tests[] = {
        what_was_written_is_in_the_image,
        directories_made_anew_hide_the_old_ones,
        links_holes_and_owners_are_kept,
        volumes_and_mount_points_are_left_out,
        the_mark_of_a_container_is_no_change,
        what_a_layer_cannot_say_is_told,
        the_same_files_make_the_same_layer,
        who_and_why_are_written_down,
        mistakes_are_told_before_anything_is_done,
        the_container_stands_still_meanwhile,
        a_killed_commit_leaves_no_container_frozen,
    };
    TCase *t = tcase_create("commit");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, clear, NULL);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(t, tests[i]);
    tcase_add_loop_test(t, changes_are_laid_over_the_containers_own, 0,
                        sizeof changes / sizeof *changes);
    suite_add_tcase(suite, t);
}
