#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "engine/ps.h"

#define PROC_FILE_MAX (4u << 20)

static int load(pid_t pid, const char *name, struct buf *ret)
{
    cleanup_free char *path = str_format("/proc/%d/%s", (int)pid, name);
    struct err ignored;

    return file_load(AT_FDCWD, path, PROC_FILE_MAX, ret, &ignored) < 0 ? -ENOENT : 0;
}

/* The name may hold blanks and parentheses: what counts comes behind the last one. proc(5). */
static int read_stat(struct ps_process *p)
{
    cleanup_buf struct buf text = {0};
    char *open, *close;

    if (load(p->pid, "stat", &text) < 0)
        return -ENOENT;
    open = strchr(text.data, '(');
    close = strrchr(text.data, ')');
    if (!open || !close || close < open)
        return -ENOENT;
    p->comm = str_copy_n(open + 1, (size_t)(close - open) - 1);
    if (sscanf(close + 1,
               " %c %lld %lld %lld %lld %lld %lld %*s %*s %lld %*s %lld %lld %*s %*s %lld %lld %lld"
               " %*s %lld %lld %lld %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lld",
               &p->state, &p->ppid, &p->pgid, &p->sid, &p->tty, &p->tpgid, &p->flags,
               &p->major_faults, &p->utime, &p->stime, &p->priority, &p->nice, &p->threads,
               &p->start, &p->vsize, &p->rss, &p->processor) != 17)
        return -ENOENT;
    return 0;
}

static int read_status(struct ps_process *p)
{
    cleanup_buf struct buf text = {0};
    const char *uids, *gids, *locked;

    if (load(p->pid, "status", &text) < 0)
        return -ENOENT;
    uids = strstr(text.data, "\nUid:");
    gids = strstr(text.data, "\nGid:");
    locked = strstr(text.data, "\nVmLck:");
    if (!uids || !gids || sscanf(uids + 5, "%lld %lld", &p->ruid, &p->euid) != 2 ||
        sscanf(gids + 5, "%lld %lld", &p->rgid, &p->egid) != 2)
        return -ENOENT;
    p->locked = locked && strtoull(locked + 7, NULL, 10);
    return 0;
}

/* In one line: a row of a table has only one. */
static void read_command(struct ps_process *p)
{
    cleanup_buf struct buf text = {0};

    if (load(p->pid, "cmdline", &text) < 0 || !text.len) {
        p->command = str_format("[%s]", p->comm);
        return;
    }
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < ' ')
            text.data[i] = ' ';
    while (text.len && text.data[text.len - 1] == ' ')
        text.data[--text.len] = 0;
    p->command = buf_steal(&text);
}

static void read_wchan(struct ps_process *p)
{
    cleanup_buf struct buf text = {0};

    if (load(p->pid, "wchan", &text) < 0 || !text.len || !strcmp(text.data, "0"))
        p->wchan = str_copy("-");
    else
        p->wchan = buf_steal(&text);
}

int ps_process_read(pid_t pid, struct ps_process *ret)
{
    struct ps_process p = {.pid = pid};

    if (read_stat(&p) < 0 || read_status(&p) < 0) {
        ps_process_free(&p);
        return -ENOENT;
    }
    read_command(&p);
    read_wchan(&p);
    *ret = p;
    return 0;
}

void ps_process_free(struct ps_process *p)
{
    free(p->comm);
    free(p->command);
    free(p->wchan);
    *p = (struct ps_process){0};
}
