/* run_options.h - the flags of run and create as docker's Config and HostConfig: the JSON that
 * `inspect` shows and the engine works from. */
#pragma once

#include <jansson.h>

#include "base/err.h"
#include "cli/options.h"

extern const struct flag run_flags[];
#define RUN_ONLY_FLAGS 3 /* what follows these is the table of `create` */

/* Builds both objects from the flags; `words` are IMAGE [COMMAND] [ARG...]. Checks all that can be
 * checked without the image, so that a mistake creates nothing. Messages the daemon would give
 * under docker begin with "Error response from daemon: ". The caller owns both. */
int run_options_build(const struct options *options, char *const *words, json_t **ret_config,
                      json_t **ret_host, struct err *err);

/* run_mounts.c: -v, --tmpfs and --device. */
int run_mounts_build(const struct options *options, json_t *config, json_t *host, struct err *err);

/* run_limits.c: the rules between limits ("memory-swap needs memory"), read from a finished
 * HostConfig. */
int run_limits_check(const json_t *host, struct err *err);

/* Records "Error response from daemon: <format>". */
int run_daemon_error(struct err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
