/* build.h - Dockerfiles: what their instructions mean. Dockerfile reference; where it is silent,
 * docker's classic builder was asked.
 *
 * Here so far: the instructions that change nothing but an image's configuration. A Dockerfile has
 * them, and so has `--change` of commit and import. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

/* --- words of an instruction --------------------------------------------------------------------
 */

struct word_rules {
    const json_t *env;  /* where $NAME gets its value: the last "NAME=value" of an array of strings,
                           or the member of an object; NULL: nowhere */
    char escape;        /* '\\' or '`', as the "# escape" directive says */
    bool heredoc;       /* quotes are text like any other */
    struct strv *unset; /* gets the names that were asked for and have no value; NULL: no */
};

/* Takes the quotes off and puts values in: $v ${v} ${v:-w} ${v-w} ${v:+w} ${v+w} ${v:?e} ${v?e}
 * ${v#p} ${v##p} ${v%p} ${v%%p} ${v/p/w} ${v//p/w}; nothing is expanded in single quotes or behind
 * the escape character. The caller frees *ret. */
int word_expand(const struct word_rules *rules, const char *text, char **ret, struct err *err);
/* Words between blanks, their quotes and escapes still on. */
void words_split(const char *text, char escape, struct strv *ret);

/* --- configuration ------------------------------------------------------------------------------
 */

/* What a series of instructions remembers from one to the next. Zero-initialise it. */
struct change_state {
    char escape;  /* 0: '\\' */
    bool cmd_set; /* a CMD came: ENTRYPOINT leaves it alone; one from below it resets */
};

/* Applies CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, STOPSIGNAL, USER,
 * VOLUME or WORKDIR (in any case) to `config`, docker's Config object. `text` is what follows the
 * instruction, lines joined, in UTF-8. -ENOENT without a message for any other instruction. */
int change_apply(json_t *config, const char *instruction, const char *text,
                 struct change_state *state, struct err *err);

/* The values of `--change`, each one instruction or more, a line each, of those that commit and
 * import allow. */
int changes_apply(json_t *config, const struct strv *changes, struct err *err);
