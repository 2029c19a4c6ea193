/* log_format.h - how a container's output is kept, for the shim that writes it and the command that
 * reads it.
 *
 * json-file (docker's): one object a line,
 *     {"log":"text\n","stream":"stdout","attrs":{...},"time":"..."}
 * local: binary, about half as large. Each entry is a frame
 *     u32 length | u8 stream | i64 nanoseconds since 1970 | text | u32 length
 * in little endian; `length` counts what is between the two, which makes it readable from behind.
 *
 * Where files are rotated, FILE.1 is the youngest of the old ones; a compressed one ends in ".gz".
 * A line longer than LOG_ENTRY_MAX bytes becomes several entries, as in docker. */
#pragma once

#define LOG_ENTRY_MAX (16u << 10)

#define LOG_FRAME_HEAD  4u          /* the first length */
#define LOG_FRAME_FIXED 9u          /* stream and time */
#define LOG_FRAME_MAX   (1u << 20)  /* no length is larger */
#define LOG_LOCAL_FILE  "local.log" /* in containers/<id>/ */
#define LOG_JSON_SUFFIX "-json.log" /* behind the id */

/* The comment in the head of a compressed file: inode and last change of the file that it was. */
#define LOG_GZIP_NAME "cooper %llu %lld.%09ld"
