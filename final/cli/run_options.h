/* run_options.h - the flags of run and create as docker's Config and HostConfig: the JSON that
 * `inspect` shows and the engine works from. */
#pragma once

#include <jansson.h>

#include "base/err.h"
#include "cli/options.h"

extern const struct flag run_flags[];
#define RUN_ONLY_FLAGS 3 /* what follows these is the table of `create` */

/* Builds Config, HostConfig and EndpointsConfig from the flags; `words` are IMAGE [COMMAND]
 * [ARG...]. Checks how the values are written; what they may be is for engine_create() to say. The
 * caller owns all.
 */
int run_options_build(const struct options *options, char *const *words, json_t **ret_config,
                      json_t **ret_host, json_t **ret_networks, struct err *err);

/* run_mounts.c: -v, --tmpfs, --volumes-from; run_mount_flag.c: --mount. */
int run_mounts_build(const struct options *options, json_t *config, json_t *host, struct err *err);
void run_mount_flags_build(const struct options *options, json_t *host);
int value_check_mount(const char *value, struct err *err);

/* run_devices.c: --device, --device-cgroup-rule, --blkio-weight-device, --device-read-bps, ... */
int run_devices_build(const struct options *options, json_t *host, struct err *err);
int value_check_device_rule(const char *value, struct err *err);
int value_check_weight_device(const char *value, struct err *err);
int value_check_bps_device(const char *value, struct err *err);
int value_check_iops_device(const char *value, struct err *err);

/* run_modes.c: --pid, --ipc, --uts, --userns, --cgroupns */
int run_modes_build(const struct options *options, json_t *host, struct err *err);

/* run_health.c: --health-*, --no-healthcheck */
int run_health_build(const struct options *options, json_t *config, struct err *err);

/* run_network.c: --network and what belongs to it, into HostConfig and, a member a network,
 * EndpointsConfig. */
int run_network_build(const struct options *options, json_t *config, json_t *host, json_t *networks,
                      struct err *err);
/* One field of --network's long form into docker's EndpointConfig: "alias", "ip", "mac-address",
 * ... */
int run_network_field(json_t *wish, const char *key, const char *value, struct err *err);
