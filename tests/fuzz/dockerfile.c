/* A Dockerfile as somebody wrote it: parsed, judged, its places shown, its words expanded. */
#include "build/dockerfile.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "build/build.h"
#include "build/mount_flag.h"
#include "fuzz/fuzz.h"

/* What a build would expand of an instruction, with and without values. */
static void expand(const struct dockerfile *d, const struct instruction *in)
{
    cleanup_json json_t *env = json_pack("[s, s]", "A=1", "PATH=/bin:/usr/bin");
    const struct word_rules rules = {.env = env, .escape = d->escape};
    cleanup_free char *text = NULL;
    cleanup_strv struct strv words = {0};
    struct err err = {0};

    if (word_expand(&rules, in->text, &text, &err) < 0)
        FUZZ_CHECK(*err.message);
    instruction_words(in, &words);
    for (size_t i = 0; i < in->flags.len; i++) {
        struct run_mount mount;

        if (str_starts(in->flags.items[i], "mount=") &&
            mount_flag_parse(in->flags.items[i] + 6, &rules, &mount, &err) >= 0)
            run_mount_free(&mount);
    }
}

/* A place is in the file, whatever it is the place of. */
static void check_place(const struct dockerfile *d, const struct instruction *in)
{
    FUZZ_CHECK(in->place.first >= 1 && in->place.last >= in->place.first);
    FUZZ_CHECK((size_t)in->place.last <= d->source.count);
    for (size_t at = 0; at < 3; at++) {
        struct place place = instruction_place(in, at);
        cleanup_buf struct buf excerpt = {0};

        source_excerpt(&d->source, &place, &excerpt);
        FUZZ_CHECK(excerpt.len);
    }
}

FUZZ(dockerfile)
{
    struct dockerfile d;
    struct place place = {0};
    struct err err = {0};
    int r = dockerfile_parse("Dockerfile", data, len, &d, &place, &err);

    if (r < 0) {
        cleanup_buf struct buf excerpt = {0};

        FUZZ_CHECK(*err.message);
        if (place.first)
            source_excerpt(&d.source, &place, &excerpt);
    }
    for (size_t i = 0; r >= 0 && i < d.count; i++) {
        check_place(&d, &d.items[i]);
        expand(&d, &d.items[i]);
    }
    dockerfile_free(&d);
}
