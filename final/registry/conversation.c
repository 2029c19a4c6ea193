/* How a request becomes an answer:
 *
 *     - https first. Plain HTTP only where hosts.h allows it, and only after the other side proved
 *       not to speak TLS at all: a certificate we do not trust is no reason, because that is what
 *       an attacker would show us.
 *     - redirects by hand, at most ten: the Authorization header goes to the registry's own origin
 *       and nowhere else (CVE-2020-15157), and never from https to http.
 *     - one answer to a 401; a second 401 is the answer.
 */
#include "registry/conversation.h"

#include <string.h>

#include "base/cleanup.h"
#include "registry/answer.h"
#include "registry/credentials.h"
#include "registry/hosts.h"
#include "registry/registries.h"

#define REDIRECTS_MAX 10

/* What a token is to allow. */
static void add_scopes(struct registry *r, const struct registry_options *options)
{
    cleanup_free char *own =
        str_format("repository:%s:%s", r->repository, options->push ? "pull,push" : "pull");

    if (options->scope) {
        if (*options->scope)
            auth_add_scope(r->auth, options->scope);
        return;
    }
    auth_add_scope(r->auth, own);
    for (size_t i = 0; options->mount_from && i < options->mount_from->len; i++) {
        cleanup_free char *other = str_format("repository:%s:pull", options->mount_from->items[i]);

        auth_add_scope(r->auth, other);
    }
}

int registry_open(const char *domain, const char *repository,
                  const struct registry_options *options, struct registry **ret, struct err *err)
{
    cleanup_free char *config_dir = credentials_config_dir();
    cleanup_free char *config_file = options->config_file ? str_copy(options->config_file)
                                     : config_dir         ? str_format("%s/config.json", config_dir)
                                                          : NULL;
    struct http_settings settings = {.stall_s = options->stall_s,
                                     .cancelled = options->cancelled,
                                     .context = options->context,
                                     .ca_file = options->ca_file,
                                     .config_dir = config_dir};
    struct credentials credentials;
    bool tls = true;
    cleanup_free char *mirror = options->mirror ? hosts_of_url(options->mirror, &tls) : NULL;
    struct registry *r;

    if (credentials_find(config_file, mirror ? mirror : domain, &credentials, err) < 0)
        return -err->code;
    r = mem_alloc(sizeof *r);
    r->domain = str_copy(domain);
    r->host = str_copy(mirror ? mirror : options->host ? options->host : hosts_api(domain));
    r->scheme = tls ? SCHEME_UNKNOWN : SCHEME_PLAIN; /* the administrator wrote "http://" */
    r->repository = str_copy(repository);
    r->insecure = options->insecure;
    r->http = http_new(&settings);
    r->auth = auth_new(r->http, domain, &credentials);
    add_scopes(r, options);
    *ret = r;
    return 0;
}

int registry_mirrors_of(const char *domain, struct strv *ret, struct err *err)
{
    return str_equal(domain, "docker.io") ? registries_mirrors(ret, err) : 0;
}

void registry_close(struct registry *r)
{
    if (!r)
        return;
    auth_free(r->auth);
    http_free(r->http);
    free(r->domain);
    free(r->host);
    free(r->repository);
    free(r);
}

static enum registry_scheme scheme_of(const struct registry *r)
{
    return __atomic_load_n(&r->scheme, __ATOMIC_ACQUIRE);
}

static bool is_plain(const struct registry *r)
{
    return scheme_of(r) == SCHEME_PLAIN;
}

static void settle(struct registry *r, enum registry_scheme scheme)
{
    __atomic_store_n(&r->scheme, scheme, __ATOMIC_RELEASE);
}

static char *url_of(const struct registry *r, const char *path, bool plain)
{
    const char *scheme = plain ? "http" : "https";

    if (str_starts(path, "http://") || str_starts(path, "https://"))
        return str_copy(path);
    if (*path == '/')
        return str_format("%s://%s%s", scheme, r->host, path);
    return str_format("%s://%s/v2/%s/%s", scheme, r->host, r->repository, path);
}

int conversation_error(struct registry *r, const char *path, const struct http_answer *answer,
                       struct err *err)
{
    cleanup_free char *url = url_of(r, path, is_plain(r));

    return answer_error(answer, url, err);
}

/* --- redirects ------------------------------------------------------------------------------- */

/* Scheme, host and port. */
static bool same_origin(const char *a, const char *b)
{
    bool a_tls = false, b_tls = false;
    cleanup_free char *a_host = hosts_of_url(a, &a_tls), *b_host = hosts_of_url(b, &b_tls);

    return a_host && a_tls == b_tls && str_equal(a_host, b_host);
}

static bool is_redirect(const struct http_request *request, const struct http_answer *a)
{
    static const long statuses[] = {301, 302, 303, 307, 308};

    if (request->body) /* what is written goes to the registry, and nowhere else */
        return false;
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (a->status == statuses[i])
            return a->location;
    return false;
}

static int check_redirect(const char *from, const char *to, struct err *err)
{
    bool from_tls = false, to_tls = false;
    cleanup_free char *from_host = hosts_of_url(from, &from_tls), *host = hosts_of_url(to, &to_tls);
    int allowed;

    if (!host || !*host)
        return err_set(err, EPROTO,
                       "redirected to '%s', which is no http or https address: refused", to);
    if (to_tls)
        return 0;
    if (from_tls)
        return err_set(err, EPROTO, "redirected from https to plain http ('%s'): refused", host);
    allowed = str_equal(from_host, host) ? 1 : hosts_allow_plain(host, err);
    if (allowed < 0)
        return allowed;
    return allowed ? 0 : err_set(err, EPROTO, "redirected to plain http at '%s': refused", host);
}

/* Follows to an answer that is no redirect. *ret_away: it came from another origin than the
 * registry's own. An upload's address may be elsewhere from the start. */
static int follow(struct registry *r, const char *url, const char *authorization,
                  const struct http_request *like, struct http_answer *ret, bool *ret_away,
                  struct err *err)
{
    cleanup_free char *at = str_copy(url), *home = url_of(r, "/v2/", is_plain(r));

    if (scheme_of(r) != SCHEME_UNKNOWN && check_redirect(home, at, err) < 0)
        return -err->code;
    for (int hops = 0;; hops++) {
        struct http_request request = *like;
        int result;

        *ret_away = scheme_of(r) != SCHEME_UNKNOWN ? !same_origin(home, at) : !same_origin(url, at);
        request.url = at;
        request.authorization = *ret_away ? NULL : authorization;
        http_answer_free(ret);
        result = http_request(r->http, &request, ret, err);
        if (result < 0 || !is_redirect(&request, ret))
            return result;
        if (hops == REDIRECTS_MAX)
            return err_set(err, ELOOP, "Get \"%s\": stopped after %d redirects", url,
                           REDIRECTS_MAX);
        result = check_redirect(at, ret->location, err);
        if (result < 0)
            return err_wrap(err, "Get \"%s\"", url);
        free(at);
        at = str_copy(ret->location);
    }
}

/* --- TLS or not ------------------------------------------------------------------------------ */

/* After https failed with `result`: 1 when plain HTTP is to be tried. */
static int try_plain(struct registry *r, int result, struct err *err)
{
    struct err why = {0};
    int allowed;

    if (result != -EPROTONOSUPPORT && result != -ECONNREFUSED)
        return 0;
    allowed = r->insecure ? 1 : hosts_allow_plain(r->host, &why);
    if (allowed < 0) {
        *err = why;
        return allowed;
    }
    /* Nobody there: port 80 may be another one than 443, but a port that was given is the same. */
    if (result == -ECONNREFUSED)
        return allowed && !strchr(r->host, ':');
    if (!allowed)
        return err_wrap(err,
                        "'%s' does not speak TLS; if that is meant to be, list it under "
                        "\"insecure-registries\" in /etc/cooper/registries.json",
                        r->host);
    return allowed;
}

/* One request at the registry's own address, redirects followed. */
static int ask(struct registry *r, const char *path, const char *authorization,
               const struct http_request *like, struct http_answer *ret, bool *ret_away,
               struct err *err)
{
    for (;;) {
        enum registry_scheme scheme = scheme_of(r);
        cleanup_free char *url = url_of(r, path, scheme == SCHEME_PLAIN);
        int result = follow(r, url, authorization, like, ret, ret_away, err), again;

        /* Once it has answered by TLS there is no way back: by then passwords may be in use. */
        if (result >= 0 && scheme == SCHEME_UNKNOWN)
            settle(r, SCHEME_TLS);
        if (result >= 0 || scheme != SCHEME_UNKNOWN || *ret_away)
            return result;
        again = try_plain(r, result, err);
        if (again <= 0)
            return again < 0 ? again : result;
        err_clear(err);
        settle(r, SCHEME_PLAIN);
    }
}

/* --- authentication -------------------------------------------------------------------------- */

int conversation_send(struct registry *r, const char *path, const struct http_request *like,
                      struct http_answer *ret, struct err *err)
{
    for (bool answered = false;; answered = true) {
        cleanup_free char *authorization = auth_header(r->auth);
        bool away = false;
        int result = ask(r, path, authorization, like, ret, &away, err);

        if (result < 0 || ret->status != 401)
            return result;
        if (away) /* a signed address that has expired, perhaps: the registry will give a new one */
            return err_set(err, EAGAIN,
                           "the server the registry redirects to asks for credentials");
        if (answered)
            return auth_denied(&ret->challenges, err) ? -err->code
                                                      : conversation_error(r, path, ret, err);
        result = auth_answer(r->auth, &ret->challenges, authorization, is_plain(r),
                             &ret->retry_after_s, err);
        if (result < 0)
            return result;
    }
}
