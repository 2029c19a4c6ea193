/* lists.h - what a registry lists in pages: tags, repositories. */
#pragma once

#include "registry/conversation.h"

/* Appends the strings of `member` of every page of `path`, for as long as a page names a next one.
 */
int lists_get(struct registry *r, const char *path, const char *member, struct strv *ret,
              struct err *err);
