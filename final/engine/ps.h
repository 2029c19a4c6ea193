/* ps.h - ps(1) for the processes of a container: /proc read by ourselves, on the host's side.
 * Private to engine/.
 *
 *     ps_options.c   "-ef", "aux", "-o pid,comm" -> the columns they mean
 *     ps_columns.c   the columns: their titles and what stands in them
 *     ps_process.c   one process, from /proc/PID */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

struct ps_process {
    pid_t pid;
    char state;
    char *comm, *command; /* the command line, or "[comm]" */
    long long ppid, pgid, sid, tty, tpgid, flags, major_faults, utime, stime, priority, nice;
    long long threads, start, vsize, rss,
        processor; /* times in ticks, vsize in bytes, rss in pages */
    long long ruid, euid, rgid, egid;
    bool locked;
    char *wchan;
};
/* -ENOENT when it has ended. */
int ps_process_read(pid_t pid, struct ps_process *ret);
void ps_process_free(struct ps_process *p);

/* What all rows of one table share. */
struct ps_moment {
    double uptime;            /* seconds since boot */
    long long now;            /* seconds since 1970 */
    long ticks;               /* of a second */
    long long page, memory;   /* bytes */
    struct buf passwd, group; /* /etc/passwd and /etc/group, for names */
};

struct ps_column {
    const char *names; /* of -o: "args cmd command" */
    const char *title;
    void (*print)(const struct ps_process *p, const struct ps_moment *now, struct buf *out);
};
/* The column a word of -o means; NULL. */
const struct ps_column *ps_column_find(const char *name, size_t len);

struct ps_format {
    struct ps_format_column {
        const struct ps_column *column;
        char *title;
    } * items;
    size_t len;
};
/* ps's options as words ("-eo", "pid,args"). What chooses processes means nothing here: it is the
 * container that chooses. Errors are ps's. */
int ps_format_parse(const struct strv *words, struct ps_format *ret, struct err *err);
void ps_format_free(struct ps_format *f);
