#include "runtime/cli/container.h"

#include <dirent.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/cli/bundle.h"
#include "runtime/cli/log.h"
#include "runtime/hooks.h"
#include "runtime/rdt.h"
#include "runtime/runtime.h"

#define DEATH_MS 10000

void container_close(struct container *c)
{
    close_fd(&c->dir);
    state_free(&c->state);
}

int container_open(const struct cli *cli, const char *id, struct container *ret, struct err *err)
{
    if (state_open(cli->root, id, &ret->dir, err) < 0)
        return -err->code;
    return state_load(ret->dir, &ret->state, err);
}

int container_lock(const struct cli *cli, const char *id, struct container *ret, struct err *err)
{
    if (state_open(cli->root, id, &ret->dir, err) < 0 || state_lock(ret->dir, id, err) < 0)
        return -err->code;
    return state_load(ret->dir, &ret->state, err);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_id(const struct dirent *entry)
{
    struct err ignored = {0};

    return !state_check_id(entry->d_name, &ignored);
}

/* Without the directory there is no container yet. */
static int add_matches(const struct cli *cli, const regex_t *pattern, struct strv *ret,
                       struct err *err)
{
    struct dirent **entries;
    int count = scandir(cli->root, &entries, is_id, by_name);

    if (count < 0)
        return errno == ENOENT ? 0
                               : err_errno(err, "cannot list the containers of '%s'", cli->root);
    for (int i = 0; i < count; i++) {
        if (!pattern || !regexec(pattern, entries[i]->d_name, 0, NULL, 0))
            strv_add(ret, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return 0;
}

int container_match(const struct cli *cli, const char *pattern, struct strv *ret, struct err *err)
{
    regex_t compiled;
    int r;

    if (!pattern)
        return add_matches(cli, NULL, ret, err);
    r = regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB);
    if (r) {
        char why[256];

        regerror(r, &compiled, why, sizeof why);
        return err_set(err, EINVAL, "invalid regular expression \"%s\": %s", pattern, why);
    }
    r = add_matches(cli, &compiled, ret, err);
    regfree(&compiled);
    return r;
}

enum state_status container_status(const struct container *c)
{
    return state_status(c->dir, &c->state);
}

json_t *container_config(const struct container *c, struct err *err)
{
    return json_load_u64(c->dir, "config.json", CONFIG_MAX, err);
}

int container_signal(const struct container *c, int sig, struct err *err)
{
    cleanup_close int pidfd = proc_open(&c->state.init);
    int r = pidfd < 0 ? pidfd : proc_signal_fd(pidfd, sig);

    if (r == -ESRCH)
        return err_set(err, ESRCH, "container not running");
    return r < 0 ? err_set(err, -r, "cannot send signal %d to process %d: %s", sig,
                           (int)c->state.init.pid, strerror(-r))
                 : 0;
}

/* By its pid too, because it may not have been in its group yet. */
static int kill_init(const struct container *c, struct err *err)
{
    cleanup_close int pidfd = proc_open(&c->state.init);
    struct pollfd p = {.fd = pidfd, .events = POLLIN};

    if (pidfd < 0)
        return 0;
    if (proc_signal_fd(pidfd, SIGKILL) == -ESRCH)
        return 0;
    if (poll(&p, 1, DEATH_MS) == 0)
        return err_set(err, ETIMEDOUT,
                       "process %d does not die of SIGKILL: is it stuck in the kernel?",
                       (int)c->state.init.pid);
    return 0;
}

/* The container is gone whatever they say: a failure is only told. */
static void run_poststop(const struct container *c, const json_t *config)
{
    const struct hooks_place place = {.directory = c->state.bundle};
    struct err err = {0};
    cleanup_json json_t *document = NULL;

    if (!config || !hooks_exist(config, "poststop"))
        return;
    document = state_document(&c->state, STATE_STOPPED, 0);
    if (hooks_run(config, "poststop", &place, document, &err) < 0)
        log_warning("%s", err.message);
}

int container_destroy(const struct cli *cli, struct container *c, const json_t *config,
                      struct err *err)
{
    const struct runtime_cgroup_place place = state_cgroup(&c->state);
    struct err ignored = {0};
    cleanup_json json_t *stored = config ? NULL : container_config(c, &ignored);

    log_debug("removing %s: its process %d, control group %s", c->state.id, (int)c->state.init.pid,
              place.path && *place.path ? place.path : "(none)");
    /* The group first: what is frozen dies with it, and only with it. Without a path the record was
     * not even begun. */
    if ((place.path && runtime_cgroup_destroy_at(&place, err) < 0) || kill_init(c, err) < 0 ||
        rdt_destroy(NULL, config ? config : stored, c->state.id, err) < 0)
        return -err->code;
    run_poststop(c, config ? config : stored);
    return state_remove(cli->root, c->state.id, c->dir, err);
}
