/* ps: the container's processes as the host's ps(1) shows them, which formats them in all the ways
 * its options say; ours is which lines are the container's. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/container.h"

#define OUTPUT_MAX (64u << 20)

static const struct flag ps_flags[] = {
    {'f', "format", FLAG_TEXT, "table", "select one of: table or json"},
    FLAGS_END,
};

static void add_pid(struct runtime_pids *pids, pid_t pid)
{
    if (pids->len == pids->room) {
        pids->room = pids->room ? 2 * pids->room : 16;
        pids->items = mem_grow(pids->items, pids->room, sizeof *pids->items);
    }
    pids->items[pids->len++] = pid;
}

static bool contains(const struct runtime_pids *pids, long long pid)
{
    for (size_t i = 0; i < pids->len; i++)
        if (pids->items[i] == pid)
            return true;
    return false;
}

static int by_number(const void *a, const void *b)
{
    return *(const pid_t *)a - *(const pid_t *)b;
}

static void print_json(const struct runtime_pids *pids)
{
    cleanup_json json_t *list = json_array();
    cleanup_free char *text = NULL;

    for (size_t i = 0; i < pids->len; i++)
        json_push(list, json_integer(pids->items[i]));
    text = json_text(list, JSON_COMPACT);
    printf("%s\n", text);
}

/* --- the table -------------------------------------------------------------------------------- */

static int wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 255;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_ps(char *const *options, struct buf *ret, struct err *err)
{
    cleanup_strv struct strv argv = {0};
    posix_spawn_file_actions_t actions;
    int pipes[2], r, code;
    pid_t pid;

    strv_add(&argv, "ps");
    for (; *options; options++)
        strv_add(&argv, *options);
    if (argv.len == 1)
        strv_add(&argv, "-ef");
    if (pipe2(pipes, O_CLOEXEC) < 0)
        return err_errno(err, "cannot make a pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
    r = posix_spawnp(&pid, "ps", &actions, NULL, argv.items, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(pipes[1]);
    if (r)
        err_set(err, r, "exec: \"ps\": %s", strerror(r));
    else if (file_load_fd(pipes[0], OUTPUT_MAX, ret, err) < 0)
        r = -1;
    close(pipes[0]);
    code = r > 0 ? 0 : wait_for(pid);
    if (!err->code && code)
        err_set(err, EIO, "ps ended with exit status %d", code);
    return -err->code;
}

/* The number of the column that the headline calls PID, or -1. */
static int pid_column(const char *headline)
{
    cleanup_free char *line = str_copy(headline);
    char *rest, *word = strtok_r(line, " ", &rest);

    for (int i = 0; word; i++, word = strtok_r(NULL, " ", &rest))
        if (!strcmp(word, "PID"))
            return i;
    return -1;
}

static bool is_shown(const char *text, int column, const struct runtime_pids *pids)
{
    cleanup_free char *line = str_copy(text);
    char *rest, *word = strtok_r(line, " ", &rest);
    unsigned long long pid;

    while (word && column-- > 0)
        word = strtok_r(NULL, " ", &rest);
    return word && !str_to_u64(word, &pid) && contains(pids, (long long)pid);
}

static int print_table(const struct args *args, const struct runtime_pids *pids, struct err *err)
{
    cleanup_buf struct buf output = {0};
    char *rest, *line;
    int column;

    if (run_ps(args->rest + 1, &output, err) < 0)
        return -err->code;
    rest = output.data;
    line = strsep(&rest, "\n");
    column = pid_column(line);
    if (column < 0)
        return err_set(err, EINVAL, "couldn't find PID field in ps output");
    printf("%s\n", line);
    while ((line = strsep(&rest, "\n")))
        if (is_shown(line, column, pids))
            printf("%s\n", line);
    return 0;
}

/* A container without a control group (an ordinary user's, or of the manager "disabled") is known
 * by its PID namespace; and if that is ours, by its first process only. */
static int add_by_namespace(const struct container *c, struct runtime_pids *ret, struct err *err)
{
    cleanup_free char *own = str_format("/proc/%d/ns/pid", (int)c->state.init.pid);
    cleanup_closedir DIR *proc = opendir("/proc");
    struct stat wanted, ours, found;
    struct dirent *entry;

    if (!proc || stat("/proc/self/ns/pid", &ours) < 0)
        return err_errno(err, "cannot read /proc");
    if (stat(own, &wanted) < 0)
        return 0; /* it has ended */
    if (wanted.st_ino == ours.st_ino) {
        add_pid(ret, c->state.init.pid);
        return 0;
    }
    while ((entry = readdir(proc))) {
        char path[300];

        snprintf(path, sizeof path, "/proc/%s/ns/pid", entry->d_name);
        if (!stat(path, &found) && found.st_ino == wanted.st_ino)
            add_pid(ret, atoi(entry->d_name));
    }
    return 0;
}

/* One that has stopped has no group any more, or an empty one. */
static int find_pids(const struct container *c, struct runtime_pids *ret, struct err *err)
{
    const struct runtime_cgroup_place place = state_cgroup(&c->state);
    int r = runtime_cgroup_pids(&place, true, ret, err);

    if (!r || (r != -ENOENT && r != -ENOTSUP))
        return r;
    err_clear(err);
    return container_status(c) == STATE_STOPPED ? 0 : add_by_namespace(c, ret, err);
}

static int show(struct cli *cli, struct err *err)
{
    const char *format = args_text(&cli->args, "format");
    cleanup_container struct container c = CONTAINER_NONE;
    cleanup_with(runtime_pids_free) struct runtime_pids pids = {0};

    if (container_open(cli, cli->args.rest[0], &c, err) < 0)
        return -err->code;
    if (strcmp(format, "table") && strcmp(format, "json"))
        return err_set(err, EINVAL, "invalid format option");
    if (find_pids(&c, &pids, err) < 0)
        return -err->code;
    if (pids.len)
        qsort(pids.items, pids.len, sizeof *pids.items, by_number);
    if (!strcmp(format, "table"))
        return print_table(&cli->args, &pids, err);
    print_json(&pids);
    return 0;
}

static int cmd_ps(struct cli *cli)
{
    struct err err = {0};

    return show(cli, &err) < 0 ? cli_fail(NULL, &err) : 0;
}

const struct command command_ps = {
    .name = "ps",
    .arguments = "<container-id> [ps options]",
    .summary = "ps displays the processes running inside a container",
    .details = "   Without options for ps(1) they are \"-ef\".\n",
    .flags = ps_flags,
    .min = 1,
    .max = SIZE_MAX,
    .stop_after = 1,
    .run = cmd_ps,
};
