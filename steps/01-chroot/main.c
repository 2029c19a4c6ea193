/* keg, step 1: a root directory of its own, and less power.
 *
 * The order matters. chroot(2) needs a capability, so the capabilities go after it. */
#include "caps.h"
#include "command.h"
#include "die.h"
#include "rootfs.h"

int main(int argc, char **argv)
{
    if (argc < 3)
        die("for example: keg build/rootfs sh", "usage: keg ROOTFS COMMAND [ARG...]");
    rootfs_chroot(argv[1]);
    caps_drop();
    command_exec(argv + 2, command_environment);
}
