/* Moments as docker writes them. */
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/values.h"

#define SECOND 1000000000LL

/* "1795000000.25" */
static bool parse_unix(const char *value, int64_t *ret_ns)
{
    size_t whole = strspn(value, "0123456789"), fraction = 0;
    int64_t unit = SECOND / 10;

    if (!whole || whole > 10)
        return false;
    if (value[whole] == '.')
        fraction = strspn(value + whole + 1, "0123456789") + 1;
    if (value[whole + fraction])
        return false;
    *ret_ns = strtoll(value, NULL, 10) * SECOND;
    for (size_t i = 1; i < fraction; i++, unit /= 10)
        *ret_ns += (value[whole + i] - '0') * unit;
    return true;
}

/* RFC 3339, or its beginning: a date, a date and a time, without zone (UTC, as the engine's host
 * counts). */
static bool parse_date(const char *value, int64_t *ret_ns)
{
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H",
                                        "%Y-%m-%d"};

    if (!clock_parse(value, ret_ns))
        return true;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm utc = {0};
        const char *end = strptime(value, forms[i], &utc);

        if (end && (!*end || !strcmp(end, "Z"))) {
            *ret_ns = timegm(&utc) * SECOND;
            return true;
        }
    }
    return false;
}

int value_check_duration(const char *value, struct err *err)
{
    const char *number = value + (*value == '-' || *value == '+');
    int64_t unused;

    if (*number && strspn(number, "0123456789.") == strlen(number) && strcmp(number, "0"))
        return err_set(err, EINVAL, "time: missing unit in duration \"%s\"", value);
    if (clock_parse_duration(number, &unused, err) < 0)
        return err_set(err, EINVAL, "time: invalid duration \"%s\"", value);
    return 0;
}

int value_parse_moment(const char *value, int64_t now_ns, int64_t *ret_ns, struct err *err)
{
    int64_t before;

    if (parse_unix(value, ret_ns) || parse_date(value, ret_ns))
        return 0;
    if (clock_parse_duration(value, &before, err) < 0)
        return err_set(err, EINVAL, "failed to parse value as time or duration: \"%s\"", value);
    *ret_ns = now_ns - before;
    return 0;
}
