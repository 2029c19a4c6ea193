#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void die_out_of_memory(void)
{
    static const char text[] = "out of memory\n";

    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(125);
    _exit(125);
}

void *mem_alloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);

    if (!p)
        die_out_of_memory();
    return p;
}

void *mem_grow(void *p, size_t count, size_t size)
{
    void *grown = reallocarray(p, count ? count : 1, size ? size : 1);

    if (!grown)
        die_out_of_memory();
    return grown;
}

static char *format_args(const char *format, va_list args)
{
    char *s = NULL;

    if (vasprintf(&s, format, args) < 0)
        die_out_of_memory();
    return s;
}

char *str_format(const char *format, ...)
{
    va_list args;
    char *s;

    va_start(args, format);
    s = format_args(format, args);
    va_end(args);
    return s;
}

char *str_copy(const char *s)
{
    return s ? str_copy_n(s, strlen(s)) : NULL;
}

char *str_copy_n(const char *s, size_t n)
{
    char *copy = mem_alloc(n + 1);

    memcpy(copy, s, n);
    return copy;
}

bool str_equal(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

bool str_starts(const char *s, const char *prefix)
{
    return !strncmp(s, prefix, strlen(prefix));
}

bool str_ends(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);

    return n >= m && !strcmp(s + n - m, suffix);
}

size_t str_utf8_length(const void *text, size_t left)
{
    const unsigned char *p = text;
    size_t n = *p < 0x80 ? 1 : *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;

    if (!n || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) || (*p == 0xf0 && p[1] < 0x90) ||
        (*p == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

int str_to_u64(const char *s, unsigned long long *ret)
{
    unsigned long long n;
    char *end;

    if (*s < '0' || *s > '9')
        return -EINVAL;
    errno = 0;
    n = strtoull(s, &end, 10);
    if (*end)
        return -EINVAL;
    if (errno)
        return -ERANGE;
    *ret = n;
    return 0;
}

int str_to_i64(const char *s, long long *ret)
{
    long long n;
    char *end;
    const char *digits = *s == '-' || *s == '+' ? s + 1 : s;

    if (*digits < '0' || *digits > '9')
        return -EINVAL;
    errno = 0;
    n = strtoll(s, &end, 10);
    if (*end)
        return -EINVAL;
    if (errno)
        return -ERANGE;
    *ret = n;
    return 0;
}

void buf_reserve(struct buf *b, size_t more)
{
    size_t need = b->len + more + 1;

    if (need <= b->room)
        return;
    b->room = need < 2 * b->room ? 2 * b->room : need;
    b->data = mem_grow(b->data, b->room, 1);
    b->data[b->len] = 0;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
    buf_reserve(b, len);
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = 0;
}

void buf_add_str(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_add_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    char *s;

    va_start(args, format);
    s = format_args(format, args);
    va_end(args);
    buf_add_str(b, s);
    free(s);
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}

char *buf_steal(struct buf *b)
{
    char *data;

    buf_reserve(b, 0);
    data = b->data;
    *b = (struct buf){0};
    return data;
}

void strv_take(struct strv *v, char *s)
{
    if (v->len + 2 > v->room) {
        v->room = v->room ? 2 * v->room : 8;
        v->items = mem_grow(v->items, v->room, sizeof *v->items);
    }
    v->items[v->len++] = s;
    v->items[v->len] = NULL;
}

void strv_add(struct strv *v, const char *s)
{
    strv_take(v, str_copy(s));
}

void strv_free(struct strv *v)
{
    for (size_t i = 0; i < v->len; i++)
        free(v->items[i]);
    free(v->items);
    *v = (struct strv){0};
}

bool strv_contains(const struct strv *v, const char *s)
{
    for (size_t i = 0; i < v->len; i++)
        if (!strcmp(v->items[i], s))
            return true;
    return false;
}

void strv_split(struct strv *v, const char *s, char separator)
{
    while (*s) {
        const char *end = strchrnul(s, separator);

        strv_take(v, str_copy_n(s, (size_t)(end - s)));
        if (!*end)
            return;
        s = end + 1;
        if (!*s)
            strv_add(v, "");
    }
}

char *strv_join(const struct strv *v, const char *separator)
{
    struct buf b = {0};

    for (size_t i = 0; i < v->len; i++) {
        if (i)
            buf_add_str(&b, separator);
        buf_add_str(&b, v->items[i]);
    }
    return buf_steal(&b);
}
