#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/proc.h"
#include "engine/shim/shim.h"

int shim_record_pids(const struct shim_options *o, pid_t init, struct shim_report *ret,
                     struct err *err)
{
    cleanup_free char *path = str_format("%s/pids", o->run);
    cleanup_free char *text = NULL;
    struct proc_id self, child;
    int r = proc_identify(getpid(), &self);

    if (!r)
        r = proc_identify(init, &child);
    if (r < 0)
        return err_set(err, -r, "the container's init ended before it was recorded");
    ret->shim_pid = self.pid;
    ret->shim_start = self.start;
    ret->init_pid = child.pid;
    ret->init_start = child.start;
    text = str_format("%d %llu %d %llu\n", (int)self.pid, self.start, (int)child.pid, child.start);
    return file_store(AT_FDCWD, path, text, strlen(text), 0600, false, err);
}

int shim_record_exit(const struct shim_options *o, int exit_code, bool oom_killed, struct err *err)
{
    cleanup_json json_t *record = json_object();
    cleanup_free char *path = str_format("%s/exit.json", o->dir);

    json_put(record, "exit_code", json_integer(exit_code));
    json_put(record, "oom_killed", json_boolean(oom_killed));
    json_put(record, "finished_ns", json_integer(clock_now()));
    return json_store(AT_FDCWD, path, record, 0600, false, err);
}
