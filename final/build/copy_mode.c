/* --chmod, in octal or as chmod(1) has it: "u=rwX,go-w,+t". Without a letter in front all three are
 * meant, whatever the umask is: a build has none. */
#include <string.h>

#include "build/copy_parts.h"

/* One clause: who, then an operation and permissions, one or more times. */
struct clause {
    mode_t who; /* 0700 | 0070 | 0007 */
    bool special_user, special_group, sticky;
};

static const char *take_who(const char *p, mode_t *who)
{
    *who = 0;
    for (; *p && strchr("ugoa", *p); p++)
        *who |= *p == 'u' ? 04700 : *p == 'g' ? 02070 : *p == 'o' ? 01007 : 07777;
    if (!*who)
        *who = 07777;
    return p;
}

/* The bits of one letter, for everybody: `who` picks. */
static mode_t letter(char c, mode_t mode)
{
    switch (c) {
    case 'r':
        return 0444;
    case 'w':
        return 0222;
    case 'x':
        return 0111;
    case 'X':
        return S_ISDIR(mode) || (mode & 0111) ? 0111 : 0;
    case 's':
        return 06000;
    default:
        return 01000; /* t */
    }
}

/* "g=u": the permissions somebody else has. */
static mode_t copied(char c, mode_t mode)
{
    mode_t three = c == 'u' ? mode >> 6 : c == 'g' ? mode >> 3 : mode;

    return (three & 7) * 0111;
}

static const char *take_permissions(const char *p, mode_t mode, mode_t *bits)
{
    *bits = 0;
    if (*p && strchr("ugo", *p)) {
        *bits = copied(*p, mode);
        return p + 1;
    }
    for (; *p && strchr("rwxXst", *p); p++)
        *bits |= letter(*p, mode);
    return p;
}

/* False for what is no clause. */
static bool take_clause(const char **p, mode_t *mode)
{
    mode_t who, bits;

    *p = take_who(*p, &who);
    if (!**p || !strchr("+-=", **p))
        return false;
    while (**p && strchr("+-=", **p)) {
        char operation = *(*p)++;

        *p = take_permissions(*p, *mode, &bits);
        bits &= who;
        if (operation == '=') /* a directory keeps set-group-ID, as with chmod(1), unless named */
            *mode &= ~(who & (S_ISDIR(*mode) ? 01777 : 07777));
        *mode = operation == '-' ? *mode & ~bits : *mode | bits;
    }
    return !**p || **p == ',';
}

static bool is_octal(const char *text)
{
    size_t n = strspn(text, "01234567");

    return n && !text[n] && strtoul(text, NULL, 8) <= 07777 && n <= 8;
}

int copy_check_mode(const char *text, struct err *err)
{
    mode_t mode = S_IFREG;
    const char *p = text;

    if (is_octal(text))
        return 0;
    if (*text >= '0' && *text <= '9')
        return err_set(err, EINVAL,
                       "invalid chmod parameter: '%s'. it should be octal string and between 0 and "
                       "07777",
                       text);
    while (*p) {
        if (!take_clause(&p, &mode))
            break;
        p += *p == ',';
        if (!*p && p[-1] == ',')
            break;
        if (!*p)
            return 0;
    }
    return err_set(err, EINVAL,
                   "invalid chmod parameter: '%s': want something like 755 or u=rwX,go+r", text);
}

mode_t copy_apply_mode(const char *text, mode_t mode)
{
    const char *p = text;

    if (is_octal(text))
        return (mode & S_IFMT) | (mode_t)strtoul(text, NULL, 8);
    while (*p && take_clause(&p, &mode))
        p += *p == ',';
    return mode;
}
