/* Stopping a container without its knowing: `pause`, and whoever needs it to hold still for a
 * moment.
 *
 * Version 2 (Linux 5.2): "1" in cgroup.freeze; the kernel says "frozen 1" in cgroup.events when the
 * last task has stopped, and that file can be poll(2)ed. A frozen task still dies of SIGKILL.
 *
 * Version 1: "FROZEN" in freezer.state, which answers FREEZING until all have stopped. Nothing
 * tells when, and a task that forks at the wrong moment can keep the group at FREEZING until the
 * word is written again (Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst). A frozen task
 * does not even die before it is thawed. So it is used only where there is no tree of version 2. */
#include "runtime/cgroup_parts.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

/* A task inside a system call that cannot be interrupted (a dead NFS server, vfork(2)) does not
 * stop. Peers give up after about as long. */
#define FREEZE_SECONDS 10
#define V1_ROUNDS      (FREEZE_SECONDS * 1000)

static bool says(const char *base, const char *path, const char *file, const char *word)
{
    cleanup_buf struct buf text = {0};

    return !cgroup_read(base, path, file, &text) && strstr(text.data, word);
}

static int wait_frozen(const struct cgroup *cg, struct err *err)
{
    cleanup_free char *file = str_format("%s%s/cgroup.events", cg->unified, cg->path);
    cleanup_close int fd = open(file, O_RDONLY | O_CLOEXEC);
    struct pollfd change = {.fd = fd, .events = POLLPRI};

    if (fd < 0)
        return err_errno(err, "cannot open '%s'", file);
    for (int waits = 0; waits <= FREEZE_SECONDS; waits++) {
        char text[256] = "";

        if (pread(fd, text, sizeof text - 1, 0) < 0)
            return err_errno(err, "cannot read '%s'", file);
        if (strstr(text, "frozen 1"))
            return 0;
        poll(&change, 1, 1000);
    }
    return err_set(err, ETIMEDOUT, "processes of the control group '%s' do not stop", cg->path);
}

static int v2_freeze(const struct cgroup *cg, bool frozen, struct err *err)
{
    struct err ignored = {0};

    if (cgroup_write(cg->unified, cg->path, "cgroup.freeze", frozen ? "1" : "0", err) < 0)
        return -err->code;
    if (!frozen || !wait_frozen(cg, err))
        return 0;
    cgroup_write(cg->unified, cg->path, "cgroup.freeze", "0", &ignored); /* not half of it */
    return -err->code;
}

static int v1_write(const struct cgroup *cg, const char *state, struct err *err)
{
    cleanup_free char *base = cgroup_v1_base(cg, "freezer");

    return cgroup_write(base, cg->path, "freezer.state", state, err);
}

static int v1_freeze(const struct cgroup *cg, struct err *err)
{
    cleanup_free char *base = cgroup_v1_base(cg, "freezer");
    struct err ignored = {0};

    for (int round = 0; round < V1_ROUNDS; round++) {
        /* Now and then let them run: what holds one up may need another one. */
        if (round && !(round % 100) && v1_write(cg, "THAWED", err) < 0)
            return -err->code;
        if (v1_write(cg, "FROZEN", err) < 0)
            return -err->code;
        if (says(base, cg->path, "freezer.state", "FROZEN"))
            return 0;
        poll(NULL, 0, round < 10 ? 0 : 1);
    }
    v1_write(cg, "THAWED", &ignored);
    return err_set(err, ETIMEDOUT, "processes of the control group '%s' do not stop", cg->path);
}

static bool v1_has_freezer(const struct cgroup *cg)
{
    cleanup_free char *base = cgroup_v1_base(cg, "freezer");

    return cg->version == 1 && cgroup_has(base, cg->path, "freezer.state");
}

static bool v1_frozen(const struct cgroup *cg)
{
    cleanup_free char *base = cgroup_v1_base(cg, "freezer");

    return cg->version == 1 && !says(base, cg->path, "freezer.state", "THAWED") &&
           cgroup_has(base, cg->path, "freezer.state");
}

static bool v2_has_freezer(const struct cgroup *cg)
{
    return cg->unified && cgroup_has(cg->unified, cg->path, "cgroup.freeze");
}

int cgroup_freeze(const struct cgroup *cg, bool frozen, struct err *err)
{
    bool v2 = v2_has_freezer(cg), v1 = v1_has_freezer(cg);

    if (!v1 && !v2)
        return err_set(err, ENOENT, "the control group '%s' is not there, or has no freezer",
                       cg->path);
    /* Another tool may have used version 1's: thawing means both. */
    if (v1 && !frozen && v1_frozen(cg) && v1_write(cg, "THAWED", err) < 0)
        return -err->code;
    if (v2)
        return v2_freeze(cg, frozen, err);
    return frozen ? v1_freeze(cg, err) : 0;
}

int cgroup_frozen(const struct cgroup *cg, struct err *err)
{
    if (!v2_has_freezer(cg) && !v1_has_freezer(cg))
        return err_set(err, ENOENT, "the control group '%s' is not there", cg->path);
    return (v2_has_freezer(cg) && says(cg->unified, cg->path, "cgroup.freeze", "1")) ||
           v1_frozen(cg);
}

int cgroup_hold(const struct cgroup *cg, bool *ret_held, struct err *err)
{
    int frozen = cgroup_frozen(cg, err);

    *ret_held = false;
    if (frozen == -ENOENT) {
        err_clear(err);
        return 0;
    }
    if (frozen || cgroup_freeze(cg, true, err) < 0)
        return frozen > 0 ? 0 : -err->code;
    *ret_held = true;
    return 0;
}

int cgroup_let_go(const struct cgroup *cg, bool held, struct err *err)
{
    return held ? cgroup_freeze(cg, false, err) : 0;
}
