/* A .dockerignore, an empty line, and paths to ask it for. */
#include "build/ignore.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "fuzz/fuzz.h"

/* With what is known of the directories above, the answer is the same as without. */
static void ask(const struct ignore *list, const char *path)
{
    cleanup_free char *clean = path_clean(path), *again = path_clean(clean);
    struct ignore_state *above = NULL, *state = NULL;
    bool ignored = false;

    FUZZ_CHECK(!strcmp(clean, again));
    FUZZ_CHECK(*clean && *clean != '/' && !strstr(clean, "//"));
    for (const char *end = clean; *end; end += *end == '/') {
        cleanup_free char *part = NULL;

        end += strcspn(end, "/");
        part = str_copy_n(clean, (size_t)(end - clean));
        ignored = ignore_matches(list, above, part, &state);
        free(above);
        above = state;
    }
    free(above);
    FUZZ_CHECK(ignored == ignore_matches_path(list, clean));
}

FUZZ(ignore)
{
    const char *paths = memmem(data, len, "\n\n", 2);
    cleanup_free char *text = NULL;
    cleanup_strv struct strv words = {0};
    struct ignore *list;
    struct err err = {0};

    if (!paths)
        return;
    if (ignore_parse("fuzzed", data, (size_t)(paths - data), &list, &err) < 0) {
        FUZZ_CHECK(*err.message);
        return;
    }
    text = str_copy_n(paths, len - (size_t)(paths - data));
    strv_split(&words, text, '\n');
    for (size_t i = 0; i < words.len; i++)
        ask(list, words.items[i]);
    ignore_free(list);
}
