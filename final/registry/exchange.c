/* Why a transfer failed, in the words docker's users know, and as an errno for whoever decides
 * whether to try again. */
#include "registry/exchange.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

/* As Go's client writes methods in its errors. */
static const char *verb_of(const struct http_request *request)
{
    static const struct {
        const char *method, *verb;
    } verbs[] = {{"HEAD", "Head"}, {"PUT", "Put"}, {"PATCH", "Patch"}, {"POST", "Post"}};

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (str_equal(request->method, verbs[i].method))
            return verbs[i].verb;
    return request->form ? "Post" : "Get";
}

/* What curl's codes mean here, in the words docker's users know. */
static const struct failure {
    CURLcode curl;
    int code;
    const char *text;
} failures[] = {
    {CURLE_COULDNT_RESOLVE_HOST, EHOSTUNREACH, "dial tcp: lookup"},
    {CURLE_COULDNT_RESOLVE_PROXY, EHOSTUNREACH, "dial tcp: lookup of the proxy: no such host"},
    {CURLE_COULDNT_CONNECT, ECONNREFUSED, "dial tcp: connect"},
    {CURLE_OPERATION_TIMEDOUT, ETIMEDOUT, "timed out"},
    {CURLE_SSL_CONNECT_ERROR, EPROTONOSUPPORT, "tls: handshake failed"},
    {CURLE_PEER_FAILED_VERIFICATION, EKEYREJECTED, "tls: failed to verify certificate"},
    {CURLE_SSL_CACERT_BADFILE, EKEYREJECTED, "tls: a CA certificate file is not valid"},
    {CURLE_PARTIAL_FILE, ECONNRESET, "unexpected EOF"},
    {CURLE_GOT_NOTHING, ECONNRESET, "EOF"},
    {CURLE_RECV_ERROR, ECONNRESET, "connection reset"},
    {CURLE_SEND_ERROR, ECONNRESET, "connection reset"},
    {CURLE_WEIRD_SERVER_REPLY, ECONNRESET, "malformed HTTP response"},
    {CURLE_OUT_OF_MEMORY, EFBIG, "a header line is too long"},
    {CURLE_OK, EIO, "transfer failed"}, /* anything else */
};

static const struct failure *find_failure(CURLcode code)
{
    const struct failure *f = failures;

    while (f->curl != CURLE_OK && f->curl != code)
        f++;
    return f;
}

/* The reason of a failed connect(2) in words that fit into a sentence, and as errno; 0: not known.
 */
static int connect_error(CURL *curl, char ret_text[64])
{
    const char *text;
    long number = 0;

    if (curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &number) != CURLE_OK || !number)
        return 0;
    text = strerrordesc_np((int)number);
    snprintf(ret_text, 64, "%s", text ? text : "unknown error");
    *ret_text = (char)tolower((unsigned char)*ret_text);
    return number == ENETUNREACH ? EHOSTUNREACH : (int)number;
}

/* Nobody answered at all: that is no stall, and not worth five times the wait. */
static bool never_sent(CURL *curl)
{
    long sent = 0;

    return curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &sent) == CURLE_OK && !sent;
}

/* Nobody was reached, so what was wanted of them matters little: docker's text, which names the
 * protocol's root and who did not answer. That may be a proxy, which only curl's own message knows.
 * `number` and `why` belong to a failed connect(2). */
static int explain_dial(struct exchange *x, int number, const char *why)
{
    const char *url = x->request->url, *host = strstr(url, "://"), *api = strstr(url, "/v2/");
    const char *method = x->request->form ? "Post" : "Get";
    int shown = api ? (int)(api + strlen("/v2/") - url) : (int)strcspn(url, "?");
    char peer[256] = "";
    unsigned port = 0;

    host = host ? host + 3 : url;
    if (!number)
        return err_set(x->err, EHOSTUNREACH, "%s \"%.*s\": dial tcp: lookup %.*s: no such host",
                       method, shown, url, (int)strcspn(host, ":/?"), host);
    if (sscanf(x->reason, "Failed to connect to %255s port %u", peer, &port) != 2)
        return err_set(x->err, number, "%s \"%.*s\": dial tcp: connect: %s", method, shown, url,
                       why);
    return err_set(x->err, number, "%s \"%.*s\": dial tcp %s:%u: connect: %s", method, shown, url,
                   peer, port, why);
}

int exchange_explain(struct exchange *x, CURLcode code)
{
    const struct failure *f = find_failure(code);
    const char *detail = *x->reason ? x->reason : curl_easy_strerror(code);
    int shown = (int)strcspn(x->request->url, "?"); /* the query may hold a signature */
    int number = 0;
    char why[64];

    if (x->stopped) {
        if (x->err->code != ECANCELED)
            err_wrap(x->err, "%s \"%.*s\"", verb_of(x->request), shown, x->request->url);
        return x->stopped;
    }
    if (code == CURLE_COULDNT_CONNECT)
        number = connect_error(x->curl, why);
    if (code == CURLE_COULDNT_RESOLVE_HOST || (code == CURLE_COULDNT_CONNECT && number))
        return explain_dial(x, number, why);
    if (code == CURLE_OPERATION_TIMEDOUT && never_sent(x->curl))
        return err_set(x->err, EHOSTUNREACH, "%s \"%.*s\": dial tcp: i/o timeout",
                       verb_of(x->request), shown, x->request->url);
    return err_set(x->err, number ? number : f->code, "%s \"%.*s\": %s: %s%s", verb_of(x->request),
                   shown, x->request->url, f->text, number ? why : detail,
                   f->code == EKEYREJECTED
                       ? "; put the CA's certificate into /etc/cooper/certs.d/HOST:PORT/ca.crt"
                       : "");
}
