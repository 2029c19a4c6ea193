/* health.h - the record of a container's health: containers/<id>/health.json, docker's
 * State.Health:
 * {"Status", "FailingStreak", "Log": [{"Start", "End", "ExitCode", "Output"}]}. The shim writes it,
 * commands read it; whoever reads sees all of one state, never half (rename(2)). */
#pragma once

#define HEALTH_FILE     "health.json"
#define HEALTH_FILE_MAX (1u << 20)

#define HEALTH_LOG_MAX    5    /* entries that are kept */
#define HEALTH_OUTPUT_MAX 4096 /* bytes of an entry's output */
