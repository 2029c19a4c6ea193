/* log.h - what the program says beside its output. The formats are runc's: containerd, Podman and
 * Docker read the error back from the file they gave with --log, and show the last line of stderr.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/* --log, --log-format and --debug. Until it is called, messages go to stderr as text. The file is
 * opened for appending, and made. */
int log_open(const char *path, const char *format, bool debug, struct err *err);

/* Levels as logrus names them. An error also goes to stderr when the log is a file. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* log_warning() in the form that the runtime's requests take. */
void log_warn(void *unused, const char *message);
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
