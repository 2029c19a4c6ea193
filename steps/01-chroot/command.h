/* The command that runs in the keg. */
#pragma once

/* What a command finds in its environment: nothing of the caller's but TERM. NULL-terminated. */
extern char *command_environment[];

/* Becomes the command: execvp(3) with `environment`, the PATH in it, and no descriptor but 0, 1
 * and 2. Does not return; where it fails the exit code is the shell's: 127 not found, 126 found but
 * not executable. */
[[gnu::noreturn]] void command_exec(char **command, char **environment);
