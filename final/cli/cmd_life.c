/* stop, restart, kill, pause, unpause, rm, wait: the same thing for each container named; one that
 * fails does not keep the others. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/proc.h"
#include "cli/commands.h"
#include "cli/values.h"

static const struct flag stop_flags[] = {
    {'s', "signal", FLAG_ONE, "string", NULL, NULL, .help = "Signal to send to the container"},
    {0, "time", FLAG_ONE, "int", value_check_int, .alias_of = "timeout"},
    {'t', "timeout", FLAG_ONE, "int", value_check_int, NULL,
     .help = "Seconds to wait before killing the container"},
    FLAGS_END,
};

static const struct flag kill_flags[] = {
    {'s', "signal", FLAG_ONE, "string", NULL, NULL, .help = "Signal to send to the container"},
    FLAGS_END,
};

static const struct flag rm_flags[] = {
    {'f', "force", .help = "Force the removal of a running container (uses SIGKILL)"},
    {'v', "volumes", .help = "Remove anonymous volumes associated with the container"},
    FLAGS_END,
};

static const struct flag no_flags[] = {FLAGS_END};

/* Does it to one container; may print. 0 or -errno with err. */
typedef int act_function(struct cli *cli, const char *name, const struct container *c,
                         struct err *err);

/* A container that is not there is no failure for `rm -f`, which wants exactly that; it says so all
 * the same. */
static int act_on(struct cli *cli, const char *name, act_function *act, bool missing_is_fine,
                  const char *context)
{
    struct container c;
    struct err err = {0};
    int r = engine_find(cli->engine, name, &c, &err);

    if (r < 0) {
        if (context)
            err_wrap(&err, "%s: %s", context, name);
        cli_engine_fail(cli, &err);
        return r == -ENOENT && missing_is_fine ? 0 : EXIT_FAILURE;
    }
    r = act(cli, name, &c, &err);
    container_free(&c);
    if (r < 0)
        cli_engine_fail(cli, &err);
    return r < 0 ? EXIT_FAILURE : 0;
}

/* `context` comes before the message when there is no such container; NULL: nothing does. */
static int act_on_all(struct cli *cli, act_function *act, bool missing_is_fine, const char *context)
{
    struct err err = {0};
    int code = 0;

    if (cli_engine(cli, &err) < 0)
        return cli_engine_fail(cli, &err);
    for (size_t i = 0; i < cli->options.arg_count; i++)
        code |= act_on(cli, cli->options.args[i], act, missing_is_fine, context);
    return code;
}

/* Or about to be: one that is "creating" and found is being started by a `run`. */
static bool alive(const struct container *c)
{
    static const char *const states[] = {"creating", "starting", "running", "paused", "restarting"};

    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (!strcmp(c->state, states[i]))
            return true;
    return false;
}

static int stop_one(struct cli *cli, const char *name, const struct container *c, struct err *err)
{
    const char *text = options_one(&cli->options, "signal");
    int sig = text ? proc_signal_number(text) : 0;
    int timeout = (int)options_number(&cli->options, "timeout", ENGINE_STOP_DEFAULT);

    if (sig < 0)
        return err_set(err, EINVAL, "Invalid signal: %s", text);
    if (alive(c) && engine_stop(cli->engine, c, sig, timeout, err) < 0)
        return err_wrap(err, "cannot stop container: %s", name);
    puts(name);
    fflush(stdout);
    return 0;
}

static int restart_one(struct cli *cli, const char *name, const struct container *c,
                       struct err *err)
{
    const char *text = options_one(&cli->options, "signal");
    int sig = text ? proc_signal_number(text) : 0;
    int timeout = (int)options_number(&cli->options, "timeout", ENGINE_STOP_DEFAULT);

    if (sig < 0)
        return err_set(err, EINVAL, "Invalid signal: %s", text);
    if (engine_restart(cli->engine, c, sig, timeout, err) < 0)
        return -err->code;
    puts(name);
    fflush(stdout);
    return 0;
}

static int cmd_restart(struct cli *cli)
{
    return act_on_all(cli, restart_one, false, NULL);
}

static int pause_one(struct cli *cli, const char *name, const struct container *c, struct err *err)
{
    if (engine_pause(cli->engine, c, err) < 0)
        return -err->code;
    puts(name);
    return 0;
}

static int cmd_pause(struct cli *cli)
{
    return act_on_all(cli, pause_one, false, NULL);
}

static int unpause_one(struct cli *cli, const char *name, const struct container *c,
                       struct err *err)
{
    if (engine_unpause(cli->engine, c, err) < 0)
        return -err->code;
    puts(name);
    return 0;
}

static int cmd_unpause(struct cli *cli)
{
    return act_on_all(cli, unpause_one, false, NULL);
}

static int cmd_stop(struct cli *cli)
{
    return act_on_all(cli, stop_one, false, NULL);
}

static int kill_one(struct cli *cli, const char *name, const struct container *c, struct err *err)
{
    const char *text = options_one(&cli->options, "signal");
    int sig = text ? proc_signal_number(text) : SIGKILL;

    if (sig < 0 && !text[strspn(text, "0123456789")]) /* a number, but none of a signal */
        return err_set(err, EINVAL,
                       "Cannot kill container: %s: The linux daemon does not support signal %s",
                       name, text);
    if (sig < 0)
        return err_set(err, EINVAL, "Invalid signal: %s", text);
    if (!alive(c))
        return err_set(err, EINVAL, "Cannot kill container: %s: Container %s is not running", name,
                       c->id);
    if (engine_kill(cli->engine, c, sig, err) < 0)
        return err_wrap(err, "Cannot kill container: %s", name);
    puts(name);
    return 0;
}

static int cmd_kill(struct cli *cli)
{
    return act_on_all(cli, kill_one, false, "Cannot kill container");
}

static int rm_one(struct cli *cli, const char *name, const struct container *c, struct err *err)
{
    bool force = options_flag(&cli->options, "force"),
         volumes = options_flag(&cli->options, "volumes");
    int r = engine_remove(cli->engine, c, force, volumes, err);

    if (r < 0)
        return r;
    puts(name);
    return 0;
}

static int cmd_rm(struct cli *cli)
{
    return act_on_all(cli, rm_one, options_flag(&cli->options, "force"), NULL);
}

static int wait_one(struct cli *cli, const char *name, const struct container *c, struct err *err)
{
    int code, r = engine_wait(cli->engine, c, &code, err);

    (void)name;
    if (r < 0)
        return r;
    printf("%d\n", code);
    fflush(stdout);
    return 0;
}

static int cmd_wait(struct cli *cli)
{
    return act_on_all(cli, wait_one, false, NULL);
}

const struct command command_stop = {
    .paths = {"container stop", "stop"},
    .arguments = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Stop one or more running containers",
    .flags = stop_flags,
    .min_args = 1,
    .max_args = -1,
    .run = cmd_stop,
};

const struct command command_restart = {
    .paths = {"container restart", "restart"},
    .arguments = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Restart one or more containers",
    .flags = stop_flags,
    .min_args = 1,
    .max_args = -1,
    .run = cmd_restart,
};

const struct command command_pause = {
    .paths = {"container pause", "pause"},
    .arguments = "CONTAINER [CONTAINER...]",
    .summary = "Pause all processes within one or more containers",
    .flags = no_flags,
    .min_args = 1,
    .max_args = -1,
    .run = cmd_pause,
};

const struct command command_unpause = {
    .paths = {"container unpause", "unpause"},
    .arguments = "CONTAINER [CONTAINER...]",
    .summary = "Unpause all processes within one or more containers",
    .flags = no_flags,
    .min_args = 1,
    .max_args = -1,
    .run = cmd_unpause,
};

const struct command command_kill = {
    .paths = {"container kill", "kill"},
    .arguments = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Kill one or more running containers",
    .flags = kill_flags,
    .min_args = 1,
    .max_args = -1,
    .run = cmd_kill,
};

const struct command command_rm = {
    .paths = {"container rm", "container remove", "rm"},
    .arguments = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Remove one or more containers",
    .flags = rm_flags,
    .min_args = 1,
    .max_args = -1,
    .run = cmd_rm,
};

const struct command command_wait = {
    .paths = {"container wait", "wait"},
    .arguments = "CONTAINER [CONTAINER...]",
    .summary = "Block until one or more containers stop, then print their exit codes",
    .flags = no_flags,
    .min_args = 1,
    .max_args = -1,
    .run = cmd_wait,
};
