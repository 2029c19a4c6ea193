/* anchor.h - one definition cut from a C source, found by its name. Sources carry no marks: they
 * are laid out by clang-format, so a definition begins in column 0 and its last line begins with
 * "}" there, or it is one statement up to its ";". */
#pragma once

/* The definition of `name` (function, struct, enum or one of its constants, table, variable, macro;
 * where there is only a declaration, that) with the comment directly above it; NULL when there is
 * none. The caller frees it. */
char *anchor_cut(const char *source, const char *name);
