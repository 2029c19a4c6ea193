/* digest.h - SHA-256 through OpenSSL's libcrypto, and the text form "sha256:<64 hex>" that names
 * content. OCI image spec, descriptor.md, "Digests". Only sha256 is accepted, in lower case. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define DIGEST_LEN 71 /* strlen("sha256:") + 64 */

struct hasher;
struct hasher *hasher_new(void); /* never NULL */
void hasher_add(struct hasher *h, const void *data, size_t len);
/* Writes "sha256:<hex>" and frees the hasher. */
void hasher_finish(struct hasher *h, char ret[DIGEST_LEN + 1]);
void hasher_free(struct hasher *h); /* NULL is fine */

void digest_of(const void *data, size_t len, char ret[DIGEST_LEN + 1]);

/* Exactly ^sha256:[0-9a-f]{64}$ (CVE-2024-3727). Needs no libcrypto. */
bool digest_valid(const char *text);
/* The 64 hex digits of a valid digest. */
const char *digest_hex(const char *digest);
