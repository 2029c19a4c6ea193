/* What the administrator of this machine allows. In a file of root's and not on the command line:
 * who may be spoken to without TLS is not for whoever types a command to say. */
#include "registry/registries.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "registry/hosts.h"

#define REGISTRIES_FILE "/etc/cooper/registries.json"
#define REGISTRIES_MAX  (1u << 20)

/* The strings of one member. */
static int read_list(const char *member, struct strv *ret, struct err *err)
{
    const char *given = getenv("COOPER_REGISTRIES");
    const char *path = given && *given ? given : REGISTRIES_FILE;
    cleanup_json json_t *file = NULL;
    const json_t *list;

    if (access(path, F_OK) < 0 && errno == ENOENT)
        return 0;
    file = json_load(AT_FDCWD, path, REGISTRIES_MAX, err);
    if (!file)
        return err_wrap(err, "cannot read the list of registries");
    list = json_object_get(file, member);
    if (list && !json_is_array(list))
        return err_set(err, EINVAL, "'%s': \"%s\" is not a list", path, member);
    json_strings(list, ret);
    return 0;
}

/* An address as bytes, in network order: 4, 16, or 0 for none. */
static size_t parse_address(const char *text, unsigned char ret[16])
{
    if (inet_pton(AF_INET, text, ret) == 1)
        return 4;
    return inet_pton(AF_INET6, text, ret) == 1 ? 16 : 0;
}

/* Whether the address `host` is in "10.0.0.0/8". */
static bool in_network(const char *network, const char *host)
{
    const char *slash = strchr(network, '/');
    unsigned char base[16], address[16];
    cleanup_free char *text = slash ? str_copy_n(network, (size_t)(slash - network)) : NULL;
    size_t n = text ? parse_address(text, base) : 0;
    unsigned long long bits;

    if (!n || parse_address(host, address) != n || str_to_u64(slash + 1, &bits) < 0 || bits > 8 * n)
        return false;
    for (size_t i = 0; i < n && bits; i++) {
        unsigned take = bits < 8 ? (unsigned)bits : 8, mask = 0xffu << (8 - take) & 0xff;

        if ((base[i] ^ address[i]) & mask)
            return false;
        bits -= take;
    }
    return true;
}

int registries_insecure(const char *host, struct err *err)
{
    cleanup_strv struct strv listed = {0};
    cleanup_free char *name = hosts_without_port(host);

    if (read_list("insecure-registries", &listed, err) < 0)
        return -err->code;
    for (size_t i = 0; i < listed.len; i++)
        if (!strcmp(listed.items[i], host) || in_network(listed.items[i], name))
            return 1;
    return 0;
}

/* A mistake in the list is an error also where the mirror is not needed: else it would show only on
 * the day when the others are down. */
int registries_mirrors(struct strv *ret, struct err *err)
{
    int r = read_list("registry-mirrors", ret, err);

    for (size_t i = 0; i < ret->len && !r; i++) {
        bool tls;
        cleanup_free char *host = hosts_of_url(ret->items[i], &tls);

        if (!host || !*host)
            r = err_set(err, EINVAL, "the mirror '%s' is not an http or https address",
                        ret->items[i]);
    }
    return r;
}
