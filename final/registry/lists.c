/* Lists that come in pages: each page has a Link header with the address of the next one, RFC 8288:
 *
 *     Link: </v2/me/app/tags/list?n=100&last=v3>; rel="next"
 *
 * Of that address only the query counts: a list goes on where it began, at this registry.
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "registry/lists.h"
#include "registry/retry.h"

#define PAGE_MAX  (4u << 20)
#define ITEMS_MAX 1000000
#define PAGES_MAX 20000

static int get_page(struct registry *r, const char *path, struct http_answer *a, struct err *err)
{
    struct http_request request = {.accept = "application/json", .body_max = PAGE_MAX};
    struct retry retry = {0};
    int result;

    do {
        http_answer_free(a);
        result = conversation_send(r, path, &request, a, err);
        if (!result && a->status != 200)
            result = conversation_error(r, path, a, err);
        retry.retry_after_s = a->retry_after_s;
    } while (result < 0 && retry_wait(&retry, r->http, err) == 0);
    return result;
}

/* The next page's query, with its question mark; NULL: this was the last. */
static char *next_query(const char *link)
{
    const char *end = link && *link == '<' ? strchr(link, '>') : NULL;
    const char *query = end ? memchr(link, '?', (size_t)(end - link)) : NULL;

    return query && strstr(end, "next") ? str_copy_n(query, (size_t)(end - query)) : NULL;
}

static int add_items(const struct buf *body, const char *member, struct strv *ret, struct err *err)
{
    cleanup_json json_t *json =
        json_parse(body->data ? body->data : "", body->len, "the registry's list", err);
    const json_t *items = json_object_get(json, member);

    if (!json)
        return -err->code;
    if (!json_is_array(items) && !json_is_null(items))
        return err_set(err, EPROTO, "the registry's list has no \"%s\"", member);
    json_strings(items, ret);
    return ret->len > ITEMS_MAX ? err_set(err, E2BIG, "the registry's list does not end") : 0;
}

int lists_get(struct registry *r, const char *path, const char *member, struct strv *ret,
              struct err *err)
{
    cleanup_free char *query = str_copy("");
    int result = 0;

    for (int pages = 0; query && !result; pages++) {
        cleanup_free char *page = str_format("%s%s", path, query), *last = steal_ptr(&query);
        struct http_answer a = {0};

        result = get_page(r, page, &a, err);
        if (!result)
            result = add_items(&a.body, member, ret, err);
        query = next_query(a.link);
        http_answer_free(&a);
        if (query && (pages == PAGES_MAX || !strcmp(query, last)))
            result = err_set(err, ELOOP, "the registry's list does not end");
    }
    return result;
}

int registry_tags(struct registry *r, struct strv *ret, struct err *err)
{
    return lists_get(r, "tags/list", "tags", ret, err);
}
