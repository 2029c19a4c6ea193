#include "cli/changes.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/proc.h"

/* `member` of the Config from the text behind the instruction. */
typedef int apply_function(json_t *config, const char *member, const char *text, struct err *err);

/* ["exec", "form"], or NULL when the text is not JSON's list of strings. */
static json_t *exec_form(const char *text)
{
    struct err unused = {0};
    json_t *list = *text == '[' ? json_parse(text, strlen(text), "list", &unused) : NULL, *item;
    size_t i;

    json_array_foreach(list, i, item) if (!json_is_string(item))
    {
        json_decref(list);
        return NULL;
    }
    return list;
}

/* CMD and ENTRYPOINT: the exec form, else a line for the shell. */
static int apply_command(json_t *config, const char *member, const char *text, struct err *err)
{
    json_t *list = exec_form(text);

    (void)err;
    if (!list)
        list = json_pack("[s, s, s]", "/bin/sh", "-c", text);
    json_put(config, member, list);
    return 0;
}

static int apply_text(json_t *config, const char *member, const char *text, struct err *err)
{
    if (!strcmp(member, "StopSignal") && proc_signal_number(text) < 0)
        return err_set(err, EINVAL, "invalid signal: %s", text);
    json_put_str(config, member, text);
    return 0;
}

static json_t *member_object(json_t *config, const char *member)
{
    json_t *object = json_object_get(config, member);

    if (!object) {
        object = json_object();
        json_put(config, member, object);
    }
    return object;
}

/* One word of a line: quotes group, a backslash takes the next character. Returns what follows it.
 */
static const char *next_word(const char *p, struct buf *word)
{
    char quote = 0;

    while (isspace((unsigned char)*p))
        p++;
    for (; *p && (quote || !isspace((unsigned char)*p)); p++) {
        if (*p == '\\' && p[1] && quote != '\'')
            buf_add_char(word, *++p);
        else if (quote ? *p == quote : *p == '"' || *p == '\'')
            quote = quote ? 0 : *p;
        else
            buf_add_char(word, *p);
    }
    return p;
}

static void add_words(const char *text, struct strv *words)
{
    for (;;) {
        struct buf word = {0};

        text = next_word(text, &word);
        if (!word.len) {
            buf_free(&word);
            return;
        }
        strv_take(words, buf_steal(&word));
    }
}

/* EXPOSE 80 443/udp and VOLUME /a /b or ["/a"]: an object with a member for each. */
static int apply_set(json_t *config, const char *member, const char *text, struct err *err)
{
    cleanup_json json_t *list = exec_form(text);
    json_t *object = member_object(config, member);
    cleanup_strv struct strv words = {0};
    bool ports = !strcmp(member, "ExposedPorts");

    if (list)
        json_strings(list, &words);
    else
        add_words(text, &words);
    for (size_t i = 0; i < words.len; i++) {
        cleanup_free char *name = ports && !strchr(words.items[i], '/')
                                      ? str_format("%s/tcp", words.items[i])
                                      : str_copy(words.items[i]);
        char *end;
        long port = strtol(name, &end, 10);

        if (ports && (*end != '/' || port < 1 || port > 65535))
            return err_set(err, EINVAL, "invalid containerPort: %s", words.items[i]);
        json_put(object, name, json_object());
    }
    return 0;
}

/* ENV and LABEL: k=v ..., or the old form "k the rest". Each pair goes to `add`. */
static int apply_pairs(json_t *config, const char *member, const char *text, struct err *err)
{
    cleanup_strv struct strv words = {0};
    bool env = !strcmp(member, "Env");

    add_words(text, &words);
    if (words.len > 1 && !strchr(words.items[0], '=')) {
        const char *rest = text + strcspn(text, " \t");
        char *pair = str_format("%s=%s", words.items[0], rest + strspn(rest, " \t"));

        strv_free(&words);
        strv_take(&words, pair);
    }
    for (size_t i = 0; i < words.len; i++) {
        char *equals = strchr(words.items[i], '=');

        if (!equals || equals == words.items[i])
            return err_set(err, EINVAL,
                           "Syntax error - can't find = in \"%s\". Must be of the form: name=value",
                           words.items[i]);
        if (env) {
            if (!json_object_get(config, member))
                json_put(config, member, json_array());
            json_push(json_object_get(config, member), json_string(words.items[i]));
        } else {
            *equals = 0;
            json_put_str(member_object(config, member), words.items[i], equals + 1);
        }
    }
    return 0;
}

static const struct {
    const char *instruction, *member;
    apply_function *apply;
} instructions[] = {
    {"CMD", "Cmd", apply_command},         {"ENTRYPOINT", "Entrypoint", apply_command},
    {"ENV", "Env", apply_pairs},           {"EXPOSE", "ExposedPorts", apply_set},
    {"LABEL", "Labels", apply_pairs},      {"STOPSIGNAL", "StopSignal", apply_text},
    {"USER", "User", apply_text},          {"VOLUME", "Volumes", apply_set},
    {"WORKDIR", "WorkingDir", apply_text},
};

/* Docker shows the word as its parser knows it, in lower case. */
static int unknown_change(const char *change, size_t n, struct err *err)
{
    cleanup_free char *word = str_copy_n(change, n);

    for (char *p = word; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return err_set(err, EINVAL, "%s is not a valid change command", word);
}

static int apply_change(json_t *config, const char *change, struct err *err)
{
    size_t n = strcspn(change, " \t");
    const char *text = change + n + strspn(change + n, " \t");

    for (size_t i = 0; i < sizeof instructions / sizeof *instructions; i++) {
        if (strlen(instructions[i].instruction) != n ||
            strncasecmp(change, instructions[i].instruction, n))
            continue;
        if (!*text)
            return err_set(err, EINVAL, "%s requires at least one argument",
                           instructions[i].instruction);
        return instructions[i].apply(config, instructions[i].member, text, err);
    }
    return unknown_change(change, n, err);
}

int changes_parse(const struct strv *changes, json_t **ret, struct err *err)
{
    cleanup_json json_t *config = json_object();

    *ret = NULL;
    for (size_t i = 0; i < changes->len; i++)
        if (apply_change(config, changes->items[i], err) < 0)
            return -err->code;
    if (changes->len)
        *ret = steal_ptr(&config);
    return 0;
}
