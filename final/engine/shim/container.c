#include "engine/shim/container.h"

#include "engine/shim/shim.h"

struct shim_container {
    struct runtime_container *own; /* one of the two */
    struct foreign *foreign;
};

static int create_own(const struct shim_create *create, struct runtime_container **ret,
                      struct err *err)
{
    const struct shim_options *o = create->options;
    struct runtime_request request = {
        .id = o->id,
        .bundle = o->dir,
        .config = create->config,
        .stdio = {create->stdio[0], create->stdio[1], create->stdio[2]},
        .rows = (unsigned short)o->rows,
        .columns = (unsigned short)o->columns,
        .meanwhile = create->meanwhile,
        .context = create->context};

    return runtime_create(&request, ret, err);
}

int shim_container_create(const struct shim_create *create, struct shim_container **ret,
                          struct err *err)
{
    struct shim_container c = {0};
    int r = create->options->runtime ? foreign_create(create, &c.foreign, err)
                                     : create_own(create, &c.own, err);

    if (r < 0)
        return r;
    *ret = mem_alloc(sizeof c);
    **ret = c;
    return 0;
}

int shim_container_start(struct shim_container *c, struct err *err)
{
    return c->own ? runtime_start(c->own, err) : foreign_start(c->foreign, err);
}

pid_t shim_container_pid(const struct shim_container *c)
{
    return c->own ? runtime_pid(c->own) : foreign_pid(c->foreign);
}

int shim_container_pidfd(const struct shim_container *c)
{
    return c->own ? runtime_pidfd(c->own) : foreign_pidfd(c->foreign);
}

int shim_container_console(const struct shim_container *c)
{
    return c->own ? runtime_console(c->own) : foreign_console(c->foreign);
}

bool shim_container_oom_killed(const struct shim_container *c)
{
    struct runtime_cgroup_place place;
    struct runtime_stats stats;
    struct err ignored = {0};
    bool killed;

    if (c->own)
        return runtime_oom_killed(c->own);
    place = foreign_place(c->foreign);
    if (runtime_cgroup_stats(&place, &stats, &ignored) < 0)
        return false;
    killed = stats.memory.oom_kills > 0;
    runtime_stats_free(&stats);
    return killed;
}

struct runtime_cgroup_place shim_container_place(const struct shim_container *c)
{
    return c->own ? runtime_cgroup_place(c->own) : foreign_place(c->foreign);
}

int shim_container_destroy(struct shim_container *c, struct err *err)
{
    return c->own ? runtime_destroy(c->own, err) : foreign_destroy(c->foreign, err);
}
