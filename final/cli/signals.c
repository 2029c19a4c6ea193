#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static volatile bool cancelled;
static int told[2] = {-1, -1};

static void on_signal(int sig)
{
    int saved = errno;

    (void)sig;
    cancelled = true;
    if (told[1] >= 0 && write(told[1], "", 1) < 0)
        errno = saved;
    errno = saved;
}

int signals_descriptor(void)
{
    if (told[0] < 0 && pipe2(told, O_CLOEXEC | O_NONBLOCK) < 0)
        return -1;
    return told[0];
}

const volatile bool *signals_catch(void)
{
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = (int)(SA_RESTART | SA_RESETHAND)};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return &cancelled;
}
