/* Manifests, indexes and configs, as a registry or an archive may give them. */
#include <string.h>

#include "base/cleanup.h"
#include "fuzz/fuzz.h"
#include "image/image.h"

static void check_manifest(const char *data, size_t len)
{
    struct manifest m = {0};
    struct err err = {0};
    bool is_index;

    if (manifest_parse(data, len, NULL, &m, &err) < 0) {
        FUZZ_CHECK(*err.message && !m.media_type);
        return;
    }
    FUZZ_CHECK(!manifest_is_index(data, len, m.media_type, &is_index, &err) && !is_index);
    FUZZ_CHECK(digest_valid(m.config.digest));
    for (size_t i = 0; i < m.layer_count; i++)
        FUZZ_CHECK(digest_valid(m.layers[i].digest) && layer_compression(m.layers[i].media_type));
    manifest_free(&m);
}

static void check_index(const char *data, size_t len)
{
    static const char *const wanted[] = {"linux/amd64", "linux/arm/v7", "linux/arm64"};

    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        cleanup_with(descriptor_free) struct descriptor picked = {0};
        struct platform platform;
        struct err err = {0};

        FUZZ_CHECK(!platform_parse(wanted[i], &platform, &err));
        if (!index_pick(data, len, &platform, &picked, &err))
            FUZZ_CHECK(digest_valid(picked.digest));
    }
}

static void check_config(const char *data, size_t len)
{
    struct image_config c = {0};
    struct err err = {0};

    if (image_config_parse(data, len, &c, &err) < 0) {
        FUZZ_CHECK(*err.message && !c.json);
        return;
    }
    for (size_t i = 0; i < c.diff_ids.len; i++)
        FUZZ_CHECK(digest_valid(c.diff_ids.items[i]));
    image_config_free(&c);
}

FUZZ(manifest)
{
    check_manifest(data, len);
    check_index(data, len);
    check_config(data, len);
}
