/* Docker's client writes this file at `docker login`, and so do podman, skopeo and we: users log in
 * once for all of them. A credential helper that the file names is asked instead of it.
 *
 * Secrets are wiped before their memory is given back, so that a core dump of a long pull holds
 * only what is in use. */
#include "registry/credentials.h"

#include <fcntl.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "registry/helper.h"

#define CONFIG_MAX     (1u << 20)
#define DOCKER_HUB_KEY "https://index.docker.io/v1/"

char *credentials_config_dir(void)
{
    const char *given = getenv("DOCKER_CONFIG"), *home = getenv("HOME");

    if (given && *given)
        return str_copy(given);
    return home && *home ? str_format("%s/.docker", home) : NULL;
}

/* explicit_bzero(3): a memset before free is one the compiler may leave out. */
static void wipe(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void credentials_free(struct credentials *c)
{
    free(c->username);
    wipe(c->password);
    wipe(c->identity_token);
    memset(c, 0, sizeof *c);
}

/* "user:password" as base64; the password may hold colons. */
static int decode(const char *base64, struct credentials *ret, struct err *err)
{
    size_t n = strlen(base64);
    cleanup_free char *text = mem_alloc(n + 4);
    char *colon;
    int len = EVP_DecodeBlock((unsigned char *)text, (const unsigned char *)base64, (int)n);

    if (len < 0)
        return err_set(err, EINVAL, "\"auth\" is not valid base64");
    text[len] = 0; /* padding decodes to NULs: the text ends before them */
    colon = strchr(text, ':');
    if (!colon)
        return err_set(err, EINVAL, "\"auth\" is not the base64 form of user:password");
    ret->username = str_copy_n(text, (size_t)(colon - text));
    ret->password = str_copy(colon + 1);
    explicit_bzero(text, n);
    return 0;
}

/* An identity token replaces the password; "<token>" is then all there is in place of a user name.
 * Entries with both fields in the clear are older than "auth" and still read. */
static int read_entry(const json_t *entry, struct credentials *ret, struct err *err)
{
    const char *auth = json_str(entry, "auth", ""), *token = json_str(entry, "identitytoken", "");

    if (*token)
        ret->identity_token = str_copy(token);
    if (*auth)
        return decode(auth, ret, err);
    if (json_str(entry, "username", NULL) && json_str(entry, "password", NULL)) {
        ret->username = str_copy(json_str(entry, "username", ""));
        ret->password = str_copy(json_str(entry, "password", ""));
    }
    return 0;
}

const char *credentials_key(const char *domain)
{
    return str_equal(domain, "docker.io") ? DOCKER_HUB_KEY : domain;
}

const char *credentials_helper(const json_t *config, const char *key)
{
    const char *own =
        json_string_value(json_object_get(json_object_get(config, "credHelpers"), key));
    const char *all = json_str(config, "credsStore", NULL);

    return own && *own ? own : all && *all ? all : NULL;
}

/* Keys were URLs once ("https://host/v1/"): the scheme and the path do not count. */
static bool key_is_for(const char *key, const char *domain)
{
    size_t n;

    if (str_equal(domain, "docker.io"))
        return str_equal(key, DOCKER_HUB_KEY) || str_equal(key, "docker.io");
    if (str_starts(key, "https://"))
        key += 8;
    else if (str_starts(key, "http://"))
        key += 7;
    n = strcspn(key, "/");
    return strlen(domain) == n && !strncmp(key, domain, n);
}

/* The exact key wins over older spellings of it. */
static const json_t *find_entry(const json_t *auths, const char *domain)
{
    const char *key;
    json_t *entry;

    entry = json_object_get(auths, credentials_key(domain));
    if (entry)
        return entry;
    json_object_foreach((json_t *)(size_t)auths, key,
                        entry) if (key_is_for(key, domain)) return entry;
    return NULL;
}

json_t *credentials_load(const char *config_file, struct err *err)
{
    struct stat st;
    int r = config_file ? stat(config_file, &st) : 0;

    if (!config_file || (r < 0 && (errno == ENOENT || errno == ENOTDIR)) ||
        (!r && S_ISREG(st.st_mode) && !st.st_size))
        return json_object();
    return json_load(AT_FDCWD, config_file, CONFIG_MAX, err);
}

int credentials_find(const char *config_file, const char *domain, struct credentials *ret,
                     struct err *err)
{
    struct credentials found = {0};
    cleanup_json json_t *config = NULL;
    const json_t *entry;
    const char *helper;

    *ret = found;
    config = credentials_load(config_file, err);
    if (!config)
        return err_wrap(err, "cannot read the credentials");
    helper = credentials_helper(config, credentials_key(domain));
    if (helper)
        return helper_get(helper, credentials_key(domain), ret, err);
    entry = find_entry(json_object_get(config, "auths"), domain);
    if (!entry)
        return 0;
    if (read_entry(entry, &found, err) < 0) {
        credentials_free(&found);
        return err_wrap(err, "'%s', credentials for '%s'", config_file, domain);
    }
    *ret = found;
    return 0;
}

char *credentials_basic(const struct credentials *c)
{
    cleanup_free char *plain = str_format("%s:%s", c->username, c->password);
    size_t n = strlen(plain);
    char *value = mem_alloc(6 + (n + 2) / 3 * 4 + 1);

    memcpy(value, "Basic ", 6);
    EVP_EncodeBlock((unsigned char *)value + 6, (const unsigned char *)plain, (int)n);
    explicit_bzero(plain, n);
    return value;
}
