#include "tutorial/markdown.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

/* How many backquotes a line begins with when that makes it a fence, else 0. */
static size_t fence(const char *line)
{
    size_t n = strspn(line, "`");

    return n >= 3 ? n : 0;
}

static size_t line_length(const char *line)
{
    return strcspn(line, "\n");
}

static const char *next_line(const char *line)
{
    line += line_length(line);
    return *line ? line + 1 : line;
}

static struct block *add_block(struct document *d, const char *line, int number)
{
    cleanup_free char *info = str_copy_n(line + fence(line), line_length(line) - fence(line));
    cleanup_strv struct strv words = {0};
    struct block *b;

    d->blocks = mem_grow(d->blocks, d->count + 1, sizeof *d->blocks);
    b = &d->blocks[d->count++];
    *b = (struct block){.line = number};
    strv_split(&words, info, ' ');
    for (size_t i = 0; i < words.len; i++)
        if (*words.items[i])
            strv_add(&b->words, words.items[i]);
    return b;
}

static bool split(struct document *d)
{
    struct block *open = NULL;
    size_t marks = 0;
    int number = 1;

    for (const char *line = d->text.data; *line; line = next_line(line), number++) {
        size_t n = fence(line);

        if (!open && n) {
            open = add_block(d, line, number);
            open->start = (size_t)(next_line(line) - d->text.data);
            marks = n;
        } else if (open && n >= marks && n == line_length(line)) {
            open->end = (size_t)(line - d->text.data);
            open = NULL;
        }
    }
    return !open;
}

bool document_parse(struct document *d, const char *name, const char *text)
{
    *d = (struct document){.path = str_copy(name)};
    buf_add_str(&d->text, text);
    return split(d);
}

bool document_load(struct document *d, const char *path)
{
    cleanup_buf struct buf text = {0};
    struct err err = {0};

    *d = (struct document){0};
    if (file_load(AT_FDCWD, path, 16 << 20, &text, &err) < 0) {
        errno = ENOENT;
        return false;
    }
    errno = EINVAL;
    return document_parse(d, path, text.data);
}

void document_free(struct document *d)
{
    for (size_t i = 0; i < d->count; i++)
        strv_free(&d->blocks[i].words);
    free(d->blocks);
    free(d->path);
    buf_free(&d->text);
    *d = (struct document){0};
}

const char *block_word(const struct block *b, size_t n)
{
    return n < b->words.len ? b->words.items[n] : "";
}

bool block_has(const struct block *b, const char *word)
{
    return strv_contains(&b->words, word);
}

char *block_text(const struct document *d, const struct block *b)
{
    return str_copy_n(d->text.data + b->start, b->end - b->start);
}

void document_prose(const struct document *d, prose_visit *visit, void *data)
{
    size_t block = 0;
    int number = 1;

    for (const char *line = d->text.data; *line; line = next_line(line), number++) {
        cleanup_free char *text = str_copy_n(line, line_length(line));
        size_t at = (size_t)(line - d->text.data);

        while (block < d->count && at > d->blocks[block].end)
            block++;
        if (block < d->count && number >= d->blocks[block].line)
            continue; /* the fences and what is between them */
        visit(data, number, text);
    }
}
