#include "ordinary.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "bundle.h"

static int give_to_user(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return lchown(path, USER, USER);
}

json_t *config_of_user(const char *bundle, const char *command)
{
    json_t *config = config_in_userns(bundle, command), *mount;
    size_t i;

    json_array_foreach(json_at(config, "mounts"), i,
                       mount) if (!strcmp(json_str(mount, "type", ""),
                                          "devpts")) /* the group "tty" is not mapped */
        json_put(mount, "options", json_pack("[s,s,s]", "nosuid", "noexec", "newinstance"));
    ck_assert(!nftw(bundle, give_to_user, 16, FTW_PHYS));

    container_set(config, "linux.uidMappings",
                  json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID", USER, "size", 1));
    container_set(config, "linux.gidMappings",
                  json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID", USER, "size", 1));
    json_object_del(json_at(config, "process"), "oomScoreAdj");
    return config;
}

static void become_user(const char *group)
{
    struct err err = {0};

    if (group && file_poke(AT_FDCWD, group, "0", &err) < 0)
        _exit(3);
    if (setgroups(0, NULL) < 0 || setresgid(USER, USER, USER) < 0 ||
        setresuid(USER, USER, USER) < 0)
        _exit(4);
    prctl(PR_SET_DUMPABLE, 1); /* or /proc/self is root's */
}

/* One more process in it, which says where it is. */
static void execute(const struct runtime_container *c, const char *bundle, const json_t *config,
                    struct attempt *ret)
{
    cleanup_json json_t *process = json_deep_copy(json_object_get(config, "process"));
    cleanup_free char *output = NULL;
    struct runtime_exec_request request = {.init = runtime_pid(c),
                                           .init_pidfd = runtime_pidfd(c),
                                           .bundle = bundle,
                                           .config = config,
                                           .process = process,
                                           .cgroup = runtime_cgroup_place(c),
                                           .stdio = {-1, -1, -1}};
    struct err err = {0};
    int out[2], console = -1;
    pid_t pid;

    json_put(process, "args", json_pack("[s,s,s]", "/bin/probe", "cat", "/proc/self/cgroup"));
    if (pipe2(out, O_CLOEXEC) < 0)
        _exit(6);
    request.stdio[1] = request.stdio[2] = out[1];
    if (!runtime_exec(&request, &pid, &console, &err))
        waitpid(pid, NULL, 0);
    close(out[1]);
    output = read_all(out[0]);
    close(out[0]);
    snprintf(ret->executed, sizeof ret->executed, "%s%s", output, err.message);
}

static void make_container(const char *bundle, const json_t *config,
                           enum runtime_cgroup_manager manager, struct attempt *ret)
{
    struct runtime_request request = {.id = "o",
                                      .bundle = bundle,
                                      .config = config,
                                      .stdio = {-1, -1, -1},
                                      .cgroup_manager = manager};
    struct runtime_container *c;
    cleanup_free char *output = NULL;
    struct err err = {0};
    int in[2], out[2];

    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        _exit(5);
    request.stdio[0] = in[0];
    request.stdio[1] = request.stdio[2] = out[1];
    ret->created = runtime_create(&request, &c, &err);
    close(out[1]);
    if (!ret->created) {
        snprintf(ret->path, sizeof ret->path, "%s", runtime_cgroup_place(c).path);
        ret->created = runtime_start(c, &err);
        if (!ret->created &&
            !strcmp(json_string_value(json_array_get(json_at(config, "process.args"), 1)), "wait"))
            execute(c, bundle, config, ret);
        close(in[1]);
        output = read_all(out[0]);
        snprintf(ret->output, sizeof ret->output, "%s", output);
        waitpid(runtime_pid(c), NULL, 0);
        runtime_destroy(c, &err);
    }
    snprintf(ret->message, sizeof ret->message, "%s", err.message);
}

void attempt(const char *bundle, const json_t *config, enum runtime_cgroup_manager manager,
             const char *group, struct attempt *ret)
{
    int answer[2];
    pid_t pid;

    ck_assert(!pipe(answer));
    pid = fork();
    if (!pid) {
        struct attempt mine = {0};

        become_user(group);
        make_container(bundle, config, manager, &mine);
        _exit(file_write(answer[1], &mine, sizeof mine) < 0);
    }
    close(answer[1]);
    ck_assert_int_eq(file_read(answer[0], ret, sizeof *ret), sizeof *ret);
    close(answer[0]);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
