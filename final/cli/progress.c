/* The engine calls under a lock, from several threads, so nothing here needs one.
 * Layers' lines are the last ones on the screen; line N of them is reached by going up and down
 * again. */
#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/human.h"

#define BAR_CELLS   50
#define BAR_COLUMNS 110 /* docker shows the bar only on a terminal wider than this */
#define REDRAW_NS   100000000LL

struct layer_line {
    char id[16];
    char status[32];
    int64_t drawn_ns;
};

struct progress {
    bool quiet, part_of_run, terminal;
    int columns;
    char *last; /* line */
    struct layer_line *layers;
    size_t count;
};

struct progress *progress_new(bool quiet, bool part_of_run)
{
    struct progress *p = mem_alloc(sizeof *p);
    struct winsize size;

    p->quiet = quiet;
    p->part_of_run = part_of_run;
    p->terminal =
        isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col > 0;
    p->columns = p->terminal ? size.ws_col : 0;
    return p;
}

void progress_bar(uint64_t done, uint64_t total, int columns, struct buf *out)
{
    char have[HUMAN_MAX], all[HUMAN_MAX];
    int filled =
        total ? (int)((double)(done < total ? done : total) / (double)total * BAR_CELLS) : 0;

    human_size((double)done, 4, have);
    human_size((double)total, 4, all);
    if (columns > BAR_COLUMNS) {
        buf_add_char(out, '[');
        for (int i = 0; i < BAR_CELLS; i++)
            buf_add_char(out, i < filled ? '=' : i == filled ? '>' : ' ');
        buf_add_str(out, "]  ");
    }
    if (total)
        buf_printf(out, "%s/%s", have, all);
    else
        buf_add_str(out, have);
}

/* "Using default tag: latest" at the beginning and the bare reference at the end belong to the
 * command `docker pull`; the pull inside of `docker run` does not print them. */
static bool only_of_pull(const char *text)
{
    return str_starts(text, "Using default tag") || !strstr(text, ": ");
}

static void on_line(void *context, const char *text)
{
    struct progress *p = context;

    free(p->last);
    p->last = str_copy(text);
    if (p->quiet || (p->part_of_run && only_of_pull(text)))
        return;
    puts(text);
    fflush(stdout);
}

/* The layer's line; a new one is put at the bottom. */
static size_t find_layer(struct progress *p, const char *id)
{
    for (size_t i = 0; i < p->count; i++)
        if (!strcmp(p->layers[i].id, id))
            return i;
    p->layers = mem_grow(p->layers, p->count + 1, sizeof *p->layers);
    p->layers[p->count] = (struct layer_line){0};
    snprintf(p->layers[p->count].id, sizeof p->layers->id, "%s", id);
    if (p->terminal)
        putchar('\n');
    return p->count++;
}

/* "Downloading" with what is there; texts that only count up are drawn ten times a second. */
static bool counts(const char *status)
{
    static const char *const counting[] = {"Downloading", "Extracting", "Loading layer", "Pushing"};

    for (size_t i = 0; i < sizeof counting / sizeof *counting; i++)
        if (!strcmp(status, counting[i]))
            return true;
    return false;
}

static void draw(const struct progress *p, size_t i, const char *status, uint64_t done,
                 uint64_t total)
{
    size_t up = p->count - i;
    struct buf text = {0};

    buf_printf(&text, "%s: %s ", p->layers[i].id, status);
    if (counts(status))
        progress_bar(done, total, p->columns, &text);
    printf("\033[%zuA\033[2K\r%.*s\033[%zuB\r", up, p->columns - 1, text.data, up);
    fflush(stdout);
    buf_free(&text);
}

static void on_layer(void *context, const char *id, const char *status, uint64_t done,
                     uint64_t total)
{
    struct progress *p = context;
    struct layer_line *layer;
    bool changed;
    size_t i;

    if (p->quiet)
        return;
    i = find_layer(p, id);
    layer = &p->layers[i];
    changed = strcmp(layer->status, status) != 0;
    snprintf(layer->status, sizeof layer->status, "%s", status);
    if (!p->terminal) {
        if (changed && !counts(status))
            printf("%s: %s\n", id, status);
        fflush(stdout);
        return;
    }
    if (!changed && clock_now() - layer->drawn_ns < REDRAW_NS)
        return;
    layer->drawn_ns = clock_now();
    draw(p, i, status, done, total);
}

struct pull_progress progress_calls(struct progress *p)
{
    return (struct pull_progress){.line = on_line, .layer = on_layer, .context = p};
}

void progress_end(struct progress *p, bool success)
{
    if (p->quiet && success && p->last)
        puts(p->last);
    fflush(stdout);
    free(p->last);
    free(p->layers);
    free(p);
}
