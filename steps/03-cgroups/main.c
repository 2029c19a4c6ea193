/* keg, step 3: limits on memory, CPU time and processes.
 *
 * main() stays outside, in the host's namespaces; inside() is PID 1 of the new ones. */
#include <unistd.h>

#include "args.h"
#include "caps.h"
#include "cgroup.h"
#include "command.h"
#include "init.h"
#include "mounts.h"
#include "namespaces.h"

static const char *hostname = "keg";

static const struct option_row main_options[] = {{"hostname", "NAME", &hostname}, {0}};
static const struct option_row *const options[] = {main_options, cgroup_options, NULL};

[[gnu::noreturn]] static void inside(const char *root, char **command)
{
    cgroup_enter();
    namespaces_set_hostname(hostname);
    mounts_make_private();
    mounts_build(root);
    caps_drop();
    _exit(init_run(command, command_environment));
}

int main(int argc, char **argv)
{
    char **args = args_parse(argc, argv, options, "ROOTFS COMMAND [ARG...]", 2);
    pid_t child;
    int code;

    cgroup_plan();
    init_block_signals();
    namespaces_become_root();
    child = namespaces_clone(0);
    if (child == 0)
        inside(args[0], args + 1);
    code = init_supervise(child);
    cgroup_remove();
    return code;
}
