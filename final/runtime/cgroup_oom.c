/* Out of memory, told as it happens.
 *
 * Version 1: an eventfd registered as "<eventfd> <descriptor of memory.oom_control>" in
 * cgroup.event_control is written to by the kernel, also when the group is removed.
 * Version 2: the kernel tells inotify(7) of changes to memory.events; which change it was, the
 * counters in it say. The end is told by cgroup.events ("populated 0"), because a file's own
 * IN_DELETE_SELF would come only after the last descriptor of it is closed. */
#include "runtime/cgroup_parts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/cleanup.h"

static int watch_v1(struct runtime_oom_watch *watch, struct err *err)
{
    cleanup_free char *file = str_format("%s/memory.oom_control", watch->group), *text = NULL;
    cleanup_close int control = open(file, O_RDONLY | O_CLOEXEC);

    if (control < 0)
        return err_errno(err, "cannot open '%s'", file);
    watch->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watch->fd < 0)
        return err_errno(err, "cannot make an eventfd");
    text = str_format("%d %d", watch->fd, control);
    return cgroup_write(watch->group, "", "cgroup.event_control", text, err);
}

static int watch_v2(struct runtime_oom_watch *watch, struct err *err)
{
    static const char *const files[] = {"memory.events", "cgroup.events"};

    watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch->fd < 0)
        return err_errno(err, "cannot use inotify");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        cleanup_free char *file = str_format("%s/%s", watch->group, files[i]);

        if (inotify_add_watch(watch->fd, file, IN_MODIFY) < 0)
            return err_errno(err, "cannot watch '%s'", file);
    }
    return 0;
}

int runtime_oom_watch(const struct runtime_cgroup_place *place, struct runtime_oom_watch *ret,
                      struct err *err)
{
    cleanup_with(cgroup_close) struct cgroup cg;
    cleanup_with(runtime_oom_close) struct runtime_oom_watch watch = {.fd = -1};
    cleanup_free char *base = NULL;

    if (cgroup_open_own(place, &cg, err) < 0)
        return -err->code;
    base = cg.version == 2 ? str_copy(cg.root) : cgroup_v1_base(&cg, "memory");
    watch.version = cg.version;
    watch.group = str_format("%s%s", base, cg.path);
    if ((cg.version == 2 ? watch_v2(&watch, err) : watch_v1(&watch, err)) < 0)
        return err_wrap(err, "cannot watch for the lack of memory");
    *ret = watch;
    watch = (struct runtime_oom_watch){.fd = -1};
    return 0;
}

static bool is_empty(const char *group)
{
    cleanup_buf struct buf text = {0};

    return cgroup_read(group, "", "cgroup.events", &text) < 0 ||
           strstr(text.data, "populated 0") != NULL;
}

int runtime_oom_read(struct runtime_oom_watch *watch)
{
    char news[4096];
    unsigned long long kills;
    ssize_t n, last = 0;

    while ((n = read(watch->fd, news, sizeof news)) > 0)
        last = n;
    if (watch->version == 1) {
        if (!cgroup_has(watch->group, "", "memory.oom_control"))
            return -ENODEV;
        return last > 0;
    }
    kills = cgroup_read_key(watch->group, "", "memory.events", "oom_kill");
    if (kills > watch->seen) {
        watch->seen = kills;
        return 1;
    }
    return is_empty(watch->group) ? -ENODEV : 0;
}

void runtime_oom_close(struct runtime_oom_watch *watch)
{
    close_fd(&watch->fd);
    free(watch->group);
    watch->group = NULL;
}
