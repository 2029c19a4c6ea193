#include "runtime/tool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "runtime/runtime.h"
#include "system/container.h"

static char root[128];

void tool_setup(void)
{
    container_setup();
    snprintf(root, sizeof root, "%s/state", container_dir());
}

/* What a failed test has left. */
static void delete_all(void)
{
    cleanup_run struct run_result r = {0};
    cleanup_strv struct strv ids = {0};

    RT(&r, "list", "--quiet");
    strv_split(&ids, r.out.data, '\n');
    for (size_t i = 0; i < ids.len; i++)
        if (*ids.items[i]) {
            cleanup_run struct run_result deleted = {0};

            RT(&deleted, "delete", "--force", ids.items[i]);
        }
}

void tool_teardown(void)
{
    delete_all();
    container_teardown();
}

const char *tool_root(void)
{
    return root;
}

/* --- bundles ---------------------------------------------------------------------------------- */

void tool_box(struct box *ret, const char *command)
{
    ret->bundle = container_bundle();
    ret->id = strrchr(ret->bundle, '/') + 1;
    ret->config = container_config(ret->bundle, command);
    ret->log = str_format("%s/log", ret->bundle);
    tool_write(ret);
}

void tool_free(struct box *box)
{
    free(box->bundle);
    free(box->log);
    json_decref(box->config);
}

void tool_write(const struct box *box)
{
    cleanup_free char *path = str_format("%s/config.json", box->bundle);
    struct err err = {0};

    ck_assert_msg(!json_store(AT_FDCWD, path, box->config, 0644, false, &err), "%s", err.message);
}

void tool_hook(const struct box *box, const char *kind, const char *script, int timeout_s)
{
    cleanup_free char *path = str_format("hooks.%s", kind);
    json_t *hook = json_pack("{s:s,s:[s,s,s]}", "path", "/bin/sh", "args", "sh", "-c", script);

    if (timeout_s)
        json_put(hook, "timeout", json_integer(timeout_s));
    container_append(box->config, path, hook);
    tool_write(box);
}

/* --- commands --------------------------------------------------------------------------------- */

static void fill_argv(struct strv *argv, const char *const args[])
{
    strv_add(argv, RUNTIME);
    strv_add(argv, "--root");
    strv_add(argv, root);
    for (size_t i = 0; args[i]; i++)
        strv_add(argv, args[i]);
}

void tool_run(struct run_result *ret, const struct run_options *options, const char *const args[])
{
    cleanup_strv struct strv argv = {0};

    fill_argv(&argv, args);
    run_argv(ret, options, (const char *const *)argv.items);
}

pid_t tool_start(const char *log, const char *const args[])
{
    cleanup_strv struct strv argv = {0};

    fill_argv(&argv, args);
    return run_start(NULL, log, (const char *const *)argv.items);
}

const char *tool_expect(const char *where, int code, const char *out, const char *err,
                        const char *const args[])
{
    static struct run_result r;
    cleanup_strv struct strv argv = {0};
    cleanup_free char *line = NULL;
    bool right;

    fill_argv(&argv, args);
    line = strv_join(&argv, " ");
    tool_run(&r, NULL, args);
    right = r.code == code && (!out || !strcmp(r.out.data, out)) &&
            (*err ? strstr(r.err.data, err) != NULL : !r.err.len);
    ck_assert_msg(
        right, "%s: '%s' gave %d, expected %d\nstdout: %s\nexpected: %s\nstderr: %s\nexpected: %s",
        where, line, r.code, code, r.out.data, out ? out : "(anything)", r.err.data, err);
    return r.out.data;
}

void tool_create(const struct box *box, const char *const flags[])
{
    cleanup_strv struct strv args = {0};
    cleanup_free char *said = NULL;
    struct buf text = {0};
    struct err err = {0};
    int code;

    strv_add(&args, "create");
    strv_add(&args, "--bundle");
    strv_add(&args, box->bundle);
    for (size_t i = 0; flags[i]; i++)
        strv_add(&args, flags[i]);
    strv_add(&args, box->id);
    code = run_wait(tool_start(box->log, (const char *const *)args.items), 60);
    if (!file_load(AT_FDCWD, box->log, 1 << 20, &text, &err))
        said = buf_steal(&text);
    ck_assert_msg(code == 0, "create gave %d: %s", code, said);
}

void tool_up(const struct box *box, const char *text)
{
    CREATE(box, NULL);
    EXPECT(0, "", "", "start", box->id);
    if (text)
        free(tool_await(box, text));
}

char *tool_await(const struct box *box, const char *text)
{
    char *content = run_wait_for_text(box->log, text, 60);

    ck_assert_msg(content != NULL, "the container never said '%s'", text);
    return content;
}

/* --- what it is ------------------------------------------------------------------------------- */

json_t *tool_state(const char *id)
{
    cleanup_run struct run_result r = {0};
    struct err err = {0};
    json_t *state;

    RT(&r, "state", id);
    if (r.code)
        return NULL;
    state = json_parse(r.out.data, r.out.len, "state", &err);
    ck_assert_msg(state != NULL, "%s", err.message);
    return state;
}

const char *tool_status(const char *id)
{
    static char status[32];
    cleanup_json json_t *state = tool_state(id);

    snprintf(status, sizeof status, "%s", json_str(state, "status", ""));
    return status;
}

/* A state is looked at again and again: nobody tells of its change. */
void tool_await_status(const char *id, const char *status)
{
    struct timespec tick = {0, 20000000};

    for (int i = 0; i < 1000 && strcmp(tool_status(id), status) != 0; i++)
        clock_nanosleep(CLOCK_MONOTONIC, 0, &tick, NULL);
    ck_assert_str_eq(tool_status(id), status);
}

pid_t tool_pid(const char *id)
{
    cleanup_json json_t *state = tool_state(id);

    return (pid_t)json_int(state, "pid", 0);
}

void tool_gone(const struct box *box)
{
    cleanup_free char *record = str_format("%s/%s", root, box->id);
    const char *group = json_str(box->config, "linux.cgroupsPath", "");
    struct err err = {0};

    ck_assert_msg(access(record, F_OK) < 0, "'%s' is left", record);
    ck_assert_msg(runtime_cgroup_count(NULL, group, &err) == -ENOENT, "the group '%s' is left",
                  group);
}
