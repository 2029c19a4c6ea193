/* Archives of images: what they list, and what is wrong with them. */
#include "support/suite.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "layer_tar.h"

#define ADD(member, ...) tar_add(&tar, &(struct tar_member){.name = member, __VA_ARGS__})

static struct buf tar;
static int fd = -1;
static struct image_archive *archive;
static struct archived_images images;
static struct err err;

static void clear(void)
{
    buf_free(&tar);
    archive = NULL;
    images = (struct archived_images){0};
    err_clear(&err);
}

static void drop(void)
{
    archived_images_free(&images);
    image_archive_close(archive);
    close_fd(&fd);
}

static int open_archive(void)
{
    tar_end(&tar);
    fd = file_memfd("archive", tar.data, tar.len, &err);
    ck_assert_int_ge(fd, 0);
    return image_archive_open(fd, &archive, &err);
}

static int list(void)
{
    struct platform host = {"linux", "amd64", ""};
    int r = open_archive();

    return r < 0 ? r : image_archive_images(archive, &host, &images, &err);
}

static void add_text(const char *name, const char *text)
{
    tar_add(&tar, &(struct tar_member){.name = name, .data = text});
}

/* Adds blobs/sha256/<hex> and returns its digest, in one of two static buffers. */
static const char *add_blob(const char *text)
{
    static char digests[4][DIGEST_LEN + 1];
    static unsigned next;
    char *digest = digests[next++ % 4];
    cleanup_free char *name = NULL;

    digest_of(text, strlen(text), digest);
    name = str_format("blobs/sha256/%s", digest_hex(digest));
    add_text(name, text);
    return digest;
}

#define LAYER_DIGEST "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static char *manifest_of(const char *config)
{
    return str_format("{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\","
                      "\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG "\",\"digest\":\"%s\","
                      "\"size\":2},\"layers\":[{\"mediaType\":\"" MEDIA_OCI_LAYER_GZIP
                      "\",\"digest\":\"" LAYER_DIGEST "\",\"size\":7}]}",
                      config);
}

static void add_index(const char *digest, size_t size, const char *more)
{
    cleanup_free char *text =
        str_format("{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" MEDIA_OCI_MANIFEST
                   "\",\"digest\":\"%s\",\"size\":%zu%s}]}",
                   digest, size, more);

    add_text("index.json", text);
}

/* --- members ---------------------------------------------------------------------------------- */

START_TEST(members_are_found_where_they_are)
{
    struct archive_member m;
    char text[8] = "";
    char name[151];

    memset(name, 'n', 150);
    name[150] = 0;
    tar_pax(&tar, "path", name, 150);
    ADD("long", .data = "long");
    ADD("dir/", .type = '5');
    ADD("./dir//file", .data = "old");
    ADD("dir/file", .data = "new");
    ADD("dir/soft", .type = '2', .link = "../dir/./file");
    ADD("hard", .type = '1', .link = "dir/file");
    ADD("outside", .type = '2', .link = "../../etc/passwd");
    ADD("chain", .type = '2', .link = "dir/soft");
    ck_assert_msg(!open_archive(), "%s", err.message);
    ck_assert_int_eq(image_archive_find(archive, "dir/file", &m, &err), 0);
    ck_assert_uint_eq(m.size, 3);
    ck_assert_int_eq(pread(m.fd, text, 3, (off_t)m.offset), 3);
    ck_assert_str_eq(text, "new"); /* the last one of a name */
    for (size_t i = 0; i < 3; i++) {
        static const char *const links[] = {"dir/soft", "hard", "./chain"};
        struct archive_member same;

        ck_assert_msg(!image_archive_find(archive, links[i], &same, &err), "%s", links[i]);
        ck_assert_uint_eq(same.offset, m.offset);
    }
    ck_assert_int_eq(image_archive_find(archive, name, &m, &err), 0);
    ck_assert_int_eq(image_archive_find(archive, "outside", &m, &err), -ENOENT);
    ck_assert_int_eq(image_archive_find(archive, "dir", &m, &err), -ENOENT);
    ck_assert_int_eq(image_archive_find(archive, "../dir/file", &m, &err), -ENOENT);
}
END_TEST

START_TEST(a_link_to_itself_is_an_error)
{
    struct archive_member m;

    ADD("a", .type = '2', .link = "b");
    ADD("b", .type = '2', .link = "a");
    ck_assert_int_eq(open_archive(), 0);
    ck_assert_int_eq(image_archive_find(archive, "a", &m, &err), -ELOOP);
}
END_TEST

START_TEST(names_do_not_climb)
{
    ADD("../../etc/passwd", .data = "x");
    ck_assert_int_eq(open_archive(), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "'../../etc/passwd': refused"));
}
END_TEST

START_TEST(a_cut_archive_says_so)
{
    ADD("manifest.json", .data = "[]");
    ADD("big", .data = "0123456789");
    tar.len -= 512;
    fd = file_memfd("archive", tar.data, tar.len, &err);
    ck_assert_int_lt(image_archive_open(fd, &archive, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "the archive is damaged"));
}
END_TEST

START_TEST(a_layout_is_a_directory)
{
    cleanup_free char *path = str_format("%s/layout-XXXXXX", getenv("TMPDIR"));
    struct archive_member m;
    cleanup_buf struct buf text = {0};
    int dir;

    ck_assert_ptr_nonnull(mkdtemp(path));
    dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(file_create(dir, "file", "text", 4, 0600, &err), 0);
    ck_assert_int_eq(symlinkat("/etc/passwd", dir, "link"), 0);
    ck_assert_int_eq(mkfifoat(dir, "fifo", 0600), 0);
    ck_assert_int_eq(image_archive_open(dir, &archive, &err), 0);
    ck_assert_int_eq(image_archive_load(archive, "file", 10, &text, &err), 0);
    ck_assert_str_eq(text.data, "text");
    ck_assert_int_eq(image_archive_load(archive, "file", 3, &text, &err), -EFBIG);
    ck_assert_int_eq(image_archive_find(archive, "link", &m, &err), -ENOENT); /* beneath only */
    ck_assert_int_eq(image_archive_find(archive, "fifo", &m, &err), -EINVAL);
    ck_assert_int_eq(image_archive_find(archive, "none", &m, &err), -ENOENT);
    file_remove_tree(AT_FDCWD, path, &err);
    close(dir);
}
END_TEST

/* --- what is listed --------------------------------------------------------------------------- */

START_TEST(docker_lists_images_by_member)
{
    add_text("manifest.json",
             "[{\"Config\":\"c.json\",\"RepoTags\":[\"box:1\",\"lab:5000/x:2\"],"
             "\"Layers\":[\"l/layer.tar\",\"blobs/sha256/"
             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]},"
             "{\"Config\":\"d.json\",\"RepoTags\":null,\"Layers\":[]}]");
    ck_assert_msg(!list(), "%s", err.message);
    ck_assert_uint_eq(images.len, 2);
    ck_assert_str_eq(images.items[0].config, "c.json");
    ck_assert_str_eq(images.items[0].config_digest, "");
    ck_assert_str_eq(images.items[0].tags.items[1], "lab:5000/x:2");
    ck_assert_str_eq(images.items[0].layers[0].name, "l/layer.tar");
    ck_assert_str_eq(images.items[0].layers[1].digest, LAYER_DIGEST);
    ck_assert_ptr_null(images.items[0].manifest);
    ck_assert_uint_eq(images.items[1].tags.len, 0);
}
END_TEST

START_TEST(both_lists_are_one)
{
    const char *config = add_blob("{}");
    cleanup_free char *text = manifest_of(config), *docker = NULL;
    const char *manifest = add_blob(text);

    docker = str_format("[{\"Config\":\"blobs/sha256/%s\",\"RepoTags\":[\"other:2\"],"
                        "\"Layers\":[\"x\"],\"Parent\":\"" LAYER_DIGEST "\"}]",
                        digest_hex(config));
    add_text("manifest.json", docker);
    add_index(manifest, strlen(text),
              ",\"annotations\":{\"io.containerd.image.name\":\"docker.io/library/box:1\","
              "\"org.opencontainers.image.ref.name\":\"1\"}");
    ck_assert_msg(!list(), "%s", err.message);
    ck_assert_uint_eq(images.len, 1);
    ck_assert_str_eq(images.items[0].manifest_digest, manifest);
    ck_assert_str_eq(images.items[0].config_digest, config);
    ck_assert_uint_eq(images.items[0].layers[0].size, 7);
    ck_assert_uint_eq(images.items[0].tags.len, 2);
    ck_assert_str_eq(images.items[0].tags.items[0], "docker.io/library/box:1");
    ck_assert_str_eq(images.items[0].tags.items[1], "docker.io/library/other:2");
    ck_assert_str_eq(images.items[0].parent, LAYER_DIGEST);
}
END_TEST

START_TEST(of_several_platforms_one_is_taken)
{
    const char *config = add_blob("{}");
    cleanup_free char *text = manifest_of(config), *inner = NULL;
    const char *manifest = add_blob(text), *index;

    inner = str_format("{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":["
                       "{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"" LAYER_DIGEST
                       "\",\"size\":9,\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}},"
                       "{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"%s\",\"size\":%zu,"
                       "\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}]}",
                       manifest, strlen(text));
    index = add_blob(inner);
    add_index(index, strlen(inner), "");
    ck_assert_msg(!list(), "%s", err.message);
    ck_assert_uint_eq(images.len, 1);
    ck_assert_str_eq(images.items[0].manifest_digest, manifest);
}
END_TEST

/* --- what docker wrote before it had a manifest.json ------------------------------------------ */

#define OLD_TOP  "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define OLD_BASE "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static void add_old_image(const char *parent_of_base)
{
    cleanup_free char *base = str_format(
        "{\"id\":\"" OLD_BASE "\",\"parent\":\"%s\",\"created\":\"2013-01-02T03:04:05Z\","
        "\"container_config\":{\"Cmd\":[\"/bin/sh\",\"-c\",\"#(nop) ADD\"]}}",
        parent_of_base);

    add_text("repositories", "{\"old\":{\"1\":\"" OLD_TOP "\",\"2\":\"" OLD_TOP "\"}}");
    add_text(
        OLD_TOP "/json",
        "{\"id\":\"" OLD_TOP "\",\"parent\":\"" OLD_BASE
        "\",\"os\":\"linux\",\"created\":\"2014-01-02T03:04:05Z\","
        "\"author\":\"Ann "
        "<a&b>\",\"config\":{\"Env\":[\"Z=1\"],\"Cmd\":[\"sh\"]},\"Size\":7,\"comment\":\"hi\"}");
    add_text(OLD_TOP "/layer.tar", "top");
    add_text(OLD_BASE "/json", base);
    add_text(OLD_BASE "/layer.tar", "base");
}

/* To the byte as docker makes it: members sorted, those below as they came, <>& escaped. */
START_TEST(archives_of_old_get_the_config_docker_makes)
{
    char base[DIGEST_LEN + 1], top[DIGEST_LEN + 1];
    cleanup_free char *expected = NULL;

    add_old_image("");
    ck_assert_msg(!list(), "%s", err.message);
    digest_of("base", 4, base);
    digest_of("top", 3, top);
    expected = str_format(
        "{\"author\":\"Ann "
        "\\u003ca\\u0026b\\u003e\",\"comment\":\"hi\",\"config\":{\"Env\":[\"Z=1\"],\"Cmd\":["
        "\"sh\"]},"
        "\"created\":\"2014-01-02T03:04:05Z\",\"history\":["
        "{\"created\":\"2013-01-02T03:04:05Z\",\"created_by\":\"/bin/sh -c #(nop) ADD\"},"
        "{\"created\":\"2014-01-02T03:04:05Z\",\"author\":\"Ann "
        "\\u003ca\\u0026b\\u003e\",\"comment\":\"hi\"}],"
        "\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\",\"%s\"]}}",
        base, top);
    ck_assert_uint_eq(images.len, 1);
    ck_assert_str_eq(images.items[0].config_text, expected);
    ck_assert_uint_eq(images.items[0].tags.len, 2);
    ck_assert_uint_eq(images.items[0].layer_count, 2);
    ck_assert_str_eq(images.items[0].layers[0].name, OLD_BASE "/layer.tar");
    ck_assert_str_eq(images.items[0].layers[1].digest, top);
}
END_TEST

START_TEST(parents_in_a_circle_end)
{
    add_old_image(OLD_TOP);
    ck_assert_int_eq(list(), -ELOOP);
    ck_assert_ptr_nonnull(strstr(err.message, "has more than 1000 parents"));
}
END_TEST

/* --- what is wrong ---------------------------------------------------------------------------- */

static const struct {
    const char *name, *text, *message;
} broken[] = {
    {"other", "x", "the archive has no manifest.json, index.json or repositories"},
    {"manifest.json", "[]", "the archive lists no image"},
    {"manifest.json", "{", "manifest.json is not valid JSON"},
    {"manifest.json", "{}", "manifest.json is not a list of images"},
    {"manifest.json", "[{\"Layers\":[]}]", "without \"Config\" or \"Layers\""},
    {"manifest.json", "[{\"Config\":\"c\",\"Layers\":[1]}]", "a layer that is no name"},
    {"manifest.json", "[{\"Config\":\"c\",\"Layers\":[],\"RepoTags\":[\"UP:1\"]}]",
     "name 'UP:1' for an image: invalid reference format"},
    {"repositories", "{\"a\":{\"1\":\"../../etc\"}}", "an image '../../etc': that is no id"},
    {"repositories", "{\"a\":{\"1\":7}}", "an image without an id"},
    {"repositories", "{\"a\":{\"1\":\"" OLD_TOP "\"}}", "no member '" OLD_TOP "/json'"},
    {"repositories", "{}", "the archive lists no image"},
    {"index.json", "{}", "index.json has no list \"manifests\""},
    {"index.json", "{\"manifests\":[{\"digest\":\"sha256:../../x\"}]}",
     "index.json has an invalid digest: 'sha256:../../x'"},
    {"index.json", "{\"manifests\":[{\"digest\":\"" LAYER_DIGEST "\",\"size\":1}]}",
     "the archive has no member 'blobs/sha256/aaaa"},
};

START_TEST(broken_lists_name_the_part)
{
    add_text(broken[_i].name, broken[_i].text);
    ck_assert_int_lt(list(), 0);
    ck_assert_msg(strstr(err.message, broken[_i].message) != NULL, "'%s' lacks '%s'", err.message,
                  broken[_i].message);
}
END_TEST

START_TEST(a_manifest_of_another_digest_is_refused)
{
    add_text("blobs/sha256/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "{}");
    add_index(LAYER_DIGEST, 2, "");
    ck_assert_int_eq(list(), -EBADMSG);
    ck_assert_ptr_nonnull(strstr(err.message, "of the archive has digest sha256:44136fa3"));
}
END_TEST

START_TEST(a_manifest_of_another_size_is_refused)
{
    cleanup_free char *text = manifest_of(LAYER_DIGEST);

    add_index(add_blob(text), strlen(text) + 1, "");
    ck_assert_int_eq(list(), -EBADMSG);
}
END_TEST

/* An index that lists itself cannot be made, but one of ten levels can. */
START_TEST(indexes_are_not_followed_for_ever)
{
    cleanup_free char *text = str_copy("{}");
    const char *digest = add_blob(text);

    for (int i = 0; i < 8; i++) {
        char *outer =
            str_format("{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" MEDIA_OCI_INDEX
                       "\",\"digest\":\"%s\",\"size\":%zu}]}",
                       digest, strlen(text));

        free(text);
        text = outer;
        digest = add_blob(text);
    }
    add_index(digest, strlen(text), "");
    ck_assert_int_eq(list(), -ELOOP);
}
END_TEST

/* --- coming in -------------------------------------------------------------------------------- */

static int gzip_to_buf(void *context, const void *data, size_t len, struct err *e)
{
    (void)e;
    buf_add(context, data, len);
    return 0;
}

START_TEST(a_pipe_is_written_down)
{
    cleanup_close int from = -1, to = -1;
    cleanup_buf struct buf packed = {0}, out = {0};
    struct gzip_writer *w;

    ADD("manifest.json", .data = "[]");
    tar_end(&tar);
    w = gzip_writer_new(gzip_to_buf, &packed);
    ck_assert_int_eq(gzip_writer_add(w, tar.data, tar.len, &err), 0);
    ck_assert_int_eq(gzip_writer_end(w, &err), 0);
    gzip_writer_free(w);
    from = file_memfd("packed", packed.data, packed.len, &err);
    to = file_memfd("to", "", 0, &err);
    ck_assert(!image_archive_is_plain(from));
    ck_assert_int_eq(image_archive_spool(from, to, NULL, &err), 0);
    ck_assert(image_archive_is_plain(to));
    ck_assert_int_eq(lseek(to, 0, SEEK_SET), 0);
    ck_assert_int_eq(file_load_fd(to, 1 << 20, &out, &err), 0);
    ck_assert_uint_eq(out.len, tar.len);
    ck_assert(!memcmp(out.data, tar.data, tar.len));
}
END_TEST

SUITE(archive)
{
    const TTest *const tests[] = {
        members_are_found_where_they_are,
        a_link_to_itself_is_an_error,
        names_do_not_climb,
        a_cut_archive_says_so,
        a_layout_is_a_directory,
        docker_lists_images_by_member,
        both_lists_are_one,
        of_several_platforms_one_is_taken,
        archives_of_old_get_the_config_docker_makes,
        parents_in_a_circle_end,
        a_manifest_of_another_digest_is_refused,
        a_manifest_of_another_size_is_refused,
        indexes_are_not_followed_for_ever,
        a_pipe_is_written_down,
    };
    TCase *t = tcase_create("archive");

    tcase_add_checked_fixture(t, clear, drop);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(t, tests[i]);
    tcase_add_loop_test(t, broken_lists_name_the_part, 0, sizeof broken / sizeof *broken);
    suite_add_tcase(suite, t);
}
