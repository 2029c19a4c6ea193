/* confirm.h - asking before something is removed. */
#pragma once

#include <stdbool.h>

/* Prints "WARNING! <what>" and docker's question, reads a line from stdin. True only for "y". */
bool confirm(const char *what);
