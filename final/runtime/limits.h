/* limits.h - process.rlimits and process.oomScoreAdj: setrlimit(2), proc(5).
 *
 * Raising a hard limit and lowering the score are for who has CAP_SYS_RESOURCE outside of every
 * user namespace; the opposite is for anybody. */
#pragma once

#include "runtime/spec.h"

/* Writes process.oomScoreAdj; /proc is the host's still, and the process not hidden in a user
 * namespace: there this file is the host root's. */
int limits_set_oom_score(const struct spec_process *process, struct err *err);
/* Raises hard limits as far as process.rlimits wants, for a process that will have lost the right
 * to when limits_set() is called. */
int limits_raise(const struct spec_process *process, struct err *err);
int limits_set(const struct spec_process *process, struct err *err);
