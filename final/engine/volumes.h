/* volumes.h - volumes by name, and those that are a file system of their own.
 *
 * A volume may have been told what to mount (`volume create -o type=nfs -o device=... -o o=...`).
 * Then its directory is a mount point of the host, mounted while any container that uses it runs.
 * Nobody counts: who uses it holds a shared lock on volumes/<name>/users, and who was the last of
 * them finds that he can have it alone. Locks go with their processes, so a shim that was killed
 * leaves a mount at most, which the next one takes away, or uses. */
#pragma once

#include "engine/internal.h"

/* Docker's rules for the local driver: names, the driver, its options (an object, or NULL). */
int volume_check_name(const char *name, struct err *err);
int volume_check_driver(const char *name, const char *driver, struct err *err);
int volume_check_options(const char *name, const json_t *options, struct err *err);

/* store_volume_add() and the event. */
int volume_make(struct engine *e, const char *name, const json_t *labels, const json_t *options,
                const char *container_id, struct volume *ret, struct err *err);

/* Mounts what the container's volumes are to be, and holds them, until volume_holds_close(): by
 * then the shim holds them, or has let go already. Nothing to do for nearly all. */
struct volume_holds {
    struct volume_hold {
        char *name;
        int fd;
    } *items;
    size_t count;
};
int volumes_hold(struct engine *e, const struct container *c, struct volume_holds *ret,
                 struct err *err);
void volume_holds_close(struct engine *e, struct volume_holds *holds);
/* Unmounts those of a container's volumes that nobody holds. */
void volumes_let_go(struct engine *e, const struct container *c);
/* The events of a start. */
void volumes_tell_start(struct engine *e, const struct container *c);
/* store_volumes_release() and the events. */
int volumes_release(struct engine *e, const char *container_id, bool remove_anonymous,
                    struct err *err);

/* --- volume_mount.c, which the shim has, too -------------------------------------------------- */

/* Holds volumes/<name> below the state directory, and mounts it if it is not: a descriptor. */
int volume_hold(int root, const char *name, const json_t *options, struct err *err);
/* Takes the descriptor, or -1, and unmounts the volume if nobody else holds it. */
void volume_let_go(int root, const char *name, int held);
/* True for one that has something to mount. */
bool volume_is_mount(int root, const char *name);
