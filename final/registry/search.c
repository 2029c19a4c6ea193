/* search: Docker Hub has an interface for it, GET /v1/search, which once was everybody's. A
 * registry without it can still list what it has, GET /v2/_catalog; the names that have the word in
 * them are the answer then. */
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "registry/conversation.h"
#include "registry/hosts.h"
#include "registry/lists.h"
#include "registry/retry.h"

#define ANSWER_MAX   (4u << 20)
#define SEARCH_HOST  "index.docker.io"
#define CATALOG_STEP 1000

/* RFC 3986, 2.3: what need not be escaped. */
static void add_escaped(struct buf *out, const char *text)
{
    for (; *text; text++)
        if (strchr("-._~", *text) || (*text >= '0' && *text <= '9') ||
            ((*text | 32) >= 'a' && (*text | 32) <= 'z'))
            buf_add_char(out, *text);
        else
            buf_printf(out, "%%%02X", (unsigned char)*text);
}

static json_t *make_row(const char *name, const char *description, json_int_t stars, bool official,
                        bool automated)
{
    json_t *row = json_object();

    json_put_str(row, "name", name);
    json_put_str(row, "description", description);
    json_put(row, "star_count", json_integer(stars));
    json_put(row, "is_official", json_boolean(official));
    json_put(row, "is_automated", json_boolean(automated));
    return row;
}

/* --- /v1/search ------------------------------------------------------------------------------- */

static int read_results(const struct buf *body, const char *prefix, json_t *ret, struct err *err)
{
    cleanup_json json_t *json =
        json_parse(body->data ? body->data : "", body->len, "the search's answer", err);
    json_t *item;
    size_t i;

    if (!json)
        return -err->code;
    json_array_foreach(json_object_get(json, "results"), i, item)
    {
        cleanup_free char *name = str_format("%s%s", prefix, json_str(item, "name", ""));

        json_push(ret,
                  make_row(name, json_str(item, "description", ""), json_int(item, "star_count", 0),
                           json_flag(item, "is_official", false),
                           json_flag(item, "is_automated", false)));
    }
    return 0;
}

/* 1 when there is no such interface. */
static int ask_v1(struct registry *r, const char *term, int limit, const char *prefix, json_t *ret,
                  struct err *err)
{
    cleanup_buf struct buf path = {0};
    struct http_request request = {
        .accept = "application/json", .body_max = ANSWER_MAX, .deadline_s = 60};
    struct http_answer a = {0};
    int result;

    buf_add_str(&path, "/v1/search?q=");
    add_escaped(&path, term);
    buf_printf(&path, "&n=%d", limit);
    result = conversation_send(r, path.data, &request, &a, err);
    if (!result && (a.status == 404 || a.status == 405))
        result = 1;
    else if (!result && a.status != 200)
        result = err_set(err, EPROTO, "Unexpected status code %ld", a.status);
    else if (!result)
        result = read_results(&a.body, prefix, ret, err);
    http_answer_free(&a);
    return result;
}

/* --- /v2/_catalog ----------------------------------------------------------------------------- */

static int ask_catalog(struct registry *r, const char *term, int limit, json_t *ret,
                       struct err *err)
{
    cleanup_strv struct strv names = {0};
    int result = lists_get(r, "/v2/_catalog", "repositories", &names, err);

    for (size_t i = 0; i < names.len && !result && json_array_size(ret) < (size_t)limit; i++) {
        cleanup_free char *name = str_format("%s/%s", r->domain, names.items[i]);

        if (strcasestr(names.items[i], term))
            json_push(ret, make_row(name, "", 0, false, false));
    }
    return result;
}

/* The catalogue is the whole registry's, so the token for it has a scope of its own kind. */
static int search_own(const char *domain, const char *term, int limit,
                      const struct registry_options *options, json_t *ret, struct err *err)
{
    struct registry_options own = *options;
    cleanup_free char *prefix = str_format("%s/", domain);
    struct registry *r = NULL;
    int result;

    own.scope = "registry:catalog:*";
    result = registry_open(domain, "", &own, &r, err);
    if (!result)
        result = ask_v1(r, term, limit, prefix, ret, err);
    if (result > 0)
        result = ask_catalog(r, term, limit, ret, err);
    registry_close(r);
    return result;
}

int registry_search(const char *domain, const char *term, int limit,
                    const struct registry_options *options, json_t *ret, struct err *err)
{
    struct registry_options own = *options;
    struct registry *r = NULL;
    int result;

    if (domain)
        return search_own(domain, term, limit, options, ret, err);
    own.scope = "";
    own.host = SEARCH_HOST;
    result = registry_open("docker.io", "", &own, &r, err);
    if (!result)
        result = ask_v1(r, term, limit, "", ret, err);
    registry_close(r);
    return result > 0 ? err_set(err, EPROTO, "Unexpected status code 404") : result;
}
