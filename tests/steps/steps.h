/* steps.h - the steps as the tests see them: their directories and the keg each of them builds. */
#pragma once

#include "base/str.h"

/* The names of the directories below steps/, in order: "01-chroot", ... The list is made once. */
const struct strv *steps_all(void);
/* The one with this number; NULL when it is not there. */
const char *steps_name(int number);
/* The keg that the makefile built from it. */
const char *steps_keg(int number);
/* For an unchecked fixture: a network and mounts of the tests' own, so that the machine gets none
 * from them. */
void steps_separate(void);
