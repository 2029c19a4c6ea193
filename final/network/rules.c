/* rules.c - our tables kept as they should be, at the price of one question.
 *
 * run/network/rules, which is also the lock, says what the tables were like when a command of ours
 * was last at them: the ruleset's generation in this namespace and boot, and hashes of rules and
 * elements. The same generation: nothing has changed. Another: somebody changed something, most
 * often a table of his own; ours are read, and made anew if they differ. */
#include "network/rules.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/proc.h"
#include "network/internal.h"
#include "network/nft.h"

struct state {
    char boot[37];
    unsigned long long netns; /* its inode */
    uint32_t generation;
    uint64_t rules, elements;
};

struct session {
    const struct net_place *place;
    int lock, fd;
    struct state now,
        kept; /* now: boot, netns and generation as they are; kept: as of the last change */
    bool have_kept;
};

/* --- places ---------------------------------------------------------------------------------- */

static uint32_t name_hash(const char *text)
{
    uint32_t hash = 0x811c9dc5;

    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 0x01000193;
    return hash;
}

int net_place_open(int run_dir, const char *root, bool standard, struct net_place *ret,
                   struct err *err)
{
    ret->dir = openat(run_dir, "network", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (ret->dir < 0 && errno == ENOENT) {
        if (mkdirat(run_dir, "network", 0700) < 0 && errno != EEXIST)
            return err_errno(err, "cannot make the directory 'network' in the run directory");
        if (mkdirat(run_dir, "network/names", 0700) < 0 && errno != EEXIST)
            return err_errno(err, "cannot make the directory 'network/names' in the run directory");
        ret->dir = openat(run_dir, "network", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (ret->dir < 0)
        return err_errno(err, "cannot open the directory 'network' in the run directory");
    snprintf(ret->table, sizeof ret->table, standard ? "cooper" : "cooper-%08x", name_hash(root));
    snprintf(ret->tag, sizeof ret->tag, standard ? "0" : "-%08x", name_hash(root));
    return 0;
}

void net_place_close(struct net_place *place)
{
    close_fd(&place->dir);
}

void net_elements_free(struct net_elements *list)
{
    free(list->items);
    *list = (struct net_elements){0};
}

/* --- the state ------------------------------------------------------------------------------- */

static void load_state(struct session *s)
{
    char text[200];
    ssize_t n = pread(s->lock, text, sizeof text - 1, 0);

    text[n < 0 ? 0 : n] = 0;
    s->have_kept = sscanf(text, "%36s %llu %u %lx %lx\n", s->kept.boot, &s->kept.netns,
                          &s->kept.generation, &s->kept.rules, &s->kept.elements) == 5;
}

/* In place, always of one length, and by whoever has the lock: to replace the file by rename(2)
 * would cost more than all else here, because a file system on a disk writes the new one out first.
 */
static int save_state(const struct session *s, struct err *err)
{
    char text[200];
    int n = snprintf(text, sizeof text, "%36s %20llu %10u %16lx %16lx\n", s->kept.boot,
                     s->kept.netns, s->kept.generation, s->kept.rules, s->kept.elements);

    if (pwrite(s->lock, text, (size_t)n, 0) != n)
        return err_errno(err, "cannot note the state of the rules");
    return 0;
}

static int read_now(struct session *s, struct err *err)
{
    struct stat st;
    int r = proc_boot_id(s->now.boot, err);

    if (!r && stat("/proc/thread-self/ns/net", &st) < 0)
        r = err_errno(err, "cannot look at our network namespace");
    if (r < 0)
        return r;
    s->now.netns = st.st_ino;
    r = nft_generation(s->fd, &s->now.generation);
    return r < 0 ? err_set(err, -r,
                           "cannot ask the kernel for its rules: %s: networks need nf_tables "
                           "(modprobe nf_tables) "
                           "and root",
                           strerror(-r))
                 : 0;
}

/* The kernel lets nobody close a netfilter socket before it is done with everything that was
 * removed from the rules a moment ago, by whomever: ten milliseconds. So a socket is used again,
 * and the last who has it is a shim at its very end, when nobody waits. */
static int kept_socket = -1;

void net_rules_adopt(int fd)
{
    kept_socket = fd;
}

int net_rules_socket(void)
{
    return steal_fd(&kept_socket);
}

static void end_session(struct session *s)
{
    if (kept_socket < 0)
        kept_socket = steal_fd(&s->fd);
    close_fd(&s->fd);
    close_fd(&s->lock);
}
#define cleanup_session __attribute__((cleanup(end_session)))

/* One at a time: what is compared here must not be changed by another of ours meanwhile. */
static int begin_session(const struct net_place *place, struct session *ret, struct err *err)
{
    int r;

    *ret = (struct session){.place = place, .fd = -1};
    ret->lock = openat(place->dir, "rules", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (ret->lock < 0)
        return err_errno(err, "cannot open the lock of the rules");
    while ((r = flock(ret->lock, LOCK_EX)) < 0 && errno == EINTR)
        ;
    if (r < 0)
        return err_errno(err, "cannot lock the rules");
    ret->fd = kept_socket >= 0 ? steal_fd(&kept_socket) : nft_open(err);
    if (ret->fd < 0)
        return ret->fd;
    load_state(ret);
    return read_now(ret, err);
}

static bool untouched(const struct session *s)
{
    return s->have_kept && !strcmp(s->kept.boot, s->now.boot) && s->kept.netns == s->now.netns &&
           s->kept.generation == s->now.generation;
}

/* The tables as they are, against what was noted. True: another's change only. */
static bool still_ours(struct session *s)
{
    uint64_t rules, elements;

    if (!s->have_kept || nft_digest(s->fd, s->place->table, &rules, &elements) < 0)
        return false;
    if (rules != s->kept.rules || elements != s->kept.elements)
        return false;
    memcpy(s->kept.boot, s->now.boot, sizeof s->kept.boot);
    s->kept.netns = s->now.netns;
    s->kept.generation = s->now.generation;
    return true;
}

/* --- making them ----------------------------------------------------------------------------- */

static int wait_for(pid_t pid, int errors, struct err *err)
{
    cleanup_buf struct buf text = {0};
    struct err ignored;
    int status = 0;

    file_load_fd(errors, 65536, &text, &ignored);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_errno(err, "cannot wait for cooper-nft");
    if (WIFEXITED(status) && !WEXITSTATUS(status))
        return 0;
    if (text.len && text.data[text.len - 1] == '\n')
        text.data[--text.len] = 0;
    return err_set(err, EIO, "cannot make the rules of the networks: %.1500s",
                   text.len ? text.data : "cooper-nft ended");
}

/* cooper-nft with the text as its standard input. */
int rules_run(const char *text, size_t len, struct err *err)
{
    cleanup_free char *program = proc_helper_path("cooper-nft", err);
    cleanup_close int input = program ? file_memfd("rules", text, len, err) : -1;
    char *argv[] = {"cooper-nft", NULL}, *environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    int errors[2], r;
    pid_t pid;

    if (input < 0)
        return -err->code;
    if (pipe2(errors, O_CLOEXEC) < 0)
        return err_errno(err, "cannot make a pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, 0);
    posix_spawn_file_actions_adddup2(&actions, errors[1], 1);
    posix_spawn_file_actions_adddup2(&actions, errors[1], 2);
    r = posix_spawn(&pid, program, &actions, NULL, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    close(errors[1]);
    r = r ? err_set(err, r, "cannot start '%s': %s", program, strerror(r))
          : wait_for(pid, errors[0], err);
    close(errors[0]);
    return r;
}

static int make_anew(struct session *s, net_all_elements *all, void *context, struct err *err)
{
    cleanup_elements struct net_elements elements = {0};
    cleanup_buf struct buf text = {0};
    int r = all(context, &elements, err);

    if (r < 0)
        return r;
    rules_text(s->place->table, &elements, &text);
    r = rules_run(text.data, text.len, err);
    if (!r)
        r = read_now(s, err);
    if (r < 0)
        return r;
    s->kept = s->now;
    r = nft_digest(s->fd, s->place->table, &s->kept.rules, &s->kept.elements);
    return r < 0 ? err_set(err, -r, "cannot read back the rules of the networks: %s", strerror(-r))
                 : 0;
}

/* A batch has room for 60 steps; a published range may have more. */
static int change(struct session *s, const struct net_elements *elements, bool add, struct err *err)
{
    cleanup_batch struct nl_batch batch = {0};
    int r = 0;

    for (size_t at = 0; at < elements->len && !r;) {
        nft_begin(&batch);
        for (size_t n = 0; n < 60 && at + n < elements->len; n++)
            nft_element(&batch, s->place->table, &elements->items[at + n], add, 0);
        nft_commit(&batch);
        r = nl_send(s->fd, &batch, err);
        for (size_t n = 0; n < 60 && at < elements->len; n++, at++)
            if (!r)
                s->kept.elements ^= nft_element_hash(&elements->items[at]);
        if (!r)
            s->kept.generation++;
    }
    return r;
}

int net_rules_add(const struct net_place *place, const struct net_elements *elements,
                  net_all_elements *all, void *context, struct strv *ret_notes, struct err *err)
{
    cleanup_session struct session s;
    struct err refused = {0};
    int r = begin_session(place, &s, err);
    bool same = !r && untouched(&s), whole = same || (!r && still_ours(&s));

    if (r < 0)
        return r;
    if (!whole || change(&s, elements, true, &refused) < 0)
        r = make_anew(&s, all, context, err);
    if (!r && !same)
        r = rules_check_foreign(s.fd, place->table, ret_notes, err);
    return r < 0 ? r : save_state(&s, err);
}

/* Somebody flushed the rules, or this is done a second time: then each by itself, those that are
 * there go. */
static void remove_one_by_one(struct session *s, const struct net_elements *elements)
{
    for (size_t i = 0; i < elements->len; i++) {
        struct net_elements one = {&elements->items[i], 1};
        struct err ignored;

        change(s, &one, false, &ignored);
    }
}

int net_rules_remove(const struct net_place *place, const struct net_elements *elements,
                     struct err *err)
{
    cleanup_session struct session s;
    struct err refused = {0};
    int r = begin_session(place, &s, err);

    if (r < 0)
        return r;
    if (!untouched(&s))
        s.kept.generation =
            s.now.generation - 1 - (uint32_t)elements->len; /* not to be taken for the same */
    r = change(&s, elements, false, &refused);
    if (r < 0 && r != -ENOENT) {
        *err = refused;
        return r;
    }
    if (r < 0)
        remove_one_by_one(&s, elements);
    return s.have_kept ? save_state(&s, err) : 0;
}

int net_rules_drop(const struct net_place *place, struct err *err)
{
    cleanup_session struct session s;
    int r = begin_session(place, &s, err);

    for (int bridge = 0; bridge < 2 && !r; bridge++) {
        cleanup_batch struct nl_batch batch = {0};

        nft_begin(&batch);
        nft_delete_table(&batch, place->table, bridge);
        nft_commit(&batch);
        r = nl_send(s.fd, &batch, err);
    }
    if (!r && ftruncate(s.lock, 0) < 0)
        r = err_errno(err, "cannot forget the state of the rules");
    return r;
}
