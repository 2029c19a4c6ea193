/* process.h - from set-up code with all of root's powers to the user's program: the part that a
 * container's first process and a later exec share. */
#pragma once

#include <limits.h>

#include "runtime/seccomp.h"
#include "runtime/spec.h"

struct process_setup {
    const struct spec_process *process;
    const struct syscall_filter *filter;
    const int *stdio; /* as requested: -1 is the null device */
    int cwd;          /* process.cwd, opened, or -1: the user has to try */
    bool user_namespace;
};

/* Nobody may look into us or ptrace us, until execve(2) ends this: to be called before joining
 * anything that somebody is in already. */
int process_hide(struct err *err);
/* The first calls of every child: stdio in place, every other descriptor closed but `preserve` ones
 * from 3 up, which the program gets as they are, and keep[0..1] (their variables get the new
 * numbers; -1 stays -1), signals as a program expects them. Returns the host's null device. */
int process_begin(const int stdio[3], unsigned preserve, int *const keep[2], struct err *err);
/* Opens the working directory beneath `root`, making it if it is missing. */
int process_open_cwd(int root, const char *cwd, struct err *err);
/* Becomes the user with its groups, limits and environment. "/" is the container's root by now. */
int process_become_user(const struct process_setup *setup, struct strv *ret_env, struct err *err);
/* Finds the program as the user, in the environment's PATH; err->exit_status 126 or 127. */
int process_find(const struct spec_process *process, const struct strv *env, char ret[PATH_MAX],
                 struct err *err);
/* A filter that notifies somebody is installed here and its descriptor goes through the socket,
 * while the parent is there to pass it on; every call after this may have to wait for the answer.
 * Other filters come in process_exec(), after all that they might not allow. */
int process_notify(const struct process_setup *setup, int socket, struct err *err);
/* Drops the rest and runs the program found; returns only on failure, with err->exit_status. */
int process_exec(const struct process_setup *setup, const char *program, const struct strv *env,
                 struct err *err);
