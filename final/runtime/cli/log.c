#include "runtime/cli/log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "runtime/cli/cli.h"

static struct {
    int fd; /* 0: stderr */
    bool json, debug;
} state;

int log_open(const char *path, const char *format, bool debug, struct err *err)
{
    state.debug = debug;
    if (strcmp(format, "text") && strcmp(format, "json"))
        return err_set(err, EINVAL, "invalid log-format: %s", format);
    state.json = !strcmp(format, "json");
    if (!path || !*path)
        return 0;
    state.fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (state.fd < 0) {
        state.fd = 0;
        return err_errno(err, "cannot open the log '%s'", path);
    }
    return 0;
}

/* RFC 3339 to the second, as logrus writes it. */
static void format_now(char ret[32])
{
    time_t now = time(NULL);
    struct tm utc;

    strftime(ret, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
}

static void add_json(struct buf *line, const char *level, const char *text, const char *when)
{
    cleanup_json json_t *entry = json_object();
    cleanup_free char *encoded = NULL;
    json_t *message = json_string(text);

    json_put_str(entry, "level", level);
    json_put(entry, "msg", message ? message : json_string("(the message is not UTF-8)"));
    json_put_str(entry, "time", when);
    encoded = json_text(entry, JSON_COMPACT);
    buf_printf(line, "%s\n", encoded);
}

/* Go's %q for what occurs in messages. */
static void add_quoted(struct buf *line, const char *text)
{
    buf_add_char(line, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_printf(line, "\\%c", *text);
        else if (*text == '\n')
            buf_add_str(line, "\\n");
        else if ((unsigned char)*text < 0x20)
            buf_printf(line, "\\x%02x", (unsigned char)*text);
        else
            buf_add_char(line, *text);
    }
    buf_add_char(line, '"');
}

static void add_text(struct buf *line, const char *level, const char *text, const char *when)
{
    buf_printf(line, "time=\"%s\" level=%s msg=", when, level);
    add_quoted(line, text);
    buf_add_char(line, '\n');
}

static void write_line(int fd, const struct buf *line)
{
    if (file_write(fd, line->data, line->len) < 0)
        errno = 0; /* nobody is left to tell */
}

/* One write(2) a line: several processes may append to one file. */
static void say(const char *level, const char *format, va_list arguments)
{
    cleanup_buf struct buf text = {0}, line = {0}, plain = {0};
    char when[32], message[2 * ERR_MESSAGE_MAX];
    bool person = !state.fd && !state.json && isatty(STDERR_FILENO);

    vsnprintf(message, sizeof message, format, arguments);
    format_now(when);
    buf_printf(&plain, "%s\n", message);
    if (person)
        buf_printf(&line, PROGRAM ": %s\n", message);
    else if (state.json)
        add_json(&line, level, message, when);
    else
        add_text(&line, level, message, when);
    write_line(state.fd ? state.fd : STDERR_FILENO, &line);
    if (state.fd && !strcmp(level, "error"))
        write_line(STDERR_FILENO, &plain);
}

void log_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say("error", format, arguments);
    va_end(arguments);
}

void log_warning(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say("warning", format, arguments);
    va_end(arguments);
}

void log_warn(void *unused, const char *message)
{
    (void)unused;
    log_warning("%s", message);
}

void log_debug(const char *format, ...)
{
    va_list arguments;

    if (!state.debug)
        return;
    va_start(arguments, format);
    say("debug", format, arguments);
    va_end(arguments);
}
