/* keg, step 4: many kegs share one root file system, and each may change all of it.
 *
 * main() stays outside, in the host's namespaces; inside() is PID 1 of the new ones. */
#include <unistd.h>

#include "args.h"
#include "caps.h"
#include "cgroup.h"
#include "command.h"
#include "devices.h"
#include "init.h"
#include "mounts.h"
#include "namespaces.h"
#include "overlay.h"

static const char *hostname = "keg";

static const struct option_row main_options[] = {{"hostname", "NAME", &hostname}, {0}};
static const struct option_row *const options[] = {main_options, cgroup_options, overlay_options,
                                                   NULL};

[[gnu::noreturn]] static void inside(const char *lowers, char **command)
{
    cgroup_enter();
    namespaces_set_hostname(hostname);
    mounts_make_private();
    devices_take();
    mounts_build(overlay_mount(lowers));
    devices_mount();
    caps_drop();
    _exit(init_run(command, command_environment));
}

int main(int argc, char **argv)
{
    char **args = args_parse(argc, argv, options, "ROOTFS[:ROOTFS...] COMMAND [ARG...]", 2);
    pid_t child;
    int code;

    if (overlay_command(args))
        return 0;
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
