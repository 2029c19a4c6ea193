/* log_journal.c - entries for systemd's journal, by its native protocol: a datagram an entry, to a
 * socket of the host. Each field is "NAME=value\n", or, where the value may hold a newline,
 * "NAME\n", its length as 64 bits in little endian, the value and "\n".
 * (https://systemd.io/JOURNAL_NATIVE_PROTOCOL) */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/shim/log.h"

struct log_journal {
    int fd;
    struct sockaddr_un address;
    struct buf fields; /* those of every entry */
    struct buf packet;
};

static void add_field(struct buf *out, const char *name, const char *value, size_t len)
{
    buf_add_str(out, name);
    buf_add_char(out, '\n');
    for (int i = 0; i < 64; i += 8)
        buf_add_char(out, (char)((uint64_t)len >> i));
    buf_add(out, value, len);
    buf_add_char(out, '\n');
}

struct log_journal *log_journal_new(const char *socket_path, const json_t *fields)
{
    struct log_journal *journal = mem_alloc(sizeof *journal);
    const char *name;
    json_t *value;

    journal->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    journal->address.sun_family = AF_UNIX;
    snprintf(journal->address.sun_path, sizeof journal->address.sun_path, "%s", socket_path);
    json_object_foreach((json_t *)fields, name, value)
        add_field(&journal->fields, name, json_string_value(value), json_string_length(value));
    return journal;
}

/* A journal that is not there (it restarts, say) loses entries, never the container; one that is
 * slow is waited for, as a file is. */
void log_journal_send(struct log_journal *journal, const struct log_entry *entry)
{
    struct buf *packet = &journal->packet;
    bool newline = entry->len && entry->text[entry->len - 1] == '\n';

    packet->len = 0;
    buf_add(packet, journal->fields.data, journal->fields.len);
    buf_add_str(packet, entry->stream == 2 ? "PRIORITY=3\n" : "PRIORITY=6\n");
    if (entry->partial)
        buf_add_str(packet, "CONTAINER_PARTIAL_MESSAGE=true\n");
    add_field(packet, "MESSAGE", entry->text, entry->len - newline);
    while (sendto(journal->fd, packet->data, packet->len, MSG_NOSIGNAL,
                  (struct sockaddr *)&journal->address, sizeof journal->address) < 0 &&
           errno == EINTR)
        ;
}
