/* restart.c - stop and start, as one command. Between the two the container has ended, but not for
 * good: --rm does not mean this end, and `logs -f` goes on. A note in its directory says who keeps
 * it; the note of a process that is gone says nothing. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/proc.h"
#include "engine/internal.h"
#include "engine/keep.h"

static int keep(struct engine *e, const char *dir, struct err *err)
{
    cleanup_free char *path = str_format("%s/keep", dir), *text = NULL;
    struct proc_id self;
    int r = proc_identify_self(&self, err);

    if (r < 0)
        return r;
    text = str_format("%d %llu\n", (int)self.pid, self.start);
    return file_store(e->store->root_fd, path, text, strlen(text), 0600, false, err);
}

static void let_go(struct engine *e, const char *dir)
{
    cleanup_free char *path = str_format("%s/keep", dir);

    unlinkat(e->store->root_fd, path, 0);
}

static int stop_and_start(struct engine *e, const struct container *c, int sig, int timeout_s,
                          struct err *err)
{
    struct start_options options = {0};
    int r = engine_stop(e, c, sig, timeout_s, err);

    return r < 0 ? r : engine_start(e, c->id, &options, NULL, err);
}

int engine_restart(struct engine *e, const struct container *c, int sig, int timeout_s,
                   struct err *err)
{
    cleanup_free char *dir = str_format("containers/%s", c->id);
    int r = keep(e, dir, err);

    if (r < 0 && !c->auto_remove) { /* a full disk: who follows will think that it was the end */
        err_clear(err);
        r = 0;
    }
    if (!r)
        r = stop_and_start(e, c, sig, timeout_s, err);
    let_go(e, dir);
    if (r < 0)
        return err_wrap(err, "Cannot restart container %s", c->name);
    container_event(e, c, "restart", NULL);
    return 0;
}
