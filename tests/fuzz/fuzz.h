/* fuzz.h - functions that take any bytes: libFuzzer looks for bytes that break them (make fuzz), and
 * the bytes it thought worth keeping, in corpus/NAME/, are run by make check.
 *
 *     FUZZ(reference)                     // NAME.c; corpus/reference/ are its seeds
 *     {
 *         cleanup_free char *text = str_copy_n(data, len);
 *         ...
 *         FUZZ_CHECK(!strcmp(a, b));      // what must always be true
 *     }
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef void fuzz_target(const char *data, size_t len);
void fuzz_register(const char *name, fuzz_target *target);
/* NULL: there are no more. */
fuzz_target *fuzz_find(size_t index, const char **ret_name);

/* One target is linked into a program of its own for libFuzzer, all together for make check. */
#ifdef FUZZ_ALONE
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
#define FUZZ_ENTRY(name)                                                                           \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)                                    \
    {                                                                                              \
        fuzz_##name((const char *)data, len);                                                      \
        return 0;                                                                                  \
    }
#else
#define FUZZ_ENTRY(name)                                                                           \
    __attribute__((constructor)) static void register_##name(void)                                 \
    {                                                                                              \
        fuzz_register(#name, fuzz_##name);                                                         \
    }
#endif

#define FUZZ(name)                                                                                 \
    static void fuzz_##name(const char *data, size_t len);                                         \
    FUZZ_ENTRY(name)                                                                               \
    static void fuzz_##name(const char *data, size_t len)

#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* An empty directory of this process alone, emptied again at each call; the caller closes. */
int fuzz_directory(void);
/* A file of this content, read from its beginning; the caller closes. */
int fuzz_file(const char *data, size_t len);
/* The checksums of all that looks like a tar's header are made right: else hardly anything gets
 * past them. The caller frees. */
char *fuzz_tar(const char *data, size_t len);
