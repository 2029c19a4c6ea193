/* template_tree.h - what the parts of the template engine tell each other: the lexer's tokens, the
 * parser's tree, the functions. Private to template_*.c. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

/* --- lexer
 * ------------------------------------------------------------------------------------------ */

enum token_kind {
    TOKEN_TEXT,     /* what stands outside of {{ }}, trimmed */
    TOKEN_OPEN,     /* {{ */
    TOKEN_CLOSE,    /* }} */
    TOKEN_WORD,     /* function, keyword, true, false, nil */
    TOKEN_FIELD,    /* .Name (value: Name) */
    TOKEN_DOT,      /* . alone */
    TOKEN_VARIABLE, /* $ or $name (value with the $) */
    TOKEN_STRING,   /* value: unquoted */
    TOKEN_NUMBER,
    TOKEN_SIGN, /* one of | ( ) , = or := ; value says which */
    TOKEN_END,  /* of the template */
};

struct token {
    enum token_kind kind;
    char *value;           /* owned by the token */
    const char *from, *to; /* where it stands in the source */
    bool space_before;
};

struct lexer {
    const char *source, *at;
    bool in_action;
    bool trim_next; /* the last action ended in -}} */
    int depth;      /* of parentheses */
};

int template_next(struct lexer *lexer, struct token *ret, struct err *err);
/* "template: :LINE: <message>" for a place in the source. */
int template_error(const char *source, const char *at, struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* --- tree
 * ------------------------------------------------------------------------------------------- */

enum operand_kind {
    OPERAND_DOT,
    OPERAND_VARIABLE,
    OPERAND_CONSTANT,
    OPERAND_FUNCTION,
    OPERAND_PIPE
};

struct pipeline;

/* A term with fields behind it: .A.B, $x.A, (index .L 0).B; "abc"; upper */
struct operand {
    enum operand_kind kind;
    char *name;            /* of a variable or function */
    json_t *constant;      /* owned */
    struct pipeline *pipe; /* owned, in parentheses */
    struct strv fields;
    const char *from, *to; /* in the source */
    const char *last;      /* the last field, where Go says an error is */
};

struct call {
    struct operand *operands; /* function and arguments */
    size_t count;
    const char *from, *to;
};

struct pipeline {
    char *variables[2]; /* "$i", "$v" for {{range $i, $v := ...}} */
    size_t variable_count;
    bool assigns; /* "=" and not ":=" */
    struct call *calls;
    size_t count;
};

enum node_kind { NODE_TEXT, NODE_ACTION, NODE_IF, NODE_RANGE, NODE_WITH };

struct node {
    enum node_kind kind;
    char *text;
    struct pipeline *pipe;
    struct node *body, *otherwise; /* lists */
    struct node *next;
};

struct template
{
    char *source;
    struct node *first;
};

/* --- functions
 * -------------------------------------------------------------------------------------- */

struct template_function {
    const char *name;
    size_t min, max;                                                    /* arguments */
    json_t *(*call)(json_t **arguments, size_t count, struct err *err); /* a new reference */
};
/* NULL if there is no such function. */
const struct template_function *template_function_find(const char *name);

bool template_truth(const json_t *value);
/* As Go prints a value: strings bare, lists [a b], maps map[a:1 b:2] by key. */
void template_print_value(const json_t *value, struct buf *out);
const char *template_type_name(const json_t *value);
void template_printf(const char *format, json_t **arguments, size_t count, struct buf *out);
