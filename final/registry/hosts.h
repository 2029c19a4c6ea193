/* hosts.h - which address a registry's name stands for, and where plain HTTP is allowed. */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/* "docker.io" -> "registry-1.docker.io": the name users write is not where the API lives. */
const char *hosts_api(const char *domain);

/* The "host[:port]" of a URL, in lower case, without user info; the caller frees. NULL when it is
 * no http or https URL. Sets *ret_tls. */
char *hosts_of_url(const char *url, bool *ret_tls);

/* `location` as seen from `base`, absolute; NULL when that makes no address. The caller frees. */
char *hosts_resolve(const char *base, const char *location);

/* True for 127.0.0.0/8, ::1 and localhost, with or without a port: what never leaves this machine.
 */
bool hosts_is_loopback(const char *host);

/* "host:port" or "[v6]:port" -> the host alone; the caller frees. */
char *hosts_without_port(const char *host);

/* 1 when plain HTTP may be spoken with "host[:port]": loopback, or listed as insecure
 * (registries.h). */
int hosts_allow_plain(const char *host, struct err *err);
