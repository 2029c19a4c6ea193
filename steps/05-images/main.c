/* keg, step 5: runs images made elsewhere.
 *
 * main() stays outside, in the host's namespaces; inside() is PID 1 of the new ones. */
#include <unistd.h>

#include "args.h"
#include "caps.h"
#include "cgroup.h"
#include "command.h"
#include "devices.h"
#include "image.h"
#include "init.h"
#include "mounts.h"
#include "namespaces.h"
#include "overlay.h"
#include "user.h"

static const char *hostname = "keg";

static const struct option_row main_options[] = {{"hostname", "NAME", &hostname}, {0}};
static const struct option_row *const options[] = {main_options, cgroup_options, overlay_options,
                                                   image_options, NULL};

[[gnu::noreturn]] static void inside(const struct image *image)
{
    cgroup_enter();
    namespaces_set_hostname(hostname);
    mounts_make_private();
    devices_take();
    mounts_build(overlay_mount(image->lowers));
    devices_mount();
    caps_drop();
    user_become(image->user, image->directory, image->environment);
    _exit(init_run(image->command, image->environment));
}

int main(int argc, char **argv)
{
    char **args = args_parse(argc, argv, options,
                             "oci:LAYOUT[:TAG]|ROOTFS[:ROOTFS...] [COMMAND [ARG...]]", 1);
    struct image image;
    pid_t child;
    int code;

    if (overlay_command(args))
        return 0;
    cgroup_plan();
    image = image_open(args);
    init_block_signals();
    namespaces_become_root();
    child = namespaces_clone(0);
    if (child == 0)
        inside(&image);
    code = init_supervise(child);
    cgroup_remove();
    return code;
}
