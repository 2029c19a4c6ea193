/* What `login` and `logout` do to docker's config.json: one entry changes, everything else in the
 * file stays as it is, also what nobody here knows. The file is replaced by rename and is its
 * owner's alone. */
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "registry/credentials.h"
#include "registry/helper.h"

static int load(const char *file, json_t **ret, struct err *err)
{
    *ret = credentials_load(file, err);
    if (!*ret)
        return -err->code;
    return json_is_object(*ret) ? 0 : err_set(err, EINVAL, "'%s' is no JSON object", file);
}

/* People look into this file, and may keep it elsewhere: behind a link it is written where the link
 * leads to, as docker does. */
static int save(const char *name, const json_t *config, struct err *err)
{
    cleanup_free char *real = realpath(name, NULL);
    const char *file = real ? real : name;
    cleanup_free char *dir = str_copy_n(file, (size_t)(strrchr(file, '/') - file));
    char *text = json_text(config, JSON_INDENT(2));
    int r = file_make_dirs(AT_FDCWD, dir, 0700, err);

    if (!r)
        r = file_store(AT_FDCWD, file, text, strlen(text), 0600, true, err);
    explicit_bzero(text, strlen(text));
    free(text);
    return r < 0 ? err_wrap(err, "cannot save the credentials") : 0;
}

static json_t *make_entry(const struct credentials *c)
{
    json_t *entry = json_object();

    if (c->username) {
        char *basic = credentials_basic(c);

        json_put_str(entry, "auth", basic + strlen("Basic "));
        explicit_bzero(basic, strlen(basic));
        free(basic);
    }
    if (c->identity_token)
        json_put_str(entry, "identitytoken", c->identity_token);
    return entry;
}

int credentials_store(const char *config_file, const char *domain, const struct credentials *c,
                      bool *ret_plain, struct err *err)
{
    cleanup_json json_t *config = NULL;
    const char *key = credentials_key(domain), *helper;
    json_t *auths;
    int r = load(config_file, &config, err);

    if (r < 0)
        return r;
    helper = credentials_helper(config, key);
    if (helper && helper_store(helper, key, c, err) < 0)
        return -err->code;
    if (!json_is_object(json_object_get(config, "auths")))
        json_put(config, "auths", json_object());
    auths = json_object_get(config, "auths");
    json_put(auths, key, helper ? json_object() : make_entry(c));
    *ret_plain = !helper;
    return save(config_file, config, err);
}

int credentials_erase(const char *config_file, const char *domain, bool *ret_found, struct err *err)
{
    cleanup_json json_t *config = NULL;
    const char *key = credentials_key(domain), *helper;
    int r = load(config_file, &config, err);

    if (r < 0)
        return r;
    helper = credentials_helper(config, key);
    if (helper && helper_erase(helper, key, err) < 0)
        return -err->code;
    *ret_found = !json_object_del(json_object_get(config, "auths"), key) || helper;
    return *ret_found ? save(config_file, config, err) : 0;
}
