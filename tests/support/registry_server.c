#include "support/registry_server.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "support/run.h"
#include "support/suite.h"

static const char *registry_missing(void)
{
    static const char *const programs[] = {"docker-registry", "skopeo", "umoci", "htpasswd",
                                           "openssl"};
    static char reason[64];

    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        if (!run_has_program(programs[i])) {
            snprintf(reason, sizeof reason, "'%s' is not installed", programs[i]);
            return reason;
        }
    if (access("/bin/busybox", X_OK) < 0)
        return "'/bin/busybox' (busybox-static) is not installed";
    return geteuid() ? "umoci must be root to make these images" : NULL;
}
TAG("needs-registry", registry_missing)

static void write_file(const char *directory, const char *name, const char *text, mode_t mode)
{
    cleanup_free char *path = str_format("%s/%s", directory, name);
    struct err err = {0};

    ck_assert_msg(!file_store(AT_FDCWD, path, text, strlen(text), mode, false, &err), "%s",
                  err.message);
}

/* --- the root filesystem --------------------------------------------------------------------- */

static void make_users(const char *root)
{
    write_file(root, "etc/passwd",
               "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:A User:/home/user:/bin/sh\n", 0644);
    write_file(root, "etc/group", "root:x:0:\nwheel:x:10:root,user\nuser:x:1000:\n", 0644);
}

void busybox_tree(const char *path, const char *marker)
{
    static const char *const directories[] = {"bin", "etc",  "tmp", "root", "home/user",
                                              "dev", "proc", "sys", "var"};
    struct run_result r = {0};
    struct err err = {0};
    cleanup_free char *bin = str_format("%s/bin", path),
                      *busybox = str_format("%s/bin/busybox", path),
                      *tmp = str_format("%s/tmp", path),
                      *setuid = str_format("%s/bin/setuid", path),
                      *hard = str_format("%s/etc/marker-link", path),
                      *soft = str_format("%s/etc/sh", path),
                      *first = str_format("%s/etc/marker", path),
                      *home = str_format("%s/home/user", path);

    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        cleanup_free char *d = str_format("%s/%s", path, directories[i]);

        ck_assert_msg(!file_make_dirs(AT_FDCWD, d, 0755, &err), "%s", err.message);
    }
    RUN_OK(&r, NULL, "cp", "/bin/busybox", busybox);
    RUN_OK(&r, NULL, "chroot", path, "/bin/busybox", "--install", "-s", "/bin");
    RUN_OK(&r, NULL, "cp", busybox, setuid);
    run_free(&r);
    make_users(path);
    write_file(path, "etc/marker", marker ? marker : "plain\n", 0644);
    ck_assert(!link(first, hard) && !symlink("/bin/sh", soft));
    ck_assert(!chmod(setuid, 04755) && !chmod(tmp, 01777) && !chmod(bin, 0755) &&
              !chown(home, 1000, 1000));
}

/* --- the server ------------------------------------------------------------------------------ */

/* A CA that signs nothing but itself: curl and skopeo take it as the root of trust. */
static void make_certificate(struct registry_server *s)
{
    cleanup_free char *key = str_format("%s/key.pem", s->directory);
    struct run_result r = {0};

    s->ca = str_format("%s/ca.crt", s->directory);
    RUN_OK(&r, NULL, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
           "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
           "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", s->ca);
    run_free(&r);
}

static void make_password_file(struct registry_server *s)
{
    struct run_result r = {0};

    RUN_OK(&r, NULL, "htpasswd", "-Bbn", s->options.user, s->options.password);
    write_file(s->directory, "htpasswd", r.out.data, 0600);
    run_free(&r);
}

static void write_configuration(struct registry_server *s)
{
    cleanup_buf struct buf y = {0};

    buf_printf(&y,
               "version: 0.1\nlog:\n  level: info\n  accesslog:\n    disabled: false\n"
               "storage:\n  filesystem:\n    rootdirectory: %s/data\n  delete:\n    enabled: true\n"
               "http:\n  addr: 127.0.0.1:0\n  secret: for-tests\n",
               s->directory);
    if (s->options.tls)
        buf_printf(&y, "  tls:\n    certificate: %s\n    key: %s/key.pem\n", s->ca, s->directory);
    if (s->options.client_certificate)
        buf_printf(&y, "    clientcas:\n      - %s\n", s->ca);
    if (s->options.user)
        buf_printf(&y, "auth:\n  htpasswd:\n    realm: test\n    path: %s/htpasswd\n",
                   s->directory);
    if (s->options.token_realm)
        buf_printf(&y,
                   "auth:\n  token:\n    realm: %s\n    service: test\n    issuer: test\n"
                   "    rootcertbundle: %s\n",
                   s->options.token_realm, s->ca);
    if (s->options.redirect)
        buf_printf(&y,
                   "middleware:\n  storage:\n    - name: redirect\n      options:\n"
                   "        baseurl: %s\n",
                   s->options.redirect);
    write_file(s->directory, "config.yml", y.data, 0600);
}

/* It was given port 0 and logs the one it got once it listens. */
static void wait_until_ready(struct registry_server *s)
{
    static const char said[] = "listening on 127.0.0.1:";
    cleanup_free char *log = run_wait_for_text(s->log, said, 20);
    cleanup_free char *all = log ? NULL : run_wait_for_text(s->log, "", 1);

    ck_assert_msg(log, "docker-registry does not listen: %s", all ? all : "it wrote no log");
    s->port = (unsigned)strtoul(strstr(log, said) + strlen(said), NULL, 10);
    ck_assert_uint_gt(s->port, 0);
    snprintf(s->address, sizeof s->address, "%s:%u", s->options.tls ? "localhost" : "127.0.0.1",
             s->port);
}

void registry_server_start(struct registry_server *s, const struct registry_server_options *options)
{
    cleanup_free char *configuration = NULL;

    memset(s, 0, sizeof *s);
    if (options)
        s->options = *options;
    s->directory = temp_dir();
    s->log = str_format("%s/log", s->directory);
    configuration = str_format("%s/config.yml", s->directory);
    if (s->options.tls)
        make_certificate(s);
    if (s->options.user)
        make_password_file(s);
    write_configuration(s);
    s->pid = run_start(
        &(struct run_options){.environment =
                                  (const char *const[]){"OTEL_TRACES_EXPORTER=none", NULL}},
        s->log, (const char *const[]){"docker-registry", "serve", configuration, NULL});
    wait_until_ready(s);
}

void registry_server_stop(struct registry_server *s)
{
    if (s->pid > 0)
        run_stop(s->pid);
    temp_dir_remove(s->directory);
    free(s->log);
    free(s->ca);
    memset(s, 0, sizeof *s);
}

unsigned registry_server_count(const struct registry_server *s, const char *text)
{
    cleanup_free char *log = run_wait_for_text(s->log, "", 1);
    unsigned count = 0;

    for (const char *at = log; at && (at = strstr(at, text)); at += strlen(text))
        count++;
    return count;
}

/* --- images ---------------------------------------------------------------------------------- */

/* Unpacks the layout's image, lets `change` alter the tree, and packs the difference as one more
 * layer. */
static void add_layer(const char *layout, const char *bundle, const char *name, const char *text)
{
    cleanup_free char *image = str_format("%s:image", layout),
                      *root = str_format("%s/rootfs", bundle);
    struct run_result r = {0};

    write_file(root, name, text, 0644);
    RUN_OK(&r, NULL, "umoci", "repack", "--refresh-bundle", "--image", image, bundle);
    run_free(&r);
}

static void configure(const char *image, const char *architecture, const struct test_image *what)
{
    const char *argv[64] = {
        "umoci",        "config",         "--image",    image,          "--os",
        "linux",        "--architecture", architecture, "--config.cmd", "/bin/sh",
        "--config.env", "PATH=/bin",      NULL};
    size_t n = 12;
    struct run_result r = {0};

    for (size_t i = 0; what->config && what->config[i] && n < 63; i++)
        argv[n++] = what->config[i];
    argv[n] = NULL;
    run_argv_ok(&r, NULL, argv);
    run_free(&r);
}

/* An OCI layout at `directory`/layout with the tag "image". */
static char *make_layout(const char *directory, const char *architecture,
                         const struct test_image *what)
{
    char *layout = str_format("%s/layout-%s", directory, architecture);
    cleanup_free char *bundle = str_format("%s/bundle-%s", directory, architecture),
                      *image = str_format("%s:image", layout),
                      *root = str_format("%s/rootfs", bundle);
    struct run_result r = {0};

    RUN_OK(&r, NULL, "umoci", "init", "--layout", layout);
    RUN_OK(&r, NULL, "umoci", "new", "--image", image);
    configure(image, architecture, what);
    RUN_OK(&r, NULL, "umoci", "unpack", "--image", image, bundle);
    RUN_OK(&r, NULL, "rmdir", root);
    busybox_tree(root, what->marker);
    add_layer(layout, bundle, "etc/arch", architecture);
    for (unsigned i = 2; i <= what->layers; i++) {
        cleanup_free char *name = str_format("layer-%u", i), *text = str_format("%u\n", i);

        add_layer(layout, bundle, name, text);
    }
    RUN_OK(&r, NULL, "rm", "-rf", bundle);
    run_free(&r);
    return layout;
}

static void copy_to_server(struct registry_server *s, const char *layout, const char *reference,
                           const struct test_image *what)
{
    bool zstd = what->compression && !strcmp(what->compression, "zstd");
    const char *format = zstd ? "oci" : what->format ? what->format : "v2s2";
    cleanup_free char *from = str_format("oci:%s:image", layout),
                      *to = str_format("docker://%s/%s", s->address, reference),
                      *credentials = s->options.user
                                         ? str_format("%s:%s", s->options.user, s->options.password)
                                         : NULL;
    const char *argv[20] = {
        "skopeo",   "copy", "--insecure-policy", "--quiet", "--dest-tls-verify=false",
        "--format", format};
    size_t n = 7;
    struct run_result r = {0};

    if (zstd) {
        argv[n++] = "--dest-compress-format";
        argv[n++] = "zstd";
    }
    if (credentials) {
        argv[n++] = "--dest-creds";
        argv[n++] = credentials;
    }
    argv[n++] = from;
    argv[n] = to;
    run_argv_ok(&r, NULL, argv);
    run_free(&r);
}

/* Asks the server what it has under `tag`: "digest size". skopeo has no command to make an index.
 */
static void curl(struct registry_server *s, struct run_result *r, const char *const more[])
{
    cleanup_free char *credentials =
        s->options.user ? str_format("%s:%s", s->options.user, s->options.password) : NULL;
    const char *argv[40] = {"curl", "-sS", "--fail-with-body", "--cacert",
                            s->ca ? s->ca : "/etc/ssl/certs/ca-certificates.crt"};
    size_t n = 5;

    if (credentials) {
        argv[n++] = "-u";
        argv[n++] = credentials;
    }
    while (*more && n < 39)
        argv[n++] = *more++;
    run_argv_ok(r, NULL, argv);
}

/* One entry of the index: asks for the manifest just pushed and describes it. */
static void describe(struct registry_server *s, const char *repository, const char *architecture,
                     const char *type, struct buf *entries)
{
    cleanup_free char *url = str_format("%s://%s/v2/%s/manifests/part-%s", s->ca ? "https" : "http",
                                        s->address, repository, architecture),
                      *accept = str_format("Accept: %s", type), *digest = NULL;
    struct run_result r = {0};
    size_t size;
    char *at;

    curl(s, &r, (const char *const[]){"-H", accept, url, NULL});
    size = r.out.len;
    curl(s, &r, (const char *const[]){"-I", "-H", accept, url, NULL});
    at = strcasestr(r.out.data, "docker-content-digest: ");
    ck_assert_ptr_nonnull(at);
    digest = str_copy_n(at + 23, 71);
    buf_printf(entries,
               "%s{\"mediaType\":\"%s\",\"size\":%zu,\"digest\":\"%s\",\"platform\":{\"os\":"
               "\"linux\",\"architecture\":\"%s\"}}",
               entries->len ? "," : "", type, size, digest, architecture);
    run_free(&r);
}

static void push_index(struct registry_server *s, const char *directory, const char *reference,
                       const struct test_image *what)
{
    static const char *const architectures[] = {"arm64", "amd64"};
    bool oci = (what->format && !strcmp(what->format, "oci")) || what->compression;
    const char *type = oci ? "application/vnd.oci.image.manifest.v1+json"
                           : "application/vnd.docker.distribution.manifest.v2+json";
    const char *index_type = oci ? "application/vnd.oci.image.index.v1+json"
                                 : "application/vnd.docker.distribution.manifest.list.v2+json";
    cleanup_free char *repository = str_copy(reference), *body = NULL, *url = NULL, *header = NULL;
    cleanup_buf struct buf entries = {0};
    struct run_result r = {0};
    char *tag = strrchr(repository, ':');

    *tag++ = 0;
    for (size_t i = 0; i < 2; i++) {
        cleanup_free char *layout = make_layout(directory, architectures[i], what),
                          *part = str_format("%s:part-%s", repository, architectures[i]);

        copy_to_server(s, layout, part, what);
        describe(s, repository, architectures[i], type, &entries);
    }
    body = str_format("{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[%s]}", index_type,
                      entries.data);
    url = str_format("%s://%s/v2/%s/manifests/%s", s->ca ? "https" : "http", s->address, repository,
                     tag);
    header = str_format("Content-Type: %s", index_type);
    curl(s, &r, (const char *const[]){"-X", "PUT", "-H", header, "--data-binary", body, url, NULL});
    run_free(&r);
}

void registry_server_push(struct registry_server *s, const char *reference,
                          const struct test_image *image)
{
    static const struct test_image plain;
    const struct test_image *what = image ? image : &plain;
    char *directory = temp_dir();

    if (what->index) {
        push_index(s, directory, reference, what);
    } else {
        cleanup_free char *layout = make_layout(directory, "amd64", what);

        copy_to_server(s, layout, reference, what);
    }
    temp_dir_remove(directory);
}
