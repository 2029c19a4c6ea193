/* An image of as many layers as the field allows, mounted for real. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/world.h"
#include "storage/storage.h"

#define IMAGE_ID "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct err err;

/* Layer n holds /n and, like every other, /top with its own number: the last one must win. */
static void fill_layer(int dir, int n)
{
    cleanup_free char *name = str_format("%d", n);

    ck_assert_int_eq(file_create(dir, name, name, strlen(name), 0644, &err), 0);
    ck_assert_int_eq(file_create(dir, "top", name, strlen(name), 0644, &err), 0);
    ck_assert_int_eq(fchmod(dir, 0755), 0);
}

/* The base layer is the box's own. */
static void publish(struct store *store, int n, struct strv *chains)
{
    struct layer layer = {.size = 1};
    char stage[64];
    int dir = store_stage(store, stage, &err);

    ck_assert_int_ge(dir, 0);
    fill_layer(dir, n);
    close(dir);
    snprintf(layer.chain_id, sizeof layer.chain_id, "sha256:%024d%040d", n, 0);
    strcpy(layer.diff_id, layer.chain_id);
    strcpy(layer.parent, chains->items[chains->len - 1]);
    ck_assert_msg(!store_layer_publish(store, stage, &layer, &err), "%s", err.message);
    strv_add(chains, layer.chain_id);
}

static void make_image(int layers)
{
    struct image_record record = {
        .id = IMAGE_ID, .manifest = "", .reference = "docker.io/library/deep:1"};
    struct store *store = NULL;
    struct image box;

    ck_assert_msg(!store_open(world_root(), &store, &err), "%s", err.message);
    ck_assert_int_eq(store_image_by_reference(store, "docker.io/library/box:1", &box, &err), 0);
    ck_assert_int_eq(store_image_layers(store, box.id, NULL, &record.chain_ids, &err), 0);
    while ((int)record.chain_ids.len < layers)
        publish(store, (int)record.chain_ids.len, &record.chain_ids);
    ck_assert_int_eq(store_blob_put(store, IMAGE_ID, "{\"config\":{}}", 13, &err), 0);
    strv_add(&record.blobs, IMAGE_ID);
    ck_assert_msg(!store_image_add(store, &record, &err), "%s", err.message);
    image_free(&box);
    strv_free(&record.chain_ids);
    strv_free(&record.blobs);
    store_close(store);
}

START_TEST(an_image_of_127_layers_runs)
{
    make_image(127);
    EXPECT(0, "126 126\n", "", "run", "--rm", "deep:1", "sh", "-c",
           "echo $(cat /top) $(ls -d /[0-9]* | wc -l)");
    EXPECT(0, NULL, "", "rmi", "deep:1");
}
END_TEST

START_TEST(one_more_is_an_error_that_says_so)
{
    make_image(128);
    EXPECT(125, "", "too many levels", "run", "--rm", "deep:1", "true");
    EXPECT(0, NULL, "", "rmi", "deep:1");
    EXPECT(0, "", "", "ps", "-aq");
}
END_TEST

SUITE(layers)
{
    TCase *t = tcase_create("layers");

    tcase_set_timeout(t, 60);
    tcase_set_tags(t, "needs-root");
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_test(t, an_image_of_127_layers_runs);
    tcase_add_test(t, one_more_is_an_error_that_says_so);
    suite_add_tcase(suite, t);
}
