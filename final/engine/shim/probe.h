/* probe.h - one health check, in a process of its own. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/proc.h"
#include "engine/shim/health.h"
#include "runtime/runtime.h"

struct shim_options;

/* Where the container is. */
struct probe_place {
    pid_t shim;
    struct proc_id init;
    struct runtime_cgroup_place group;
};

/* The packet a prober sends, cut behind `len` bytes of output. */
struct probe_result {
    int32_t exit_code;  /* -1: it could not be started, or took too long */
    bool cancelled;     /* the container was paused meanwhile: it says nothing */
    long long start_ms; /* shim_clock_ms() */
    int64_t start_ns, end_ns;
    uint32_t len;
    char output[HEALTH_OUTPUT_MAX + 128]; /* and what is said about it */
};

/* It stands still (`pause`, `commit`). */
bool probe_is_idle(const struct probe_place *place);

/* After fork(2): runs the command of containers/<id>/shim.json in the container and sends the
 * result to `socket`. */
void probe_and_exit(const struct shim_options *options, const struct probe_place *place, int socket)
    __attribute__((noreturn));
