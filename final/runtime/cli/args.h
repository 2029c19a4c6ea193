/* args.h - cooper-runtime's command line as tables: which flags a command has, and what was given.
 *
 * The spellings are those of runc (Go's flag package) and crun (GNU argp), because containerd,
 * Podman and scripts use both: one dash or two before a long name, "--name value" or
 * "--name=value",
 * "-b value" or "-bvalue", booleans alone or with "=true". Except where a command's own rest of the
 * line begins (exec, ps), flags may stand behind the arguments, as crun allows.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

enum flag_kind {
    FLAG_BOOL,
    FLAG_TEXT,   /* the last one given counts */
    FLAG_NUMBER, /* the same, and it is a decimal number */
    FLAG_LIST,   /* each one given counts */
};

struct flag {
    char letter;      /* 0: no short form */
    const char *name; /* without dashes */
    enum flag_kind kind;
    const char *preset; /* when it is not given; NULL: none */
    const char *help;
};
/* Every table of flags ends with this. */
#define FLAGS_END                                                                                  \
    {                                                                                              \
        .name = NULL                                                                               \
    }

struct args {
    const struct flag *flags;
    struct strv *values; /* one list a flag, in the order given */
    bool help;           /* --help or -h was given */
    char **rest;         /* the positional arguments, NULL-terminated; points into argv */
    size_t count;
};

/* Parses argv (behind the program's or the command's name). `stop_after`: so many arguments end the
 * flags, what follows is the caller's business; SIZE_MAX: flags anywhere. Reorders argv. Errors are
 * runc's words. */
int args_parse(const struct flag *flags, char **argv, size_t stop_after, struct args *ret,
               struct err *err);
void args_free(struct args *args);

/* What was given. A name that is not in the table is a mistake of the program and aborts. */
bool args_given(const struct args *args, const char *name);
bool args_flag(const struct args *args, const char *name);
const char *args_text(const struct args *args, const char *name); /* or its preset, or NULL */
long long args_number(const struct args *args, const char *name); /* or its preset, or 0 */
const struct strv *args_list(const struct args *args, const char *name);
