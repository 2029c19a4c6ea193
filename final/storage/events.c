/* events.c - what happened, told across processes without a process that listens.
 *
 * Writers append a line by one write(2) with O_APPEND, which the kernel does not mix with others'.
 * Who writes holds a shared lock, who replaces a full file an exclusive one: so after a file was
 * renamed nobody writes to it any more, and a reader that read it to its end has seen all of it.
 * Each line begins with a newline of its own: what a full disk cut off spoils no line but itself.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "storage/storage.h"

#define EVENTS_MAX (1 << 20) /* bytes of one file: some thousand events */
#define LOG        "events/log"
#define OLD_LOG    "events/log.1"

static json_t *event_document(const struct event *event, int64_t now)
{
    json_t *document = json_object(), *actor = json_object();

    json_put_str(document, "Type", event->type);
    json_put_str(document, "Action", event->action);
    json_put_str(actor, "ID", event->id);
    json_put(actor, "Attributes",
             event->attributes ? json_deep_copy(event->attributes) : json_object());
    json_put(document, "Actor", actor);
    json_put_str(document, "scope", "local");
    json_put(document, "time", json_integer(now / 1000000000));
    json_put(document, "timeNano", json_integer(now));
    return document;
}

static int open_log(int root_fd)
{
    static const int flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(root_fd, LOG, flags, 0600);

    if (fd >= 0 || errno != ENOENT)
        return fd;
    if (mkdirat(root_fd, "events", 0700) < 0 && errno != EEXIST)
        return -1;
    return openat(root_fd, LOG, flags, 0600);
}

static bool is_current(int root_fd, const struct stat *st)
{
    struct stat named;

    return !fstatat(root_fd, LOG, &named, AT_SYMLINK_NOFOLLOW) && named.st_ino == st->st_ino;
}

/* Whoever is writing at this moment makes it wait for the next event: no writer ever does. */
static void rotate(int root_fd, int fd, const struct stat *st)
{
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return;
    if (is_current(root_fd, st))
        renameat(root_fd, LOG, root_fd, OLD_LOG);
    flock(fd, LOCK_UN);
}

/* The current file, not too long, locked against being replaced. */
static int open_locked(int root_fd, struct err *err)
{
    for (bool rotated = false;; rotated = true) {
        cleanup_close int fd = open_log(root_fd);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
            return err_errno(err, "cannot open '" LOG "' in the state directory");
        if (st.st_size > EVENTS_MAX && !rotated) {
            rotate(root_fd, fd, &st);
            continue;
        }
        if (flock(fd, LOCK_SH) < 0)
            return err_errno(err, "cannot lock '" LOG "'");
        if (is_current(root_fd, &st))
            return steal_fd(&fd);
    }
}

int store_event_add(int root_fd, const struct event *event, struct err *err)
{
    cleanup_close int fd = open_locked(root_fd, err);
    cleanup_json json_t *document = NULL;
    cleanup_free char *text = NULL, *line = NULL;

    if (fd < 0)
        return fd;
    /* The time is taken under the lock: nearly always the order of the lines is that of the times.
     */
    document = event_document(event, clock_now());
    text = json_text(document, JSON_COMPACT);
    line = str_format("\n%s\n", text);
    if (write(fd, line, strlen(line)) < 0)
        return err_errno(err, "cannot write an event");
    return 0;
}
