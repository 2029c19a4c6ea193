/* The store in a temporary directory: what is published, found, refused and collected. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "storage/storage.h"
#include "support/suite.h"

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define HEX_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static char root[4096];
static struct store *store;
static struct err err;
static uint64_t freed;

static void setup(void)
{
    snprintf(root, sizeof root, "%s/storage-XXXXXX", getenv("TMPDIR"));
    ck_assert_ptr_nonnull(mkdtemp(root));
    ck_assert_msg(!store_open(root, &store, &err), "%s", err.message);
}

static void teardown(void)
{
    store_close(store);
    file_remove_tree(AT_FDCWD, root, &err);
}

static bool exists(const char *path)
{
    return !faccessat(store->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW);
}

/* A layer with one file, published under the chain id. */
static struct layer publish_layer(const char *chain, const char *parent)
{
    struct layer layer = {.size = 7};
    char stage[64];
    int fd = store_stage(store, stage, &err);

    ck_assert_msg(fd >= 0, "%s", err.message);
    ck_assert_int_eq(mkdirat(fd, "etc", 0755), 0);
    close(fd);
    strcpy(layer.chain_id, chain);
    strcpy(layer.diff_id, chain);
    strcpy(layer.parent, parent);
    ck_assert_msg(!store_layer_publish(store, stage, &layer, &err), "%s", err.message);
    return layer;
}

static void add_image(const char *id, const char *chain, const char *reference)
{
    struct image_record record = {
        .id = id, .manifest = "", .created_ns = 5, .reference = reference};

    ck_assert_int_eq(store_blob_put(store, id, "{}", 2, &err), 0);
    strv_add(&record.chain_ids, chain);
    strv_add(&record.blobs, id);
    ck_assert_msg(!store_image_add(store, &record, &err), "%s", err.message);
    strv_free(&record.chain_ids);
    strv_free(&record.blobs);
}

START_TEST(root_is_made_private)
{
    struct stat st;

    ck_assert_int_eq(chmod(root, 0755), 0);
    store_close(store);
    ck_assert_int_eq(store_open(root, &store, &err), 0);
    ck_assert_int_eq(stat(root, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0700);
}
END_TEST

START_TEST(newer_database_is_refused)
{
    cleanup_free char *path = str_format("%s/cooper.db", root);
    struct store *other = NULL;
    sqlite3 *db;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "PRAGMA user_version=99", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    ck_assert_int_eq(store_open(root, &other, &err), -EPROTO);
    ck_assert_ptr_nonnull(strstr(err.message, "has version 99"));
}
END_TEST

START_TEST(layers_and_images_are_found_again)
{
    cleanup_strv struct strv dirs = {0}, chains = {0};
    struct layer found;
    struct image image;

    publish_layer("sha256:" HEX_A, "");
    add_image("sha256:" HEX_B, "sha256:" HEX_A, "docker.io/library/x:1");
    ck_assert_int_eq(store_layer_find(store, "sha256:" HEX_A, &found, &err), 0);
    ck_assert_str_eq(found.dir, "aaaaaaaaaaaaaaaaaaaaaaaa");
    ck_assert_int_eq(store_layer_find(store, "sha256:" HEX_C, &found, &err), -ENOENT);
    ck_assert_int_eq(store_image_by_reference(store, "docker.io/library/x:1", &image, &err), 0);
    ck_assert_uint_eq(image.size, 7);
    ck_assert_str_eq(image.references.items[0], "docker.io/library/x:1");
    image_free(&image);
    ck_assert_int_eq(store_image_by_prefix(store, "bbb", &image, &err), 0);
    image_free(&image);
    ck_assert_int_eq(store_image_by_prefix(store, "b%", &image, &err), -ENOENT);
    ck_assert_int_eq(store_image_layers(store, "sha256:" HEX_B, &dirs, &chains, &err), 0);
    ck_assert_uint_eq(dirs.len, 1);
    ck_assert_str_eq(chains.items[0], "sha256:" HEX_A);
}
END_TEST

START_TEST(publishing_twice_keeps_one)
{
    publish_layer("sha256:" HEX_A, "");
    publish_layer("sha256:" HEX_A, "");
    ck_assert(exists("layers/aaaaaaaaaaaaaaaaaaaaaaaa/etc"));
    ck_assert_int_eq(store_collect(store, &err), 0);
    ck_assert_msg(!exists("layers/aaaaaaaaaaaaaaaaaaaaaaaa"),
                  "an unused layer outlived its collection");
}
END_TEST

START_TEST(shared_layer_outlives_one_of_two_images)
{
    cleanup_strv struct strv deleted = {0};

    publish_layer("sha256:" HEX_A, "");
    add_image("sha256:" HEX_B, "sha256:" HEX_A, "docker.io/library/x:1");
    add_image("sha256:" HEX_C, "sha256:" HEX_A, "docker.io/library/y:1");
    ck_assert_int_eq(store_image_remove(store, "sha256:" HEX_B, &deleted, &freed, &err), 0);
    ck_assert_int_eq(store_collect(store, &err), 0);
    ck_assert_uint_eq(deleted.len, 1);
    ck_assert(exists("layers/aaaaaaaaaaaaaaaaaaaaaaaa"));
    ck_assert(!exists("blobs/sha256/" HEX_B));
    ck_assert_int_eq(store_image_remove(store, "sha256:" HEX_C, &deleted, &freed, &err), 0);
    ck_assert_int_eq(store_collect(store, &err), 0);
    ck_assert(!exists("layers/aaaaaaaaaaaaaaaaaaaaaaaa"));
    ck_assert(!exists("blobs/sha256/" HEX_C));
}
END_TEST

START_TEST(hold_keeps_the_collector_away)
{
    int hold = store_hold(store, &err);

    ck_assert_int_ge(hold, 0);
    publish_layer("sha256:" HEX_A, "");
    ck_assert_int_eq(store_collect(store, &err), 0);
    ck_assert(exists("layers/aaaaaaaaaaaaaaaaaaaaaaaa"));
    close(hold);
    ck_assert_int_eq(store_collect(store, &err), 0);
    ck_assert(!exists("layers/aaaaaaaaaaaaaaaaaaaaaaaa"));
}
END_TEST

START_TEST(stage_of_a_dead_process_is_collected)
{
    char mine[64], path[128];
    int fd = store_stage(store, mine, &err);

    close(fd);
    ck_assert_int_eq(mkdirat(store->root_fd, "staging/999999-1-0", 0700), 0);
    ck_assert_int_eq(store_collect(store, &err), 0);
    ck_assert(!exists("staging/999999-1-0"));
    snprintf(path, sizeof path, "staging/%s", mine);
    ck_assert_msg(exists(path), "a living process's work was collected");
}
END_TEST

START_TEST(partial_blob_is_resumed_and_published)
{
    uint64_t have;
    int fd;

    ck_assert_int_eq(store_partial_open(store, "sha256:" HEX_A, &fd, &have, &err), 0);
    ck_assert_uint_eq(have, 0);
    ck_assert_int_eq(file_write(fd, "hello", 5), 0);
    close(fd);
    ck_assert(!store_has_blob(store, "sha256:" HEX_A, NULL));
    ck_assert_int_eq(store_partial_open(store, "sha256:" HEX_A, &fd, &have, &err), 0);
    ck_assert_uint_eq(have, 5);
    ck_assert_int_eq(store_partial_publish(store, "sha256:" HEX_A, fd, &err), 0);
    close(fd);
    ck_assert(store_has_blob(store, "sha256:" HEX_A, &have));
    ck_assert_int_eq(store_partial_open(store, "sha256:" HEX_A, &fd, &have, &err), -EEXIST);
}
END_TEST

START_TEST(bad_digests_name_no_file)
{
    uint64_t have;
    int fd;

    ck_assert(!store_has_blob(store, "sha256:../../etc/passwd", NULL));
    ck_assert_int_eq(store_partial_open(store, "sha256:..", &fd, &have, &err), -EINVAL);
    ck_assert_int_eq(store_blob_put(store, "md5:abc", "", 0, &err), -EINVAL);
}
END_TEST

static struct container new_container(const char *id, const char *name)
{
    struct container c = {.name = str_copy(name),
                          .image_id = str_copy("sha256:" HEX_B),
                          .image_name = str_copy("x:1"),
                          .config = json_object(),
                          .created_ns = 1};

    strcpy(c.id, id);
    return c;
}

START_TEST(container_names_are_unique_and_prefixes_work)
{
    struct container a, b, found;

    publish_layer("sha256:" HEX_A, "");
    add_image("sha256:" HEX_B, "sha256:" HEX_A, "docker.io/library/x:1");
    a = new_container(HEX_A, "web");
    b = new_container("aaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "web");
    ck_assert_msg(!store_container_add(store, &a, &err), "%s", err.message);
    ck_assert_int_eq(store_container_add(store, &b, &err), -EEXIST);
    ck_assert_ptr_nonnull(
        strstr(err.message, "Conflict. The container name \"/web\" is already in use"));
    free(b.name);
    b.name = str_copy("db");
    ck_assert_int_eq(store_container_add(store, &b, &err), 0);
    ck_assert_int_eq(store_container_find(store, "/web", &found, &err), 0);
    container_free(&found);
    ck_assert_int_eq(store_container_find(store, "aaaaaaaa", &found, &err), -ENOTUNIQ);
    ck_assert_int_eq(store_container_find(store, "aaaaaaaaa", &found, &err), 0);
    ck_assert_str_eq(found.name, "web");
    container_free(&found);
    ck_assert_int_eq(store_container_find(store, "nosuch", &found, &err), -ENOENT);
    container_free(&a);
    container_free(&b);
}
END_TEST

START_TEST(image_in_use_is_not_removed)
{
    cleanup_strv struct strv deleted = {0};
    struct container a;

    publish_layer("sha256:" HEX_A, "");
    add_image("sha256:" HEX_B, "sha256:" HEX_A, "docker.io/library/x:1");
    a = new_container(HEX_A, "web");
    ck_assert_int_eq(store_container_add(store, &a, &err), 0);
    ck_assert_int_eq(store_image_remove(store, "sha256:" HEX_B, &deleted, &freed, &err), -EBUSY);
    ck_assert(exists("layers/aaaaaaaaaaaaaaaaaaaaaaaa"));
    ck_assert_int_eq(store_container_remove(store, a.id, &err), 1);
    ck_assert_int_eq(store_image_remove(store, "sha256:" HEX_B, &deleted, &freed, &err), 0);
    container_free(&a);
}
END_TEST

START_TEST(a_record_read_before_another_s_change_is_not_written)
{
    struct container a, stale;

    publish_layer("sha256:" HEX_A, "");
    add_image("sha256:" HEX_B, "sha256:" HEX_A, "docker.io/library/x:1");
    a = new_container(HEX_A, "web");
    ck_assert_int_eq(store_container_add(store, &a, &err), 0);
    free(a.state);
    a.state = str_copy("created");
    ck_assert_int_eq(store_container_created(store, &a, &err), 0);
    ck_assert_int_eq(store_container_find(store, "web", &stale, &err), 0);
    free(a.state);
    a.state = str_copy("starting");
    ck_assert_int_eq(store_container_update(store, &a, &err), 0);
    ck_assert_int_eq(store_container_update(store, &stale, &err), -EAGAIN);
    /* Back where it was: still not what was read. */
    free(a.state);
    a.state = str_copy("created");
    ck_assert_int_eq(store_container_update(store, &a, &err), 0);
    ck_assert_int_eq(store_container_update(store, &stale, &err), -EAGAIN);
    container_free(&a);
    container_free(&stale);
}
END_TEST

static struct volume add_volume(const char *name, const char *container, int wanted)
{
    struct volume v = {0};
    int r = store_volume_add(store, name, NULL, NULL, container, &v, &err);

    ck_assert_msg(r == wanted, "%d: %s", r, err.message);
    return v;
}

static bool volume_exists(const char *name)
{
    cleanup_free char *path = store_volume_path(store, name);

    return !access(path, F_OK);
}

START_TEST(anonymous_volume_goes_with_its_container)
{
    struct volume anonymous = add_volume(NULL, HEX_A, 1), named = add_volume("data", HEX_A, 1);
    cleanup_strv struct strv removed = {0};

    ck_assert(volume_exists(anonymous.name));
    ck_assert_int_ge(store_volumes_release(store, HEX_A, true, &removed, &err), 0);
    ck_assert(!volume_exists(anonymous.name));
    ck_assert(volume_exists("data"));
    ck_assert_uint_eq(removed.len, 1);
    ck_assert_str_eq(removed.items[0], anonymous.name);
    volume_free(&anonymous);
    volume_free(&named);
}
END_TEST

START_TEST(a_volume_in_use_is_not_removed)
{
    struct volume v = add_volume("data", HEX_A, 1), again = add_volume("data", NULL, 0);
    cleanup_strv struct strv users = {0}, removed = {0};

    ck_assert_int_eq(store_volume_remove(store, "data", &err), -EBUSY);
    ck_assert_int_eq(store_volume_users(store, "data", &users, &err), 0);
    ck_assert_uint_eq(users.len, 1);
    ck_assert_str_eq(users.items[0], HEX_A);
    ck_assert_int_ge(store_volumes_release(store, HEX_A, true, &removed, &err), 0);
    ck_assert_uint_eq(removed.len, 0);
    ck_assert_int_ge(store_volume_remove(store, "data", &err), 0);
    ck_assert(!volume_exists("data"));
    ck_assert_int_eq(store_volume_remove(store, "data", &err), -ENOENT);
    volume_free(&v);
    volume_free(&again);
}
END_TEST

START_TEST(overlay_options_fit_a_page_with_127_layers)
{
    cleanup_strv struct strv dirs = {0};
    cleanup_free char *options = NULL;

    for (int i = 0; i < 127; i++)
        strv_add(&dirs, "aaaaaaaaaaaaaaaaaaaaaaaa");
    ck_assert_msg(!store_overlay_options(store, &dirs, "containers/" HEX_A, true, &options, &err), "%s",
                  err.message);
    ck_assert_uint_lt(strlen(options), 4096);
    strv_add(&dirs, "one too many");
    free(options);
    options = NULL;
    ck_assert_int_eq(store_overlay_options(store, &dirs, "containers/" HEX_A, true, &options, &err), -EINVAL);
}
END_TEST

/* Many processes at once open a new store, add a reference and a layer: none fails, none is lost.
 */
START_TEST(many_writers_at_once)
{
    struct image image;
    int status;

    publish_layer("sha256:" HEX_A, "");
    add_image("sha256:" HEX_B, "sha256:" HEX_A, "docker.io/library/x:0");
    for (int i = 1; i <= 20; i++)
        if (!fork()) {
            cleanup_free char *name = str_format("docker.io/library/x:%d", i);
            struct store *mine;

            _exit(store_open(root, &mine, &err) < 0 ||
                  store_reference_set(mine, name, "sha256:" HEX_B, &err) < 0);
        }
    for (int i = 1; i <= 20; i++) {
        ck_assert_int_gt(wait(&status), 0);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_int_eq(store_image_by_prefix(store, HEX_B, &image, &err), 0);
    ck_assert_uint_eq(image.references.len, 21);
    image_free(&image);
}
END_TEST

SUITE(storage)
{
    const TTest *const tests[] = {root_is_made_private,
                                  newer_database_is_refused,
                                  layers_and_images_are_found_again,
                                  publishing_twice_keeps_one,
                                  shared_layer_outlives_one_of_two_images,
                                  hold_keeps_the_collector_away,
                                  stage_of_a_dead_process_is_collected,
                                  partial_blob_is_resumed_and_published,
                                  bad_digests_name_no_file,
                                  container_names_are_unique_and_prefixes_work,
                                  image_in_use_is_not_removed,
                                  a_record_read_before_another_s_change_is_not_written,
                                  anonymous_volume_goes_with_its_container,
                                  a_volume_in_use_is_not_removed,
                                  overlay_options_fit_a_page_with_127_layers,
                                  many_writers_at_once};
    TCase *t = tcase_create("store");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 30);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(t, tests[i]);
    suite_add_tcase(suite, t);
}
