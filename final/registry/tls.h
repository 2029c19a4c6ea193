/* tls.h - which certificate authorities are trusted for a host, beside the system's.
 *
 * As docker does: every *.crt in certs.d/HOST[:PORT]/ is a CA. The first of these that exists
 * counts: <config_dir>/certs.d/HOST/    ($DOCKER_CONFIG or ~/.docker) /etc/cooper/certs.d/HOST/
 *     /etc/docker/certs.d/HOST/
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

/* Appends the PEM text for `host` ("localhost:5000") and of `ca_file` (NULL: none) to *ret. A
 * directory that is not there is fine; a file that cannot be read is an error. */
int tls_trust(const char *host, const char *ca_file, const char *config_dir, struct buf *ret,
              struct err *err);
