/* Checks that docker's command line makes before it talks to anybody. What depends on the machine
 * or on other values (how many CPUs there are, swap against memory) is the engine's to check,
 * because the command line is not its only caller. */
#include "cli/values.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "image/image.h"

static bool in_list(const char *value, const char *const *list)
{
    for (; *list; list++)
        if (!strcmp(value, *list))
            return true;
    return false;
}

bool value_bool(const char *value)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True", NULL};

    return in_list(value, yes);
}

int value_check_bool(const char *value, struct err *err)
{
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False", NULL};

    if (value_bool(value) || in_list(value, no))
        return 0;
    return err_set(err, EINVAL, "strconv.ParseBool: parsing \"%s\": invalid syntax", value);
}

static int parse_int(const char *value, int64_t *ret, struct err *err)
{
    long long number;
    int r = str_to_i64(value, &number);

    if (r < 0)
        return err_set(err, EINVAL, "strconv.ParseInt: parsing \"%s\": %s", value,
                       r == -ERANGE ? "value out of range" : "invalid syntax");
    *ret = number;
    return 0;
}

int value_check_int(const char *value, struct err *err)
{
    int64_t number;

    return parse_int(value, &number, err);
}

int value_check_uint16(const char *value, struct err *err)
{
    unsigned long long number;
    int r = str_to_u64(value, &number);

    if (!r && number > UINT16_MAX)
        r = -ERANGE;
    if (r < 0)
        return err_set(err, EINVAL, "strconv.ParseUint: parsing \"%s\": %s", value,
                       r == -ERANGE ? "value out of range" : "invalid syntax");
    return 0;
}

int value_parse_restart(const char *value, json_t **ret, struct err *err)
{
    size_t n = strcspn(value, ":");
    cleanup_free char *name = str_copy_n(value, n);
    long long most = 0;
    json_t *policy;

    if (value[n] && !n)
        return err_set(err, EINVAL,
                       "invalid restart policy format: no policy provided before colon");
    if (value[n] && value[n + 1] && str_to_i64(value + n + 1, &most) < 0)
        return err_set(err, EINVAL,
                       "invalid restart policy format: maximum retry count must be an integer");
    policy = json_object();
    json_object_set_new(policy, "Name", json_string(*name ? name : "no"));
    json_object_set_new(policy, "MaximumRetryCount", json_integer(most));
    *ret = policy;
    return 0;
}

/* The exponent of 1024 a suffix stands for, or -1: "", "b", "k", "kb", "kib", " m", ... */
static int suffix_power(const char *suffix)
{
    static const char letters[] = "kmgtp";
    const char *found;

    if (*suffix == ' ')
        suffix++;
    if (!*suffix || !strcasecmp(suffix, "b"))
        return 0;
    found = strchr(letters, tolower((unsigned char)*suffix));
    suffix++;
    if (!found || (*suffix && strcasecmp(suffix, "b") && strcasecmp(suffix, "ib")))
        return -1;
    return (int)(found - letters) + 1;
}

int value_parse_bytes(const char *value, int64_t *ret, struct err *err)
{
    size_t digits = strspn(value, "0123456789."), dots = 0;
    int power = suffix_power(value + digits);
    long double number;

    for (size_t i = 0; i < digits; i++)
        dots += value[i] == '.';
    if (!isdigit((unsigned char)*value) || dots > 1)
        return err_set(err, EINVAL, "invalid size: '%s'", value);
    if (power < 0)
        return err_set(err, EINVAL, "invalid suffix: '%s'", value + digits);
    number = strtold(value, NULL);
    for (; power > 0; power--)
        number *= 1024;
    if (number >= 9223372036854775807.0L)
        return err_set(err, ERANGE, "invalid size: '%s': larger than 8 EiB", value);
    *ret = (int64_t)number;
    return 0;
}

int value_check_bytes(const char *value, struct err *err)
{
    int64_t bytes;

    return value_parse_bytes(value, &bytes, err);
}

int value_check_swap(const char *value, struct err *err)
{
    return strcmp(value, "-1") ? value_check_bytes(value, err) : 0;
}

/* Decimal digits with a point into mantissa * 10^-scale, without a float's rounding. */
static const char *parse_decimal(const char *p, __int128 *ret, int *ret_scale)
{
    bool point = false, any = false;

    *ret = 0;
    *ret_scale = 0;
    for (; isdigit((unsigned char)*p) || (*p == '.' && !point); p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        any = true;
        if (*ret > (__int128)1 << 90)
            return NULL;
        *ret = *ret * 10 + (*p - '0');
        *ret_scale += point;
    }
    return any ? p : NULL;
}

/* [-]decimal[e exponent] or integer/integer, as a fraction. Docker parses a Go big.Rat. */
static int parse_fraction(const char *value, __int128 *ret_top, __int128 *ret_bottom)
{
    int scale, bottom_scale = 0;
    long exponent = 0;
    const char *p = parse_decimal(*value == '-' ? value + 1 : value, ret_top, &scale);
    char *end;

    *ret_bottom = 1;
    if (!p)
        return -EINVAL;
    if (*p == '/') {
        p = parse_decimal(p + 1, ret_bottom, &bottom_scale);
        if (!p || bottom_scale || scale || *ret_bottom == 0)
            return -EINVAL;
    } else if (*p == 'e' || *p == 'E') {
        exponent = strtol(p + 1, &end, 10);
        if (end == p + 1 || exponent > 9 || exponent < -18)
            return -EINVAL;
        p = end;
    }
    for (exponent -= scale; exponent < 0 && *ret_bottom < (__int128)1 << 100; exponent++)
        *ret_bottom *= 10;
    for (; exponent > 0; exponent--)
        *ret_top *= 10;
    return *p ? -EINVAL : 0;
}

int value_parse_cpus(const char *value, int64_t *ret, struct err *err)
{
    __int128 top, bottom, nano;

    if (parse_fraction(value, &top, &bottom) < 0)
        return err_set(err, EINVAL, "failed to parse %s as a rational number", value);
    nano = top * 1000000000;
    if (nano % bottom)
        return err_set(err, EINVAL, "value is too precise");
    nano /= bottom;
    if (*value == '-' || nano > INT64_MAX)
        return err_set(err, EINVAL, "%s is not a possible number of CPUs", value);
    *ret = (int64_t)nano;
    return 0;
}

int value_check_cpus(const char *value, struct err *err)
{
    int64_t nano;

    return value_parse_cpus(value, &nano, err);
}

static bool known_ulimit(const char *name)
{
    static const char *const names[] = {
        "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue", "nice",
        "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack",    NULL};

    return in_list(name, names);
}

int value_parse_ulimit(const char *value, struct ulimit *ret, struct err *err)
{
    const char *equals = strchr(value, '='), *limits = equals ? equals + 1 : "";
    cleanup_strv struct strv parts = {0};
    struct ulimit u = {0};

    if (!equals || equals == value)
        return err_set(err, EINVAL, "invalid ulimit argument: %s", value);
    snprintf(u.name, sizeof u.name, "%.*s", (int)(equals - value), value);
    if ((size_t)(equals - value) >= sizeof u.name || !known_ulimit(u.name))
        return err_set(err, EINVAL, "invalid ulimit type: %.*s", (int)(equals - value), value);
    strv_split(&parts, *limits ? limits : ":", ':');
    if (parts.len > 2 && *limits)
        return err_set(err, EINVAL,
                       "too many limit value arguments - %s, can only have up to two, "
                       "`soft[:hard]`",
                       limits);
    if (parse_int(*limits ? parts.items[0] : "", &u.soft, err) < 0)
        return -err->code;
    u.hard = u.soft;
    if (parts.len == 2 && parse_int(parts.items[1], &u.hard, err) < 0)
        return -err->code;
    /* -1 is "unlimited" and so the largest of all. */
    if (u.hard != -1 && (u.soft == -1 || u.soft > u.hard))
        return err_set(err, EINVAL,
                       "ulimit soft limit must be less than or equal to hard limit: %lld > %lld",
                       (long long)u.soft, (long long)u.hard);
    *ret = u;
    return 0;
}

int value_check_ulimit(const char *value, struct err *err)
{
    struct ulimit u;

    return value_parse_ulimit(value, &u, err);
}

void value_put_ulimits(const struct strv *given, json_t *host)
{
    json_t *list = json_array();

    json_put(host, "Ulimits", list);
    for (size_t i = 0; i < given->len; i++) {
        struct err unused = {0};
        struct ulimit u;
        json_t *limit;

        if (value_parse_ulimit(given->items[i], &u, &unused) < 0)
            continue; /* cannot be: checked when it was parsed */
        limit = json_object();
        json_put_str(limit, "Name", u.name);
        json_put(limit, "Hard", json_integer(u.hard));
        json_put(limit, "Soft", json_integer(u.soft));
        json_push(list, limit);
    }
}

int value_check_env(const char *value, struct err *err)
{
    if (!*value || *value == '=')
        return err_set(err, EINVAL, "invalid environment variable: %s", value);
    return 0;
}

int value_check_label(const char *value, struct err *err)
{
    if (!*value || *value == '=')
        return err_set(err, EINVAL, "invalid label '%s': empty name", value);
    return 0;
}

int value_check_ip(const char *value, struct err *err)
{
    unsigned char bytes[16];

    if (inet_pton(AF_INET, value, bytes) == 1 || inet_pton(AF_INET6, value, bytes) == 1)
        return 0;
    return err_set(err, EINVAL, "%s is not an ip address", value);
}

int value_check_host(const char *value, struct err *err)
{
    size_t n = strcspn(value, "=:");
    const char *address = value + n + 1;
    unsigned char bytes[16];
    char plain[64];
    size_t len;

    if (!value[n] || n == 0)
        return err_set(err, EINVAL, "bad format for add-host: \"%s\"", value);
    if (!strcmp(address, "host-gateway"))
        return 0;
    len = strlen(address);
    if (*address == '[' && len > 2 && address[len - 1] == ']') {
        address++;
        len -= 2;
    }
    snprintf(plain, sizeof plain, "%.*s", (int)len, address);
    if (len >= sizeof plain || strpbrk(value, " \t\n") ||
        (inet_pton(AF_INET, plain, bytes) != 1 && inet_pton(AF_INET6, plain, bytes) != 1))
        return err_set(err, EINVAL, "invalid IP address in add-host: \"%s\"", value + n + 1);
    return 0;
}

/* Keys that belong to a namespace of the container; any other would change the host
 * (CVE-2022-0811). */
int value_check_sysctl(const char *value, struct err *err)
{
    static const char *const whole[] = {"kernel.msgmax", "kernel.msgmnb",          "kernel.msgmni",
                                        "kernel.sem",    "kernel.shmall",          "kernel.shmmax",
                                        "kernel.shmmni", "kernel.shm_rmid_forced", NULL};
    size_t n = strcspn(value, "=");
    cleanup_free char *key = str_copy_n(value, n);

    if (value[n] && !strpbrk(value, "+\n") && !strstr(key, "..") && !strchr(key, '/') &&
        (in_list(key, whole) || (str_starts(key, "net.") && key[4]) ||
         (str_starts(key, "fs.mqueue.") && key[10])))
        return 0;
    return err_set(err, EINVAL, "sysctl '%s' is not allowed", value);
}

int value_check_user(const char *value, struct err *err)
{
    if (!*value || !strcmp(value, ":"))
        return err_set(err, EINVAL, "no user name or uid: leave the flag out for the image's user");
    if (strpbrk(value, "\n/ \t"))
        return err_set(err, EINVAL, "a user is written as <name|uid>[:<group|gid>]");
    return 0;
}

int value_check_hostname(const char *value, struct err *err)
{
    size_t n = strlen(value);

    if (!n) /* the same as no flag */
        return 0;
    if (n > 63 ||
        strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") != n ||
        *value == '-' || *value == '.')
        return err_set(err, EINVAL, "invalid hostname format: %s", value);
    return 0;
}

int value_check_image(const char *value, struct err *err)
{
    size_t digits = strspn(value, "0123456789abcdef");
    struct reference reference;
    int r;

    if (str_starts(value, "sha256:") || (digits == 64 && !value[digits]))
        return 0;
    r = reference_parse(value, &reference, err);
    if (!r)
        reference_free(&reference);
    return r;
}

int value_check_tag(const char *value, struct err *err)
{
    struct reference reference;
    int r = reference_parse(value, &reference, err);

    if (r < 0)
        return r;
    if (reference.digest)
        r = err_set(err, EINVAL, "refusing to create a tag with a digest reference");
    reference_free(&reference);
    return r;
}

int value_check_output(const char *path, struct err *err)
{
    cleanup_free char *dir = str_copy(path);
    char *slash = strrchr(dir, '/');
    struct stat st;

    if (slash)
        *(slash == dir ? slash + 1 : slash) = 0;
    if (slash && stat(dir, &st) < 0)
        return err_set(err, errno, "invalid output path: stat %s: %s", dir,
                       errno == ENOENT ? "no such file or directory" : strerror(errno));
    if (stat(path, &st) < 0)
        return 0;
    if (S_ISDIR(st.st_mode))
        return err_set(err, EISDIR, "cannot write to a directory");
    if (!S_ISREG(st.st_mode))
        return err_set(err, EINVAL, "'%s' is no regular file: use > %s", path, path);
    return 0;
}
