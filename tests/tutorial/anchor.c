#include "tutorial/anchor.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

static bool is_word(char c)
{
    return c == '_' || isalnum((unsigned char)c);
}

/* The next place where `name` stands as a whole word. */
static const char *find_word(const char *text, const char *name)
{
    size_t n = strlen(name);

    for (const char *at = strstr(text, name); at; at = strstr(at + 1, name))
        if ((at == text || !is_word(at[-1])) && !is_word(at[n]))
            return at;
    return NULL;
}

/* Does a line begin something at the top level? Comments belong to what follows them. */
static bool starts_item(const char *line)
{
    if (str_starts(line, "#"))
        return str_starts(line, "#define");
    return *line && !isspace((unsigned char)*line) && !strchr("/*{}", *line);
}

/* A statement's line without a comment behind it and without blanks at the end. */
static char *bare(const char *line)
{
    const char *comment = strstr(line, "/*");
    char *text = comment ? str_copy_n(line, (size_t)(comment - line)) : str_copy(line);
    size_t n = strlen(text);

    while (n && isspace((unsigned char)text[n - 1]))
        text[--n] = 0;
    return text;
}

/* The last line of the item that begins at line `i`. */
static size_t item_end(const struct strv *lines, size_t i)
{
    bool macro = str_starts(lines->items[i], "#"), opened = false;

    for (; i + 1 < lines->len; i++) {
        cleanup_free char *text = bare(lines->items[i]);

        if (macro && !str_ends(text, "\\"))
            return i;
        if (!macro && *text == '}' && !str_ends(text, "{")) /* "} table[] = {" goes on */
            return i;
        opened = opened || str_ends(text, "{");
        if (!macro && !opened && str_ends(text, ";"))
            return i;
    }
    return i;
}

static char *join(const struct strv *lines, size_t from, size_t to)
{
    struct buf b = {0};

    for (size_t i = from; i <= to; i++)
        buf_printf(&b, "%s\n", lines->items[i]);
    return buf_steal(&b);
}

/* The part that says what is defined: up to the body, the value or the end. */
static char *head_of(const char *item)
{
    const char *body = strstr(item, "\n{");
    size_t n = body ? (size_t)(body - item) : strcspn(item, "={;");

    return str_copy_n(item, item[n] ? n + 1 : n);
}

enum match { MATCH_NONE, MATCH_DECLARED, MATCH_DEFINED };

static enum match match_item(const char *item, const char *name)
{
    cleanup_free char *head = head_of(item);
    const char *at = find_word(head, name), *next;

    if (str_starts(item, "#define"))
        return at && at == head + strspn(head + 7, " ") + 7 ? MATCH_DEFINED : MATCH_NONE;
    if (str_starts(item, "enum") && find_word(item, name))
        return MATCH_DEFINED;
    if (!at)
        return MATCH_NONE;
    next = at + strlen(name);
    next += strspn(next, " \n");
    if (*next == '(')
        return strstr(item, "\n{") ? MATCH_DEFINED : MATCH_DECLARED;
    return *next && strchr("[={", *next) ? MATCH_DEFINED
           : *next == ';'                ? MATCH_DECLARED
                                         : MATCH_NONE;
}

/* The first line of the comment that ends directly above line `i`, or `i`. */
static size_t with_comment(const struct strv *lines, size_t i)
{
    size_t top = i;

    while (top && str_starts(lines->items[top - 1], "//"))
        top--;
    if (top < i || !top || !str_ends(lines->items[top - 1], "*/"))
        return top;
    while (top && !str_starts(lines->items[--top], "/*"))
        if (!isspace((unsigned char)*lines->items[top]))
            return i; /* the end of a line of code */
    return top;
}

char *anchor_cut(const char *source, const char *name)
{
    cleanup_strv struct strv lines = {0};
    char *found = NULL;

    strv_split(&lines, source, '\n');
    for (size_t i = 0; i < lines.len; i++) {
        cleanup_free char *item = NULL;
        enum match match;
        size_t end;

        if (!starts_item(lines.items[i]))
            continue;
        end = item_end(&lines, i);
        item = join(&lines, i, end);
        match = match_item(item, name);
        if (match == MATCH_DEFINED || (match == MATCH_DECLARED && !found)) {
            free(found);
            found = join(&lines, with_comment(&lines, i), end);
        }
        if (match == MATCH_DEFINED)
            break;
        i = end;
    }
    return found;
}
