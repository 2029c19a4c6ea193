/* rows_ports.c - the PORTS cell of ps: "0.0.0.0:8080->80/tcp, 443/tcp". Neighbours that differ by
 * one on both sides are shown as one range. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/rows.h"

struct mapping {
    char ip[64], proto[8]; /* ip "": exposed only */
    int host, first, last; /* host of `first` */
};

struct mappings {
    struct mapping *items;
    size_t len;
};

static struct mapping *add(struct mappings *list)
{
    list->items = mem_grow(list->items, list->len + 1, sizeof *list->items);
    list->items[list->len] = (struct mapping){0};
    return &list->items[list->len++];
}

static void add_port(struct mappings *list, const char *key, const json_t *bindings)
{
    const char *slash = strchr(key, '/'), *proto = slash ? slash + 1 : "tcp";
    int port = atoi(key);
    json_t *binding;
    size_t i;

    json_array_foreach(bindings, i, binding)
    {
        struct mapping *m = add(list);
        const char *ip = json_str(binding, "HostIp", "");

        snprintf(m->ip, sizeof m->ip, strchr(ip, ':') ? "[%.60s]" : "%.62s", ip);
        snprintf(m->proto, sizeof m->proto, "%s", proto);
        m->host = atoi(json_str(binding, "HostPort", ""));
        m->first = m->last = port;
    }
    if (!json_array_size(bindings)) {
        struct mapping *m = add(list);

        snprintf(m->proto, sizeof m->proto, "%s", proto);
        m->first = m->last = port;
    }
}

/* By what cannot be joined first, so that neighbours stand side by side; then by port. */
static int by_kind(const void *a, const void *b)
{
    const struct mapping *x = a, *y = b;
    int order = strcmp(x->proto, y->proto);

    if (!order)
        order = strcmp(x->ip, y->ip);
    if (!order)
        order = x->first - y->first;
    return order ? order : x->host - y->host;
}

static int by_port(const void *a, const void *b)
{
    const struct mapping *x = a, *y = b;
    int order = x->first - y->first;

    if (!order)
        order = strcmp(x->proto, y->proto);
    return order ? order : strcmp(x->ip, y->ip);
}

static bool joins(const struct mapping *m, const struct mapping *next)
{
    int count = m->last - m->first + 1;

    return !strcmp(m->ip, next->ip) && !strcmp(m->proto, next->proto) &&
           next->first == m->last + 1 && (!*m->ip || next->host == m->host + count);
}

static void join(struct mappings *list)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->len; i++) {
        if (kept && joins(&list->items[kept - 1], &list->items[i]))
            list->items[kept - 1].last = list->items[i].last;
        else
            list->items[kept++] = list->items[i];
    }
    list->len = kept;
}

static void print(const struct mapping *m, struct buf *text)
{
    int count = m->last - m->first;

    if (*m->ip)
        buf_printf(text, "%s:%d", m->ip, m->host);
    if (*m->ip && count)
        buf_printf(text, "-%d", m->host + count);
    buf_printf(text, "%s%d", *m->ip ? "->" : "", m->first);
    if (count)
        buf_printf(text, "-%d", m->last);
    buf_printf(text, "/%s", m->proto);
}

char *rows_ports(const json_t *ports)
{
    struct mappings list = {0};
    struct buf text = {0};
    json_t *bindings;
    const char *key;

    json_object_foreach((json_t *)ports, key, bindings) add_port(&list, key, bindings);
    if (list.len)
        qsort(list.items, list.len, sizeof *list.items, by_kind);
    join(&list);
    if (list.len)
        qsort(list.items, list.len, sizeof *list.items, by_port);
    for (size_t i = 0; i < list.len; i++) {
        if (i)
            buf_add_str(&text, ", ");
        print(&list.items[i], &text);
    }
    free(list.items);
    return buf_steal(&text);
}
