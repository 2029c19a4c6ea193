/* References as docker reads them: [domain/]path[:tag][@digest].
 *
 * The grammar alone does not tell "localhost/x" (a registry) from "library/x" (a user of Docker
 * Hub), so docker guesses before it parses: what stands before the first slash is a domain if it
 * has a dot, a colon or an upper case letter, or is "localhost". The rest is a regular grammar,
 * read here by one scanner for each part, each of which returns how many characters it took, 0 for
 * none. The texts of errors are docker's own. */
#include <ctype.h>
#include <string.h>

#include "base/cleanup.h"
#include "image/image.h"

#define NAME_MAX_LEN 255
#define TAG_MAX_LEN  128
#define HUB          "docker.io"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

static const char invalid_format[] = "invalid reference format";

/* One label of a host name: letters, digits and inner dashes. */
static size_t scan_host_label(const char *s)
{
    size_t n = strspn(s, LOWER UPPER DIGIT "-");

    return n && s[0] != '-' && s[n - 1] != '-' ? n : 0;
}

static size_t scan_port(const char *s)
{
    size_t n = *s == ':' ? strspn(s + 1, DIGIT) : 0;

    return n ? n + 1 : 0;
}

/* "registry.example.com:5000" or "[::1]:5000". */
static size_t scan_domain(const char *s)
{
    size_t n, label;

    if (*s == '[') {
        n = strspn(s + 1, "abcdefABCDEF" DIGIT ":");
        if (!n || s[n + 1] != ']')
            return 0;
        n += 2;
        return n + scan_port(s + n);
    }
    for (n = 0; (label = scan_host_label(s + n)); n++) {
        n += label;
        if (s[n] != '.')
            return n + scan_port(s + n);
    }
    return 0;
}

/* What may stand between the alphanumeric runs of a path component: . _ __ or any number of dashes.
 */
static size_t scan_separator(const char *s)
{
    if (*s == '-')
        return strspn(s, "-");
    if (*s == '_')
        return s[1] == '_' ? 2 : 1;
    return *s == '.';
}

static size_t scan_component(const char *s)
{
    size_t n = strspn(s, LOWER DIGIT);

    while (n) {
        size_t separator = scan_separator(s + n);
        size_t run = separator ? strspn(s + n + separator, LOWER DIGIT) : 0;

        if (!run)
            break;
        n += separator + run;
    }
    return n;
}

static size_t scan_path(const char *s)
{
    size_t n = scan_component(s);

    while (n && s[n] == '/') {
        size_t component = scan_component(s + n + 1);

        if (!component)
            break;
        n += 1 + component;
    }
    return n;
}

static size_t scan_tag(const char *s)
{
    size_t n = strspn(s, LOWER UPPER DIGIT "_.-");

    return n && n <= TAG_MAX_LEN && *s != '.' && *s != '-' ? n : 0;
}

/* The whole rest has to be a digest; the algorithm may be one that we do not know. */
static int check_digest(const char *s, struct err *err)
{
    size_t algorithm = strspn(s, LOWER UPPER DIGIT "-_+."), hex;

    if (!algorithm || !isalpha((unsigned char)*s) || s[algorithm] != ':')
        return err_set(err, EINVAL, "%s", invalid_format);
    hex = strspn(s + algorithm + 1, "abcdefABCDEF" DIGIT);
    if (hex < 32 || s[algorithm + 1 + hex])
        return err_set(err, EINVAL, "%s", invalid_format);
    if (strncmp(s, "sha256:", 7) != 0)
        return err_set(err, EINVAL, "unsupported digest algorithm");
    if (hex != 64)
        return err_set(err, EINVAL, "invalid checksum digest length");
    if (!digest_valid(s))
        return err_set(err, EINVAL, "invalid checksum digest format");
    return 0;
}

static bool has_upper(const char *s, size_t n)
{
    return strcspn(s, UPPER) < n;
}

/* Docker's guess, before anything is checked: the domain's length, 0 when Docker Hub is meant. */
static size_t guess_domain(const char *text)
{
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : 0;

    if (strcspn(text, ".:") < n || has_upper(text, n) || (n == 9 && !strncmp(text, "localhost", n)))
        return n;
    return 0;
}

static bool is_image_id(const char *text)
{
    return strlen(text) == 64 && strspn(text, DIGIT "abcdef") == 64;
}

/* Splits into domain and the rest, adding what short names leave out. Both belong to the caller. */
static void normalise(const char *text, char **ret_domain, char **ret_rest)
{
    size_t n = guess_domain(text);
    const char *rest = n ? text + n + 1 : text;
    bool hub =
        !n || (n == 9 && !strncmp(text, HUB, n)) || (n == 15 && !strncmp(text, "index." HUB, n));

    *ret_domain = hub ? str_copy(HUB) : str_copy_n(text, n);
    *ret_rest = str_format("%s%s", hub && !strchr(rest, '/') ? "library/" : "", rest);
}

/* Reads "path[:tag][@digest]" into *ret, whose domain is set already. */
static int parse_rest(const char *rest, struct reference *ret, struct err *err)
{
    size_t path = scan_path(rest), tag = 0;
    const char *p = rest + path;

    if (!path)
        return err_set(err, EINVAL, "%s", invalid_format);
    ret->path = str_copy_n(rest, path);
    if (*p == ':') {
        tag = scan_tag(++p);
        if (!tag)
            return err_set(err, EINVAL, "%s", invalid_format);
        ret->tag = str_copy_n(p, tag);
        p += tag;
    }
    if (*p == '@') {
        ret->digest = str_copy(p + 1);
        return check_digest(p + 1, err);
    }
    return *p ? err_set(err, EINVAL, "%s", invalid_format) : 0;
}

static int parse(const char *text, struct reference *ret, struct err *err)
{
    cleanup_free char *rest = NULL;
    size_t name;
    int r;

    if (is_image_id(text))
        return err_set(err, EINVAL,
                       "invalid repository name (%s), cannot specify 64-byte hexadecimal strings",
                       text);
    normalise(text, &ret->domain, &rest);
    name = strcspn(rest, ":");
    if (has_upper(rest, name))
        return err_set(err, EINVAL, "%s: repository name (%.*s) must be lowercase", invalid_format,
                       (int)name, rest);
    if (scan_domain(ret->domain) != strlen(ret->domain))
        return err_set(err, EINVAL, "%s", invalid_format);
    r = parse_rest(rest, ret, err);
    if (r < 0)
        return r;
    if (strlen(ret->domain) + 1 + strlen(ret->path) > NAME_MAX_LEN)
        return err_set(err, EINVAL, "repository name must not be more than %d characters",
                       NAME_MAX_LEN);
    return 0;
}

int reference_parse(const char *text, struct reference *ret, struct err *err)
{
    struct reference ref = {0};
    int r = parse(text, &ref, err);

    if (r < 0) {
        reference_free(&ref);
        return r;
    }
    if (!ref.tag && !ref.digest) {
        ref.tag = str_copy("latest");
        ref.defaulted_tag = true;
    }
    *ret = ref;
    return 0;
}

void reference_free(struct reference *ref)
{
    free(ref->domain);
    free(ref->path);
    free(ref->tag);
    free(ref->digest);
    *ref = (struct reference){0};
}

char *reference_canonical(const struct reference *ref)
{
    return str_format("%s/%s%c%s", ref->domain, ref->path, ref->digest ? '@' : ':',
                      ref->digest ? ref->digest : ref->tag);
}

/* What would not be read back as it was meant keeps its domain: docker.io/localhost/x. */
char *reference_familiar(const char *canonical)
{
    const char *path = canonical + strlen(HUB "/");

    if (!str_starts(canonical, HUB "/") || guess_domain(path))
        return str_copy(canonical);
    if (str_starts(path, "library/") && !strchr(path + strlen("library/"), '/'))
        path += strlen("library/");
    return str_copy(path);
}

void reference_split(const char *canonical, char **ret_repository, char **ret_tag_or_digest)
{
    cleanup_free char *familiar = reference_familiar(canonical);
    char *slash = strrchr(familiar, '/');
    char *mark = strchr(familiar, '@');

    if (!mark)
        mark = strchr(slash ? slash : familiar, ':');
    *ret_tag_or_digest = str_copy(mark ? mark + 1 : "");
    if (mark)
        *mark = 0;
    *ret_repository = steal_ptr(&familiar);
}
