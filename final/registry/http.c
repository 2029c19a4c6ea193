/* One exchange with libcurl.
 *
 * The easy interface blocks the calling thread, which is what we want: each layer has a thread of
 * its own. An idle handle keeps its connection, so handles are pooled and the next request to the
 * same host starts on a warm connection (curl_easy_reset(3) keeps connections, sessions and the
 * name cache).
 *
 * libcurl calls back with header lines, then with body pieces of at most 16 KiB. A callback that
 * wants to stop returns a short count; the reason waits in `struct exchange` until
 * curl_easy_perform() has returned.
 */
#include "registry/http.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "registry/exchange.h"
#include "registry/hosts.h"
#include "registry/registries.h"
#include "registry/tls.h"

#define POOL_SIZE         8
#define CONNECT_TIMEOUT_S 30L
#define STALL_S           30u
#define STALL_RATE        64L /* bytes a second; less than that for STALL_S seconds is a stall */

struct http {
    pthread_mutex_t lock;
    CURL *idle[POOL_SIZE];
    size_t idle_count;
    unsigned stall_s;
    bool (*cancelled)(void *context);
    void *context;
    char *ca_file, *config_dir;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void start_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct http *http_new(const struct http_settings *settings)
{
    struct http *h = mem_alloc(sizeof *h);

    pthread_once(&curl_once, start_curl);
    pthread_mutex_init(&h->lock, NULL);
    h->stall_s = settings->stall_s ? settings->stall_s : STALL_S;
    h->cancelled = settings->cancelled;
    h->context = settings->context;
    h->ca_file = str_copy(settings->ca_file);
    h->config_dir = str_copy(settings->config_dir);
    return h;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->idle_count; i++)
        curl_easy_cleanup(h->idle[i]);
    pthread_mutex_destroy(&h->lock);
    free(h->ca_file);
    free(h->config_dir);
    free(h);
}

bool http_cancelled(const struct http *h)
{
    return h->cancelled && h->cancelled(h->context);
}

/* The latest given back comes first: its connection is the least likely to have been closed
 * meanwhile. */
static CURL *take_handle(struct http *h)
{
    CURL *curl = NULL;

    pthread_mutex_lock(&h->lock);
    if (h->idle_count)
        curl = h->idle[--h->idle_count];
    pthread_mutex_unlock(&h->lock);
    return curl ? curl : curl_easy_init();
}

static void give_handle(struct http *h, CURL *curl)
{
    pthread_mutex_lock(&h->lock);
    if (h->idle_count < POOL_SIZE) {
        curl_easy_reset(curl); /* forgets what pointed into this request */
        h->idle[h->idle_count++] = curl;
        curl = NULL;
    }
    pthread_mutex_unlock(&h->lock);
    if (curl)
        curl_easy_cleanup(curl);
}

/* --- the answer ------------------------------------------------------------------------------ */

void http_answer_free(struct http_answer *a)
{
    free(a->content_type);
    free(a->digest);
    free(a->location);
    free(a->link);
    strv_free(&a->challenges);
    buf_free(&a->body);
    memset(a, 0, sizeof *a);
}

static void answer_reset(struct http_answer *a)
{
    http_answer_free(a);
    a->retry_after_s = a->length = a->modified = -1;
}

static void replace(char **field, char *value)
{
    free(*field);
    *field = value;
}

static void read_content_type(struct http_answer *a, const char *value)
{
    replace(&a->content_type, str_copy_n(value, strcspn(value, "; \t")));
    for (char *p = a->content_type; *p; p++)
        *p = (char)tolower((unsigned char)*p);
}

static void read_digest(struct http_answer *a, const char *value)
{
    replace(&a->digest, str_copy(value));
}

static void read_challenge(struct http_answer *a, const char *value)
{
    strv_add(&a->challenges, value);
}

/* "bytes 100-199/200", "bytes 100-199/" followed by "*" when the total is not known. RFC
 * 9110, 14.4. */
static void read_range(struct http_answer *a, const char *value)
{
    unsigned long long start, end, total = 0;
    int used = 0;

    if (sscanf(value, "bytes %llu-%llu/%n", &start, &end, &used) != 2 || !used)
        return;
    if (strcmp(value + used, "*") && str_to_u64(value + used, &total) < 0)
        return;
    a->has_range = true;
    a->range_start = start;
    a->range_total = total;
}

/* "0-99": how much of an upload the registry has. Nothing is "0-0", as is one byte: those who ask
 * send that byte again. */
static void read_upload_range(struct http_answer *a, const char *value)
{
    unsigned long long start, end;

    value += str_starts(value, "bytes=") ? 6 : 0;
    if (sscanf(value, "%llu-%llu", &start, &end) != 2 || start)
        return;
    a->has_upload_range = true;
    a->upload_end = end ? end + 1 : 0;
}

static void read_link(struct http_answer *a, const char *value)
{
    replace(&a->link, str_copy(value));
}

static void read_location(struct http_answer *a, const char *value)
{
    replace(&a->location, str_copy(value));
}

static void read_modified(struct http_answer *a, const char *value)
{
    a->modified = (int64_t)curl_getdate(value, NULL); /* -1 for what is no date */
}

static const struct {
    const char *name;
    void (*read)(struct http_answer *a, const char *value);
} wanted_headers[] = {
    {"content-type", read_content_type},  {"docker-content-digest", read_digest},
    {"www-authenticate", read_challenge}, {"content-range", read_range},
    {"range", read_upload_range},         {"link", read_link},
    {"location", read_location},          {"last-modified", read_modified},
};

static void read_header(struct http_answer *a, const char *line)
{
    size_t n = strcspn(line, ":");
    const char *value = line + n + (line[n] == ':');

    value += strspn(value, " \t");
    for (size_t i = 0; i < sizeof wanted_headers / sizeof *wanted_headers; i++)
        if (!strncasecmp(line, wanted_headers[i].name, n) && !wanted_headers[i].name[n])
            wanted_headers[i].read(a, value);
}

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    struct exchange *x = context;
    size_t len = size * count;
    cleanup_free char *line = str_copy_n(data, len);

    x->header_bytes += len;
    if (x->header_bytes > HTTP_HEADERS_MAX) {
        x->stopped = err_set(x->err, EFBIG, "the answer has more than %u KiB of headers",
                             HTTP_HEADERS_MAX >> 10);
        return 0;
    }
    while (len && isspace((unsigned char)line[len - 1]))
        line[--len] = 0;
    if (str_starts(line, "HTTP/"))
        answer_reset(x->answer); /* what came before was a 100 Continue or a proxy's */
    else
        read_header(x->answer, line);
    return size * count;
}

/* What curl knows about the answer once its headers are complete. */
static void read_status(struct exchange *x)
{
    curl_off_t length = -1, retry_after = 0;

    curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &x->answer->status);
    curl_easy_getinfo(x->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    curl_easy_getinfo(x->curl, CURLINFO_RETRY_AFTER, &retry_after);
    x->answer->length = length;
    x->answer->retry_after_s = retry_after ? retry_after : -1;
}

/* "/v2/..." and "?x=y" are relative to what was asked for. */
static void resolve_location(struct exchange *x)
{
    if (x->answer->location)
        replace(&x->answer->location, hosts_resolve(x->request->url, x->answer->location));
}

/* Success goes to the sink, or is kept up to body_max. What is not a success is kept for its error
 * text. */
static int take_body(struct exchange *x, const void *data, size_t len)
{
    struct http_answer *a = x->answer;
    bool success = a->status >= 200 && a->status < 300;

    x->body_bytes += len;
    if (success && x->body_bytes > x->request->body_max)
        return err_set(x->err, EFBIG, "the answer is longer than the %llu bytes expected",
                       (unsigned long long)x->request->body_max);
    if (success && x->request->sink)
        return x->request->sink(x->request->context, a, data, len, x->err);
    if (!success && a->body.len + len > HTTP_ERROR_BODY_MAX) {
        x->enough = true; /* an error page without end: what is needed of it is here */
        return -1;
    }
    buf_add(&a->body, data, len);
    return 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct exchange *x = context;
    size_t len = size * count;
    int r;

    if (!x->answer->status)
        read_status(x);
    r = take_body(x, data, len);
    if (r < 0)
        x->stopped = r;
    return r < 0 ? 0 : len;
}

/* Called at least once a second. */
static int on_progress(void *context, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up)
{
    struct exchange *x = context;

    (void)total, (void)now, (void)up_total, (void)up;
    if (!http_cancelled(x->http))
        return 0;
    x->stopped = err_set(x->err, ECANCELED, "cancelled");
    return 1;
}

/* --- the request ----------------------------------------------------------------------------- */

static size_t on_read(char *buffer, size_t size, size_t count, void *context)
{
    struct exchange *x = context;
    const struct http_body *body = x->request->body;
    uint64_t left = body->len - x->sent;
    size_t want = size * count < left ? size * count : (size_t)left;
    ssize_t n = (ssize_t)want;

    if (body->data)
        memcpy(buffer, (const char *)body->data + x->sent, want);
    else if (want)
        n = pread(body->fd, buffer, want, (off_t)(body->offset + x->sent));
    if (n < 0 || (want && !n)) {
        x->stopped = err_set(x->err, n < 0 ? errno : EIO, "cannot read what is to be sent");
        return CURL_READFUNC_ABORT;
    }
    x->sent += (uint64_t)n;
    if (body->sent)
        body->sent(body->context, x->sent);
    return (size_t)n;
}

/* libcurl goes back to the beginning when a connection it kept turns out to be closed. */
static int on_seek(void *context, curl_off_t offset, int origin)
{
    if (origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    ((struct exchange *)context)->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* UPLOAD makes it a PUT; the method is given by name in any case. */
static void set_method(struct exchange *x)
{
    const struct http_request *request = x->request;

    if (request->form)
        curl_easy_setopt(x->curl, CURLOPT_COPYPOSTFIELDS, request->form);
    if (request->body) {
        curl_easy_setopt(x->curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(x->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body->len);
        curl_easy_setopt(x->curl, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(x->curl, CURLOPT_READDATA, x);
        curl_easy_setopt(x->curl, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(x->curl, CURLOPT_SEEKDATA, x);
        curl_easy_setopt(x->curl, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
    }
    if (str_equal(request->method, "HEAD"))
        curl_easy_setopt(x->curl, CURLOPT_NOBODY, 1L);
    else if (request->method)
        curl_easy_setopt(x->curl, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_callbacks(struct exchange *x)
{
    curl_easy_setopt(x->curl, CURLOPT_ERRORBUFFER, x->reason);
    curl_easy_setopt(x->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(x->curl, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(x->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(x->curl, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(x->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(x->curl, CURLOPT_XFERINFODATA, x);
    curl_easy_setopt(x->curl, CURLOPT_NOPROGRESS, 0L);
}

/* What the other side can make us do, and for how long. The stall limit holds for headers too:
 * libcurl counts bytes of the body only, so headers that drip in are no progress. */
static void set_bounds(struct exchange *x)
{
    curl_easy_setopt(x->curl, CURLOPT_NOSIGNAL, 1L); /* threads: no SIGALRM for name look-ups */
    curl_easy_setopt(x->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(x->curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(x->curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    curl_easy_setopt(x->curl, CURLOPT_LOW_SPEED_LIMIT, STALL_RATE);
    curl_easy_setopt(x->curl, CURLOPT_LOW_SPEED_TIME,
                     (long)(x->request->patience_s ? x->request->patience_s : x->http->stall_s));
    curl_easy_setopt(x->curl, CURLOPT_TIMEOUT, (long)x->request->deadline_s);
    curl_easy_setopt(x->curl, CURLOPT_BUFFERSIZE, 512L << 10);
    /* Transfers in parallel have connections of their own; HTTP/2 would only add copies and
     * windows. */
    curl_easy_setopt(x->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(x->curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(x->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

static void set_blob(CURL *curl, CURLoption option, const struct buf *pem)
{
    struct curl_blob blob = {pem->data, pem->len, CURL_BLOB_COPY};

    curl_easy_setopt(curl, option, &blob);
}

/* System CAs come from the hashed directory, which is read on demand: parsing the bundle of all of
 * them costs more than the rest of a request. Where libcurl was built without that directory, the
 * bundle. */
static int set_trust(struct exchange *x, const char *host)
{
    const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);
    cleanup_buf struct buf pem = {0};

    if (tls_trust(host, x->http->ca_file, x->http->config_dir, &pem, x->err) < 0)
        return -x->err->code;
    if (version->capath)
        curl_easy_setopt(x->curl, CURLOPT_CAINFO, NULL);
    else if (!pem.len)
        return 0;
    else if (version->cainfo && tls_trust("/", version->cainfo, NULL, &pem, x->err) < 0)
        return -x->err->code;
    if (!pem.len)
        return 0;
    set_blob(x->curl, CURLOPT_CAINFO_BLOB, &pem);
    return 0;
}

/* Our own certificate, where the host has a directory with one; and for a registry listed as
 * insecure nobody has to vouch. */
static int set_identity(struct exchange *x, const char *host)
{
    cleanup_buf struct buf certificate = {0}, key = {0};
    int insecure = registries_insecure(host, x->err);

    if (insecure < 0 || tls_client(host, x->http->config_dir, &certificate, &key, x->err) < 0)
        return -x->err->code;
    if (certificate.len) {
        set_blob(x->curl, CURLOPT_SSLCERT_BLOB, &certificate);
        set_blob(x->curl, CURLOPT_SSLKEY_BLOB, &key);
        explicit_bzero(key.data, key.len);
    }
    if (insecure) {
        curl_easy_setopt(x->curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(x->curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    return 0;
}

/* libcurl reads the environment itself, but of HTTP_PROXY only the lower-case form, because in CGI
 * programs the other one is the client's to set. We are none. */
static void set_proxy(struct exchange *x, const char *host, bool tls)
{
    const char *upper = getenv("HTTP_PROXY");

    if (hosts_is_loopback(host))
        curl_easy_setopt(x->curl, CURLOPT_PROXY, ""); /* whatever the environment says */
    else if (!tls && upper && *upper && !getenv("http_proxy"))
        curl_easy_setopt(x->curl, CURLOPT_PROXY, upper);
}

/* libcurl takes "Name:" for "not this one". */
static void add_header(struct curl_slist **list, const char *name, const char *value)
{
    cleanup_free char *line = str_format(*value ? "%s: %s" : "%s:%s", name, value);
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (longer)
        *list = longer;
}

/* An empty Expect: the server is not asked whether it wants the body, which costs a round trip. */
static void add_body_headers(struct curl_slist **list, const struct http_body *body)
{
    add_header(list, "Content-Type", body->type);
    add_header(list, "Expect", "");
    if (body->has_range && body->len) {
        cleanup_free char *range =
            str_format("%llu-%llu", (unsigned long long)body->range_from,
                       (unsigned long long)(body->range_from + body->len - 1));

        add_header(list, "Content-Range", range);
    }
}

static struct curl_slist *make_headers(const struct http_request *request)
{
    struct curl_slist *list = NULL;

    if (request->authorization)
        add_header(&list, "Authorization", request->authorization);
    if (request->accept)
        add_header(&list, "Accept", request->accept);
    if (request->range_from) {
        cleanup_free char *range =
            str_format("bytes=%llu-", (unsigned long long)request->range_from);

        add_header(&list, "Range", range);
    }
    if (request->body)
        add_body_headers(&list, request->body);
    return list;
}

/* Everything that is set here is forgotten again by curl_easy_reset(3) in give_handle(). */
static int prepare(struct exchange *x, struct curl_slist *headers)
{
    bool tls;
    cleanup_free char *host = hosts_of_url(x->request->url, &tls);

    if (!host)
        return err_set(x->err, EPROTO, "'%s' is not an http or https address", x->request->url);
    set_callbacks(x);
    set_bounds(x);
    curl_easy_setopt(x->curl, CURLOPT_URL, x->request->url);
    curl_easy_setopt(x->curl, CURLOPT_USERAGENT, "cooper/" COOPER_VERSION);
    curl_easy_setopt(x->curl, CURLOPT_HTTPHEADER, headers);
    set_method(x);
    set_proxy(x, host, tls);
    if (tls && set_trust(x, host) < 0)
        return -x->err->code;
    return tls ? set_identity(x, host) : 0;
}

int http_request(struct http *h, const struct http_request *request, struct http_answer *ret,
                 struct err *err)
{
    struct exchange x = {.http = h, .request = request, .answer = ret, .err = err};
    struct curl_slist *headers = make_headers(request);
    CURLcode code;
    int r;

    answer_reset(ret);
    x.curl = take_handle(h);
    if (!x.curl) {
        curl_slist_free_all(headers);
        return err_set(err, ENOMEM, "cannot start libcurl");
    }
    r = prepare(&x, headers);
    if (!r) {
        code = curl_easy_perform(x.curl);
        read_status(&x);
        resolve_location(&x);
        r = code == CURLE_OK || x.enough ? 0 : exchange_explain(&x, code);
    }
    give_handle(h, x.curl);
    curl_slist_free_all(headers);
    return r;
}
