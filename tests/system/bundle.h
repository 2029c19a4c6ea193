/* bundle.h - what a test puts into a bundle, and how it finds out what became of it. Paths are
 * relative to the bundle; the image is below "rootfs". */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "container.h"

char *path_in(const char *bundle, const char *path); /* the caller frees it */
void put_file(const char *bundle, const char *path, const char *text);
void put_dir(const char *bundle, const char *path);
void put_link(const char *bundle, const char *path, const char *target);
/* Something is there; a symlink is not followed. */
bool exists(const char *bundle, const char *path);
json_t *bind_mount(const char *source, const char *destination, const char *options);

/* Every capability there is, and no filter of system calls. */
void allow_everything(json_t *config);
/* Runs it, and the test fails unless it could be started. */
void run_well(const char *bundle, const json_t *config, struct outcome *ret);
/* Runs it, and the test fails unless creating it failed with this error and these words. */
void run_refused(const char *bundle, const json_t *config, int error, const char *words);

/* A container whose ids 0-65535 are OUTSIDE and up on the host; its image belongs to its root. */
#define OUTSIDE 231072
json_t *config_in_userns(const char *bundle, const char *command);
/* [{containerID, hostID, size}] */
json_t *id_map(int inside, int outside, int size);
