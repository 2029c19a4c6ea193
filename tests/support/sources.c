#include "support/sources.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

int source_for_lines(const char *path, source_rule *rule)
{
    FILE *f = fopen(path, "re");
    char *text = NULL;
    size_t room = 0;
    int line = 0;

    ck_assert_msg(f != NULL, "cannot open %s", path);
    while (getline(&text, &room, f) >= 0) {
        text[strcspn(text, "\n")] = 0;
        line++;
        if (rule)
            rule(path, line, text);
    }
    free(text);
    fclose(f);
    return line;
}

int source_function_end(int *opened, int line, const char *text)
{
    int length;

    if (str_equal(text, "{"))
        *opened = line;
    if (*text != '}' || !*opened)
        return -1;
    length = line - *opened - 1;
    *opened = 0;
    return length;
}

bool source_is_code(bool *in_comment, bool hash, const char *text)
{
    const char *first = text + strspn(text, " \t"), *end;

    if (*in_comment || str_starts(first, "/*")) {
        end = strstr(first, "*/");
        *in_comment = !end;
        return end && end[2 + strspn(end + 2, " \t")];
    }
    return *first && !str_starts(first, "//") && !(hash && *first == '#');
}

static int by_value(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

int source_median(int *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return count ? values[count / 2] : 0;
}
