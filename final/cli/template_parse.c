/* Recursive descent with one token of look-ahead. Grammar:
 *
 *     list     = { TEXT | "{{" action "}}" }
 *     action   = pipeline | "if" pipeline | "range" pipeline | "with" pipeline
 *              | "else" ["if" ...] | "end"
 *     pipeline = [ $v { "," $v } (":=" | "=") ] call { "|" call }
 *     call     = operand { operand }
 *     operand  = ( "." | FIELD | $v | constant | function | "(" pipeline ")" )
 *                { FIELD without a blank }
 */
#include <stdlib.h>
#include <string.h>

#include "cli/template.h"
#include "cli/template_tree.h"

#define NESTING_MAX 100

struct parser {
    struct lexer lexer;
    struct token token; /* the next one */
    const char *source;
    struct strv variables; /* in scope */
    int nesting;
};

static int advance(struct parser *p, struct err *err)
{
    free(p->token.value);
    p->token.value = NULL;
    return template_next(&p->lexer, &p->token, err);
}

static bool at(const struct parser *p, enum token_kind kind, const char *value)
{
    return p->token.kind == kind && (!value || !strcmp(p->token.value, value));
}

static int unexpected(struct parser *p, const char *where, struct err *err)
{
    const char *format = at(p, TOKEN_END, NULL) ? "unexpected %s" : "unexpected <%s> in %s";

    return template_error(p->source, p->token.from, err, format, p->token.value, where);
}

static void free_pipeline(struct pipeline *pipe);

static void free_call(struct call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        free(call->operands[i].name);
        json_decref(call->operands[i].constant);
        free_pipeline(call->operands[i].pipe);
        strv_free(&call->operands[i].fields);
    }
    free(call->operands);
}

static void free_pipeline(struct pipeline *pipe)
{
    if (!pipe)
        return;
    for (size_t i = 0; i < pipe->count; i++)
        free_call(&pipe->calls[i]);
    for (size_t i = 0; i < pipe->variable_count; i++)
        free(pipe->variables[i]);
    free(pipe->calls);
    free(pipe);
}

static void free_nodes(struct node *node)
{
    while (node) {
        struct node *next = node->next;

        free_nodes(node->body);
        free_nodes(node->otherwise);
        free_pipeline(node->pipe);
        free(node->text);
        free(node);
        node = next;
    }
}

void template_free(struct template *t)
{
    if (!t)
        return;
    free_nodes(t->first);
    free(t->source);
    free(t);
}

static int parse_pipeline(struct parser *p, const char *what, struct pipeline **ret,
                          struct err *err);

static json_t *number_constant(const char *text)
{
    char *end;
    long long whole = strtoll(text, &end, 0);

    return *end ? json_real(strtod(text, NULL)) : json_integer(whole);
}

/* true, false, nil, or the name of a function. */
static int parse_word(struct parser *p, struct operand *o, struct err *err)
{
    const char *word = p->token.value;

    o->kind = OPERAND_CONSTANT;
    if (!strcmp(word, "true") || !strcmp(word, "false")) {
        o->constant = json_boolean(*word == 't');
    } else if (!strcmp(word, "nil")) {
        o->constant = json_null();
    } else {
        o->kind = OPERAND_FUNCTION;
        o->name = str_copy(word);
        if (!template_function_find(word))
            return template_error(p->source, p->token.from, err, "function \"%s\" not defined",
                                  word);
    }
    return 0;
}

static int parse_parenthesis(struct parser *p, struct operand *o, struct err *err)
{
    o->kind = OPERAND_PIPE;
    if (++p->nesting > NESTING_MAX)
        return template_error(p->source, p->token.from, err, "max expression depth exceeded");
    if (advance(p, err) < 0 || parse_pipeline(p, "parenthesized pipeline", &o->pipe, err) < 0)
        return -err->code;
    p->nesting--;
    return at(p, TOKEN_SIGN, ")") ? 0 : unexpected(p, "parenthesized pipeline", err);
}

/* The term itself, without fields behind it; leaves its last token as the current one. */
static int parse_term(struct parser *p, struct operand *o, struct err *err)
{
    switch (p->token.kind) {
    case TOKEN_DOT:
        o->kind = OPERAND_DOT;
        return 0;
    case TOKEN_FIELD:
        o->kind = OPERAND_DOT;
        strv_add(&o->fields, p->token.value);
        return 0;
    case TOKEN_VARIABLE:
        o->kind = OPERAND_VARIABLE;
        o->name = str_copy(p->token.value);
        if (!strv_contains(&p->variables, o->name))
            return template_error(p->source, p->token.from, err, "undefined variable \"%s\"",
                                  o->name);
        return 0;
    case TOKEN_STRING:
        o->kind = OPERAND_CONSTANT;
        o->constant = json_string(p->token.value);
        return o->constant
                   ? 0
                   : template_error(p->source, p->token.from, err, "invalid UTF-8 in string");
    case TOKEN_NUMBER:
        o->kind = OPERAND_CONSTANT;
        o->constant = number_constant(p->token.value);
        return 0;
    case TOKEN_WORD:
        return parse_word(p, o, err);
    default:
        return at(p, TOKEN_SIGN, "(") ? parse_parenthesis(p, o, err)
                                      : unexpected(p, "operand", err);
    }
}

static int parse_operand(struct parser *p, struct operand *o, struct err *err)
{
    o->from = o->last = p->token.from;
    if (parse_term(p, o, err) < 0)
        return -err->code;
    o->to = p->token.to;
    if (advance(p, err) < 0)
        return -err->code;
    while (p->token.kind == TOKEN_FIELD && !p->token.space_before) {
        if (o->kind == OPERAND_CONSTANT || o->kind == OPERAND_FUNCTION)
            return unexpected(p, "operand", err);
        strv_add(&o->fields, p->token.value);
        o->last = p->token.from;
        o->to = p->token.to;
        if (advance(p, err) < 0)
            return -err->code;
    }
    return p->token.kind == TOKEN_DOT && !p->token.space_before ? unexpected(p, "operand", err) : 0;
}

static bool ends_call(const struct parser *p)
{
    return p->token.kind == TOKEN_CLOSE || at(p, TOKEN_SIGN, "|") || at(p, TOKEN_SIGN, ")");
}

static int parse_call(struct parser *p, const char *what, struct call *call, struct err *err)
{
    call->from = p->token.from;
    if (ends_call(p))
        return template_error(p->source, p->token.from, err, "missing value for %s", what);
    while (!ends_call(p)) {
        struct operand *o;

        call->operands = mem_grow(call->operands, call->count + 1, sizeof *call->operands);
        o = &call->operands[call->count++];
        *o = (struct operand){0};
        if (parse_operand(p, o, err) < 0)
            return -err->code;
        call->to = o->to;
    }
    return 0;
}

/* `$v :=`, `$i, $v :=`, `$v =`: only a look further ahead tells them from the use of a variable. */
static int parse_variables(struct parser *p, struct pipeline *pipe, struct err *err)
{
    const char *after = p->lexer.at + strspn(p->lexer.at, " \t\r\n");

    if (p->token.kind != TOKEN_VARIABLE ||
        !(str_starts(after, ":=") || *after == '=' || *after == ','))
        return 0;
    for (;;) {
        if (p->token.kind != TOKEN_VARIABLE || pipe->variable_count == 2)
            return unexpected(p, "variable declaration", err);
        pipe->variables[pipe->variable_count++] = str_copy(p->token.value);
        if (advance(p, err) < 0)
            return -err->code;
        if (!at(p, TOKEN_SIGN, ","))
            break;
        if (advance(p, err) < 0)
            return -err->code;
    }
    pipe->assigns = at(p, TOKEN_SIGN, "=");
    if (!pipe->assigns && !at(p, TOKEN_SIGN, ":="))
        return unexpected(p, "variable declaration", err);
    for (size_t i = 0; i < pipe->variable_count; i++) {
        if (pipe->assigns && !strv_contains(&p->variables, pipe->variables[i]))
            return template_error(p->source, p->token.from, err, "undefined variable \"%s\"",
                                  pipe->variables[i]);
        if (!pipe->assigns)
            strv_add(&p->variables, pipe->variables[i]);
    }
    return advance(p, err);
}

static int parse_pipeline(struct parser *p, const char *what, struct pipeline **ret,
                          struct err *err)
{
    struct pipeline *pipe = mem_alloc(sizeof *pipe);

    *ret = pipe; /* the tree owns it also when the rest fails */
    if (parse_variables(p, pipe, err) < 0)
        return -err->code;
    for (;;) {
        pipe->calls = mem_grow(pipe->calls, pipe->count + 1, sizeof *pipe->calls);
        pipe->calls[pipe->count] = (struct call){0};
        if (parse_call(p, what, &pipe->calls[pipe->count++], err) < 0)
            return -err->code;
        if (!at(p, TOKEN_SIGN, "|"))
            return 0;
        what = "command";
        if (advance(p, err) < 0)
            return -err->code;
    }
}

static int parse_list(struct parser *p, struct node **ret, const char **ret_ender, struct err *err);

static int expect_close(struct parser *p, const char *where, struct err *err)
{
    return p->token.kind == TOKEN_CLOSE ? advance(p, err) : unexpected(p, where, err);
}

static int parse_block(struct parser *p, const char *keyword, struct node *node, struct err *err);

/* {{else}} or {{else if ...}}, whose end also ends the outer one. */
static int parse_else(struct parser *p, struct node *node, struct err *err)
{
    const char *ender;

    if (at(p, TOKEN_WORD, "if") || at(p, TOKEN_WORD, "with")) {
        const char *keyword = p->token.value[0] == 'i' ? "if" : "with";

        node->otherwise = mem_alloc(sizeof *node->otherwise);
        return parse_block(p, keyword, node->otherwise, err);
    }
    if (expect_close(p, "else", err) < 0 || parse_list(p, &node->otherwise, &ender, err) < 0)
        return -err->code;
    if (!ender)
        return template_error(p->source, p->token.from, err, "unexpected EOF");
    if (strcmp(ender, "end"))
        return template_error(p->source, p->token.from, err, "expected end; found {{else}}");
    return expect_close(p, "end", err);
}

static void drop_variables(struct parser *p, size_t count)
{
    while (p->variables.len > count)
        free(p->variables.items[--p->variables.len]);
}

/* After the keyword if, range or with: to the matching {{end}}. Variables live until there. */
static int parse_block(struct parser *p, const char *keyword, struct node *node, struct err *err)
{
    size_t variables = p->variables.len;
    const char *ender;
    int r;

    node->kind = *keyword == 'i' ? NODE_IF : *keyword == 'r' ? NODE_RANGE : NODE_WITH;
    if (++p->nesting > NESTING_MAX)
        return template_error(p->source, p->token.from, err, "max expression depth exceeded");
    if (advance(p, err) < 0 || parse_pipeline(p, keyword, &node->pipe, err) < 0 ||
        expect_close(p, keyword, err) < 0 || parse_list(p, &node->body, &ender, err) < 0)
        return -err->code;
    if (!ender)
        return template_error(p->source, p->token.from, err, "unexpected EOF");
    r = strcmp(ender, "end") ? parse_else(p, node, err) : expect_close(p, "end", err);
    drop_variables(p, variables);
    p->nesting--;
    return r;
}

/* What follows "{{", to behind the "}}"; `ret_ender` is "end" or "else" when that is what it was.
 */
static int parse_action(struct parser *p, struct node **ret, const char **ret_ender,
                        struct err *err)
{
    static const char *const blocks[] = {"if", "range", "with", NULL}, *const enders[] = {
                                                                           "end", "else", NULL};
    struct node *node;

    for (size_t i = 0; enders[i]; i++)
        if (at(p, TOKEN_WORD, enders[i])) {
            *ret_ender = enders[i];
            return advance(p, err);
        }
    *ret = node = mem_alloc(sizeof *node);
    for (size_t i = 0; blocks[i]; i++)
        if (at(p, TOKEN_WORD, blocks[i]))
            return parse_block(p, blocks[i], node, err);
    node->kind = NODE_ACTION;
    if (parse_pipeline(p, "command", &node->pipe, err) < 0)
        return -err->code;
    return expect_close(p, "command", err);
}

static int parse_list(struct parser *p, struct node **ret, const char **ret_ender, struct err *err)
{
    *ret_ender = NULL;
    while (p->token.kind != TOKEN_END) {
        if (p->token.kind == TOKEN_TEXT) {
            *ret = mem_alloc(sizeof **ret);
            (*ret)->kind = NODE_TEXT;
            (*ret)->text = str_copy(p->token.value);
            if (advance(p, err) < 0)
                return -err->code;
        } else if (advance(p, err) < 0 || parse_action(p, ret, ret_ender, err) < 0) {
            return -err->code;
        }
        if (*ret_ender)
            return 0;
        ret = &(*ret)->next;
    }
    return 0;
}

int template_parse(const char *text, struct template **ret, struct err *err)
{
    struct template *t = mem_alloc(sizeof *t);
    struct parser p = {0};
    const char *ender;
    int r;

    t->source = str_copy(text);
    p.source = p.lexer.source = p.lexer.at = t->source;
    strv_add(&p.variables, "$");
    r = advance(&p, err);
    if (!r)
        r = parse_list(&p, &t->first, &ender, err);
    if (!r && ender)
        r = template_error(p.source, p.token.from, err, "unexpected {{%s}}", ender);
    free(p.token.value);
    strv_free(&p.variables);
    if (r < 0) {
        template_free(t);
        return r;
    }
    *ret = t;
    return 0;
}
