/* tls.h - which certificate authorities are trusted for a host, beside the system's, and how we
 * prove who we are to it.
 *
 * As docker does: every *.crt in certs.d/HOST[:PORT]/ is a CA; client.cert and client.key, or any
 * pair of such names, are our own certificate. The first of these directories that exists counts:
 *
 *     <config_dir>/certs.d/HOST/     ($DOCKER_CONFIG or ~/.docker)
 *     /etc/cooper/certs.d/HOST/
 *     /etc/docker/certs.d/HOST/
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

/* Appends the PEM text for `host` ("localhost:5000") and of `ca_file` (NULL: none) to *ret. A
 * directory that is not there is fine; a file that cannot be read is an error. */
int tls_trust(const char *host, const char *ca_file, const char *config_dir, struct buf *ret,
              struct err *err);
/* The PEM text of our certificate for `host` and of its key; both stay empty when there is none. A
 * certificate without its key is an error. */
int tls_client(const char *host, const char *config_dir, struct buf *ret_certificate,
               struct buf *ret_key, struct err *err);
