#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/proc.h"
#include "engine/shim/shim.h"

int shim_prepare_pids(const struct shim_options *o, pid_t init, struct shim_report *ret,
                      struct err *err)
{
    cleanup_free char *path = str_format("%s/" SHIM_PIDS_NEW, o->run);
    cleanup_free char *text = NULL;
    struct proc_id self, child;
    int r = proc_identify(getpid(), &self);

    if (!r)
        r = proc_identify(init, &child);
    if (r == -ESRCH) /* EPIPE, as for every talk that its end breaks off */
        return err_set(err, EPIPE, "the container's init ended before it was recorded");
    if (r < 0)
        return err_set(err, -r, "cannot identify the container's init: %s", strerror(-r));
    ret->shim_pid = self.pid;
    ret->shim_start = self.start;
    ret->init_pid = child.pid;
    ret->init_start = child.start;
    ret->started_ns = clock_now();
    text = str_format("%d %llu %d %llu %lld\n", (int)self.pid, self.start, (int)child.pid,
                      child.start, (long long)ret->started_ns);
    unlink(path); /* of one that was killed here */
    return file_create(AT_FDCWD, path, text, strlen(text), 0600, err);
}

int shim_record_pids(const struct shim_options *o, struct err *err)
{
    cleanup_free char *from = str_format("%s/" SHIM_PIDS_NEW, o->run);
    cleanup_free char *to = str_format("%s/pids", o->run);

    return rename(from, to) < 0 ? err_errno(err, "cannot record the container's processes") : 0;
}

/* Who waits to start it again, so that others see whether it is still there. */
static json_t *restart_section(const struct shim_options *o, const struct shim_end *end)
{
    json_t *section = json_object();
    struct proc_id self = {0};

    proc_identify(getpid(), &self);
    json_put(section, "count", json_integer((json_int_t)o->restarts + 1));
    json_put(section, "delay_ms", json_integer(end->restart_delay_ms));
    json_put(section, "pid", json_integer(self.pid));
    json_put(section, "start", json_integer((json_int_t)self.start));
    return section;
}

/* Room for the record of the end, taken while there is some: a disk that is full by then shall not
 * cost the exit code. A page holds any. */
#define RESERVE 4096

static char *reserve_path(const struct shim_options *o)
{
    return str_format("%s/exit.json.new", o->dir);
}

int shim_reserve_exit(const struct shim_options *o, struct err *err)
{
    cleanup_free char *path = reserve_path(o);
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    int r = fd < 0 ? errno : posix_fallocate(fd, 0, RESERVE);

    return r ? err_set(err, r, "cannot create '%s': %s", path, strerror(r)) : 0;
}

/* Over what was reserved, and not through an emptied file. */
static int store_exit(const struct shim_options *o, const json_t *record, struct err *err)
{
    cleanup_free char *from = reserve_path(o), *to = str_format("%s/exit.json", o->dir);
    cleanup_free char *text = json_text(record, JSON_COMPACT);
    cleanup_close int fd = open(from, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    int r = fd < 0 ? -errno : file_write(fd, text, strlen(text));

    if (!r && (ftruncate(fd, (off_t)strlen(text)) < 0 || rename(from, to) < 0))
        r = -errno;
    return r < 0 ? err_set(err, -r, "cannot write '%s': %s", to, strerror(-r)) : 0;
}

int shim_record_exit(const struct shim_options *o, const struct shim_end *end, struct err *err)
{
    cleanup_json json_t *record = json_object();

    json_put(record, "exit_code", json_integer(end->exit_code));
    json_put(record, "oom_killed", json_boolean(end->oom_killed));
    json_put(record, "finished_ns", json_integer(end->finished_ns));
    if (end->restart_delay_ms)
        json_put(record, "restart", restart_section(o, end));
    return store_exit(o, record, err);
}
