/* hostfiles.c - /etc/hostname, /etc/hosts and /etc/resolv.conf: written beside the container, bound
 * into it; anew at each start, because addresses are another's by then, and in place when the
 * networks of a running container change: what is bound is the file, not its name. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/network.h"

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

/* The content changes, the file stays. */
static int write_file(int dir, const char *name, const struct buf *text, struct err *err)
{
    cleanup_close int fd = openat(dir, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);

    if (fd < 0 || ftruncate(fd, 0) < 0 ||
        file_write(fd, text->data ? text->data : "", text->len) < 0 || fchmod(fd, 0644) < 0)
        return err_errno(err, "cannot write '%s'", name);
    return 0;
}

/* What --add-host NAME:host-gateway means: the address at which the container finds this host. */
static const char *host_gateway(struct engine *e, char ret[IP_TEXT_MAX])
{
    struct network_pool pool;
    struct network n;
    struct err ignored;

    ret[0] = 0;
    if (network_find(e, NETWORK_DEFAULT, &n, &ignored) < 0)
        return ret;
    network_pool(&n, false, &pool);
    network_free(&n);
    return ip_format(&pool.gateway, ret);
}

/* --add-host NAME:IP or NAME=IP; the IP may hold colons itself, and may stand in brackets. */
static int add_extra_hosts(struct engine *e, struct buf *text, const json_t *extra, struct err *err)
{
    char gateway[IP_TEXT_MAX];
    json_t *item;
    size_t i;

    json_array_foreach(extra, i, item)
    {
        const char *entry = json_string_value(item);
        const char *separator = entry ? strpbrk(entry, ":=") : NULL;
        size_t len;

        if (!separator || separator == entry || !separator[1])
            return err_set(err, EINVAL, "bad format for add-host: \"%s\"", entry ? entry : "");
        if (!strcmp(separator + 1, "host-gateway")) {
            buf_printf(text, "%s\t%.*s\n", host_gateway(e, gateway), (int)(separator - entry),
                       entry);
            continue;
        }
        len = strlen(separator + 1);
        if (separator[1] == '[' && separator[len] == ']')
            buf_printf(text, "%.*s\t%.*s\n", (int)len - 2, separator + 2, (int)(separator - entry),
                       entry);
        else
            buf_printf(text, "%s\t%.*s\n", separator + 1, (int)(separator - entry), entry);
    }
    return 0;
}

/* The host name with its domain first, if it has one, and then without it. */
static char *own_names(const char *hostname, const char *domain)
{
    size_t n = strcspn(hostname, ".");

    if (*domain)
        return str_format("%s.%s %s", hostname, domain, hostname);
    return hostname[n] ? str_format("%s %.*s", hostname, (int)n, hostname) : str_copy(hostname);
}

/* One line for each address. */
static void add_own_lines(struct buf *text, const json_t *config, const json_t *endpoints)
{
    static const char *const members[] = {"IPAddress", "GlobalIPv6Address"};
    const char *hostname = json_str(config, "Hostname", "");
    cleanup_free char *names = own_names(hostname, json_str(config, "Domainname", ""));
    json_t *endpoint, *line;
    size_t i, k;

    json_array_foreach(endpoints, i, endpoint)
    {
        json_array_foreach(json_object_get(endpoint, "LinkedHosts"), k, line)
            buf_printf(text, "%s\n", json_string_value(line));
        for (size_t m = 0; m < sizeof members / sizeof *members; m++) {
            const char *address = json_str(endpoint, members[m], "");

            if (*address && *hostname)
                buf_printf(text, "%s\t%s\n", address, names);
        }
    }
}

static int write_hosts(struct engine *e, const struct container *c, int dir,
                       const json_t *endpoints, struct err *err)
{
    const json_t *host = json_object_get(c->config, "HostConfig");
    cleanup_buf struct buf text = {0};
    struct err ignored;
    int r;

    if (!is_host_network(host) ||
        file_load(AT_FDCWD, "/etc/hosts", HOST_FILE_MAX, &text, &ignored) < 0)
        buf_add_str(&text, hosts_head);
    r = add_extra_hosts(e, &text, json_object_get(host, "ExtraHosts"), err);
    if (r < 0)
        return r;
    add_own_lines(&text, json_object_get(c->config, "Config"), endpoints);
    return write_file(dir, "hosts", &text, err);
}

/* --- resolv.conf ----------------------------------------------------------------------------- */

/* What the user said, else what the host has. */
static void add_lines(struct buf *text, const char *keyword, const json_t *said,
                      const struct strv *has, bool one_line)
{
    cleanup_strv struct strv list = {0};
    cleanup_free char *joined = NULL;

    json_strings(said, &list);
    if (!list.len)
        for (size_t i = 0; i < has->len; i++)
            strv_add(&list, has->items[i]);
    if (list.len == 1 && !strcmp(list.items[0], ".")) /* --dns-search . : none */
        return;
    if (one_line && list.len) {
        joined = strv_join(&list, " ");
        buf_printf(text, "%s %s\n", keyword, joined);
    }
    for (size_t i = 0; !one_line && i < list.len; i++)
        buf_printf(text, "%s %s\n", keyword, list.items[i]);
}

/* Names of containers are answered on the networks that users made: 127.0.0.11. */
static bool has_names(const json_t *endpoints)
{
    json_t *endpoint;
    size_t i;

    json_array_foreach(endpoints, i, endpoint) if (json_array_size(json_object_get(
                                                       endpoint, "Names"))) return true;
    return false;
}

static bool has_six(const json_t *endpoints)
{
    json_t *endpoint;
    size_t i;

    json_array_foreach(endpoints, i, endpoint)
    {
        if (*json_str(endpoint, "GlobalIPv6Address", ""))
            return true;
    }
    return false;
}

/* Servers that a container without IPv6 would ask in vain, and wait for. */
static void drop_six(struct strv *servers)
{
    struct strv kept = {0};

    for (size_t i = 0; i < servers->len; i++)
        if (!strchr(servers->items[i], ':'))
            strv_add(&kept, servers->items[i]);
    strv_free(servers);
    *servers = kept;
}

/* A name without a dot is a container's first. */
static void ask_short_names_first(struct strv *options, const json_t *said)
{
    json_t *item;
    size_t i;

    json_array_foreach(said, i, item) if (str_starts(json_string_value(item), "ndots:")) return;
    for (i = 0; i < options->len; i++)
        if (str_starts(options->items[i], "ndots:"))
            return;
    strv_add(options, "ndots:0");
}

static int write_resolv_conf(const struct container *c, int dir, const json_t *endpoints,
                             struct err *err)
{
    static char embedded[] = "127.0.0.11", *const embedded_list[] = {embedded, NULL};
    static char google[] = "8.8.8.8",
                google_too[] = "8.8.4.4", *const fallback[] = {google, google_too, NULL};
    const json_t *host = json_object_get(c->config, "HostConfig"),
                 *options = json_object_get(host, "DnsOptions");
    cleanup_resolv struct net_resolv of_host = {0};
    cleanup_buf struct buf text = {0};
    struct strv servers;
    bool names = has_names(endpoints);

    net_resolv_host(!is_host_network(host), &of_host);
    if (!is_host_network(host) && !has_six(endpoints))
        drop_six(&of_host.servers);
    servers = of_host.servers;
    if (names)
        servers = (struct strv){.items = (char **)embedded_list, .len = 1};
    else if (!servers.len &&
             json_array_size(endpoints)) /* docker's choice where the host's cannot be reached */
        servers = (struct strv){.items = (char **)fallback, .len = 2};
    if (names)
        ask_short_names_first(&of_host.options, options);
    add_lines(&text, "nameserver", names ? NULL : json_object_get(host, "Dns"), &servers, false);
    add_lines(&text, "search", json_object_get(host, "DnsSearch"), &of_host.search, true);
    if (names &&
        json_array_size(options)) { /* both: what the user said is not all there is to say */
        cleanup_strv struct strv all = {0};

        json_strings(options, &all);
        ask_short_names_first(&all, options);
        add_lines(&text, "options", NULL, &all, true);
    } else {
        add_lines(&text, "options", options, &of_host.options, true);
    }
    return write_file(dir, "resolv.conf", &text, err);
}

int hostfiles_write(struct engine *e, const struct container *c, int dir, const json_t *endpoints,
                    struct err *err)
{
    cleanup_buf struct buf hostname = {0};
    int r;

    buf_printf(&hostname, "%s\n", json_str(c->config, "Config.Hostname", ""));
    r = write_file(dir, "hostname", &hostname, err);
    if (!r)
        r = write_hosts(e, c, dir, endpoints, err);
    if (!r)
        r = write_resolv_conf(c, dir, endpoints, err);
    return r < 0 ? err_wrap(err, "cannot write the container's host files") : 0;
}
