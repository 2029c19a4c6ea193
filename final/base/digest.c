#include "base/digest.h"

#include <string.h>

bool digest_valid(const char *text)
{
    return text && !strncmp(text, "sha256:", 7) && strlen(text) == DIGEST_LEN &&
           strspn(text + 7, "0123456789abcdef") == 64;
}

const char *digest_hex(const char *digest)
{
    return digest + 7;
}
