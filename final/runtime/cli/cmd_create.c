/* create and run. */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/foreground.h"
#include "runtime/cli/launch.h"
#include "runtime/cli/log.h"
#include "runtime/hooks.h"
#include "runtime/start.h"

/* --- create ----------------------------------------------------------------------------------- */

static const struct flag create_flags[] = {LAUNCH_FLAGS, FLAGS_END};

/* The name in the directory comes before init is let go: who finds it waiting can start it. */
static int leave(struct launch *l, struct err *err)
{
    if (launch_record_done(l, err) < 0 || start_publish(l->listener, l->container.dir, err) < 0 ||
        runtime_detach(l->made, err) < 0) {
        launch_undo(l);
        return -err->code;
    }
    return 0;
}

static int cmd_create(struct cli *cli)
{
    cleanup_launch struct launch launch = LAUNCH_NONE;
    struct err err = {0};

    if (launch_create(&launch, cli, true, &err) < 0 || leave(&launch, &err) < 0)
        return cli_fail(PROGRAM " create failed", &err);
    return 0;
}

const struct command command_create = {
    .name = "create",
    .arguments = "<container-id>",
    .summary = "create a container",
    .details =
        "   Makes everything but the last execve of the program in the bundle's config.json; it\n"
        "   waits for \"" PROGRAM
        " start\". The id is yours to choose and unique under one --root.\n",
    .flags = create_flags,
    .min = 1,
    .max = 1,
    .run = cmd_create,
};

/* --- run -------------------------------------------------------------------------------------- */

static const struct flag run_flags[] = {
    LAUNCH_FLAGS,
    {'d', "detach", FLAG_BOOL, NULL, "detach from the container's process"},
    {0, "keep", FLAG_BOOL, NULL, "do not delete the container after it exits"},
    FLAGS_END,
};

static int start(struct launch *l, struct err *err)
{
    const struct hooks_place place = {.directory = l->bundle};
    cleanup_json json_t *document = NULL;

    if (launch_record_done(l, err) < 0 || runtime_start(l->made, err) < 0)
        return -err->code;
    if (!hooks_exist(l->config, "poststart"))
        return 0;
    document = state_document(&l->container.state, STATE_RUNNING, runtime_pid(l->made));
    return hooks_run(l->config, "poststart", &place, document, err);
}

/* While it runs others may change it, so the lock is given up and taken again. */
static int clean_up(struct launch *l, struct err *err)
{
    if (state_lock(l->container.dir, l->id, err) < 0) {
        if (err->code != ENOENT)
            return -err->code;
        err_clear(err); /* somebody has deleted it */
        return 0;
    }
    return container_destroy(l->cli, &l->container, l->config, err);
}

static int attend(struct launch *l, int signals, struct err *err)
{
    int code = 255;

    state_unlock(l->container.dir);
    if (foreground_wait(signals, runtime_pid(l->made), runtime_console(l->made), &code, err) < 0)
        return -err->code;
    if (!args_flag(&l->cli->args, "keep") && clean_up(l, err) < 0)
        return -err->code;
    return code;
}

static int cmd_run(struct cli *cli)
{
    bool detach = args_flag(&cli->args, "detach");
    cleanup_launch struct launch launch = LAUNCH_NONE;
    cleanup_close int signals = -1;
    struct err err = {0};
    int code;

    if (!detach) {
        signals = foreground_begin(!args_flag(&cli->args, "no-subreaper"), &err);
        if (signals < 0)
            return cli_fail(PROGRAM " run failed", &err);
    }
    if (launch_create(&launch, cli, detach, &err) < 0)
        return cli_fail(PROGRAM " run failed", &err);
    if (start(&launch, &err) < 0) {
        launch_undo(&launch);
        return cli_fail(PROGRAM " run failed", &err);
    }
    if (detach)
        return 0;
    code = attend(&launch, signals, &err);
    return code < 0 ? cli_fail(PROGRAM " run failed", &err) : code;
}

const struct command command_run = {
    .name = "run",
    .arguments = "<container-id>",
    .summary = "create and run a container",
    .details = "   create, start and, unless --detach or --keep is given, delete in one. In the\n"
               "   foreground it passes signals on and ends with the exit code of the program.\n",
    .flags = run_flags,
    .min = 1,
    .max = 1,
    .run = cmd_run,
};
