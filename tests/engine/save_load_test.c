/* save and load: the same bytes every time, read by others, and everything that others write is
 * read here. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/world.h"
#include "support/registry_server.h"

/* Everything in a directory of the test's own. */
static char *place;

static char *path_of(const char *name)
{
    return str_format("%s/%s", place, name);
}

static void run(const char *script)
{
    cleanup_run struct run_result r = {0};

    RUN(&r, &(struct run_options){.directory = place}, "sh", "-ec", script);
    ck_assert_msg(!r.code, "%s: %s%s", script, r.out.data, r.err.data);
}

static void make(void)
{
    place = temp_dir();
    EXPECT(0, NULL, "", "run", "--name", "cc", BOX, "sh", "-c", "echo hi >/data/f; rm /etc/group");
    EXPECT(0, NULL, "", "commit", "cc", "kid:1");
    EXPECT(0, NULL, "", "rm", "cc");
    EXPECT(0, NULL, "", "tag", "kid:1", "kid:2");
}

static void clear(void)
{
    cleanup_run struct run_result r = {0};

    world_clear();
    COOPER(&r, "rmi", "-f", "kid:1", "kid:2");
    COOPER(&r, "image", "prune", "-f");
    temp_dir_remove(place);
    place = NULL;
    make();
}

static void drop(void)
{
    temp_dir_remove(place);
    place = NULL;
}

/* --- the other machine ------------------------------------------------------------------------ */

/* cooper with an empty root of its own, below the test's directory. */
static void elsewhere(struct run_result *ret, const char *const args[])
{
    cleanup_strv struct strv argv = {0};

    strv_add(&argv, BUILD_DIR "/bin/cooper");
    strv_add(&argv, "--root");
    strv_take(&argv, path_of("other"));
    for (; *args; args++)
        strv_add(&argv, *args);
    run_argv(ret, &(struct run_options){.directory = place}, (const char *const *)argv.items);
}
#define ELSEWHERE(ret, ...) elsewhere(ret, (const char *const[]){__VA_ARGS__, NULL})

/* Loads `file` there into an empty store; `said` is what load prints, exactly. */
static void load_elsewhere(const char *file, const char *said)
{
    cleanup_run struct run_result r = {0};

    run("rm -rf other");
    ELSEWHERE(&r, "load", "-i", file);
    ck_assert_msg(!r.code && !strcmp(r.out.data, said), "%s: %d '%s' '%s', expected '%s'", file,
                  r.code, r.out.data, r.err.data, said);
}

static char *output_elsewhere(const char *const args[])
{
    cleanup_run struct run_result r = {0};

    elsewhere(&r, args);
    ck_assert_msg(!r.code, "%s %s: %s", args[0], args[1], r.err.data);
    r.out.data[strcspn(r.out.data, "\n")] = 0;
    return str_copy(r.out.data);
}
#define THERE(...) output_elsewhere((const char *const[]){__VA_ARGS__, NULL})

/* Image, config and layers are the same, and it runs. */
static void check_same(const char *here, const char *there)
{
    cleanup_free char *id = world_inspect(here, "{{.Id}} {{.RootFS.Layers}}");
    cleanup_free char *id_there = THERE("inspect", "-f", "{{.Id}} {{.RootFS.Layers}}", there);
    cleanup_free char *says =
        THERE("run", "--rm", there, "sh", "-c", "cat /data/f; test ! -e /etc/group");

    ck_assert_str_eq(id, id_there);
    ck_assert_str_eq(says, "hi");
}

/* --- our own form ----------------------------------------------------------------------------- */

START_TEST(the_same_images_make_the_same_bytes)
{
    cleanup_free char *one = path_of("one.tar"), *two = path_of("two.tar");

    EXPECT(0, "", "", "save", "-o", one, "kid", BOX);
    load_elsewhere(one, "Loaded image: kid:1\nLoaded image: kid:2\nLoaded image: box:1\n");
    free(THERE("save", "-o", two, "kid:1", "kid:2", BOX));
    run("cmp one.tar two.tar");
    EXPECT(0, "", "", "save", "-o", two, "kid", BOX);
    run("cmp one.tar two.tar");
    run("tar -tf one.tar | grep -v blobs/ >list; printf 'index.json\\nmanifest.json\\noci-layout\\n"
        "repositories\\n' | cmp list -");
}
END_TEST

START_TEST(what_was_saved_is_loaded)
{
    cleanup_free char *file = path_of("kid.tar");
    cleanup_free char *parent = NULL, *box = world_inspect(BOX, "{{.Id}}");

    EXPECT(0, "", "", "save", "-o", file, "kid:1", BOX);
    load_elsewhere("kid.tar", "Loaded image: kid:1\nLoaded image: box:1\n");
    check_same("kid:1", "kid:1");
    parent = THERE("inspect", "-f", "{{.Parent}}", "kid:1");
    ck_assert_str_eq(parent, box);
}
END_TEST

START_TEST(an_image_without_a_name_is_told_by_its_id)
{
    cleanup_free char *file = path_of("id.tar");
    cleanup_free char *id = world_inspect("kid:1", "{{.Id}}");
    cleanup_free char *said = str_format("Loaded image ID: %s\n", id);

    EXPECT(0, "", "", "save", "-o", file, id);
    load_elsewhere("id.tar", said);
    run("tar -xOf id.tar manifest.json | grep -q '\"RepoTags\":null'");
}
END_TEST

START_TEST(a_name_moves_and_load_says_so)
{
    cleanup_free char *file = path_of("kid.tar");
    cleanup_free char *box = world_inspect(BOX, "{{.Id}}"), *said = NULL;

    EXPECT(0, "", "", "save", "-o", file, "kid:1");
    EXPECT(0, "", "", "tag", BOX, "kid:1");
    said = str_format("The image kid:1 already exists, renaming the old one with ID %s to empty "
                      "string\nLoaded image: kid:1\n",
                      box);
    EXPECT(0, said, "", "load", "-i", file);
    EXPECT(0, "Loaded image: kid:1\n", "", "load", "-q", "-i", file);
}
END_TEST

START_TEST(it_comes_by_pipe_and_compressed)
{
    cleanup_free char *file = path_of("kid.tar");

    EXPECT(0, "", "", "save", "-o", file, "kid:1");
    run("gzip -k kid.tar; bzip2 -k kid.tar; xz -k kid.tar; zstd -q kid.tar");
    load_elsewhere("kid.tar.gz", "Loaded image: kid:1\n");
    check_same("kid:1", "kid:1");
    load_elsewhere("kid.tar.bz2", "Loaded image: kid:1\n");
    load_elsewhere("kid.tar.xz", "Loaded image: kid:1\n");
    load_elsewhere("kid.tar.zst", "Loaded image: kid:1\n");
    run("rm -rf other; cat kid.tar | " BUILD_DIR "/bin/cooper --root other load >said;"
        "echo 'Loaded image: kid:1' | cmp said -; test -z \"$(ls other/staging)\"");
    run("rm -rf other; " BUILD_DIR "/bin/cooper --root other load <kid.tar >said");
    run("mkdir layout; tar -C layout -xf kid.tar");
    load_elsewhere("layout", "Loaded image: kid:1\n");
    check_same("kid:1", "kid:1");
}
END_TEST

START_TEST(save_refuses_what_it_cannot_do)
{
    cleanup_free char *nowhere = path_of("no/such/file"), *kept = path_of("kept");
    struct err err = {0};

    EXPECT(1, "", "No such image: nosuch\n", "save", "nosuch");
    EXPECT(1, "", "failed to save image: invalid output path: stat ", "save", "-o", nowhere, BOX);
    EXPECT(1, "", "failed to save image: cannot write to a directory\n", "save", "-o", place, BOX);
    EXPECT(1, "", "unknown format \"zip\"", "save", "--format", "zip", BOX);
    EXPECT(1, "",
           "image with reference " BOX
           " was found but does not provide the specified platform (linux/s390x)",
           "save", "--platform", "linux/s390x", BOX);
    ck_assert_int_eq(file_store(AT_FDCWD, kept, "old", 3, 0600, false, &err), 0);
    EXPECT(1, "", "No such image", "save", "-o", kept, BOX, "nosuch");
    run("test \"$(cat kept)\" = old; test \"$(ls)\" = kept");
}
END_TEST

/* --- others ----------------------------------------------------------------------------------- */

/* The digests in our archive are the digests they see. */
START_TEST(skopeo_and_umoci_read_it)
{
    cleanup_free char *docker = path_of("d.tar"), *oci = path_of("o.tar");

    EXPECT(0, "", "", "save", "-o", docker, "kid:1", BOX);
    EXPECT(0, "", "", "save", "--format", "oci-archive", "-o", oci, "kid:1");
    run("skopeo inspect --config docker-archive:d.tar:kid:1 >config;"
        "skopeo inspect --raw oci-archive:o.tar:1 >manifest;"
        "! tar -tf o.tar | grep -q manifest.json;"
        "tar -xOf o.tar index.json | grep -q $(sha256sum <manifest | cut -d' ' -f1);"
        "skopeo copy -q oci-archive:o.tar:1 oci:layout:kid;"
        "grep -q $(sha256sum <manifest | cut -d' ' -f1) layout/index.json;"
        "umoci unpack --image layout:kid bundle; test \"$(cat bundle/rootfs/data/f)\" = hi;"
        "test ! -e bundle/rootfs/etc/group");
}
END_TEST

START_TEST(what_skopeo_wrote_is_read)
{
    cleanup_free char *oci = path_of("o.tar");

    EXPECT(0, "", "", "save", "--format", "oci-archive", "-o", oci, "kid:1");
    run("skopeo copy -q oci-archive:o.tar:1 docker-archive:d.tar:lab:5000/kid:9;"
        "skopeo copy -q oci-archive:o.tar:1 oci:layout:kid");
    load_elsewhere("d.tar", "Loaded image: lab:5000/kid:9\n");
    check_same("kid:1", "lab:5000/kid:9");
    /* its layers came as plain tars: they are packed, and leave as they are kept */
    free(THERE("save", "-o", "again.tar", "lab:5000/kid:9"));
    run("rm -rf other");
    load_elsewhere("again.tar", "Loaded image: lab:5000/kid:9\n");
    check_same("kid:1", "lab:5000/kid:9");
}
END_TEST

/* A bare tag in a layout ("kid") is no name for an image: nobody knows of which repository. */
START_TEST(a_layout_keeps_its_digests)
{
    cleanup_free char *oci = path_of("o.tar");
    cleanup_free char *id = world_inspect("kid:1", "{{.Id}}");
    cleanup_free char *said = str_format("Loaded image ID: %s\n", id);

    EXPECT(0, "", "", "save", "--format", "oci-archive", "-o", oci, "kid:1");
    run("skopeo copy -q oci-archive:o.tar:1 oci:layout:kid;"
        "skopeo copy -q oci-archive:o.tar:1 oci-archive:two.tar:v1");
    load_elsewhere("layout", said);
    load_elsewhere("two.tar", said);
    free(THERE("save", "--format", "oci-archive", "-o", "back.tar", id));
    run("skopeo inspect --raw oci-archive:o.tar:1 >a; mkdir x; tar -C x -xf back.tar;"
        "test -f x/blobs/sha256/$(sha256sum <a | cut -d' ' -f1)");
}
END_TEST

/* What a registry has is what is saved, loaded and saved again: manifest, layers, every digest. */
START_TEST(a_pulled_image_keeps_its_digests)
{
    struct registry_server server;
    cleanup_free char *name = NULL, *said = NULL, *script = NULL;
    cleanup_free char *file = path_of("pulled.tar");

    registry_server_start(&server, NULL);
    registry_server_push(&server, "me/app:v1", &(struct test_image){.layers = 3, .index = _i > 0});
    name = str_format("%s/me/app:v1", server.address);
    EXPECT(0, NULL, "", "pull", name);
    EXPECT(0, "", "", "save", "-o", file, name);
    said = str_format("Loaded image: %s\n", name);
    load_elsewhere("pulled.tar", said);
    free(THERE("save", "-o", "again.tar", name));
    script = str_format("cmp pulled.tar again.tar;"
                        "skopeo inspect --tls-verify=false --override-arch amd64 --format "
                        "'{{range .Layers}}{{println .}}{{end}}' docker://%s >layers;"
                        "for l in $(cat layers); do tar -tf again.tar "
                        "blobs/sha256/${l#sha256:} >/dev/null; done",
                        name);
    run(script);
    if (!_i) {
        cleanup_free char *digest = str_format(
            "skopeo inspect --tls-verify=false --raw docker://%s | sha256sum | cut -c-64 "
            ">digest; tar -xOf again.tar index.json | grep -q $(cat digest)",
            name);

        run(digest);
    }
    EXPECT(0, NULL, "", "rmi", name);
    registry_server_stop(&server);
}
END_TEST

/* --- of old ----------------------------------------------------------------------------------- */

/* What docker wrote until 1.9, of two layers; `id N` is a name as they drew them. */
static const char old_archive[] =
    "id() { printf '%064d' $1; }; mkdir -p old/$(id 1) old/$(id 2) files/etc;"
    "cp \"$BOX_TAR\" old/$(id 1)/layer.tar; echo 1.0 | tee old/$(id 1)/VERSION >old/$(id "
    "2)/VERSION;"
    "echo from 2013 >files/etc/old; tar -C files -cf old/$(id 2)/layer.tar etc/old;"
    "echo '{\"id\":\"'$(id 1)'\",\"created\":\"2013-03-04T05:06:07Z\"}' >old/$(id 1)/json;"
    "echo '{\"id\":\"'$(id 2)'\",\"parent\":\"'$(id 1)'\",\"created\":\"2013-03-04T05:06:08Z\","
    "\"container_config\":{\"Cmd\":[\"touch\",\"x\"]},\"config\":{\"Cmd\":[\"cat\",\"/etc/"
    "old\"]}}' >old/$(id 2)/json;"
    "echo '{\"old\":{\"1\":\"'$(id 2)'\",\"2\":\"'$(id 2)'\"}}' >old/repositories;"
    "tar -C old -cf old.tar .; gzip -k old.tar";

START_TEST(what_docker_wrote_in_2013_is_read)
{
    cleanup_free char *box = world_path("box.tar"), *steps = NULL, *says = NULL;

    setenv("BOX_TAR", box, 1);
    run(old_archive);
    load_elsewhere("old.tar.gz", "Loaded image: old:1\nLoaded image: old:2\n");
    load_elsewhere("old.tar", "Loaded image: old:1\nLoaded image: old:2\n");
    says = THERE("run", "--rm", "old:2");
    ck_assert_str_eq(says, "from 2013");
    steps = THERE("history", "--format", "{{.CreatedBy}}", "old:1");
    ck_assert_str_eq(steps, "touch x");
    run("rm old/$(printf '%064d' 1)/layer.tar; ! " BUILD_DIR
        "/bin/cooper --root other load -i old 2>err;"
        "grep -q 'no member .*/layer.tar' err");
}
END_TEST

/* --- what is broken --------------------------------------------------------------------------- */

/* `spoil` works on the unpacked archive in layout/; then load must name the part and leave
 * nothing. */
static const struct {
    const char *spoil, *message;
} broken[] = {
    {"for f in layout/blobs/sha256/*; do test $(stat -c %s $f) -gt 100000 && "
     "printf X | dd of=$f bs=1 seek=50000 conv=notrunc 2>/dev/null; done; true",
     "layer 'blobs/sha256/"},
    {"for f in layout/blobs/sha256/*; do test $(stat -c %s $f) -gt 100000 && truncate -s 90000 $f;"
     " done; true",
     "layer 'blobs/sha256/"},
    {"for f in layout/blobs/sha256/*; do test $(stat -c %s $f) -gt 100000 && rm $f; done; true",
     "the archive has no member 'blobs/sha256/"},
    {"for f in layout/blobs/sha256/*; do grep -q rootfs $f && sed -i s/linux/xunil/ $f; done; true",
     "the content has digest sha256:"},
    {"for f in layout/blobs/sha256/*; do grep -q mediaType $f && echo >>$f; done; true",
     "of the archive has digest sha256:"},
    {"rm layout/index.json; sed -i 's/\"Layers\":\\[\"[^\"]*\",/\"Layers\":[/' "
     "layout/manifest.json",
     "invalid manifest, layers length mismatch: expected 1, got 2"},
    {"rm layout/index.json; sed -i 's/\"Config\":\"[^\"]*\"/\"Config\":\"no.json\"/' "
     "layout/manifest.json",
     "the archive has no member 'no.json'"},
    {"rm layout/index.json; truncate -s 5M layout/big.json;"
     "sed -i 's/\"Config\":\"[^\"]*\"/\"Config\":\"big.json\"/' layout/manifest.json",
     "member 'big.json' of the archive is larger than 4194304 bytes"},
    {"rm layout/index.json; python=$(printf '[%.0s' $(seq 100)); echo \"$python\" "
     ">layout/manifest.json",
     "manifest.json"},
};

START_TEST(broken_archives_name_the_part_and_leave_nothing)
{
    cleanup_free char *file = path_of("kid.tar");
    cleanup_run struct run_result r = {0};

    EXPECT(0, "", "", "save", "-o", file, "kid:1");
    run("mkdir layout; tar -C layout -xf kid.tar");
    run(broken[_i].spoil);
    ELSEWHERE(&r, "load", "-i", "layout");
    ck_assert_msg(r.code == 1 && strstr(r.err.data, broken[_i].message), "%d '%s' lacks '%s'",
                  r.code, r.err.data, broken[_i].message);
    ck_assert_str_eq(r.out.data, "");
    ELSEWHERE(&r, "images", "-aq");
    ck_assert_str_eq(r.out.data, "");
    run("test -z \"$(ls other/staging)\"");
}
END_TEST

SUITE(save_load)
{
    const TTest *const alone[] = {
        the_same_images_make_the_same_bytes,       what_was_saved_is_loaded,
        an_image_without_a_name_is_told_by_its_id, a_name_moves_and_load_says_so,
        it_comes_by_pipe_and_compressed,           save_refuses_what_it_cannot_do,
        what_docker_wrote_in_2013_is_read,
    };
    const TTest *const others[] = {
        skopeo_and_umoci_read_it,
        what_skopeo_wrote_is_read,
        a_layout_keeps_its_digests,
    };
    TCase *t = tcase_create("save_load");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, clear, drop);
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
        tcase_add_test(t, alone[i]);
    tcase_add_loop_test(t, broken_archives_name_the_part_and_leave_nothing, 0,
                        sizeof broken / sizeof *broken);
    suite_add_tcase(suite, t);

    t = tcase_create("others");
    tcase_set_tags(t, "needs-root needs-registry");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, clear, drop);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        tcase_add_test(t, others[i]);
    tcase_add_loop_test(t, a_pulled_image_keeps_its_digests, 0, 2);
    suite_add_tcase(suite, t);
}
