/* context_fetch.h - contexts that are no directory yet. Private to build/. */
#pragma once

#include "build/context.h"

/* What comes by a pipe or from an address: a tar is unpacked into `to`, an empty directory;
 * anything else is a Dockerfile, and its text goes to `ret_text`. *ret_tar says which. */
int context_take_input(int input, const volatile bool *cancelled, int to, struct buf *ret_text,
                       bool *ret_tar, struct err *err);
int context_take_url(const char *url, const volatile bool *cancelled, int to, struct buf *ret_text,
                     bool *ret_tar, struct err *err);
