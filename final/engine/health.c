/* health.c - what a health check may be told, what it is to run, and what came of it. The checks
 * themselves are the shim's: shim/health.c. */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/internal.h"
#include "engine/shim/health.h"

int health_check(const json_t *config, struct err *err)
{
    static const char *const times[] = {"Interval", "Timeout", "StartPeriod", "StartInterval"};
    const json_t *check = json_object_get(config, "Healthcheck");

    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        long long ns = json_int(check, times[i], 0);

        if (ns && ns < 1000000)
            return err_set(err, EINVAL, "%s in Healthcheck cannot be less than 1ms", times[i]);
    }
    if (json_int(check, "Retries", 0) < 0)
        return err_set(err, EINVAL, "Retries in Healthcheck cannot be negative");
    return 0;
}

/* Test is ["NONE"], ["CMD", "program", ...] or ["CMD-SHELL", "a line for a shell"]; the shell is
 * the image's. Nothing: none is run. */
static void command_of(const json_t *config, struct strv *ret)
{
    cleanup_strv struct strv test = {0};

    json_strings(json_at(config, "Healthcheck.Test"), &test);
    if (test.len < 2)
        return;
    if (!strcmp(test.items[0], "CMD-SHELL")) {
        json_strings(json_object_get(config, "Shell"), ret);
        if (!ret->len) {
            strv_add(ret, "/bin/sh");
            strv_add(ret, "-c");
        }
    } else if (strcmp(test.items[0], "CMD")) {
        return;
    }
    for (size_t i = 1; i < test.len; i++)
        strv_add(ret, test.items[i]);
}

bool health_is_checked(const json_t *config)
{
    cleanup_strv struct strv command = {0};

    command_of(config, &command);
    return command.len > 0;
}

/* docker's defaults; times in milliseconds, because a timer has no more use for them. */
json_t *health_document(const json_t *config)
{
    static const struct {
        const char *member, *docker;
        long long otherwise;
    } times[] = {{"interval", "Interval", 30000},
                 {"timeout", "Timeout", 30000},
                 {"start_period", "StartPeriod", 0},
                 {"start_interval", "StartInterval", 5000}};
    const json_t *check = json_object_get(config, "Healthcheck");
    cleanup_strv struct strv command = {0};
    long long retries = json_int(check, "Retries", 0);
    json_t *document;

    command_of(config, &command);
    if (!command.len)
        return NULL;
    document = json_object();
    json_put(document, "command", json_from_strings(&command));
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        long long ms = json_int(check, times[i].docker, 0) / 1000000;

        json_put(document, times[i].member, json_integer(ms > 0 ? ms : times[i].otherwise));
    }
    json_put(document, "retries", json_integer(retries > 0 ? retries : 3));
    return document;
}

json_t *engine_health(struct engine *e, const struct container *c)
{
    cleanup_free char *path = NULL;
    struct err ignored = {0};
    json_t *found;

    if (!c->started_ns || !health_is_checked(json_object_get(c->config, "Config")))
        return NULL;
    path = str_format("containers/%s/" HEALTH_FILE, c->id);
    found = json_load(e->store->root_fd, path, HEALTH_FILE_MAX, &ignored);
    if (!found)
        return NULL;
    if (!container_running(c)) /* docker's rule: who is not looked at is not healthy */
        json_put_str(found, "Status", "unhealthy");
    return found;
}

void engine_health_status(struct engine *e, const struct container *c, char ret[16])
{
    cleanup_json json_t *health = engine_health(e, c);

    snprintf(ret, 16, "%s", json_str(health, "Status", "none"));
}
