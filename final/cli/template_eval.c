/* The tree against the data.
 *
 * A pipeline is evaluated from left to right, the value of one call being the last argument of the
 * next. A missing member is an error and not "<no value>": a script that misspells a name should
 * notice. An error ends the execution where it is; what was printed before stays printed, as in Go.
 *  Every value is a JSON value with a reference of its own; variables are
 * a stack that each block cuts back to where it was. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/template.h"
#include "cli/template_tree.h"

#define ARGUMENTS_MAX 64

struct variable {
    const char *name;
    json_t *value; /* owned */
};

struct run {
    const struct template *t;
    struct buf *out;
    struct variable *variables;
    size_t count;
};

/* Go's form: where, what it was about, what is wrong. */
static int fail_at(const struct run *run, const char *place, const char *from, const char *to,
                   struct err *err, const char *format, ...) __attribute__((format(printf, 6, 7)));
static int fail_at(const struct run *run, const char *place, const char *from, const char *to,
                   struct err *err, const char *format, ...)
{
    int line = 1, column = 0;
    char message[ERR_MESSAGE_MAX / 2];
    va_list args;

    for (const char *p = run->t->source; p < place; p++) {
        column = *p == '\n' ? 0 : column + 1;
        line += *p == '\n';
    }
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return err_set(err, EINVAL, "template: :%d:%d: executing \"\" at <%.*s>: %s", line, column,
                   (int)(to - from), from, message);
}

static struct variable *find_variable(struct run *run, const char *name)
{
    for (size_t i = run->count; i-- > 0;)
        if (!strcmp(run->variables[i].name, name))
            return &run->variables[i];
    abort(); /* the parser let only known ones pass */
}

static void push_variable(struct run *run, const char *name, json_t *value)
{
    run->variables = mem_grow(run->variables, run->count + 1, sizeof *run->variables);
    run->variables[run->count++] = (struct variable){name, json_incref(value)};
}

static void pop_variables(struct run *run, size_t count)
{
    while (run->count > count)
        json_decref(run->variables[--run->count].value);
}

static json_t *eval_pipeline(struct run *run, const struct pipeline *pipe, json_t *dot,
                             struct err *err);

/* Steps from *value through the fields; takes and gives back a reference. */
static json_t *walk_fields(struct run *run, const struct operand *o, json_t *value, struct err *err)
{
    for (size_t i = 0; i < o->fields.len; i++) {
        const char *field = o->fields.items[i];
        json_t *next = json_object_get(value, field);

        if (!next) {
            if (json_is_object(value))
                fail_at(run, o->last, o->from, o->to, err, "map has no entry for key \"%s\"",
                        field);
            else if (json_is_null(value))
                fail_at(run, o->last, o->from, o->to, err, "nil pointer evaluating interface {}.%s",
                        field);
            else
                fail_at(run, o->last, o->from, o->to, err, "can't evaluate field %s in type %s",
                        field, template_type_name(value));
            json_decref(value);
            return NULL;
        }
        json_incref(next);
        json_decref(value);
        value = next;
    }
    return value;
}

static json_t *eval_operand(struct run *run, const struct operand *o, json_t *dot, struct err *err)
{
    json_t *value = NULL;

    switch (o->kind) {
    case OPERAND_DOT:
        value = json_incref(dot);
        break;
    case OPERAND_VARIABLE:
        value = json_incref(find_variable(run, o->name)->value);
        break;
    case OPERAND_CONSTANT:
        return json_incref(o->constant);
    case OPERAND_PIPE:
        value = eval_pipeline(run, o->pipe, dot, err);
        break;
    case OPERAND_FUNCTION: /* a function among the arguments is called without any */
        fail_at(run, o->from, o->from, o->to, err,
                "wrong number of args for %s: want at least 1 got 0", o->name);
        break;
    }
    return value ? walk_fields(run, o, value, err) : NULL;
}

/* `and` and `or` stop at the first argument that decides: the others need not make sense. */
static bool decided(const char *function, const json_t *value)
{
    return (!strcmp(function, "and") && !template_truth(value)) ||
           (!strcmp(function, "or") && template_truth(value));
}

static json_t *apply(struct run *run, const struct call *call, json_t **arguments, size_t count,
                     struct err *err)
{
    const struct operand *o = &call->operands[0];
    const struct template_function *f = template_function_find(o->name);
    json_t *value;

    if (count < f->min || count > f->max) {
        fail_at(run, o->from, o->from, o->to, err,
                "wrong number of args for %s: want %s%zu got %zu", f->name,
                f->min == f->max ? ""
                : count < f->min ? "at least "
                                 : "at most ",
                count < f->min ? f->min : f->max, count);
        return NULL;
    }
    value = f->call(arguments, count, err);
    if (!value) {
        cleanup_free char *message = str_copy(err->message);

        fail_at(run, o->from, call->from, call->to, err, "error calling %s: %s", f->name, message);
    }
    return value;
}

/* The function gets its arguments, then what comes through the pipe. */
static json_t *call_function(struct run *run, const struct call *call, json_t *dot, json_t *piped,
                             struct err *err)
{
    json_t *arguments[ARGUMENTS_MAX], *value = NULL;
    size_t count = 0;

    if (call->count + 1 > ARGUMENTS_MAX) {
        fail_at(run, call->from, call->from, call->to, err, "more than %d arguments",
                ARGUMENTS_MAX - 2);
        return NULL;
    }
    for (size_t i = 1; i < call->count; i++) {
        json_t *argument = eval_operand(run, &call->operands[i], dot, err);

        if (!argument)
            goto out;
        arguments[count++] = argument;
        if (decided(call->operands[0].name, argument)) {
            value = json_incref(argument);
            goto out;
        }
    }
    if (piped)
        arguments[count++] = json_incref(piped);
    value = apply(run, call, arguments, count, err);
out:
    while (count > 0)
        json_decref(arguments[--count]);
    return value;
}

/* The one method of docker's rows: {{.Label "name"}}. The field holds an object to look in; in the
 * row of headings it holds true, and the heading is the label's name. */
static json_t *call_method(struct run *run, const struct call *call, json_t *dot, json_t *piped,
                           struct err *err)
{
    cleanup_json json_t *value = eval_operand(run, &call->operands[0], dot, err);
    cleanup_json json_t *name = NULL;
    json_t *found;

    if (!value)
        return NULL;
    name = call->count > 1 ? eval_operand(run, &call->operands[1], dot, err) : json_incref(piped);
    if (!name)
        return NULL;
    if (call->count + (piped != NULL) != 2 || !json_is_string(name) ||
        !(json_is_object(value) || json_is_true(value))) {
        fail_at(run, call->operands[0].last, call->operands[0].from, call->operands[0].to, err,
                "%s has arguments but cannot be invoked as function",
                call->operands[0].fields.len ? call->operands[0].fields.items[0] : "value");
        return NULL;
    }
    if (json_is_true(value))
        return json_incref(name);
    found = json_object_get(value, json_string_value(name));
    return found ? json_incref(found) : json_string("");
}

static json_t *eval_call(struct run *run, const struct call *call, json_t *dot, json_t *piped,
                         struct err *err)
{
    if (call->operands[0].kind == OPERAND_FUNCTION)
        return call_function(run, call, dot, piped, err);
    if (call->count > 1 || piped)
        return call_method(run, call, dot, piped, err);
    return eval_operand(run, &call->operands[0], dot, err);
}

/* The value of a pipeline, without its variables. */
static json_t *eval_calls(struct run *run, const struct pipeline *pipe, json_t *dot,
                          struct err *err)
{
    json_t *value = NULL;

    for (size_t i = 0; i < pipe->count; i++) {
        json_t *next = eval_call(run, &pipe->calls[i], dot, value, err);

        json_decref(value);
        if (!next)
            return NULL;
        value = next;
    }
    return value;
}

static void bind_variable(struct run *run, const struct pipeline *pipe, size_t i, json_t *value)
{
    struct variable *v;

    if (!pipe->assigns) {
        push_variable(run, pipe->variables[i], value);
        return;
    }
    v = find_variable(run, pipe->variables[i]);
    json_incref(value);
    json_decref(v->value);
    v->value = value;
}

static json_t *eval_pipeline(struct run *run, const struct pipeline *pipe, json_t *dot,
                             struct err *err)
{
    json_t *value = eval_calls(run, pipe, dot, err);

    if (value && pipe->variable_count)
        bind_variable(run, pipe, 0, value);
    return value;
}

static int run_list(struct run *run, const struct node *node, json_t *dot, struct err *err);

static int run_range_item(struct run *run, const struct node *node, json_t *key, json_t *item,
                          struct err *err)
{
    const struct pipeline *pipe = node->pipe;
    size_t variables = run->count;
    int r;

    if (pipe->variable_count == 2)
        bind_variable(run, pipe, 0, key);
    if (pipe->variable_count)
        bind_variable(run, pipe, pipe->variable_count - 1, item);
    r = run_list(run, node->body, item, err);
    pop_variables(run, variables);
    return r;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Maps are walked in the order of their keys, as Go does. */
static int range_object(struct run *run, const struct node *node, json_t *object, struct err *err)
{
    size_t count = json_object_size(object), i = 0;
    cleanup_free const char **names = mem_alloc((count + 1) * sizeof *names);
    const char *name;
    json_t *item;

    json_object_foreach(object, name, item) names[i++] = name;
    qsort(names, count, sizeof *names, by_name);
    for (i = 0; i < count; i++) {
        cleanup_json json_t *key = json_string(names[i]);

        if (run_range_item(run, node, key, json_object_get(object, names[i]), err) < 0)
            return -err->code;
    }
    return 0;
}

static int run_range(struct run *run, const struct node *node, json_t *dot, struct err *err)
{
    const struct call *first = &node->pipe->calls[0];
    cleanup_json json_t *value = eval_calls(run, node->pipe, dot, err);
    json_t *item;
    size_t i;

    if (!value)
        return -err->code;
    if (!json_is_null(value) && !json_is_array(value) && !json_is_object(value))
        return fail_at(run, first->operands[0].last, first->from, first->to, err,
                       "range can't iterate over %s", template_type_name(value));
    if (!template_truth(value))
        return run_list(run, node->otherwise, dot, err);
    if (json_is_object(value))
        return range_object(run, node, value, err);
    json_array_foreach(value, i, item)
    {
        cleanup_json json_t *key = json_integer((json_int_t)i);

        if (run_range_item(run, node, key, item, err) < 0)
            return -err->code;
    }
    return 0;
}

static int run_node(struct run *run, const struct node *node, json_t *dot, struct err *err)
{
    cleanup_json json_t *value = NULL;
    size_t variables = run->count;
    int r = 0;

    if (node->kind == NODE_TEXT) {
        buf_add_str(run->out, node->text);
        return 0;
    }
    if (node->kind == NODE_RANGE)
        return run_range(run, node, dot, err);
    value = eval_pipeline(run, node->pipe, dot, err);
    if (!value)
        return -err->code;
    if (node->kind == NODE_ACTION) {
        if (!node->pipe->variable_count)
            template_print_value(value, run->out);
        return 0;
    }
    if (template_truth(value))
        r = run_list(run, node->body, node->kind == NODE_WITH ? value : dot, err);
    else
        r = run_list(run, node->otherwise, dot, err);
    pop_variables(run, variables);
    return r;
}

static int run_list(struct run *run, const struct node *node, json_t *dot, struct err *err)
{
    for (; node; node = node->next)
        if (run_node(run, node, dot, err) < 0)
            return -err->code;
    return 0;
}

int template_execute(const struct template *t, json_t *data, struct buf *out, struct err *err)
{
    struct run run = {.t = t, .out = out};
    int r;

    push_variable(&run, "$", data);
    r = run_list(&run, t->first, data, err);
    pop_variables(&run, 0);
    free(run.variables);
    return r;
}
