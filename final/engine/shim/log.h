/* log.h - what the files of the shim's log share. See engine/log_format.h for the formats. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

struct log_entry {
    int stream;   /* 1 or 2 */
    bool partial; /* the line goes on in the next entry */
    int64_t time_ns;
    const char *text;
    size_t len;
};

/* --- log_encode.c: appends an entry to `out` */

/* attrs: an object's text, or NULL. */
void log_encode_json(struct buf *out, const struct log_entry *entry, const char *attrs);
void log_encode_local(struct buf *out, const struct log_entry *entry);

/* --- log_file.c: a file that grows, and is rotated before it grows too large */

struct log_file;
struct log_file_options {
    unsigned long long max_size; /* 0: never rotated */
    unsigned long long max_files;
    const char *gzip; /* the program that compresses old ones, or NULL */
    bool framed;      /* a broken last entry would spoil all that follow */
};
/* Takes `path`. */
struct log_file *log_file_new(char *path, const struct log_file_options *options);
/* Where the next entries go; a buffer, until log_file_flush() writes it. */
struct buf *log_file_buffer(struct log_file *file);
void log_file_flush(struct log_file *file);
/* The compressor, as a pidfd to wait for; -1: there is none. */
int log_file_child(const struct log_file *file);
void log_file_reap(struct log_file *file, bool wait);

/* --- log_journal.c: systemd's journal */

struct log_journal;
/* `fields`: an object of strings. NULL when there is no socket. */
struct log_journal *log_journal_new(const char *socket, const json_t *fields);
void log_journal_send(struct log_journal *journal, const struct log_entry *entry);

/* --- log_writer.c: mode=non-blocking */

struct log_writer;
typedef void log_store(void *context, const struct log_entry *entry);
typedef void log_flush(void *context);
/* A process of its own that stores; `room` bytes may wait for it. NULL when it cannot be had. */
struct log_writer *log_writer_new(unsigned long long room, log_store *store, log_flush *flush,
                                  void *context);
/* What there is no room for is lost: that is what was asked for. */
void log_writer_send(struct log_writer *writer, const struct log_entry *entry);
void log_writer_end(struct log_writer *writer); /* waits until it has stored all */
