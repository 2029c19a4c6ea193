/* build, in the program cooper-image. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "build/build.h"
#include "cli/build_output.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/members.h"
#include "cli/resources.h"
#include "cli/signals.h"
#include "cli/values.h"
#include "image/image.h"

struct building {
    struct cli *cli;
    struct build_request request;
    struct build_secret *secrets;
    struct build_agent *agents;
    json_t *host;
    enum build_style style;
    struct build_output *output;
    char wreck_id[65];
};

static void building_free(struct building *b)
{
    for (size_t i = 0; i < b->request.secret_count; i++) {
        free(b->secrets[i].id);
        free(b->secrets[i].path);
        if (b->secrets[i].value)
            explicit_bzero(b->secrets[i].value, strlen(b->secrets[i].value));
        free(b->secrets[i].value);
    }
    for (size_t i = 0; i < b->request.agent_count; i++) {
        free(b->agents[i].id);
        free(b->agents[i].socket);
    }
    free(b->secrets);
    free(b->agents);
    json_decref(b->host);
}

/* --- what the flags say ----------------------------------------------------------------------- */

static int choose_style(struct building *b, struct err *err)
{
    const struct options *o = &b->cli->options;
    const char *progress = options_one(o, "progress"), *term = getenv("TERM");

    if (options_flag(o, "quiet") || !strcmp(progress, "quiet"))
        b->style = BUILD_QUIET;
    else if (!strcmp(progress, "plain"))
        b->style = BUILD_PLAIN;
    else if (!strcmp(progress, "tty"))
        b->style = BUILD_TTY;
    else if (!strcmp(progress, "auto"))
        b->style = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") ? BUILD_TTY : BUILD_PLAIN;
    else
        return err_set(err, EINVAL,
                       "invalid progress mode \"%s\": must be one of \"auto\", \"plain\", \"tty\" "
                       "or \"quiet\"",
                       progress);
    return 0;
}

/* id=mysecret[,src=FILE][,env=VAR][,type=file|env]; with the id only the variable or file of that
 * name. */
static int read_secret(const char *text, struct build_secret *ret, struct err *err)
{
    cleanup_strv struct strv fields = {0};
    const char *env = NULL, *source = NULL, *id = NULL, *type = "";

    strv_split(&fields, text, ',');
    for (size_t i = 0; i < fields.len; i++) {
        char *key = fields.items[i], *value = strchr(key, '=');

        if (!value)
            return err_set(err, EINVAL, "invalid field '%s' must be a key=value pair", key);
        *value++ = 0;
        if (!strcmp(key, "id"))
            id = value;
        else if (!strcmp(key, "src") || !strcmp(key, "source"))
            source = value;
        else if (!strcmp(key, "env"))
            env = value;
        else if (!strcmp(key, "type"))
            type = value;
        else
            return err_set(err, EINVAL, "unexpected key '%s' in '%s=%s'", key, key, value);
    }
    if (!id || !*id)
        return err_set(err, EINVAL, "invalid secret '%s': id=NAME is missing", text);
    if (!strcmp(type, "env") && !env)
        env = source ? source : id;
    if (!env && !source && getenv(id))
        env = id;
    if (env && !getenv(env))
        return err_set(err, ENOENT, "environment variable %s of secret %s is not set", env, id);
    ret->id = str_copy(id);
    ret->value = env ? str_copy(getenv(env)) : NULL;
    ret->path = env ? NULL : str_copy(source ? source : id);
    if (ret->path && access(ret->path, R_OK) < 0)
        return err_errno(err, "secret %s: cannot read '%s'", id, ret->path);
    return 0;
}

/* default, or id=/path/to/socket */
static int read_agent(const char *text, struct build_agent *ret, struct err *err)
{
    const char *equals = strchr(text, '=');
    const char *socket = equals ? equals + 1 : getenv("SSH_AUTH_SOCK");
    struct stat st;

    ret->id = str_copy_n(text, strcspn(text, "="));
    if (!socket || !*socket)
        return err_set(err, ENOENT,
                       "--ssh %s: there is no agent: SSH_AUTH_SOCK is not set (start one: "
                       "eval $(ssh-agent))",
                       text);
    if (stat(socket, &st) < 0)
        return err_errno(err, "--ssh %s: '%s'", text, socket);
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, EINVAL,
                       "--ssh %s: '%s' is not the socket of an agent; a key goes into one with "
                       "ssh-add",
                       text, socket);
    ret->socket = realpath(socket, NULL);
    return ret->socket ? 0 : err_errno(err, "--ssh %s: '%s'", text, socket);
}

static int read_secrets(struct building *b, struct err *err)
{
    const struct strv *secrets = options_list(&b->cli->options, "secret");
    const struct strv *agents = options_list(&b->cli->options, "ssh");
    int r = 0;

    b->secrets = mem_alloc((secrets->len + 1) * sizeof *b->secrets);
    b->agents = mem_alloc((agents->len + 1) * sizeof *b->agents);
    for (size_t i = 0; i < secrets->len && !r; i++) {
        r = read_secret(secrets->items[i], &b->secrets[i], err);
        b->request.secret_count++;
    }
    for (size_t i = 0; i < agents->len && !r; i++) {
        r = read_agent(agents->items[i], &b->agents[i], err);
        b->request.agent_count++;
    }
    b->request.secrets = b->secrets;
    b->request.agents = b->agents;
    return r;
}

static int read_allowed(struct building *b, struct err *err)
{
    const struct strv *allowed = options_list(&b->cli->options, "allow");

    for (size_t i = 0; i < allowed->len; i++)
        if (!strcmp(allowed->items[i], "network.host"))
            b->request.allow_host_network = true;
        else if (!strcmp(allowed->items[i], "security.insecure"))
            b->request.allow_insecure = true;
        else
            return err_set(err, EINVAL, "invalid --allow: \"%s\"", allowed->items[i]);
    return 0;
}

/* What is to be said of a time in the image; by --build-arg or by our own environment. */
static int read_epoch(struct building *b, struct err *err)
{
    const struct strv *args = options_list(&b->cli->options, "build-arg");
    const char *text = getenv("SOURCE_DATE_EPOCH");
    long long seconds;

    for (size_t i = 0; i < args->len; i++)
        if (str_starts(args->items[i], "SOURCE_DATE_EPOCH="))
            text = args->items[i] + strlen("SOURCE_DATE_EPOCH=");
    b->request.epoch = BUILD_NO_EPOCH;
    if (!text || !*text)
        return 0;
    if (str_to_i64(text, &seconds) < 0 || seconds < 0 || seconds > 253402300799)
        return err_set(err, EINVAL, "invalid SOURCE_DATE_EPOCH: '%s' is not a number of seconds",
                       text);
    b->request.epoch = seconds;
    return 0;
}

static int build_host(struct building *b, struct err *err)
{
    static const struct member members[] = {
        {"add-host", "ExtraHosts", MEMBER_LIST},
        {"cgroup-parent", "CgroupParent", MEMBER_TEXT},
        {"network", "NetworkMode", MEMBER_TEXT},
        {"security-opt", "SecurityOpt", MEMBER_LIST},
        MEMBERS_END,
    };
    const struct options *o = &b->cli->options;
    const char *shm = options_one(o, "shm-size");

    b->host = json_object();
    b->request.host = b->host;
    if (members_put(o, members, b->host, err) < 0 ||
        members_put(o, resource_members, b->host, err) < 0)
        return -err->code;
    json_put(b->host, "LogConfig", json_pack("{s:s,s:{}}", "Type", "none", "Config"));
    json_put(b->host, "RestartPolicy", json_pack("{s:s}", "Name", "no"));
    json_put(b->host, "ShmSize", member_bytes(shm ? shm : "64m"));
    value_put_ulimits(options_list(o, "ulimit"), b->host);
    return 0;
}

static void read_lists(struct building *b)
{
    const struct options *o = &b->cli->options;
    const char *file = options_one(o, "file");

    b->request.source = o->args[0];
    b->request.dockerfile = file && *file ? file : NULL;
    b->request.input = STDIN_FILENO;
    b->request.tags = options_list(o, "tag");
    b->request.args = options_list(o, "build-arg");
    b->request.labels = options_list(o, "label");
    b->request.no_cache_filter = options_list(o, "no-cache-filter");
    b->request.cache_from = options_list(o, "cache-from");
    b->request.target = options_one(o, "target");
    b->request.platform = options_platform(o);
    b->request.no_cache = options_flag(o, "no-cache");
    b->request.pull = options_flag(o, "pull");
    b->request.squash = options_flag(o, "squash");
    b->request.why = options_flag(o, "why");
}

static int read_request(struct building *b, struct err *err)
{
    struct platform unused;

    read_lists(b);
    if (b->request.platform && platform_parse(b->request.platform, &unused, err) < 0)
        return -err->code;
    if (choose_style(b, err) < 0 || read_secrets(b, err) < 0 || read_allowed(b, err) < 0 ||
        read_epoch(b, err) < 0)
        return -err->code;
    return build_host(b, err);
}

/* --- what is said at the end ------------------------------------------------------------------ */

static void print_built(const struct building *b, const char *id)
{
    const struct strv *tags = b->request.tags;

    if (b->style == BUILD_QUIET) {
        puts(id);
        return;
    }
    printf("Successfully built %.12s\n", digest_hex(id));
    for (size_t i = 0; i < tags->len; i++) {
        struct reference ref = {0};
        struct err ignored = {0};

        if (reference_parse(tags->items[i], &ref, &ignored) < 0)
            continue;
        cleanup_free char *canonical = reference_canonical(&ref);
        cleanup_free char *familiar = reference_familiar(canonical);

        printf("Successfully tagged %s\n", familiar);
        reference_free(&ref);
    }
}

/* --iidfile. The id of an earlier build must not be taken for this one's, should it fail; and that
 * a place cannot be written to is told now and not after the build. */
static int clear_id(const char *path, struct err *err)
{
    struct stat st;
    cleanup_close int fd = -1;

    if (!path || !*path || (!lstat(path, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
        return 0;
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || unlink(path) < 0)
        return err_errno(err, "--iidfile: open %s", path);
    return 0;
}

/* What is there still is no plain file: a pipe, a link, /dev/stdout. The last may lead to a file
 * with much in it that is wanted. */
static int write_id(const char *path, const char *id, struct err *err)
{
    cleanup_close int fd = -1;

    if (!path || !*path)
        return 0;
    fd = open(path, O_WRONLY | O_CLOEXEC | (str_starts(path, "/dev/") ? O_APPEND : O_TRUNC));
    if (fd < 0 && errno == ENOENT)
        return file_store(AT_FDCWD, path, id, strlen(id), 0644, false, err);
    if (fd < 0 || file_write(fd, id, strlen(id)) < 0)
        return err_errno(err, "--iidfile: cannot write %s", path);
    return 0;
}

static int fail(const struct building *b, const struct build_result *result, const struct err *err)
{
    if (result->excerpt)
        fprintf(stderr, "%s", result->excerpt);
    if (err->code == ECHILD) /* the user's command, and not the engine */
        fprintf(stderr, "%s\n", err->message);
    else if (str_starts(err->message, "unable to prepare context")) /* docker's client finds out */
        cli_fail(b->cli, err);
    else
        cli_engine_fail(b->cli, err);
    return *b->request.cancelled ? 128 + SIGINT : EXIT_FAILURE;
}

/* --- a shell in what is left of a failed step ------------------------------------------------- */

static int create_shell(struct building *b, const struct build_failure *f, char ret_id[65],
                        struct err *err)
{
    const struct step_ground ground = {f->layers, f->stage->name, NULL};
    cleanup_json json_t *config = json_deep_copy(f->config), *host = json_deep_copy(f->host);
    const struct create_request request = {.image = f->image,
                                           .config = config,
                                           .host = host,
                                           .start_follows = true,
                                           .ground = &ground};
    cleanup_strv struct strv warnings = {0};

    json_put(config, "Cmd", json_pack("[s]", "/bin/sh"));
    json_put(config, "Tty", json_boolean(isatty(STDIN_FILENO)));
    json_put(config, "OpenStdin", json_true());
    json_put(config, "StdinOnce", json_true());
    json_object_del(host, "Binds"); /* what was mounted for the step is gone */
    (void)b;
    return engine_create(f->engine, &request, ret_id, &warnings, err);
}

static int attach_shell(const struct build_failure *f, const char *id, struct err *err)
{
    struct start_options options = {.leash = true};
    const struct client_options client = {.tty = isatty(STDIN_FILENO),
                                          .stdin_too = true,
                                          .detach_keys = "",
                                          .engine = f->engine,
                                          .container = id,
                                          .leave_at_exit = true};
    enum client_end end;
    int fd = -1, code, r;

    client_terminal_size(&options.rows, &options.columns);
    r = engine_start(f->engine, id, &options, &fd, err);
    if (r >= 0)
        r = client_run(fd, &client, &end, &code, err);
    return r < 0 ? r : engine_remove_ended(f->engine, id, fd, err);
}

static void shell_on_fail(void *context, const struct build_failure *f)
{
    struct building *b = context;
    struct err err = {0};
    char id[65];
    int r = engine_step_renew(f->engine, f->stage, &err);

    build_output_end(b->output, false);
    b->output = NULL;
    fprintf(stderr, "The step failed: this is a shell in its files. They go when it ends.\n");
    if (r >= 0)
        r = create_shell(b, f, id, &err);
    if (r >= 0)
        r = attach_shell(f, id, &err);
    if (r < 0)
        fprintf(stderr, "no shell: %s\n", err.message);
}

/* --- building --------------------------------------------------------------------------------- */

static void on_event(void *context, const struct build_event *event)
{
    struct building *b = context;

    build_output_event(b->output, event);
}

static int build_once(struct building *b, struct build_result *result, struct err *err)
{
    int r;

    b->output = build_output_new(b->style);
    b->request.listen = on_event;
    b->request.context = b;
    if (options_flag(&b->cli->options, "shell-on-fail"))
        b->request.failed = shell_on_fail;
    r = build_image(b->cli->engine, &b->request, result, err);
    if (b->output)
        build_output_end(b->output, r >= 0);
    return r;
}

/* 0: it is the same again. */
static int verify(struct building *b, const struct build_result *first)
{
    cleanup_strv struct strv lines = {0};
    struct build_result second;
    struct err err = {0};
    int code = 0, r;

    b->output = build_output_new(BUILD_QUIET);
    b->request.failed = NULL;
    r = build_verify(b->cli->engine, &b->request, first, &lines, &second, &err);
    build_output_end(b->output, r >= 0);
    if (r < 0)
        code = fail(b, &second, &err);
    else if (!r && b->style != BUILD_QUIET)
        printf("Verified: built again without the cache, the image is the same\n");
    else if (r)
        code = (fprintf(stderr, "Not reproducible: the second build gave %.12s\n",
                        digest_hex(second.id)),
                EXIT_FAILURE);
    for (size_t i = 0; i < lines.len; i++)
        fprintf(stderr, "%s\n", lines.items[i]);
    build_result_free(&second);
    return code;
}

static int build(struct building *b)
{
    const char *iidfile = options_one(&b->cli->options, "iidfile");
    struct build_result result = {0};
    struct err err = {0};
    int code = 0, r = clear_id(iidfile, &err);

    if (r < 0)
        return cli_fail(b->cli, &err);
    r = build_once(b, &result, &err);
    if (r >= 0)
        r = write_id(iidfile, result.id, &err);
    if (r >= 0)
        print_built(b, result.id);
    else
        code = fail(b, &result, &err);
    if (!code && options_flag(&b->cli->options, "verify"))
        code = verify(b, &result);
    build_result_free(&result);
    return code;
}

static int check(struct building *b)
{
    cleanup_strv struct strv lines = {0};
    struct build_result result;
    struct err err = {0};
    int code, found = build_check(b->cli->engine, &b->request, &lines, &result, &err);

    for (size_t i = 0; i < lines.len; i++)
        printf("%s\n", lines.items[i]);
    if (found < 0)
        code = fail(b, &result, &err);
    else if (found)
        code = (printf("Check complete, %d warning%s found!\n", found,
                       found > 1 ? "s have been" : " has been"),
                EXIT_FAILURE);
    else
        code = (puts("Check complete, no warnings found."), 0);
    build_result_free(&result);
    return code;
}

int cmd_build(struct cli *cli)
{
    struct building b = {.cli = cli};
    struct err err = {0};
    int code;

    b.request.cancel_fd = signals_descriptor();
    b.request.cancelled = signals_catch();
    if (read_request(&b, &err) < 0)
        code = cli_fail(cli, &err);
    else if (cli_engine(cli, &err) < 0)
        code = cli_engine_fail(cli, &err);
    else
        code = options_flag(&cli->options, "check") ? check(&b) : build(&b);
    building_free(&b);
    return code;
}
