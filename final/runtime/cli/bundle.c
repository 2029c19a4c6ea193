#include "runtime/cli/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

#define PRESERVE_MAX 4096

int bundle_check_version(const char *version, struct err *err)
{
    unsigned major, minor, patch;

    if (sscanf(version, "%u.%u.%u", &major, &minor, &patch) != 3)
        return err_set(err, EINVAL, "ociVersion \"%s\" is not a version such as 1.2.0", version);
    if (major != 1 || minor > 3)
        return err_set(err, ENOTSUP, "ociVersion %s is not supported: 1.0 to 1.3 are", version);
    return 0;
}

int bundle_load(const char *directory, const char *config, char **ret_bundle, struct buf *ret_text,
                json_t **ret_config, struct err *err)
{
    cleanup_free char *path = NULL;
    const char *version;

    *ret_bundle = realpath(directory, NULL);
    if (!*ret_bundle)
        return err_errno(err, "bundle '%s'", directory);
    path = config ? str_copy(config) : str_format("%s/config.json", *ret_bundle);
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return err_set(err, ENOENT, "JSON specification file %s not found", path);
    if (file_load(AT_FDCWD, path, CONFIG_MAX, ret_text, err) < 0)
        return -err->code;
    *ret_config = json_parse_u64(ret_text->data, ret_text->len, path, err);
    if (!*ret_config)
        return -err->code;
    version = json_str(*ret_config, "ociVersion", NULL);
    if (!version)
        return err_set(err, EINVAL, "%s has no ociVersion", path);
    return bundle_check_version(version, err) < 0 ? err_wrap(err, "%s", path) : 0;
}

/* --- descriptors ------------------------------------------------------------------------------ */

/* systemd's protocol: the variables are meant for the process that LISTEN_PID names. */
static unsigned socket_activated(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    unsigned long long n;

    if (!pid || !count || str_to_u64(pid, &n) < 0 || n != (unsigned long long)getpid())
        return 0;
    return !str_to_u64(count, &n) && n < PRESERVE_MAX ? (unsigned)n : 0;
}

static void add_listen_env(json_t *config, unsigned count)
{
    json_t *process = json_object_get(config, "process");
    const char *names = getenv("LISTEN_FDNAMES");
    char text[64];

    if (!json_is_object(process))
        return; /* an error that the parser names better */
    if (!json_is_array(json_object_get(process, "env")))
        json_put(process, "env", json_array());
    snprintf(text, sizeof text, "LISTEN_FDS=%u", count);
    json_push(json_object_get(process, "env"), json_string(text));
    json_push(json_object_get(process, "env"), json_string("LISTEN_PID=1"));
    if (names) {
        cleanup_free char *line = str_format("LISTEN_FDNAMES=%s", names);

        json_push(json_object_get(process, "env"), json_string(line));
    }
}

int bundle_descriptors(long long preserve, json_t *config, unsigned *ret, struct err *err)
{
    unsigned listening = config ? socket_activated() : 0;

    if (preserve < 0 || preserve > PRESERVE_MAX)
        return err_set(err, EINVAL, "--preserve-fds %lld is not in the range 0-%d", preserve,
                       PRESERVE_MAX);
    *ret = listening + (unsigned)preserve;
    for (unsigned i = 0; i < *ret; i++) {
        int flags = fcntl(3 + (int)i, F_GETFD);

        /* One of ours has O_CLOEXEC; what a caller handed down has not, or we had not got it. */
        if (flags < 0 || flags & FD_CLOEXEC)
            return err_set(err, EBADF, "unable to stat preserved-fd %u (of %u): it is not open", i,
                           *ret);
    }
    if (listening && config)
        add_listen_env(config, listening);
    return 0;
}

int bundle_write_pid(const char *path, pid_t pid, struct err *err)
{
    char text[16];
    int n = snprintf(text, sizeof text, "%d", (int)pid);

    if (file_store(AT_FDCWD, path, text, (size_t)n, 0644, false, err) < 0)
        return err_wrap(err, "cannot write the pid file");
    return 0;
}
