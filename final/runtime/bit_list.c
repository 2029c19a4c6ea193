#include "runtime/bit_list.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

static const char *skip_blanks(const char *p)
{
    while (isspace((unsigned char)*p))
        p++;
    return p;
}

/* Reads a number and the blanks around it; NULL if there is none. */
static const char *read_number(const char *p, unsigned long *ret)
{
    char *end;

    p = skip_blanks(p);
    if (!isdigit((unsigned char)*p))
        return NULL;
    *ret = strtoul(p, &end, 10); /* what is too large becomes ULONG_MAX, and too large it is */
    return skip_blanks(end);
}

static int bad_list(const char *text, struct err *err)
{
    return err_set(err, EINVAL, "'%.200s' is not a list of numbers from 0 to %d such as \"0-3,7\"",
                   text, BIT_LIST_MAX - 1);
}

int bit_list_parse(const char *text, struct bit_list *ret, struct err *err)
{
    const char *p = skip_blanks(text);

    *ret = (struct bit_list){0};
    while (*p) {
        unsigned long first, last;

        p = read_number(p, &first);
        last = first;
        if (p && *p == '-')
            p = read_number(p + 1, &last);
        if (!p || last < first || last >= BIT_LIST_MAX || (*p && *p != ',') ||
            (*p == ',' && !*skip_blanks(p + 1)))
            return bad_list(text, err);
        for (unsigned long i = first; i <= last; i++)
            ret->bits[i / BIT_LIST_WORD] |= 1UL << i % BIT_LIST_WORD;
        ret->any = true;
        p += *p == ',';
    }
    return 0;
}
