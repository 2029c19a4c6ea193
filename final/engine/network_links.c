/* network_links.c - `--link OTHER:ALIAS`: a line of /etc/hosts and, where containers of a network
 * do not reach each other, a way through to what the other one exposes. Addresses are given out
 * anew at each start, so who has linked is told of the other's: from a mark in run/network/links/,
 * because nobody but the starting command is there to do it. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/internal.h"
#include "engine/network.h"

#define LINKS "network/links" /* below run/ */

/* --- the record: "<id>:<alias>", because names change ----------------------------------------- */

static int find_link(struct engine *e, const char *link, struct container *ret, struct err *err)
{
    cleanup_free char *name = str_copy_n(link, strcspn(link, ":"));
    int r = engine_find(e, name, ret, err);

    return r < 0 ? err_wrap(err, "could not get container for %s", name) : 0;
}

/* Behind the colon; without one the name itself. */
static const char *alias_of(const char *link)
{
    const char *colon = strchr(link, ':');

    return colon && colon[1] ? colon + 1 : link + (*link == '/');
}

int links_check(struct engine *e, json_t *links, struct err *err)
{
    json_t *item;
    size_t i;

    json_array_foreach(links, i, item)
    {
        const char *link = json_string_value(item), *alias = alias_of(link);
        struct container other;

        if (find_link(e, link, &other, err) < 0)
            return -err->code;
        json_array_set_new(links, i,
                           json_sprintf("%s:%.*s", other.id, (int)strcspn(alias, ":"), alias));
        container_free(&other);
    }
    return 0;
}

json_t *links_document(struct engine *e, const struct container *c)
{
    json_t *links = json_at(c->config, "HostConfig.Links"), *item, *ret = NULL;
    size_t i;

    json_array_foreach(links, i, item)
    {
        const char *link = json_string_value(item);
        struct container other;
        struct err ignored = {0};

        if (find_link(e, link, &other, &ignored) < 0)
            continue; /* it was removed */
        if (!ret)
            ret = json_array();
        json_push(ret, json_sprintf("/%s:/%s/%s", other.name, c->name, alias_of(link)));
        container_free(&other);
    }
    return ret ? ret : json_null();
}

/* --- what a start makes of it ----------------------------------------------------------------- */

/* What the other one exposes, so that a network with icc=false lets it through. */
static void add_linked(json_t *endpoint, const json_t *other_endpoint, const json_t *other_config)
{
    json_t *list = json_object_get(endpoint, "Linked"), *value;
    const char *key;

    if (!list) {
        list = json_array();
        json_put(endpoint, "Linked", list);
    }
    json_object_foreach(json_at(other_config, "Config.ExposedPorts"), key, value)
    {
        json_t *item = json_object();

        json_put_str(item, "IP", json_str(other_endpoint, "IPAddress", ""));
        json_put(item, "Port", json_integer(atoi(key)));
        json_put(item, "Proto",
                 json_integer(net_proto_number(strchr(key, '/') ? strchr(key, '/') + 1 : "tcp")));
        json_push(list, item);
    }
}

/* run/network/links/OTHER/ID: who is to be told when the other one starts again. */
static int record_link(struct engine *e, const char *other, const char *id, struct err *err)
{
    cleanup_free char *directory = str_format(LINKS "/%s", other),
                      *path = str_format("%s/%s", directory, id);
    int run = e->store->run_fd;
    cleanup_close int fd = -1;

    if ((mkdirat(run, LINKS, 0700) < 0 && errno != EEXIST) ||
        (mkdirat(run, directory, 0700) < 0 && errno != EEXIST))
        return err_errno(err, "cannot record the link to container %.12s", other);
    fd = openat(run, path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? err_errno(err, "cannot record the link to container %.12s", other) : 0;
}

static char *hosts_line(const char *address, const char *alias, const struct container *other)
{
    bool both = strcmp(alias, other->name) != 0;

    return str_format("%s\t%s %.12s%s%s", address, alias, other->id, both ? " " : "",
                      both ? other->name : "");
}

/* `starting`, if not NULL, is the one of the others that has its address, but does not run yet. */
static int resolve_link(struct engine *e, const struct container *c, json_t *endpoint,
                        const char *link, const struct container *starting, struct err *err)
{
    struct endpoint_list endpoints = {0};
    struct container other;
    int r = find_link(e, link, &other, err);

    if (r < 0)
        return r;
    if (!container_running(&other) && !(starting && !strcmp(starting->id, other.id)))
        r = err_set(err, EINVAL, "Cannot link to a non running container: /%s", other.name);
    if (!r)
        r = store_endpoints(e->store, other.id, json_str(endpoint, "NetworkID", ""), &endpoints,
                            err);
    if (!r && endpoints.len) {
        cleanup_free char *line = hosts_line(json_str(endpoints.items[0].config, "IPAddress", ""),
                                             alias_of(link), &other);
        json_t *hosts = json_object_get(endpoint, "LinkedHosts");

        if (!hosts) {
            hosts = json_array();
            json_put(endpoint, "LinkedHosts", hosts);
        }
        json_push(hosts, json_string(line));
        add_linked(endpoint, endpoints.items[0].config, other.config);
        r = starting ? 0 : record_link(e, other.id, c->id, err);
    }
    endpoint_list_free(&endpoints);
    container_free(&other);
    return r;
}

static int resolve_list(struct engine *e, const struct container *c, json_t *endpoint,
                        const json_t *links, const struct container *starting, struct err *err)
{
    const json_t *item;
    size_t i;

    json_array_foreach(links, i, item)
    {
        int r = resolve_link(e, c, endpoint, json_string_value(item), starting, err);

        if (r == -ENOENT && !starting)
            strv_take(&e->notes, str_format("container %s is linked to one that was removed: %s",
                                            c->name, alias_of(json_string_value(item))));
        else if (r < 0 && !starting)
            return r;
        if (r < 0) /* or it runs already, and does not need all of them */
            err_clear(err);
    }
    return 0;
}

int links_resolve_on(struct engine *e, const struct container *c, json_t *endpoint, struct err *err)
{
    return resolve_list(e, c, endpoint, json_object_get(endpoint, "Links"), NULL, err);
}

int links_resolve(struct engine *e, const struct container *c, json_t *endpoints,
                  const struct container *starting, struct err *err)
{
    json_t *endpoint;
    size_t i;
    int r = resolve_list(e, c, json_array_get(endpoints, 0), json_at(c->config, "HostConfig.Links"),
                         starting, err);

    json_array_foreach(endpoints, i, endpoint)
    {
        if (!r)
            r = resolve_list(e, c, endpoint, json_object_get(endpoint, "Links"), starting, err);
    }
    return r;
}

bool links_exist(const json_t *endpoints)
{
    json_t *endpoint;
    size_t i;

    json_array_foreach(endpoints, i, endpoint)
    {
        if (json_object_get(endpoint, "LinkedHosts"))
            return true;
    }
    return false;
}

/* One that has linked to `c`, told of its new address; one that runs no more is forgotten. A start
 * does not fail because another container could not be told. */
static void follow(struct engine *e, const struct container *c, int links, const char *id)
{
    struct container linker;
    struct err err = {0};
    bool runs = false;

    if (engine_find(e, id, &linker, &err) >= 0) {
        runs = container_running(&linker);
        if (runs && network_relink(e, &linker, c, &err) < 0 && proc_alive(&linker.init))
            strv_take(&e->notes, str_format("container %s does not know the new address of %s: %s",
                                            linker.name, c->name, err.message));
        container_free(&linker);
    }
    if (!runs)
        unlinkat(links, id, 0);
}

int links_follow(struct engine *e, const struct container *c, struct err *err)
{
    cleanup_free char *path = str_format(LINKS "/%s", c->id);
    cleanup_closedir DIR *list = NULL;
    const struct dirent *entry;
    int fd = openat(e->store->run_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0) /* nobody has: nearly always */
        return 0;
    list = fdopendir(fd);
    if (!list) {
        close(fd);
        return err_errno(err, "cannot list who is linked to container %s", c->name);
    }
    while ((entry = file_next_entry(list)))
        follow(e, c, dirfd(list), entry->d_name);
    return 0;
}

void links_forget(struct engine *e, const char *id)
{
    cleanup_free char *path = str_format(LINKS "/%s", id);
    struct err ignored = {0};

    file_remove_tree(e->store->run_fd, path, &ignored);
}
