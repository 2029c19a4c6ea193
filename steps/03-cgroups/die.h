/* Every error ends keg, with one line: what failed, why, and what to do about it. */
#pragma once

/* The code that users of docker and podman know: the engine failed, not the command. */
enum { EXIT_KEG = 125 };

/* Prints "keg: WHAT (hint: HINT)" to stderr and ends the process with `code`. In WHAT, %m stands
 * for the text of errno; `hint` may be NULL. */
[[gnu::noreturn, gnu::format(printf, 3, 4)]] void die_with(int code, const char *hint,
                                                           const char *what, ...);

#define die(...) die_with(EXIT_KEG, __VA_ARGS__)
