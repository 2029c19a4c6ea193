#include "steps/steps.h"

#include <check.h>
#include <glob.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

/* keg frees what it holds by ending, so with sanitizers on leaks are looked for in the tests only.
 */
__attribute__((constructor)) static void let_keg_leak(void)
{
    const char *options = getenv("ASAN_OPTIONS");
    char *without = str_format("%s:detect_leaks=0", options ? options : "");

    if (options)
        setenv("ASAN_OPTIONS", without, 1);
    free(without);
}

const struct strv *steps_all(void)
{
    static struct strv names;
    glob_t found = {0};

    if (names.len)
        return &names;
    glob(SOURCE_DIR "/steps/[0-9][0-9]-*", 0, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++)
        strv_add(&names, strrchr(found.gl_pathv[i], '/') + 1);
    globfree(&found);
    return &names;
}

const char *steps_name(int number)
{
    for (size_t i = 0; i < steps_all()->len; i++)
        if (atoi(steps_all()->items[i]) == number)
            return steps_all()->items[i];
    return NULL;
}

const char *steps_keg(int number)
{
    static char path[4096];

    ck_assert_msg(steps_name(number) != NULL, "there is no step %d", number);
    snprintf(path, sizeof path, "%s/steps/%s/keg", BUILD_DIR, steps_name(number));
    return path;
}

void steps_separate(void)
{
    if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        perror("cannot prepare the tests of the steps (they need root)");
        exit(2);
    }
}
