/* The columns of ps(1): their titles are its titles, and what stands in them is spelled as it does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/cleanup.h"
#include "engine/ps.h"

#define PRINT(name)                                                                                \
    static void name(const struct ps_process *p, const struct ps_moment *now, struct buf *out)

#define NUMBER(name, value)                                                                        \
    PRINT(name)                                                                                    \
    {                                                                                              \
        (void)now;                                                                                 \
        buf_printf(out, "%lld", (long long)(value));                                               \
    }

NUMBER(print_pid, p->pid)
NUMBER(print_ppid, p->ppid)
NUMBER(print_pgid, p->pgid)
NUMBER(print_sid, p->sid)
NUMBER(print_tpgid, p->tpgid)
NUMBER(print_euid, p->euid)
NUMBER(print_ruid, p->ruid)
NUMBER(print_egid, p->egid)
NUMBER(print_rgid, p->rgid)
NUMBER(print_major_faults, p->major_faults)
NUMBER(print_nice, p->nice)
NUMBER(print_pri, 39 - p->priority) /* -o pri: the more the better */
NUMBER(print_priority, p->priority)
NUMBER(print_long_priority, 60 + p->priority) /* ps -l */
NUMBER(print_processor, p->processor)
NUMBER(print_threads, p->threads)
NUMBER(print_flags, (p->flags >> 6) & 5) /* forked without exec, used root's rights */
NUMBER(print_vsz, p->vsize / 1024)
NUMBER(print_rss, p->rss *(now->page / 1024))
NUMBER(print_pages, p->vsize / now->page)

/* --- who
 * ---------------------------------------------------------------------------------------- */

/* The name of a number in /etc/passwd or /etc/group: both have it in the third field. */
static void print_name(const struct buf *file, long long id, struct buf *out)
{
    const char *line = file->data;

    while (line && *line) {
        size_t name = strcspn(line, ":\n"), n = strcspn(line, "\n");
        const char *password = line + name, *number;

        if (*password == ':' && (number = memchr(password + 1, ':', n - name - 1)) &&
            strtoll(number + 1, NULL, 10) == id && name) {
            buf_add(out, line, name);
            return;
        }
        line += n + (line[n] == '\n');
    }
    buf_printf(out, "%lld", id);
}

PRINT(print_euser)
{
    print_name(&now->passwd, p->euid, out);
}

PRINT(print_ruser)
{
    print_name(&now->passwd, p->ruid, out);
}

PRINT(print_egroup)
{
    print_name(&now->group, p->egid, out);
}

PRINT(print_rgroup)
{
    print_name(&now->group, p->rgid, out);
}

/* --- what
 * --------------------------------------------------------------------------------------- */

PRINT(print_comm)
{
    (void)now;
    buf_add_str(out, p->comm);
    if (p->state == 'Z')
        buf_add_str(out, " <defunct>");
}

PRINT(print_command)
{
    (void)now;
    buf_add_str(out, p->command);
    if (p->state == 'Z')
        buf_add_str(out, " <defunct>");
}

PRINT(print_wchan)
{
    (void)now;
    buf_add_str(out, p->wchan);
}

PRINT(print_state)
{
    (void)now;
    buf_add_char(out, p->state);
}

/* ps(1), "PROCESS STATE CODES". */
PRINT(print_stat)
{
    print_state(p, now, out);
    if (p->nice < 0)
        buf_add_char(out, '<');
    if (p->nice > 0)
        buf_add_char(out, 'N');
    if (p->locked)
        buf_add_char(out, 'L');
    if (p->sid == p->pid)
        buf_add_char(out, 's');
    if (p->threads > 1)
        buf_add_char(out, 'l');
    if (p->pgid == p->tpgid)
        buf_add_char(out, '+');
}

PRINT(print_tty)
{
    unsigned device = (unsigned)p->tty;

    (void)now;
    if (major(device) >= 136 && major(device) <= 143)
        buf_printf(out, "pts/%u", minor(device) + (major(device) - 136) * 256);
    else if (major(device) == 4)
        buf_printf(out, "tty%u", minor(device));
    else
        buf_add_char(out, '?');
}

PRINT(print_dash)
{
    (void)p;
    (void)now;
    buf_add_char(out, '-');
}

/* --- when
 * --------------------------------------------------------------------------------------- */

static long long age(const struct ps_process *p, const struct ps_moment *now)
{
    double seconds = now->uptime - (double)p->start / (double)now->ticks;

    return seconds > 0 ? (long long)seconds : 0;
}

static void started(const struct ps_process *p, const struct ps_moment *now, struct tm *ret,
                    struct tm *ret_now)
{
    time_t then = (time_t)(now->now - age(p, now)), moment = (time_t)now->now;

    localtime_r(&then, ret);
    localtime_r(&moment, ret_now);
}

static void print_date(const struct tm *when, const char *form, struct buf *out)
{
    char text[64];

    strftime(text, sizeof text, form, when);
    buf_add_str(out, text);
}

PRINT(print_stime)
{
    struct tm then, today;

    started(p, now, &then, &today);
    print_date(&then,
               then.tm_year != today.tm_year   ? "%Y"
               : then.tm_yday != today.tm_yday ? "%b%d"
                                               : "%H:%M",
               out);
}

PRINT(print_start)
{
    struct tm then, today;

    started(p, now, &then, &today);
    print_date(&then, age(p, now) > 24 * 3600 ? "%b %d" : "%H:%M:%S", out);
}

PRINT(print_bsd_start)
{
    struct tm then, today;

    started(p, now, &then, &today);
    print_date(&then, age(p, now) > 24 * 3600 ? "%b%d" : "%H:%M", out);
}

PRINT(print_lstart)
{
    struct tm then, today;

    started(p, now, &then, &today);
    print_date(&then, "%a %b %e %H:%M:%S %Y", out);
}

/* [[DD-]HH:]MM:SS */
static void print_span(long long seconds, bool hours_always, struct buf *out)
{
    long long days = seconds / 86400, hours = seconds / 3600 % 24;

    if (days)
        buf_printf(out, "%02lld-", days);
    if (days || hours || hours_always)
        buf_printf(out, "%02lld:", hours);
    buf_printf(out, "%02lld:%02lld", seconds / 60 % 60, seconds % 60);
}

static long long cpu_seconds(const struct ps_process *p, const struct ps_moment *now)
{
    return (p->utime + p->stime) / now->ticks;
}

PRINT(print_time)
{
    print_span(cpu_seconds(p, now), true, out);
}

PRINT(print_bsd_time)
{
    buf_printf(out, "%lld:%02lld", cpu_seconds(p, now) / 60, cpu_seconds(p, now) % 60);
}

PRINT(print_etime)
{
    print_span(age(p, now), false, out);
}

PRINT(print_etimes)
{
    buf_printf(out, "%lld", age(p, now));
}

/* --- how much
 * ----------------------------------------------------------------------------------- */

/* Tenths of a percent of the time since it began. */
static long long cpu_share(const struct ps_process *p, const struct ps_moment *now)
{
    long long seconds = age(p, now);

    return seconds ? (p->utime + p->stime) * 1000 / now->ticks / seconds : 0;
}

PRINT(print_c)
{
    long long percent = cpu_share(p, now) / 10;

    buf_printf(out, "%lld", percent > 99 ? 99 : percent);
}

PRINT(print_pcpu)
{
    buf_printf(out, "%lld.%lld", cpu_share(p, now) / 10, cpu_share(p, now) % 10);
}

PRINT(print_pmem)
{
    long long share = now->memory ? p->rss * now->page * 1000 / now->memory : 0;

    buf_printf(out, "%lld.%lld", share / 10, share % 10);
}

/* The first column of a name is the one -o means; the others are what -f, u and l have instead. */
static const struct ps_column columns[] = {
    {"pid tgid", "PID", print_pid},
    {"ppid", "PPID", print_ppid},
    {"pgid pgrp", "PGID", print_pgid},
    {"sid sess session", "SID", print_sid},
    {"tpgid", "TPGID", print_tpgid},
    {"user euser uname", "USER", print_euser},
    {"ruser", "RUSER", print_ruser},
    {"group egroup", "GROUP", print_egroup},
    {"rgroup", "RGROUP", print_rgroup},
    {"uid euid", "UID", print_euid},
    {"ruid", "RUID", print_ruid},
    {"gid egid", "GID", print_egid},
    {"rgid", "RGID", print_rgid},
    {"comm ucmd ucomm", "COMMAND", print_comm},
    {"args cmd command", "COMMAND", print_command},
    {"stat", "STAT", print_stat},
    {"s state", "S", print_state},
    {"tty tt tname", "TT", print_tty},
    {"time cputime", "TIME", print_time},
    {"etime", "ELAPSED", print_etime},
    {"etimes", "ELAPSED", print_etimes},
    {"start", "STARTED", print_start},
    {"lstart", "STARTED", print_lstart},
    {"stime start_time", "STIME", print_stime},
    {"bsdstart", "START", print_bsd_start},
    {"bsdtime", "TIME", print_bsd_time},
    {"pcpu %cpu", "%CPU", print_pcpu},
    {"c cp", "C", print_c},
    {"pmem %mem", "%MEM", print_pmem},
    {"vsz vsize", "VSZ", print_vsz},
    {"rss rssize rsz", "RSS", print_rss},
    {"sz", "SZ", print_pages},
    {"ni nice", "NI", print_nice},
    {"pri", "PRI", print_pri},
    {"priority", "PRI", print_priority},
    {"opri", "PRI", print_long_priority},
    {"psr", "PSR", print_processor},
    {"nlwp thcount", "NLWP", print_threads},
    {"maj_flt", "MAJFL", print_major_faults},
    {"wchan", "WCHAN", print_wchan},
    {"f flag flags", "F", print_flags},
    {"addr", "ADDR", print_dash},
    {"label", "LABEL", print_dash},
};

static bool has_word(const char *words, const char *word, size_t len)
{
    while (*words) {
        size_t n = strcspn(words, " ");

        if (n == len && !memcmp(words, word, n))
            return true;
        words += n + (words[n] == ' ');
    }
    return false;
}

const struct ps_column *ps_column_find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        if (has_word(columns[i].names, name, len))
            return &columns[i];
    return NULL;
}
