/* network.h - what the files of engine/ that deal with networks share; network/network.h tells how
 * it all works. Private to engine/. */
#pragma once

#include <stdio.h>

#include "base/ip.h"
#include "engine/internal.h"
#include "network/network.h"

#define NETWORK_DEFAULT "bridge"

/* --- network_records.c: networks as the database has them */

/* The predefined networks are there after it: "bridge" gets its subnet when it is first asked for.
 */
int networks_predefine(struct engine *e, struct err *err);
/* -ENOENT with docker's text: "network X not found". */
int network_find(struct engine *e, const char *name, struct network *ret, struct err *err);
const char *network_driver(const struct network *n);
bool network_is_predefined(const char *name);
/* The name of its bridge; room for LINK_NAME_MAX. */
void network_bridge(const struct network *n, char ret[LINK_NAME_MAX]);
bool network_option(const struct network *n, const char *name, bool otherwise);
/* A truth value as Go's strconv.ParseBool reads it, as docker does; -EINVAL for another text. */
int network_option_parse(const char *text, bool *ret);
/* One version's subnet, gateway and the first and last address for containers; base.len 0: it has
 * none. */
struct network_pool {
    struct subnet subnet;
    struct ip gateway, first, last;
    bool configured; /* by the user */
};
void network_pool(const struct network *n, bool six, struct network_pool *ret);
/* Makes its bridge and puts it into the rules, once. */
int network_make(struct engine *e, const struct network *n, struct err *err);
/* Opened with the first use, closed with the engine. */
int network_place(struct engine *e, const struct net_place **ret, struct err *err);
/* Everything that belongs in the rules; for net_rules_add(). */
int network_all_elements(void *engine, struct net_elements *ret, struct err *err);
/* Its maker was killed at it. */
bool network_half_made(const struct network *n);
/* Takes away bridge, rules and record; -EBUSY without a message while containers are on it. */
int network_unmake(struct engine *e, const struct network *n, struct err *err);
/* Releases what containers that have ended hold, and networks that were never finished. */
int networks_collect(struct engine *e, struct err *err);

/* With docker's attributes; `c` NULL: of the network alone. */
void network_event(struct engine *e, const struct network *n, const struct container *c,
                   const char *action);

/* --- network_check.c: what a new network may be */
int network_check_driver(const json_t *config, struct err *err);
int network_check_config(struct engine *e, const char *name, json_t *config, struct err *err);

/* --- network_endpoint.c: what one container gets on one network, inside a transaction */
int endpoint_allocate(struct engine *e, const struct container *c, const struct network *n,
                      const json_t *wanted, size_t position, json_t **ret, struct err *err);
/* What others on a network of the user's may call it; the caller owns the array. */
json_t *endpoint_names(const struct container *c, const json_t *aliases);
/* Chooses which endpoint has the default routes and publishes ports: sets Default4, Default6. */
void endpoints_choose_gateway(json_t *endpoints);
/* Writes all of an array into the records; puts them, with what they publish, into the rules. */
int endpoints_store(struct engine *e, const char *container, const json_t *endpoints,
                    struct err *err);
int endpoints_put_rules(struct engine *e, const json_t *endpoints, struct err *err);
/* Takes one out of the kernel and of the names: elements, cable, connections. Its record stays. */
int endpoint_take_back(struct engine *e, const char *container, const json_t *endpoint,
                       struct err *err);

/* --- network_connect.c: the names of a running container, after its record has a new one */
int network_rename(struct engine *e, struct container *c, struct err *err);

/* Lets a running container that has linked to others find them again, of which `starting` has a new
 * address. */
int network_relink(struct engine *e, struct container *c, const struct container *starting,
                   struct err *err);

/* --- network_links.c: --link */

/* Puts ids instead of names into a list as HostConfig.Links (NULL: none); -ENOENT for a container
 * that is not there. */
int links_check(struct engine *e, json_t *links, struct err *err);
/* HostConfig.Links as inspect shows it, with the names of now. */
json_t *links_document(struct engine *e, const struct container *c);
/* Puts LinkedHosts (lines of /etc/hosts) and Linked (rules) into the first of `endpoints`, and into
 * each what `network connect --link` said about it. With `starting`, for a container that runs: the
 * others that do not run are left out. */
int links_resolve(struct engine *e, const struct container *c, json_t *endpoints,
                  const struct container *starting, struct err *err);
/* The second half for one endpoint of a container that runs. */
int links_resolve_on(struct engine *e, const struct container *c, json_t *endpoint,
                     struct err *err);
bool links_exist(const json_t *endpoints);
/* After `c` was given its addresses: tells those that have linked to it. */
int links_follow(struct engine *e, const struct container *c, struct err *err);
/* `id` is being removed: nobody is linked to it any more. */
void links_forget(struct engine *e, const char *id);

/* --- network_ports.c: published ports */

struct port_sockets {
    int *fds;
    size_t len, room;
};
void port_sockets_close(struct port_sockets *s);
/* From PortBindings and ExposedPorts: takes host ports, opening their sockets. *ret_ports is an
 * array for the plan:
 * [{Proto, Container, Host, HostIP}], in the order of the sockets. */
int ports_open(struct engine *e, const struct container *c, const struct network *gateway,
               json_t **ret_ports, struct port_sockets *ret, struct err *err);
/* Checks the form only, at creation. */
int ports_check(const json_t *config, const json_t *host, struct err *err);

/* --- network_start.c */

/* What a start has in hand until the shim has it. */
struct network_start {
    json_t *plan; /* {"endpoints", "ports", "dns"}: run/<id>/network.json */
    struct port_sockets sockets;
    int netns; /* to join, of another container, or -1 */
    int rules; /* the socket for the rules, or -1 */
};
void network_start_free(struct network_start *s);
/* Takes addresses and ports, makes bridges and rules, writes the host files and the plan. The
 * caller holds the lock of the run directory `run`. On failure nothing is left. */
int network_up(struct engine *e, const struct container *c, int run, struct network_start *ret,
               struct err *err);
/* "network connect", for each of the plan's. */
void network_tell_start(struct engine *e, const struct container *c, const json_t *plan);
/* Gives everything back; the shim has done its part unless the plan is still there. The caller
 * holds the lock. */
int network_down(struct engine *e, const char *id, struct err *err);
/* The same for a container that is not running, if nobody holds the lock. */
int network_down_if_idle(struct engine *e, const char *id, struct err *err);
int network_write_plan(int run, const json_t *plan, struct err *err);
json_t *network_make_plan(const struct container *c, json_t *endpoints, json_t *ports);
/* At creation: NetworkMode, and the networks that were asked for. */
int network_check_request(struct engine *e, json_t *config, json_t *host, json_t *networks,
                          struct err *err);
/* What of it will not be as asked, for the user to read. */
void network_warnings(const json_t *host, struct strv *ret);
/* "container:X": the id of X; else NULL. */
const char *network_of_container(const json_t *host);

/* --- network_inspect.c: adds NetworkSettings */
int inspect_network_settings(struct engine *e, const struct container *c, json_t *document,
                             struct err *err);
