/* resolv.c - resolv.conf(5), as far as others need to know it. */
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "network/internal.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLVED                                                                                   \
    "/run/systemd/resolve/resolv.conf" /* the servers behind systemd-resolved's own 127.0.0.53 */

void net_resolv_free(struct net_resolv *r)
{
    strv_free(&r->servers);
    strv_free(&r->search);
    strv_free(&r->options);
}

/* The words behind the first one. */
static void add_words(char *rest, struct strv *ret)
{
    for (char *word; (word = strsep(&rest, " \t"));)
        if (*word)
            strv_add(ret, word);
}

static void read_line(char *line, struct net_resolv *ret)
{
    char *rest = line, *keyword = strsep(&rest, " \t");

    if (!rest)
        return;
    if (!strcmp(keyword, "nameserver")) {
        cleanup_free char *address = NULL; /* without the zone of fe80::1%eth0 */
        struct ip ip;

        rest += strspn(rest, " \t");
        rest[strcspn(rest, " \t")] = 0;
        address = str_copy_n(rest, strcspn(rest, "%"));
        if (!ip_parse(address, &ip))
            strv_add(&ret->servers, rest);
    } else if (!strcmp(keyword, "search") || !strcmp(keyword, "domain")) {
        strv_free(&ret->search); /* the last one counts */
        add_words(rest, &ret->search);
    } else if (!strcmp(keyword, "options")) {
        add_words(rest, &ret->options);
    }
}

void net_resolv_read(const char *path, struct net_resolv *ret)
{
    cleanup_buf struct buf text = {0};
    struct err ignored;
    char *rest;

    if (file_load(AT_FDCWD, path, 1 << 20, &text, &ignored) < 0)
        return;
    rest = text.data;
    for (char *line; (line = strsep(&rest, "\n"));) {
        line[strcspn(line, "#;\r")] = 0;
        read_line(line + strspn(line, " \t"), ret);
    }
}

/* On this host's loopback, or by a link that a container does not have. */
static bool is_ours_alone(const char *server)
{
    struct ip ip;

    return strchr(server, '%') || (!ip_parse(server, &ip) && ip_is_loopback(&ip));
}

static void keep_reachable(struct strv *servers)
{
    struct strv kept = {0};

    for (size_t i = 0; i < servers->len; i++)
        if (!is_ours_alone(servers->items[i]))
            strv_add(&kept, servers->items[i]);
    strv_free(servers);
    *servers = kept;
}

void net_resolv_host(bool reachable, struct net_resolv *ret)
{
    net_resolv_read(RESOLV_CONF, ret);
    if (!reachable)
        return;
    keep_reachable(&ret->servers);
    if (!ret->servers.len) {
        cleanup_resolv struct net_resolv behind = {0};

        net_resolv_read(RESOLVED, &behind);
        keep_reachable(&behind.servers);
        for (size_t i = 0; i < behind.servers.len; i++)
            strv_add(&ret->servers, behind.servers.items[i]);
    }
}
