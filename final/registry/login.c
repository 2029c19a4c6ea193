/* login: do the credentials open the door? GET /v2/ is the question every registry answers, with a
 * challenge for those it does not know. A token service may give a refresh token for the password,
 * which is then kept in its place. */
#include <string.h>

#include "base/cleanup.h"
#include "registry/conversation.h"
#include "registry/credentials.h"

/* docker's config.json, made where there is none. */
static char *config_path(struct err *err)
{
    cleanup_free char *dir = credentials_config_dir();

    if (dir)
        return str_format("%s/config.json", dir);
    err_set(err, ENOENT, "neither DOCKER_CONFIG nor HOME is set: nowhere to keep credentials");
    return NULL;
}

/* docker's sentence for a refusal; what else fails (no such host, no TLS) is told as it is. */
static int ping(struct registry *r, struct err *err)
{
    struct http_request request = {.body_max = 64 << 10, .deadline_s = 60};
    struct http_answer a = {0};
    int result = conversation_send(r, "/v2/", &request, &a, err);

    if (result == -EPERM || (!result && a.status != 200))
        result = err_set(
            err, result ? EPERM : EPROTO, "login attempt to %s://%s/v2/ failed with status: %ld %s",
            r->scheme == SCHEME_PLAIN ? "http" : "https", r->host, result ? 401L : a.status,
            result            ? "Unauthorized"
            : a.status == 403 ? "Forbidden"
            : a.status == 404 ? "Not Found"
                              : "");
    http_answer_free(&a);
    return result;
}

int registry_login(const char *domain, const char *username, const char *password,
                   const struct registry_options *options, char **ret_identity_token,
                   struct err *err)
{
    struct registry_options own = *options;
    struct registry *r = NULL;
    int result;

    own.scope = "";
    result = registry_open(domain, "", &own, &r, err);
    if (result < 0)
        return result;
    if (username)
        auth_set_password(r->auth, username, password);
    result = ping(r, err);
    *ret_identity_token = result < 0 ? NULL : auth_refresh_token(r->auth);
    registry_close(r);
    return result;
}

int registry_known_user(const char *domain, char **ret_username, struct err *err)
{
    cleanup_free char *file = config_path(err);
    struct credentials c = {0};
    int r = file ? credentials_find(file, domain, &c, err) : -err->code;

    *ret_username =
        r < 0 ? NULL : str_copy(c.identity_token && !c.username ? "<token>" : c.username);
    credentials_free(&c);
    return r;
}

int registry_remember(const char *domain, const char *username, const char *password,
                      const char *identity_token, char **ret_plain_file, struct err *err)
{
    cleanup_free char *file = config_path(err);
    /* With a token the password is not kept: that is what the token is for. */
    struct credentials c = {.username = (char *)username,
                            .password = identity_token ? "" : (char *)password,
                            .identity_token = (char *)identity_token};
    bool plain = false;
    int r = file ? credentials_store(file, domain, &c, &plain, err) : -err->code;

    *ret_plain_file = r >= 0 && plain ? steal_ptr(&file) : NULL;
    return r;
}

int registry_forget(const char *domain, bool *ret_found, struct err *err)
{
    cleanup_free char *file = config_path(err);

    return file ? credentials_erase(file, domain, ret_found, err) : -err->code;
}

/* "https://registry.lab:5000/v2/" is a way people write "registry.lab:5000". */
char *registry_domain(const char *server)
{
    cleanup_free char *domain = NULL;

    if (str_starts(server, "https://"))
        server += 8;
    else if (str_starts(server, "http://"))
        server += 7;
    domain = str_copy_n(server, strcspn(server, "/"));
    return str_copy(str_equal(domain, "index.docker.io") ||
                            str_equal(domain, "registry-1.docker.io")
                        ? "docker.io"
                        : domain);
}
