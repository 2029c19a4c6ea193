/* Who may be spoken to without TLS is decided by the text of the address, never by looking the name
 * up: a name server is somebody else's word, and "localhost.evil.org" may well resolve to 127.0.0.1
 * today and elsewhere tomorrow. Only "localhost" itself is taken for what it says, as docker does.
 */
#include "registry/hosts.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "registry/registries.h"

const char *hosts_api(const char *domain)
{
    return str_equal(domain, "docker.io") || str_equal(domain, "index.docker.io")
               ? "registry-1.docker.io"
               : domain;
}

static char *url_part(CURLU *url, CURLUPart part)
{
    char *text = NULL, *copy;

    if (curl_url_get(url, part, &text, 0) != CURLUE_OK)
        return NULL;
    copy = str_copy(text);
    curl_free(text);
    return copy;
}

/* By libcurl's own parser: what we decide about must be the host that it will ask. */
char *hosts_of_url(const char *text, bool *ret_tls)
{
    CURLU *url = curl_url();
    bool good = url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK;
    cleanup_free char *scheme = good ? url_part(url, CURLUPART_SCHEME) : NULL;
    cleanup_free char *host = good ? url_part(url, CURLUPART_HOST) : NULL;
    cleanup_free char *port = good ? url_part(url, CURLUPART_PORT) : NULL;
    char *whole;

    curl_url_cleanup(url);
    *ret_tls = str_equal(scheme, "https");
    if (!host || !*host || (!*ret_tls && !str_equal(scheme, "http")))
        return NULL;
    whole = port ? str_format("%s:%s", host, port) : str_copy(host);
    for (char *p = whole; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return whole;
}

char *hosts_resolve(const char *base, const char *location)
{
    CURLU *url = curl_url();
    char *whole = NULL;

    if (url && curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK &&
        curl_url_set(url, CURLUPART_URL, location, 0) == CURLUE_OK)
        whole = url_part(url, CURLUPART_URL);
    curl_url_cleanup(url);
    return whole;
}

char *hosts_without_port(const char *host)
{
    const char *colon = strrchr(host, ':');

    if (*host == '[')
        return str_copy_n(host + 1, strcspn(host + 1, "]"));
    return str_copy_n(host, colon ? (size_t)(colon - host) : strlen(host));
}

bool hosts_is_loopback(const char *host)
{
    cleanup_free char *name = hosts_without_port(host);
    struct in6_addr v6;
    struct in_addr v4;

    if (!strcasecmp(name, "localhost"))
        return true;
    if (inet_pton(AF_INET, name, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, name, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

int hosts_allow_plain(const char *host, struct err *err)
{
    return hosts_is_loopback(host) ? 1 : registries_insecure(host, err);
}
