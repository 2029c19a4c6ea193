/* A file from somewhere, for `import URL` and the like: no registry, no credentials. Plain http is
 * fine, because the user wrote it; what comes has no digest to be checked against anyway. */
#include <string.h>

#include "base/cleanup.h"
#include "registry/answer.h"
#include "registry/credentials.h"
#include "registry/hosts.h"
#include "registry/http.h"
#include "registry/registry.h"
#include "registry/retry.h"

#define REDIRECTS_MAX 10

struct fetch {
    struct http *http;
    registry_sink *sink;
    void *context;
    uint64_t position; /* what the sink has */
    uint64_t asked;    /* from where this request asks */
    bool checked;      /* this answer's headers */
    bool sink_failed;
    int64_t modified; /* what the last answer said */
};

/* A server that cannot go on would begin again, and what the sink has cannot be taken back. */
static int check_headers(struct fetch *f, const struct http_answer *a, struct err *err)
{
    if (!f->asked || (a->status == 206 && a->has_range && a->range_start == f->asked))
        return 0;
    return err_set(err, EPROTO,
                   "the transfer broke off after %llu bytes, and the server cannot go "
                   "on from there",
                   (unsigned long long)f->asked);
}

static int take(void *context, const struct http_answer *a, const void *data, size_t len,
                struct err *err)
{
    struct fetch *f = context;
    int r = f->checked ? 0 : check_headers(f, a, err);

    if (r >= 0) {
        f->checked = true;
        f->modified = a->modified;
        r = f->sink(f->context, data, len, err);
    }
    f->sink_failed = r < 0;
    f->position += len;
    return r;
}

static bool is_redirect(const struct http_answer *a)
{
    return (a->status >= 301 && a->status <= 303) || a->status == 307 || a->status == 308;
}

static int check_redirect(const char *from, const char *to, struct err *err)
{
    bool from_tls, to_tls;
    cleanup_free char *a = hosts_of_url(from, &from_tls),
                      *b = to ? hosts_of_url(to, &to_tls) : NULL;

    if (!b || !*b)
        return err_set(err, EPROTO,
                       "redirected to '%s', which is no http or https address: refused",
                       to ? to : "");
    if (from_tls && !to_tls)
        return err_set(err, EPROTO, "redirected from https to plain http ('%s'): refused", b);
    return 0;
}

/* One answer that is no redirect. */
static int follow(struct fetch *f, const char *url, struct http_answer *a, struct err *err)
{
    cleanup_free char *at = str_copy(url);

    for (int hops = 0;; hops++) {
        struct http_request request = {
            .url = at, .range_from = f->asked, .body_max = UINT64_MAX, .sink = take, .context = f};
        int r = http_request(f->http, &request, a, err);

        if (r < 0 || !is_redirect(a))
            return r;
        if (hops == REDIRECTS_MAX)
            return err_set(err, ELOOP, "Get \"%s\": stopped after %d redirects", url,
                           REDIRECTS_MAX);
        r = check_redirect(at, a->location, err);
        if (r < 0)
            return r;
        free(at);
        at = str_copy(a->location);
        http_answer_free(a);
    }
}

static int get_once(struct fetch *f, const char *url, struct http_answer *a, struct err *err)
{
    int r;

    f->checked = false;
    f->asked = f->position;
    r = follow(f, url, a, err);
    if (!r && a->status != 200 && a->status != 206)
        r = answer_error(a, url, err);
    return r;
}

int registry_fetch(const char *url, const struct registry_options *options, registry_sink *sink,
                   void *context, struct err *err)
{
    cleanup_free char *config_dir = credentials_config_dir();
    const struct http_settings settings = {.stall_s = options->stall_s,
                                           .cancelled = options->cancelled,
                                           .context = options->context,
                                           .ca_file = options->ca_file,
                                           .config_dir = config_dir};
    struct fetch f = {.http = http_new(&settings), .sink = sink, .context = context, .modified = -1};
    struct retry retry = {.retry_after_s = -1};
    int r;

    do {
        struct http_answer a = {0};

        r = get_once(&f, url, &a, err);
        retry.retry_after_s = a.retry_after_s;
        retry.keep_trying = f.position > 0;
        http_answer_free(&a);
    } while (r < 0 && !f.sink_failed && retry_wait(&retry, f.http, err) == 0);
    http_free(f.http);
    if (r >= 0 && options->modified)
        *options->modified = f.modified;
    return r;
}
