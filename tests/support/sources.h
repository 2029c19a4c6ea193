/* sources.h - looking at source files line by line, for the tests that hold the rules of the tree.
 */
#pragma once

#include <stdbool.h>

typedef void source_rule(const char *path, int line, const char *text);

/* Calls `rule` (may be NULL) for each line of a file, without its newline; returns the number of
 * lines. */
int source_for_lines(const char *path, source_rule *rule);

/* Fed with each line of a file in turn: the number of lines between the braces of the function that
 * ends with this line, or -1. A function is what clang-format makes of it: from a line that is only
 * "{" in column 0 to one that begins with "}" in column 0 (structures and tables open their brace
 * at the end of a line). *opened is its memory, 0 at the start. */
int source_function_end(int *opened, int line, const char *text);

/* Fed with each line of a file in turn: is there code on it? Blank lines are not, nor comments of C
 * (in_comment is its memory) or, with `hash`, of make and shell. */
bool source_is_code(bool *in_comment, bool hash, const char *text);

int source_median(int *values, int count); /* sorts them */
