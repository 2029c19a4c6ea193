/* bundle.h - what create, run and exec are given: a bundle, descriptors, files to write. */
#pragma once

#include <jansson.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

#define CONFIG_MAX (16u << 20)

/* Reads and checks DIRECTORY/config.json, or the file that `config` names instead (NULL: none),
 * seen from where we are, as crun has it. The caller owns all three results; buf_free(), free() and
 * json_decref() them also after a failure. */
int bundle_load(const char *directory, const char *config, char **ret_bundle, struct buf *ret_text,
                json_t **ret_config, struct err *err);
/* config.json's version. */
#define BUNDLE_VERSION_MIN "1.0.0"
#define BUNDLE_VERSION_MAX "1.3.0"
int bundle_check_version(const char *version, struct err *err);

/* How many descriptors from 3 up the container's process inherits: the caller's socket-activated
 * ones (sd_listen_fds(3): LISTEN_PID is us), for which process.env gets LISTEN_FDS and
 * LISTEN_PID=1, and then `preserve` more. All of them must be open. */
int bundle_descriptors(long long preserve, json_t *config, unsigned *ret, struct err *err);

/* Writes the pid by rename(2): who sees the file sees all of it. */
int bundle_write_pid(const char *path, pid_t pid, struct err *err);
