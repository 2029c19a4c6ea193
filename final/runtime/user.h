/* user.h - "name|uid[:group|gid]" to numbers, by the container's own /etc/passwd and /etc/group. */
#pragma once

#include "runtime/spec.h"

struct user {
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* for setgroups(2): the primary one, the looked up, the listed; each once */
    size_t group_count;
    char *home;
};

/* Reads beneath `root`. Errors in docker's words. Without process->user the numbers are taken as
 * they are and only the home directory is looked up. */
int user_find(int root, const struct spec_process *process, struct user *ret, struct err *err);
/* Also after a failure. */
void user_free(struct user *user);
