/* mount_borrow.h - file systems of the kernel that a user namespace may not mount: the host's are
 * bound.
 *
 * A sysfs shows devices of a network namespace, an mqueue the queues of an IPC namespace, a procfs
 * the processes of a PID namespace. The kernel lets only the owner of that namespace mount a new
 * one, and a container in a user namespace that shares the host's (or a pod's) does not own it.
 * What it would see is what the host's own mount shows: runc, crun and podman bind that, too. */
#pragma once

#include "runtime/spec.h"

/* The host's mounts of this type as a detached copy, when a new one was refused. -1 without
 * touching *err if there is no equivalent: it would show other processes or queues than the
 * container's. */
int mount_borrow(const struct spec *spec, const char *type);
/* Covers what the container was not meant to see in it: the host's control groups in its sysfs,
 * unless config.json mounts something there. `mount` is in its place by now. */
int mount_borrow_finish(const struct spec *spec, const char *type, int mount, struct err *err);
