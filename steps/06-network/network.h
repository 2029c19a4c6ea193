/* A network of the keg's own: its device eth0, plugged into a bridge of the host. */
#pragma once

#include "args.h"

extern const struct option_row network_options[]; /* --address --publish */

/* In the parent, before clone(2): moves this process into a new network namespace, so that the
 * child is born there, and connects it: 10.99.0.N on eth0, a bridge keg0 with 10.99.0.1, the way
 * out under the host's address, and the published port. Dies when an option makes no sense or the
 * host cannot do it. Without root the keg gets a loopback device and nothing else.
 *
 * All but the bridge goes away with keg, whatever ends it: the devices with the last process in the
 * namespace, the rules with this process's socket (nft(8), "flags owner"; Linux 5.12). */
void network_create(void);
