/* The registry that images are pulled from: threads of a process that is the elder brother of the
 * one that sweeps, so that it is not among those whose end is waited for. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "crash/scenario.h"
#include "support/fake_image.h"

static char address[64];

const char *scenario_registry(void)
{
    return address;
}

static _Noreturn void serve(int tell)
{
    struct fake_registry *registry = fake_start();
    struct fake_layer layers[2];
    struct fake_image image = {.layers = layers, .count = 2};

    fake_layer_make(&layers[0], "etc/marker", "first\n", 70000);
    fake_layer_make(&layers[1], "etc/other", "second\n", 0);
    fake_push(registry, "cask", "1", &image, NULL);
    fake_accept_pushes(registry);
    if (write(tell, fake_address(registry), strlen(fake_address(registry))) < 0)
        _exit(1);
    close(tell);
    for (;;)
        pause();
}

pid_t scenario_start_registry(struct err *err)
{
    pid_t parent = getpid(), pid;
    ssize_t n;
    int tell[2];

    if (pipe2(tell, O_CLOEXEC) < 0)
        return err_errno(err, "pipe");
    pid = fork();
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            serve(tell[1]);
        _exit(1);
    }
    close(tell[1]);
    n = pid < 0 ? -1 : read(tell[0], address, sizeof address - 1);
    close(tell[0]);
    if (n <= 0)
        return err_set(err, EIO, "the registry does not start");
    address[n] = 0;
    return pid;
}
