/* The sweeps themselves: a sample of all points of all scenarios, another one each time; and every
 * time those that once went wrong. `make check-crash` makes them all. */
#include "crash/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "crash/scenario.h"
#include "support/suite.h"

/* For one scenario's sample. All of them together shall not take half a minute. */
#define BUDGET_MS 150
#define SAMPLE    200

/* Lines of attempts that failed; the caller frees. */
static char *failures(FILE *out)
{
    struct buf printed = {0}, ret = {0};
    struct strv lines = {0};
    struct err err = {0};

    ck_assert(!lseek(fileno(out), 0, SEEK_SET));
    ck_assert(!file_load_fd(fileno(out), 16 << 20, &printed, &err));
    strv_split(&lines, printed.data, '\n');
    buf_add_str(&ret, "");
    for (size_t i = 0; i < lines.len; i++)
        if (!str_starts(lines.items[i], "ok\t") && !str_starts(lines.items[i], "unreached\t"))
            buf_printf(&ret, "%s\n", lines.items[i]);
    strv_free(&lines);
    buf_free(&printed);
    return buf_steal(&ret);
}

static void sweep(const char *name, struct sweep_options *options, struct sweep_result *ret)
{
    const struct scenario *s = scenario_find(name);
    cleanup_free char *failed = NULL;
    struct err err = {0};
    int r;

    ck_assert_msg(s != NULL, "no scenario '%s'", name);
    options->out = tmpfile();
    ck_assert(options->out != NULL);
    r = sweep_scenario(s, options, ret, &err);
    failed = failures(options->out);
    fclose(options->out);
    ck_assert_msg(!r, "%s: %s\n%s", name, err.message, failed);
    ck_assert_msg(!ret->failed, "--seed %u:\n%s", options->seed, failed);
}

START_TEST(a_sample_of_each_scenario)
{
    const struct scenario *s = scenario_at((size_t)_i);
    const char *seed = getenv("COOPER_SWEEP_SEED"), *why;
    struct sweep_options options = {.jobs = 1,
                                    .sample = SAMPLE,
                                    .seed = seed ? (unsigned)atoi(seed) : (unsigned)getpid(),
                                    .budget_ms = BUDGET_MS};
    struct sweep_result result;

    if (!scenario_possible(s, &why))
        return;
    sweep(s->name, &options, &result);
    ck_assert_msg(result.attempts > 0, "%s: no attempt was made", s->name);
}
END_TEST

/* What each of these found, and where it was mended. */
static const struct mended {
    const char *scenario, *injury, *point;
} mended[] = {
    /* In doubt a process lives: these killed running containers, or took a stop for done. */
    {"exec", "EMFILE", "openat(/proc/N/stat"},
    {"exec", "EIO", "boot_id"},
    {"stop", "EMFILE", "openat(/proc/N/stat"},
    {"stop", "ENOMEM", "pidfd_open"},
    {"kill", "EIO", "read(/proc/N/stat"},
    /* Killed before its program was executed, the process seemed to have run it. */
    {"run-rm", "kill-before", "init:exec"},
    {"exec", "kill-before", "exec:joining"},
    {"oci-start", "ENOMEM", "accept4"},
    /* An error of the moment was taken for a damaged or missing record. */
    {"oci-delete-f", "EMFILE", "state.json"},
    {"oci-create", "EIO", "read(/proc/N/stat"},
    {"oci-run", "EMFILE", "openat(/proc/N/stat"},
    /* Output was lost when poll(2) had no memory. */
    {"run-rm", "ENOMEM", "cooper-shim poll("},
    /* A name was taken by a container that never ran. */
    {"run", "kill-all", "run/ID"},
    {"run-d", "kill-before", "cooper-shim mkdir("},
    {"run-d", "kill-after", "init:mounts fsconfig("},
    {"net-run-d", "kill-after", "init:mounts fsopen("},
    /* A control group stayed, for ever or until the container was removed. */
    {"run-rm", "kill-before", "rmdir(/sys/fs/cgroup/"},
    {"stop", "kill-before", "rmdir(/sys/fs/cgroup/"},
    /* A container that did not start was said to have ended. */
    {"start", "EIO", "exit.json"},
    /* What an image had left stayed after its record was gone. */
    {"rmi", "kill-before", "index.json"},
    {"rmi", "ENOMEM", "getdents64"},
    /* An address stayed in the rules, and nobody knew of it. */
    {"net-stop", "EMFILE", "boot_id"},
    {"network-rm", "EIO", "cooper.db"},
    /* A half-written file stayed beside the one to be. */
    {"save", "kill-before", "hold"},
    {"export", "kill-before", "linkat("},
};

START_TEST(what_once_went_wrong)
{
    const struct mended *m = &mended[_i];
    struct sweep_options options = {.jobs = 1, .injury = m->injury, .point = m->point};
    struct sweep_result result;

    sweep(m->scenario, &options, &result);
    ck_assert_msg(result.attempts > result.unreached, "%s: nothing like '%s' any more", m->scenario,
                  m->point);
}
END_TEST

SUITE(sweep)
{
    TCase *t = tcase_create("sweep");
    int scenarios = 0;

    while (scenario_at((size_t)scenarios))
        scenarios++;
    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, a_sample_of_each_scenario, 0, scenarios);
    tcase_add_loop_test(t, what_once_went_wrong, 0, sizeof mended / sizeof *mended);
    suite_add_tcase(suite, t);
}
