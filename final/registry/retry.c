/* What passes by itself: a dropped connection, a stall, a server that says it is busy. A refused
 * connection or an unknown host is most likely a typing error, and is said at once; in the middle
 * of a transfer it is a server that is being restarted.
 *
 * The pause is a timer in poll(2), cut into short looks at the caller's wish: Ctrl-C must not have
 * to wait for it. */
#include "registry/retry.h"

#include <poll.h>
#include <stddef.h>
#include <sys/timerfd.h>
#include <time.h>

#include "base/cleanup.h"

#define ATTEMPTS          5
#define FIRST_PAUSE_MS    200
#define LONGEST_PAUSE_MS  5000
#define LONGEST_REQUEST_S 60
#define LOOK_EVERY_MS     50 /* for the flag that a signal handler sets */

static bool worth_it(const struct retry *t, int code)
{
    static const int passing[] = {EAGAIN, ECONNRESET, ETIMEDOUT};

    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        if (passing[i] == code)
            return true;
    return t->keep_trying && (code == ECONNREFUSED || code == EHOSTUNREACH);
}

/* poll(2) on a timer; ends early with -ECANCELED. */
static int pause_for(int64_t milliseconds, const struct http *http, struct err *err)
{
    struct itimerspec when = {.it_value = {milliseconds / 1000, milliseconds % 1000 * 1000000 + 1}};
    cleanup_close int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct pollfd p = {.fd = timer, .events = POLLIN};

    if (timer < 0 || timerfd_settime(timer, 0, &when, NULL) < 0)
        return err_errno(err, "cannot set a timer");
    while (poll(&p, 1, LOOK_EVERY_MS) <= 0)
        if (http_cancelled(http))
            return err_set(err, ECANCELED, "cancelled");
    return 0;
}

int retry_wait(struct retry *t, const struct http *http, struct err *err)
{
    int64_t pause = FIRST_PAUSE_MS << (t->failures < 8 ? t->failures : 8);

    if (!worth_it(t, err->code))
        return -err->code;
    if (++t->failures >= ATTEMPTS)
        return err_wrap(err, "gave up after %d attempts", ATTEMPTS);
    if (t->retry_after_s > LONGEST_REQUEST_S)
        return err_wrap(err, "the registry asks to come back in %lld seconds",
                        (long long)t->retry_after_s);
    if (pause > LONGEST_PAUSE_MS)
        pause = LONGEST_PAUSE_MS;
    if (t->retry_after_s * 1000 > pause)
        pause = t->retry_after_s * 1000;
    if (pause_for(pause, http, err) < 0)
        return -err->code;
    err_clear(err);
    return 0;
}
