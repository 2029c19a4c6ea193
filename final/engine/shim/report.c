/* report.c - what the shim answers to the command that started it. */
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/shim/shim.h"

void shim_report(const struct shim_report *message)
{
    if (send(SHIM_REPORT_FD, message, sizeof *message, MSG_NOSIGNAL) < 0)
        errno = 0; /* the command died: the container lives on, its record is found through run/ */
    close(SHIM_REPORT_FD);
}

void shim_report_failure(const struct err *err)
{
    struct shim_report message = {.code = err->code ? err->code : EIO,
                                  .exit_status = err->exit_status ? err->exit_status : 125};

    snprintf(message.message, sizeof message.message, "%s", err->message);
    shim_report(&message);
}
