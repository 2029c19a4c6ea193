#include "engine/world.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

static char *directory, *root, *other_root;

/* What the tests call by name inside the container. */
static const char *const applets[] = {
    "basename", "cat",   "chmod",  "chown", "cp",       "cut",  "dd",   "df",      "echo",  "env",
    "expr",     "false", "grep",   "head",  "hostname", "id",   "ip",   "kill",    "ln",    "ls",
    "mkdir",    "mknod", "mount",  "ping",  "ps",       "pwd",  "rm",   "sed",     "seq",   "sh",
    "sort",     "sleep", "stat",   "stty",  "tail",     "test", "time", "timeout", "touch", "tr",
    "true",     "tty",   "umount", "uname", "usleep",   "wc",   "yes",
};

static void put_file(const char *path, const char *text)
{
    struct err err = {0};

    ck_assert_msg(!file_store(AT_FDCWD, path, text, strlen(text), 0644, false, &err), "%s",
                  err.message);
}

static const char *program_path, *program_name;

void world_program(const char *path, const char *name)
{
    program_path = path;
    program_name = name;
}

static void make_tree(const char *tree)
{
    static const char *const dirs[] = {"bin", "etc", "root", "tmp", "proc", "sys", "dev", "data"};
    cleanup_free char *busybox = str_format("%s/bin/busybox", tree);
    cleanup_free char *passwd = str_format("%s/etc/passwd", tree);
    cleanup_free char *group = str_format("%s/etc/group", tree);
    cleanup_run struct run_result r = {0};
    struct err err = {0};

    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        cleanup_free char *path = str_format("%s/%s", tree, dirs[i]);

        ck_assert_msg(!file_make_dirs(AT_FDCWD, path, 0755, &err), "%s", err.message);
    }
    RUN_OK(&r, NULL, "cp", "/usr/bin/busybox", busybox);
    if (program_path) {
        cleanup_free char *program = str_format("%s/bin/%s", tree, program_name);

        RUN_OK(&r, NULL, "cp", program_path, program);
    }
    for (size_t i = 0; i < sizeof applets / sizeof *applets; i++) {
        cleanup_free char *path = str_format("%s/bin/%s", tree, applets[i]);

        ck_assert_int_eq(symlink("busybox", path), 0);
    }
    put_file(passwd, "root:x:0:0:root:/root:/bin/sh\nwww:x:82:82:web:/data:/bin/sh\n");
    put_file(group, "root:x:0:\nwww:x:82:\nstaff:x:50:www\n");
}

void world_make(void)
{
    cleanup_free char *tree = NULL, *tar = NULL;
    cleanup_run struct run_result r = {0};

    directory = temp_dir();
    root = str_format("%s/root", directory);
    other_root = str_format("%s/other", directory);
    tree = str_format("%s/tree", directory);
    tar = str_format("%s/box.tar", directory);
    make_tree(tree);
    RUN_OK(&r, NULL, "tar", "--owner=0", "--group=0", "--numeric-owner", "-C", tree, "-cf", tar,
           ".");
    EXPECT(0, NULL, "", "import", "--change", "CMD [\"sh\"]", tar, BOX);
}

/* `cooper rm -f` of all containers of one root: what a test left because it failed. */
static void remove_containers(const char *of)
{
    cleanup_run struct run_result r = {0};
    cleanup_strv struct strv argv = {0}, ids = {0};

    if (access(of, F_OK))
        return;
    RUN(&r, NULL, BUILD_DIR "/bin/cooper", "--root", of, "ps", "-aq", "--no-trunc");
    strv_split(&ids, r.out.data, '\n');
    strv_add(&argv, BUILD_DIR "/bin/cooper");
    strv_add(&argv, "--root");
    strv_add(&argv, of);
    strv_add(&argv, "rm");
    strv_add(&argv, "-f");
    for (size_t i = 0; i < ids.len; i++)
        if (*ids.items[i])
            strv_add(&argv, ids.items[i]);
    if (argv.len > 5)
        run_argv(&r, NULL, (const char *const *)argv.items);
}

void world_clear(void)
{
    remove_containers(root);
}

static bool own_network; /* not the machine's */

/* What a root leaves for the next container: bridges and the tables of rules. */
static void clear_network(void)
{
    struct if_nameindex *links = own_network ? if_nameindex() : NULL;
    cleanup_run struct run_result r = {0};

    for (struct if_nameindex *l = links; l && l->if_index; l++)
        if (!strncmp(l->if_name, "cooper", 6) || !strncmp(l->if_name, "br-", 3))
            RUN(&r, NULL, "ip", "link", "del", l->if_name);
    if (links)
        if_freenameindex(links);
    if (own_network)
        RUN(&r, NULL, "nft", "flush", "ruleset");
}

void world_remove(void)
{
    if (!directory)
        return;
    remove_containers(root);
    remove_containers(other_root);
    world_assert_nothing_left(NULL);
    clear_network();
    temp_dir_remove(directory);
    free(root);
    free(other_root);
    directory = root = other_root = NULL;
}

const char *world_root(void)
{
    return root;
}

char *world_path(const char *name)
{
    return str_format("%s/%s", directory, name);
}

const char *world_other_root(void)
{
    return other_root;
}

/* --- running
 * -------------------------------------------------------------------------------------- */

static void fill_argv(struct strv *argv, const char *const args[])
{
    strv_add(argv, BUILD_DIR "/bin/cooper");
    strv_add(argv, "--root");
    strv_add(argv, root);
    for (size_t i = 0; args[i]; i++)
        strv_add(argv, args[i]);
}

void world_run(struct run_result *ret, const struct run_options *options, const char *const args[])
{
    cleanup_strv struct strv argv = {0};

    fill_argv(&argv, args);
    run_argv(ret, options, (const char *const *)argv.items);
}

pid_t world_start(const char *log, const char *const args[])
{
    cleanup_strv struct strv argv = {0};

    fill_argv(&argv, args);
    return run_start(NULL, log, (const char *const *)argv.items);
}

const char *world_expect(const char *where, int code, const char *out, const char *err,
                         const char *const args[])
{
    static struct run_result r;
    cleanup_buf struct buf line = {0};
    bool right;

    world_run(&r, NULL, args);
    right = r.code == code && (!out || str_equal(r.out.data, out)) &&
            (!err || (*err ? strstr(r.err.data, err) != NULL : !r.err.len));
    for (size_t i = 0; args[i]; i++)
        buf_printf(&line, " %s", args[i]);
    ck_assert_msg(right,
                  "%s: cooper%s\n  gave %d, expected %d\n  stdout: '%s'\n  expected: '%s'\n"
                  "  stderr: '%s'\n  expected: '%s'",
                  where, line.data, r.code, code, r.out.data, out ? out : "(anything)", r.err.data,
                  err ? err : "(anything)");
    return r.out.data;
}

char *world_output(const char *const args[])
{
    char *text = str_copy(world_expect("output of", 0, NULL, NULL, args));
    size_t len = strlen(text);

    if (len && text[len - 1] == '\n')
        text[len - 1] = 0;
    return text;
}

char *world_inspect(const char *name, const char *format)
{
    return OUTPUT("inspect", "--format", format, name);
}

/* --- waiting, with bounds
 * ------------------------------------------------------------------------- */

enum { TICK_MS = 20 };

void world_tick(void)
{
    nanosleep(&(struct timespec){.tv_nsec = TICK_MS * 1000000L}, NULL);
}

static int stretch(void)
{
    const char *text = getenv("CK_TIMEOUT_MULTIPLIER");
    int n = text ? atoi(text) : 1;

    return n > 1 ? n : 1;
}

int world_ticks(int seconds)
{
    return seconds * stretch() * 1000 / TICK_MS;
}

void world_wait_log(const char *name, const char *text)
{
    cleanup_free char *path = world_inspect(name, "{{.LogPath}}");
    cleanup_free char *content = run_wait_for_text(path, text, 20 * stretch());

    ck_assert_msg(content != NULL, "container '%s' never logged '%s'", name, text);
}

void world_wait_for(const char *name, const char *format, const char *value)
{
    for (int i = world_ticks(20); i > 0; i--) {
        cleanup_free char *now = world_inspect(name, format);

        if (str_equal(now, value))
            return;
        world_tick();
    }
    ck_abort_msg("container '%s' never had %s = '%s'", name, format, value);
}

double world_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

pid_t world_parent_of(pid_t pid)
{
    cleanup_free char *path = str_format("/proc/%d/status", (int)pid);
    cleanup_buf struct buf status = {0};
    struct err err = {0};
    char *line;

    ck_assert(!file_load(AT_FDCWD, path, 65536, &status, &err));
    line = strstr(status.data, "PPid:\t");
    ck_assert(line != NULL);
    return atoi(line + strlen("PPid:\t"));
}

/* --- what is left
 * --------------------------------------------------------------------------------- */

bool world_process_exists(pid_t pid)
{
    cleanup_free char *path = str_format("/proc/%d/stat", (int)pid);
    cleanup_buf struct buf stat = {0};
    struct err err = {0};
    char *state;

    if (file_load(AT_FDCWD, path, 4096, &stat, &err))
        return false;
    state = strrchr(stat.data, ')');
    return state && strlen(state) > 2 && state[2] != 'Z'; /* a zombie is gone but for its status */
}

static const char *sought; /* for nftw, which takes no context */
static char *found;

static int match_directory(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    if (type == FTW_D && strstr(path, sought)) {
        found = str_copy(path);
        return 1;
    }
    return 0;
}

static void assert_no_cgroup(const char *text)
{
    sought = text;
    found = NULL;
    nftw("/sys/fs/cgroup", match_directory, 32, FTW_PHYS);
    ck_assert_msg(!found, "a control group is left: %s", found);
}

static void assert_no_mount(const char *text)
{
    cleanup_buf struct buf mounts = {0};
    struct err err = {0};

    ck_assert(!file_load(AT_FDCWD, "/proc/self/mountinfo", 8 << 20, &mounts, &err));
    ck_assert_msg(!strstr(mounts.data, text), "a mount of '%s' is left:\n%s", text, strstr(mounts.data, text));
}

/* Arguments of a process, NULs made blanks; empty if it is gone. */
static void process_line(const char *pid, struct buf *ret)
{
    cleanup_free char *path = str_format("/proc/%s/cmdline", pid);
    struct err err = {0};

    if (file_load(AT_FDCWD, path, 1 << 20, ret, &err))
        buf_add_str(ret, "");
    for (size_t i = 0; i < ret->len; i++)
        if (!ret->data[i])
            ret->data[i] = ' ';
}

static char *process_with(const char *text)
{
    DIR *proc = opendir("/proc");
    char *hit = NULL;

    ck_assert(proc != NULL);
    for (struct dirent *e; !hit && (e = readdir(proc));) {
        cleanup_buf struct buf line = {0};

        if (*e->d_name < '1' || *e->d_name > '9')
            continue;
        process_line(e->d_name, &line);
        if (strstr(line.data, text) && world_process_exists(atoi(e->d_name)))
            hit = str_format("%s: %s", e->d_name, line.data);
    }
    closedir(proc);
    return hit;
}

pid_t world_shim_of(const char *id)
{
    cleanup_free char *line = str_format("cooper-shim run %s", id);
    cleanup_free char *hit = process_with(line);

    ck_assert_msg(hit != NULL, "container %s has no shim", id);
    return atoi(hit);
}

/* A shim may take a moment to end after its container was removed. */
static void assert_no_process(const char *text)
{
    cleanup_free char *hit = NULL;

    for (int i = world_ticks(5); i > 0; i--) {
        free(hit);
        hit = process_with(text);
        if (!hit)
            return;
        world_tick();
    }
    ck_abort_msg("a process is left: %s", hit);
}

static void assert_no_directory(const char *parent, const char *name)
{
    cleanup_free char *path = str_format("%s/%s", root, parent);
    DIR *d = opendir(path);

    for (struct dirent *e; d && (e = readdir(d));)
        ck_assert_msg(*e->d_name == '.' || (name && !str_equal(e->d_name, name)) ||
                          (!name && strlen(e->d_name) != 64),
                      "a directory is left: %s/%s", path, e->d_name);
    if (d)
        closedir(d);
}

void world_assert_nothing_left(const char *id)
{
    if (id)
        assert_no_cgroup(id);
    assert_no_process(id ? id : directory);
    assert_no_mount(id ? id : directory);
    assert_no_directory("containers", id);
    assert_no_directory("run", id);
}

/* Containers get networks, with bridges and rules: not in the network of the machine that runs the
 * tests. Everything these tests start shares this one, which has a loopback and nothing else. */
__attribute__((constructor)) static void leave_the_machines_network(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd;

    if (geteuid() || unshare(CLONE_NEWNET) < 0)
        return;
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        perror("the loopback of the tests' network");
    close(fd);
    /* A host that forwards already: else the first container's command would say that it does now.
     */
    fd = open("/proc/sys/net/ipv4/ip_forward", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "1", 1) != 1)
        perror("net.ipv4.ip_forward of the tests' network");
    close(fd);
    own_network = true;
}

static const char *probe_root(void)
{
    return geteuid() ? "not root" : NULL;
}
TAG("needs-root", probe_root)
