/* names.c - who is called how on a network, as files: no daemon holds the list, and no shim needs
 * the database.
 *
 *     run/network/names/<network>/<name>/<container>      -> "172.18.0.2 fd00::2"
 *     run/network/names/<network>/@<address>/<container>  -> "<name>"
 *
 * A symbolic link appears and disappears whole, and is read by one call. Names come from users:
 * lower case, and nothing that a path could be made of. */
#include "network/names.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"

enum { NAME_MAX_LEN = 240 };

/* False for what is no name. */
static bool path_of(const char *network, const char *name, char ret[400])
{
    size_t len = strlen(name);
    int n;

    if (!len || len > NAME_MAX_LEN || *name == '.' || strchr(name, '/') || strlen(network) > 64)
        return false;
    n = snprintf(ret, 400, "%s/", network);
    for (size_t i = 0; i <= len; i++)
        ret[n + (int)i] = (char)tolower((unsigned char)name[i]);
    return true;
}

static int link_once(int dir, const char *directory, const char *container, const char *target)
{
    cleanup_free char *path = str_format("%s/%s", directory, container);

    if (!symlinkat(target, dir, path))
        return 0;
    if (errno != EEXIST)
        return -errno;
    unlinkat(dir, path, 0); /* of its last run, whose shim was killed */
    return -EAGAIN;
}

/* The directory may go between its making and its use: the last holder of the name takes it away.
 */
static int put(int dir, const char *network, const char *name, const char *container,
               const char *target, struct err *err)
{
    char path[400];
    int r = -EAGAIN;

    if (!path_of(network, name, path))
        return 0;
    for (int tries = 0; tries < 100 && (r == -EAGAIN || r == -ENOENT); tries++) {
        if ((mkdirat(dir, network, 0700) < 0 && errno != EEXIST) ||
            (mkdirat(dir, path, 0700) < 0 && errno != EEXIST && errno != ENOENT))
            return err_errno(err, "cannot record the name '%s'", name);
        r = link_once(dir, path, container, target);
    }
    return r < 0 ? err_set(err, -r, "cannot record the name '%s': %s", name, strerror(-r)) : 0;
}

static void take(int dir, const char *network, const char *name, const char *container)
{
    cleanup_free char *link = NULL;
    char path[400];

    if (!path_of(network, name, path))
        return;
    link = str_format("%s/%s", path, container);
    unlinkat(dir, link, 0);
    unlinkat(dir, path, AT_REMOVEDIR);
}

static char *addresses_of(const struct net_endpoint *e)
{
    char four[IP_TEXT_MAX], six[IP_TEXT_MAX];

    return str_format("%s%s%s", ip_format(&e->ip4.base, four),
                      e->ip4.base.len && e->ip6.base.len ? " " : "", ip_format(&e->ip6.base, six));
}

/* "@172.18.0.2"; false when the endpoint has none of that version. */
static bool reverse_of(const struct ip *ip, char ret[IP_TEXT_MAX + 1])
{
    ret[0] = '@';
    return *ip_format(ip, ret + 1);
}

int net_names_add(int dir, const struct net_endpoint *e, const char *container, struct err *err)
{
    const char *first = json_string_value(json_array_get(e->names, 0));
    cleanup_free char *addresses = addresses_of(e);
    char reverse[IP_TEXT_MAX + 1];
    json_t *item;
    size_t i;
    int r = 0;

    json_array_foreach(e->names, i, item) if (!r && json_is_string(item)) r =
        put(dir, e->network_id, json_string_value(item), container, addresses, err);
    if (!r && first && reverse_of(&e->ip4.base, reverse))
        r = put(dir, e->network_id, reverse, container, first, err);
    if (!r && first && reverse_of(&e->ip6.base, reverse))
        r = put(dir, e->network_id, reverse, container, first, err);
    return r;
}

void net_names_remove(int dir, const struct net_endpoint *e, const char *container)
{
    char reverse[IP_TEXT_MAX + 1];
    json_t *item;
    size_t i;

    json_array_foreach(e->names, i, item) if (json_is_string(item))
        take(dir, e->network_id, json_string_value(item), container);
    if (reverse_of(&e->ip4.base, reverse))
        take(dir, e->network_id, reverse, container);
    if (reverse_of(&e->ip6.base, reverse))
        take(dir, e->network_id, reverse, container);
    unlinkat(dir, e->network_id, AT_REMOVEDIR);
}

/* The shim holds run/<id>/ locked as long as it lives: what another can lock belongs to nobody any
 * more. */
static bool holder_lives(int runs, const char *container)
{
    cleanup_close int fd = openat(runs, container, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

int names_look_up(int dir, int runs, const char *network, const char *name, names_visit *visit,
                  void *context)
{
    char path[400], target[512];
    cleanup_closedir DIR *d = NULL;
    struct dirent *entry;
    int fd, found = 0;

    if (!path_of(network, name, path))
        return 0;
    fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    d = fd < 0 ? NULL : fdopendir(fd);
    while (d && (entry = readdir(d))) {
        ssize_t n =
            *entry->d_name == '.' ? -1 : readlinkat(fd, entry->d_name, target, sizeof target - 1);

        if (n <= 0 || !holder_lives(runs, entry->d_name))
            continue;
        target[n] = 0;
        visit(context, target);
        found++;
    }
    return found;
}
