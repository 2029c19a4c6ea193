/* helper.h - docker's credential helpers: programs called docker-credential-NAME that keep
 * passwords elsewhere than in a file. Their protocol: a verb as argument, a server's name or a JSON
 * document on stdin, the answer on stdout.
 * https://github.com/docker/docker-credential-helpers, README, "Development" */
#pragma once

#include "registry/credentials.h"

/* Nothing kept is success with NULLs. */
int helper_get(const char *helper, const char *server, struct credentials *ret, struct err *err);
int helper_store(const char *helper, const char *server, const struct credentials *c,
                 struct err *err);
int helper_erase(const char *helper, const char *server, struct err *err);
