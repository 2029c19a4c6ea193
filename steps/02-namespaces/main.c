/* keg, step 2: own names for mounts, processes, the host name and users.
 *
 * main() stays outside, in the host's namespaces; inside() is PID 1 of the new ones. */
#include <unistd.h>

#include "caps.h"
#include "command.h"
#include "die.h"
#include "init.h"
#include "mounts.h"
#include "namespaces.h"

[[gnu::noreturn]] static void inside(const char *root, char **command)
{
    namespaces_set_hostname("keg");
    mounts_make_private();
    mounts_build(root);
    caps_drop();
    _exit(init_run(command, command_environment));
}

int main(int argc, char **argv)
{
    pid_t child;

    if (argc < 3)
        die("for example: keg build/rootfs sh", "usage: keg ROOTFS COMMAND [ARG...]");
    init_block_signals();
    namespaces_become_root();
    child = namespaces_clone(0);
    if (child == 0)
        inside(argv[1], argv + 2);
    return init_supervise(child);
}
