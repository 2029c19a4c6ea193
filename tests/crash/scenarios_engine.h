/* scenarios_engine.h - what the scenarios of cooper's commands share. */
#pragma once

#include "crash/place.h"
#include "crash/scenario.h"

#define COOPER BUILD_DIR "/bin/cooper"
#define ROOT   PLACE_HOME "/root"
#define TAR    PLACE_HOME "/box.tar" /* of a root filesystem */
#define BOX    "box:1"

/* Whose calls count, and "cooper --root ROOT". */
extern const char *const engine_programs[], *const engine_prefix[];
/* The state directory with the image BOX, and TAR. */
int engine_furnish(struct err *err);
