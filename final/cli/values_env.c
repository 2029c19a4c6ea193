/* Environment variables, labels and key sequences: values that are lists of assignments. */
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/values.h"

#define ENV_FILE_MAX (4u << 20)

void value_add_env(struct strv *env, const char *assignment)
{
    const char *value = strchr(assignment, '=') ? NULL : getenv(assignment);

    strv_take(env, value ? str_format("%s=%s", assignment, value) : str_copy(assignment));
}

static bool valid_utf8(const char *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)s[i++];
        int more = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 : c >= 0xe0 && c < 0xf0 ? 2 : 3;

        if (c >= 0xf5 || (c >= 0x80 && c < 0xc2))
            return false;
        for (; more > 0; more--, i++)
            if (i >= len || ((unsigned char)s[i] & 0xc0) != 0x80)
                return false;
    }
    return true;
}

/* One line of an env file: blanks before it are dropped, '#' begins a comment, K alone asks our
 * environment. */
static int add_line(const char *line, const char *what, const char *path, struct strv *env,
                    struct err *err)
{
    size_t name;

    while (isspace((unsigned char)*line))
        line++;
    if (!*line || *line == '#')
        return 0;
    name = strcspn(line, "=");
    if (name == 0)
        return err_set(err, EINVAL, "invalid %s file (%s): no variable name on line '%s'", what,
                       path, line);
    if (memchr(line, ' ', name) || memchr(line, '\t', name))
        return err_set(err, EINVAL, "invalid %s file (%s): variable '%.*s' contains whitespaces",
                       what, path, (int)name, line);
    if (strcmp(what, "env"))
        strv_add(env, line);
    else if (line[name] || getenv(line)) /* otherwise docker leaves out the line */
        value_add_env(env, line);
    return 0;
}

static int load_text(const char *path, struct buf *text, struct err *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_set(err, errno, "open %s: %s", path,
                       errno == ENOENT ? "no such file or directory" : strerror(errno));
    return file_load_fd(fd, ENV_FILE_MAX, text, err) < 0 ? err_wrap(err, "%s", path) : 0;
}

/* Editors on other systems begin a file with U+FEFF; it is no part of a name. */
static char *skip_bom(char *text)
{
    return text && str_starts(text, "\xef\xbb\xbf") ? text + 3 : text;
}

int value_load_env_file(const char *path, const char *what, struct strv *env, struct err *err)
{
    cleanup_buf struct buf text = {0};
    int number = 1;

    if (load_text(path, &text, err) < 0)
        return -err->code;
    for (char *line = skip_bom(text.data), *end; line && line < text.data + text.len;
         line = end + 1, number++) {
        end = memchr(line, '\n', (size_t)(text.data + text.len - line));
        if (!end)
            end = text.data + text.len;
        if (memchr(line, 0, (size_t)(end - line)) || !valid_utf8(line, (size_t)(end - line)))
            return err_set(err, EINVAL,
                           "invalid %s file (%s): NUL or invalid utf8 bytes at line %d", what, path,
                           number);
        *end = 0;
        if (end > line && end[-1] == '\r')
            end[-1] = 0;
        if (add_line(line, what, path, env, err) < 0)
            return -err->code;
    }
    return 0;
}

void value_add_pair(json_t *object, const char *pair)
{
    size_t n = strcspn(pair, "=");
    cleanup_free char *name = str_copy_n(pair, n);

    if (json_object_set_new(object, name, json_string(pair[n] ? pair + n + 1 : "")) < 0)
        abort();
}

int value_check_stream(const char *value, struct err *err)
{
    static const char *const streams[] = {"stdin", "stdout", "stderr"};

    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
        if (!strcasecmp(value, streams[i]))
            return 0;
    return err_set(err, EINVAL, "valid streams are STDIN, STDOUT and STDERR");
}

int value_check_filter(const char *value, struct err *err)
{
    return strchr(value, '=') ? 0
                              : err_set(err, EINVAL, "bad format of filter (expected name=value)");
}

/* "ctrl-X" for a letter or one of @[\]^_, or a single character. */
static int parse_key(const char *key, char *ret)
{
    static const char others[] = "@[\\]^_";

    if (strlen(key) == 1) {
        *ret = *key;
        return 0;
    }
    if (!str_starts(key, "ctrl-") || strlen(key) != 6)
        return -EINVAL;
    if (key[5] >= 'a' && key[5] <= 'z')
        *ret = (char)(key[5] - 'a' + 1);
    else if (strchr(others, key[5]))
        *ret = (char)(key[5] - '@');
    else
        return -EINVAL;
    return 0;
}

int value_parse_keys(const char *value, char *ret, size_t room, size_t *ret_len, struct err *err)
{
    cleanup_strv struct strv keys = {0};

    strv_split(&keys, value, ',');
    if (keys.len > room)
        return err_set(err, EINVAL, "invalid detach keys (%s): more than %zu keys", value, room);
    for (size_t i = 0; i < keys.len; i++)
        if (parse_key(keys.items[i], &ret[i]) < 0)
            return err_set(err, EINVAL, "invalid detach keys (%s): Unknown character: '%s'", value,
                           keys.items[i]);
    *ret_len = keys.len;
    return 0;
}
