/* health.c - is the container well? Every so often a command is run in it that says so.
 *
 *     starting --0--> healthy --"retries" failures in a row--> unhealthy --0--> healthy
 *         \-- "retries" failures after the start period --> unhealthy
 *
 * Joining a container can block (its control group may be frozen, its disk slow), and the shim must
 * not: its output would not be read. So each check is a fork of the shim, the prober (probe.c),
 * which sends one packet when the check is over. The prober also owns the time limit. A container
 * that is paused is not checked, and a check that was on its way then does not count. */
#include "engine/shim/health.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/shim/container.h"
#include "engine/shim/probe.h"
#include "engine/shim/shim.h"

enum status { STARTING, HEALTHY, UNHEALTHY };
static const char *const status_names[] = {"starting", "healthy", "unhealthy"};

struct shim_health {
    const struct shim_options *options;
    struct probe_place place;
    long long interval, start_interval, start_period; /* ms */
    long long retries;
    long long started, next; /* shim_clock_ms(); the check to come */
    enum status status;
    long long streak; /* failures in a row */
    int result;       /* the prober's socket while there is one, else -1 */
    pid_t prober;
};

/* --- the record ------------------------------------------------------------------------------ */

/* What an earlier run or check left. */
static json_t *load_log(int dir)
{
    struct err ignored = {0};
    cleanup_json json_t *record = json_load(dir, HEALTH_FILE, HEALTH_FILE_MAX, &ignored);
    json_t *log = json_object_get(record, "Log");

    return json_is_array(log) ? json_incref(log) : json_array();
}

/* Not durable: after a crash of the machine nobody asks how a container felt before. A disk that is
 * full costs the entry, never the container. */
static void write_record(const struct shim_health *h, json_t *entry)
{
    cleanup_close int dir = open(h->options->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_json json_t *record = json_object();
    cleanup_free char *text = NULL;
    struct err ignored = {0};
    json_t *log = load_log(dir);

    if (entry)
        json_push(log, entry);
    while (json_array_size(log) > HEALTH_LOG_MAX)
        json_array_remove(log, 0);
    json_put_str(record, "Status", status_names[h->status]);
    json_put(record, "FailingStreak", json_integer(h->streak));
    json_put(record, "Log", log);
    text = json_text(record, JSON_COMPACT);
    if (dir >= 0)
        file_store(dir, HEALTH_FILE, text, strlen(text), 0600, false, &ignored);
}

static json_t *log_entry(const struct probe_result *result)
{
    json_t *entry = json_object();
    char when[40];

    clock_format(result->start_ns, when);
    json_put_str(entry, "Start", when);
    clock_format(result->end_ns, when);
    json_put_str(entry, "End", when);
    json_put(entry, "ExitCode", json_integer(result->exit_code));
    json_put(entry, "Output", shim_log_text(result->output, result->len));
    return entry;
}

/* --- what a result means --------------------------------------------------------------------- */

/* A container that has never been well has time to come up: until then failures do not count. */
static bool counts(const struct shim_health *h, const struct probe_result *result)
{
    return h->status != STARTING || result->start_ms - h->started >= h->start_period;
}

static void take_result(struct shim_health *h, const struct probe_result *result)
{
    enum status before = h->status;

    if (!result->exit_code) {
        h->streak = 0;
        h->status = HEALTHY;
    } else if (counts(h, result) && ++h->streak >= h->retries) {
        h->status = UNHEALTHY;
    }
    write_record(h, log_entry(result));
    if (h->status != before) {
        cleanup_free char *action = str_format("health_status: %s", status_names[h->status]);

        shim_event(h->options, action, NULL, NULL);
    }
}

/* Between the end of one check and the next. */
static long long pause_between(const struct shim_health *h)
{
    bool coming_up = h->status == STARTING && shim_clock_ms() - h->started < h->start_period;

    return coming_up ? h->start_interval : h->interval;
}

static void rest(struct shim_health *h)
{
    h->next = shim_clock_ms() + pause_between(h);
}

/* --- the prober ------------------------------------------------------------------------------ */

static void begin(struct shim_health *h)
{
    int pair[2] = {-1, -1};

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        rest(h);
        return;
    }
    h->prober = fork();
    if (!h->prober) /* with its end only: what else is open is the shim's to close */
        probe_and_exit(h->options, &h->place, pair[1]);
    close_fd(&pair[1]);
    if (h->prober < 0)
        close_fd(&pair[0]);
    h->result = pair[0];
    if (h->prober < 0)
        rest(h);
}

static void finish(struct shim_health *h)
{
    struct probe_result *result = mem_alloc(sizeof *result);
    ssize_t n = recv(h->result, result, sizeof *result, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        free(result);
        return;
    }
    close_fd(&h->result);
    shim_reap(h->prober); /* its last word was its last act */
    if (n >= (ssize_t)offsetof(struct probe_result, output) && !result->cancelled)
        take_result(h, result);
    free(result);
    rest(h);
}

/* --- for the others -------------------------------------------------------------------------- */

static void read_plan(struct shim_health *h)
{
    cleanup_json json_t *document = shim_load_file(h->options);
    const json_t *plan = json_object_get(document, "health");

    h->interval = json_int(plan, "interval", 30000);
    h->start_interval = json_int(plan, "start_interval", 5000);
    h->start_period = json_int(plan, "start_period", 0);
    h->retries = json_int(plan, "retries", 3);
}

struct shim_health *shim_health_new(const struct shim_options *o, const struct shim_container *c)
{
    struct shim_health *h;

    if (!o->health)
        return NULL;
    h = mem_alloc(sizeof *h);
    h->options = o;
    h->result = -1;
    h->place.shim = getpid();
    h->place.group = shim_container_place(c);
    proc_identify(shim_container_pid(c), &h->place.init);
    read_plan(h);
    h->started = shim_clock_ms();
    rest(h);
    write_record(h, NULL); /* "starting", before anybody can ask */
    return h;
}

void shim_health_poll(const struct shim_health *h, struct pollfd *p, int *timeout_ms)
{
    long long left = h ? h->next - shim_clock_ms() : 0;

    *p = (struct pollfd){h ? h->result : -1, POLLIN, 0};
    if (!h || h->result >= 0)
        return;
    left = left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : left;
    if (*timeout_ms < 0 || left < *timeout_ms)
        *timeout_ms = (int)left;
}

void shim_health_serve(struct shim_health *h, const struct pollfd *p)
{
    if (!h)
        return;
    if (h->result >= 0 && p->revents)
        finish(h);
    else if (h->result < 0 && shim_clock_ms() >= h->next)
        probe_is_idle(&h->place) ? rest(h) : begin(h);
}

void shim_health_end(struct shim_health *h)
{
    if (!h || h->result < 0)
        return;
    kill(h->prober, SIGKILL);
    shim_reap(h->prober);
    close_fd(&h->result);
}
