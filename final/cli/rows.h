/* rows.h - one container or image as list commands and --format show it. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "engine/engine.h"

/* "Up 3 seconds", "Exited (0) 8 seconds ago", "Created". The caller frees. */
char *rows_status(const struct container *c, int64_t now_ns);
/* With docker's words for its health ("none": nothing is said), see engine_health_status(). */
char *rows_status_health(const struct container *c, const char *health, int64_t now_ns);
/* "created", "running", ... : docker's names of the states; the steps between them are the nearest
 * one. */
const char *rows_state(const struct container *c);
/* docker's idea of running: paused or about to be restarted, too. */
bool rows_running(const struct container *c);
/* Path and arguments in one line; an argument with a blank in single quotes. The caller frees. */
char *rows_command(const struct container *c);
/* "2026-11-21 05:40:22 +0000 UTC" in local time. `ret` has room for 64. */
void rows_time(int64_t ns, char ret[64]);
/* As Go prints a time: the fraction of the second, without zeros at its end; UTC. */
void rows_time_exact(int64_t ns, char ret[64]);
/* "3 hours ago", or "N/A" for a time that is not known. `ret` has room for 64. */
void rows_ago(int64_t ns, int64_t now_ns, char ret[64]);
/* "a=b,c=d" by name. The caller frees. */
char *rows_labels(const json_t *labels);
/* The first 12 digits of an id, with or without "sha256:". The caller frees. */
char *rows_short_id(const char *id);
/* The PORTS cell, from docker's NetworkSettings.Ports. The caller frees. */
char *rows_ports(const json_t *ports);
/* One volume as a row of format.h, with docker's members; what only `system df` counts is "N/A". A
 * new reference. */
json_t *rows_volume(struct engine *e, const struct volume *v);
