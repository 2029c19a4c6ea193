/* boot.c - what a machine that goes down and comes up again does to containers. docker's daemon is
 * there at both moments; here a unit of systemd calls the two commands (final/cooper.service).
 *
 * A policy is about what people want. A stop by a person is a wish, and leaves an empty mark
 * "stopped" (life.c); a stop by a shutdown is none, so its mark says "system". Whether the machine
 * has been down is not asked of anybody: a record names the boot in which somebody last started or
 * stopped its container, and this boot has another name (/proc/sys/kernel/random/boot_id). */
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/proc.h"
#include "engine/internal.h"

#define BY_SYSTEM "system"
#define MARK_MAX  64

/* --- who should run --------------------------------------------------------------------------- */

/* A person's stop, or kill, is the last that was asked for. */
static bool stopped_by_hand(struct engine *e, const struct container *c)
{
    cleanup_free char *path = str_format("containers/%s/stopped", c->id);
    cleanup_buf struct buf mark = {0};
    struct err ignored;

    return !file_load(e->store->root_fd, path, MARK_MAX, &mark, &ignored) &&
           strcmp(mark.data, BY_SYSTEM) != 0;
}

static bool of_earlier_boot(const struct container *c)
{
    struct err ignored;
    char boot[37];

    return !proc_boot_id(boot, &ignored) && strcmp(boot, c->boot_id) != 0;
}

/* docker's rules, those of its daemon's start: "always" forgets that somebody stopped it, though
 * not within one boot. */
static bool policy_wants(struct engine *e, const struct container *c)
{
    const char *policy = json_str(c->config, "HostConfig.RestartPolicy.Name", "");
    long long most = json_int(c->config, "HostConfig.RestartPolicy.MaximumRetryCount", 0);
    bool by_hand = stopped_by_hand(e, c);

    if (!strcmp(policy, "always"))
        return !by_hand || of_earlier_boot(c);
    if (!strcmp(policy, "unless-stopped"))
        return !by_hand;
    return !strcmp(policy, "on-failure") && !by_hand && c->exit_code &&
           (!most || c->restarts < most);
}

static bool should_run(struct engine *e, const struct container *c)
{
    return !strcmp(c->state, "exited") && policy_wants(e, c);
}

/* --- up --------------------------------------------------------------------------------------- */

int engine_start_all(struct engine *e, engine_told *told, void *context, struct err *err)
{
    struct start_options options = {0};
    struct container_list list;
    int r = engine_list(e, &list, err); /* which makes records of an earlier boot true */

    if (r < 0)
        return r;
    /* Newest first is the list's order. Who was made later may need the namespaces of an older. */
    for (size_t i = list.len; i-- > 0;) {
        const struct container *c = &list.items[i];
        struct err why = {0};

        if (!should_run(e, c))
            continue;
        engine_start(e, c->id, &options, NULL, &why);
        told(context, c, &why);
    }
    container_list_free(&list);
    return 0;
}

/* --- down ------------------------------------------------------------------------------------- */

static bool has_to_stop(const struct container *c)
{
    return container_running(c) || !strcmp(c->state, "restarting");
}

/* What is left of its time, of which some went while we waited for others. */
static int time_left(const struct container *c, int64_t begin_ns)
{
    int timeout = container_stop_timeout(c);
    int64_t gone_ms = (clock_now() - begin_ns) / 1000000;

    if (timeout < 0)
        return -1;
    return gone_ms < timeout ? timeout - (int)gone_ms : 0;
}

static int await_end(struct engine *e, const struct container *c, int64_t begin_ns, struct err *err)
{
    int code, r;

    if (!container_running(c))
        return 0;
    r = container_wait_exit(e, c, time_left(c, begin_ns), err);
    if (r == -ETIMEDOUT) {
        err_clear(err);
        r = container_ask_to_end(e, c, BY_SYSTEM, SIGKILL, err);
    }
    if (!r)
        r = engine_wait(e, c, &code, err);
    return r == -ENOENT ? 0 : r; /* --rm */
}

/* One that is stopping, or why it is not. */
struct attempt {
    const struct container *c;
    struct err err;
};

int engine_stop_all(struct engine *e, engine_told *told, void *context, struct err *err)
{
    cleanup_free struct attempt *stopping = NULL;
    int64_t begin_ns = clock_now();
    struct container_list list;
    size_t count = 0;
    int r = engine_list(e, &list, err);

    if (r < 0)
        return r;
    stopping = mem_alloc((list.len + 1) * sizeof *stopping);
    for (size_t i = 0; i < list.len; i++)
        if (has_to_stop(&list.items[i]))
            stopping[count++] = (struct attempt){.c = &list.items[i]};
    for (size_t i = 0; i < count; i++)
        container_ask_to_end(e, stopping[i].c, BY_SYSTEM, 0, &stopping[i].err);
    for (size_t i = 0; i < count; i++) {
        struct attempt *a = &stopping[i];

        if (!a->err.code && await_end(e, a->c, begin_ns, &a->err) >= 0)
            err_clear(&a->err);
        if (!a->err.code)
            container_event(e, a->c, "stop", NULL);
        told(context, a->c, &a->err);
    }
    container_list_free(&list);
    return 0;
}
