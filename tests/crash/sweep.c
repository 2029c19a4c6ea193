#include "crash/sweep.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "crash/attempt.h"
#include "crash/groups.h"
#include "crash/place.h"
#include "crash/scenario.h"

/* Runs without injury whose points are swept: what one of them does not come by, another may. */
#define RECORDINGS 3

/* One attempt to be made. */
struct job {
    unsigned point; /* index */
    enum injection_kind kind;
    const struct call_error_name *error; /* of FAIL */
};

/* What the processes of a sweep share. */
struct shared {
    atomic_uint next, made, failed, unreached;
    char reason[sizeof(((struct err *)0)->message)]; /* why one of them gave up */
};

struct sweep {
    const struct scenario *scenario;
    const struct sweep_options *options;
    struct point_list points;
    struct job *jobs;
    unsigned job_count;
    struct shared *shared;
    long start;
};

static const char *injury_name(const struct job *job)
{
    static const char *const kills[] = {
        [KILL_ALL] = "kill-all", [KILL_BEFORE] = "kill-before", [KILL_AFTER] = "kill-after"};

    return job->kind == FAIL ? job->error->name : kills[job->kind];
}

/* --- what is to be done ----------------------------------------------------------------------- */

static void add_job(struct sweep *s, struct job job)
{
    const char *only = s->options->injury;

    if (only && strcmp(only, injury_name(&job)))
        return;
    s->jobs = mem_grow(s->jobs, s->job_count + 1, sizeof *s->jobs);
    s->jobs[s->job_count++] = job;
}

static void add_jobs(struct sweep *s)
{
    for (unsigned i = 0; i < s->points.len; i++) {
        const struct point *p = &s->points.items[i];

        if (s->options->point && !strstr(p->key, s->options->point))
            continue;
        for (enum injection_kind kind = KILL_ALL; p->changes && kind <= KILL_AFTER; kind++)
            add_job(s, (struct job){i, kind, NULL});
        for (size_t e = 0; e < CALL_ERRORS; e++)
            if (p->errors & call_errors[e].bit)
                add_job(s, (struct job){i, FAIL, &call_errors[e]});
    }
}

/* One out of each of `sample` equal stretches, so that every part of the run has its share. */
static void take_sample(struct sweep *s)
{
    unsigned wanted = s->options->sample, all = s->job_count;

    if (!wanted || wanted >= all)
        return;
    srandom(s->options->seed);
    for (unsigned i = 0; i < wanted; i++) {
        unsigned from = (unsigned)((unsigned long long)i * all / wanted);
        unsigned to = (unsigned)((unsigned long long)(i + 1) * all / wanted);

        s->jobs[i] = s->jobs[from + (unsigned)random() % (to - from)];
    }
    s->job_count = wanted;
}

/* When time is short the first ones should be from all over, too. */
static void shuffle(struct sweep *s)
{
    if (!s->options->budget_ms)
        return;
    for (unsigned i = s->job_count; i > 1; i--) {
        unsigned k = (unsigned)random() % i;
        struct job swapped = s->jobs[i - 1];

        s->jobs[i - 1] = s->jobs[k];
        s->jobs[k] = swapped;
    }
}

/* --- one process's part ----------------------------------------------------------------------- */

static void say(struct sweep *s, const struct job *job, long ms, const struct verdict *v)
{
    const struct point *p = &s->points.items[job->point];
    cleanup_buf struct buf line = {0};

    if (s->options->quiet && !v->failed)
        return;
    buf_printf(&line, "%s\t%s\t%s\t%u\t%s\t%ld",
               v->failed      ? "FAIL"
               : v->unreached ? "unreached"
                              : "ok",
               s->scenario->name, injury_name(job), p->occurrence, p->key, ms);
    if (v->failed)
        buf_printf(&line, "\t%s", v->reason);
    while (line.len && line.data[line.len - 1] == '\n')
        line.data[--line.len] = 0;
    fprintf(s->options->out, "%s\n", line.data);
    fflush(s->options->out);
}

static int make_attempt(struct sweep *s, struct attempts *a, const struct job *job, struct err *err)
{
    struct verdict v = {0};
    long start = tracer_now();
    int r = 0;

    for (int tries = 0; tries < 2 && !r; tries++) {
        struct injection injection = {.kind = job->kind,
                                      .error = job->error ? job->error->number : 0,
                                      .at = &s->points.items[job->point]};

        r = attempt_injured(a, &injection, &v, err);
        if (v.failed || !v.unreached)
            break;
    }
    atomic_fetch_add(&s->shared->made, 1);
    atomic_fetch_add(&s->shared->failed, v.failed);
    atomic_fetch_add(&s->shared->unreached, !v.failed && v.unreached);
    say(s, job, tracer_now() - start, &v);
    return r;
}

static int work(struct sweep *s, struct err *err)
{
    struct attempts a;
    unsigned i;
    int r = attempts_begin(&a, s->scenario, err), budget = s->options->budget_ms;
    long start = tracer_now();

    while (!r && (!budget || tracer_now() - start < budget) &&
           (i = atomic_fetch_add(&s->shared->next, 1)) < s->job_count)
        r = make_attempt(s, &a, &s->jobs[i], err);
    attempts_end(&a);
    return r;
}

/* --- the recording, handed on through a file -------------------------------------------------- */

static void write_points(int fd, const struct point_list *points)
{
    for (size_t i = 0; i < points->len; i++) {
        const struct point *p = &points->items[i];

        dprintf(fd, "%d %x %u %s\n", p->changes, p->errors, p->occurrence, p->key);
    }
}

static void read_points(int fd, struct point_list *ret)
{
    cleanup_fclose FILE *f = fdopen(dup(fd), "r");
    char *line = NULL;
    size_t room = 0;

    rewind(f);
    while (getline(&line, &room, f) > 0) {
        struct point p = {0};
        int changes, at = 0;

        line[strcspn(line, "\n")] = 0;
        if (sscanf(line, "%d %x %u %n", &changes, &p.errors, &p.occurrence, &at) != 3)
            continue;
        p.changes = changes;
        p.key = str_copy(line + at);
        ret->items = mem_grow(ret->items, ret->len + 1, sizeof *ret->items);
        ret->items[ret->len++] = p;
    }
    free(line);
}

static int record(struct sweep *s, int fd, struct err *err)
{
    struct point_list points = {0};
    struct attempts a;
    int r = attempts_begin(&a, s->scenario, err);

    for (int i = 0; i < RECORDINGS && !r; i++)
        r = attempt_record(&a, &points, err);
    if (!r)
        write_points(fd, &points);
    point_list_free(&points);
    attempts_end(&a);
    return r;
}

/* --- processes -------------------------------------------------------------------------------- */

/* A child of ours that ends with us. 0 in the child. */
static pid_t fork_bound(void)
{
    pid_t parent = getpid(), pid;

    fflush(NULL);
    pid = fork();
    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(2);
    return 0;
}

static int wait_for(pid_t pid, struct err *err)
{
    int status;

    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return err_errno(err, "cannot run a process of the sweep");
    return status ? err_set(err, EIO, "a process of the sweep gave up (status %x)", status) : 0;
}

/* The first reason is the one that tells most. */
static _Noreturn void finish(struct sweep *s, int r, const struct err *why)
{
    if (r < 0 && !*s->shared->reason)
        memcpy(s->shared->reason, why->message, sizeof s->shared->reason);
    _exit(r < 0 ? 2 : 0);
}

/* A process that does its part in the place of this one. */
static pid_t spawn_worker(struct sweep *s, int recording)
{
    struct err err = {0};
    pid_t pid = fork_bound();
    int r;

    if (pid)
        return pid;
    r = recording >= 0 ? record(s, recording, &err) : work(s, &err);
    finish(s, r, &err);
}

/* A process in a place of its own, and in it the worker and, beside it, what serves it: so that the
 * worker has no children but those of the commands. */
static pid_t spawn(struct sweep *s, int recording)
{
    struct err err = {0};
    pid_t pid = fork_bound(), served = 0;
    int r;

    if (pid)
        return pid;
    r = place_enter(&err);
    if (!r && s->scenario->subject->needs_registry)
        r = served = scenario_start_registry(&err);
    if (r >= 0)
        r = wait_for(spawn_worker(s, recording), &err);
    if (served > 0)
        kill(served, SIGKILL);
    finish(s, r, &err);
}

static int wait_for_place(pid_t pid, struct err *err)
{
    int r = wait_for(pid, err);

    groups_release(pid);
    return r;
}

static int run_workers(struct sweep *s, struct err *err)
{
    int jobs = s->options->jobs ? s->options->jobs : (int)sysconf(_SC_NPROCESSORS_ONLN), r = 0;
    pid_t *pids = mem_alloc((size_t)jobs * sizeof *pids);

    for (int i = 0; i < jobs; i++)
        pids[i] = spawn(s, -1);
    for (int i = 0; i < jobs; i++) {
        int one = wait_for_place(pids[i], err);

        r = r ? r : one;
    }
    free(pids);
    return r;
}

static void list_jobs(const struct sweep *s)
{
    for (unsigned i = 0; i < s->job_count; i++) {
        const struct point *p = &s->points.items[s->jobs[i].point];

        fprintf(s->options->out, "point\t%s\t%s\t%u\t%s\n", s->scenario->name,
                injury_name(&s->jobs[i]), p->occurrence, p->key);
    }
}

int sweep_scenario(const struct scenario *scenario, const struct sweep_options *options,
                   struct sweep_result *ret, struct err *err)
{
    struct sweep s = {.scenario = scenario, .options = options, .start = tracer_now()};
    cleanup_close int file = memfd_create("points", MFD_CLOEXEC);
    int r;

    s.shared =
        mmap(NULL, sizeof *s.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (file < 0 || s.shared == MAP_FAILED)
        return err_errno(err, "cannot share the list of points");
    r = wait_for_place(spawn(&s, file), err);
    if (!r) {
        read_points(file, &s.points);
        add_jobs(&s);
        take_sample(&s);
        shuffle(&s);
        if (options->list)
            list_jobs(&s);
        else
            r = run_workers(&s, err);
    }
    if (r < 0 && *s.shared->reason)
        err_set(err, EIO, "%s", s.shared->reason);
    *ret = (struct sweep_result){(unsigned)s.points.len, s.shared->made, s.shared->failed,
                                 s.shared->unreached, tracer_now() - s.start};
    munmap(s.shared, sizeof *s.shared);
    point_list_free(&s.points);
    free(s.jobs);
    return r;
}
