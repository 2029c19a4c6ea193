/* container.h - the container a shim has: made by the runtime room, in this process, or by another
 * OCI runtime, a program (--runtime). What happens to it is the same. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "runtime/runtime.h"

struct shim_options;
struct shim_container;

struct shim_create {
    const struct shim_options *options;
    json_t *config; /* changed, if need be */
    int stdio[3];   /* as in struct runtime_request */
    /* What has to be there before the container starts. */
    int (*meanwhile)(void *context, pid_t init, struct err *err);
    void *context;
};
int shim_container_create(const struct shim_create *create, struct shim_container **ret,
                          struct err *err);
int shim_container_start(struct shim_container *c, struct err *err);
pid_t shim_container_pid(const struct shim_container *c);
int shim_container_pidfd(const struct shim_container *c);   /* borrowed */
int shim_container_console(const struct shim_container *c); /* the master, borrowed, or -1 */
bool shim_container_oom_killed(const struct shim_container *c);
struct runtime_cgroup_place shim_container_place(const struct shim_container *c);
/* After its init was reaped, or when it could not be started. */
int shim_container_destroy(struct shim_container *c, struct err *err);

/* --- foreign.c: by a program with runc's command line */

struct foreign;
int foreign_create(const struct shim_create *create, struct foreign **ret, struct err *err);
int foreign_start(struct foreign *f, struct err *err);
int foreign_destroy(struct foreign *f, struct err *err);
pid_t foreign_pid(const struct foreign *f);
int foreign_pidfd(const struct foreign *f);
int foreign_console(const struct foreign *f);
struct runtime_cgroup_place foreign_place(const struct foreign *f);
/* Its files in run/<id>/. */
void foreign_remove_files(const struct shim_options *options);
