/* build_display.h - a build on a terminal: what is done scrolls by as one line a step with the time
 * it took; below it, drawn again and again, stand the steps that are at work with the last lines
 * they wrote. */
#pragma once

#include "build/build.h"

struct build_display;
struct build_display *build_display_new(void);
void build_display_event(struct build_display *display, const struct build_event *event);
/* After a failure the whole output of the step that failed is shown. Frees. */
void build_display_end(struct build_display *display, bool success);
