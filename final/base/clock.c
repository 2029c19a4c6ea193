#include "base/clock.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/str.h"

#define NS 1000000000LL

int64_t clock_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * NS + now.tv_nsec;
}

void clock_format_fixed(int64_t ns, char ret[40])
{
    int64_t fraction = (ns % NS + NS) % NS; /* also of what was before 1970 */
    time_t seconds = ns / NS - (ns % NS < 0);
    struct tm utc;
    size_t n;

    if (ns == 0) {
        strcpy(ret, "0001-01-01T00:00:00.000000000Z");
        return;
    }
    gmtime_r(&seconds, &utc);
    n = strftime(ret, 40, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(ret + n, 40 - n, ".%09lldZ", (long long)fraction);
}

void clock_format(int64_t ns, char ret[40])
{
    size_t n;

    clock_format_fixed(ns, ret);
    n = strlen(ret) - 1; /* at the 'Z' */
    while (ret[n - 1] == '0')
        n--;
    if (ret[n - 1] == '.')
        n--;
    strcpy(ret + n, "Z");
}

/* ".25" -> 250000000; returns what follows the digits. */
static const char *parse_fraction(const char *p, int64_t *ret_ns)
{
    int64_t unit = NS / 10;

    *ret_ns = 0;
    if (*p != '.')
        return p;
    for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10)
        *ret_ns += (*p - '0') * unit;
    return p;
}

int clock_parse(const char *text, int64_t *ret)
{
    struct tm utc = {0};
    const char *p = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
    int64_t fraction, offset = 0;
    int hours, minutes, used = 0;

    if (!p)
        return -EINVAL;
    p = parse_fraction(p, &fraction);
    if (*p == '+' || *p == '-') {
        if (sscanf(p + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 || p[1 + used])
            return -EINVAL;
        offset = (hours * 60 + minutes) * 60 * (*p == '-' ? -1 : 1);
    } else if (strcmp(p, "Z")) {
        return -EINVAL;
    }
    if (utc.tm_year <= 1 - 1900)
        *ret = 0;
    else if (__builtin_mul_overflow((int64_t)timegm(&utc) - offset, NS, ret) ||
             __builtin_add_overflow(*ret, fraction, ret))
        *ret = utc.tm_year < 70 ? INT64_MIN : INT64_MAX; /* an image may say 9999 */
    return 0;
}

static const struct {
    const char *unit;
    int64_t ns;
} units[] = {/* longest names first: "ms" before "m" */
             {"ns", 1}, {"us", 1000},   {"\u00b5s", 1000}, {"ms", 1000000},
             {"s", NS}, {"m", 60 * NS}, {"h", 3600 * NS}};

static const char *parse_unit(const char *p, int64_t *ret_ns)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (str_starts(p, units[i].unit)) {
            *ret_ns = units[i].ns;
            return p + strlen(units[i].unit);
        }
    return NULL;
}

int clock_parse_duration(const char *value, int64_t *ret_ns, struct err *err)
{
    const char *p = value;
    long double total = 0;

    if (!strcmp(value, "0")) {
        *ret_ns = 0;
        return 0;
    }
    while (*p) {
        char *end;
        long double number;
        int64_t unit = 0;

        if (!isdigit((unsigned char)*p) && *p != '.')
            break;
        number = strtold(p, &end);
        p = end == p ? NULL : parse_unit(end, &unit);
        if (!p)
            break;
        total += number * (long double)unit;
    }
    if (!*value || !p || *p || total > (long double)INT64_MAX)
        return err_set(err, EINVAL, "time: invalid duration \"%s\"", value);
    *ret_ns = (int64_t)total;
    return 0;
}

int id_generate(char ret[ID_LEN + 1], struct err *err)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char random[ID_LEN / 2];

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return err_errno(err, "cannot get random bytes");
    for (size_t i = 0; i < sizeof random; i++) {
        ret[2 * i] = digits[random[i] >> 4];
        ret[2 * i + 1] = digits[random[i] & 15];
    }
    ret[ID_LEN] = 0;
    return 0;
}
