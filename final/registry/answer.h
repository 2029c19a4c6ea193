/* answer.h - what an answer that is no success means: an errno for the program, docker's words for
 * people. */
#pragma once

#include "base/err.h"
#include "registry/http.h"

/* Sets err from the registry's JSON ({"errors":[{"code":..,"message":..}]}) or from the status
 * alone: -ENOENT manifest or blob unknown, -EACCES denied or no such repository, -EPERM not logged
 * in, -EAGAIN worth another try (429, 408, 5xx), -EPROTO anything else. `url` is shown without its
 * query. */
int answer_error(const struct http_answer *answer, const char *url, struct err *err);
