#include "cli/build_display.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define TAIL        6 /* lines of a command's output that are shown while it runs */
#define REDRAW_MS   100
#define OUTPUT_KEPT (256u << 10) /* bytes of a step's output, for the case that it fails */

struct row {
    bool busy, cached;
    unsigned step;
    char *title;
    struct timespec since;
    struct buf output;
};

struct build_display {
    pthread_mutex_t lock;
    pthread_t drawer;
    pthread_cond_t ended;
    bool ends, threaded, coloured;
    struct row *rows; /* one a lane */
    unsigned count, steps;
    unsigned drawn; /* lines of the lower part that stand on the screen now */
    unsigned short columns, lines;
};

static void measure(struct build_display *d)
{
    struct winsize size;

    d->columns = 80;
    d->lines = 24;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row) {
        d->columns = size.ws_col;
        d->lines = size.ws_row;
    }
}

/* --- drawing ---------------------------------------------------------------------------------- */

static double seconds_since(const struct timespec *since)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - since->tv_sec) + (double)(now.tv_nsec - since->tv_nsec) / 1e9;
}

static void erase(struct build_display *d)
{
    if (d->drawn)
        printf("\033[%uA\033[J", d->drawn);
    d->drawn = 0;
}

/* At most one line of the screen: a line that wraps is one more than will be erased. What a
 * terminal would obey is left out. UTF-8 is cut between characters; those of three bytes and more
 * may be wide (Chinese, emoji), so they count as if they were. */
static void print_cut(const struct build_display *d, const char *text, size_t len, unsigned used)
{
    unsigned room = d->columns > used + 1 ? d->columns - used - 1 : 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '\033') { /* ESC [ ... letter */
            while (i + 1 < len && !((text[i + 1] | 32) >= 'a' && (text[i + 1] | 32) <= 'z'))
                i++;
            i++;
            continue;
        }
        if (c < 32 || c == 127)
            continue;
        if ((c & 0xC0) != 0x80) { /* it begins a character */
            unsigned width = c >= 0xE1 ? 2 : 1;

            if (room < width)
                return;
            room -= width;
        }
        putchar(c);
    }
}

static void print_title(struct build_display *d, const struct row *row, const char *mark)
{
    /* The mark has two columns at most; the bytes of its colour have none. Behind the title comes
     * a time. */
    int used = 2 + printf("%s [%*u/%u] ", mark, d->steps > 9 ? 2 : 1, row->step, d->steps) -
               (int)strlen(mark);

    print_cut(d, row->title, strcspn(row->title, "\n"), (unsigned)used + 8);
}

static void draw_row(struct build_display *d, const struct row *row, unsigned tail)
{
    const char *end = row->output.data + row->output.len, *p = end;
    unsigned lines = 0;

    print_title(d, row, "=>");
    printf(" %.1fs\n", seconds_since(&row->since));
    d->drawn++;
    while (row->output.len && p > row->output.data && lines <= tail)
        lines += *--p == '\n' && p + 1 < end;
    if (row->output.len && *p == '\n' && lines > tail)
        p++;
    while (row->output.len && p < end) {
        size_t n = strcspn(p, "\n");
        const char *start = memrchr(p, '\r', n && p[n - 1] == '\r' ? n - 1 : n);

        start = start ? start + 1 : p;
        fputs("   | ", stdout);
        print_cut(d, start, n - (size_t)(start - p), 5);
        putchar('\n');
        d->drawn++;
        p += n + (p + n < end);
    }
}

static void draw(struct build_display *d)
{
    unsigned busy = 0, shown = 0, tail;

    for (unsigned i = 0; i < d->count; i++)
        busy += d->rows[i].busy;
    if (!busy)
        return;
    tail = (d->lines - 1u) / busy > 1 ? (d->lines - 1u) / busy - 2 : 0;
    tail = tail > TAIL ? TAIL : tail;
    for (unsigned i = 0; i < d->count && (shown + 1) * (tail + 1) < d->lines; i++)
        if (d->rows[i].busy) {
            draw_row(d, &d->rows[i], tail);
            shown++;
        }
}

static void redraw(struct build_display *d)
{
    erase(d);
    draw(d);
    fflush(stdout);
}

/* The clock goes on while no event comes. */
static void *keep_drawing(void *display)
{
    struct build_display *d = display;

    pthread_mutex_lock(&d->lock);
    while (!d->ends) {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += REDRAW_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&d->ended, &d->lock, &until);
        if (!d->ends) {
            measure(d);
            redraw(d);
        }
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

struct build_display *build_display_new(void)
{
    struct build_display *d = mem_alloc(sizeof *d);

    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->ended, NULL);
    d->coloured = !getenv("NO_COLOR"); /* no-color.org */
    measure(d);
    d->threaded = !pthread_create(&d->drawer, NULL, keep_drawing, d);
    return d;
}

/* --- events ----------------------------------------------------------------------------------- */

static struct row *row_of(struct build_display *d, unsigned lane)
{
    if (lane >= d->count) {
        d->rows = mem_grow(d->rows, lane + 1, sizeof *d->rows);
        memset(d->rows + d->count, 0, (lane + 1 - d->count) * sizeof *d->rows);
        d->count = lane + 1;
    }
    return &d->rows[lane];
}

static void finish_row(struct build_display *d, struct row *row)
{
    const char *dim = d->coloured ? "\033[2m" : "", *normal = d->coloured ? "\033[0m" : "";

    if (!row->busy)
        return;
    erase(d);
    print_title(d, row, d->coloured ? "\033[32m✓\033[0m" : "✓");
    if (row->cached)
        printf(" %scached%s\n", dim, normal);
    else
        printf(" %s%.1fs%s\n", dim, seconds_since(&row->since), normal);
    row->busy = false;
}

static void begin_row(struct build_display *d, struct row *row, const struct build_event *e)
{
    finish_row(d, row);
    free(row->title);
    row->title = str_copy(e->text);
    row->step = e->step;
    row->cached = false;
    row->busy = true;
    row->output.len = 0;
    clock_gettime(CLOCK_MONOTONIC, &row->since);
    d->steps = e->steps;
}

static void add_output(struct row *row, const char *text, size_t len)
{
    if (row->output.len + len > OUTPUT_KEPT) {
        size_t gone = row->output.len / 2;

        memmove(row->output.data, row->output.data + gone, row->output.len - gone);
        row->output.len -= gone;
    }
    buf_add(&row->output, text, len);
}

static void say(struct build_display *d, const char *before, const char *text)
{
    erase(d);
    printf("%s%s\n", before, text);
}

void build_display_event(struct build_display *d, const struct build_event *e)
{
    struct row *row;

    pthread_mutex_lock(&d->lock);
    row = row_of(d, e->lane);
    if (e->kind == BUILD_STEP)
        begin_row(d, row, e);
    else if (e->kind == BUILD_CACHED)
        row->cached = true;
    else if (e->kind == BUILD_OUTPUT)
        add_output(row, e->text, e->len);
    else if (e->kind == BUILD_PULL)
        add_output(row, e->text, e->len), add_output(row, "\n", 1);
    else if (e->kind == BUILD_WHY)
        say(d, "   not in the cache: ", e->text);
    else if (e->kind == BUILD_WARNING)
        say(d, "[Warning] ", e->text);
    else if (e->kind == BUILD_MADE)
        finish_row(d, row);
    if (e->kind != BUILD_OUTPUT) /* output waits for the clock: it may come fast */
        redraw(d);
    pthread_mutex_unlock(&d->lock);
}

static void show_failed(const struct build_display *d)
{
    for (unsigned i = 0; i < d->count; i++) {
        const struct row *row = &d->rows[i];

        if (!row->busy)
            continue;
        printf("%s [%u/%u] %s\n", d->coloured ? "\033[31m✗\033[0m" : "✗", row->step, d->steps,
               row->title);
        fwrite(row->output.data, 1, row->output.len, stdout);
        if (row->output.len && row->output.data[row->output.len - 1] != '\n')
            putchar('\n');
    }
}

void build_display_end(struct build_display *d, bool success)
{
    pthread_mutex_lock(&d->lock);
    d->ends = true;
    pthread_cond_signal(&d->ended);
    pthread_mutex_unlock(&d->lock);
    if (d->threaded)
        pthread_join(d->drawer, NULL);
    erase(d);
    if (!success)
        show_failed(d);
    fflush(stdout);
    for (unsigned i = 0; i < d->count; i++) {
        free(d->rows[i].title);
        buf_free(&d->rows[i].output);
    }
    free(d->rows);
    pthread_mutex_destroy(&d->lock);
    pthread_cond_destroy(&d->ended);
    free(d);
}
