/* cooper-runtime's main(): global flags, then a command out of the table. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/log.h"
#include "runtime/cli/protect.h"
#include "runtime/runtime.h"
#include "runtime/state.h"

const struct flag global_flags[] = {
    {0, "debug", FLAG_BOOL, NULL, "enable debug logging"},
    {0, "log", FLAG_TEXT, NULL, "set the log file to write logs to (default is stderr)"},
    {0, "log-format", FLAG_TEXT, "text", "set the log format: text or json"},
    {0, "root", FLAG_TEXT, NULL,
     "root directory for storage of container state (this should be located in tmpfs)"},
    {0, "systemd-cgroup", FLAG_BOOL, NULL,
     "let systemd make control groups; expects cgroupsPath to be \"slice:prefix:name\""},
    {0, "cgroup-manager", FLAG_TEXT, NULL,
     "who makes control groups: cgroupfs, systemd or disabled"},
    {0, "rootless", FLAG_TEXT, "auto",
     "accepted as runc has it; an ordinary user is recognised anyway"},
    {0, "criu", FLAG_TEXT, NULL, "ignored: checkpoints are not supported"},
    {'v', "version", FLAG_BOOL, NULL, "print the version"},
    {'V', "Version", FLAG_BOOL, NULL, NULL},
    FLAGS_END,
};

int cli_fail(const char *what, const struct err *err)
{
    if (what)
        log_error("%s: %s", what, err->message);
    else
        log_error("%s", err->message);
    return err->exit_status == 126 || err->exit_status == 127 ? err->exit_status : 1;
}

static int print_version(void)
{
    /* containerd and dockerd read these lines by their first words. */
    printf(PROGRAM " version " COOPER_VERSION "\ncommit: " COOPER_COMMIT
                   "\nspec: " STATE_OCI_VERSION "\n");
    return 0;
}

static const struct command *find_command(const char *name)
{
    for (const struct command *const *c = commands; *c; c++)
        if (!strcmp(name, (*c)->name))
            return *c;
    return NULL;
}

/* The first user namespace maps every id onto itself. */
static bool in_user_namespace(void)
{
    cleanup_fclose FILE *f = fopen("/proc/self/uid_map", "re");
    unsigned inside, outside, count;

    return f && fscanf(f, "%u %u %u", &inside, &outside, &count) == 3 &&
           (inside || outside || count != UINT32_MAX);
}

/* runc's rule. Who is root only in a user namespace (rootless Podman calls us from one) is an
 * ordinary user outside, unless he says that he is not. */
static bool has_own_directory(void)
{
    const char *user = getenv("USER");

    return geteuid() || (in_user_namespace() && (!user || strcmp(user, "root")));
}

/* An ordinary user's own directory is his to use; root's is known to everybody. */
static char *default_root(void)
{
    const char *runtime_dir = getenv("XDG_RUNTIME_DIR");
    bool own = runtime_dir && *runtime_dir && has_own_directory();

    return str_format("%s/cooper-runtime", own ? runtime_dir : "/run");
}

static int check_count(const struct command *command, size_t count, struct err *err)
{
    if (count >= command->min && count <= command->max)
        return 0;
    if (command->min == command->max)
        return err_set(err, EINVAL, PROGRAM ": \"%s\" requires exactly %zu argument(s)",
                       command->name, command->min);
    if (count < command->min)
        return err_set(err, EINVAL, PROGRAM ": \"%s\" requires a minimum of %zu argument(s)",
                       command->name, command->min);
    return err_set(err, EINVAL, PROGRAM ": \"%s\" requires a maximum of %zu argument(s)",
                   command->name, command->max);
}

static int run_command(struct cli *cli, const struct command *command, char **argv)
{
    size_t stop_after = command->stop_after ? command->stop_after : SIZE_MAX;
    struct err err = {0};
    int code;

    if (args_parse(command->flags, argv, stop_after, &cli->args, &err) < 0) {
        log_error("%s (" PROGRAM " %s --help lists them)", err.message, command->name);
        return 1;
    }
    if (cli->args.help)
        code = (help_command(command), 0);
    else if (check_count(command, cli->args.count, &err) < 0)
        code = cli_fail(NULL, &err);
    else
        code = command->run(cli);
    args_free(&cli->args);
    return code;
}

/* runc's flag, and crun's. */
static int choose_cgroup_manager(struct cli *cli, struct err *err)
{
    const char *name = args_text(&cli->global, "cgroup-manager");

    if (!name)
        name = args_flag(&cli->global, "systemd-cgroup") ? "systemd" : "cgroupfs";
    if (runtime_cgroup_manager_of(name, &cli->cgroup_manager) < 0)
        return err_set(err, EINVAL, "unknown cgroup manager specified: %s", name);
    return 0;
}

/* Whether we are an ordinary user is seen by itself; the word has to be one of runc's. */
static int check_rootless(const struct cli *cli, struct err *err)
{
    static const char *const words[] = {"auto", "true", "false", "1", "0", "t", "f"};
    const char *value = args_text(&cli->global, "rootless");

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(value, words[i]))
            return 0;
    return err_set(err, EINVAL, "invalid value \"%s\" for flag -rootless: true, false or auto",
                   value);
}

static int dispatch(struct cli *cli)
{
    const struct args *global = &cli->global;
    const struct command *command = global->count ? find_command(global->rest[0]) : NULL;
    struct err err = {0};

    if (args_flag(global, "version") || args_flag(global, "Version"))
        return print_version();
    if (global->help || !global->count || !strcmp(global->rest[0], "help")) {
        help_program();
        return 0;
    }
    if (log_open(args_text(global, "log"), args_text(global, "log-format"),
                 args_flag(global, "debug"), &err) < 0 ||
        check_rootless(cli, &err) < 0 || choose_cgroup_manager(cli, &err) < 0)
        return cli_fail(NULL, &err);
    if (!command) {
        log_error("there is no command '%s': " PROGRAM " --help lists them", global->rest[0]);
        return 3;
    }
    cli->default_root = default_root();
    cli->root = args_text(global, "root") ? args_text(global, "root") : cli->default_root;
    return run_command(cli, command, global->rest + 1);
}

/* What a careless caller left closed would be given to the next file opened here. */
static void fill_stdio(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= 2 && fcntl(fd, F_SETFD, 0) >= 0);
    if (fd > 2)
        close(fd);
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    struct err err = {0};
    int code;

    (void)argc;
    fill_stdio();
    protect_program(argv);
    if (args_parse(global_flags, argv + 1, 1, &cli.global, &err) < 0) {
        log_error("%s (" PROGRAM " --help lists them)", err.message);
        return 1;
    }
    code = dispatch(&cli);
    args_free(&cli.global);
    free(cli.default_root);
    if (fflush(stdout) == EOF) {
        log_error("cannot write the output: %s", strerror(errno));
        return 1;
    }
    return code;
}
