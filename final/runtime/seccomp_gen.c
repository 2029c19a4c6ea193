/* Runs when the project is built: prints the default profile, for the default capabilities, as a C
 * array. */
#include <linux/filter.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "runtime/runtime.h"

static int print_program(int fd)
{
    struct sock_filter insn;

    printf("/* Made by seccomp_gen. The default syscall filter for the default capabilities. */\n"
           "#include <linux/filter.h>\n"
           "static const struct sock_filter seccomp_default[] = {\n");
    while (file_read(fd, &insn, sizeof insn) == (ssize_t)sizeof insn)
        printf("    {0x%x, %u, %u, 0x%x},\n", insn.code, insn.jt, insn.jf, insn.k);
    printf("};\n");
    return ferror(stdout) || fflush(stdout) ? 1 : 0;
}

int main(void)
{
    int fd = memfd_create("seccomp", MFD_CLOEXEC);
    struct err err = {0};
    struct strv caps = {0};

    for (const char *const *cap = runtime_default_caps; *cap; cap++)
        strv_add(&caps, *cap);
    if (fd < 0 || runtime_seccomp_compile_default(&caps, fd, &err) < 0 ||
        lseek(fd, 0, SEEK_SET) < 0) {
        fprintf(stderr, "seccomp_gen: %s\n", err.message);
        return 1;
    }
    strv_free(&caps);
    return print_program(fd);
}
