#include "tutorial/skeleton.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tutorial/markdown.h"

/* In this order. The introduction has its own. */
static const char *const headings[] = {
    "What you have",
    "The problem",
    "The code",
    "Run it",
    "Look at it",
    "Break it",
    "What docker, runc and crun do",
    "Exercises",
    "What changed",
};
enum { HEADINGS = sizeof headings / sizeof *headings };

struct walk {
    const char *path;
    struct buf *report, goal;
    size_t heading, wrong;
    bool title, after_title, in_goal;
};

static void complain(struct walk *w, int line, const char *what, const char *value)
{
    w->wrong++;
    buf_printf(w->report, "%s:%d: %s '%s'\n", w->path, line, what, value);
}

static void check_heading(struct walk *w, int line, const char *text)
{
    if (w->heading < HEADINGS && str_equal(text, headings[w->heading]))
        w->heading++;
    else if (w->heading < HEADINGS)
        complain(w, line, "the heading here ought to be", headings[w->heading]);
    else
        complain(w, line, "there is no place for a heading", text);
}

/* The blockquote directly under the title. */
static void follow_goal(struct walk *w, const char *text)
{
    if (str_starts(text, "# ") && !w->title) {
        w->title = w->after_title = true;
    } else if (w->after_title && str_starts(text, ">")) {
        buf_add_str(&w->goal, text + 1);
        w->in_goal = true;
    } else if (w->after_title && (*text || w->in_goal)) {
        w->after_title = false;
    }
}

/* Where "](" leads: only files are looked for; an anchor or the world outside is not ours. */
static void check_link(struct walk *w, int line, const char *target)
{
    cleanup_free char *link = str_copy_n(target, strcspn(target, "# \")"));
    const char *slash = strrchr(w->path, '/');
    cleanup_free char *file =
        str_format("%.*s%s", slash ? (int)(slash - w->path + 1) : 0, w->path, link);

    if (!*link || strstr(link, "://") || str_starts(link, "mailto:"))
        return;
    if (access(file, F_OK) < 0)
        complain(w, line, "there is nothing at", link);
}

static void visit(void *data, int line, const char *text)
{
    struct walk *w = data;

    follow_goal(w, text);
    if (str_starts(text, "## ") && w->heading != SIZE_MAX)
        check_heading(w, line, text + 3);
    for (const char *at = strstr(text, "]("); at; at = strstr(at + 2, "]("))
        check_link(w, line, at + 2);
}

/* A full stop at the end and none that ends a sentence before it. */
static bool single_sentence(const char *goal)
{
    size_t n = strlen(goal);

    while (n && isspace((unsigned char)goal[n - 1]))
        n--;
    if (!n || goal[n - 1] != '.')
        return false;
    for (size_t i = 0; i + 2 < n; i++)
        if (strchr(".!?", goal[i]) && goal[i + 1] == ' ' && isupper((unsigned char)goal[i + 2]))
            return false;
    return true;
}

bool skeleton_check(const char *path, struct buf *report)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    struct walk w = {.path = path, .report = report};
    struct document d;

    buf_add_str(&w.goal, "");
    if (str_starts(name, "00-"))
        w.heading = SIZE_MAX;
    if (!document_load(&d, path))
        complain(&w, 1, "cannot read, or a block is not closed in", path);
    else
        document_prose(&d, visit, &w);
    if (!w.title)
        complain(&w, 1, "a chapter begins with", "# Title");
    if (!single_sentence(w.goal.data))
        complain(&w, 2, "the goal is one sentence in a blockquote under the title, not",
                 w.goal.data);
    if (w.heading < HEADINGS)
        complain(&w, 1, "there is no heading", headings[w.heading]);
    document_free(&d);
    buf_free(&w.goal);
    return !w.wrong;
}
