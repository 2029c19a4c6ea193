/* world_inside.h - the processes a world is made of; world.c alone uses it. */
#pragma once

#include "tutorial/world.h"

/* The ends of the pipes that the processes of the world have, and the one they fail through. */
struct inside {
    const char *sources;
    struct shell root, user;
    int report; /* text: why it failed; "\n" alone: ready */
};

/* The outside's whole life, in a child made for it. It makes the inside and does not return. */
void world_outside(const struct inside *in) __attribute__((noreturn));
