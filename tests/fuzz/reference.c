/* Names of images: what is taken has one canonical form, and both forms mean the same. */
#include <string.h>

#include "base/cleanup.h"
#include "fuzz/fuzz.h"
#include "image/image.h"

static void check_again(const char *text, const char *canonical)
{
    cleanup_with(reference_free) struct reference ref = {0};
    cleanup_free char *again = NULL;
    struct err err = {0};

    FUZZ_CHECK(!reference_parse(text, &ref, &err));
    again = reference_canonical(&ref);
    FUZZ_CHECK(!strcmp(again, canonical));
}

FUZZ(reference)
{
    cleanup_free char *text = str_copy_n(data, len), *canonical = NULL, *familiar = NULL;
    cleanup_free char *repository = NULL, *tag = NULL;
    cleanup_with(reference_free) struct reference ref = {0};
    struct err err = {0};

    if (reference_parse(text, &ref, &err) < 0) {
        FUZZ_CHECK(*err.message && !ref.domain);
        return;
    }
    FUZZ_CHECK(ref.tag || ref.digest);
    FUZZ_CHECK(!ref.digest || digest_valid(ref.digest));
    FUZZ_CHECK(!strpbrk(ref.path, " \t\n\"'\\%?#&") && !strstr(ref.path, ".."));
    canonical = reference_canonical(&ref);
    familiar = reference_familiar(canonical);
    check_again(canonical, canonical);
    check_again(familiar, canonical);
    reference_split(canonical, &repository, &tag);
    FUZZ_CHECK(*repository && *tag);
}
