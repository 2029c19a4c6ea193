/* pause and resume. */
#include <errno.h>

#include "runtime/cli/commands.h"
#include "runtime/cli/container.h"

static const struct flag no_flags[] = {FLAGS_END};

static int freeze(const struct container *c, bool frozen, struct err *err)
{
    const struct runtime_cgroup_place place = state_cgroup(&c->state);
    enum state_status status = container_status(c);

    if (frozen && status != STATE_RUNNING && status != STATE_CREATED)
        return err_set(err, EINVAL, "container not running");
    if (!frozen && status != STATE_PAUSED)
        return err_set(err, EINVAL, "container not paused");
    return runtime_cgroup_freeze(&place, frozen, err);
}

static int change(struct cli *cli, bool frozen)
{
    cleanup_container struct container c = CONTAINER_NONE;
    struct err err = {0};

    if (container_lock(cli, cli->args.rest[0], &c, &err) < 0 || freeze(&c, frozen, &err) < 0)
        return cli_fail(NULL, &err);
    return 0;
}

static int cmd_pause(struct cli *cli)
{
    return change(cli, true);
}

static int cmd_resume(struct cli *cli)
{
    return change(cli, false);
}

const struct command command_pause = {
    .name = "pause",
    .arguments = "<container-id>",
    .summary = "pause suspends all processes inside the container",
    .flags = no_flags,
    .min = 1,
    .max = 1,
    .run = cmd_pause,
};

const struct command command_resume = {
    .name = "resume",
    .arguments = "<container-id>",
    .summary = "resumes all processes that have been previously paused",
    .flags = no_flags,
    .min = 1,
    .max = 1,
    .run = cmd_resume,
};
