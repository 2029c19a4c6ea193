/* build_output.h - what a build shows while it goes on.
 *
 *     build_output.c    lines, as docker's classic builder writes them
 *     build_display.c   on a terminal: a list of steps that is drawn again as it goes on
 *
 * Stages may run at the same time. The lines of one are written as they come, those of stages
 * behind it in the Dockerfile wait until it is done: whoever reads sees the order of the file. */
#pragma once

#include "build/build.h"

struct build_output;

enum build_style { BUILD_PLAIN, BUILD_TTY, BUILD_QUIET };
struct build_output *build_output_new(enum build_style style);
/* A build_listener; its context is the output. */
void build_output_event(void *output, const struct build_event *event);
/* Everything that was held back; with BUILD_QUIET only after a failure, to standard error. Frees.
 */
void build_output_end(struct build_output *output, bool success);
