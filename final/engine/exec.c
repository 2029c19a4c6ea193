#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/internal.h"
#include "engine/shim/shim.h"
#include "runtime/runtime.h"

/* The container's variables, then TERM, then -e; a later one of the same name wins at getenv(3)'s
 * door only if the earlier is gone, so it is replaced. */
static void set_variable(json_t *env, const char *variable)
{
    size_t i, n = strcspn(variable, "=");
    json_t *item;

    json_array_foreach(env, i, item)
    {
        const char *text = json_string_value(item);

        if (!strncmp(text, variable, n) && text[n] == '=') {
            json_array_set_new(env, i, json_string(variable));
            return;
        }
    }
    json_push(env, json_string(variable));
}

static void fill_environment(json_t *process, const struct exec_request *request)
{
    json_t *env = json_object_get(process, "env");

    env_remove(env, json_array_size(env), "TERM");
    if (request->tty)
        set_variable(env, "TERM=xterm");
    for (size_t i = 0; i < request->env.len; i++) {
        if (strchr(request->env.items[i], '='))
            set_variable(env, request->env.items[i]);
        else
            env_remove(env, json_array_size(env), request->env.items[i]);
    }
}

static json_t *all_capabilities(void)
{
    static const char *const sets[] = {"bounding", "effective", "permitted"};
    cleanup_strv struct strv names = {0};
    json_t *caps = json_object();

    runtime_all_caps(&names);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        json_put(caps, sets[i], json_from_strings(&names));
    return caps;
}

/* The container's own process section, with what exec changes. */
static json_t *process_document(struct engine *e, const struct container *c,
                                const struct exec_request *request, struct err *err)
{
    cleanup_free char *path = str_format("containers/%s/config.json", c->id);
    cleanup_json json_t *spec = json_load(e->store->root_fd, path, 4u << 20, err);
    json_t *process;

    if (!spec)
        return NULL;
    process = json_incref(json_object_get(spec, "process"));
    json_put(process, "args", json_from_strings(&request->argv));
    json_put(process, "terminal", json_boolean(request->tty));
    fill_environment(process, request);
    if (request->workdir)
        json_put_str(process, "cwd", request->workdir);
    if (request->privileged)
        json_put(process, "capabilities", all_capabilities());
    return process;
}

/* Without --user the container's own, never root because nobody was named. */
static const char *exec_user(const struct container *c, const struct exec_request *request)
{
    return request->user ? request->user : json_str(c->config, "Config.User", "");
}

static void shim_arguments(struct engine *e, const struct container *c,
                           const struct exec_request *request, const char *exec_id,
                           struct strv *ret)
{
    shim_common_arguments(e, c, ret);
    strv_add(ret, "--exec-id");
    strv_add(ret, exec_id);
    strv_add(ret, "--init-pid");
    strv_take(ret, str_format("%d", (int)c->init.pid));
    strv_add(ret, "--init-start");
    strv_take(ret, str_format("%llu", c->init.start));
    strv_add(ret, "--rows");
    strv_take(ret, str_format("%u", request->rows));
    strv_add(ret, "--columns");
    strv_take(ret, str_format("%u", request->columns));
    if (*exec_user(c, request)) {
        strv_add(ret, "--user");
        strv_add(ret, exec_user(c, request));
    }
    if (request->interactive)
        strv_add(ret, "--stdin");
    if (!request->detach) {
        strv_add(ret, "--stdin-once");
        strv_add(ret, "--attached");
    }
}

/* "exec_create: sh -c true": docker puts the command into the action. */
static void tell(struct engine *e, const struct container *c, const char *action,
                 const struct strv *argv, const char *exec_id)
{
    struct strv rest = {argv->items + 1, argv->len - 1, 0};
    cleanup_free char *arguments = strv_join(&rest, " ");
    cleanup_free char *text = str_format("%s: %s %s", action, argv->items[0], arguments);

    container_event(e, c, text, "execID", exec_id, NULL);
}

int engine_exec(struct engine *e, const struct container *c, const struct exec_request *request,
                int *ret_attach, struct err *err)
{
    cleanup_json json_t *process = NULL;
    cleanup_free char *text = NULL;
    cleanup_close int file = -1;
    cleanup_strv struct strv argv = {0};
    struct shim_report report;
    char exec_id[ID_LEN + 1];

    *ret_attach = -1;
    AFTER_START(e, c, now, err, engine_exec(e, &now, request, ret_attach, err));
    if (container_check_runs(c, err) < 0)
        return -err->code;
    if (!strcmp(c->state, "paused"))
        return err_set(err, EBUSY, "Container %s is paused, unpause the container before exec",
                       c->name);
    process = process_document(e, c, request, err);
    if (!process)
        return -err->code;
    text = json_text(process, JSON_COMPACT);
    file = file_memfd("process", text, strlen(text), err);
    if (file < 0)
        return file;
    if (id_generate(exec_id, err) < 0)
        return -err->code;
    shim_arguments(e, c, request, exec_id, &argv);
    tell(e, c, "exec_create", &request->argv, exec_id);
    tell(e, c, "exec_start", &request->argv, exec_id);
    return shim_order(e, "exec", c->name, &argv, file, NULL, &report,
                      request->detach ? NULL : ret_attach, err);
}
