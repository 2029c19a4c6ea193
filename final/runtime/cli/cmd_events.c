/* events: what a container uses, once or again and again, and when it runs out of memory. One JSON
 * document a line, runc's. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/proc.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/container.h"
#include "runtime/cli/stats_json.h"

static const struct flag events_flags[] = {
    {0, "interval", FLAG_TEXT, "5s", "set the stats collection interval"},
    {0, "stats", FLAG_BOOL, NULL, "display the container's stats then exit"},
    FLAGS_END,
};

/* Go's durations as far as anybody uses them here: "5s", "500ms", "1m30s", "2h". */
static int parse_duration(const char *text, long long *ret_ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    double total = 0;

    if (!*text)
        return -EINVAL;
    while (*text) {
        size_t letters, i, count = sizeof units / sizeof *units;
        char *end;
        double number = strtod(text, &end);

        if (end == text || number < 0)
            return -EINVAL;
        letters = strspn(end, "abcdefghijklmnopqrstuvwxyz");
        for (i = 0; i < count; i++)
            if (strlen(units[i].name) == letters && !memcmp(units[i].name, end, letters))
                break;
        if (i == count)
            return -EINVAL;
        total += number * units[i].ns;
        text = end + letters;
    }
    *ret_ns = total > 9e18 ? (long long)9e18 : (long long)total;
    return 0;
}

/* A line at once: a reader sees whole ones, also through a pipe. */
static int print_event(const struct buf *line, struct err *err)
{
    if (fwrite(line->data, 1, line->len, stdout) < line->len || fflush(stdout) == EOF)
        return err_errno(err, "cannot write the event");
    return 0;
}

static int print_stats(const struct container *c, struct err *err)
{
    const struct runtime_cgroup_place place = state_cgroup(&c->state);
    cleanup_with(runtime_stats_free) struct runtime_stats stats = {0};
    cleanup_buf struct buf line = {0};

    if (runtime_cgroup_stats(&place, &stats, err) < 0)
        return -err->code;
    stats_json_event(c->state.id, &stats, &line);
    return print_event(&line, err);
}

static int print_oom(const struct container *c, struct err *err)
{
    cleanup_buf struct buf line = {0};

    buf_printf(&line, "{\"type\":\"oom\",\"id\":\"%s\"}\n", c->state.id);
    return print_event(&line, err);
}

/* Until the container's init is gone. */
static int follow(const struct container *c, int init, int timer, struct runtime_oom_watch *oom,
                  struct err *err)
{
    for (;;) {
        struct pollfd p[] = {{init, POLLIN, 0}, {timer, POLLIN, 0}, {oom->fd, POLLIN, 0}};
        unsigned long long ticks;
        int r;

        if (poll(p, 3, -1) < 0 && errno != EINTR)
            return err_errno(err, "cannot wait for events");
        while (p[2].revents && (r = runtime_oom_read(oom)) != 0) {
            if (r < 0)
                close_fd(&oom->fd);
            if (r < 0 || print_oom(c, err) < 0)
                break;
        }
        if (err->code)
            return -err->code;
        if (p[0].revents)
            return 0;
        if (p[1].revents && read(timer, &ticks, sizeof ticks) > 0 && print_stats(c, err) < 0)
            return proc_alive(&c->state.init) ? -err->code : 0;
    }
}

static int watch(const struct container *c, const char *interval, struct err *err)
{
    const struct runtime_cgroup_place place = state_cgroup(&c->state);
    cleanup_close int init = proc_open(&c->state.init);
    cleanup_close int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct runtime_oom_watch oom = {.fd = -1};
    struct itimerspec time;
    long long ns;
    int r;

    if (parse_duration(interval, &ns) < 0)
        return err_set(err, EINVAL, "invalid value \"%s\" for flag -interval: parse error",
                       interval);
    if (!ns)
        return err_set(err, EINVAL, "duration interval must be greater than 0");
    if (init < 0)
        return 0; /* it ended this moment */
    time.it_value = time.it_interval = (struct timespec){ns / 1000000000, ns % 1000000000};
    if (timer < 0 || timerfd_settime(timer, 0, &time, NULL) < 0)
        return err_errno(err, "cannot make a timer");
    if (runtime_oom_watch(&place, &oom, err) < 0)
        return -err->code;
    r = follow(c, init, timer, &oom, err);
    runtime_oom_close(&oom);
    return r;
}

static int show(struct cli *cli, struct err *err)
{
    const struct args *args = &cli->args;
    cleanup_container struct container c = CONTAINER_NONE;

    if (container_open(cli, args->rest[0], &c, err) < 0)
        return -err->code;
    if (container_status(&c) == STATE_STOPPED)
        return err_set(err, ESRCH, "container with id %s is not running", c.state.id);
    return args_flag(args, "stats") ? print_stats(&c, err)
                                    : watch(&c, args_text(args, "interval"), err);
}

static int cmd_events(struct cli *cli)
{
    struct err err = {0};

    return show(cli, &err) < 0 ? cli_fail(NULL, &err) : 0;
}

const struct command command_events = {
    .name = "events",
    .arguments = "<container-id>",
    .summary = "display container events such as OOM notifications, and resource usage statistics",
    .details = "   Until the container ends, one JSON document a line.\n",
    .flags = events_flags,
    .min = 1,
    .max = 1,
    .run = cmd_events,
};
