/* restart.c - the restart policy. When the container ends the shim decides whether it is started
 * again, waits, and then becomes `cooper start --again`, which starts it as any start does, under a
 * new shim. So a restart has one way, whether a person or a policy wants it.
 *
 *     exit.json with "restart"  ->  wait (100 ms, doubled up to a minute)  ->  exec cooper
 *           \- containers/<id>/stopped appears, or the policy changes: without "restart", and end
 *
 * The policy is read at the end, not at the start: `cooper update` may have changed it. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/shim/shim.h"

#define DELAY_MIN_MS 100
#define DELAY_MAX_MS 60000
#define LONG_RUN_MS  10000 /* who ran this long begins again with the shortest delay */

static long long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

long long shim_clock_ms(void)
{
    return now_ms();
}

/* Somebody stopped or killed it: the end was meant. */
static bool stopped_by_hand(const struct shim_options *o)
{
    cleanup_free char *path = str_format("%s/stopped", o->dir);

    return !access(path, F_OK);
}

static bool policy_wants(const struct shim_options *o, int exit_code)
{
    cleanup_json json_t *document = shim_load_file(o);
    const char *policy = json_str(document, "restart.Name", "no");
    long long most = json_int(document, "restart.MaximumRetryCount", 0);

    if (!strcmp(policy, "always") || !strcmp(policy, "unless-stopped"))
        return true;
    return !strcmp(policy, "on-failure") && exit_code && (!most || (long long)o->restarts < most);
}

static int next_delay(const struct shim_options *o, long long ran_ms)
{
    unsigned long long twice = 2 * o->restart_delay;

    if (!o->restart_delay || ran_ms >= LONG_RUN_MS)
        return DELAY_MIN_MS;
    return twice < DELAY_MAX_MS ? (int)twice : DELAY_MAX_MS;
}

int shim_restart_delay(const struct shim_options *o, int exit_code, long long ran_ms)
{
    if (o->remove || !o->cooper || stopped_by_hand(o) || !policy_wants(o, exit_code))
        return 0;
    return next_delay(o, ran_ms);
}

/* Until the time is up, true, or until nobody wants it any more. */
static bool wait_for_turn(const struct shim_options *o, int exit_code, int delay_ms, int watch)
{
    long long until = now_ms() + delay_ms;

    while (!stopped_by_hand(o) && policy_wants(o, exit_code)) {
        struct pollfd p = {watch, POLLIN, 0};
        long long left = until - now_ms();
        char events[4096];

        if (left <= 0)
            return true;
        if (poll(&p, 1, (int)left) > 0 && read(watch, events, sizeof events) < 0 && errno != EAGAIN)
            return false;
    }
    return false;
}

void shim_restart(const struct shim_options *o, int exit_code, int delay_ms)
{
    char *argv[] = {"cooper", "--root", (char *)o->root, "start", "--again", (char *)o->id, NULL};
    cleanup_close int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    if (watch < 0 || inotify_add_watch(watch, o->dir, IN_CREATE | IN_MOVED_TO) < 0)
        return; /* the directory is gone, and the container with it */
    if (wait_for_turn(o, exit_code, delay_ms, watch))
        execv(o->cooper, argv);
}
