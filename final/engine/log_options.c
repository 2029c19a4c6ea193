/* log_options.c - --log-driver and --log-opt: what docker accepts, with its words, and what it
 * means for the shim that writes.
 *
 * As docker does it, unknown options are an error of `create`, and values that make no sense one of
 * the start. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/proc.h"
#include "engine/internal.h"
#include "engine/log.h"

#define ROOM_DEFAULT 1000000 /* docker's max-buffer-size */

/* --- which there are -------------------------------------------------------------------------- */

static const struct driver {
    const char *name, *unknown;
    const char *options[16];
} drivers[] = {
    {"none", "", {NULL}},
    {"json-file",
     "unknown log opt '%s' for json-file log driver",
     {"max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag"}},
    {"local", "unknown log opt '%s' for log driver local", {"max-size", "max-file", "compress"}},
    {"journald",
     "unknown log opt '%s' for journald log driver",
     {"labels", "labels-regex", "env", "env-regex", "tag", "cache-disabled", "cache-max-size",
      "cache-max-file", "cache-compress"}},
};

static const struct driver *driver_of(const json_t *host)
{
    const char *name = log_driver(host);

    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
        if (!strcmp(drivers[i].name, name))
            return &drivers[i];
    return NULL;
}

const char *log_driver(const json_t *host)
{
    const char *name = json_str(host, "LogConfig.Type", "");

    return *name ? name : "json-file";
}

static const char *option(const json_t *host, const char *name)
{
    return json_string_value(json_object_get(json_at(host, "LogConfig.Config"), name));
}

/* --- values ----------------------------------------------------------------------------------- */

/* "10m", "1.5 GB", "512kib": with 1000 or 1024 for a k. */
static int parse_size(const char *text, double thousand, long long *ret)
{
    static const char units[] = "kmgtp";
    char *end;
    double value = strtod(text, &end);
    const char *unit;

    if (end == text || !isdigit((unsigned char)*text) || !isfinite(value))
        return -EINVAL;
    end += *end == ' ';
    unit = *end ? strchr(units, tolower((unsigned char)*end)) : NULL;
    if (unit) {
        for (const char *u = units; u <= unit; u++)
            value *= thousand;
        end++;
        end += tolower((unsigned char)*end) == 'i' && tolower((unsigned char)end[1]) == 'b';
    }
    end += tolower((unsigned char)*end) == 'b';
    if (*end || value >= 0x1p62)
        return -EINVAL;
    *ret = (long long)value;
    return 0;
}

static int size_option(const json_t *host, const char *name, long long *ret, struct err *err)
{
    const char *text = option(host, name);

    if (!text || !strcmp(text, "-1")) {
        if (text)
            *ret = 0;
        return 0;
    }
    return parse_size(text, 1000, ret) < 0 ? err_set(err, EINVAL, "invalid size: '%s'", text) : 0;
}

static int count_option(const json_t *host, const char *name, long long *ret, struct err *err)
{
    const char *text = option(host, name);

    if (!text)
        return 0;
    if (str_to_i64(text, ret) < 0)
        return err_set(err, EINVAL, "strconv.Atoi: parsing \"%s\": invalid syntax", text);
    return *ret < 1 ? err_set(err, EINVAL, "max-file cannot be less than 1") : 0;
}

static int flag_option(const json_t *host, const char *name, bool *ret, struct err *err)
{
    static const char *const words[2][6] = {{"0", "f", "F", "false", "FALSE", "False"},
                                            {"1", "t", "T", "true", "TRUE", "True"}};
    const char *text = option(host, name);

    for (size_t i = 0; text && i < 12; i++)
        if (!strcmp(text, words[i / 6][i % 6])) {
            *ret = i >= 6;
            return 0;
        }
    return text ? err_set(err, EINVAL, "strconv.ParseBool: parsing \"%s\": invalid syntax", text)
                : 0;
}

/* --- at create -------------------------------------------------------------------------------- */

static int check_mode(const json_t *host, struct err *err)
{
    const char *mode = option(host, "mode"), *room = option(host, "max-buffer-size");
    bool waits = !mode || !*mode || !strcmp(mode, "blocking");
    long long unused;

    if (!waits && strcmp(mode, "non-blocking"))
        return err_set(err, EINVAL, "logger: logging mode not supported: %s", mode);
    if (room && waits)
        return err_set(err, EINVAL,
                       "logger: max-buffer-size option is only supported with 'mode=non-blocking'");
    if (room && parse_size(room, 1024, &unused) < 0)
        return err_set(err, EINVAL, "error parsing option max-buffer-size: invalid size: '%s'",
                       room);
    return 0;
}

static int check_names(const struct driver *d, const json_t *options, struct err *err)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)options, name, value)
    {
        bool known = !strcmp(name, "mode") || !strcmp(name, "max-buffer-size");

        for (size_t i = 0; d->options[i]; i++)
            known |= !strcmp(name, d->options[i]);
        if (!known) {
            cleanup_free char *text = str_format(d->unknown, name);

            return err_set(err, EINVAL, "%s", text);
        }
    }
    return 0;
}

int log_check(const json_t *host, struct err *err)
{
    const struct driver *d = driver_of(host);
    const char *name = log_driver(host);

    if (!d)
        return err_set(err, ENOENT, "error looking up logging plugin %s: plugin \"%s\" not found",
                       name, name);
    if (!strcmp(name, "none"))
        return 0;
    if (check_mode(host, err) < 0)
        return -err->code;
    return check_names(d, json_at(host, "LogConfig.Config"), err);
}

/* --- at the start ----------------------------------------------------------------------------- */

struct files {
    long long size, count; /* size 0: no limit */
    bool compress;
};

static int read_files(const json_t *host, const char *prefix, struct files *f, struct err *err)
{
    cleanup_free char *size = str_format("%smax-size", prefix);
    cleanup_free char *count = str_format("%smax-file", prefix);
    cleanup_free char *compress = str_format("%scompress", prefix);

    if (size_option(host, size, &f->size, err) < 0 || count_option(host, count, &f->count, err) < 0)
        return -err->code;
    return flag_option(host, compress, &f->compress, err);
}

static int files_of(const json_t *host, struct files *ret, struct err *err)
{
    bool json = !strcmp(log_driver(host), "json-file");
    bool journal = !strcmp(log_driver(host), "journald");
    const char *asked = option(host, "compress");

    *ret = json ? (struct files){0, 1, false} : (struct files){20000000, 5, true};
    if (read_files(host, journal ? "cache-" : "", ret, err) < 0) {
        if (!json && option(host, "max-size") && strstr(err->message, "invalid size"))
            err_wrap(err, "invalid value for max-size: %s", option(host, "max-size"));
        return -err->code;
    }
    if (json && ret->compress && (ret->count < 2 || !ret->size))
        return err_set(err, EINVAL,
                       "compress cannot be true when max-file is less than 2 or max-size is not "
                       "set");
    if (!json && asked && ret->compress && ret->count == 1)
        return err_set(err, EINVAL, "compression cannot be enabled when max file count is 1");
    ret->compress &= ret->count > 1;
    return 0;
}

/* A fixed place of every systemd; tests have one of their own. */
static const char *journal_socket(void)
{
    const char *other = getenv("COOPER_JOURNAL_SOCKET");

    return other ? other : "/run/systemd/journal/socket";
}

int log_check_start(const json_t *host, struct err *err)
{
    struct files files;
    int r = 0;

    if (!strcmp(log_driver(host), "journald") && access(journal_socket(), W_OK) < 0)
        r = err_set(err, ENOENT, "journald is not enabled on this host");
    if (!r && strcmp(log_driver(host), "none"))
        r = files_of(host, &files, err);
    if (r < 0) {
        err_wrap(err, "failed to initialize logging driver");
        err->exit_status = 125;
    }
    return r;
}

/* --- what the shim is told -------------------------------------------------------------------- */

/* The words of docker's tag templates. */
static char *tag_word(const struct container *c, const char *name, size_t n)
{
    const char *image = str_starts(c->image_id, "sha256:") ? c->image_id + 7 : c->image_id;
    const char *path = json_str(c->config, "Path", "");
    const struct {
        const char *name, *value;
        size_t most;
    } words[] = {{".ID", c->id, 12},
                 {".FullID", c->id, 64},
                 {".Name", c->name, 4096},
                 {".ImageID", image, 12},
                 {".ImageFullID", c->image_id, 128},
                 {".ImageName", c->image_name, 4096},
                 {".Command", path, 4096},
                 {".DaemonName", "cooper", 64}};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].name) == n && !memcmp(words[i].name, name, n))
            return str_copy_n(words[i].value, strnlen(words[i].value, words[i].most));
    return str_copy("");
}

static char *expand_tag(const struct container *c, const char *template)
{
    struct buf out = {0};
    const char *open, *close;

    while ((open = strstr(template, "{{")) && (close = strstr(open, "}}"))) {
        size_t blank = strspn(open + 2, " "), n = strcspn(open + 2 + blank, " }");
        cleanup_free char *word = tag_word(c, open + 2 + blank, n);

        buf_add(&out, template, (size_t)(open - template));
        buf_add_str(&out, word);
        template = close + 2;
    }
    buf_add_str(&out, template);
    return buf_steal(&out);
}

static bool is_listed(const json_t *host, const char *list, const char *name)
{
    cleanup_strv struct strv names = {0};
    const char *given = option(host, list);

    strv_split(&names, given ? given : "", ',');
    return strv_contains(&names, name);
}

static bool matches(const json_t *host, const char *pattern, const char *name)
{
    const char *text = option(host, pattern);
    regex_t regex;
    bool found;

    if (!text || regcomp(&regex, text, REG_EXTENDED | REG_NOSUB))
        return false;
    found = !regexec(&regex, name, 0, NULL, 0);
    regfree(&regex);
    return found;
}

/* Labels and variables that go with each entry, and the tag where one was asked for. */
static json_t *attributes(const struct container *c, const json_t *host)
{
    json_t *attrs = json_object(), *value;
    const char *name;
    size_t i;

    json_object_foreach(json_at(c->config, "Config.Labels"), name, value)
    {
        if (is_listed(host, "labels", name) || matches(host, "labels-regex", name))
            json_object_set(attrs, name, value);
    }
    json_array_foreach(json_at(c->config, "Config.Env"), i, value)
    {
        const char *text = json_string_value(value), *equals = strchr(text, '=');
        cleanup_free char *variable = str_copy_n(text, equals ? (size_t)(equals - text) : 0);

        if (equals && (is_listed(host, "env", variable) || matches(host, "env-regex", variable)))
            json_put_str(attrs, variable, equals + 1);
    }
    if (option(host, "tag")) {
        cleanup_free char *tag = expand_tag(c, option(host, "tag"));

        json_put_str(attrs, "tag", tag);
    }
    return attrs;
}

/* The journal's names are of capitals, digits and '_', which is not the first. */
static char *field_name(const char *name)
{
    char *field = str_copy(name + strspn(name, "_"));

    for (char *p = field; *p; p++)
        *p = isalnum((unsigned char)*p) ? (char)toupper((unsigned char)*p) : '_';
    return field;
}

static json_t *journal_fields(const struct container *c, const json_t *host)
{
    json_t *fields = json_object(), *attrs = attributes(c, host), *value;
    cleanup_free char *tag = expand_tag(c, option(host, "tag") ? option(host, "tag") : "{{.ID}}");
    cleanup_free char *id = str_copy_n(c->id, 12);
    const char *name;

    json_object_foreach(attrs, name, value)
    {
        cleanup_free char *field = field_name(name);

        if (strcmp(name, "tag"))
            json_object_set(fields, field, value);
    }
    json_put_str(fields, "CONTAINER_ID", id);
    json_put_str(fields, "CONTAINER_ID_FULL", c->id);
    json_put_str(fields, "CONTAINER_NAME", c->name);
    json_put_str(fields, "CONTAINER_TAG", tag);
    json_put_str(fields, "IMAGE_NAME", c->image_name);
    json_put_str(fields, "SYSLOG_IDENTIFIER", tag);
    json_decref(attrs);
    return fields;
}

static bool is_default(const json_t *host)
{
    return !strcmp(log_driver(host), "json-file") &&
           !json_object_size(json_at(host, "LogConfig.Config"));
}

static void put_room(json_t *plan, const json_t *host)
{
    const char *mode = option(host, "mode"), *room = option(host, "max-buffer-size");
    long long bytes = ROOM_DEFAULT;

    if (!mode || strcmp(mode, "non-blocking"))
        return;
    if (room)
        parse_size(room, 1024, &bytes);
    json_put(plan, "room", json_integer(bytes));
}

static void put_files(json_t *plan, const json_t *host)
{
    struct files files;
    struct err ignored = {0}; /* the start says what is wrong */
    bool disabled = false;

    if (files_of(host, &files, &ignored) < 0)
        return;
    json_put(plan, "max_size", json_integer(files.size));
    json_put(plan, "max_files", json_integer(files.count));
    json_put(plan, "compress", json_boolean(files.compress));
    flag_option(host, "cache-disabled", &disabled, &ignored);
    if (disabled)
        json_put(plan, "no_file", json_true());
}

json_t *log_plan(const struct container *c)
{
    const json_t *host = json_object_get(c->config, "HostConfig");
    json_t *plan;

    if (is_default(host) || !strcmp(log_driver(host), "none"))
        return NULL;
    plan = json_object();
    put_files(plan, host);
    put_room(plan, host);
    if (!strcmp(log_driver(host), "journald")) {
        json_put(plan, "journal", journal_fields(c, host));
        json_put_str(plan, "socket", journal_socket());
    } else if (!strcmp(log_driver(host), "json-file")) {
        json_put(plan, "attrs", attributes(c, host));
    }
    return plan;
}

int log_arguments(const struct container *c, struct strv *argv, struct err *err)
{
    const json_t *host = json_object_get(c->config, "HostConfig");
    cleanup_json json_t *plan = log_plan(c);
    char *gzip;

    strv_add(argv, "--log");
    strv_add(argv, log_driver(host));
    if (!plan)
        return 0;
    strv_add(argv, "--log-plan");
    if (!json_flag(plan, "compress", false))
        return 0;
    gzip = proc_helper_path("cooper-gzip", err);
    if (!gzip)
        return -err->code;
    strv_add(argv, "--gzip");
    strv_take(argv, gzip);
    return 0;
}
