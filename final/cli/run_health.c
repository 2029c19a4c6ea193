/* --health-*: docker's Healthcheck of Config. What they are not given, the image may say. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/run_options.h"
#include "cli/values.h"

static const struct {
    const char *flag, *member;
} durations[] = {
    {"health-interval", "Interval"},
    {"health-timeout", "Timeout"},
    {"health-start-period", "StartPeriod"},
    {"health-start-interval", "StartInterval"},
};
#define DURATIONS (sizeof durations / sizeof *durations)

static bool any_given(const struct options *o)
{
    for (size_t i = 0; i < DURATIONS; i++)
        if (options_given(o, durations[i].flag))
            return true;
    return options_given(o, "health-cmd") || options_given(o, "health-retries");
}

static int put_durations(const struct options *o, json_t *check, struct err *err)
{
    for (size_t i = 0; i < DURATIONS; i++) {
        const char *value = options_one(o, durations[i].flag);
        struct err unused = {0}; /* the parser of options checked it */
        int64_t ns = 0;

        if (!value)
            continue;
        if (*value == '-')
            return err_set(err, EINVAL, "--%s cannot be negative", durations[i].flag);
        clock_parse_duration(value, &ns, &unused);
        if (ns) /* 0 says nothing: the image's, or the default */
            json_put(check, durations[i].member, json_integer(ns));
    }
    return 0;
}

static json_t *test_of(const char *first, const char *second)
{
    json_t *test = json_array();

    json_push(test, json_string(first));
    if (second)
        json_push(test, json_string(second));
    return test;
}

int run_health_build(const struct options *o, json_t *config, struct err *err)
{
    const char *command = options_one(o, "health-cmd");
    json_t *check = json_object();

    if (options_flag(o, "no-healthcheck")) {
        if (any_given(o)) {
            json_decref(check);
            return err_set(err, EINVAL, "--no-healthcheck conflicts with --health-* options");
        }
        json_put(check, "Test", test_of("NONE", NULL));
    }
    json_put(config, "Healthcheck", check);
    if (command && *command)
        json_put(check, "Test", test_of("CMD-SHELL", command));
    if (put_durations(o, check, err) < 0)
        return -err->code;
    if (options_number(o, "health-retries", 0) < 0)
        return err_set(err, EINVAL, "--health-retries cannot be negative");
    if (options_number(o, "health-retries", 0) > 0)
        json_put(check, "Retries", json_integer(options_number(o, "health-retries", 0)));
    if (!json_object_size(check))
        json_object_del(config, "Healthcheck");
    return 0;
}
