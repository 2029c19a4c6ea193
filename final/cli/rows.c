/* Cells that need more than a member of the record: ages, states, commands, labels. */
#include "cli/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/human.h"

#define SECOND 1000000000LL

const char *rows_state(const struct container *c)
{
    if (!strcmp(c->state, "creating") || !strcmp(c->state, "starting"))
        return "created";
    return c->state;
}

char *rows_status(const struct container *c, int64_t now_ns)
{
    const char *state = rows_state(c);
    char span[HUMAN_MAX];

    if (!strcmp(state, "running") || !strcmp(state, "paused")) {
        human_duration(now_ns - c->started_ns, span);
        return str_format("Up %s%s", span, strcmp(state, "paused") ? "" : " (Paused)");
    }
    if (!strcmp(state, "restarting") || !strcmp(state, "exited")) {
        human_duration(now_ns - c->finished_ns, span);
        return str_format("%s (%d) %s ago", strcmp(state, "exited") ? "Restarting" : "Exited",
                          c->exit_code, span);
    }
    if (!strcmp(state, "dead"))
        return str_copy("Dead");
    return str_copy(!strcmp(state, "removing") ? "Removal In Progress" : "Created");
}

char *rows_status_health(const struct container *c, const char *health, int64_t now_ns)
{
    cleanup_free char *status = rows_status(c, now_ns);

    if (strcmp(rows_state(c), "running") || !strcmp(health, "none"))
        return str_copy(status);
    return str_format("%s (%s%s)", status, strcmp(health, "starting") ? "" : "health: ", health);
}

bool rows_running(const struct container *c)
{
    return !strcmp(c->state, "running") || !strcmp(c->state, "paused") ||
           !strcmp(c->state, "restarting");
}

char *rows_command(const struct container *c)
{
    struct buf line = {0};
    json_t *argument;
    size_t i;

    buf_add_str(&line, json_str(c->config, "Path", ""));
    json_array_foreach(json_object_get(c->config, "Args"), i, argument)
    {
        const char *text = json_string_value(argument);

        if (text)
            buf_printf(&line, strchr(text, ' ') ? " '%s'" : " %s", text);
    }
    return buf_steal(&line);
}

void rows_time(int64_t ns, char ret[64])
{
    time_t seconds = (time_t)(ns / SECOND);
    struct tm local;

    localtime_r(&seconds, &local);
    if (!strftime(ret, 64, "%Y-%m-%d %H:%M:%S %z %Z", &local))
        ret[0] = 0;
}

void rows_time_exact(int64_t ns, char ret[64])
{
    time_t seconds = (time_t)(ns / SECOND);
    char whole[32], fraction[16];
    struct tm utc;

    gmtime_r(&seconds, &utc);
    if (!strftime(whole, sizeof whole, "%Y-%m-%d %H:%M:%S", &utc))
        whole[0] = 0;
    for (int n = snprintf(fraction, sizeof fraction, ".%09lld", (long long)(ns % SECOND));
         n > 0 && strchr("0.", fraction[n - 1]); n--)
        fraction[n - 1] = 0;
    snprintf(ret, 64, "%s%s +0000 UTC", whole, fraction);
}

void rows_ago(int64_t ns, int64_t now_ns, char ret[64])
{
    char span[HUMAN_MAX];

    if (!ns) {
        snprintf(ret, 64, "N/A");
        return;
    }
    human_duration(now_ns - ns, span);
    snprintf(ret, 64, "%s ago", span);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *rows_labels(const json_t *labels)
{
    cleanup_strv struct strv pairs = {0};
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)labels, name, value) strv_take(
        &pairs, str_format("%s=%s", name, json_is_string(value) ? json_string_value(value) : ""));
    if (pairs.len)
        qsort(pairs.items, pairs.len, sizeof *pairs.items, by_name);
    return strv_join(&pairs, ",");
}

char *rows_short_id(const char *id)
{
    if (str_starts(id, "sha256:"))
        id += 7;
    return str_copy_n(id, strnlen(id, 12));
}

/* What only a swarm has, or `system df` counts, is not available here. */
json_t *rows_volume(struct engine *e, const struct volume *v)
{
    static const char *const absent[] = {"Availability", "Group", "Links", "Size", "Status"};
    cleanup_free char *labels = rows_labels(v->labels), *path = NULL;
    json_t *row = json_object();

    path = engine_volume_path(e, v->name);
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        json_put_str(row, absent[i], "N/A");
    json_put_str(row, "Name", v->name);
    json_put_str(row, "Driver", "local");
    json_put_str(row, "Scope", "local");
    json_put_str(row, "Mountpoint", path);
    json_put_str(row, "Labels", labels);
    json_put(row, "Label", json_incref(v->labels));
    return row;
}
