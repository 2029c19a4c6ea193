/* chapters.h - the chapters that there are. */
#pragma once

#include "base/str.h"

/* tutorial/[0-9]*.md of the tree, in their order; the same list for the whole run. */
const struct strv *chapters_list(void);
