/* tracee.h - what the tracer knows of each thread, and how one is born under it. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/str.h"

struct tracee {
    pid_t tid, tgid;
    char program[32]; /* basename of argv[0] at its last execve */
    char stage[16];   /* as it last called itself */
    bool counted;     /* its program is one of those that matter */
    bool loading;     /* in its dynamic loader still */
    bool to_exit;     /* to be killed when its call returns */
};
struct tracees {
    struct tracee *items;
    size_t len;
    const char *const *programs;
};

struct tracee *tracee_find(struct tracees *all, pid_t tid);
/* Finds or makes; a new one takes after the thread group or process that made it. */
struct tracee *tracee_meet(struct tracees *all, pid_t tid, pid_t parent);
void tracee_forget(struct tracees *all, pid_t tid);
/* It has executed a program. */
void tracee_executed(struct tracees *all, struct tracee *tracee);

/* Every thread of all of them sleeps, or is a zombie. */
bool tracees_asleep(const struct tracees *all);
/* One line a thread: its state, call, arguments, kernel stack. */
void tracees_describe(const struct tracees *all, struct buf *ret);

/* In a fork: waits for a byte on `go` (traced) or not (-1), becomes argv or ends with 127. */
_Noreturn void tracee_become(const char *const argv[], int go, int out, int err);
