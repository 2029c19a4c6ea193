/* err.h - how a failure travels from the system call that failed to the person who reads about it.
 *
 * Every fallible function returns 0 (or a useful non-negative number) or -errno, and takes a
 * `struct err *` as its last argument. The callee says what failed and with which value; each
 * caller on the way up may say why that mattered (err_wrap). Only cli/ prints, only main() exits.
 */
#pragma once

#include <errno.h>
#include <stdarg.h>

#define ERR_MESSAGE_MAX 2048

struct err {
    int code;        /* the positive errno, 0 while there is no error */
    int exit_status; /* 0, or the exit code a shell would use: 125, 126, 127, ... */
    char message[ERR_MESSAGE_MAX];
};

/* Records "<format>" and returns -code. The message replaces an earlier one. */
int err_set(struct err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Records "<format>: <strerror(errno)>" and returns -errno: for a system call that just failed. */
int err_errno(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "<format>: " before the message that is there and returns -err->code. */
int err_wrap(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Forgets an error that was handled. */
void err_clear(struct err *err);
