/* step.c - a RUN of a Dockerfile: a command in a container of its own, and what it changed as a
 * layer.
 *
 *     begin     a directory in staging/ with the writable side of an overlay
 *     run       an ordinary container (create, start, attach, remove), but that it lies on given
 *               layers instead of an image's and writes into that directory
 *     publish   the directory, without what is no file of a layer, becomes a layer by rename(2)
 *
 * The container is on a leash: its shim kills it when this process ends or lets go of the attach
 * socket. So a killed build leaves a container that ends by itself, and a directory in staging/
 * that the next command removes. */
#include "engine/engine.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/attach.h"
#include "engine/internal.h"

int engine_step_begin(struct engine *e, const struct strv *layers, struct step_stage *ret,
                      struct err *err)
{
    struct step_stage stage = {.fd = -1};
    int r;

    stage.fd = store_stage(e->store, stage.name, err);
    r = stage.fd < 0 ? stage.fd : container_make_upper(e, stage.fd, layers, err);
    if (r < 0)
        engine_step_drop(e, &stage);
    else
        *ret = stage;
    return r;
}

void engine_step_drop(struct engine *e, struct step_stage *stage)
{
    struct err ignored;

    if (stage->fd < 0)
        return;
    close_fd(&stage->fd);
    store_stage_drop(e->store, stage->name, &ignored);
}

/* An overlay that was mounted "volatile" is not mounted again with what it noted for itself. */
int engine_step_renew(struct engine *e, struct step_stage *stage, struct err *err)
{
    int r = file_remove_tree(stage->fd, "work", err);

    (void)e;
    if (r >= 0 && mkdirat(stage->fd, "work", 0700) < 0)
        r = err_errno(err, "cannot make the step's 'work'");
    return r;
}

/* --- running ---------------------------------------------------------------------------------- */

/* One packet from the shim: 1 at the end, with the exit code; 0. */
static int take_packet(const struct step_command *c, int attach, int *ret_code, struct err *err)
{
    char packet[ATTACH_MAX];
    struct attach_exit end;
    ssize_t n;

    do
        n = recv(attach, packet, sizeof packet, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(err, "cannot hear from the step's container");
    if (!n)
        return err_set(err, EPIPE, "the step's container was killed together with its shim");
    if (packet[0] == ATTACH_STDOUT || packet[0] == ATTACH_STDERR)
        c->output(c->context, packet[0] == ATTACH_STDOUT ? 1 : 2, packet + 1, (size_t)n - 1);
    if (packet[0] != ATTACH_EXIT || (size_t)n != 1 + sizeof end)
        return 0;
    memcpy(&end, packet + 1, sizeof end);
    *ret_code = end.code;
    return 1;
}

static int follow(const struct step_command *c, int attach, int *ret_code, struct err *err)
{
    struct pollfd p[] = {{attach, POLLIN, 0}, {c->cancel_fd, POLLIN, 0}};
    int r = 0;

    while (!r) {
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return err_errno(err, "poll");
        if (p[1].revents)
            return err_set(err, ECANCELED, "the build was cancelled");
        r = p[0].revents ? take_packet(c, attach, ret_code, err) : 0;
    }
    return r < 0 ? r : 0;
}

/* Whatever it was that broke off: nothing of the container stays. */
static void remove_now(struct engine *e, const char *id)
{
    struct err ignored = {0};
    struct container c;

    if (store_container_find(e->store, id, &c, &ignored) < 0)
        return;
    engine_remove(e, &c, true, true, &ignored);
    container_free(&c);
}

static int run(struct engine *e, const struct step_command *c, const char *id, int *ret_code,
               struct err *err)
{
    const struct start_options options = {.leash = true};
    cleanup_close int attach = -1;
    int r = engine_start(e, id, &options, &attach, err);

    if (r < 0)
        return r;
    r = follow(c, attach, ret_code, err);
    if (r < 0) {
        close_fd(&attach);
        remove_now(e, id);
        return r;
    }
    return engine_remove_ended(e, id, steal_fd(&attach), err);
}

int engine_step_run(struct engine *e, const struct step_command *command,
                    const struct step_stage *stage, int *ret_code, struct err *err)
{
    const struct step_ground ground = {command->layers, stage->name, command->secret_env};
    const struct create_request request = {.image = command->image,
                                           .config = command->config,
                                           .host = command->host,
                                           .start_follows = true,
                                           .ground = &ground};
    cleanup_strv struct strv warnings = {0};
    char id[65];
    int r;

    json_put(command->host, "AutoRemove", json_true());
    json_put(command->config, "AttachStdout", json_true());
    json_put(command->config, "AttachStderr", json_true());
    r = engine_create(e, &request, id, &warnings, err);
    if (r < 0)
        return r;
    command->started(command->context, id);
    return run(e, command, id, ret_code, err);
}

/* --- publishing ------------------------------------------------------------------------------- */

static int open_lowers(struct engine *e, const struct strv *layers, int **ret, size_t *ret_count,
                       struct err *err)
{
    *ret = mem_alloc((layers->len + 1) * sizeof **ret);
    for (size_t i = layers->len; i-- > 0;) {
        int fd = openat(e->store->layers_fd, layers->items[i],
                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
            return err_errno(err, "cannot open layer '%s'", layers->items[i]);
        (*ret)[(*ret_count)++] = fd;
    }
    return 0;
}

static int settle(struct engine *e, int upper, const struct strv *layers,
                  const struct step_finish *finish, struct err *err)
{
    cleanup_strv struct strv mount_points = {0};
    cleanup_free int *lowers = NULL;
    struct layer_below below = {.mount_points = &mount_points};
    int r = open_lowers(e, layers, &lowers, &below.count, err);

    below.fds = lowers;
    container_mount_points(&mount_points);
    for (size_t i = 0; i < finish->mount_points->len; i++)
        strv_add(&mount_points, finish->mount_points->items[i]);
    if (r >= 0)
        r = layer_settle(upper, &below, finish->newest_s, err);
    for (size_t i = 0; i < below.count; i++)
        close(lowers[i]);
    return r;
}

/* The root, too, may have got another mode or owner. */
static bool changed_nothing(struct engine *e, int upper, const struct strv *layers)
{
    struct stat mine, below = {.st_mode = S_IFDIR | 0755};

    if (directory_has_entries(upper) || fstat(upper, &mine) < 0)
        return false;
    if (layers->len && fstatat(e->store->layers_fd, layers->items[layers->len - 1], &below, 0) < 0)
        return false;
    return mine.st_mode == below.st_mode && mine.st_uid == below.st_uid &&
           mine.st_gid == below.st_gid;
}

int engine_step_publish(struct engine *e, struct step_stage *stage, const struct strv *layers,
                        const char *parent, const struct step_finish *finish, struct layer *ret,
                        struct err *err)
{
    cleanup_free char *tree = str_format("%s/upper", stage->name);
    cleanup_close int upper =
        openat(stage->fd, "upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int r = upper < 0 ? err_errno(err, "cannot open what the step wrote")
                      : settle(e, upper, layers, finish, err);

    *ret = (struct layer){0};
    if (r >= 0 && !changed_nothing(e, upper, layers))
        r = engine_publish_tree(e, tree, upper, parent, ret, err);
    engine_step_drop(e, stage);
    return r < 0 ? r : 0;
}

/* --- a place for mounts ----------------------------------------------------------------------- */

int engine_step_enter(struct err *err)
{
    cleanup_close int before = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);

    if (before < 0 || unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_errno(err, "cannot make a mount namespace");
    return steal_fd(&before);
}

/* Where it fails nothing is lost: the thread stays where it sees the same files. */
void engine_step_return(int entered)
{
    cleanup_close int before = entered, here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (before >= 0 && setns(before, CLONE_NEWNS) == 0 && here >= 0 && fchdir(here) < 0)
        errno = 0;
}
