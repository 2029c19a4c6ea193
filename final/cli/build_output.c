#include "cli/build_output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/build_display.h"

#define QUIET_MAX (4u << 20)

struct lane {
    struct buf held;
    bool ended, broken_line; /* its command's last line has no end yet */
    bool cut;                /* what came first is not held any more */
    char container[13];
};

struct build_output {
    enum build_style style;
    struct lane *lanes;
    unsigned count, speaks; /* the first lane that has not ended */
    struct build_display *display;
};

struct build_output *build_output_new(enum build_style style)
{
    struct build_output *o = mem_alloc(sizeof *o);

    o->style = style;
    if (style == BUILD_TTY)
        o->display = build_display_new();
    return o;
}

static struct lane *lane_of(struct build_output *o, unsigned number)
{
    if (number >= o->count) {
        o->lanes = mem_grow(o->lanes, number + 1, sizeof *o->lanes);
        memset(o->lanes + o->count, 0, (number + 1 - o->count) * sizeof *o->lanes);
        o->count = number + 1;
    }
    return &o->lanes[number];
}

/* With -q only a failure is told of, and its reason is in the last lines: a command may write more
 * than there is memory. */
static void forget_some(struct lane *lane)
{
    struct buf *held = &lane->held;
    const char *half = held->data + held->len / 2;
    const char *end = memchr(half, '\n', held->len - held->len / 2);
    size_t gone = end ? (size_t)(end + 1 - held->data) : held->len / 2;

    memmove(held->data, held->data + gone, held->len - gone);
    held->len -= gone;
    lane->cut = true;
}

static void say(struct build_output *o, unsigned number, const char *text, size_t len)
{
    struct lane *lane = lane_of(o, number);

    if (o->style == BUILD_PLAIN && number == o->speaks) {
        fwrite(text, 1, len, stdout);
        return;
    }
    buf_add(&lane->held, text, len);
    if (o->style == BUILD_QUIET && lane->held.len > QUIET_MAX)
        forget_some(lane);
}

static void say_line(struct build_output *o, const struct build_event *e, const char *before,
                     const char *text)
{
    struct lane *lane = lane_of(o, e->lane);
    cleanup_free char *line = str_format("%s%s%s\n", lane->broken_line ? "\n" : "", before, text);

    lane->broken_line = false;
    say(o, e->lane, line, strlen(line));
}

static void end_lane(struct build_output *o, unsigned number)
{
    lane_of(o, number)->ended = true;
    while (o->style == BUILD_PLAIN && o->speaks < o->count && o->lanes[o->speaks].ended) {
        o->speaks++;
        if (o->speaks < o->count) {
            struct buf *held = &o->lanes[o->speaks].held;

            if (held->len) /* of a stage that waited there is nothing, not even a buffer */
                fwrite(held->data, 1, held->len, stdout);
            held->len = 0;
        }
    }
}

static void say_made(struct build_output *o, const struct build_event *e)
{
    struct lane *lane = lane_of(o, e->lane);

    if (*lane->container)
        say_line(o, e, " ---> Removed intermediate container ", lane->container);
    lane->container[0] = 0;
    if (*e->text)
        say_line(o, e, " ---> ", e->text);
}

static void say_output(struct build_output *o, const struct build_event *e)
{
    say(o, e->lane, e->text, e->len);
    if (e->len)
        lane_of(o, e->lane)->broken_line = e->text[e->len - 1] != '\n';
}

static void plain(struct build_output *o, const struct build_event *e)
{
    char step[40];

    switch (e->kind) {
    case BUILD_STEP:
        snprintf(step, sizeof step, "Step %u/%u : ", e->step, e->steps);
        say_line(o, e, step, e->text);
        break;
    case BUILD_CACHED:
        say_line(o, e, " ---> Using cache", "");
        break;
    case BUILD_RUNNING:
        snprintf(lane_of(o, e->lane)->container, sizeof o->lanes->container, "%s", e->text);
        say_line(o, e, " ---> Running in ", e->text);
        break;
    case BUILD_OUTPUT:
        say_output(o, e);
        break;
    case BUILD_MADE:
        say_made(o, e);
        break;
    case BUILD_WHY:
        say_line(o, e, " ---> Not in the cache: ", e->text);
        break;
    case BUILD_WARNING:
        say_line(o, e, "[Warning] ", e->text);
        break;
    case BUILD_NOTE:
    case BUILD_PULL:
        say_line(o, e, "", e->text);
        break;
    case BUILD_LANE_END:
        end_lane(o, e->lane);
        break;
    }
    if (o->style == BUILD_PLAIN)
        fflush(stdout);
}

void build_output_event(void *output, const struct build_event *event)
{
    struct build_output *o = output;

    if (o->display)
        build_display_event(o->display, event);
    else
        plain(o, event);
}

void build_output_end(struct build_output *o, bool success)
{
    FILE *to = o->style == BUILD_QUIET ? stderr : stdout;

    if (o->display)
        build_display_end(o->display, success);
    for (unsigned i = 0; i < o->count; i++) {
        if (o->lanes[i].cut && !success)
            fputs("... (what came before is left out)\n", to);
        if (o->lanes[i].held.len && !(o->style == BUILD_QUIET && success))
            fwrite(o->lanes[i].held.data, 1, o->lanes[i].held.len, to);
        if (o->lanes[i].broken_line && !(o->style == BUILD_QUIET && success))
            fputc('\n', to);
        buf_free(&o->lanes[i].held);
    }
    fflush(to);
    free(o->lanes);
    free(o);
}
