/* suite.h - how a test file makes itself known to its program.
 *
 *     SUITE(reference)                       // defines: static void fill_reference(Suite *suite)
 *     {
 *         TCase *t = tcase_create("parse");
 *         tcase_add_test(t, short_names_mean_docker_hub);
 *         suite_add_tcase(suite, t);
 *     }
 *
 * A case that needs something of the machine (root, a program, a kernel feature) is tagged with
 * tcase_set_tags(t, "needs-root"); the runner probes each tag once, leaves out what cannot run and says so:
 * Check has no "skipped".
 */
#pragma once

#include <check.h>

typedef void suite_fill(Suite *suite);
void suite_register(const char *name, suite_fill *fill);

#define SUITE(name)                                                                                \
    static void fill_##name(Suite *suite);                                                         \
    __attribute__((constructor)) static void register_##name(void)                                 \
    {                                                                                              \
        suite_register(#name, fill_##name);                                                        \
    }                                                                                              \
    static void fill_##name(Suite *suite)

/* What a program does, instead of testing, when its first argument begins with "--"; returns its exit code.
 * Defined by the programs that have such a thing. */
int suite_command(int argc, char **argv) __attribute__((weak));

/* A tag and how to find out whether this machine has it. Registered by the programs that use it. */
typedef const char *tag_probe(void); /* NULL: fine; else the reason it is left out */
void tag_register(const char *tag, tag_probe *probe);
#define TAG(name, function)                                                                        \
    __attribute__((constructor)) static void register_tag_##function(void)                         \
    {                                                                                              \
        tag_register(name, function);                                                              \
    }
