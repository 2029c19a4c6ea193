/* Instructions of `--change`, which are a Dockerfile's. Both are known to be UTF-8 by then. */
#include <jansson.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "build/build.h"
#include "fuzz/fuzz.h"

FUZZ(change)
{
    cleanup_free char *text = str_copy_n(data, len), *expanded = NULL;
    cleanup_strv struct strv changes = {0}, words = {0};
    cleanup_json json_t *config = json_object(), *env = json_array();
    const struct word_rules rules = {.env = env, .escape = '\\'};
    cleanup_json json_t *readable = json_string(text);
    struct err err = {0};

    if (!readable)
        return;
    json_push(env, json_string("A=1"));
    json_push(env, json_string("LONG=a b c"));
    strv_add(&changes, text);
    if (changes_apply(config, &changes, &err) < 0)
        FUZZ_CHECK(*err.message);
    if (word_expand(&rules, text, &expanded, &err) < 0)
        FUZZ_CHECK(*err.message);
    words_split(text, '`', &words);
}
