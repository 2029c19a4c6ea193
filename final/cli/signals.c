#include "cli/signals.h"

#include <signal.h>

static volatile bool cancelled;

static void on_signal(int sig)
{
    (void)sig;
    cancelled = true;
}

const volatile bool *signals_catch(void)
{
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = (int)(SA_RESTART | SA_RESETHAND)};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return &cancelled;
}
