/* log.h - --log-driver and what a container has said, inside the engine. */
#pragma once

#include "engine/internal.h"

/* --- log_options.c */

/* "json-file" where nothing was said. */
const char *log_driver(const json_t *host);
/* At create, with docker's words: driver and options that there are. */
int log_check(const json_t *host, struct err *err);
/* At the start: values that mean something. */
int log_check_start(const json_t *host, struct err *err);
/* For shim.json; NULL where the driver says it all. */
json_t *log_plan(const struct container *c);
/* For the shim. */
int log_arguments(const struct container *c, struct strv *argv, struct err *err);

/* --- log_decode.c: entries out of what was read */

struct log_line {
    int stream;
    int64_t time_ns;
    const char *text;
    size_t len;
    json_t *attrs; /* or NULL; borrowed */
};
typedef int log_take(void *context, const struct log_line *line);

/* Calls `take` for every whole entry at the beginning of the buffer and removes them from it. What
 * is no entry (a torn write of a full disk) is passed over. A negative result of `take` ends it. */
int log_decode(struct buf *data, bool json, log_take *take, void *context);
/* Where the last `*count` entries of a file begin. If it has fewer, 0, and *count is how many are
 * missing. */
int log_seek_tail(int fd, bool json, long long *count, off_t *ret, struct err *err);

/* --- log_files.c: a log's files, which may be rotated at any moment */

struct log_source {
    int fd;
    bool packed;
};
struct log_sources {
    struct log_source *items; /* the youngest first; each file once */
    size_t len;
};
/* Opens them, up to the one that `until` (or -1) is open on, without it. *ret_found: it was met. */
int log_sources_open(const char *path, int until, struct log_sources *ret, bool *ret_found,
                     struct err *err);
void log_sources_close(struct log_sources *sources);
/* Reads from the descriptor's offset to its end, through cooper-gzip if it is packed. `data` holds
 * what is not a whole entry yet. */
int log_source_read(const struct log_source *source, bool json, struct buf *data, log_take *take,
                    void *context, struct err *err);
