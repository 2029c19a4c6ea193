/* json.h - the few shapes of access this project needs on top of jansson. Getters never fail: a
 * member that is absent, null or of another type gives the default, so reading foreign JSON is
 * short; what must be there is checked by the reader. Borrowed references, as jansson's own
 * getters. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

/* Parses text of `len` bytes: depth at most 64 (hostile input), duplicates refused.
 * `what` names the document in the error. NULL and err on failure; the caller owns the result. */
json_t *json_parse(const char *text, size_t len, const char *what, struct err *err);
/* Reads and parses a file of at most `max` bytes. */
json_t *json_load(int dirfd, const char *path, size_t max, struct err *err);
/* The same for documents written from 64-bit unsigned numbers, as Go does: jansson's integers are
 * signed, so a number from 2^63 to 2^64-1 becomes the negative one of the same 64 bits
 * (18446744073709551615 is -1). */
json_t *json_parse_u64(const char *text, size_t len, const char *what, struct err *err);
json_t *json_load_u64(int dirfd, const char *path, size_t max, struct err *err);
/* Writes compact JSON with file_store(). */
int json_store(int dirfd, const char *path, const json_t *json, mode_t mode, bool durable,
               struct err *err);

/* Member access; a real number beyond all integers counts as absent; `path` may go through objects
 * with dots: "config.Labels" (names with dots: json_object_get). */
json_t *json_at(const json_t *json, const char *path);
const char *json_str(const json_t *json, const char *path, const char *otherwise);
long long json_int(const json_t *json, const char *path, long long otherwise);
bool json_flag(const json_t *json, const char *path, bool otherwise);

/* An array of strings into a list; elements that are not strings are passed over. */
void json_strings(const json_t *array, struct strv *ret);
json_t *json_from_strings(const struct strv *v);
json_t *json_from_argv(char *const *argv);

/* Sets a member and takes the reference; never fails quietly: running out of memory ends the
 * program. */
void json_put(json_t *object, const char *name, json_t *value);
void json_put_str(json_t *object, const char *name, const char *value); /* NULL: JSON null */
void json_push(json_t *array, json_t *value);

char *json_text(const json_t *json,
                size_t flags); /* json_dumps with JSON_ENCODE_ANY, caller frees */

static inline void cleanup_json_p(json_t **json)
{
    json_decref(*json);
}
#define cleanup_json __attribute__((cleanup(cleanup_json_p)))
