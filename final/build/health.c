/* HEALTHCHECK [--interval=30s ...] CMD ... | NONE */
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "build/internal.h"

#define MILLISECOND 1000000LL

static const struct {
    const char *flag, *member; /* --flag=DURATION; docker's name of the member */
} durations[] = {
    {"interval", "Interval"},
    {"timeout", "Timeout"},
    {"start-period", "StartPeriod"},
    {"start-interval", "StartInterval"},
};

/* 0 stands for the default of whoever runs the check, and is not written down. */
static int set_duration(json_t *check, size_t i, const char *value, struct err *err)
{
    int64_t ns;
    int r = clock_parse_duration(value, &ns, err);

    if (r < 0)
        return r;
    if (ns && ns < MILLISECOND)
        return err_set(err, EINVAL, "Interval \"%s\" cannot be less than 1ms", durations[i].flag);
    if (ns)
        json_put(check, durations[i].member, json_integer(ns));
    return 0;
}

static int set_retries(json_t *check, const char *value, struct err *err)
{
    long long retries;

    if (str_to_i64(value, &retries) < 0)
        return err_set(err, EINVAL, "--retries: '%s' is not a number", value);
    if (retries < 0)
        return err_set(err, EINVAL, "--retries cannot be negative (%lld)", retries);
    if (retries)
        json_put(check, "Retries", json_integer(retries));
    return 0;
}

/* "--interval=5s", without the dashes. */
static int apply_flag(json_t *check, const char *flag, struct err *err)
{
    size_t n = strcspn(flag, "=");
    const char *value = flag + n + 1;

    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++)
        if (strlen(durations[i].flag) == n && !strncmp(flag, durations[i].flag, n))
            return flag[n] ? set_duration(check, i, value, err)
                           : err_set(err, EINVAL, "Missing a value on flag: %s", flag);
    if (n == strlen("retries") && !strncmp(flag, "retries", n))
        return flag[n] ? set_retries(check, value, err)
                       : err_set(err, EINVAL, "Missing a value on flag: %s", flag);
    return err_set(err, EINVAL, "Unknown flag: %.*s", (int)n, flag);
}

/* Takes the flags off the text; returns what follows them, or NULL. */
static const char *take_flags(json_t *check, const char *text, struct err *err)
{
    while (!strncmp(text, "--", 2)) {
        size_t n = strcspn(text, " \t");
        cleanup_free char *flag = str_copy_n(text + 2, n - 2);

        if (apply_flag(check, flag, err) < 0)
            return NULL;
        text += n;
        text += strspn(text, " \t");
    }
    return text;
}

static int set_command(const struct change *c, json_t *check, const char *text, struct err *err)
{
    struct change command = *c;
    json_t *list, *test;

    command.text = text;
    if (!*text)
        return err_set(err, EINVAL, "Missing command after HEALTHCHECK CMD");
    if (change_exec_form(&command, false, &list, err) < 0)
        return -err->code;
    test = json_pack("[s]", list ? "CMD" : "CMD-SHELL");
    if (list)
        json_array_extend(test, list);
    else
        json_push(test, json_string(text));
    json_decref(list);
    json_put(check, "Test", test);
    return 0;
}

/* The members as docker writes them, or the same image would have another digest there. */
static json_t *in_order(const json_t *check)
{
    static const char *const members[] = {"Test",        "Interval",      "Timeout",
                                          "StartPeriod", "StartInterval", "Retries"};
    json_t *ordered = json_object();

    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (json_object_get(check, members[i]))
            json_object_set(ordered, members[i], json_object_get(check, members[i]));
    return ordered;
}

int change_health(const struct change *c, struct err *err)
{
    cleanup_json json_t *check = json_object();
    const char *type = take_flags(check, c->text, err), *rest;
    size_t n = type ? strcspn(type, " \t") : 0;
    int r;

    if (!type)
        return -err->code;
    rest = type + n + strspn(type + n, " \t");
    if (n == strlen("NONE") && !strncasecmp(type, "NONE", n)) {
        r = *rest ? err_set(err, EINVAL, "HEALTHCHECK NONE takes no arguments") : 0;
        json_object_clear(check);
        json_put(check, "Test", json_pack("[s]", "NONE"));
    } else if (n == strlen("CMD") && !strncasecmp(type, "CMD", n)) {
        r = set_command(c, check, rest, err);
    } else {
        r = err_set(err, EINVAL, "Unknown type \"%.*s\" in HEALTHCHECK (try CMD)", (int)n, type);
    }
    if (r >= 0)
        json_put(c->config, "Healthcheck", in_order(check));
    return r;
}
