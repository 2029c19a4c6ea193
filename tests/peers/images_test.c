/* docker and Podman read the images we wrote, and we theirs: by archives in every form, and by a
 * registry; the same digests everywhere. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "peers/engine.h"
#include "support/registry_server.h"

static const char *cooper[8];
static struct registry_server server;

/* What a layer can hold, over the box: made in a container of either side. */
static const char changes[] =
    "echo new >/etc/new; rm -r /tmp; mkdir /tmp; ln /etc/new /root/hard; ln -s ../x /root/link;"
    "echo set >/bin/set; chmod 4755 /bin/set; mkdir -m 1777 /sticky; rm /bin/tty";
static const char question[] =
    "ls -ln /bin/set; ls -ldn /sticky; cat /etc/new /root/hard; ls -l /root/link; ls -A /tmp;"
    "ls /bin/tty 2>&1; ls -ldn /etc";

static void connect_all(void)
{
    static char *root;

    root = peers_path("cooper");
    cooper[0] = BUILD_DIR "/bin/cooper";
    cooper[1] = "--root";
    cooper[2] = root;
    registry_server_start(&server, NULL);
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

static void down(void)
{
    registry_server_stop(&server);
    peers_teardown();
}

static char *first_line(const char *const prefix[], const char *const args[])
{
    const char *out = peers_expect("images_test.c", 0, NULL, "", prefix, args);

    return str_copy_n(out, strcspn(out, "\n"));
}
#define LINE(prefix, ...) first_line(prefix, (const char *const[]){__VA_ARGS__, NULL})

/* Ids with their algorithm; Podman leaves it out. */
static char *id_of(const char *const prefix[], const char *name)
{
    cleanup_free char *id = LINE(prefix, "image", "inspect", "--format", "{{.Id}}", name);

    return str_starts(id, "sha256:") ? steal_ptr(&id) : str_format("sha256:%s", id);
}

/* Without what a container's own files change: Podman's /etc has a time of its own. */
static char *answer(const char *const prefix[], const char *name)
{
    const char *out = prefix == cooper ? EXPECT(prefix, 0, NULL, "", "run", "--rm", "--network",
                                                "none", name, "sh", "-c", question)
                                       : EXPECT(prefix, 0, NULL, "", "run", "--rm", ENGINE_LIMITS,
                                                name, "sh", "-c", question);
    const char *end = strstr(out, " /etc\n");

    ck_assert_ptr_nonnull(end);
    while (end > out && *end != '\n')
        end--;
    return str_copy_n(out, (size_t)(end - out));
}

static void check_same(const char *name)
{
    cleanup_free char *ours = id_of(cooper, name), *theirs = id_of(engine_prefix, name);
    cleanup_free char *we_say = answer(cooper, name), *they_say = answer(engine_prefix, name);

    ck_assert_str_eq(ours, theirs);
    ck_assert_str_eq(we_say, they_say);
    ck_assert_ptr_nonnull(strstr(we_say, "-rwsr-xr-x    1 0        0"));
    ck_assert_ptr_nonnull(strstr(we_say, "new\nnew\n"));
    ck_assert_ptr_nonnull(strstr(we_say, "/bin/tty: No such file"));
}

static void make_here(const char *name)
{
    EXPECT(cooper, 0, NULL, "", "run", "--name", "maker", "--network", "none", IMAGE, "sh", "-c",
           changes);
    EXPECT(cooper, 0, NULL, "", "commit", "-c", "ENV MADE=here", "maker", name);
    EXPECT(cooper, 0, NULL, "", "rm", "maker");
}

static void make_there(const char *name)
{
    EXPECT(engine_prefix, 0, NULL, "", "run", "--name", "maker", ENGINE_LIMITS, IMAGE, "sh", "-c",
           changes);
    EXPECT(engine_prefix, 0, NULL, "", "commit", "maker", name);
    EXPECT(engine_prefix, 0, NULL, "", "rm", "maker");
}

static void forget(const char *const prefix[], const char *name)
{
    EXPECT(prefix, 0, NULL, "", "rmi", "-f", name);
}

/* --- archives --------------------------------------------------------------------------------- */

START_TEST(they_load_what_we_save)
{
    static const char *const formats[] = {NULL, "docker-archive", "oci-archive"};
    const char *const *format = formats + (engine_is_docker() && _i == 2 ? 0 : _i);
    cleanup_free char *file = peers_path("saved.tar");

    make_here("localhost/kid:1");
    if (*format)
        EXPECT(cooper, 0, "", "", "save", "--format", *format, "-o", file, "localhost/kid:1");
    else
        EXPECT(cooper, 0, "", "", "save", "-o", file, "localhost/kid:1");
    EXPECT(engine_prefix, 0, NULL, "", "load", "-q", "-i", file);
    check_same("localhost/kid:1");
    forget(cooper, "localhost/kid:1");
    forget(engine_prefix, "localhost/kid:1");
}
END_TEST

START_TEST(we_load_what_they_save)
{
    static const char *const formats[] = {NULL, "docker-archive", "oci-archive", "oci-dir",
                                          "docker-dir"};
    const char *format = formats[_i];
    cleanup_free char *file = peers_path("theirs");
    cleanup_run struct run_result r = {0};

    if (engine_is_docker() && format)
        return;
    make_there("localhost/kid:2");
    if (format)
        EXPECT(engine_prefix, 0, NULL, "", "save", "-q", "--format", format, "-o", file,
               "localhost/kid:2");
    else
        EXPECT(engine_prefix, 0, NULL, "", "save", "-o", file, "localhost/kid:2");
    if (format && !strcmp(format, "docker-dir")) /* skopeo's "dir:", which names no image */
        EXPECT(cooper, 1, "", "manifest.json is not a list of images", "load", "-i", file);
    else {
        EXPECT(cooper, 0, "Loaded image: localhost/kid:2\n", "", "load", "-i", file);
        check_same("localhost/kid:2");
        forget(cooper, "localhost/kid:2");
    }
    forget(engine_prefix, "localhost/kid:2");
    RUN_OK(&r, NULL, "rm", "-rf", file);
}
END_TEST

/* Until version 24 docker's archives were also what they had been before 1.10. Without the newer
 * documents the id is made of what is left, on both sides to the same bytes. */
START_TEST(archives_of_old_are_the_same_image)
{
    cleanup_free char *file = peers_path("old.tar"), *place = peers_path("old"), *strip = NULL;
    cleanup_run struct run_result r = {0};

    if (!engine_is_docker())
        return;
    make_there("localhost/kid:5");
    EXPECT(engine_prefix, 0, NULL, "", "save", "-o", file, "localhost/kid:5");
    strip = str_format(
        "mkdir %s; cd %s; tar -xf %s; rm -f *.json; set -- */layer.tar; test -e $1 && tar -cf %s *",
        place, place, file, file);
    RUN(&r, NULL, "sh", "-c", strip);
    forget(engine_prefix, "localhost/kid:5");
    if (!r.code) { /* else this docker writes the new form only */
        EXPECT(engine_prefix, 0, NULL, "", "load", "-q", "-i", file);
        EXPECT(cooper, 0, "Loaded image: localhost/kid:5\n", "", "load", "-i", file);
        check_same("localhost/kid:5");
        forget(cooper, "localhost/kid:5");
        forget(engine_prefix, "localhost/kid:5");
    }
    RUN_OK(&r, NULL, "rm", "-rf", place, file);
}
END_TEST

/* --- a registry ------------------------------------------------------------------------------- */

static char *digest_of_push(const char *const prefix[], const char *name)
{
    cleanup_free char *all =
        LINE(prefix, "image", "inspect", "--format", "{{index .RepoDigests 0}}", name);
    const char *at = strchr(all, '@');

    ck_assert_ptr_nonnull(at);
    return str_copy(at + 1);
}

START_TEST(they_pull_what_we_push)
{
    cleanup_free char *name = str_format("%s/me/kid:3", server.address);
    cleanup_free char *ours = NULL, *theirs = NULL;

    make_here(name);
    EXPECT(cooper, 0, NULL, "", "push", name);
    if (engine_is_docker())
        EXPECT(engine_prefix, 0, NULL, "", "pull", name);
    else
        EXPECT(engine_prefix, 0, NULL, "", "pull", "-q", "--tls-verify=false", name);
    check_same(name);
    ours = digest_of_push(cooper, name);
    theirs = digest_of_push(engine_prefix, name);
    ck_assert_str_eq(ours, theirs);
    forget(cooper, name);
    forget(engine_prefix, name);
}
END_TEST

START_TEST(we_pull_what_they_push)
{
    cleanup_free char *name = str_format("%s/me/kid:4", server.address);
    cleanup_free char *ours = NULL, *theirs = NULL, *again = NULL;

    make_there(name);
    if (engine_is_docker())
        EXPECT(engine_prefix, 0, NULL, "", "push", name);
    else
        EXPECT(engine_prefix, 0, NULL, "", "push", "-q", "--tls-verify=false", name);
    EXPECT(cooper, 0, NULL, "", "pull", name);
    check_same(name);
    ours = digest_of_push(cooper, name);
    if (engine_is_docker()) { /* Podman remembers the digest only of what it pulled */
        theirs = digest_of_push(engine_prefix, name);
        ck_assert_str_eq(ours, theirs);
    }
    /* and back, under another name: the same manifest */
    again = str_format("%s/me/other:4", server.address);
    EXPECT(cooper, 0, NULL, "", "tag", name, again);
    EXPECT(cooper, 0, NULL, "", "push", "-q", again);
    forget(cooper, name);
    forget(cooper, again);
    EXPECT(cooper, 0, NULL, "", "pull", "-q", again);
    theirs = (free(theirs), digest_of_push(cooper, again));
    ck_assert_str_eq(ours, theirs);
    forget(cooper, again);
    forget(engine_prefix, name);
}
END_TEST

static void add_case(Suite *suite, const char *name, SFun up)
{
    TCase *t = tcase_create(name);

    tcase_set_timeout(t, 240);
    tcase_set_tags(t, name);
    tcase_add_unchecked_fixture(t, up, down);
    tcase_add_loop_test(t, they_load_what_we_save, 0, 3);
    tcase_add_loop_test(t, we_load_what_they_save, 0, 5);
    tcase_add_test(t, archives_of_old_are_the_same_image);
    tcase_add_test(t, they_pull_what_we_push);
    tcase_add_test(t, we_pull_what_they_push);
    suite_add_tcase(suite, t);
}

SUITE(images)
{
    add_case(suite, "docker", docker_up);
    add_case(suite, "podman", podman_up);
}
