#include "crash/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "crash/attempt.h"
#include "crash/scenario.h"

int command_limit(int ms)
{
    const char *text = getenv("CK_TIMEOUT_MULTIPLIER");
    int n = text ? atoi(text) : 1;

    return n > 1 ? n * ms : ms;
}

void outcome_free(struct outcome *o)
{
    buf_free(&o->out);
    buf_free(&o->err);
    *o = (struct outcome){0};
}

static void fill_argv(const struct scenario *s, const char *const *words, struct strv *ret)
{
    for (size_t i = 0; s->subject->prefix[i]; i++)
        strv_add(ret, s->subject->prefix[i]);
    for (size_t i = 0; words[i]; i++) {
        if (str_starts(words[i], REGISTRY_WORD))
            strv_take(ret,
                      str_format("%s/%s", scenario_registry(), words[i] + strlen(REGISTRY_WORD)));
        else
            strv_add(ret, words[i]);
    }
}

static void read_back(int fd, struct buf *ret)
{
    struct err ignored;

    if (lseek(fd, 0, SEEK_SET) < 0 || file_load_fd(fd, 1 << 20, ret, &ignored) < 0)
        buf_add_str(ret, "");
}

/* Output goes into memory: a pipe would be one more thing that can be full. */
void command_run(struct attempts *a, const char *const *words, bool traced, struct outcome *ret)
{
    cleanup_close int out = memfd_create("stdout", MFD_CLOEXEC);
    cleanup_close int err = memfd_create("stderr", MFD_CLOEXEC);
    cleanup_strv struct strv argv = {0};
    long start = tracer_now();
    pid_t pid;

    outcome_free(ret);
    fill_argv(a->scenario, words, &argv);
    pid = tracer_start(a->tracer, (const char *const *)argv.items, traced, out, err);
    ret->status = tracer_wait(a->tracer, pid, COMMAND_LIMIT);
    ret->ms = tracer_now() - start;
    read_back(out, &ret->out);
    read_back(err, &ret->err);
}

bool command_succeeded(const struct outcome *o)
{
    return o->status == 0;
}

const char *command_said(const struct outcome *o)
{
    static char text[600];
    int code = WIFEXITED(o->status) ? WEXITSTATUS(o->status) : -WTERMSIG(o->status);

    snprintf(text, sizeof text, "%d '%.250s' '%.250s'", code, o->out.data, o->err.data);
    for (char *p = text; *p; p++)
        *p = *p == '\n' ? '|' : *p;
    return text;
}
