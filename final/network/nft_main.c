/* cooper-nft - reads a ruleset on standard input and gives it to the kernel in one transaction.
 *
 * A program of its own because of what it links: libnftables and what that needs take longer to
 * load than a container to start, and are needed once after a boot. What is wrong goes to standard
 * error. */
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>

enum { RULES_MAX = 64 << 20 };

/* The whole of standard input, NUL-terminated; NULL when it cannot be read or is too long. */
static char *read_input(void)
{
    size_t len = 0, room = 65536;
    char *text = malloc(room);

    while (text && len < RULES_MAX) {
        size_t n = fread(text + len, 1, room - len - 1, stdin);
        char *more;

        len += n;
        if (!n) {
            text[len] = 0;
            return ferror(stdin) ? NULL : text;
        }
        if (len + 1 < room)
            continue;
        room *= 2;
        more = realloc(text, room);
        if (!more)
            free(text);
        text = more;
    }
    return NULL;
}

int main(void)
{
    struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
    char *rules = read_input();
    int code = 1;

    if (!nft || !rules || nft_ctx_buffer_error(nft))
        fprintf(stderr, "cannot read the rules\n");
    else if (nft_run_cmd_from_buffer(nft, rules) < 0)
        fputs(nft_ctx_get_error_buffer(nft), stderr);
    else
        code = 0;
    free(rules);
    if (nft)
        nft_ctx_free(nft);
    return code;
}
