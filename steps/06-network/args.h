/* The command line: options first, then everything else. */
#pragma once

/* A mechanism's knobs are its own: each exports a table of these. */
struct option_row {
    const char *name;  /* without the dashes; NULL ends the table */
    const char *value; /* what its value is called in the usage */
    const char **ret;  /* set to the value, left alone when the option is absent */
};

/* Reads the options of all `tables` (NULL-terminated; 16 options at most) and returns the rest of
 * argv. Dies when an option is unknown or fewer than `least` arguments are left; on --help prints
 * the usage, in which `rest` names them, and exits with 0. */
char **args_parse(int argc, char **argv, const struct option_row *const tables[], const char *rest,
                  int least);
