/* log.c - the container's output becomes entries, one a line, and goes to its log driver: a file
 * (log_file.c) in docker's format or our own (log_encode.c), systemd's journal (log_journal.c), or
 * another process that does this (log_writer.c). What the journal gets is kept in a file as well, a
 * small one, so that `cooper logs` has something to show. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "engine/log_format.h"
#include "engine/shim/log.h"
#include "engine/shim/shim.h"

struct shim_log {
    struct log_file *file; /* or NULL */
    bool json;
    char *attrs; /* of every entry in JSON, or NULL */
    struct log_journal *journal;
    struct log_writer *writer;
    struct buf partial[2]; /* a line of stdout, of stderr that has no end yet */
};

/* --- what is kept of an entry ----------------------------------------------------------------- */

static void store_entry(void *context, const struct log_entry *entry)
{
    struct shim_log *log = context;

    if (log->journal)
        log_journal_send(log->journal, entry);
    if (log->file && log->json)
        log_encode_json(log_file_buffer(log->file), entry, log->attrs);
    else if (log->file)
        log_encode_local(log_file_buffer(log->file), entry);
}

static void flush_entries(void *context)
{
    struct shim_log *log = context;

    if (log->file)
        log_file_flush(log->file);
}

/* --- by the plan that the engine made (engine/log_options.c) ---------------------------------- */

static void open_log_file(struct shim_log *log, const struct shim_options *o, const json_t *plan)
{
    struct log_file_options file = {
        .max_size = (unsigned long long)json_int(plan, "max_size", 0),
        .max_files = (unsigned long long)json_int(plan, "max_files", 1),
        .gzip = json_flag(plan, "compress", false) ? o->gzip : NULL,
        .framed = !log->json,
    };

    log->file = log_file_new(log->json ? str_format("%s/%s" LOG_JSON_SUFFIX, o->dir, o->id)
                                       : str_format("%s/" LOG_LOCAL_FILE, o->dir),
                             &file);
}

struct shim_log *shim_log_new(const struct shim_options *o)
{
    cleanup_json json_t *document = o->log_plan ? shim_load_file(o) : NULL;
    const json_t *plan = json_object_get(document, "log");
    struct shim_log *log;
    long long room = json_int(plan, "room", 0);

    if (o->exec || !o->log || !strcmp(o->log, "none"))
        return NULL;
    log = mem_alloc(sizeof *log);
    log->json = !strcmp(o->log, "json-file");
    if (json_object_size(json_object_get(plan, "attrs")))
        log->attrs = json_text(json_object_get(plan, "attrs"), JSON_COMPACT | JSON_SORT_KEYS);
    if (json_object_get(plan, "journal"))
        log->journal =
            log_journal_new(json_str(plan, "socket", ""), json_object_get(plan, "journal"));
    if (!json_flag(plan, "no_file", false))
        open_log_file(log, o, plan);
    if (room)
        log->writer = log_writer_new((unsigned long long)room, store_entry, flush_entries, log);
    return log;
}

/* --- lines ------------------------------------------------------------------------------------ */

static void add_entry(struct shim_log *log, int stream, bool partial, const char *data, size_t len)
{
    struct log_entry entry = {stream, partial, clock_now(), data, len};

    if (log->writer)
        log_writer_send(log->writer, &entry);
    else
        store_entry(log, &entry);
}

/* Where a piece of at most LOG_ENTRY_MAX bytes may be cut without splitting a character. */
static size_t cut_point(const char *data)
{
    size_t n = LOG_ENTRY_MAX;

    for (int back = 0; back < 3 && (data[n] & 0xc0) == 0x80; back++)
        n--;
    return n;
}

/* Entries of what a line without an end has too much. */
static void cut_partial(struct shim_log *log, int stream, struct buf *partial)
{
    size_t done = 0;

    while (partial->len - done > LOG_ENTRY_MAX) {
        size_t cut = cut_point(partial->data + done);

        add_entry(log, stream, true, partial->data + done, cut);
        done += cut;
    }
    memmove(partial->data, partial->data + done, partial->len - done);
    partial->len -= done;
}

static void add_line(struct shim_log *log, int stream, struct buf *partial, const char *line,
                     size_t len)
{
    if (!partial->len && len <= LOG_ENTRY_MAX) { /* nearly always */
        add_entry(log, stream, false, line, len);
        return;
    }
    buf_add(partial, line, len);
    cut_partial(log, stream, partial);
    add_entry(log, stream, false, partial->data, partial->len);
    partial->len = 0;
}

void shim_log_write(struct shim_log *log, int stream, const char *data, size_t len)
{
    struct buf *partial;
    const char *newline;

    if (!log)
        return;
    partial = &log->partial[stream == 2];
    while (len && (newline = memchr(data, '\n', len))) {
        size_t n = (size_t)(newline - data) + 1;

        add_line(log, stream, partial, data, n);
        data += n;
        len -= n;
    }
    buf_add(partial, data, len);
    if (partial->len > LOG_ENTRY_MAX)
        cut_partial(log, stream, partial);
    flush_entries(log);
}

void shim_log_flush(struct shim_log *log)
{
    for (int i = 0; log && i < 2; i++)
        if (log->partial[i].len) {
            add_entry(log, i + 1, false, log->partial[i].data, log->partial[i].len);
            log->partial[i].len = 0;
        }
    if (log && log->writer)
        log_writer_end(log->writer);
    else if (log)
        flush_entries(log);
    if (log)
        log->writer = NULL;
}

int shim_log_child(const struct shim_log *log)
{
    return log && log->file ? log_file_child(log->file) : -1;
}

void shim_log_reap(struct shim_log *log)
{
    log_file_reap(log->file, false);
}

void shim_log_end(struct shim_log *log)
{
    if (log && log->file)
        log_file_reap(log->file, false);
}
