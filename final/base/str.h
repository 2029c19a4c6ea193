/* str.h - strings: formatted, growing, and lists of them. Running out of memory for a string ends
 * the program (die_out_of_memory): nothing sensible can be said or undone without any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A formatted string the caller frees. */
char *str_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *str_copy(const char *s); /* NULL stays NULL */
char *str_copy_n(const char *s, size_t n);
bool str_equal(const char *a, const char *b); /* NULL equals only NULL */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* How many bytes the UTF-8 character at `text` has, of which `left` (at least 1) may be read: 0
 * when it is none. RFC 3629: no surrogates, nothing that could be written shorter, nothing above
 * U+10FFFF. */
size_t str_utf8_length(const void *text, size_t left);

/* Reads a whole decimal number: no sign, no blanks, nothing behind it. 0, -EINVAL or -ERANGE. */
int str_to_u64(const char *s, unsigned long long *ret);
int str_to_i64(const char *s, long long *ret);

/* A growing byte string; zero-initialise it. `data` always ends in a NUL that `len` does not count.
 */
struct buf {
    char *data;
    size_t len, room;
};
void buf_add(struct buf *b, const void *data, size_t len);
void buf_add_str(struct buf *b, const char *s);
void buf_add_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_reserve(struct buf *b, size_t more);
void buf_free(struct buf *b);
char *buf_steal(struct buf *b); /* the caller frees it; never NULL */
#define cleanup_buf __attribute__((cleanup(buf_free)))

/* A list of strings, NULL-terminated so that it can be an argv; zero-initialise it. */
struct strv {
    char **items; /* NULL while empty */
    size_t len, room;
};
void strv_add(struct strv *v, const char *s); /* copies */
void strv_take(struct strv *v, char *s);      /* owns s from now on */
void strv_free(struct strv *v);
bool strv_contains(const struct strv *v, const char *s);
void strv_split(struct strv *v, const char *s, char separator); /* "a,b" -> a b; "" adds nothing */
char *strv_join(const struct strv *v, const char *separator);
#define cleanup_strv __attribute__((cleanup(strv_free)))

/* malloc and realloc that do not return NULL. */
void *mem_alloc(size_t size); /* zeroed */
void *mem_grow(void *p, size_t count, size_t size);
