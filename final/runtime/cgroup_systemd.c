/* Asking systemd: one run of the helper a question (cgroup_systemd.h). */
#include "runtime/cgroup_systemd.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/proc.h"

#define HELPER "cooper-systemd"

static int start_helper(const char *path, int question, int answer, pid_t *ret_pid)
{
    char *argv[] = {HELPER, NULL};
    posix_spawn_file_actions_t actions;
    int r = posix_spawn_file_actions_init(&actions);

    if (r)
        return r;
    r = posix_spawn_file_actions_adddup2(&actions, question, 0);
    if (!r)
        r = posix_spawn_file_actions_adddup2(&actions, answer, 1);
    if (!r)
        r = posix_spawn(ret_pid, path, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return r;
}

/* Question and answer are files in memory: nobody has to wait at a pipe. */
static int run_helper(int question, int answer, struct err *err)
{
    cleanup_free char *path = proc_helper_path(HELPER, err);
    int status = 0, r;
    pid_t pid;

    if (!path) {
        err->code = ENOPKG; /* so nothing can have been made */
        return err_wrap(err, "the manager systemd needs a helper, built where libsystemd is");
    }
    r = start_helper(path, question, answer, &pid);
    if (r)
        return err_set(err, r, "cannot run '%s': %s", path, strerror(r));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status))
        return err_set(err, EIO, HELPER " was ended by signal %d", WTERMSIG(status));
    return 0;
}

static int read_answer(int answer, json_t **ret, struct err *err)
{
    cleanup_buf struct buf text = {0};
    cleanup_json json_t *json = NULL;
    const char *error;

    if (lseek(answer, 0, SEEK_SET) < 0 || file_load_fd(answer, 1 << 20, &text, err) < 0)
        return err_errno(err, "cannot read the answer of " HELPER);
    json = json_parse(text.data, text.len, "the answer of " HELPER, err);
    if (!json)
        return -err->code;
    error = json_str(json, "error", NULL);
    if (error)
        return err_set(err, (int)json_int(json, "code", EIO), "systemd: %s", error);
    *ret = json_incref(json);
    return 0;
}

static int ask(json_t *question, json_t **ret_answer, struct err *err)
{
    cleanup_free char *text = json_text(question, JSON_COMPACT);
    cleanup_close int in = file_memfd("question", text, strlen(text), err), out = -1;

    if (in < 0)
        return -err->code;
    out = file_memfd("answer", "", 0, err);
    if (out < 0 || run_helper(in, out, err) < 0)
        return -err->code;
    return read_answer(out, ret_answer, err);
}

static json_t *question_of(const char *call, const struct cgroup *cg)
{
    json_t *question = json_object();

    json_put_str(question, "call", call);
    json_put(question, "user", json_boolean(cgroup_is_ordinary_user()));
    if (cg)
        json_put_str(question, "unit", systemd_unit_of(cg->path));
    return question;
}

static int ask_about(const char *call, const struct cgroup *cg, json_t *properties, struct err *err)
{
    cleanup_json json_t *question = question_of(call, cg), *answer = NULL;

    if (properties)
        json_put(question, "properties", properties);
    return ask(question, &answer, err);
}

int systemd_manager_group(char **ret, struct err *err)
{
    cleanup_json json_t *question = NULL, *answer = NULL;

    if (!cgroup_is_ordinary_user()) {
        *ret = str_copy("");
        return 0;
    }
    question = question_of("group", NULL);
    if (ask(question, &answer, err) < 0)
        return -err->code;
    *ret = str_copy(json_str(answer, "group", ""));
    return 0;
}

/* --- a container's life ----------------------------------------------------------------------- */

static int limits_of(const struct cgroup *cg, const json_t *resources, bool update,
                     json_t *properties, struct err *err)
{
    cleanup_with(cgroup_plan_free) struct cgroup_plan plan = {0};
    int r = cg->version == 2 ? cgroup_v2_plan(cg, resources, update, &plan, err)
                             : cgroup_v1_plan(cg, resources, update, &plan, err);

    if (r < 0)
        return r;
    systemd_add_limits(cg, &plan, properties);
    return update && !cgroup_wanted(resources, "devices")
               ? 0
               : systemd_add_devices(resources, properties, err);
}

/* "/a.slice/a-b.slice/x.scope": the slice is the directory above. */
static char *slice_of(const struct cgroup *cg)
{
    const char *end = strrchr(cg->path, '/'), *begin = end;

    while (begin > cg->path && begin[-1] != '/')
        begin--;
    return end > begin ? str_copy_n(begin, (size_t)(end - begin)) : str_copy("-.slice");
}

int systemd_start(const struct cgroup *cg, const json_t *config, pid_t init, struct err *err)
{
    cleanup_json json_t *question = question_of("start", cg), *answer = NULL;
    json_t *properties = json_array();
    cleanup_free char *slice = slice_of(cg);
    const char *group;

    json_put(question, "properties", properties);
    systemd_add_scope(systemd_unit_of(cg->path), slice, init, properties);
    if (limits_of(cg, json_at(config, "linux.resources"), false, properties, err) < 0 ||
        systemd_add_annotations(json_at(config, "annotations"), properties, err) < 0)
        return -err->code;
    if (ask(question, &answer, err) < 0)
        return err_wrap(err, "cannot start the unit '%s'", systemd_unit_of(cg->path));
    group = json_str(answer, "group", "");
    /* Everything that follows goes by the path. */
    return strcmp(group, cg->path)
               ? err_set(err, EXDEV, "systemd put the unit '%s' into '%s', not into '%s'",
                         systemd_unit_of(cg->path), group, cg->path)
               : 0;
}

int systemd_update(const struct cgroup *cg, const json_t *resources, struct err *err)
{
    cleanup_json json_t *properties = json_array();

    if (limits_of(cg, resources, true, properties, err) < 0)
        return -err->code;
    if (!json_array_size(properties))
        return 0;
    return ask_about("set", cg, json_incref(properties), err) < 0
               ? err_wrap(err, "cannot set properties of the unit '%s'", systemd_unit_of(cg->path))
               : 0;
}

int systemd_freeze(const struct cgroup *cg, bool frozen, struct err *err)
{
    return ask_about(frozen ? "freeze" : "thaw", cg, NULL, err);
}

int systemd_attach(const struct cgroup *cg, pid_t pid, struct err *err)
{
    cleanup_json json_t *question = question_of("attach", cg), *answer = NULL;

    json_put(question, "pid", json_integer(pid));
    json_put_str(question, "below", cg->subgroup ? cg->subgroup : "");
    return ask(question, &answer, err) < 0
               ? err_wrap(err, "cannot join the unit '%s'", systemd_unit_of(cg->path))
               : 0;
}

int systemd_stop(const struct cgroup *cg, struct err *err)
{
    return ask_about("stop", cg, NULL, err) < 0
               ? err_wrap(err, "cannot stop the unit '%s'", systemd_unit_of(cg->path))
               : 0;
}
