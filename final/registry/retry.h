/* retry.h - when another try is worth it, and how long to wait before it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "registry/http.h"

struct retry {
    unsigned failures;     /* in a row, without progress */
    bool keep_trying;      /* also a refused connection: the server was there a moment ago */
    int64_t retry_after_s; /* what the last answer asked for, -1: nothing */
};

/* After a failure described in err: waits and returns 0 when it should be tried again; else its
 * error. The wait is short, grows with every failure, and ends when http_cancelled() says so
 * (-ECANCELED). A server that asks for more than a minute is told to the user instead. */
int retry_wait(struct retry *t, const struct http *http, struct err *err);
