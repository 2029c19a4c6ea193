/* ordinary.h - a container made by an ordinary user: a child of ours that becomes one. */
#pragma once

#include "container.h"

#define USER 1 /* "daemon": systemd wants one with a name */

/* In a user namespace where only he is mapped, to root. The bundle becomes his. */
json_t *config_of_user(const char *bundle, const char *command);

/* What became of it. */
struct attempt {
    int created; /* 0 or -errno */
    char path[256], message[ERR_MESSAGE_MAX], output[4096];
    char executed[4096]; /* what `probe cat /proc/self/cgroup` said in it, if it waited for its
                            input */
};
/* Made, run to its end and removed by the user, from inside the group whose cgroup.procs is
 * `group`, if given. A container that begins with "wait" gets one more process first. */
void attempt(const char *bundle, const json_t *config, enum runtime_cgroup_manager manager,
             const char *group, struct attempt *ret);
