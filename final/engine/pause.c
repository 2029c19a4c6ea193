/* pause.c - a container whose processes stand still (cgroups(7), the freezer).
 *
 * The record says "paused" before the first process stops and until the last one goes on, so a
 * command that was killed in between leaves a record that says more than is true; whoever looks at
 * it next asks the control group and corrects it (settle.c). */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/internal.h"
#include "runtime/runtime.h"

int container_set_frozen(const struct container *c, bool frozen, struct err *err)
{
    cleanup_free char *path = container_cgroup(json_object_get(c->config, "HostConfig"), c->id);
    struct runtime_cgroup_place place = {.path = path};

    return runtime_cgroup_freeze(&place, frozen, err);
}

int container_frozen(const struct container *c, struct err *err)
{
    cleanup_free char *path = container_cgroup(json_object_get(c->config, "HostConfig"), c->id);
    struct runtime_cgroup_place place = {.path = path};

    return runtime_cgroup_frozen(&place, err);
}

int container_check_runs(const struct container *c, struct err *err)
{
    if (!strcmp(c->state, "restarting"))
        return err_set(err, EBUSY,
                       "Container %s is restarting, wait until the container is running", c->id);
    if (!container_running(c))
        return err_set(err, ESRCH, "Container %s is not running", c->id);
    return 0;
}

/* Records another state if the container is still in `from`, in the same run. */
static int record(struct engine *e, const struct container *c, const char *from, const char *to,
                  struct err *err)
{
    struct container now;
    int r = store_container_find(e->store, c->id, &now, err);

    if (r < 0)
        return r;
    if (strcmp(now.state, from) || now.owner.pid != c->owner.pid ||
        now.owner.start != c->owner.start) {
        r = err_set(err, EAGAIN, "container %s is %s: another command was faster", c->name,
                    now.state);
    } else {
        container_set_state(&now, to);
        r = store_container_update(e->store, &now, err);
    }
    container_free(&now);
    return r;
}

static int record_and_freeze(struct engine *e, const struct container *c, struct err *err)
{
    struct err ignored = {0};
    int r = record(e, c, "running", "paused", err);

    if (r < 0)
        return r;
    r = container_set_frozen(c, true, err);
    if (r < 0)
        record(e, c, "paused", "running", &ignored);
    return r;
}

int engine_pause(struct engine *e, const struct container *c, struct err *err)
{
    struct err ignored = {0};
    int r = container_check_runs(c, err), lock;

    if (r < 0)
        return r;
    if (!strcmp(c->state, "paused"))
        return err_set(err, EBUSY, "Container %s is already paused", c->id);
    /* Not while `commit` has it stand still: it would go on when that is done. */
    lock = container_hold_still(e, c, err);
    r = lock < 0 ? lock : record_and_freeze(e, c, err);
    container_let_still(e, c, &lock);
    if (r < 0)
        return err_wrap(err, "Cannot pause container %s", c->id);
    /* Who looked at it before it stood still has put the record right, as it was then. */
    record(e, c, "running", "paused", &ignored);
    container_event(e, c, "pause", NULL);
    return 0;
}

int engine_unpause(struct engine *e, const struct container *c, struct err *err)
{
    int r;

    if (strcmp(c->state, "paused"))
        return err_set(err, EINVAL, "Container %s is not paused", c->id);
    r = container_set_frozen(c, false, err);
    if (!r)
        r = record(e, c, "paused", "running", err);
    if (r == -EAGAIN) { /* somebody saw it running before we said so */
        err_clear(err);
        r = 0;
    }
    if (r < 0)
        return err_wrap(err, "Cannot unpause container %s", c->id);
    container_event(e, c, "unpause", NULL);
    return 0;
}
