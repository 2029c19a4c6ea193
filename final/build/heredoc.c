/* Text that stands in the Dockerfile itself: the instruction's line says <<EOF, the lines after it
 * belong to it up to one that says EOF. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "build/build.h"
#include "build/dockerfile.h"

/* The name without its quotes; true if it had none. */
static bool unquote(const char *word, struct buf *out)
{
    bool plain = true;
    char quote = 0;

    for (; *word; word++) {
        bool is_quote = quote ? *word == quote : *word == '"' || *word == '\'';

        if (is_quote)
            quote = quote ? 0 : *word;
        else if (*word == '\\' && word[1] && quote != '\'')
            buf_add_char(out, *++word);
        else
            buf_add_char(out, *word);
        plain = plain && !is_quote && *word != '\\';
    }
    return plain;
}

/* [digits]<<[-]NAME; "<<<" is a shell's, and so is "<<" alone. */
bool heredoc_word(const char *word, struct heredoc_word *ret)
{
    const char *p = word + strspn(word, "0123456789");
    struct buf name = {0};

    if (strncmp(p, "<<", 2))
        return false;
    p += 2;
    ret->strip_tabs = *p == '-';
    p += ret->strip_tabs;
    if (!*p || strchr(p, '<'))
        return false;
    ret->expand = unquote(p, &name);
    ret->name = buf_steal(&name);
    if (*ret->name)
        return true;
    free(ret->name);
    return false;
}

static bool is_end(const struct source_line *line, const struct heredoc_word *w)
{
    const char *p = line->text;
    size_t n = line->len, tabs = 0;

    while (n && p[n - 1] == '\r')
        n--;
    while (w->strip_tabs && tabs < n && p[tabs] == '\t')
        tabs++;
    return n - tabs == strlen(w->name) && !memcmp(p + tabs, w->name, n - tabs);
}

/* The lines up to the end, which is passed over. */
static int read_one(const struct source *s, size_t *line, const struct heredoc_word *w,
                    struct buf *out, struct err *err)
{
    buf_add_str(out, "");
    for (; *line < s->count; ++*line) {
        const struct source_line *l = &s->lines[*line];
        size_t tabs = 0;

        if (is_end(l, w)) {
            ++*line;
            return 0;
        }
        while (w->strip_tabs && tabs < l->len && l->text[tabs] == '\t')
            tabs++;
        buf_add(out, l->text + tabs, l->len - tabs);
        buf_add_char(out, '\n');
    }
    return err_set(err, EINVAL, "unterminated heredoc: no line says %s", w->name);
}

int heredocs_read(const struct source *s, const char *text, size_t *line, struct instruction *in,
                  struct err *err)
{
    cleanup_strv struct strv words = {0};
    int r = 0;

    words_split(text, '\\', &words);
    for (size_t i = 0; i < words.len && !r; i++) {
        struct heredoc_word w;
        struct buf lines = {0};

        if (!heredoc_word(words.items[i], &w))
            continue;
        r = read_one(s, line, &w, &lines, err);
        in->heredocs = mem_grow(in->heredocs, in->heredoc_count + 1, sizeof *in->heredocs);
        in->heredocs[in->heredoc_count++] =
            (struct heredoc){.name = w.name, .text = buf_steal(&lines), .expand = w.expand};
    }
    return r;
}
