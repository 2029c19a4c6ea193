/* Patterns of ${v#p}, ${v%p}, ${v/p/r}: `*` any text, `?` one byte, the escape takes a meaning
 * away.
 *
 * A pattern is a row of parts between its stars. Each part is looked for once, from the left or
 * from the right, so the time is that of searching a text for a word, never exponential. */
#include <string.h>

#include "base/cleanup.h"
#include "build/internal.h"

struct part {
    const char *text; /* points into the pattern's */
    const bool *any;  /* this byte is a `?` */
    size_t len;
};

struct pattern {
    char *text;
    bool *any;
    struct part *parts; /* at least one; a star between each two */
    size_t count;
};

static void pattern_free(struct pattern *p)
{
    free(p->text);
    free(p->any);
    free(p->parts);
}
#define cleanup_pattern cleanup_with(pattern_free)

static void parse(const char *text, struct pattern *ret)
{
    size_t room = strlen(text) + 1, at = 0;
    struct part *part;

    ret->text = mem_alloc(room);
    ret->any = mem_alloc(room);
    ret->parts = mem_alloc(room * sizeof *ret->parts);
    part = &ret->parts[ret->count++];
    *part = (struct part){ret->text, ret->any, 0};
    for (; *text; text++) {
        if (*text == '*') {
            part = &ret->parts[ret->count++];
            *part = (struct part){ret->text + at, ret->any + at, 0};
            continue;
        }
        if (*text == '\\' && text[1])
            text++;
        else
            ret->any[at] = *text == '?';
        ret->text[at++] = *text;
        part->len++;
    }
}

static bool fits(const struct part *part, const char *at)
{
    for (size_t i = 0; i < part->len; i++)
        if (!part->any[i] && part->text[i] != at[i])
            return false;
    return true;
}

#define NOWHERE ((size_t)-1)

/* The first place in [from, to) where the whole part fits. */
static size_t find(const struct part *part, const char *text, size_t from, size_t to)
{
    for (size_t i = from; i + part->len <= to; i++)
        if (fits(part, text + i))
            return i;
    return NOWHERE;
}

static size_t find_last(const struct part *part, const char *text, size_t from, size_t to)
{
    for (size_t i = to; i >= from + part->len; i--)
        if (fits(part, text + i - part->len))
            return i - part->len;
    return NOWHERE;
}

/* Where the match that begins at `from`, where the first part fits, ends: as early as can be, or
 * (greedy) as late. NOWHERE: there is none. */
static size_t match_end(const struct pattern *p, const char *text, size_t from, size_t len,
                        bool greedy)
{
    size_t at = from + p->parts[0].len;

    for (size_t i = 1; i < p->count; i++) {
        bool last = i == p->count - 1;
        size_t found = last && greedy ? find_last(&p->parts[i], text, at, len)
                                      : find(&p->parts[i], text, at, len);

        if (found == NOWHERE)
            return NOWHERE;
        at = found + p->parts[i].len;
    }
    return at;
}

size_t pattern_prefix(const char *pattern, const char *text, bool greedy)
{
    cleanup_pattern struct pattern p = {0};
    size_t len = strlen(text), end;

    parse(pattern, &p);
    if (p.parts[0].len > len || !fits(&p.parts[0], text))
        return 0;
    end = match_end(&p, text, 0, len, greedy);
    return end == NOWHERE ? 0 : end;
}

/* From the right: the last part stands at the end, the others as far to the right as can be. */
size_t pattern_suffix(const char *pattern, const char *text, bool greedy)
{
    cleanup_pattern struct pattern p = {0};
    size_t len = strlen(text), at;

    parse(pattern, &p);
    at = p.parts[p.count - 1].len;
    if (at > len || !fits(&p.parts[p.count - 1], text + len - at))
        return len;
    at = len - at;
    for (size_t i = p.count - 1; i-- > 0;) {
        size_t found =
            !i && greedy ? find(&p.parts[i], text, 0, at) : find_last(&p.parts[i], text, 0, at);

        if (found == NOWHERE)
            return len;
        at = found;
    }
    return at;
}

/* The leftmost match, as long as can be. Where the parts behind the first are not found from one
 * place on, they are not found from a later one. */
void pattern_replace(const char *pattern, const char *text, const char *with, bool all,
                     struct buf *out)
{
    cleanup_pattern struct pattern p = {0};
    size_t len = strlen(text), from = 0;

    parse(pattern, &p);
    while (*pattern && from <= len) {
        size_t at = find(&p.parts[0], text, from, len);
        size_t end = at == NOWHERE ? NOWHERE : match_end(&p, text, at, len, true);

        if (end == NOWHERE || end == at)
            break;
        buf_add(out, text + from, at - from);
        buf_add_str(out, with);
        from = end;
        if (!all)
            break;
    }
    buf_add_str(out, text + from);
}
