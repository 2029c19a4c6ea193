/* The lexer: called for one token at a time, in two modes. Outside of {{ }} everything up to the
 * next brace pair is one text; inside, blanks separate (and matter: `.A .B` is two operands, `.A.B`
 * one). Trim marks act here already, so the parser never sees them: "{{- " shortens the text before
 * it, " -}}" sets trim_next for the one behind. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/template_tree.h"

int template_error(const char *source, const char *at, struct err *err, const char *format, ...)
{
    char message[ERR_MESSAGE_MAX];
    int line = 1;
    va_list args;

    for (const char *p = source; p < at; p++)
        line += *p == '\n';
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return err_set(err, EINVAL, "template: :%d: %s", line, message);
}

static int fail(const struct lexer *l, struct err *err, const char *message)
{
    return template_error(l->source, l->at, err, "%s", message);
}

/* "{{- " trims the text before it, blanks and newlines alike; the blank behind the dash is
 * required. */
static bool opens_with_trim(const char *p)
{
    return p[2] == '-' && isspace((unsigned char)p[3]);
}

static bool closes_with_trim(const char *p)
{
    return isspace((unsigned char)p[0]) && str_starts(p + 1, "-}}");
}

static int lex_text(struct lexer *l, struct token *ret)
{
    const char *end = strstr(l->at, "{{"), *from = l->at, *to;

    if (!end)
        end = l->at + strlen(l->at);
    to = end;
    while (l->trim_next && from < to && isspace((unsigned char)*from))
        from++;
    while (*end && opens_with_trim(end) && to > from && isspace((unsigned char)to[-1]))
        to--;
    *ret = (struct token){TOKEN_TEXT, str_copy_n(from, (size_t)(to - from)), from, to, false};
    l->at = end;
    l->trim_next = false;
    return 0;
}

/* A comment is a whole action: the slash and star must touch the braces (or the trim marks). */
static int skip_comment(struct lexer *l, struct err *err)
{
    const char *end = strstr(l->at + 2, "*/");

    if (!end)
        return fail(l, err, "unclosed comment");
    l->at = end + 2;
    if (closes_with_trim(l->at)) {
        l->trim_next = true;
        l->at += 4;
    } else if (str_starts(l->at, "}}")) {
        l->at += 2;
    } else {
        return fail(l, err, "comment ends before closing delimiter");
    }
    return 0;
}

static int lex_open(struct lexer *l, struct token *ret, struct err *err)
{
    const char *from = l->at;
    const char *inside = from + (opens_with_trim(from) ? 4 : 2);

    l->at = inside;
    while (inside > from + 2 && isspace((unsigned char)*inside))
        inside++;
    if (str_starts(inside, "/*")) {
        l->at = inside;
        if (skip_comment(l, err) < 0)
            return -err->code;
        return template_next(l, ret, err);
    }
    l->in_action = true;
    l->depth = 0;
    *ret = (struct token){TOKEN_OPEN, str_copy("{{"), from, l->at, false};
    return 0;
}

static int lex_close(struct lexer *l, size_t len, struct token *ret, struct err *err)
{
    if (l->depth)
        return fail(l, err, "unclosed left paren");
    l->trim_next = len > 2;
    l->in_action = false;
    *ret = (struct token){TOKEN_CLOSE, str_copy("}}"), l->at, l->at + len, false};
    l->at += len;
    return 0;
}

/* Go's escapes in "..."; what is between back quotes stands for itself. */
static int lex_string(struct lexer *l, struct token *ret, struct err *err)
{
    static const char names[] = "abfnrtv\\\"'", bytes[] = "\a\b\f\n\r\t\v\\\"'";
    char quote = *l->at;
    const char *p = l->at + 1;
    struct buf value = {0};

    for (; *p && *p != quote && !(quote == '"' && *p == '\n'); p++) {
        const char *escape = quote == '"' && *p == '\\' && p[1] ? strchr(names, p[1]) : NULL;

        if (quote == '"' && *p == '\\' && !escape) {
            buf_free(&value);
            return fail(l, err, "invalid syntax");
        }
        buf_add_char(&value, escape ? bytes[escape - names] : *p);
        p += escape != NULL;
    }
    if (*p != quote) {
        buf_free(&value);
        return fail(l, err,
                    quote == '"' ? "unterminated quoted string" : "unterminated raw quoted string");
    }
    *ret = (struct token){TOKEN_STRING, buf_steal(&value), l->at, p + 1, false};
    l->at = p + 1;
    return 0;
}

static bool word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* A word of letters and digits from `from + skip`; its value begins at `from + value`. */
static int lex_word(struct lexer *l, enum token_kind kind, size_t skip, size_t value,
                    struct token *ret)
{
    const char *from = l->at, *p = from + skip;

    while (word_char(*p))
        p++;
    *ret =
        (struct token){kind, str_copy_n(from + value, (size_t)(p - from) - value), from, p, false};
    l->at = p;
    return 0;
}

static int lex_number(struct lexer *l, struct token *ret, struct err *err)
{
    const char *from = l->at, *p = from + 1;
    char *end;

    while (word_char(*p) || *p == '.')
        p++;
    strtod(from, &end);
    if (end != p)
        return template_error(l->source, from, err, "bad number syntax: \"%.*s\"", (int)(p - from),
                              from);
    *ret = (struct token){TOKEN_NUMBER, str_copy_n(from, (size_t)(p - from)), from, p, false};
    l->at = p;
    return 0;
}

static int lex_sign(struct lexer *l, struct token *ret, struct err *err)
{
    size_t len = str_starts(l->at, ":=") ? 2 : 1;

    if (len == 1 && !strchr("|(),=", *l->at))
        return template_error(l->source, l->at, err, "bad character U+%04X '%c'",
                              (unsigned)(unsigned char)*l->at, *l->at);
    l->depth += *l->at == '(';
    if (*l->at == ')' && --l->depth < 0)
        return fail(l, err, "unexpected right paren");
    *ret = (struct token){TOKEN_SIGN, str_copy_n(l->at, len), l->at, l->at + len, false};
    l->at += len;
    return 0;
}

static int lex_in_action(struct lexer *l, struct token *ret, struct err *err)
{
    const char *p = l->at;

    if (!*p)
        return fail(l, err, "unclosed action");
    if (str_starts(p, "}}"))
        return lex_close(l, 2, ret, err);
    if (*p == '"' || *p == '`')
        return lex_string(l, ret, err);
    if (isdigit((unsigned char)*p) || ((*p == '-' || *p == '+') && isdigit((unsigned char)p[1])))
        return lex_number(l, ret, err);
    if (*p == '$')
        return lex_word(l, TOKEN_VARIABLE, 1, 0, ret);
    if (*p == '.' && word_char(p[1]))
        return lex_word(l, TOKEN_FIELD, 1, 1, ret);
    if (*p == '.')
        return lex_word(l, TOKEN_DOT, 1, 0, ret);
    if (word_char(*p))
        return lex_word(l, TOKEN_WORD, 0, 0, ret);
    return lex_sign(l, ret, err);
}

int template_next(struct lexer *l, struct token *ret, struct err *err)
{
    const char *before = l->at;
    int r;

    if (!l->in_action) {
        if (!*l->at) {
            *ret = (struct token){TOKEN_END, str_copy("EOF"), l->at, l->at, false};
            return 0;
        }
        return str_starts(l->at, "{{") ? lex_open(l, ret, err) : lex_text(l, ret);
    }
    while (isspace((unsigned char)*l->at) && !closes_with_trim(l->at))
        l->at++;
    if (closes_with_trim(l->at))
        return lex_close(l, 4, ret, err);
    r = lex_in_action(l, ret, err);
    if (!r)
        ret->space_before = ret->from > before;
    return r;
}
