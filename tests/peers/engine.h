/* engine.h - docker and Podman as makers and readers of images, one command line. Unchecked
 * fixtures, with peers_teardown(); they load IMAGE. */
#pragma once

#include "peers/peers.h"

extern const char *engine_prefix[24]; /* the engine's command, for EXPECT and AWAIT */
bool engine_is_docker(void);

void engine_docker_up(void);
void engine_podman_up(void);

/* Where limits cannot be raised (no CAP_SYS_RESOURCE) Podman's own defaults are too high. */
#define ENGINE_LIMITS                                                                              \
    "--ulimit", "nofile=1000:1000", "--ulimit", "nproc=1000:1000", "--network", "none"
