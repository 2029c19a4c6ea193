/* dockerfile.h - a Dockerfile as a list of instructions. Private to build/.
 *
 *     dockerfile.c   lines: directives, comments, continuations, heredocs; one instruction a time
 *     heredoc.c      what <<EOF means, and what comes after it
 *     rules.c        which flags an instruction has, how many arguments, what they look like
 *
 * All of the file is read and checked before anything is done, also stages that nobody needs.
 * Variables are not expanded here: their values are known only when the build gets there.
 * Dockerfile reference; where it is silent, BuildKit was asked. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "build/source.h"

enum keyword {
    KW_ADD,
    KW_ARG,
    KW_CMD,
    KW_COPY,
    KW_ENTRYPOINT,
    KW_ENV,
    KW_EXPOSE,
    KW_FROM,
    KW_HEALTHCHECK,
    KW_LABEL,
    KW_MAINTAINER,
    KW_ONBUILD,
    KW_RUN,
    KW_SHELL,
    KW_STOPSIGNAL,
    KW_USER,
    KW_VOLUME,
    KW_WORKDIR,
};

struct heredoc {
    char *name;  /* EOF */
    char *text;  /* its lines, tabs taken off if it was <<-; each with its newline */
    bool expand; /* no part of the name was quoted */
};

/* Where a part of an instruction's joined text came from. */
struct piece {
    size_t at; /* offset in the text */
    int line;
    size_t column; /* of its first byte, from 1 */
};

struct instruction {
    enum keyword keyword;
    const char *name;   /* "RUN" */
    const char *word;   /* as written: "run"; freed with the instruction */
    struct place place; /* column 0 */
    char *original;     /* all of it, lines joined; heredocs follow on lines of their own */
    struct strv flags;  /* "mount=type=cache,target=/x", quotes taken off, no dashes */
    char *text;         /* what follows the flags, without blanks at either end */
    json_t *list;       /* the text as a list of strings, if it is one and may be */
    struct heredoc *heredocs;
    size_t heredoc_count;
    bool gap; /* an empty line inside a continuation */

    struct piece *pieces; /* of `joined`, for place_in() */
    size_t piece_count;
    char *joined;
    size_t text_at; /* where `text` begins in it */
};

struct dockerfile {
    struct source source;
    char escape;          /* '\\' or '`' */
    char *syntax, *check; /* directives' values, or NULL */
    int check_line;       /* of the directive */
    struct instruction *items;
    size_t count;
};

/* Reads all of it. On failure `ret->source` is there for an excerpt at *ret_place. The caller calls
 * dockerfile_free() in any case. An empty file, or one with no FROM, is an error. */
int dockerfile_parse(const char *name, const char *text, size_t len, struct dockerfile *ret,
                     struct place *ret_place, struct err *err);
/* The same for a text without directives whose instructions need no FROM: an ONBUILD trigger. */
int dockerfile_parse_part(const char *name, const char *text, char escape, struct dockerfile *ret,
                          struct place *ret_place, struct err *err);
void dockerfile_free(struct dockerfile *d);

/* The value of a flag, NULL when it is not given. */
const char *instruction_flag(const struct instruction *in, const char *name);
/* True for "--link" and "--link=true". */
bool instruction_switch(const struct instruction *in, const char *name);
/* Where byte `at` of in->text stands in the file. */
struct place instruction_place(const struct instruction *in, size_t at);
/* Sources and destination of COPY, ADD; paths of VOLUME; words of FROM: a list, or words between
 * blanks. */
void instruction_words(const struct instruction *in, struct strv *ret);

/* --- rules.c ---------------------------------------------------------------------------------- */

/* -ENOENT with docker's words for a word that is no instruction. */
int keyword_find(const char *word, enum keyword *ret, const char **ret_name, struct err *err);
bool keyword_takes_heredocs(enum keyword keyword);
/* Takes the flags off the joined text: --name[=value] words at its beginning. */
size_t flags_take(const char *text, struct strv *ret);
/* Everything about an instruction that can be judged without values. `*ret_at`: offset in its text
 * of what is wrong, if that is known. */
int instruction_check(struct instruction *in, char escape, size_t *ret_at, struct err *err);

/* --- heredoc.c -------------------------------------------------------------------------------- */

/* True for a word as "<<EOF", "2<<-'EOF'"; *ret_name is the caller's to free. */
struct heredoc_word {
    char *name;
    bool strip_tabs, expand;
};
bool heredoc_word(const char *word, struct heredoc_word *ret);
/* Reads those that `text` announces from line *line of the source on; *line moves on behind them.
 */
int heredocs_read(const struct source *s, const char *text, size_t *line, struct instruction *in,
                  struct err *err);
