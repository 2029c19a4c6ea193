#include "container.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

static char directory[64];
static int bundles;
bool container_no_pivot;

const char *container_dir(void)
{
    return directory;
}

void container_setup(void)
{
    strcpy(directory, "/tmp/cooper-system-XXXXXX");
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        !mkdtemp(directory) || mount("tmpfs", directory, "tmpfs", 0, "mode=755") < 0) {
        perror("cannot prepare the system tests (they need root)");
        exit(2);
    }
}

/* Groups are named after the test's process. One that lives belongs to another run of the suites,
 * in another working tree. */
static bool maker_lives(const char *name)
{
    return kill((pid_t)strtol(name, NULL, 10), 0) == 0;
}

/* A test that failed half-way may have left its container. */
static void end_leftovers(const char *hierarchy)
{
    cleanup_free char *path = str_format("/sys/fs/cgroup%s" TEST_CGROUPS, hierarchy);
    cleanup_closedir DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        cleanup_free char *group = str_format(TEST_CGROUPS "/%s", entry->d_name);
        struct err ignored = {0};

        if (entry->d_type == DT_DIR && *entry->d_name != '.' && !maker_lives(entry->d_name))
            runtime_cgroup_destroy(NULL, group, &ignored);
    }
}

void container_teardown(void)
{
    end_leftovers("");
    end_leftovers("/pids");
    umount2(directory, MNT_DETACH);
    rmdir(directory);
}

/* --- the bundle ------------------------------------------------------------------------------- */

static void store(const char *dir, const char *path, const char *text)
{
    cleanup_free char *full = str_format("%s/%s", dir, path);
    struct err err = {0};

    ck_assert_msg(!file_store(AT_FDCWD, full, text, strlen(text), 0644, false, &err), "%s",
                  err.message);
}

void container_install(const char *bundle, const char *payload)
{
    cleanup_free char *from = str_format(BUILD_DIR "/tests/payload/%s", payload);
    cleanup_free char *to = str_format("%s/rootfs/bin/%s", bundle, payload);
    cleanup_buf struct buf program = {0};
    struct err err = {0};

    ck_assert_msg(!file_load(AT_FDCWD, from, 16 << 20, &program, &err) &&
                      !file_store(AT_FDCWD, to, program.data, program.len, 0755, false, &err),
                  "%s", err.message);
}

char *container_bundle(void)
{
    static const char *const dirs[] = {"rootfs/bin", "rootfs/etc", "rootfs/tmp", "rootfs/root"};
    char *bundle = str_format("%s/%d-%d", directory, getpid(), ++bundles);
    struct err err = {0};

    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        cleanup_free char *path = str_format("%s/%s", bundle, dirs[i]);

        ck_assert_msg(!file_make_dirs(AT_FDCWD, path, 0755, &err), "%s", err.message);
    }
    container_install(bundle, "probe");
    store(bundle, "rootfs/etc/passwd",
          "root:x:0:0:root:/root:/bin/sh\n"
          "app:x:1000:1001:App:/home/app:/bin/sh\n"
          "1234:x:77:77:a name of digits:/seven:/bin/sh\n");
    store(bundle, "rootfs/etc/group",
          "root:x:0:\napp:x:1001:\nwheel:x:10:root,app\naudio:x:29:app\nother:x:500:root\n");
    return bundle;
}

/* --- config.json ------------------------------------------------------------------------------ */

static json_t *words(const char *text)
{
    cleanup_strv struct strv list = {0};

    strv_split(&list, text, ' ');
    return json_from_strings(&list);
}

json_t *container_mount(const char *type, const char *source, const char *destination,
                        const char *options)
{
    cleanup_strv struct strv list = {0};
    json_t *mount = json_object();

    strv_split(&list, options, ',');
    json_put_str(mount, "type", type);
    json_put_str(mount, "source", source);
    json_put_str(mount, "destination", destination);
    json_put(mount, "options", json_from_strings(&list));
    return mount;
}

static json_t *default_mounts(void)
{
    static const char *const mounts[][4] = {
        {"proc", "proc", "/proc", "nosuid,noexec,nodev"},
        {"tmpfs", "tmpfs", "/dev", "nosuid,strictatime,mode=755,size=65536k"},
        {"devpts", "devpts", "/dev/pts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"},
        {"sysfs", "sysfs", "/sys", "nosuid,noexec,nodev,ro"},
        {"cgroup", "cgroup", "/sys/fs/cgroup", "ro,nosuid,noexec,nodev"},
        {"mqueue", "mqueue", "/dev/mqueue", "nosuid,noexec,nodev"},
        {"tmpfs", "shm", "/dev/shm", "nosuid,noexec,nodev,mode=1777,size=65536k"},
    };
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++)
        json_push(list, container_mount(mounts[i][0], mounts[i][1], mounts[i][2], mounts[i][3]));
    return list;
}

static json_t *default_caps(void)
{
    json_t *caps = json_object();

    json_put(caps, "bounding", json_from_argv((char *const *)runtime_default_caps));
    json_put(caps, "effective", json_from_argv((char *const *)runtime_default_caps));
    json_put(caps, "permitted", json_from_argv((char *const *)runtime_default_caps));
    return caps;
}

static const char masked[] =
    "/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats "
    "/proc/sched_debug /proc/scsi /proc/timer_list /proc/timer_stats /proc/kpagecount "
    "/proc/kpageflags /proc/kpagecgroup /proc/slabinfo /proc/vmallocinfo /proc/pagetypeinfo "
    "/proc/iomem /proc/ioports /sys/firmware /sys/devices/virtual/powercap /sys/dev/block";

static json_t *default_linux(const char *bundle)
{
    static const char *const kinds[] = {"mount", "pid", "network", "ipc", "uts", "cgroup"};
    json_t *out = json_object(), *namespaces = json_array(), *resources = json_object();
    json_t *devices = json_array();
    cleanup_free char *path = str_format(TEST_CGROUPS "/%s", strrchr(bundle, '/') + 1);

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        json_push(namespaces, json_pack("{s:s}", "type", kinds[i]));
    json_push(devices, json_pack("{s:b,s:s}", "allow", 0, "access", "rwm"));
    json_put(resources, "devices", devices);
    json_put(out, "namespaces", namespaces);
    json_put(out, "resources", resources);
    json_put_str(out, "cgroupsPath", path);
    json_put(out, "maskedPaths", words(masked));
    json_put(out, "readonlyPaths",
             words("/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger"));
    return out;
}

static json_t *config_of(const char *bundle, const char *payload, const char *command)
{
    cleanup_free char *line = str_format("/bin/%s %s", payload, command);
    json_t *config = json_object(), *process = json_object();

    json_put(process, "args", words(line));
    json_put(process, "env", words("PATH=/usr/bin:/bin TERM=xterm"));
    json_put_str(process, "cwd", "/");
    json_put(process, "user", json_pack("{s:i,s:i}", "uid", 0, "gid", 0));
    json_put(process, "capabilities", default_caps());
    json_put_str(config, "ociVersion", "1.2.0");
    json_put(config, "process", process);
    json_put(config, "root", json_pack("{s:s}", "path", "rootfs"));
    json_put_str(config, "hostname", "inside");
    json_put(config, "mounts", default_mounts());
    json_put(config, "linux", default_linux(bundle));
    json_put(config, "annotations", json_pack("{s:s}", "org.cooper.seccomp", "default"));
    return config;
}

json_t *container_config(const char *bundle, const char *command)
{
    return config_of(bundle, "probe", command);
}

json_t *container_config_of(const char *bundle, const char *payload, const char *command)
{
    container_install(bundle, payload);
    return config_of(bundle, payload, command);
}

void container_set(json_t *config, const char *path, json_t *value)
{
    cleanup_free char *copy = str_copy(path);
    char *rest = copy, *name;

    while ((name = strsep(&rest, ".")) && rest) {
        if (!json_object_get(config, name))
            json_put(config, name, json_object());
        config = json_object_get(config, name);
    }
    json_put(config, name, value);
}

void container_append(json_t *config, const char *path, json_t *value)
{
    if (!json_at(config, path))
        container_set(config, path, json_array());
    json_push(json_at(config, path), value);
}

void container_annotate(json_t *config, const char *name, const char *value)
{
    json_put_str(json_object_get(config, "annotations"), name, value);
}

void container_remove_namespace(json_t *config, const char *type)
{
    json_t *list = json_at(config, "linux.namespaces");

    for (size_t i = json_array_size(list); i-- > 0;)
        if (!strcmp(json_str(json_array_get(list, i), "type", ""), type))
            json_array_remove(list, i);
}

/* --- running ---------------------------------------------------------------------------------- */

void outcome_free(struct outcome *outcome)
{
    free(outcome->output);
}

char *read_all(int fd)
{
    struct buf text = {0};
    struct err err = {0};

    ck_assert_msg(!file_load_fd(fd, 8 << 20, &text, &err), "%s", err.message);
    return buf_steal(&text);
}

static int wait_for(const struct runtime_container *c)
{
    int status = -1;

    ck_assert_int_eq(waitpid(runtime_pid(c), &status, 0), runtime_pid(c));
    return status;
}

void container_run(const char *bundle, const json_t *config, struct outcome *ret)
{
    struct runtime_container *c = NULL;
    int out[2];
    struct runtime_request request = {
        .id = strrchr(bundle, '/') + 1,
        .bundle = bundle,
        .config = config,
        .stdio = {-1, -1, -1},
        .no_pivot = container_no_pivot,
    };
    struct err err = {0};

    memset(ret, 0, sizeof *ret);
    ck_assert(!pipe2(out, O_CLOEXEC));
    request.stdio[1] = request.stdio[2] = out[1];
    ret->created = runtime_create(&request, &c, &ret->err);
    close(out[1]);
    if (ret->created < 0) {
        ret->output = read_all(out[0]);
        close(out[0]);
        return;
    }
    ret->started = runtime_start(c, &ret->err);
    ret->output = read_all(out[0]);
    close(out[0]);
    if (!ret->started)
        ret->status = wait_for(c);
    ret->oom_killed = runtime_oom_killed(c);
    ret->destroyed = runtime_destroy(c, &err);
    ck_assert_msg(!ret->destroyed, "destroy: %s", err.message);
    runtime_free(c);
}

void container_probe(const char *command, struct outcome *ret)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, command);

    container_run(bundle, config, ret);
    ck_assert_msg(!ret->created && !ret->started, "%s", ret->err.message);
}

const char *answer(const struct outcome *outcome, const char *command)
{
    static char found[65536];
    cleanup_free char *start = str_format("%s: ", command);
    const char *at = outcome->output;

    while (at && strncmp(at, start, strlen(start)))
        at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL;
    ck_assert_msg(at != NULL, "no answer to '%s' in:\n%s", command, outcome->output);
    at += strlen(start);
    if (*at == '<') /* of several lines */
        snprintf(found, sizeof found, "%.*s", (int)(strcspn(at, ">") - 1), at + 1);
    else
        snprintf(found, sizeof found, "%.*s", (int)strcspn(at, "\n"), at);
    return found;
}

void container_start(const char *bundle, const json_t *config, struct running *ret)
{
    int in[2], out[2];
    struct runtime_request request = {
        .id = strrchr(bundle, '/') + 1,
        .bundle = bundle,
        .config = config,
        .no_pivot = container_no_pivot,
    };
    struct err err = {0};

    ck_assert(!pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC));
    request.stdio[0] = in[0];
    request.stdio[1] = request.stdio[2] = out[1];
    request.rows = 24;
    request.columns = 80;
    ck_assert_msg(!runtime_create(&request, &ret->c, &err), "%s", err.message);
    close(in[0]);
    close(out[1]);
    ret->in = in[1];
    ret->out = out[0];
    ck_assert_msg(!runtime_start(ret->c, &err), "%s", err.message);
}

void container_exec_process(struct running *r, const char *bundle, const json_t *config,
                            const json_t *process, const char *user, struct executed *ret)
{
    int out[2], console = -1;
    pid_t pid;
    struct runtime_exec_request request = {.init = runtime_pid(r->c),
                                           .init_pidfd = runtime_pidfd(r->c),
                                           .id = strrchr(bundle, '/') + 1,
                                           .cgroup = runtime_cgroup_place(r->c),
                                           .bundle = bundle,
                                           .config = config,
                                           .process = process,
                                           .user = user,
                                           .stdio = {-1, -1, -1}};

    memset(ret, 0, sizeof *ret);
    ck_assert(!pipe2(out, O_CLOEXEC));
    request.stdio[1] = request.stdio[2] = out[1];
    ret->result = runtime_exec(&request, &pid, &console, &ret->err);
    close(out[1]);
    ret->output = read_all(out[0]);
    close(out[0]);
    if (!ret->result)
        ck_assert_int_eq(waitpid(pid, &ret->status, 0), pid);
}

void container_exec(struct running *r, const char *bundle, const json_t *config,
                    const char *command, const char *user, struct executed *ret)
{
    cleanup_json json_t *process = json_deep_copy(json_object_get(config, "process"));
    cleanup_free char *line = str_format("/bin/probe %s", command);

    json_put(process, "args", words(line));
    container_exec_process(r, bundle, config, process, user, ret);
}

void container_await(struct running *r, const char *text)
{
    char seen[4096] = "";
    size_t len = 0;

    while (!strstr(seen, text)) {
        ssize_t n = read(r->out, seen + len, sizeof seen - 1 - len);

        ck_assert_msg(n > 0, "the container ended without saying '%s':\n%s", text, seen);
        len += (size_t)n;
        seen[len] = 0;
    }
}

int container_end(struct running *r)
{
    struct err err = {0};
    int status;

    close(r->in);
    status = wait_for(r->c);
    close(r->out);
    ck_assert_msg(!runtime_destroy(r->c, &err), "%s", err.message);
    runtime_free(r->c);
    return status;
}
