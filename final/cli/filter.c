/* --filter: which keys there are, and how several of them combine. What a key compares is the
 * command's own. */
#include "cli/filter.h"

#include <regex.h>
#include <string.h>

int filter_check(const struct strv *filters, const char *const *known, struct err *err)
{
    for (size_t i = 0; i < filters->len; i++) {
        const char *filter = filters->items[i];
        size_t n = strcspn(filter, "=");
        bool found = false;

        if (!filter[n])
            return err_set(err, EINVAL,
                           "invalid argument \"%s\" for \"-f, --filter\" flag: invalid filter '%s'",
                           filter, filter);
        for (size_t k = 0; known[k]; k++)
            found |= strlen(known[k]) == n && !memcmp(known[k], filter, n);
        if (!found)
            return err_set(err, EINVAL, "Error response from daemon: invalid filter '%.*s'", (int)n,
                           filter);
    }
    return 0;
}

int filter_check_values(const struct strv *filters, const char *key, const char *const *values,
                        bool as_list, struct err *err)
{
    size_t n = strlen(key);

    for (size_t i = 0; i < filters->len; i++) {
        const char *filter = filters->items[i], *const *known = values;

        if (strncmp(filter, key, n) || filter[n] != '=')
            continue;
        while (*known && strcmp(*known, filter + n + 1))
            known++;
        if (!*known)
            return err_set(err, EINVAL, "Error response from daemon: invalid filter '%s=%s%s%s'",
                           key, as_list ? "[" : "", filter + n + 1, as_list ? "]" : "");
    }
    return 0;
}

bool filter_holds(const struct strv *filters, const char *key, filter_match *match, void *context)
{
    size_t n = strlen(key);
    bool asked = false;

    for (size_t i = 0; i < filters->len; i++) {
        const char *filter = filters->items[i];

        if (strncmp(filter, key, n) || filter[n] != '=')
            continue;
        asked = true;
        if (match(context, filter + n + 1))
            return true;
    }
    return !asked;
}

bool filter_each_holds(const struct strv *filters, const char *key, filter_match *match,
                       void *context)
{
    size_t n = strlen(key);

    for (size_t i = 0; i < filters->len; i++) {
        const char *filter = filters->items[i];

        if (!strncmp(filter, key, n) && filter[n] == '=' && !match(context, filter + n + 1))
            return false;
    }
    return true;
}

bool filter_all_hold(const struct strv *filters, const struct filter_rule *rules, void *context)
{
    for (; rules->key; rules++)
        if (!filter_holds(filters, rules->key, rules->match, context))
            return false;
    return true;
}

bool filter_matches(const char *text, const char *pattern)
{
    regex_t regex;
    bool found;

    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB))
        return strstr(text, pattern) != NULL;
    found = !regexec(&regex, text, 0, NULL, 0);
    regfree(&regex);
    return found;
}
