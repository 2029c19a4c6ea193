/* kill and delete. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/proc.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/container.h"

/* --- kill ---------------------------------------------------------------------------------------
 */

static const struct flag kill_flags[] = {
    {'a', "all", FLAG_BOOL, NULL,
     "send the specified signal to all processes inside the container"},
    FLAGS_END,
};

static int cmd_kill(struct cli *cli)
{
    const char *name = cli->args.count > 1 ? cli->args.rest[1] : "TERM";
    cleanup_container struct container c = CONTAINER_NONE;
    struct err err = {0};
    int sig = proc_signal_number(name);

    if (container_open(cli, cli->args.rest[0], &c, &err) < 0)
        return cli_fail(NULL, &err);
    if (sig < 0)
        err_set(&err, EINVAL, "unknown signal \"%s\"", name);
    else if (container_status(&c) == STATE_STOPPED)
        err_set(&err, ESRCH, "container not running");
    else
        container_signal(&c, sig, &err);
    return err.code ? cli_fail(NULL, &err) : 0;
}

const struct command command_kill = {
    .name = "kill",
    .arguments = "<container-id> [signal]",
    .summary = "sends the specified signal (default: SIGTERM) to the container's init process",
    .flags = kill_flags,
    .min = 1,
    .max = 2,
    .run = cmd_kill,
};

/* --- delete -------------------------------------------------------------------------------------
 */

static const struct flag delete_flags[] = {
    {'f', "force", FLAG_BOOL, NULL,
     "forcibly deletes the container if it is still running (SIGKILL)"},
    FLAGS_END,
};

static int destroy(const struct cli *cli, const char *id, bool force, struct err *err)
{
    cleanup_container struct container c = CONTAINER_NONE;
    enum state_status status;

    if (state_open(cli->root, id, &c.dir, err) < 0 || state_lock(c.dir, id, err) < 0)
        return -err->code;
    if (state_load(c.dir, &c.state, err) < 0) {
        /* Nothing is made before the record, so without a readable one there is nothing to end. */
        if (force || err->code == ENOENT)
            state_remove(cli->root, id, c.dir, err);
        return -err->code;
    }
    status = container_status(&c);
    if (status != STATE_STOPPED && status != STATE_CREATED && !force)
        return err_set(err, EBUSY, "cannot delete container %s that is not stopped: %s", id,
                       state_status_name(status));
    return container_destroy(cli, &c, NULL, err);
}

static int cmd_delete(struct cli *cli)
{
    bool force = args_flag(&cli->args, "force");
    struct err err = {0};

    if (destroy(cli, cli->args.rest[0], force, &err) < 0 && !(force && err.code == ENOENT))
        return cli_fail(NULL, &err);
    return 0;
}

const struct command command_delete = {
    .name = "delete",
    .arguments = "<container-id>",
    .summary = "delete any resources held by the container",
    .details = "   Removes a container that was created or has stopped: what is left of its "
               "processes, its\n"
               "   control group and its record. With --force a missing container is no error.\n",
    .flags = delete_flags,
    .min = 1,
    .max = 1,
    .run = cmd_delete,
};
