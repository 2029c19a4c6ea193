#include "base/err.h"

#include <stdio.h>
#include <string.h>

static void set_message(struct err *err, int code, const char *format, va_list args)
{
    err->code = code;
    vsnprintf(err->message, sizeof err->message, format, args);
}

int err_set(struct err *err, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    set_message(err, code, format, args);
    va_end(args);
    return -code;
}

int err_errno(struct err *err, const char *format, ...)
{
    int code = errno ? errno : EIO;
    va_list args;
    size_t used;

    va_start(args, format);
    set_message(err, code, format, args);
    va_end(args);
    used = strlen(err->message);
    snprintf(err->message + used, sizeof err->message - used, ": %s", strerror(code));
    return -code;
}

int err_wrap(struct err *err, const char *format, ...)
{
    char before[ERR_MESSAGE_MAX], whole[ERR_MESSAGE_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(before, sizeof before, format, args);
    va_end(args);
    if (snprintf(whole, sizeof whole, "%s: %s", before, err->message) >= (int)sizeof whole)
        memcpy(whole + sizeof whole - 4, "...", 4);
    memcpy(err->message, whole, sizeof whole);
    return err->code ? -err->code : -EIO;
}

void err_clear(struct err *err)
{
    err->code = 0;
    err->exit_status = 0;
    err->message[0] = 0;
}
