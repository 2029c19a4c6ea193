/* The same Dockerfile and context, built here and by docker and Podman: the same files with the
 * same modes and owners, the same configuration. Only what all of them have: docker's classic
 * builder knows no heredocs and no mounts. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "peers/engine.h"

#define MADE "localhost/made:1"

static const char *cooper[8];
static char *context;

/* Modes, symlinks, a directory of each kind of name, a tar, things to ignore. */
static const char make_context[] =
    "mkdir -p $0/d/e/f $0/empty $0/p.d && cd $0 && echo a >a && echo b >b.txt && echo c >c.txt &&"
    "chmod 640 a && chmod 711 b.txt && echo 1 >d/one && chmod 600 d/one && ln -s one d/link &&"
    "ln -s /etc/passwd d/abs && ln -s d dirlink && echo 2 >d/e/two && chmod 700 d/e &&"
    "chmod 1777 d/e/f && chmod 750 empty && echo 3 >p.d/three.md && echo 4 >README.md &&"
    "echo 5 >TODO.md && echo 6 >d/x.md && ln a hard && mkfifo fifo && rm fifo &&"
    "tar -cf t.tar --owner=5 --group=6 d && gzip -k t.tar && xz -k t.tar && bzip2 -k t.tar &&"
    "echo text >fake.tar && printf '# no markdown\\n*.md\\n!README.md\\n**/x.md\\nd/e/f\\n' "
    ">.dockerignore";

static const struct {
    const char *name, *lines;
} cases[] = {
    {"files", "COPY a /x/\nCOPY b.txt /x/renamed\nCOPY a b.txt /x/y/z/\nCOPY ./a /x/dot"},
    {"directory", "COPY d /x\nCOPY d/e /x/e2/\nCOPY empty /x/empty/"},
    {"everything", "COPY . /x/"},
    {"globs", "COPY *.txt /x/\nCOPY ?.t[xy]t /x/g/\nCOPY */one /x/h/\nCOPY p.* /x/i/"},
    {"links", "COPY dirlink /x/\nCOPY dirlink/one /x/through\nCOPY d/link /x/file"},
    {"merged", "RUN mkdir -p -m 711 /x/e && echo old >/x/one && chown 7:8 /x/e\nCOPY d /x/"},
    {"over a link", "RUN mkdir -p /real && ln -s /real /x\nCOPY d/ /x/\nCOPY a /x/new/"},
    {"over a climbing link", "RUN ln -s ../../../srv /x\nCOPY a /x/\nRUN ls /srv/a"},
    {"workdir",
     "WORKDIR /x/w\nCOPY a .\nCOPY a sub/\nWORKDIR deeper\nCOPY b.txt ../\nRUN pwd >here"},
    {"owners", "RUN mkdir /x\nCOPY --chown=5:6 d /x/d\nCOPY --chown=8:9 a /x/\n"
               "COPY --chown=7 a /x/n"},
    {"archives", "ADD t.tar /x/plain/\nADD t.tar.gz /x/gz/\nADD t.tar.xz /x/xz\n"
                 "ADD t.tar.bz2 /x/bz\nADD fake.tar /x/\nCOPY t.tar /x/whole.tar\n"
                 "RUN rm /x/whole.tar"},
    {"stages",
     "RUN mkdir -p /out && echo o >/out/o && chown 5:6 /out/o && chmod 604 /out/o\n"
     "FROM " IMAGE "\nCOPY --from=0 /out/ /x/\nCOPY --from=" IMAGE " /bin/sh /x/sh\nRUN rm /x/sh"},
    {"deletions", "COPY d /x\nRUN rm -r /x/e /x/one && echo new >/x/one && rm /bin/tty"},
    {"configuration",
     "LABEL \"b c\"='d e' a=1\nENV A=1 B=\"$A 2\"\nENV C $A-x\nEXPOSE 80 53/udp\nVOLUME /v /u\n"
     "USER www:www\nWORKDIR /x\nSTOPSIGNAL SIGINT\nONBUILD RUN ls\nSHELL [\"/bin/sh\", \"-ec\"]\n"
     "HEALTHCHECK --interval=7s --retries=2 CMD test -e /x\nENTRYPOINT [\"echo\"]\nCMD a b"},
    {"arguments",
     "ARG V=1\nARG W\nENV E=${V}-${W:-none}\nRUN mkdir -p /x && echo \"$V $W $E\" >/x/$V"},
};

static const char list[] = "find /x /srv /real /bin/tty 2>/dev/null | sort | while read -r f; do"
                           "  stat -c '%n %f %u:%g' \"$f\"; if [ -L \"$f\" ]; then readlink \"$f\";"
                           "  elif [ -f \"$f\" ]; then cat \"$f\"; fi; done";

#define MEMBER(name) "{{json .Config." name "}} "
static const char members[] =
    MEMBER("Cmd") MEMBER("Entrypoint") MEMBER("Env") MEMBER("ExposedPorts") MEMBER("Labels")
        MEMBER("OnBuild") MEMBER("User") MEMBER("Volumes") MEMBER("WorkingDir");
static const char more_members[] = MEMBER("StopSignal") MEMBER("Shell") MEMBER("Healthcheck");

static void connect_all(void)
{
    cleanup_run struct run_result r = {0};
    static char *root;

    root = peers_path("cooper");
    context = peers_path("context");
    cooper[0] = BUILD_DIR "/bin/cooper";
    cooper[1] = "--root";
    cooper[2] = root;
    setenv("DOCKER_BUILDKIT", "0", 1);
    EXPECT(cooper, 0, NULL, "", "load", "-q", "-i", peers_archive());
    RUN_OK(&r, NULL, "sh", "-c", make_context, context);
}

static void docker_up(void)
{
    engine_docker_up();
    connect_all();
}

static void podman_up(void)
{
    engine_podman_up();
    connect_all();
}

static char *copy_of(const char *text)
{
    return str_copy(text);
}

static void build(const char *const prefix[], const char *file)
{
    if (prefix != cooper && !engine_is_docker())
        EXPECT(prefix, 0, NULL, "", "build", "-q", "--format", "docker", "--isolation", "oci",
               "--network", "none", "--ulimit", "nofile=1000:1000", "-t", MADE, "-f", file,
               context);
    else
        EXPECT(prefix, 0, NULL, "", "build", "-q", "--network", "none", "-t", MADE, "-f", file,
               context);
}

static char *files_in(const char *const prefix[])
{
    if (prefix == cooper)
        return copy_of(EXPECT(prefix, 0, NULL, "", "run", "--rm", "--network", "none", "--user",
                              "0", "--entrypoint", "/bin/sh", MADE, "-c", list));
    return copy_of(EXPECT(prefix, 0, NULL, "", "run", "--rm", ENGINE_LIMITS, "--user", "0",
                          "--entrypoint", "/bin/sh", MADE, "-c", list));
}

static char *config_of(const char *const prefix[], const char *format)
{
    return copy_of(EXPECT(prefix, 0, NULL, "", "image", "inspect", "--format", format, MADE));
}

static void check_files(const char *name)
{
    cleanup_free char *ours = files_in(cooper), *theirs = files_in(engine_prefix);

    ck_assert_msg(!strcmp(ours, theirs), "%s: ours\n%stheirs\n%s", name, ours, theirs);
}

/* Podman's inspect writes members in ways of its own. */
static void check_configuration(const char *name, const char *format)
{
    cleanup_free char *ours = NULL, *theirs = NULL;

    if (!engine_is_docker())
        return;
    ours = config_of(cooper, format);
    theirs = config_of(engine_prefix, format);
    ck_assert_msg(!strcmp(ours, theirs), "%s: ours %s, theirs %s", name, ours, theirs);
}

START_TEST(the_same_image_comes_out)
{
    cleanup_free char *text = str_format("FROM " IMAGE "\n%s\n", cases[_i].lines);
    cleanup_free char *file = peers_file("context/Dockerfile", text);

    build(cooper, file);
    build(engine_prefix, file);
    check_files(cases[_i].name);
    check_configuration(cases[_i].name, members);
    if (strstr(cases[_i].lines, "SHELL"))
        check_configuration(cases[_i].name, more_members);
    EXPECT(cooper, 0, NULL, "", "rmi", "-f", MADE);
    EXPECT(engine_prefix, 0, NULL, "", "rmi", "-f", MADE);
}
END_TEST

static void add_case(Suite *suite, const char *name, SFun up)
{
    TCase *t = tcase_create(name);

    tcase_set_timeout(t, 240);
    tcase_set_tags(t, name);
    tcase_add_unchecked_fixture(t, up, peers_teardown);
    tcase_add_loop_test(t, the_same_image_comes_out, 0, sizeof cases / sizeof *cases);
    suite_add_tcase(suite, t);
}

SUITE(builds)
{
    add_case(suite, "docker", docker_up);
    add_case(suite, "podman", podman_up);
}
