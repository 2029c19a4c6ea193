/* The commands of an OCI runtime: cooper-runtime, or runc or crun for comparison. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "crash/furnish.h"
#include "crash/place.h"
#include "crash/scenarios.h"

#define STATE  PLACE_HOME "/state"
#define ROOTFS PLACE_HOME "/rootfs"
#define ECHO   PLACE_HOME "/echo" /* bundles */
#define SLEEP  PLACE_HOME "/sleep"

static char program[4096] = BUILD_DIR "/bin/cooper-runtime";
static const char *programs[] = {"cooper-runtime", "cooper-init", NULL};
static const char *const prefix[] = {program, "--root", STATE, NULL};

void scenario_use_runtime(const char *name)
{
    cleanup_strv struct strv path = {0};

    snprintf(program, sizeof program, "%s", name);
    programs[0] = strrchr(program, '/') ? strrchr(program, '/') + 1 : program;
    strv_split(&path, getenv("PATH") ? getenv("PATH") : "/usr/sbin:/usr/bin", ':');
    for (size_t i = 0; i < path.len && !strchr(name, '/'); i++) {
        snprintf(program, sizeof program, "%s/%s", path.items[i], name);
        if (!access(program, X_OK))
            break;
    }
    programs[0] = name;
}

/* --- bundles ---------------------------------------------------------------------------------- */

/* Docker's shape, without what the peers need a terminal or a network for. */
static const char config[] =
    "{\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[%s],\"cwd\":\"/\",\"user\":{\"uid\":0,"
    "\"gid\":0},\"env\":[\"PATH=/bin\"],\"noNewPrivileges\":true,"
    "\"capabilities\":{\"bounding\":[\"CAP_KILL\"],\"effective\":[\"CAP_KILL\"],"
    "\"permitted\":[\"CAP_KILL\"]}},\"root\":{\"path\":\"" ROOTFS "\"},\"hostname\":\"cask\","
    "\"mounts\":["
    "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
    "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\","
    "\"mode=755\",\"size=64k\"]},"
    "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":["
    "\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\"]},"
    "{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":[\"ro\"]},"
    "{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\",\"options\":["
    "\"ro\"]}],"
    "\"linux\":{\"cgroupsPath\":\"/cooper/cask\",\"resources\":{\"pids\":{\"limit\":100},"
    "\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]},"
    "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},"
    "{\"type\":\"network\"},{\"type\":\"cgroup\"}],"
    "\"maskedPaths\":[\"/proc/kcore\",\"/proc/keys\"],\"readonlyPaths\":[\"/proc/sys\"]}}\n";

static int make_bundle(const char *directory, const char *args, struct err *err)
{
    cleanup_free char *path = str_format("%s/config.json", directory);
    cleanup_free char *text = str_format(config, args);

    if (file_make_dirs(AT_FDCWD, directory, 0755, err) < 0)
        return -err->code;
    return file_store(AT_FDCWD, path, text, strlen(text), 0644, false, err);
}

static int furnish(struct err *err)
{
    if (furnish_tree(ROOTFS, err) < 0 || make_bundle(ECHO, "\"echo\",\"done\"", err) < 0 ||
        make_bundle(SLEEP, "\"sleep\",\"1000\"", err) < 0)
        return -err->code;
    /* crun refuses a host that has control groups of both versions. */
    if (!strcmp(programs[0], "crun"))
        while (
            !umount2("/sys/fs/cgroup/unified", MNT_DETACH)) /* ours, and the machine's below it */
            ;
    return 0;
}

/* --- the subject ------------------------------------------------------------------------------ */

static bool answer(const struct outcome *o, enum state *ret)
{
    cleanup_json json_t *state = NULL;
    const char *status;
    struct err ignored;

    if (o->status) {
        *ret = ABSENT;
        return strstr(o->err.data, "does not exist") || strstr(o->err.data, "No such file");
    }
    state = json_parse(o->out.data, o->out.len, "the state", &ignored);
    status = json_str(state, "status", "");
    *ret = !strcmp(status, "created") ? CREATED : !strcmp(status, "running") ? RUNNING : STOPPED;
    return *ret != STOPPED || !strcmp(status, "stopped");
}

static const struct subject runtime = {
    .programs = programs,
    .prefix = prefix,
    .furnish = furnish,
    .question = {"state", "cask"},
    .answer = answer,
    .undo = {{"delete", "--force", "cask"}},
    .undone_by_hand = true,
    .created_lives = true,
};

#define RUNS                                                                                       \
    {                                                                                              \
        {                                                                                          \
            "run", "-d", "-b", SLEEP, "cask"                                                       \
        }                                                                                          \
    }

/* clang-format off */
const struct scenario scenarios_runtime[] = {
    {.name = "oci-run", .subject = &runtime, .from = ABSENT, .to = ABSENT, .between = STOPPED,
     .command = {"run", "-b", ECHO, "cask"}, .output = "done\n", .again = "exist"},
    {.name = "oci-run-d", .subject = &runtime, .from = ABSENT, .to = RUNNING, .between = STOPPED,
     .command = {"run", "-d", "-b", SLEEP, "cask"}, .again = "exist"},
    {.name = "oci-create", .subject = &runtime, .from = ABSENT, .to = CREATED, .between = STOPPED,
     .command = {"create", "-b", SLEEP, "cask"}, .again = "exist"},
    {.name = "oci-start", .subject = &runtime, .from = CREATED, .to = RUNNING, .between = STOPPED,
     .before = {{"create", "-b", SLEEP, "cask"}}, .command = {"start", "cask"}, .again = ""},
    {.name = "oci-exec", .subject = &runtime, .from = RUNNING, .to = RUNNING,
     .before = RUNS, .command = {"exec", "cask", "/bin/echo", "done"}, .output = "done\n"},
    {.name = "oci-kill", .subject = &runtime, .from = RUNNING, .to = STOPPED,
     .before = RUNS, .command = {"kill", "cask", "KILL"}, .again = ""},
    {.name = "oci-delete", .subject = &runtime, .from = STOPPED, .to = ABSENT,
     .before = {{"run", "-d", "-b", SLEEP, "cask"}, {"kill", "cask", "KILL"}},
     .command = {"delete", "cask"}, .again = ""},
    {.name = "oci-delete-f", .subject = &runtime, .from = RUNNING, .to = ABSENT, .between = STOPPED,
     .before = RUNS, .command = {"delete", "--force", "cask"}},
    {.name = NULL},
};
/* clang-format on */
