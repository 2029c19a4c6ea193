/* lsm.h - security modules: the AppArmor profile or SELinux label that the program will run with.
 * apparmor(7), selinux(8); proc(5), /proc/PID/attr. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "runtime/spec.h"

/* Refuses what this kernel's modules cannot do, before anything is made. */
int lsm_check(const struct spec_process *process, struct err *err);
/* Arranges for the calling process's next execve(2) to change to profile and label. To be called
 * while /proc is the host's: a container's may be anything (CVE-2019-16884, CVE-2025-52881). */
int lsm_apply(const struct spec_process *process, struct err *err);
/* Keys that the calling process makes get the label of the container, until lsm_end_keys(). */
int lsm_begin_keys(const struct spec_process *process, struct err *err);
int lsm_end_keys(const struct spec_process *process, struct err *err);
