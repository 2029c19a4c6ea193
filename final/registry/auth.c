/* The registry says in a 401 how it wants to be asked:
 *
 *     WWW-Authenticate: Basic realm="..."       user and password, in every request
 *     WWW-Authenticate: Bearer realm="URL",...  a token from URL, in every request
 *
 * The password goes to the realm, and where the realm is, is what the registry says. So the realm
 * must be reached by TLS, unless the registry itself is not: then nothing is given away that was
 * not before.
 */
#include "registry/auth.h"

#include <ctype.h>
#include <curl/curl.h>
#include <jansson.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "registry/answer.h"
#include "registry/challenge.h"
#include "registry/hosts.h"

#define TOKEN_ANSWER_MAX (1u << 20)
#define TOKEN_DEADLINE_S 60
#define TOKEN_DEFAULT_LIFE                                                                         \
    60 /* seconds, when the service does not say: docker's token specification */

struct auth {
    struct http *http;
    char *domain;
    struct strv scopes;
    bool offline; /* ask for a refresh token, too */
    struct credentials credentials;
    pthread_mutex_t
        lock; /* what follows; held while a token is fetched, so that one thread does it */
    char *header;
    char *refresh_token;
    long long expires_s; /* CLOCK_MONOTONIC; 0: never */
};

static long long now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

struct auth *auth_new(struct http *http, const char *domain, struct credentials *credentials)
{
    struct auth *a = mem_alloc(sizeof *a);

    a->http = http;
    a->domain = str_copy(domain);
    a->credentials = *credentials;
    *credentials = (struct credentials){0};
    pthread_mutex_init(&a->lock, NULL);
    return a;
}

void auth_add_scope(struct auth *a, const char *scope)
{
    strv_add(&a->scopes, scope);
}

void auth_set_password(struct auth *a, const char *username, const char *password)
{
    credentials_free(&a->credentials);
    a->credentials.username = str_copy(username);
    a->credentials.password = str_copy(password);
    a->offline = true;
}

char *auth_refresh_token(struct auth *a)
{
    return str_copy(a->refresh_token);
}

static void set_header(struct auth *a, char *header, long long expires_s)
{
    if (a->header)
        explicit_bzero(a->header, strlen(a->header));
    free(a->header);
    a->header = header;
    a->expires_s = expires_s;
}

void auth_free(struct auth *a)
{
    if (!a)
        return;
    set_header(a, NULL, 0);
    credentials_free(&a->credentials);
    if (a->refresh_token)
        explicit_bzero(a->refresh_token, strlen(a->refresh_token));
    free(a->refresh_token);
    pthread_mutex_destroy(&a->lock);
    free(a->domain);
    strv_free(&a->scopes);
    free(a);
}

/* Under the lock. An expired token is not sent: the 401 it would earn costs as much as asking anew.
 */
static const char *valid_header(const struct auth *a)
{
    return a->header && (!a->expires_s || now_s() < a->expires_s) ? a->header : NULL;
}

char *auth_header(struct auth *a)
{
    char *copy;

    pthread_mutex_lock(&a->lock);
    copy = str_copy(valid_header(a));
    pthread_mutex_unlock(&a->lock);
    return copy;
}

/* --- the token service ----------------------------------------------------------------------- */

static void add_parameter(struct buf *query, const char *name, const char *value)
{
    char *escaped = value ? curl_easy_escape(NULL, value, 0) : NULL;

    if (escaped)
        buf_printf(query, "%s%s=%s", query->len ? "&" : "", name, escaped);
    curl_free(escaped);
}

/* Where the token is asked for, if our secrets may go there. */
static int check_realm(const char *realm, bool plain, struct err *err)
{
    bool tls = false;
    cleanup_free char *host = realm ? hosts_of_url(realm, &tls) : NULL;

    if (!host || !*host)
        return err_set(err, EPROTO, "the registry names no usable token service: realm '%s'",
                       realm ? realm : "");
    if (!tls && !plain)
        return err_set(err, EPROTO,
                       "the registry wants credentials sent to '%s' without TLS: refused", realm);
    return 0;
}

/* A token goes into a header line: one with blanks or line ends could add lines of its own. */
static bool token_usable(const char *token)
{
    if (!*token)
        return false;
    for (; *token; token++)
        if (!isgraph((unsigned char)*token))
            return false;
    return true;
}

static int read_token(struct auth *a, const struct buf *body, struct err *err)
{
    cleanup_json json_t *answer =
        json_parse(body->data ? body->data : "", body->len, "the token service's answer", err);
    const char *token = json_str(answer, "token", ""),
               *access_token = json_str(answer, "access_token", "");
    long long life = json_int(answer, "expires_in", TOKEN_DEFAULT_LIFE);

    if (!answer)
        return -err->code;
    if (!*token)
        token = access_token;
    if (!token_usable(token))
        return err_set(err, EPROTO, "the token service's answer holds no usable token");
    if (life < TOKEN_DEFAULT_LIFE) /* the specification's least, for servers that send less */
        life = TOKEN_DEFAULT_LIFE;
    if (life > 86400)
        life = 86400;
    if (a->offline && token_usable(json_str(answer, "refresh_token", ""))) {
        free(a->refresh_token);
        a->refresh_token = str_copy(json_str(answer, "refresh_token", ""));
    }
    set_header(a, str_format("Bearer %s", token), now_s() + life - life / 10);
    return 0;
}

/* GET realm?service=&scope=, with the password if there is one; or, with an identity token, OAuth
 * 2's refresh by POST. */
static int ask_for_token(struct auth *a, const struct challenge *c, struct http_answer *answer,
                         struct err *err)
{
    cleanup_free char *basic = NULL, *url = NULL;
    cleanup_buf struct buf query = {0};
    struct http_request request = {.body_max = TOKEN_ANSWER_MAX, .deadline_s = TOKEN_DEADLINE_S};

    add_parameter(&query, "service", c->service);
    for (size_t i = 0; i < a->scopes.len; i++)
        add_parameter(&query, "scope", a->scopes.items[i]);
    if (a->credentials.identity_token) {
        add_parameter(&query, "grant_type", "refresh_token");
        add_parameter(&query, "client_id", "cooper");
        add_parameter(&query, "refresh_token", a->credentials.identity_token);
        request.form = query.data;
        request.url = c->realm;
    } else {
        add_parameter(&query, "account", a->credentials.username);
        add_parameter(&query, "offline_token", a->offline ? "true" : NULL);
        add_parameter(&query, "client_id", a->offline ? "cooper" : NULL);
        basic = a->credentials.username ? credentials_basic(&a->credentials) : NULL;
        url = str_format("%s%c%s", c->realm, strchr(c->realm, '?') ? '&' : '?', query.data);
        request.url = url;
        request.authorization = basic;
    }
    return http_request(a->http, &request, answer, err);
}

static int fetch_token(struct auth *a, const struct challenge *c, bool plain,
                       int64_t *ret_retry_after_s, struct err *err)
{
    struct http_answer answer = {0};
    int r = check_realm(c->realm, plain, err);

    if (!r)
        r = ask_for_token(a, c, &answer, err);
    if (!r)
        r = answer.status == 200 ? read_token(a, &answer.body, err)
                                 : answer_error(&answer, c->realm, err);
    if (answer.status != 200)
        *ret_retry_after_s = answer.retry_after_s;
    http_answer_free(&answer);
    return r < 0 ? err_wrap(err, "cannot get a token for '%s'", a->domain) : 0;
}

/* --- answering ------------------------------------------------------------------------------- */

static int use_password(struct auth *a, const char *used, struct err *err)
{
    if (!a->credentials.username)
        return err_set(err, EPERM,
                       "no basic auth credentials for '%s': log in with 'cooper login %s'",
                       a->domain, a->domain);
    if (used) /* it was sent, and this is what came of it */
        return err_set(err, EPERM, "unauthorized: '%s' refused the user name or password",
                       a->domain);
    set_header(a, credentials_basic(&a->credentials), 0);
    return 0;
}

/* Bearer before Basic where both are offered: a token is good for one repository and some minutes,
 * a password for everything. */
static int answer_locked(struct auth *a, const struct challenge_list *challenges, const char *used,
                         bool plain, int64_t *ret_retry_after_s, struct err *err)
{
    const struct challenge *bearer = challenge_find(challenges, "Bearer");
    const char *valid = valid_header(a);

    if (valid && !str_equal(valid, used))
        return 0;
    if (bearer)
        return fetch_token(a, bearer, plain, ret_retry_after_s, err);
    if (challenge_find(challenges, "Basic"))
        return use_password(a, used, err);
    return err_set(err, EPERM, "'%s' asks for a kind of authentication that is not known here",
                   a->domain);
}

static void parse_all(const struct strv *headers, struct challenge_list *ret)
{
    for (size_t i = 0; i < headers->len; i++)
        challenge_parse(headers->items[i], ret);
}

int auth_answer(struct auth *a, const struct strv *headers, const char *used, bool plain,
                int64_t *ret_retry_after_s, struct err *err)
{
    struct challenge_list challenges = {0};
    int r;

    parse_all(headers, &challenges);
    pthread_mutex_lock(&a->lock);
    r = answer_locked(a, &challenges, used, plain, ret_retry_after_s, err);
    pthread_mutex_unlock(&a->lock);
    challenge_list_free(&challenges);
    return r;
}

bool auth_denied(const struct strv *headers, struct err *err)
{
    struct challenge_list challenges = {0};
    const struct challenge *bearer;
    bool denied;

    parse_all(headers, &challenges);
    bearer = challenge_find(&challenges, "Bearer");
    denied = bearer && str_equal(bearer->error, "insufficient_scope");
    if (denied)
        err_set(err, EACCES, "denied: requested access to the resource is denied");
    challenge_list_free(&challenges);
    return denied;
}
