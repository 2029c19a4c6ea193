/* start. */
#include <errno.h>
#include <signal.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/container.h"
#include "runtime/hooks.h"
#include "runtime/start.h"

static const struct flag no_flags[] = {FLAGS_END};

static int check_startable(const struct container *c, struct err *err)
{
    switch (container_status(c)) {
    case STATE_CREATED:
        return 0;
    case STATE_STOPPED:
        return err_set(err, EINVAL, "cannot start a container that has stopped");
    case STATE_RUNNING:
        return err_set(err, EINVAL, "cannot start an already running container");
    default:
        return err_set(err, EINVAL, "cannot start a container in the %s state",
                       state_status_name(container_status(c)));
    }
}

/* A hook that fails ends the container, as OCI runtime.md has it. */
static int run_poststart(const struct container *c, struct err *err)
{
    const struct hooks_place place = {.directory = c->state.bundle};
    cleanup_json json_t *config = container_config(c, err), *document = NULL;

    if (!config)
        return -err->code;
    if (!hooks_exist(config, "poststart"))
        return 0;
    document = state_document(&c->state, STATE_RUNNING, c->state.init.pid);
    if (hooks_run(config, "poststart", &place, document, err) < 0) {
        struct err ignored = {0};

        container_signal(c, SIGKILL, &ignored);
        return -err->code;
    }
    return 0;
}

static int cmd_start(struct cli *cli)
{
    cleanup_container struct container c = CONTAINER_NONE;
    struct err err = {0};

    if (container_lock(cli, cli->args.rest[0], &c, &err) < 0 || check_startable(&c, &err) < 0 ||
        start_call(c.dir, &err) < 0)
        return cli_fail(NULL, &err);
    start_unpublish(c.dir);
    return run_poststart(&c, &err) < 0 ? cli_fail(NULL, &err) : 0;
}

const struct command command_start = {
    .name = "start",
    .arguments = "<container-id>",
    .summary = "executes the user defined process in a created container",
    .flags = no_flags,
    .min = 1,
    .max = 1,
    .run = cmd_start,
};
