#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/ip.h"
#include "base/json.h"
#include "storage/db.h"
#include "storage/storage.h"

#define COLUMNS "id, name, created, config, ready"

void network_free(struct network *n)
{
    free(n->name);
    json_decref(n->config);
    *n = (struct network){0};
}

void network_list_free(struct network_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        network_free(&list->items[i]);
    free(list->items);
    *list = (struct network_list){0};
}

int store_begin(struct store *s, struct err *err)
{
    return db_begin(s->db, err);
}

int store_end(struct store *s, int r, struct err *err)
{
    return db_end(s->db, r, err);
}

int store_network_add(struct store *s, const struct network *n, struct err *err)
{
    cleanup_free char *config = json_text(n->config, JSON_COMPACT);
    int r =
        db_run(s->db, err,
               "INSERT INTO networks(" COLUMNS ", cursor4, cursor6) VALUES(?, ?, ?, ?, 0, '', '')",
               "ssis", n->id, n->name, (long long)n->created_ns, config);
    int code = sqlite3_extended_errcode(s->db);

    if (r < 0 && (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY))
        return err_set(err, EEXIST, "network with name %s already exists", n->name);
    return r;
}

int store_network_ready(struct store *s, const char *id, bool ready, struct err *err)
{
    return db_run(s->db, err, "UPDATE networks SET ready = ? WHERE id = ?", "is", (long long)ready,
                  id);
}

static int read_network(sqlite3_stmt *query, struct network *ret, struct err *err)
{
    const char *config = db_text(query, 3);
    struct network n = {.created_ns = sqlite3_column_int64(query, 2),
                        .ready = sqlite3_column_int(query, 4)};

    n.config = json_parse(config, strlen(config), "a network's record", err);
    if (!n.config)
        return -err->code;
    db_copy(query, 0, n.id, sizeof n.id);
    n.name = str_copy(db_text(query, 1));
    *ret = n;
    return 0;
}

/* One row or -ENOENT; a second one makes a prefix ambiguous. */
static int find_by(struct store *s, const char *sql, const char *value, struct network *ret,
                   struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    struct network n;
    int r = db_query(s->db, &query, err, sql, "s", value);

    if (!r)
        r = db_next(query, err);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    r = read_network(query, &n, err);
    if (r < 0)
        return r;
    r = db_next(query, err);
    if (r) {
        network_free(&n);
        return r < 0 ? r : -ENOTUNIQ;
    }
    *ret = n;
    return 0;
}

int store_network_find(struct store *s, const char *name_or_id, struct network *ret,
                       struct err *err)
{
    cleanup_free char *pattern = NULL;
    size_t n = strlen(name_or_id);
    int r = find_by(s, "SELECT " COLUMNS " FROM networks WHERE name = ?", name_or_id, ret, err);

    if (r != -ENOENT || !n || strspn(name_or_id, "0123456789abcdef") != n)
        return r;
    pattern = str_format("%s*", name_or_id);
    return find_by(s, "SELECT " COLUMNS " FROM networks WHERE id GLOB ? LIMIT 2", pattern, ret,
                   err);
}

int store_networks(struct store *s, struct network_list *ret, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    struct network_list list = {0};
    int r = db_query(s->db, &query, err, "SELECT " COLUMNS " FROM networks ORDER BY name", "");

    while (r >= 0 && (r = db_next(query, err)) > 0) {
        list.items = mem_grow(list.items, list.len + 1, sizeof *list.items);
        r = read_network(query, &list.items[list.len], err);
        if (r >= 0)
            list.len++;
    }
    if (r < 0)
        network_list_free(&list);
    else
        *ret = list;
    return r;
}

int store_network_remove(struct store *s, const char *id, struct err *err)
{
    int r = db_run(s->db, err, "DELETE FROM networks WHERE id = ?", "s", id);

    return r < 0 && sqlite3_extended_errcode(s->db) == SQLITE_CONSTRAINT_FOREIGNKEY ? -EBUSY : r;
}

/* --- addresses ------------------------------------------------------------------------------- */

static void to_text(const struct ip *ip, char ret[33])
{
    for (int i = 0; i < ip->len; i++)
        sprintf(ret + 2 * i, "%02x", ip->bytes[i]);
}

static int from_text(const char *text, struct ip *ret)
{
    size_t len = strlen(text) / 2;

    if (len != 4 && len != 16)
        return -EINVAL;
    *ret = (struct ip){.len = (uint8_t)len};
    for (size_t i = 0; i < len; i++) {
        unsigned byte;

        if (sscanf(text + 2 * i, "%2x", &byte) != 1)
            return -EINVAL;
        ret->bytes[i] = (uint8_t)byte;
    }
    return 0;
}

/* Of endpoints, or reserved for the network itself. */
static int is_taken(struct store *s, const char *network, const struct ip *ip, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    char text[33];
    int r;

    to_text(ip, text);
    r = db_query(s->db, &query, err,
                 ip->len == 16
                     ? "SELECT 1 FROM endpoints WHERE network = ?1 AND address6 = ?2 UNION ALL"
                       " SELECT 1 FROM reserved_addresses WHERE network = ?1 AND address = ?2"
                     : "SELECT 1 FROM endpoints WHERE network = ?1 AND address4 = ?2 UNION ALL"
                       " SELECT 1 FROM reserved_addresses WHERE network = ?1 AND address = ?2",
                 "ss", network, text);
    return r < 0 ? r : db_next(query, err);
}

int store_address_reserve(struct store *s, const char *network, const struct ip *ip,
                          struct err *err)
{
    char text[33];
    int r = is_taken(s, network, ip, err);

    if (r)
        return r < 0 ? r : -EADDRINUSE;
    to_text(ip, text);
    return db_run(s->db, err, "INSERT INTO reserved_addresses(network, address) VALUES(?, ?)", "ss",
                  network, text);
}

/* The first address from `from` to `last` that is not taken: walks along those that are, as long as
 * they have no gap. -ENOSPC: none. */
static int first_free(struct store *s, const char *network, const struct ip *from,
                      const struct ip *last, struct ip *ret, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    char low[33], high[33];
    struct ip candidate = *from;
    int r;

    to_text(from, low);
    to_text(last, high);
    r = db_query(s->db, &query, err,
                 from->len == 16
                     ? "SELECT address6 AS a FROM endpoints WHERE network = ?1 AND address6 BETWEEN"
                       " ?2 AND ?3 UNION ALL SELECT address AS a FROM reserved_addresses WHERE"
                       " network = ?1 AND address BETWEEN ?2 AND ?3 AND length(address) = 32"
                       " ORDER BY a"
                     : "SELECT address4 AS a FROM endpoints WHERE network = ?1 AND address4 BETWEEN"
                       " ?2 AND ?3 UNION ALL SELECT address AS a FROM reserved_addresses WHERE"
                       " network = ?1 AND address BETWEEN ?2 AND ?3 AND length(address) = 8"
                       " ORDER BY a",
                 "sss", network, low, high);
    while (r >= 0 && (r = db_next(query, err)) > 0) {
        struct ip taken;

        if (from_text(db_text(query, 0), &taken) < 0 || !ip_equal(&taken, &candidate))
            break;
        if (ip_equal(&candidate, last))
            return -ENOSPC;
        candidate = ip_next(&candidate);
    }
    if (r < 0)
        return r;
    *ret = candidate;
    return 0;
}

static int read_cursor(struct store *s, const char *network, bool six, struct ip *ret,
                       struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    int r = db_query(s->db, &query, err,
                     six ? "SELECT cursor6 FROM networks WHERE id = ?"
                         : "SELECT cursor4 FROM networks WHERE id = ?",
                     "s", network);

    if (!r)
        r = db_next(query, err);
    if (r < 0)
        return r;
    *ret = (struct ip){0};
    if (r)
        from_text(db_text(query, 0), ret);
    return 0;
}

static int write_cursor(struct store *s, const char *network, const struct ip *ip, struct err *err)
{
    char text[33];

    to_text(ip, text);
    return db_run(s->db, err,
                  ip->len == 16 ? "UPDATE networks SET cursor6 = ? WHERE id = ?"
                                : "UPDATE networks SET cursor4 = ? WHERE id = ?",
                  "ss", text, network);
}

/* Behind the one given out last, else from the beginning. */
static int choose(struct store *s, const char *network, const struct ip *first,
                  const struct ip *last, struct ip *ret, struct err *err)
{
    struct ip cursor;
    int r = read_cursor(s, network, first->len == 16, &cursor, err);

    if (r < 0)
        return r;
    r = -ENOSPC;
    if (cursor.len == first->len && ip_compare(&cursor, first) >= 0 &&
        ip_compare(&cursor, last) < 0) {
        struct ip next = ip_next(&cursor);

        r = first_free(s, network, &next, last, ret, err);
    }
    if (r == -ENOSPC)
        r = first_free(s, network, first, last, ret, err);
    return r;
}

int store_address_take(struct store *s, const char *network, const struct ip *first,
                       const struct ip *last, const struct ip *wanted, struct ip *ret,
                       struct err *err)
{
    struct ip chosen = {0};
    int r;

    if (wanted->len) {
        r = is_taken(s, network, wanted, err);
        if (!r)
            *ret = *wanted;
        return r > 0 ? -EADDRINUSE : r;
    }
    r = choose(s, network, first, last, &chosen, err);
    if (!r)
        r = write_cursor(s, network, &chosen, err);
    if (r < 0)
        return r;
    *ret = chosen;
    return 0;
}

/* --- endpoints ------------------------------------------------------------------------------- */

void endpoint_list_free(struct endpoint_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        json_decref(list->items[i].config);
    free(list->items);
    *list = (struct endpoint_list){0};
}

/* The address of a member as the column has it; NULL when there is none. */
static const char *column_of(const json_t *config, const char *member, char room[33])
{
    const char *text = json_str(config, member, "");
    struct ip ip;

    if (!*text || ip_parse(text, &ip) < 0)
        return NULL;
    to_text(&ip, room);
    return room;
}

int store_endpoint_put(struct store *s, const char *container, const char *network, size_t position,
                       const json_t *config, struct err *err)
{
    cleanup_free char *text = json_text(config, JSON_COMPACT);
    char four[33], six[33];

    return db_run(s->db, err,
                  "INSERT INTO endpoints(container, network, position, address4, address6, config)"
                  " VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT(container, network)"
                  " DO UPDATE SET position = excluded.position, config = excluded.config",
                  "ssisss", container, network, (long long)position,
                  column_of(config, "IPAddress", four), column_of(config, "GlobalIPv6Address", six),
                  text);
}

static int read_endpoint(sqlite3_stmt *query, struct endpoint *ret, struct err *err)
{
    const char *config = db_text(query, 2);

    ret->config = json_parse(config, strlen(config), "an endpoint's record", err);
    if (!ret->config)
        return -err->code;
    db_copy(query, 0, ret->container, sizeof ret->container);
    db_copy(query, 1, ret->network, sizeof ret->network);
    return 0;
}

int store_endpoints(struct store *s, const char *container, const char *network,
                    struct endpoint_list *ret, struct err *err)
{
    cleanup_query sqlite3_stmt *query = NULL;
    struct endpoint_list list = {0};
    int r = db_query(
        s->db, &query, err,
        "SELECT container, network, config FROM endpoints WHERE container = coalesce(?1, container)"
        " AND network = coalesce(?2, network) ORDER BY container, position",
        "ss", container, network);

    while (r >= 0 && (r = db_next(query, err)) > 0) {
        list.items = mem_grow(list.items, list.len + 1, sizeof *list.items);
        r = read_endpoint(query, &list.items[list.len], err);
        if (r >= 0)
            list.len++;
    }
    if (r < 0)
        endpoint_list_free(&list);
    else
        *ret = list;
    return r;
}

int store_endpoints_release(struct store *s, const char *container, const char *network,
                            struct err *err)
{
    int r = db_run(s->db, err,
                   "DELETE FROM endpoints WHERE container = ?1 AND network = coalesce(?2, network)",
                   "ss", container, network);

    return r < 0 ? r : 0;
}
