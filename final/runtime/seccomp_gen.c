/* Runs when the project is built: prints the default profile, for the default capabilities, as a C
 * array. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "runtime/runtime.h"
#include "runtime/seccomp_policy.h"

static void print_program(const struct sock_filter *code, size_t len)
{
    printf("/* Made by seccomp_gen. The default syscall filter for the default capabilities. */\n"
           "#include <linux/filter.h>\n"
           "#define SECCOMP_DEFAULT_FLAGS %#lx\n"
           "static const struct sock_filter seccomp_default[] = {\n",
           SECCOMP_FILTER_FLAG_SPEC_ALLOW);
    for (size_t i = 0; i < len; i++)
        printf("    {0x%x, %u, %u, 0x%x},\n", code[i].code, code[i].jt, code[i].jf, code[i].k);
    printf("};\n");
}

int main(void)
{
    cleanup_with(seccomp_policy_free) struct seccomp_policy policy = {0};
    cleanup_strv struct strv caps = {0};
    cleanup_buf struct buf code = {0};
    struct err err = {0};

    for (const char *const *cap = runtime_default_caps; *cap; cap++)
        strv_add(&caps, *cap);
    if (seccomp_policy_default(&caps, &policy, &err) < 0 ||
        seccomp_policy_compile(&policy, &code, &err) < 0) {
        fprintf(stderr, "seccomp_gen: %s\n", err.message);
        return 1;
    }
    print_program((const struct sock_filter *)code.data, code.len / sizeof(struct sock_filter));
    return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
