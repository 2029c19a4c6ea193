/* The instructions that say how an image is to be run. Each is a row of a table; what they have in
 * common is that they read words and write members of docker's Config. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/proc.h"
#include "build/internal.h"

int change_needs(const struct change *c, const char *what, struct err *err)
{
    return err_set(err, EINVAL, "%s requires %s", c->instruction, what);
}

/* --- CMD, ENTRYPOINT, SHELL ------------------------------------------------------------------- */

static json_t *with_shell(const struct change *c)
{
    const json_t *shell = json_object_get(c->config, "Shell");
    json_t *list =
        json_array_size(shell) ? json_deep_copy(shell) : json_pack("[s, s]", "/bin/sh", "-c");

    json_push(list, json_string(c->text));
    return list;
}

int change_exec_form(const struct change *c, bool shell, json_t **ret, struct err *err)
{
    struct err unused = {0};
    json_t *list = *c->text == '[' ? json_parse(c->text, strlen(c->text), "list", &unused) : NULL;
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item) if (!json_is_string(item))
    {
        json_decref(list);
        return err_set(err, EINVAL,
                       "when using JSON array syntax, arrays must be comprised of strings only");
    }
    *ret = list || !shell ? list : with_shell(c);
    return 0;
}

static int apply_cmd(const struct change *c, struct err *err)
{
    json_t *list;
    int r = change_exec_form(c, true, &list, err);

    if (r < 0)
        return r;
    json_put(c->config, "Cmd", list);
    c->state->cmd_set = true;
    return 0;
}

/* The arguments that came from below were meant for another program. */
static int apply_entrypoint(const struct change *c, struct err *err)
{
    json_t *list;
    int r = change_exec_form(c, true, &list, err);

    if (r < 0)
        return r;
    json_put(c->config, "Entrypoint", list);
    if (!c->state->cmd_set)
        json_object_del(c->config, "Cmd");
    return 0;
}

static int apply_shell(const struct change *c, struct err *err)
{
    json_t *list;
    int r = change_exec_form(c, false, &list, err);

    if (r < 0)
        return r;
    if (!json_array_size(list)) {
        json_decref(list);
        return err_set(err, EINVAL, "SHELL requires the arguments to be in JSON form");
    }
    json_put(c->config, "Shell", list);
    return 0;
}

/* --- ENV, LABEL ------------------------------------------------------------------------------- */

static json_t *member(json_t *config, const char *name, json_t *(*make)(void))
{
    if (!json_object_get(config, name) || json_is_null(json_object_get(config, name)))
        json_put(config, name, make());
    return json_object_get(config, name);
}

/* In its old place, so that variables keep their order. */
static void set_env(json_t *env, const char *name, const char *value)
{
    cleanup_free char *pair = str_format("%s=%s", name, value);
    size_t i, n = strlen(name);
    json_t *item;

    json_array_foreach(env, i, item)
    {
        const char *old = json_string_value(item);

        if (old && !strncmp(old, name, n) && old[n] == '=') {
            json_array_set_new(env, i, json_string(pair));
            return;
        }
    }
    json_push(env, json_string(pair));
}

static void set_pair(const struct change *c, const char *name, const char *value)
{
    if (!strcmp(c->instruction, "ENV"))
        set_env(member(c->config, "Env", json_array), name, value);
    else
        json_put_str(member(c->config, "Labels", json_object), name, value);
}

/* Values of one instruction are those from before it: ENV a=1 b=$a takes the old a. So the pairs
 * are expanded first and set afterwards. */
static int expand_pair(const struct change *c, const char *name, const char *value,
                       struct strv *pairs, struct err *err)
{
    char *expanded = NULL;

    if (!*name)
        return err_set(err, EINVAL, "%s names can not be blank", c->instruction);
    if (word_expand(&c->rules, name, &expanded, err) < 0)
        return -err->code;
    strv_take(pairs, expanded);
    if (word_expand(&c->rules, value, &expanded, err) < 0)
        return -err->code;
    strv_take(pairs, expanded);
    return 0;
}

/* "name=value ...", or the old form "name the rest of the line". */
static int expand_pairs(const struct change *c, struct strv *pairs, struct err *err)
{
    cleanup_strv struct strv words = {0};

    words_split(c->text, c->rules.escape, &words);
    if (!words.len)
        return change_needs(c, "at least one argument", err);
    if (!strchr(words.items[0], '=')) {
        const char *rest = c->text + strlen(words.items[0]);

        if (words.len < 2)
            return err_set(err, EINVAL, "%s must have two arguments", c->instruction);
        return expand_pair(c, words.items[0], rest + strspn(rest, " \t"), pairs, err);
    }
    for (size_t i = 0; i < words.len; i++) {
        char *equals = strchr(words.items[i], '=');

        if (!equals)
            return err_set(err, EINVAL,
                           "Syntax error - can't find = in \"%s\". Must be of the form: name=value",
                           words.items[i]);
        *equals = 0;
        if (expand_pair(c, words.items[i], equals + 1, pairs, err) < 0)
            return -err->code;
    }
    return 0;
}

static int apply_pairs(const struct change *c, struct err *err)
{
    cleanup_strv struct strv pairs = {0};
    int r = expand_pairs(c, &pairs, err);

    for (size_t i = 0; i + 1 < pairs.len && r >= 0; i += 2)
        set_pair(c, pairs.items[i], pairs.items[i + 1]);
    return r;
}

/* --- EXPOSE, VOLUME --------------------------------------------------------------------------- */

static int bad_port(const char *text, struct err *err)
{
    return err_set(err, EINVAL, "invalid containerPort: %s", text);
}

/* "80", "80-82/udp", "[[ip:]host:]80/TCP": only the container's side counts. */
static int add_ports(json_t *ports, const char *text, struct err *err)
{
    const char *colon = strrchr(text, ':');
    cleanup_free char *range = str_copy(colon ? colon + 1 : text);
    char *protocol = strchr(range, '/'), *dash;
    unsigned long long first, last;

    if (protocol)
        *protocol++ = 0;
    for (char *p = protocol; p && *p; p++)
        *p = (char)tolower((unsigned char)*p);
    if (protocol && strcmp(protocol, "tcp") && strcmp(protocol, "udp") && strcmp(protocol, "sctp"))
        return err_set(err, EINVAL, "invalid proto: %s", protocol);
    dash = strchr(range, '-');
    if (dash)
        *dash = 0;
    if (str_to_u64(range, &first) < 0 || str_to_u64(dash ? dash + 1 : range, &last) < 0 ||
        last > 65535 || first > last)
        return bad_port(text, err);
    for (; first <= last; first++) {
        cleanup_free char *name = str_format("%llu/%s", first, protocol ? protocol : "tcp");

        json_put(ports, name, json_object());
    }
    return 0;
}

static int apply_expose(const struct change *c, struct err *err)
{
    cleanup_strv struct strv words = {0};
    json_t *ports = member(c->config, "ExposedPorts", json_object);
    int r = 0;

    words_split(c->text, c->rules.escape, &words);
    for (size_t i = 0; i < words.len && r >= 0; i++) {
        cleanup_free char *expanded = NULL;
        cleanup_strv struct strv several = {0};

        r = word_expand(&c->rules, words.items[i], &expanded, err);
        if (r >= 0) /* a variable may hold more than one */
            words_split(expanded, c->rules.escape, &several);
        for (size_t k = 0; k < several.len && r >= 0; k++)
            r = add_ports(ports, several.items[k], err);
    }
    return r;
}

static int apply_volume(const struct change *c, struct err *err)
{
    cleanup_strv struct strv words = {0};
    json_t *volumes, *list;
    int r = change_exec_form(c, false, &list, err);

    if (r < 0)
        return r;
    if (list)
        json_strings(list, &words);
    else
        words_split(c->text, c->rules.escape, &words);
    json_decref(list);
    if (!words.len)
        return change_needs(c, "at least one argument", err);
    volumes = member(c->config, "Volumes", json_object);
    for (size_t i = 0; i < words.len; i++) {
        cleanup_free char *path = NULL;

        if (word_expand(&c->rules, words.items[i], &path, err) < 0)
            return -err->code;
        if (!*path)
            return err_set(err, EINVAL, "VOLUME specified can not be an empty string");
        json_put(volumes, path, json_object());
    }
    return 0;
}

/* --- USER, WORKDIR, STOPSIGNAL, ONBUILD ------------------------------------------------------- */

static int apply_user(const struct change *c, struct err *err)
{
    char *user = NULL;

    if (word_expand(&c->rules, c->text, &user, err) < 0)
        return -err->code;
    json_put_str(c->config, "User", user);
    free(user);
    return 0;
}

static int apply_stop_signal(const struct change *c, struct err *err)
{
    cleanup_free char *name = NULL;

    if (word_expand(&c->rules, c->text, &name, err) < 0)
        return -err->code;
    if (proc_signal_number(name) < 0)
        return err_set(err, EINVAL, "invalid signal: %s", name);
    json_put_str(c->config, "StopSignal", name);
    return 0;
}

/* Go's filepath.Clean of an absolute path: "." and "//" go, ".." takes its parent along. */
static char *clean_path(const char *path)
{
    struct buf out = {0};

    for (const char *p = path; *p;) {
        size_t n = strcspn(p, "/");

        if (n == 2 && !strncmp(p, "..", 2)) {
            while (out.len && out.data[--out.len] != '/')
                ;
        } else if (n && !(n == 1 && *p == '.')) {
            buf_add_char(&out, '/');
            buf_add(&out, p, n);
        }
        p += n + (p[n] == '/');
    }
    if (!out.len)
        buf_add_char(&out, '/');
    out.data[out.len] = 0;
    return buf_steal(&out);
}

/* A relative one continues the one before. */
static int apply_workdir(const struct change *c, struct err *err)
{
    cleanup_free char *given = NULL, *whole = NULL, *clean = NULL;

    if (word_expand(&c->rules, c->text, &given, err) < 0)
        return -err->code;
    whole = *given == '/' ? str_copy(given)
                          : str_format("%s/%s", json_str(c->config, "WorkingDir", ""), given);
    clean = clean_path(whole);
    json_put_str(c->config, "WorkingDir", clean);
    return 0;
}

/* Kept as it is, for the build that begins with this image. */
static int apply_onbuild(const struct change *c, struct err *err)
{
    static const char *const refused[] = {"FROM", "MAINTAINER"};
    size_t n = strcspn(c->text, " \t");

    if (n == strlen("ONBUILD") && !strncasecmp(c->text, "ONBUILD", n))
        return err_set(err, EINVAL, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (n == strlen(refused[i]) && !strncasecmp(c->text, refused[i], n))
            return err_set(err, EINVAL, "%s isn't allowed as an ONBUILD trigger", refused[i]);
    json_push(member(c->config, "OnBuild", json_array), json_string(c->text));
    return 0;
}

/* --- the table -------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int (*apply)(const struct change *c, struct err *err);
    const char *needs; /* docker's words for no argument at all */
    bool by_change;    /* commit and import take it */
} instructions[] = {
    {"CMD", apply_cmd, "at least one argument", true},
    {"ENTRYPOINT", apply_entrypoint, "at least one argument", true},
    {"ENV", apply_pairs, "at least one argument", true},
    {"EXPOSE", apply_expose, "at least one argument", true},
    {"HEALTHCHECK", change_health, "at least one argument", true},
    {"LABEL", apply_pairs, "at least one argument", true},
    {"ONBUILD", apply_onbuild, "at least one argument", true},
    {"SHELL", apply_shell, "at least one argument", false},
    {"STOPSIGNAL", apply_stop_signal, "exactly one argument", true},
    {"USER", apply_user, "exactly one argument", true},
    {"VOLUME", apply_volume, "at least one argument", true},
    {"WORKDIR", apply_workdir, "exactly one argument", true},
};

static ssize_t find(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof instructions / sizeof *instructions; i++)
        if (strlen(instructions[i].name) == n && !strncasecmp(name, instructions[i].name, n))
            return (ssize_t)i;
    return -1;
}

static char *trimmed(const char *text)
{
    size_t n;

    text += strspn(text, " \t\r\n");
    n = strlen(text);
    while (n && strchr(" \t\r\n", text[n - 1]))
        n--;
    return str_copy_n(text, n);
}

int change_apply(json_t *config, const char *instruction, const char *text,
                 struct change_state *state, struct err *err)
{
    ssize_t i = find(instruction, strlen(instruction));
    cleanup_free char *rest = trimmed(text);
    char escape = state->escape ? state->escape : '\\';
    struct change c = {.text = rest,
                       .config = config,
                       .state = state,
                       .rules = {.env = state->env ? state->env : json_object_get(config, "Env"),
                                 .escape = escape}};

    if (i < 0)
        return -ENOENT;
    c.instruction = instructions[i].name;
    if (!*rest)
        return change_needs(&c, instructions[i].needs, err);
    return instructions[i].apply(&c, err);
}

/* --- --change --------------------------------------------------------------------------------- */

/* The next line of *text with its continuations, comments and empty lines left out; NULL at the
 * end. */
static char *next_line(const char **text)
{
    struct buf line = {0};

    while (**text) {
        size_t n = strcspn(*text, "\n");
        const char *start = *text;
        bool skipped = start[strspn(start, " \t\r\n")] == 0 || start[strspn(start, " \t")] == '#' ||
                       strspn(start, " \t\r") == n;

        *text += n + (start[n] == '\n');
        if (skipped)
            continue;
        while (n && (start[n - 1] == '\r' || start[n - 1] == ' '))
            n--;
        if (start[n - 1] != '\\') {
            buf_add(&line, start, n);
            return buf_steal(&line);
        }
        buf_add(&line, start, n - 1);
    }
    if (line.len)
        return buf_steal(&line);
    buf_free(&line);
    return NULL;
}

/* Docker shows the word as its parser knows it, in lower case. */
static int not_a_change(const char *word, size_t n, struct err *err)
{
    cleanup_free char *lower = str_copy_n(word, n);

    for (char *p = lower; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return err_set(err, EINVAL, "%s is not a valid change command", lower);
}

static int apply_line(json_t *config, const char *line, struct change_state *state, struct err *err)
{
    const char *word = line + strspn(line, " \t");
    size_t n = strcspn(word, " \t");
    ssize_t i = find(word, n);

    if (i < 0 || !instructions[i].by_change)
        return not_a_change(word, n, err);
    return change_apply(config, instructions[i].name, word + n, state, err);
}

int changes_apply(json_t *config, const struct strv *changes, struct err *err)
{
    struct change_state state = {0};

    for (size_t i = 0; i < changes->len; i++) {
        const char *text = changes->items[i];
        bool any = false;
        char *line;

        while ((line = next_line(&text))) {
            int r = apply_line(config, line, &state, err);

            free(line);
            any = true;
            if (r < 0)
                return r;
        }
        if (!any)
            return err_set(err, EINVAL, "file with no instructions");
    }
    return 0;
}
