/* registry_server.h - Debian's docker-registry on a loopback port of its own, for one test, and
 * images in it made by skopeo and umoci from a small busybox-static tree.
 *
 *     struct registry_server s;
 *     registry_server_start(&s, &(struct registry_server_options){.user = "a", .password = "b"});
 *     registry_server_push(&s, "me/app:v1", &(struct test_image){.layers = 3, .format = "v2s2"});
 *     ...
 *     registry_server_stop(&s);
 *
 * A case that uses it is tagged "needs-registry" (docker-registry, skopeo, umoci, busybox-static;
 * with `user` also htpasswd, with `tls` also openssl).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct registry_server_options {
    const char *user, *password; /* NULL: everybody may read and write */
    bool tls;                    /* a certificate of its own for localhost and 127.0.0.1 */
    bool client_certificate;     /* needs `tls`: asks for one; its own will do */
    const char *token_realm;     /* needs `tls`: Bearer, with tokens from this address */
    const char *redirect;        /* sends those who ask for blobs to this address ("http://...") */
};

struct registry_server {
    pid_t pid;
    unsigned port;
    char address[32]; /* "127.0.0.1:PORT", or "localhost:PORT" with TLS */
    char *directory;  /* everything it owns */
    char *log;        /* path of its log; one line a request */
    char *ca;         /* path of the CA's certificate, NULL without TLS; beside it key.pem */
    struct registry_server_options options;
};

/* Starts and waits until it listens; the test fails when it does not. `options` may be NULL. */
void registry_server_start(struct registry_server *ret,
                           const struct registry_server_options *options);
void registry_server_stop(struct registry_server *s); /* a zeroed one is fine */

/* How often the log has a request whose line holds `text` ("GET /v2/me/app/blobs/sha256:..."). */
unsigned registry_server_count(const struct registry_server *s, const char *text);

/* What to push. */
struct test_image {
    const char *format;      /* "v2s2" (default) or "oci" */
    const char *compression; /* "gzip" (default), "zstd" (makes it OCI) */
    unsigned layers; /* 0: one, the busybox tree; each further one adds /layer-N holding "N\n" */
    bool index;      /* a multi-architecture index: amd64, and an arm64 that differs in /etc/arch */
    const char *marker;        /* content of /etc/marker, so that two images differ */
    const char *const *config; /* arguments for `umoci config`: "--config.env", "A=b", ... */
};
/* Pushes as `repository:tag`. `image` may be NULL. */
void registry_server_push(struct registry_server *s, const char *reference,
                          const struct test_image *image);

/* Makes a busybox root filesystem at `path` (which must not exist): /bin/busybox with links for its
 * applets, /etc/{passwd,group,marker}, /tmp, /root, /home/user, /dev, /proc, /sys; a hard link, a
 * symlink, a setuid file. */
void busybox_tree(const char *path, const char *marker);
