/* registries.h - what the administrator says about registries, in $COOPER_REGISTRIES (default
 * /etc/cooper/registries.json), with the members of docker's daemon.json:
 *
 *     {"insecure-registries": ["registry.lab:5000", "10.0.0.0/8"],
 *      "registry-mirrors":    ["https://mirror.lab"]}
 *
 * An insecure registry may speak plain HTTP, or TLS with a certificate nobody vouches for. It is
 * listed by its name, with the port if it has one, or by a network its address is in; names are not
 * looked up for that. Mirrors are asked before Docker Hub.
 *
 * A file that cannot be read or understood is an error for everybody: a wrong guess would be unsafe
 * either way. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

/* 1, 0, or an error. `host` as in a URL: "registry.lab:5000". */
int registries_insecure(const char *host, struct err *err);
/* Addresses: "https://mirror.lab". */
int registries_mirrors(struct strv *ret, struct err *err);
