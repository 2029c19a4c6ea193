#include "fuzz/images.h"

#include <string.h>

#include "base/cleanup.h"
#include "fuzz/fuzz.h"

#define SMALL_MAX (1u << 20)

static void read_image(struct image_archive *a, const struct archived_image *image)
{
    cleanup_buf struct buf text = {0}, manifest = {0};
    struct image_config config;
    struct err err = {0};

    FUZZ_CHECK(image->config && *image->config);
    FUZZ_CHECK(!*image->config_digest || digest_valid(image->config_digest));
    for (size_t i = 0; i < image->layer_count; i++) {
        const struct archived_layer *l = &image->layers[i];
        struct archive_member member;

        FUZZ_CHECK(l->name && (!*l->digest || digest_valid(l->digest)));
        if (!image_archive_find(a, l->name, &member, &err))
            FUZZ_CHECK(member.fd >= 0);
    }
    for (size_t i = 0; i < image->tags.len; i++) {
        cleanup_with(reference_free) struct reference ref = {0};

        FUZZ_CHECK(!reference_parse(image->tags.items[i], &ref, &err));
    }
    FUZZ_CHECK(!*image->parent || digest_valid(image->parent));
    if (!image_archive_load(a, image->config, SMALL_MAX, &text, &err) &&
        !image_config_parse(text.data ? text.data : "", text.len, &config, &err))
        image_config_free(&config);
    if (image->config_text &&
        !image_config_parse(image->config_text, strlen(image->config_text), &config, &err)) {
        FUZZ_CHECK(config.diff_ids.len == image->layer_count);
        image_config_free(&config);
    }
    if (image->manifest)
        image_archive_load(a, image->manifest, SMALL_MAX, &manifest, &err);
}

void fuzz_images(int fd)
{
    struct image_archive *a = NULL;
    struct archived_images images = {0};
    struct platform wanted;
    struct err err = {0};

    FUZZ_CHECK(!platform_parse("linux/amd64", &wanted, &err));
    if (image_archive_open(fd, &a, &err) < 0) {
        FUZZ_CHECK(*err.message);
        return;
    }
    if (image_archive_images(a, &wanted, &images, &err) < 0)
        FUZZ_CHECK(*err.message);
    for (size_t i = 0; i < images.len; i++)
        read_image(a, &images.items[i]);
    archived_images_free(&images);
    image_archive_close(a);
}
