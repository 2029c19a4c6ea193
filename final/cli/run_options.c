/* The command line and the engine meet in docker's API objects: the engine never sees a flag, and
 * what `inspect` shows is what was asked for. Config is what an image could say too (Env, Cmd,
 * User, ...); HostConfig is what only this host can (limits, mounts, privileges).
 *
 * Most flags are one member of Config or HostConfig: a table says which. The others have a function
 * each. */
#include "cli/run_options.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/members.h"
#include "cli/resources.h"
#include "cli/values.h"

#define SHM_SIZE "64m"

static const struct member config_members[] = {
    {"hostname", "Hostname", MEMBER_TEXT},
    {"domainname", "Domainname", MEMBER_TEXT},
    {"user", "User", MEMBER_TEXT},
    {"tty", "Tty", MEMBER_BOOL},
    {"interactive", "OpenStdin", MEMBER_BOOL},
    {"workdir", "WorkingDir", MEMBER_TEXT},
    MEMBERS_END,
};

static const struct member host_members[] = {
    {"cidfile", "ContainerIDFile", MEMBER_TEXT},
    {"rm", "AutoRemove", MEMBER_BOOL},
    {"add-host", "ExtraHosts", MEMBER_LIST},
    {"cap-add", "CapAdd", MEMBER_LIST},
    {"cap-drop", "CapDrop", MEMBER_LIST},
    {"group-add", "GroupAdd", MEMBER_LIST},
    {"cgroup-parent", "CgroupParent", MEMBER_TEXT},
    {"oom-score-adj", "OomScoreAdj", MEMBER_INT},
    {"runtime", "Runtime", MEMBER_TEXT},
    {"privileged", "Privileged", MEMBER_BOOL},
    {"read-only", "ReadonlyRootfs", MEMBER_BOOL},
    MEMBERS_END,
};

static int daemon_error(struct err *err, const char *format, ...)
{
    char message[ERR_MESSAGE_MAX - 64];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return err_set(err, EINVAL, "Error response from daemon: %s", message);
}

/* Files first, then -e: docker's order, in which the last one wins. */
static int put_env(const struct options *o, json_t *config, struct err *err)
{
    const struct strv *files = options_list(o, "env-file"), *given = options_list(o, "env");
    cleanup_strv struct strv env = {0};
    json_t *list;

    for (size_t i = 0; i < files->len; i++)
        if (value_load_env_file(files->items[i], "env", &env, err) < 0)
            return -err->code;
    for (size_t i = 0; i < given->len; i++)
        value_add_env(&env, given->items[i]);
    if (!env.len) {
        json_put(config, "Env", json_null());
        return 0;
    }
    list = json_array();
    json_put(config, "Env", list);
    for (size_t i = 0; i < env.len; i++)
        if (json_array_append_new(list, json_string(env.items[i])) < 0)
            return err_set(err, EINVAL, "the environment variable '%.*s' is not valid UTF-8",
                           (int)strcspn(env.items[i], "="), env.items[i]);
    return 0;
}

static int put_labels(const struct options *o, json_t *config, struct err *err)
{
    const struct strv *files = options_list(o, "label-file"), *given = options_list(o, "label");
    cleanup_strv struct strv labels = {0};
    json_t *object = json_object();

    json_put(config, "Labels", object);
    for (size_t i = 0; i < files->len; i++)
        if (value_load_env_file(files->items[i], "label", &labels, err) < 0)
            return -err->code;
    for (size_t i = 0; i < labels.len; i++)
        value_add_pair(object, labels.items[i]);
    for (size_t i = 0; i < given->len; i++)
        value_add_pair(object, given->items[i]);
    return 0;
}

static json_t *words_or_null(char *const *words)
{
    return *words ? json_from_argv(words) : json_null();
}

/* --entrypoint "" is [""] in docker's API: it takes the image's entrypoint away. */
static void put_command(const struct options *o, char *const *words, json_t *config)
{
    json_put(config, "Cmd", words_or_null(words + 1));
    json_put_str(config, "Image", words[0]);
    json_put(config, "Entrypoint",
             words_or_null((char *[]){(char *)options_one(o, "entrypoint"), NULL}));
}

static void put_stop(const struct options *o, json_t *config)
{
    if (options_given(o, "stop-signal"))
        json_put_str(config, "StopSignal", options_one(o, "stop-signal"));
    if (options_given(o, "stop-timeout"))
        json_put(config, "StopTimeout", json_integer(options_number(o, "stop-timeout", 0)));
}

static int build_config(const struct options *o, char *const *words, json_t *config,
                        struct err *err)
{
    if (members_put(o, config_members, config, err) < 0 || run_health_build(o, config, err) < 0 ||
        put_env(o, config, err) < 0 || put_labels(o, config, err) < 0)
        return -err->code;
    put_command(o, words, config);
    put_stop(o, config);
    return 0;
}

/* --- HostConfig
 * ------------------------------------------------------------------------------------- */

static int put_logging(const struct options *o, json_t *host, struct err *err)
{
    const char *driver = options_one(o, "log-driver");
    const struct strv *opts = options_list(o, "log-opt");
    json_t *log = json_object(), *config = json_object();

    json_put(host, "LogConfig", log);
    json_put_str(log, "Type", driver ? driver : "json-file");
    json_put(log, "Config", config);
    if (driver && !strcmp(driver, "none") && opts->len)
        return err_set(err, EINVAL, "invalid logging opts for driver none");
    for (size_t i = 0; i < opts->len; i++)
        value_add_pair(config, opts->items[i]);
    return 0;
}

static int check_seccomp(const char *profile, struct err *err)
{
    if (!strcmp(profile, "unconfined") || !access(profile, R_OK))
        return 0;
    return err_set(err, errno, "opening seccomp profile (%s) failed: open %s: %s", profile, profile,
                   errno == ENOENT ? "no such file or directory" : strerror(errno));
}

/* key=value, or the old key:value. What asks for a label or AppArmor profile is refused: there is
 * none. */
static int put_security(const struct options *o, json_t *host, struct err *err)
{
    static const char *const plain[] = {"no-new-privileges",       "no-new-privileges=true",
                                        "no-new-privileges=false", "systempaths=unconfined",
                                        "apparmor=unconfined",     "label=disable"};
    const struct strv *given = options_list(o, "security-opt");
    json_t *list = given->len ? json_array() : json_null();

    json_put(host, "SecurityOpt", list);
    for (size_t i = 0; i < given->len; i++) {
        char text[PATH_MAX + 64], *colon;
        bool known = false;

        snprintf(text, sizeof text, "%s", given->items[i]);
        colon = strpbrk(text, "=:");
        if (colon)
            *colon = '=';
        for (size_t k = 0; k < sizeof plain / sizeof *plain; k++)
            known |= !strcmp(text, plain[k]);
        if (str_starts(text, "seccomp=") && text[8]) {
            cleanup_free char *path = NULL;

            if (check_seccomp(text + 8, err) < 0)
                return -err->code;
            path = realpath(text + 8, NULL);
            if (path && strcmp(text + 8, "unconfined"))
                snprintf(text, sizeof text, "seccomp=%s", path);
        } else if (!known) {
            return err_set(err, EINVAL, "Invalid --security-opt: \"%s\"", given->items[i]);
        }
        json_push(list, json_string(text));
    }
    return 0;
}

static void put_sysctls(const struct options *o, json_t *host)
{
    const struct strv *given = options_list(o, "sysctl");
    json_t *object = json_object();

    for (size_t i = 0; i < given->len; i++)
        value_add_pair(object, given->items[i]);
    json_put(host, "Sysctls", object);
}

static int put_restart(const struct options *o, json_t *host, struct err *err)
{
    const char *policy = options_one(o, "restart");
    json_t *parsed;

    if (value_parse_restart(policy ? policy : "no", &parsed, err) < 0)
        return -err->code;
    json_put(host, "RestartPolicy", parsed);
    if (options_flag(o, "rm") && strcmp(json_str(parsed, "Name", ""), "no"))
        return err_set(err, EINVAL, "conflicting options: cannot specify both --restart and --rm");
    return 0;
}

static int put_memory(const struct options *o, json_t *host, struct err *err)
{
    long long swappiness = options_number(o, "memory-swappiness", -1);

    if (swappiness < -1 || swappiness > 100)
        return err_set(err, EINVAL, "invalid value: %lld. Valid memory swappiness range is 0-100",
                       swappiness);
    json_put(host, "MemorySwappiness", swappiness < 0 ? json_null() : json_integer(swappiness));
    json_put(host, "OomKillDisable", json_boolean(options_flag(o, "oom-kill-disable")));
    if (options_flag(o, "oom-kill-disable") && !options_given(o, "memory"))
        fprintf(stderr, "WARNING: OOM killer is disabled for the container, but no memory limit is "
                        "set, this can result in the system running out of resources.\n");
    return 0;
}

/* overlayfs has no quota of its own. */
static int put_storage(const struct options *o, json_t *host, struct err *err)
{
    const struct strv *given = options_list(o, "storage-opt");

    json_put(host, "StorageOpt", json_null());
    if (!given->len)
        return 0;
    for (size_t i = 0; i < given->len; i++)
        if (!strchr(given->items[i], '='))
            return err_set(err, EINVAL, "invalid storage option");
    return daemon_error(err, "--storage-opt is supported only for overlay over xfs with 'pquota' "
                             "mount option");
}

/* Of other systems, or with a driver nobody has for Cooper. */
static int check_foreign(const struct options *o, struct err *err)
{
    const char *isolation = options_one(o, "isolation");

    if (isolation && *isolation && strcmp(isolation, "default"))
        return daemon_error(err, "Invalid isolation: \"%s\" - linux only supports 'default'",
                            isolation);
    if (options_one(o, "gpus"))
        return daemon_error(err, "could not select device driver \"\" with capabilities: [[gpu]]");
    if (options_one(o, "kernel-memory"))
        fputs("WARNING: --kernel-memory is ignored: the kernel counts its memory for a container "
              "with the rest.\n",
              stderr);
    return 0;
}

static void put_annotations(const struct options *o, json_t *host)
{
    const struct strv *given = options_list(o, "annotation");
    json_t *object = json_object();

    for (size_t i = 0; i < given->len; i++)
        value_add_pair(object, given->items[i]);
    json_put(host, "Annotations", object);
}

static void put_rest(const struct options *o, json_t *host)
{
    const char *shm = options_one(o, "shm-size");

    json_put(host, "ShmSize", member_bytes(shm && strcmp(shm, "0") ? shm : SHM_SIZE));
    json_put(host, "Init",
             options_given(o, "init") ? json_boolean(options_flag(o, "init")) : json_null());
    value_put_ulimits(options_list(o, "ulimit"), host);
    put_sysctls(o, host);
    put_annotations(o, host);
}

static int build_host(const struct options *o, json_t *config, json_t *host, struct err *err)
{
    if (run_mounts_build(o, config, host, err) < 0 || run_devices_build(o, host, err) < 0 ||
        run_modes_build(o, host, err) < 0 || put_memory(o, host, err) < 0 ||
        put_storage(o, host, err) < 0 || check_foreign(o, err) < 0 ||
        members_put(o, host_members, host, err) < 0 ||
        members_put(o, resource_members, host, err) < 0 || put_restart(o, host, err) < 0 ||
        put_logging(o, host, err) < 0 || put_security(o, host, err) < 0)
        return -err->code;
    put_rest(o, host);
    return 0;
}

int run_options_build(const struct options *options, char *const *words, json_t **ret_config,
                      json_t **ret_host, json_t **ret_networks, struct err *err)
{
    cleanup_json json_t *config = json_object(), *host = json_object(), *networks = json_object();

    if (build_config(options, words, config, err) < 0 ||
        build_host(options, config, host, err) < 0 ||
        run_network_build(options, config, host, networks, err) < 0)
        return -err->code;
    *ret_networks = steal_ptr(&networks);
    *ret_config = steal_ptr(&config);
    *ret_host = steal_ptr(&host);
    return 0;
}
