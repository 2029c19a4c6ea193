/* The options of ps(1) that choose columns: UNIX's (-ef, -l), BSD's (aux) and -o. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/ps.h"

/* What a set of letters means: a list of columns as -o takes it. */
static const struct {
    const char *when; /* all of these were said; "b": BSD's way, without a dash */
    const char *columns;
} presets[] = {
    {"bu", "user,pid,pcpu,pmem,vsz,rss,tty=TTY,stat,bsdstart=START,bsdtime=TIME,args=COMMAND"},
    {"bl", "f,uid,pid,ppid,priority,ni,vsz,rss,wchan,stat,tty=TTY,bsdtime=TIME,args=COMMAND"},
    {"bj", "ppid,pid,pgid,sid,tty=TTY,tpgid,stat,uid,bsdtime=TIME,args=COMMAND"},
    {"F", "user=UID,pid,ppid,c,sz,rss,psr,stime,tty=TTY,time,args=CMD"},
    {"f", "user=UID,pid,ppid,c,stime,tty=TTY,time,args=CMD"},
    {"ly", "s,uid,pid,ppid,c,opri,ni,rss,sz,wchan,tty=TTY,time,comm=CMD"},
    {"l", "f,s,uid,pid,ppid,c,opri,ni,addr,sz,wchan,tty=TTY,time,comm=CMD"},
    {"j", "pid,pgid,sid,tty=TTY,time,comm=CMD"},
    {"Z", "label,pid,tty=TTY,time,comm=CMD"},
    {"b", "pid,tty=TTY,stat,bsdtime=TIME,args=COMMAND"},
    {"", "pid,tty=TTY,time,comm=CMD"},
};

struct options {
    struct ps_format *format;
    char letters[64]; /* that mean columns, "b" among them */
    bool given;       /* -o */
};

static void add(struct ps_format *f, const struct ps_column *column, const char *title, size_t len)
{
    f->items = mem_grow(f->items, f->len + 1, sizeof *f->items);
    f->items[f->len].column = column;
    f->items[f->len++].title = title ? str_copy_n(title, len) : str_copy(column->title);
}

/* "pid,user=WHO,args:20": in ps a title goes up to the end of the word, commas and all; a width
 * means nothing to a table of ours. */
static int add_columns(struct ps_format *f, const char *list, bool preset, struct err *err)
{
    while (*list) {
        size_t n = strcspn(list, ", "), name = strcspn(list, ",=: ");
        const struct ps_column *column = ps_column_find(list, name);
        const char *title = memchr(list, '=', n);

        if (!column)
            return err_set(err, EINVAL, "ps: error: unknown user-defined format specifier \"%.*s\"",
                           (int)name, list);
        if (title && !preset)
            n = strlen(list);
        add(f, column, title ? title + 1 : NULL, title ? (size_t)(list + n - title) - 1 : 0);
        list += n;
        list += strspn(list, ", ");
    }
    return 0;
}

static void note(struct options *o, char letter)
{
    size_t n = strlen(o->letters);

    if (n < sizeof o->letters - 1 && !strchr(o->letters, letter))
        o->letters[n] = letter;
}

/* One word of options. 1: the next word is the list of -o. */
static int parse_word(struct options *o, const char *word, struct err *err)
{
    static const char chooses[] = "aAdegrTxwh"; /* which processes, and how wide */
    const char *letters = word + (*word == '-');

    if (str_starts(word, "--"))
        return err_set(err, EINVAL, "ps: error: unknown gnu long option");
    if (*word != '-')
        note(o, 'b');
    for (; *letters; letters++) {
        if (*letters == 'o' || *letters == 'O') {
            o->given = true;
            return letters[1] ? add_columns(o->format, letters + 1, false, err) : 1;
        }
        if (*letters == 'x' && *word == '-')
            note(o, 'b');
        else if (strchr("fFljuyZ", *letters))
            note(o, *letters);
        else if (!strchr(chooses, *letters))
            return err_set(err, EINVAL, "ps: error: unsupported option '%c'", *letters);
    }
    return 0;
}

static int parse_words(struct options *o, const struct strv *words, struct err *err)
{
    for (size_t i = 0; i < words->len; i++) {
        const char *word = words->items[i];
        int r = 0;

        if (str_starts(word, "--sort"))
            continue;
        r = parse_word(o, word, err);
        if (r > 0 && i + 1 == words->len)
            r = err_set(err, EINVAL, "ps: error: format specification must follow -o");
        if (r > 0)
            r = add_columns(o->format, words->items[++i], false, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static const char *preset_of(const struct options *o)
{
    for (size_t i = 0;; i++) {
        const char *letter = presets[i].when;

        while (*letter && strchr(o->letters, *letter))
            letter++;
        if (!*letter)
            return presets[i].columns;
    }
}

int ps_format_parse(const struct strv *words, struct ps_format *ret, struct err *err)
{
    struct ps_format format = {0};
    struct options o = {.format = &format};
    int r = parse_words(&o, words, err);

    if (!r && !o.given)
        r = add_columns(&format, preset_of(&o), true, err);
    if (r < 0)
        ps_format_free(&format);
    else
        *ret = format;
    return r;
}

void ps_format_free(struct ps_format *f)
{
    for (size_t i = 0; i < f->len; i++)
        free(f->items[i].title);
    free(f->items);
    *f = (struct ps_format){0};
}
