/* ignore.h - patterns of paths: .dockerignore, COPY --exclude, and names with * in COPY. Private to
 * build/.
 *
 * The rules are those of Go's path/filepath.Match with the `**` of docker's patternmatcher: `*` and
 * `?` stop at a slash, `[a-z]` and `[^a-z]` are classes, a backslash takes a meaning away, `**` is
 * any number of directories, also none. A pattern is tried for all of a path at once, character by
 * character (Thompson's simulation), so the time is at most the product of both lengths. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* --- path_pattern.c: one pattern -------------------------------------------------------------- */

struct path_pattern;
/* -EINVAL: "syntax error in pattern". */
int path_pattern_new(const char *text, struct path_pattern **ret, struct err *err);
void path_pattern_free(struct path_pattern *p); /* NULL is fine */
static inline void path_pattern_cleanup(struct path_pattern **p)
{
    path_pattern_free(*p);
}
bool path_pattern_matches(const struct path_pattern *p, const char *path);
/* Does the text have anything but plain characters? */
bool path_has_pattern(const char *text);
/* Go's filepath.Clean, without a slash at the beginning; the caller frees: "a//b/../c/." -> "a/c",
 * "" -> ".". A ".." that cannot be taken back stays in a relative path and goes from an absolute
 * one. */
char *path_clean(const char *path);

/* --- ignore.c: a list of them ----------------------------------------------------------------- */

struct ignore;
/* A file's text: a pattern a line, '#' and empty lines left out, "!" takes back what came before.
 * The last pattern that matches decides. `name` is for messages. */
int ignore_parse(const char *name, const char *text, size_t len, struct ignore **ret,
                 struct err *err);
/* The same from single patterns; later ones are added. *list NULL: a new one. */
int ignore_add(struct ignore **list, const char *pattern, struct err *err);
void ignore_free(struct ignore *list); /* NULL is fine: it ignores nothing */

/* What is known of a directory: which patterns match it or one it is in. */
struct ignore_state;
/* Is `path` (cleaned, relative, not ".") ignored? `parent` is what an earlier call gave for the
 * directory it is in, NULL for the top. *ret_state, if not NULL, is for what is in it; the caller
 * frees it with free(3). */
bool ignore_matches(const struct ignore *list, const struct ignore_state *parent, const char *path,
                    struct ignore_state **ret_state);
/* The same without knowing anything of the directories above. */
bool ignore_matches_path(const struct ignore *list, const char *path);
/* May something in an ignored directory be taken back? */
bool ignore_has_exceptions(const struct ignore *list);
