/* options.h - the command line as a table: what flags a command has, and what the user gave.
 *
 * The rules are those of docker's own parser (Go's pflag), which scripts rely on:
 *     -it            short flags combine        -m1g, -m 1g, -m=1g, --memory=1g, --memory 1g
 *     --rm=false     booleans take a value only behind "="
 *     --             ends the flags
 *     -rm            an old spelling: one dash and a long name, where it is no row of short ones
 *
 * A command that hands the rest of its line to a program (run, exec) stops at its first positional
 * argument.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

/* Accepts a value or says why not; the caller adds which flag it was for. */
typedef int flag_check(const char *value, struct err *err);

enum flag_kind {
    FLAG_BOOL,
    FLAG_ONE,  /* the last one given counts */
    FLAG_LIST, /* each one given counts */
};

struct flag {
    char letter;      /* 0: no short form */
    const char *name; /* long form, without dashes */
    enum flag_kind kind;
    const char *word;     /* what --help calls its value: "string", "list", "bytes" */
    flag_check *check;    /* NULL: any value will do */
    const char *preset;   /* the value when it is not given; NULL: none */
    const char *help;     /* NULL: not shown by --help (an alias) */
    const char *alias_of; /* another flag of the table, for second spellings */
};
/* Every table of flags ends with this. */
#define FLAGS_END                                                                                  \
    {                                                                                              \
        .name = NULL                                                                               \
    }

struct options {
    const struct flag *flags;
    struct strv *values; /* one list a flag, in the order given */
    size_t count;
    bool help;   /* --help, or -h where the command has no such flag */
    char **args; /* the positional arguments, NULL-terminated; points into argv */
    size_t arg_count;
};

/* Parses argv (without the program's and the command's names). `stop_at_first`: flags end at the
 * first positional argument. May reorder argv: flags first. Errors are docker's words. */
int options_parse(const struct flag *flags, char **argv, bool stop_at_first, struct options *ret,
                  struct err *err);
void options_free(struct options *o);

/* What was given. Asking for a flag that is not in the table is a mistake of the program and
 * aborts. */
bool options_given(const struct options *o, const char *name);
bool options_flag(const struct options *o, const char *name);
const char *options_one(const struct options *o, const char *name); /* or its preset, or NULL */
const struct strv *options_list(const struct options *o, const char *name);
/* --platform of what makes or fetches (run, create, pull, build, import); without it what the
 * environment says: DOCKER_DEFAULT_PLATFORM. NULL: this machine's. */
const char *options_platform(const struct options *o);
long long options_number(const struct options *o, const char *name, long long otherwise);

/* The flag as errors name it: "-m, --memory" or "--cpus". `ret` has room for 64. */
void flag_spelling(const struct flag *flag, char ret[64]);
