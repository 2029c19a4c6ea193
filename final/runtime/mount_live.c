/* Mounts of a running container.
 *
 * The container is hostile by now: its paths change under our eyes, its /proc may be forged, and
 * its processes see ours. So a process of ours goes in, hidden (process_hide()), without
 * descriptors of the host's but the socket; it finds every destination beneath the container's root
 * and mounts on the descriptor, exactly as init did. Sources it cannot see: the parent opens them
 * outside and hands them over (mount_source.h). To unmount by descriptor it has a procfs that
 * nobody else has (procfs.h).
 *
 *     parent                                    the process inside
 *       | clone3 in the PID namespace             | joins the other namespaces
 *       | <----------------- SYNC_SOURCE number   | for each bind
 *       | SYNC_SOURCE + its descriptor -------->  | mounts
 *       | <----------------- SYNC_READY or error  | ends
 */
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "runtime/mount_api.h"
#include "runtime/mount_source.h"
#include "runtime/mount_target.h"
#include "runtime/mounts.h"
#include "runtime/namespaces.h"
#include "runtime/process.h"
#include "runtime/procfs.h"
#include "runtime/runtime_mounts.h"
#include "runtime/spawn.h"
#include "runtime/spec_parts.h"
#include "runtime/sync.h"
#include "runtime/userns.h"
#include "runtime/usher.h"

struct visit {
    const struct runtime_mounts_request *request;
    int (*work)(const struct visit *visit, int root, struct err *err); /* done inside */
    struct spec spec;            /* only namespaces and mounts */
    struct spec_process process; /* nothing is asked of it */
    int sockets[2];
    int pidfd; /* of the process that goes in */
};

/* --- inside: adding
 * -------------------------------------------------------------------------------
 */

static int no_cgroup(void *context, struct err *err)
{
    (void)context;
    return err_set(err, ENOTSUP, "control groups cannot be added to a running container");
}

static int ask_source(void *context, size_t number, struct err *err)
{
    const struct visit *visit = context;
    int fd = -1;

    if (sync_ask_source(visit->sockets[1], number, &fd, err) < 0)
        return -err->code;
    return fd < 0 ? err_set(err, EPROTO, "no descriptor came with a mount's source") : fd;
}

/* By descriptor: whatever the path means by now. */
static int detach(int proc, int mount, struct err *err)
{
    cleanup_free char *path = str_format("self/fd/%d", mount);

    if (fchdir(proc) < 0 || umount2(path, MNT_DETACH) < 0)
        return err_errno(err, "cannot unmount it");
    return 0;
}

/* All or none. */
static void undo(const struct mounts *m)
{
    struct err ignored = {0};
    cleanup_close int proc = procfs_open(&ignored);

    for (size_t i = m->made_count; i-- > 0;)
        detach(proc, m->made[i], &ignored);
}

static int add(const struct visit *visit, int root, struct err *err)
{
    cleanup_with(mounts_free) struct mounts m = {
        .spec = &visit->spec,
        .bundle = visit->request->bundle,
        .root = root,
        .enter_cgroup = no_cgroup,
        .ask_source = ask_source,
        .from_parent = true,
        .context = (void *)visit,
        .places = {-1, -1, -1},
        .remember = true,
    };

    if (mounts_make(&m, err) < 0 || mounts_finish(&m, err) < 0) {
        undo(&m);
        return -err->code;
    }
    return 0;
}

/* --- inside: removing
 * -----------------------------------------------------------------------------
 */

/* A link in the container may lead anywhere, also to what guards the kernel's files. */
static int open_mount(int root, const char *destination, struct err *err)
{
    cleanup_free char *clean = mount_target_clean(destination);
    char name[256];
    cleanup_close int parent = beneath_parent(root, clean, 0, name, err);
    cleanup_close int fd = parent < 0 ? -1 : openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct statx st;

    if (parent < 0)
        return -err->code;
    if (mount_target_is_kernel(parent))
        return err_set(err, EPERM, "it is in /proc or /sys");
    if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, 0, &st) < 0)
        return err_errno(err, "cannot open it");
    if (!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
        return err_set(err, EINVAL, "nothing is mounted there");
    return steal_fd(&fd);
}

static int remove_all(const struct visit *visit, const int *mounts, struct err *err)
{
    const struct spec *spec = &visit->spec;
    cleanup_close int proc = procfs_open(err);

    if (proc < 0)
        return -err->code;
    for (size_t i = spec->mount_count; i-- > 0;)
        if (detach(proc, mounts[i], err) < 0)
            return err_wrap(err, "'%s'", spec->mounts[i].destination);
    return 0;
}

static int remove_mounts(const struct visit *visit, int root, struct err *err)
{
    const struct spec *spec = &visit->spec;
    cleanup_free int *mounts = mem_alloc((spec->mount_count + 1) * sizeof *mounts);

    /* The process ends soon: its descriptors with it. */
    for (size_t i = 0; i < spec->mount_count; i++)
        if ((mounts[i] = open_mount(root, spec->mounts[i].destination, err)) < 0)
            return err_wrap(err, "mounts[%zu]: cannot unmount '%s'", i,
                            spec->mounts[i].destination);
    return remove_all(visit, mounts, err);
}

/* --- going in
 * -------------------------------------------------------------------------------------
 */

static uint64_t entered(const struct visit *visit)
{
    return visit->spec.user_namespace ? usher_entered_container(&visit->spec) : CLONE_NEWPID;
}

static int join(const struct visit *visit, int init_pidfd, struct err *err)
{
    uint64_t flags = spec_own_namespaces(&visit->spec) & ~entered(visit);

    if (visit->spec.user_namespace && userns_become_root(err) < 0)
        return -err->code;
    if (setns(init_pidfd, (int)flags) < 0)
        return err_errno(err, "cannot join the container's namespaces");
    return 0;
}

static int go_in(struct visit *visit, struct err *err)
{
    const int nothing[3] = {-1, -1, -1};
    int init_pidfd = visit->request->init_pidfd, *keep[2] = {&visit->sockets[1], &init_pidfd};
    cleanup_close int root = -1;

    if (visit->spec.user_namespace && sync_wait(visit->sockets[1], SYNC_CGROUP, NULL, err) < 0)
        return -err->code;
    if (process_begin(nothing, 0, keep, err) < 0 || join(visit, init_pidfd, err) < 0)
        return -err->code;
    root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return err_errno(err, "cannot open the container's root");
    return visit->work(visit, root, err);
}

static _Noreturn void run_inside(struct visit *visit)
{
    struct err err = {0};

    prctl(PR_SET_NAME, "mounts");
    if (go_in(visit, &err) < 0)
        sync_send_error(visit->sockets[1], &err);
    else
        sync_send(visit->sockets[1], SYNC_READY, -1, &err);
    _exit(0);
}

/* --- the parent
 * -----------------------------------------------------------------------------------
 */

static int prepare(struct visit *visit, struct err *err)
{
    const struct runtime_mounts_request *request = visit->request;

    if (!json_is_array(request->mounts))
        return err_set(err, EINVAL, "the mounts are not a list as in config.json");
    if (spec_parse_namespaces(request->config, &visit->spec, err) < 0 ||
        namespaces_forget_ours(&visit->spec, request->init, err) < 0 ||
        spec_parse_mounts(request->mounts, &visit->spec, err) < 0)
        return -err->code;
    if (!(spec_own_namespaces(&visit->spec) & CLONE_NEWNS))
        return err_set(err, EINVAL, "the container has no mount namespace of its own");
    spec_parse_mount_label(request->config, &visit->spec);
    return sync_pair(visit->sockets, err);
}

static pid_t spawn(struct visit *visit, struct err *err)
{
    const struct usher usher = {
        .spec = &visit->spec,
        .process = &visit->process,
        .container = visit->request->init_pidfd,
        .cgroup_dir = -1,
        .sockets = visit->sockets,
    };

    if (visit->spec.user_namespace)
        return usher_spawn(&usher, &visit->pidfd, err);
    if (spec_own_namespaces(&visit->spec) & CLONE_NEWPID)
        return spawn_inside(visit->request->init_pidfd, -1, &visit->pidfd, err);
    return spawn_process(0, -1, &visit->pidfd, err);
}

static int open_source(void *context, size_t number, struct err *err)
{
    const struct visit *visit = context;

    return mount_source_serve(&visit->spec, visit->request->bundle, visit->request->init, number,
                              err);
}

static int attend(struct visit *visit, struct err *err)
{
    int fd = -1, r;

    if (visit->spec.user_namespace && sync_send(visit->sockets[0], SYNC_CGROUP, -1, err) < 0)
        return -err->code;
    r = sync_serve(visit->sockets[0], SYNC_READY, SYNC_READY, open_source, visit, &fd, err);
    close_fd(&fd);
    return r < 0 ? r : 0;
}

static void end_visit(struct visit *visit)
{
    spec_free(&visit->spec);
    close_fd(&visit->sockets[0]);
    close_fd(&visit->sockets[1]);
    close_fd(&visit->pidfd);
}

static int run_visit(struct visit *visit, struct err *err)
{
    pid_t pid;
    int r;

    err_clear(err);
    if (prepare(visit, err) < 0 || (pid = spawn(visit, err)) < 0)
        return -err->code;
    if (!pid)
        run_inside(visit);
    close_fd(&visit->sockets[1]);
    r = attend(visit, err);
    close_fd(&visit->sockets[0]); /* or it would wait for more of us */
    if (r < 0)
        spawn_kill(visit->pidfd);
    else
        spawn_reap(visit->pidfd);
    return r;
}

int runtime_mounts_add(const struct runtime_mounts_request *request, struct err *err)
{
    cleanup_with(end_visit) struct visit visit = {
        .request = request, .work = add, .sockets = {-1, -1}, .pidfd = -1};

    return run_visit(&visit, err);
}

int runtime_mounts_remove(const struct runtime_mounts_request *request, struct err *err)
{
    cleanup_with(end_visit) struct visit visit = {
        .request = request, .work = remove_mounts, .sockets = {-1, -1}, .pidfd = -1};

    return run_visit(&visit, err);
}
