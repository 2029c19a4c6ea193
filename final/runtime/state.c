/* The record of a container, and what it is now. */
#include "runtime/state.h"

#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/start.h"

#define STATE_MAX (4u << 20)

static void put_process(json_t *document, const char *name, const struct proc_id *process)
{
    json_t *value;

    if (!process->pid)
        return;
    value = json_object();
    json_put(value, "pid", json_integer(process->pid));
    json_put(value, "start", json_integer((json_int_t)process->start));
    json_put(document, name, value);
}

static struct proc_id get_process(const json_t *document, const char *name)
{
    const json_t *value = json_object_get(document, name);

    return (struct proc_id){(pid_t)json_int(value, "pid", 0),
                            (unsigned long long)json_int(value, "start", 0)};
}

/* Every text of the record, and where it stands in the document. */
struct text_member {
    const char *name;
    size_t offset;
};
static const struct text_member texts[] = {
    {"id", offsetof(struct state, id)},
    {"bundle", offsetof(struct state, bundle)},
    {"rootfs", offsetof(struct state, rootfs)},
    {"boot", offsetof(struct state, boot)},
    {"created", offsetof(struct state, created)},
    {"cgroupManager", offsetof(struct state, cgroup_manager)},
    {"cgroupPath", offsetof(struct state, cgroup_path)},
};

static char **text_of(const struct state *state, const struct text_member *member)
{
    return (char **)((char *)state + member->offset);
}

/* Where the directory outlives a boot: processes of another one are dead, whoever has their pids
 * now. A creation that was not finished is still known as one. */
static int forget_processes_of_other_boots(struct state *state, struct err *err)
{
    char now[37];

    if (proc_boot_id(now, err) < 0)
        return -err->code;
    if (!strcmp(state->boot, now))
        return 0;
    state->init = (struct proc_id){0};
    if (state->creator.pid)
        state->creator = (struct proc_id){INT_MAX, 0};
    return 0;
}

int state_load(int dir, struct state *ret, struct err *err)
{
    cleanup_json json_t *document = NULL;
    struct state state = {0};

    if (faccessat(dir, STATE_FILE, F_OK, 0) < 0 && errno == ENOENT)
        return err_set(err, ENOENT, "container does not exist");
    document = json_load(dir, STATE_FILE, STATE_MAX, err);
    if (!document)
        return err_wrap(err, "cannot read the container's state");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!json_str(document, texts[i].name, NULL))
            return err_set(err, EINVAL, "cannot read the container's state: '%s' is missing",
                           texts[i].name);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *text_of(&state, &texts[i]) = str_copy(json_str(document, texts[i].name, ""));
    state.init = get_process(document, "init");
    state.creator = get_process(document, "creator");
    state.annotations = json_incref(json_object_get(document, "annotations"));
    state.no_new_keyring = json_flag(document, "noNewKeyring", false);
    if (forget_processes_of_other_boots(&state, err) < 0) {
        state_free(&state);
        return -err->code;
    }
    *ret = state;
    return 0;
}

int state_store(int dir, const struct state *state, struct err *err)
{
    cleanup_json json_t *document = json_object();

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        json_put_str(document, texts[i].name, *text_of(state, &texts[i]));
    put_process(document, "init", &state->init);
    put_process(document, "creator", &state->creator);
    if (state->no_new_keyring)
        json_put(document, "noNewKeyring", json_true());
    if (state->annotations)
        json_put(document, "annotations", json_incref(state->annotations));
    if (json_store(dir, STATE_FILE, document, 0600, false, err) < 0)
        return err_wrap(err, "cannot write the container's state");
    return 0;
}

void state_free(struct state *state)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(*text_of(state, &texts[i]));
    json_decref(state->annotations);
    *state = (struct state){0};
}

/* --- what it is now --------------------------------------------------------------------------- */

const char *state_status_name(enum state_status status)
{
    static const char *const names[] = {"creating", "created", "running", "paused", "stopped"};

    return names[status];
}

struct runtime_cgroup_place state_cgroup(const struct state *state)
{
    struct runtime_cgroup_place place = {.path = state->cgroup_path ? state->cgroup_path : ""};

    runtime_cgroup_manager_of(state->cgroup_manager, &place.manager); /* else: cgroupfs */
    return place;
}

static bool is_frozen(const struct state *state)
{
    const struct runtime_cgroup_place place = state_cgroup(state);
    struct err ignored = {0};

    return runtime_cgroup_frozen(&place, &ignored) > 0;
}

/* A creation that was not finished and has nobody at it any more is over, even if its init has not
 * noticed yet that it is alone. */
enum state_status state_status(int dir, const struct state *state)
{
    if (state->creator.pid)
        return proc_alive(&state->creator) ? STATE_CREATING : STATE_STOPPED;
    if (!state->init.pid || !proc_alive(&state->init))
        return STATE_STOPPED;
    if (is_frozen(state))
        return STATE_PAUSED;
    return start_is_waiting(dir) ? STATE_CREATED : STATE_RUNNING;
}

json_t *state_document(const struct state *state, enum state_status status, pid_t pid)
{
    json_t *document = json_object();

    json_put_str(document, "ociVersion", STATE_OCI_VERSION);
    json_put_str(document, "id", state->id);
    json_put_str(document, "status", state_status_name(status));
    if (pid)
        json_put(document, "pid", json_integer(pid));
    json_put_str(document, "bundle", state->bundle);
    if (json_object_size(state->annotations))
        json_put(document, "annotations", json_incref(state->annotations));
    return document;
}
