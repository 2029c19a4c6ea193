/* values.h - what may stand behind a flag, read and checked. The checks have the form options.h
 * asks for; their messages are docker's, which are those of Go's library functions. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* Go's strconv.ParseBool: 1, t, T, TRUE, true, True and the same for false. */
int value_check_bool(const char *value, struct err *err);
bool value_bool(const char *value); /* of a value that passed */

int value_check_int(const char *value, struct err *err);

/* Sizes as "512m", "1.5g", "64KiB": powers of 1024; b, k, m, g, t, p, any case, with or without b
 * or ib. */
int value_parse_bytes(const char *value, int64_t *ret, struct err *err);
int value_check_bytes(const char *value, struct err *err);
int value_check_swap(const char *value, struct err *err); /* also -1: unlimited */

/* "1.5", "1/2", "2e-1" -> billionths of a CPU, exactly; "value is too precise" beyond nine digits.
 */
int value_parse_cpus(const char *value, int64_t *ret, struct err *err);
int value_check_cpus(const char *value, struct err *err);

int value_check_uint16(const char *value, struct err *err);
/* "on-failure:3" -> {"Name","MaximumRetryCount"}; what policies there are the engine knows. */
int value_parse_restart(const char *value, json_t **ret, struct err *err);

/* "nofile=1024:2048" */
struct ulimit {
    char name[16];
    int64_t soft, hard;
};
int value_parse_ulimit(const char *value, struct ulimit *ret, struct err *err);
int value_check_ulimit(const char *value, struct err *err);
/* HostConfig.Ulimits, of values that passed. */
void value_put_ulimits(const struct strv *given, json_t *host);

/* A moment for --since and --until: RFC 3339 (also without zone, time or seconds: UTC), seconds
 * since 1970 with a fraction, or a duration before now ("10m", "1h30m"). */
int value_parse_moment(const char *value, int64_t now_ns, int64_t *ret_ns, struct err *err);
/* A duration, also a negative one. */
int value_check_duration(const char *value, struct err *err);
int value_check_stream(const char *value, struct err *err); /* stdin, stdout, stderr */

int value_check_filter(const char *value, struct err *err); /* name=value */
int value_check_env(const char *value, struct err *err);
int value_check_label(const char *value, struct err *err);
int value_check_ip(const char *value, struct err *err);
int value_check_host(const char *value, struct err *err);   /* --add-host name:ip or name=ip */
int value_check_sysctl(const char *value, struct err *err); /* namespaced keys only */
int value_check_user(const char *value, struct err *err);
int value_check_hostname(const char *value, struct err *err);
/* A reference to an image, or a whole id. Which image it is only the engine knows. */
int value_check_image(const char *value, struct err *err);
/* What an image may be called: no digest, which follows from its content. */
int value_check_tag(const char *value, struct err *err);

/* A file for -o of save and export, there or not, of which docker's words say what is wrong. */
int value_check_output(const char *path, struct err *err);

/* "K=V" into the list; "K" takes the value of this process. Where it has none, K alone goes in: the
 * engine takes K away, whoever has set it. */
void value_add_env(struct strv *env, const char *assignment);
/* A file of assignments, one a line, '#' comments; `what` is "env" or "label" in errors. */
int value_load_env_file(const char *path, const char *what, struct strv *env, struct err *err);
/* "k=v" pairs into an object; a missing "=" means an empty value. */
void value_add_pair(json_t *object, const char *pair);

/* "ctrl-p,ctrl-q" -> bytes. */
int value_parse_keys(const char *value, char *ret, size_t room, size_t *ret_len, struct err *err);
