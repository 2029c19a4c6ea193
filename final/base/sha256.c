/* Apart from digest.c, so that programs which only compare digests do not link libcrypto. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

struct hasher {
    EVP_MD_CTX *context;
};

/* libcrypto fails here only when memory is gone or its own build is broken: nothing to recover. */
static void require(int ok)
{
    if (ok != 1)
        abort();
}

struct hasher *hasher_new(void)
{
    struct hasher *h = malloc(sizeof *h);

    require(h != NULL);
    h->context = EVP_MD_CTX_new();
    require(h->context != NULL);
    require(EVP_DigestInit_ex(h->context, EVP_sha256(), NULL));
    return h;
}

void hasher_add(struct hasher *h, const void *data, size_t len)
{
    require(EVP_DigestUpdate(h->context, data, len));
}

void hasher_finish(struct hasher *h, char ret[DIGEST_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned len;

    require(EVP_DigestFinal_ex(h->context, sum, &len));
    strcpy(ret, "sha256:");
    for (unsigned i = 0; i < 32; i++) {
        ret[7 + 2 * i] = digits[sum[i] >> 4];
        ret[8 + 2 * i] = digits[sum[i] & 15];
    }
    ret[DIGEST_LEN] = 0;
    hasher_free(h);
}

void hasher_free(struct hasher *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->context);
    free(h);
}

void digest_of(const void *data, size_t len, char ret[DIGEST_LEN + 1])
{
    struct hasher *h = hasher_new();

    hasher_add(h, data, len);
    hasher_finish(h, ret);
}
