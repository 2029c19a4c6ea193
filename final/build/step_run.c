/* RUN: a command in one of the engine's own containers, with its isolation, limits and filter. Its
 * environment is the image's, the ARGs in scope and the proxies; the volumes an image declares are
 * plain directories here, so that what a command puts there is in the image (as with BuildKit). */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "build/stage.h"

struct running {
    struct stage *stage;
    json_t *argv, *inputs;
    char *network, *description;
    const struct heredoc *script; /* to be a file of its own: it names its interpreter */
    struct run_mounts mounts;
    struct step_stage ground;
};

static void running_free(struct running *r)
{
    engine_step_drop(r->stage->engine, &r->ground);
    run_mounts_free(&r->mounts);
    json_decref(r->argv);
    json_decref(r->inputs);
    free(r->network);
    free(r->description);
}

/* --- the command ------------------------------------------------------------------------------ */

/* All of the instruction is "<<EOF": its text is the program. */
static bool is_script(const struct instruction *in)
{
    struct heredoc_word word;

    if (in->heredoc_count != 1 || strpbrk(in->text, " \t") || !heredoc_word(in->text, &word))
        return false;
    free(word.name);
    return true;
}

/* The shell reads heredocs itself, so it gets them as they stand. */
static char *shell_text(const struct instruction *in)
{
    struct buf text = {0};

    if (is_script(in))
        return str_copy(in->heredocs[0].text);
    buf_add_str(&text, in->text);
    for (size_t i = 0; i < in->heredoc_count; i++)
        buf_printf(&text, "\n%s%s", in->heredocs[i].text, in->heredocs[i].name);
    return buf_steal(&text);
}

static void read_command(struct running *r)
{
    const struct instruction *in = r->stage->at;
    cleanup_free char *text = NULL, *path = NULL;

    if (in->list) {
        r->argv = json_deep_copy(in->list);
        return;
    }
    if (is_script(in) && str_starts(in->heredocs[0].text, "#!")) {
        r->script = &in->heredocs[0];
        path = str_format("/dev/pipes/%s", r->script->name);
        r->argv = json_pack("[s]", path);
        return;
    }
    text = shell_text(in);
    r->argv = stage_shell(r->stage, text);
}

static char *command_line(const struct running *r)
{
    cleanup_strv struct strv words = {0};

    json_strings(r->argv, &words);
    return strv_join(&words, " ");
}

/* "|2 A=1 B=2 /bin/sh -c make" */
static void describe(struct running *r)
{
    cleanup_strv struct strv args = {0};
    cleanup_free char *line = command_line(r), *list = NULL;

    scope_visible(r->stage, &args);
    list = strv_join(&args, " ");
    r->description = args.len ? str_format("|%zu %s %s", args.len, list, line) : str_copy(line);
}

/* --- what decides about it -------------------------------------------------------------------- */

static int read_network(struct running *r, struct err *err)
{
    const struct build_request *request = r->stage->build->request;
    const char *security = instruction_flag(r->stage->at, "security");

    if (scope_expand_flag(r->stage, "network", &r->network, err) < 0)
        return -err->code;
    if (security && !strcmp(security, "insecure") && !request->allow_insecure)
        return err_set(err, EPERM,
                       "RUN --security=insecure is not allowed: `build --allow security.insecure` "
                       "gives it all privileges");
    if (r->network && !strcmp(r->network, "host") && !request->allow_host_network &&
        strcmp(json_str(request->host, "NetworkMode", ""), "host") != 0)
        return err_set(err, EPERM,
                       "RUN --network=host is not allowed: `build --allow network.host` allows it");
    if (r->network && strcmp(r->network, "default") && strcmp(r->network, "none") &&
        strcmp(r->network, "host"))
        return err_set(err, EINVAL,
                       "network mode \"%s\" is not supported by RUN: default, none or "
                       "host",
                       r->network);
    if (security && strcmp(security, "sandbox") && strcmp(security, "insecure"))
        return err_set(err, EINVAL,
                       "security mode \"%s\" is not supported by RUN: sandbox or insecure",
                       security);
    return 0;
}

static int ask_inputs(struct running *r, struct err *err)
{
    const struct stage *s = r->stage;
    cleanup_strv struct strv args = {0};
    json_t *mounts = json_array(), *env = json_object_get(s->config, "Env");
    const char *security = instruction_flag(s->at, "security");

    r->inputs = json_object();
    scope_visible(s, &args);
    json_put_str(r->inputs, "kind", "RUN");
    json_object_set(r->inputs, "argv", r->argv);
    json_put(r->inputs, "args", json_from_strings(&args));
    json_put(r->inputs, "env", env ? json_deep_copy(env) : json_array());
    json_put_str(r->inputs, "user", json_str(s->config, "User", ""));
    json_put_str(r->inputs, "workdir", json_str(s->config, "WorkingDir", ""));
    json_put_str(r->inputs, "network", r->network ? r->network : "default");
    json_put_str(r->inputs, "security", security ? security : "");
    if (r->script)
        json_put_str(r->inputs, "script", r->script->text);
    json_put(r->inputs, "mounts", mounts);
    return run_mounts_key(r->stage, &r->mounts, mounts, err);
}

/* --- the container ---------------------------------------------------------------------------- */

static bool names(const json_t *env, const char *pair)
{
    size_t i, n = strcspn(pair, "=") + 1;
    json_t *item;

    json_array_foreach(env, i, item) if (!strncmp(json_string_value(item), pair, n)) return true;
    return false;
}

static json_t *environment(const struct running *r)
{
    const struct stage *s = r->stage;
    cleanup_strv struct strv args = {0};
    json_t *env, *given = json_object_get(s->config, "Env"), *item;
    size_t i;

    scope_visible(s, &args);
    env = json_from_strings(&args);
    json_array_extend(env, given);
    json_array_foreach(s->scope.proxies, i, item) if (!names(env, json_string_value(item)))
        json_array_append(env, item);
    for (size_t k = 0; k < r->mounts.agent_env.len; k++)
        json_push(env, json_string(r->mounts.agent_env.items[k]));
    return env;
}

/* What RUN --network says, else what build --network says. */
static const char *network_mode(const struct running *r)
{
    return r->network && strcmp(r->network, "default") != 0
               ? r->network
               : json_str(r->stage->build->request->host, "NetworkMode", "");
}

/* Nothing in it is of chance: a program that writes down its host's name gives the same layer
 * again. In another container's network the name is that container's.
 */
static json_t *container_config(const struct running *r)
{
    const struct stage *s = r->stage;
    json_t *config = json_object();

    if (!str_starts(network_mode(r), "container:"))
        json_put_str(config, "Hostname", "build");
    json_put_str(config, "User", json_str(s->config, "User", ""));
    json_put_str(config, "WorkingDir", json_str(s->config, "WorkingDir", ""));
    json_put(config, "Env", environment(r));
    json_object_set(config, "Cmd", r->argv);
    return config;
}

static json_t *host_config(const struct running *r)
{
    const char *security = instruction_flag(r->stage->at, "security");
    json_t *host = json_deep_copy(r->stage->build->request->host);

    json_put_str(host, "NetworkMode", network_mode(r));
    if (security && !strcmp(security, "insecure"))
        json_put(host, "Privileged", json_true());
    return host;
}

/* A container's record names an image. A stage that begins with nothing has none, so there is one
 * for it until the build ends. */
static int stand_in(struct stage *s, char ret[DIGEST_LEN + 1], struct err *err)
{
    cleanup_json json_t *nothing = json_object();
    const struct image_step step = {.config = nothing, .created_ns = 1};
    int r = 0;

    pthread_mutex_lock(&s->build->lock);
    if (*s->base_image)
        strcpy(ret, s->base_image);
    else if (!*s->build->stand_in)
        r = engine_make_image(s->engine, &step, NULL, -1, s->build->stand_in, err);
    if (!r && !*s->base_image)
        strcpy(ret, s->build->stand_in);
    pthread_mutex_unlock(&s->build->lock);
    return r;
}

static void tell_started(void *context, const char *id)
{
    stage_tell(context, BUILD_RUNNING, "%.12s", id);
}

static void tell_output(void *context, int stream, const char *data, size_t len)
{
    struct stage *s = context;
    struct build_event event = {.kind = BUILD_OUTPUT,
                                .lane = s->lane,
                                .step = s->step,
                                .text = data,
                                .len = len,
                                .stream = stream};

    build_tell(s->build, &event);
}

/* What it left stays until somebody has looked at it (build --shell-on-fail). */
static void keep_wreck(struct running *r, const struct step_command *command)
{
    struct build *b = r->stage->build;

    if (!b->request->failed)
        return;
    pthread_mutex_lock(&b->lock);
    if (!b->failed && b->wreck.fd < 0) {
        b->wreck = r->ground;
        r->ground.fd = -1;
        b->wreck_config = json_deep_copy(command->config);
        b->wreck_host = json_deep_copy(command->host);
        strcpy(b->wreck_image, command->image);
    }
    pthread_mutex_unlock(&b->lock);
}

static int run_command(struct running *r, const struct step_command *command, struct err *err)
{
    cleanup_free char *line = command_line(r);
    int code, result = engine_step_run(r->stage->engine, command, &r->ground, &code, err);

    if (result < 0)
        return result;
    if (!code)
        return 0;
    keep_wreck(r, command);
    err_set(err, ECHILD, "The command '%.1500s' returned a non-zero code: %d", line, code);
    err->exit_status = code;
    return -ECHILD;
}

static int run_contained(struct running *r, struct err *err)
{
    struct stage *s = r->stage;
    char image[DIGEST_LEN + 1];
    cleanup_free char *place = str_format("%s/staging/%s", s->engine->store->root, r->ground.name);
    cleanup_json json_t *host = host_config(r), *config = NULL;
    struct step_command command = {.image = image,
                                   .host = host,
                                   .layers = &s->layers.dirs,
                                   .started = tell_started,
                                   .output = tell_output,
                                   .context = s,
                                   .cancel_fd = s->build->stop[0]};
    int result = stand_in(s, image, err);

    if (result >= 0)
        result = run_mounts_make(s, &r->mounts, place, r->script, host, err);
    if (result < 0)
        return result;
    config = container_config(r);
    command.config = config;
    command.secret_env = r->mounts.env.len ? &r->mounts.env : NULL;
    return run_command(r, &command, err);
}

/* Beside what else there is to do. With mounts it has to start where they are. */
static int prepare_shim(struct running *r, struct err *err)
{
    return r->mounts.len || r->script ? 0 : engine_prepare_run(r->stage->engine, err);
}

static int run_and_publish(struct running *r, struct err *err)
{
    struct stage *s = r->stage;
    cleanup_strv struct strv targets = {0};
    struct layer layer;
    int result = prepare_shim(r, err);

    if (result >= 0)
        result = engine_step_begin(s->engine, &s->layers.dirs, &r->ground, err);

    why_tell(s, r->inputs, NULL);
    if (result >= 0)
        result = run_contained(r, err);
    if (result < 0)
        return result;
    run_mounts_targets(&r->mounts, &targets);
    run_mounts_unmount(&r->mounts);
    result = engine_step_publish(s->engine, &r->ground, &s->layers.dirs, layers_top(&s->layers),
                                 &(struct step_finish){s->epoch, &targets}, &layer, err);
    return result < 0 ? result : cache_tell(s, r->inputs, NULL, r->description, &layer, err);
}

/* --- all of it -------------------------------------------------------------------------------- */

static int do_run(struct running *r, struct err *err)
{
    struct stage *s = r->stage;
    size_t before = s->layers.dirs.len;
    int result = read_network(r, err);

    if (result >= 0)
        result = run_mounts_parse(s, &r->mounts, err);
    read_command(r);
    describe(r);
    if (result >= 0)
        result = ask_inputs(r, err);
    if (result >= 0)
        result = cache_ask(s, r->inputs, r->description, NULL, err);
    if (result > 0)
        stage_tell(s, BUILD_CACHED, "%s", "");
    if (!result)
        result = run_and_publish(r, err);
    if (result < 0)
        return result;
    stage_add_history(s, r->description, s->layers.dirs.len > before);
    stage_tell(s, BUILD_MADE, "%.12s",
               *layers_top(&s->layers) ? digest_hex(layers_top(&s->layers)) : "");
    return 0;
}

int step_run(struct stage *s, struct err *err)
{
    struct running r = {.stage = s, .ground = {.fd = -1}, .mounts = {.entered = -1}};
    int result = do_run(&r, err);

    running_free(&r);
    return result;
}
