#include "tutorial/chapter.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "support/run.h"
#include "tutorial/anchor.h"
#include "tutorial/markdown.h"
#include "tutorial/transcript.h"
#include "tutorial/world.h"

/* One run over one document. */
struct pass {
    struct chapter *c;
    struct document *d;
    char **contents; /* what each block ought to hold; NULL: what it holds */
    struct world world;
    bool world_open, world_lost;
};

static void wrong(struct pass *p, const struct block *b, int line, const char *what)
{
    p->c->wrong++;
    buf_printf(&p->c->report, "%s:%d: %s\n", p->d->path, b->line + line, what);
}

/* Adds "diff -u" of two texts to the report. */
static void show_difference(struct chapter *c, const char *have, const char *want,
                            const char *have_name, const char *want_name)
{
    char *dir = temp_dir();
    cleanup_free char *a = str_format("%s/a", dir), *b = str_format("%s/b", dir);
    struct run_result r = {0};
    struct err err = {0};

    if (!file_create(AT_FDCWD, a, have, strlen(have), 0600, &err) &&
        !file_create(AT_FDCWD, b, want, strlen(want), 0600, &err)) {
        RUN(&r, NULL, "diff", "-u", "--label", have_name, "--label", want_name, a, b);
        buf_printf(&c->report, "%s\n", r.out.data);
    }
    run_free(&r);
    temp_dir_remove(dir);
}

/* --- code ------------------------------------------------------------------------------------ */

/* Without blanks at the ends of lines: editors take them away, and "diff -u" makes some. */
static char *trimmed(const char *text)
{
    cleanup_strv struct strv lines = {0};
    struct buf b = {0};

    strv_split(&lines, text, '\n');
    for (size_t i = 0; i < lines.len; i++) {
        size_t n = strlen(lines.items[i]);

        while (n && strchr(" \t", lines.items[i][n - 1]))
            n--;
        buf_add(&b, lines.items[i], n);
        buf_add_char(&b, '\n');
    }
    while (b.len > 1 && b.data[b.len - 1] == '\n' && b.data[b.len - 2] == '\n')
        b.data[--b.len] = 0;
    return buf_steal(&b);
}

static char *load(struct pass *p, const struct block *b, const char *path)
{
    cleanup_free char *full = str_format("%s/%s", p->c->sources, path);
    cleanup_free char *why = NULL;
    struct buf text = {0};
    struct err err = {0};

    if (!file_load(AT_FDCWD, full, 16 << 20, &text, &err))
        return buf_steal(&text);
    why = str_format("there is no file '%s'", path);
    wrong(p, b, 0, why);
    return NULL;
}

/* "PATH" or "PATH#ANCHOR" */
static char *cut(struct pass *p, const struct block *b, const char *where)
{
    const char *hash = strchr(where, '#');
    cleanup_free char *path = str_copy_n(where, strcspn(where, "#")), *why = NULL;
    char *text = load(p, b, path), *part;

    if (!text || !hash)
        return text;
    part = anchor_cut(text, hash + 1);
    free(text);
    if (part)
        return part;
    why = str_format("nothing named '%s' is defined in '%s'", hash + 1, path);
    wrong(p, b, 0, why);
    return NULL;
}

static char *difference(struct pass *p, const struct block *b)
{
    const char *from = block_word(b, 1), *to = block_word(b, 2);
    cleanup_free char *a = load(p, b, from), *z = load(p, b, to);
    struct run_options in_sources = {.directory = p->c->sources};
    struct run_result r = {0};
    char *text;

    if (!a || !z)
        return NULL;
    RUN(&r, &in_sources, "diff", "-u", "--label", from, "--label", to, from, to);
    text = str_copy(r.out.data);
    run_free(&r);
    return text;
}

/* Which languages must say where they come from. */
static bool needs_path(const char *language)
{
    static const char *const free_ones[] = {"text", "console", "json", "pic"};

    for (size_t i = 0; i < sizeof free_ones / sizeof *free_ones; i++)
        if (str_equal(language, free_ones[i]))
            return false;
    return true;
}

static char *what_code_ought_to_be(struct pass *p, const struct block *b)
{
    const char *language = block_word(b, 0);

    if (str_equal(block_word(b, 1), "free"))
        return NULL;
    if (b->words.len < 2 && needs_path(language)) {
        wrong(p, b, 0,
              *language ? "this block does not say from where it is: \"```LANGUAGE PATH[#NAME]\", "
                          "or \"free\""
                        : "this block has no language: c, make, sh, diff, console or text");
        return NULL;
    }
    if (b->words.len < 2)
        return NULL;
    if (str_equal(language, "diff"))
        return difference(p, b);
    return cut(p, b, block_word(b, 1));
}

static void check_code(struct pass *p, size_t i)
{
    const struct block *b = &p->d->blocks[i];
    cleanup_free char *want = what_code_ought_to_be(p, b), *have = NULL, *clean = NULL,
                      *stands = NULL;

    if (!want)
        return;
    stands = block_text(p->d, b);
    have = trimmed(stands);
    clean = trimmed(want);
    if (str_equal(have, clean))
        return;
    wrong(p, b, 0, "the code is not what the source says");
    show_difference(p->c, have, clean, "in the chapter", block_word(b, 1));
    p->contents[i] = steal_ptr(&clean);
}

/* --- console --------------------------------------------------------------------------------- */

static bool ready(struct pass *p, const struct block *b)
{
    cleanup_buf struct buf why = {0};

    if (p->world_open || p->world_lost)
        return p->world_open && !p->world_lost;
    p->world_open = world_open(&p->world, p->c->sources, &why);
    p->world_lost = !p->world_open;
    if (p->world_lost) {
        wrong(p, b, 0, "cannot make a place to run the commands in:");
        buf_add_str(&p->c->report, why.data ? why.data : "");
    }
    return p->world_open;
}

/* Adds the command and the output it ought to have to `content`. */
static void check_command(struct pass *p, const struct block *b, const struct command *c,
                          struct buf *content)
{
    cleanup_buf struct buf output = {0};
    cleanup_free char *kept = NULL, *shown = NULL, *what = NULL;
    bool exact = block_has(b, "exact");

    buf_add_str(content, c->typed);
    if (p->world_lost || world_run(&p->world, c->prompt, c->text, &output) < 0) {
        if (!p->world_lost)
            wrong(p, b, 1 + c->line, "the command does not come to an end, or ended the shell");
        buf_add_str(&p->c->report, output.data ? output.data : "");
        p->world_lost = true;
        buf_add_str(content, c->expected);
        return;
    }
    if (transcript_same(c->expected, output.data, exact)) {
        buf_add_str(content, c->expected);
        return;
    }
    kept = exact ? str_copy(output.data) : transcript_keep(c->expected, output.data);
    shown = transcript_shown(kept);
    buf_add_str(content, shown);
    what = str_format("the output of '%c %s' is another", c->prompt, c->text);
    wrong(p, b, 1 + c->line, what);
    show_difference(p->c, c->expected, kept, "in the chapter", "what it prints");
}

static void check_console(struct pass *p, size_t i)
{
    const struct block *b = &p->d->blocks[i];
    cleanup_free char *text = block_text(p->d, b);
    const char *other = str_equal(world_cgroup(), "v2") ? "v1" : "v2";
    struct transcript t;
    struct buf content = {0};

    if (block_has(b, other))
        return;
    if (!transcript_parse(&t, text)) {
        wrong(p, b, 0, "a console block begins with \"# \" or \"$ \" and a command");
        return;
    }
    for (size_t n = 0; n < t.count && ready(p, b); n++)
        check_command(p, b, &t.commands[n], &content);
    transcript_free(&t);
    if (p->world_lost)
        buf_free(&content);
    else
        p->contents[i] = buf_steal(&content);
}

/* --- the whole ------------------------------------------------------------------------------- */

static bool rewrite(struct pass *p, const char *path)
{
    cleanup_buf struct buf b = {0};
    const struct buf *old = &p->d->text;
    struct err err = {0};
    size_t done = 0;

    for (size_t i = 0; i < p->d->count; i++) {
        const struct block *block = &p->d->blocks[i];

        if (!p->contents[i])
            continue;
        buf_add(&b, old->data + done, block->start - done);
        buf_add_str(&b, p->contents[i]);
        done = block->end;
    }
    buf_add_str(&b, old->data + done);
    if (str_equal(b.data, old->data))
        return true;
    return !file_store(AT_FDCWD, path, b.data, b.len, 0644, false, &err);
}

bool chapter_check(struct chapter *c, const char *path)
{
    struct document d;
    struct pass p = {.c = c, .d = &d};
    bool fine = document_load(&d, path);

    buf_add_str(&c->report, "");
    if (!fine)
        buf_printf(&c->report, "%s: %s\n", path,
                   errno == EINVAL ? "a block is not closed" : "cannot be read");
    p.contents = mem_alloc((d.count + 1) * sizeof *p.contents);
    for (size_t i = 0; fine && i < d.count; i++) {
        bool console = str_equal(block_word(&d.blocks[i], 0), "console");

        if (console && (c->parts & CHAPTER_CONSOLE))
            check_console(&p, i);
        else if (!console && (c->parts & CHAPTER_CODE))
            check_code(&p, i);
    }
    if (p.world_open)
        world_close(&p.world);
    fine = fine && (!c->update || rewrite(&p, path));
    for (size_t i = 0; i < d.count; i++)
        free(p.contents[i]);
    free(p.contents);
    document_free(&d);
    return fine;
}
