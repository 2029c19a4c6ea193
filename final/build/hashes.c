/* Which file has which content, from one build to the next: what git calls the stat cache. */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "build/tree.h"

#define DIRECTORY "build/hashes"
#define MAGIC     "cooper hashes 1\n"
#define FILE_MAX  (256u << 20)
#define SECOND    1000000000ll
#define KEEP_DAYS 30 /* notes of a context that nobody builds any more */

/* As it is in the file, in this machine's own order: nobody else reads it. */
struct note {
    uint64_t device, inode, size;
    int64_t modified, changed; /* nanoseconds */
    char digest[72];           /* a text, like everywhere */
};

struct hashes {
    int dir;
    char name[48];
    bool devices;      /* device numbers mean something */
    struct buf old;    /* the file: a header, then notes by device and inode */
    struct note *used; /* asked for in this build */
    size_t count, room;
    bool news;
    pthread_mutex_t lock;
};

struct header {
    char magic[16];
    char digest[72]; /* of the notes: a power cut may leave anything behind a rename */
};

/* --- notes ------------------------------------------------------------------------------------ */

static int64_t nanoseconds(struct timespec t)
{
    return t.tv_sec * SECOND + t.tv_nsec;
}

static struct note describe(const struct hashes *h, const struct stat *st)
{
    return (struct note){.device = h->devices ? st->st_dev : 0,
                         .inode = st->st_ino,
                         .size = (uint64_t)st->st_size,
                         .modified = nanoseconds(st->st_mtim),
                         .changed = nanoseconds(st->st_ctim)};
}

static int compare(const void *a, const void *b)
{
    const struct note *x = a, *y = b;

    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    return x->inode == y->inode ? 0 : x->inode < y->inode ? -1 : 1;
}

static bool same_file(const struct note *a, const struct note *b)
{
    return a->size == b->size && a->modified == b->modified && a->changed == b->changed;
}

static void use(struct hashes *h, const struct note *note)
{
    if (h->count == h->room)
        h->used = mem_grow(h->used, h->room = h->room ? 2 * h->room : 256, sizeof *h->used);
    h->used[h->count++] = *note;
}

bool hashes_find(struct hashes *h, const struct stat *st, char ret[DIGEST_LEN + 1])
{
    const struct note *found;
    struct note wanted;

    if (!h || h->old.len <= sizeof(struct header))
        return false;
    wanted = describe(h, st);
    found = bsearch(&wanted, h->old.data + sizeof(struct header),
                    (h->old.len - sizeof(struct header)) / sizeof *found, sizeof *found, compare);
    if (!found || !same_file(found, &wanted))
        return false;
    memcpy(ret, found->digest, DIGEST_LEN + 1);
    pthread_mutex_lock(&h->lock);
    use(h, found);
    pthread_mutex_unlock(&h->lock);
    return true;
}

void hashes_note(struct hashes *h, const struct stat *st, const char *digest)
{
    struct note note;

    if (!h)
        return;
    note = describe(h, st);
    if (clock_now() - note.changed < SECOND)
        return;
    memcpy(note.digest, digest, DIGEST_LEN + 1);
    pthread_mutex_lock(&h->lock);
    use(h, &note);
    h->news = true;
    pthread_mutex_unlock(&h->lock);
}

/* --- the file --------------------------------------------------------------------------------- */

static bool is_whole(const struct buf *file)
{
    const struct header *header = (const void *)file->data;
    size_t len = file->len - sizeof *header;
    char digest[DIGEST_LEN + 1];

    if (file->len < sizeof *header || len % sizeof(struct note) ||
        memcmp(header->magic, MAGIC, sizeof header->magic) != 0)
        return false;
    digest_of(file->data + sizeof *header, len, digest);
    return !memcmp(digest, header->digest, sizeof digest);
}

struct hashes *hashes_open(struct store *store, int root)
{
    struct hashes *h;
    struct err ignored;
    struct stat st;

    if (root >= 0 && fstat(root, &st) < 0)
        return NULL;
    h = mem_alloc(sizeof *h);
    pthread_mutex_init(&h->lock, NULL);
    h->devices = root >= 0;
    strcpy(h->name, "images");
    if (root >= 0)
        snprintf(h->name, sizeof h->name, "%llx-%llx", (unsigned long long)st.st_dev,
                 (unsigned long long)st.st_ino);
    h->dir = -1;
    if (!file_make_dirs(store->root_fd, DIRECTORY, 0700, &ignored))
        h->dir = openat(store->root_fd, DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (h->dir < 0 || file_load(h->dir, h->name, FILE_MAX, &h->old, &ignored) < 0 ||
        !is_whole(&h->old))
        buf_free(&h->old);
    return h;
}

/* Sorted, each file once: the same one may have been asked for by several COPYs. */
static void sort_notes(struct hashes *h)
{
    size_t kept = 0;

    qsort(h->used, h->count, sizeof *h->used, compare);
    for (size_t i = 0; i < h->count; i++)
        if (!kept || compare(&h->used[kept - 1], &h->used[i]) != 0)
            h->used[kept++] = h->used[i];
        else
            h->used[kept - 1] = h->used[i];
    h->count = kept;
}

static void write_notes(struct hashes *h)
{
    struct header header = {.magic = MAGIC};
    cleanup_buf struct buf file = {0};
    struct err ignored;

    sort_notes(h);
    digest_of(h->used, h->count * sizeof *h->used, header.digest);
    buf_add(&file, &header, sizeof header);
    buf_add(&file, h->used, h->count * sizeof *h->used);
    file_store(h->dir, h->name, file.data, file.len, 0600, false, &ignored);
}

static void remove_old(int dir)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_closedir DIR *list = copy < 0 ? NULL : fdopendir(copy);
    time_t oldest = time(NULL) - KEEP_DAYS * 24 * 3600;
    struct dirent *entry;
    struct stat st;

    while (list && (entry = file_next_entry(list)))
        if (!fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) && st.st_mtime < oldest)
            unlinkat(dir, entry->d_name, 0);
}

void hashes_close(struct hashes *h)
{
    if (!h)
        return;
    if (h->news && h->dir >= 0) {
        write_notes(h);
        remove_old(h->dir);
    }
    close_fd(&h->dir);
    pthread_mutex_destroy(&h->lock);
    buf_free(&h->old);
    free(h->used);
    free(h);
}
