/* kill and delete. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/proc.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/container.h"
#include "runtime/cli/log.h"

#define REGEX_HELP                                                                                 \
    "the given id is a regular expression: all containers it matches (POSIX extended)"

/* One container after the other; the first error decides the exit code, but none stops the rest. */
static int for_each(struct cli *cli,
                    int (*act)(const struct cli *cli, const char *id, struct err *err))
{
    cleanup_strv struct strv ids = {0};
    struct err err = {0};
    int code = 0;

    if (!args_flag(&cli->args, "regex"))
        strv_add(&ids, cli->args.rest[0]);
    else if (container_match(cli, cli->args.rest[0], &ids, &err) < 0)
        return cli_fail(NULL, &err);
    for (size_t i = 0; i < ids.len; i++) {
        err_clear(&err);
        if (act(cli, ids.items[i], &err) < 0)
            code = cli_fail(NULL, &err);
    }
    return code;
}

/* --- kill ------------------------------------------------------------------------------------- */

static const struct flag kill_flags[] = {
    {'a', "all", FLAG_BOOL, NULL,
     "send the specified signal to all processes inside the container"},
    {'r', "regex", FLAG_BOOL, NULL, REGEX_HELP},
    FLAGS_END,
};

/* What lives on after init, where the PID namespace is not the container's own, can be reached too.
 */
static int signal_all(const struct container *c, int sig, struct err *err)
{
    const struct runtime_cgroup_place place = state_cgroup(&c->state);

    if (runtime_cgroup_signal(&place, sig, err) == -ENOENT)
        err_clear(err);
    return -err->code;
}

/* Frozen by version 1's freezer, a process dies when it goes on, not before. */
static int wake_to_die(const struct container *c, struct err *err)
{
    const struct runtime_cgroup_place place = state_cgroup(&c->state);

    return runtime_cgroup_freeze(&place, false, err);
}

static int kill_one(const struct cli *cli, const char *id, struct err *err)
{
    const char *name = cli->args.count > 1 ? cli->args.rest[1] : "TERM";
    cleanup_container struct container c = CONTAINER_NONE;
    int sig = proc_signal_number(name);
    enum state_status status;

    if (container_open(cli, id, &c, err) < 0)
        return -err->code;
    if (sig < 0)
        return err_set(err, EINVAL, "unknown signal \"%s\"", name);
    status = container_status(&c);
    if (args_flag(&cli->args, "all"))
        signal_all(&c, sig, err);
    else if (status == STATE_STOPPED)
        err_set(err, ESRCH, "container not running");
    else
        container_signal(&c, sig, err);
    if (!err->code && status == STATE_PAUSED && sig == SIGKILL)
        wake_to_die(&c, err);
    return -err->code;
}

static int cmd_kill(struct cli *cli)
{
    return for_each(cli, kill_one);
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

/* --- delete ----------------------------------------------------------------------------------- */

static const struct flag delete_flags[] = {
    {'f', "force", FLAG_BOOL, NULL,
     "forcibly deletes the container if it is still running (SIGKILL)"},
    {'r', "regex", FLAG_BOOL, NULL, REGEX_HELP},
    FLAGS_END,
};

/* What is there makes no sense. That it cannot be read at the moment is something else. */
static bool is_damaged(const struct err *err)
{
    return err->code == EINVAL || err->code == EFBIG;
}

/* Nothing is made before the record, so without a readable one there is nothing to end. */
static int remove_without_record(const struct cli *cli, const char *id, const struct container *c,
                                 struct err *err)
{
    struct err why = *err;

    if (why.code != ENOENT && !is_damaged(&why))
        return -err->code;
    if (why.code != ENOENT && !args_flag(&cli->args, "force"))
        return err_wrap(err, "delete --force removes it");
    err_clear(err);
    if (state_remove(cli->root, id, c->dir, err) < 0)
        return -err->code;
    if (why.code == ENOENT)
        *err = why; /* it did not exist; what was there instead is gone */
    return -err->code;
}

static int destroy(const struct cli *cli, const char *id, struct err *err)
{
    cleanup_container struct container c = CONTAINER_NONE;
    enum state_status status;

    if (state_open(cli->root, id, &c.dir, err) < 0 || state_lock(c.dir, id, err) < 0)
        return -err->code;
    if (state_load(c.dir, &c.state, err) < 0)
        return remove_without_record(cli, id, &c, err);
    status = container_status(&c);
    if (status != STATE_STOPPED && status != STATE_CREATED && !args_flag(&cli->args, "force"))
        return err_set(err, EBUSY, "cannot delete container %s that is not stopped: %s", id,
                       state_status_name(status));
    return container_destroy(cli, &c, NULL, err);
}

static int delete_one(const struct cli *cli, const char *id, struct err *err)
{
    if (destroy(cli, id, err) == -ENOENT && args_flag(&cli->args, "force"))
        err_clear(err);
    return -err->code;
}

static int cmd_delete(struct cli *cli)
{
    return for_each(cli, delete_one);
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
