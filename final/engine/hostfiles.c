/* hostfiles.c - /etc/hostname, /etc/hosts and /etc/resolv.conf: written beside the container, bound
 * into it. */
#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/internal.h"

#define HOST_FILE_MAX (1u << 20)

static const char hosts_head[] = "127.0.0.1\tlocalhost\n"
                                 "::1\tlocalhost ip6-localhost ip6-loopback\n"
                                 "fe00::0\tip6-localnet\n"
                                 "ff00::0\tip6-mcastprefix\n"
                                 "ff02::1\tip6-allnodes\n"
                                 "ff02::2\tip6-allrouters\n";

static bool is_host_network(const json_t *host)
{
    return !strcmp(json_str(host, "NetworkMode", ""), "host");
}

/* --add-host NAME:IP; the IP may hold colons itself. */
static int add_extra_hosts(struct buf *text, const json_t *extra, struct err *err)
{
    json_t *item;
    size_t i;

    json_array_foreach(extra, i, item)
    {
        const char *entry = json_string_value(item);
        const char *colon = entry ? strchr(entry, ':') : NULL;

        if (!colon || colon == entry || !colon[1])
            return err_set(err, EINVAL, "bad format for add-host: \"%s\"", entry ? entry : "");
        buf_printf(text, "%s\t%.*s\n", colon + 1, (int)(colon - entry), entry);
    }
    return 0;
}

static int write_hosts(int dir, const json_t *host, struct err *err)
{
    cleanup_buf struct buf text = {0};
    struct err ignored;
    int r;

    if (!is_host_network(host) ||
        file_load(AT_FDCWD, "/etc/hosts", HOST_FILE_MAX, &text, &ignored) < 0)
        buf_add_str(&text, hosts_head);
    r = add_extra_hosts(&text, json_object_get(host, "ExtraHosts"), err);
    if (r < 0)
        return r;
    return file_create(dir, "hosts", text.data, text.len, 0644, err);
}

static void add_list(struct buf *text, const char *keyword, const json_t *list, bool one_line)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (!i || !one_line)
            buf_printf(text, "%s%s", i ? "\n" : "", keyword);
        buf_printf(text, " %s", json_string_value(item));
    }
    if (json_array_size(list))
        buf_add_char(text, '\n');
}

/* The host's resolv.conf line by line, without what --dns* replaces. */
static void copy_resolv_conf(struct buf *text, const struct buf *theirs, const json_t *host)
{
    cleanup_strv struct strv lines = {0};

    strv_split(&lines, theirs->data ? theirs->data : "", '\n');
    for (size_t i = 0; i < lines.len; i++) {
        const char *line = lines.items[i];

        if ((str_starts(line, "nameserver") && json_array_size(json_object_get(host, "Dns"))) ||
            (str_starts(line, "search") && json_array_size(json_object_get(host, "DnsSearch"))) ||
            (str_starts(line, "options") && json_array_size(json_object_get(host, "DnsOptions"))))
            continue;
        if (*line)
            buf_printf(text, "%s\n", line);
    }
}

static int write_resolv_conf(int dir, const json_t *host, struct err *err)
{
    cleanup_buf struct buf theirs = {0}, text = {0};
    struct err ignored;

    if (file_load(AT_FDCWD, "/etc/resolv.conf", HOST_FILE_MAX, &theirs, &ignored) < 0)
        err_clear(&ignored); /* a host without one is fine: so is the container */
    copy_resolv_conf(&text, &theirs, host);
    add_list(&text, "nameserver", json_object_get(host, "Dns"), false);
    add_list(&text, "search", json_object_get(host, "DnsSearch"), true);
    add_list(&text, "options", json_object_get(host, "DnsOptions"), true);
    return file_create(dir, "resolv.conf", text.data ? text.data : "", text.len, 0644, err);
}

int hostfiles_write(int dir, const json_t *config, const json_t *host, struct err *err)
{
    cleanup_free char *hostname = str_format("%s\n", json_str(config, "Hostname", ""));
    int r = file_create(dir, "hostname", hostname, strlen(hostname), 0644, err);

    if (!r)
        r = write_hosts(dir, host, err);
    if (!r)
        r = write_resolv_conf(dir, host, err);
    return r < 0 ? err_wrap(err, "cannot write the container's host files") : 0;
}
