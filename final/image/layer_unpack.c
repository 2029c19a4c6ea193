/* The stream that turns a layer's blob into a directory, reading every byte once.
 *
 *     caller's thread                                              unpacking thread
 *     feed -> SHA-256 of the blob -> inflate -> SHA-256 of the tar -> ring -> libarchive -> files
 *
 * Hashing and inflating cost about as much as making files, so two threads nearly halve the time;
 * more would wait for each other. The ring between them is bounded: memory does not depend on the
 * layer.
 *
 * Nothing here trusts the data yet, because the digests are known only at the end. The tree grows
 * in a staging directory that is thrown away unless both digests are right; that is the caller's
 * part.
 *
 * Either side can fail first. The unpacking thread leaves the ring, and the next feed() tells why;
 * a caller that gives up aborts the ring, and the thread ends at its next read. When the tar has
 * ended (two empty blocks), the thread leaves too, and the rest of the stream, which is part of
 * both digests, is hashed and dropped. */
#include <archive.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "image/inflate.h"
#include "image/layer.h"
#include "image/layer_ring.h"

#define ENTRIES_DEFAULT 4000000

struct layer_unpack {
    struct hasher *blob, *tar;
    uint64_t blob_size;
    struct inflate *inflate;
    struct ring *ring;
    unsigned char *buffer; /* being filled; NULL: none */
    size_t used;
    tar_sink *tee; /* gets the tar, too; NULL: nobody */
    void *tee_context;

    pthread_t thread;
    struct layer_tree tree; /* the thread's until it has been joined */
    struct err thread_err;  /* written before ring_leave(), read after ring_reader_left() */
};

/* --- the unpacking thread --------------------------------------------------------------------- */

static la_ssize_t read_ring(struct archive *tar, void *context, const void **ret)
{
    struct layer_unpack *u = context;
    long n = ring_take(u->ring, ret);

    if (n < 0) {
        archive_set_error(tar, ECANCELED, "the stream was given up");
        return -1;
    }
    u->tree.input_ended = n == 0;
    return n;
}

static int unpack(struct layer_unpack *u, struct err *err)
{
    struct archive *tar = archive_read_new();
    int r;

    if (!tar)
        return err_set(err, ENOMEM, "no memory to read the layer's tar");
    if (archive_read_support_format_tar(tar) != ARCHIVE_OK ||
        archive_read_support_format_empty(tar) != ARCHIVE_OK ||
        archive_read_open(tar, u, NULL, read_ring, NULL) != ARCHIVE_OK)
        r = err_set(err, EINVAL, "the layer is no tar: %s", archive_error_string(tar));
    else
        r = layer_apply(&u->tree, tar, err);
    archive_read_free(tar);
    return r;
}

/* A hostile name must not be able to move the cursor of the terminal it is printed on. */
static void defuse(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

static void *thread_main(void *context)
{
    struct layer_unpack *u = context;
    /* libarchive converts names to the locale's character set. In "C" there is nothing to convert
     * to. */
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);

    if (plain)
        uselocale(plain);
    if (unpack(u, &u->thread_err) < 0)
        defuse(u->thread_err.message);
    else
        err_clear(&u->thread_err); /* its code says whether the thread failed */
    uselocale(LC_GLOBAL_LOCALE);
    if (plain)
        freelocale(plain);
    ring_leave(u->ring);
    return NULL;
}

/* Signals are for the threads that were there before. */
static int start_thread(struct layer_unpack *u)
{
    sigset_t all, before;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&u->thread, NULL, thread_main, u);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

/* --- the feeding side ------------------------------------------------------------------------- */

static void *output_room(void *context, size_t *ret_room)
{
    struct layer_unpack *u = context;

    if (!u->buffer) {
        u->buffer = ring_room(u->ring);
        u->used = 0;
    }
    *ret_room = RING_BUFFER - u->used;
    return u->buffer + u->used;
}

static int check_thread(struct layer_unpack *u, struct err *err)
{
    if (!ring_reader_left(u->ring) || !u->thread_err.code)
        return 0;
    return err_set(err, u->thread_err.code, "%s", u->thread_err.message);
}

/* The hash first: what was published belongs to the other side. */
static int flush(struct layer_unpack *u, struct err *err)
{
    int r = 0;

    if (!u->buffer || !u->used)
        return 0;
    hasher_add(u->tar, u->buffer, u->used);
    if (u->tee)
        r = u->tee(u->tee_context, u->buffer, u->used, err);
    ring_publish(u->ring, u->used);
    u->buffer = NULL;
    return r;
}

static int output_filled(void *context, size_t len, struct err *err)
{
    struct layer_unpack *u = context;

    u->used += len;
    if (u->used < RING_BUFFER)
        return 0;
    if (flush(u, err) < 0)
        return -err->code;
    return check_thread(u, err);
}

static void set_limits(struct layer_tree *t, const struct layer_limits *limits)
{
    struct statvfs fs;

    if (limits)
        t->limits = *limits;
    t->disk_limits = !t->limits.max_bytes;
    if (t->disk_limits)
        t->limits.max_bytes =
            fstatvfs(t->root, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize / 2 : UINT64_MAX;
    if (!t->limits.max_entries)
        t->limits.max_entries = ENTRIES_DEFAULT;
}

static void destroy(struct layer_unpack *u)
{
    hasher_free(u->blob);
    hasher_free(u->tar);
    inflate_free(u->inflate);
    ring_free(u->ring);
    layer_tree_free(&u->tree);
    layer_fixups_free(u->tree.fixups);
    free(u);
}

int layer_unpack_begin(int staging_fd, const char *compression, const struct layer_limits *limits,
                       struct layer_unpack **ret, struct err *err)
{
    struct layer_unpack *u = mem_alloc(sizeof *u);
    struct inflate_output output = {output_room, output_filled, u};
    int r;

    u->tree.root = staging_fd;
    u->tree.parent_fd = -1;
    set_limits(&u->tree, limits);
    r = inflate_new(compression, &output, &u->inflate, err);
    if (r < 0) {
        destroy(u);
        return r;
    }
    u->tree.fixups = layer_fixups_new();
    u->blob = hasher_new();
    u->tar = hasher_new();
    u->ring = ring_new();
    r = start_thread(u);
    if (r) {
        destroy(u);
        return err_set(err, r, "cannot start a thread to unpack: %s", strerror(r));
    }
    *ret = u;
    return 0;
}

void layer_unpack_tee(struct layer_unpack *u, tar_sink *sink, void *context)
{
    u->tee = sink;
    u->tee_context = context;
}

int layer_unpack_feed(struct layer_unpack *u, const void *data, size_t len, struct err *err)
{
    hasher_add(u->blob, data, len);
    u->blob_size += len;
    return inflate_feed(u->inflate, data, len, err);
}

/* Few layers name their root; without lower layers it is an ordinary directory of root's. */
static int open_up_root(struct layer_unpack *u, struct err *err)
{
    if (layer_fixups_implied(u->tree.fixups, "") &&
        (fchown(u->tree.root, 0, 0) < 0 || fchmod(u->tree.root, 0755) < 0))
        return err_errno(err, "cannot set owner and mode of the layer's root");
    return 0;
}

static void fill_result(struct layer_unpack *u, struct layer_result *ret)
{
    *ret = (struct layer_result){.blob_size = u->blob_size, .size = u->tree.size};
    hasher_finish(steal_ptr(&u->blob), ret->blob_digest);
    hasher_finish(steal_ptr(&u->tar), ret->diff_id);
    ret->needs_parents = layer_fixups_pending(u->tree.fixups);
    ret->fixups = steal_ptr(&u->tree.fixups);
}

int layer_unpack_finish(struct layer_unpack *u, struct layer_result *ret, struct err *err)
{
    int r = inflate_end(u->inflate, err);

    if (!r)
        r = flush(u, err);
    if (r < 0)
        ring_abort(u->ring);
    else
        ring_close(u->ring);
    pthread_join(u->thread, NULL);
    if (!r)
        r = check_thread(u, err);
    if (!r)
        r = open_up_root(u, err);
    if (!r)
        fill_result(u, ret);
    destroy(u);
    return r;
}

void layer_unpack_abort(struct layer_unpack *u)
{
    if (!u)
        return;
    ring_abort(u->ring);
    pthread_join(u->thread, NULL);
    destroy(u);
}
