#include "peers/peers.h"

#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

static char *directory, *tree, *archive;
static pid_t daemons[4];
static size_t daemon_count;

static void give_up(const char *what)
{
    perror(what);
    exit(2);
}

static void raise_loopback(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        give_up("loopback");
}

static void make_tree(void)
{
    static const char *const dirs[] = {"bin", "etc", "tmp", "proc", "sys", "dev", "root"};
    static const char *const applets[] = {"cat", "echo", "id", "ls", "sh", "sleep", "true", "tty"};
    cleanup_free char *root = peers_path("tree"), *busybox = str_format("%s/bin/busybox", root);
    cleanup_run struct run_result r = {0};
    struct err err = {0};

    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        cleanup_free char *path = str_format("%s/%s", root, dirs[i]);

        ck_assert_msg(!file_make_dirs(AT_FDCWD, path, 0755, &err), "%s", err.message);
    }
    RUN_OK(&r, NULL, "cp", "/usr/bin/busybox", busybox);
    for (size_t i = 0; i < sizeof applets / sizeof *applets; i++) {
        cleanup_free char *path = str_format("%s/bin/%s", root, applets[i]);

        ck_assert_int_eq(symlink("busybox", path), 0);
    }
    tree = peers_path("tree.tar");
    RUN_OK(&r, NULL, "tar", "--owner=0", "--group=0", "--numeric-owner", "-C", root, "-cf", tree,
           ".");
}

/* By our own engine, which writes an archive that all of them load. */
static void make_archive(void)
{
    cleanup_free char *root = peers_path("cooper");
    cleanup_run struct run_result r = {0};

    archive = peers_path("box.tar");
    RUN_OK(&r, NULL, BUILD_DIR "/bin/cooper", "--root", root, "import", "--change",
           "CMD [\"sleep\", \"1000\"]", tree, IMAGE);
    RUN_OK(&r, NULL, BUILD_DIR "/bin/cooper", "--root", root, "save", "-o", archive, IMAGE);
}

/* --- control groups: the only thing that is not in a namespace of our own --------------------- */

/* What the engines call their containers' parents, and never remove. */
static const char *const parents[] = {"docker", "libpod_parent", "default", "k8s.io",
                                      "cooper-peers"};
static struct strv made; /* those that were not there before */

/* Calls `act` with the parents' paths in every hierarchy; version 2 has one. */
static void for_parents(void (*act)(const char *path))
{
    static const char root[] = "/sys/fs/cgroup";
    cleanup_closedir DIR *dir = opendir(root);
    struct dirent *entry;

    for (size_t i = 0; i < sizeof parents / sizeof *parents; i++) {
        cleanup_free char *path = str_format("%s/%s", root, parents[i]);

        act(path);
    }
    while (dir && (entry = readdir(dir)))
        for (size_t i = 0; entry->d_type == DT_DIR && i < sizeof parents / sizeof *parents; i++) {
            cleanup_free char *path = str_format("%s/%s/%s", root, entry->d_name, parents[i]);

            act(path);
        }
}

static void note_if_missing(const char *path)
{
    if (access(path, F_OK) < 0)
        strv_add(&made, path);
}

/* Depth first; the kernel refuses what is in use. */
static void remove_group(const char *path)
{
    cleanup_closedir DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        cleanup_free char *child = str_format("%s/%s", path, entry->d_name);

        if (entry->d_type == DT_DIR && *entry->d_name != '.')
            remove_group(child);
    }
    rmdir(path);
}

void peers_setup(void)
{
    if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0 || mkdir("/run/lock", 0755) < 0)
        give_up("cannot prepare the peers (they need root)");
    raise_loopback();
    for_parents(note_if_missing);
    directory = temp_dir();
    make_tree();
    make_archive();
}

/* What daemons leave mounted is in this namespace only, but keeps the directory from going. */
static void unmount_below(const char *path)
{
    cleanup_fclose FILE *mounts = fopen("/proc/self/mountinfo", "re");
    cleanup_strv struct strv found = {0};
    char line[4096], point[2048];

    while (mounts && fgets(line, sizeof line, mounts))
        if (sscanf(line, "%*s %*s %*s %*s %2047s", point) == 1 && str_starts(point, path))
            strv_add(&found, point);
    for (size_t i = found.len; i-- > 0;)
        umount2(found.items[i], MNT_DETACH);
}

void peers_teardown(void)
{
    while (daemon_count)
        run_stop(daemons[--daemon_count]);
    unmount_below(directory);
    for (size_t i = 0; i < made.len; i++)
        remove_group(made.items[i]);
    strv_free(&made);
    temp_dir_remove(directory);
    free(tree);
    free(archive);
}

char *peers_path(const char *name)
{
    return str_format("%s/%s", directory, name);
}

const char *peers_tree(void)
{
    return tree;
}

const char *peers_archive(void)
{
    return archive;
}

char *peers_file(const char *name, const char *text)
{
    char *path = peers_path(name);
    struct err err = {0};

    ck_assert_msg(!file_store(AT_FDCWD, path, text, strlen(text), 0644, false, &err), "%s",
                  err.message);
    return path;
}

/* Nobody tells when a daemon is ready or a log has grown: a short pause between two looks. */
static void tick(void)
{
    struct timespec pause = {0, 50000000};

    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

void peers_daemon(const char *const argv[], const char *const probe[])
{
    cleanup_free char *name = str_format("daemon-%zu.log", daemon_count), *log = peers_path(name);
    cleanup_run struct run_result r = {0};

    ck_assert_uint_lt(daemon_count, sizeof daemons / sizeof *daemons);
    daemons[daemon_count++] = run_start(NULL, log, argv);
    for (int i = 0; i < 1200; i++) {
        run_argv(&r, NULL, probe);
        if (!r.code)
            return;
        tick();
    }
    RUN(&r, NULL, "tail", "-n", "5", log);
    ck_abort_msg("%s does not answer: %s", argv[0], r.out.data);
}

static void join(struct strv *ret, const char *const prefix[], const char *const args[])
{
    for (; *prefix; prefix++)
        strv_add(ret, *prefix);
    for (; *args; args++)
        strv_add(ret, *args);
}

const char *peers_expect(const char *where, int code, const char *out, const char *err,
                         const char *const prefix[], const char *const args[])
{
    static struct run_result r;
    cleanup_strv struct strv argv = {0};
    cleanup_free char *line = NULL;

    join(&argv, prefix, args);
    line = strv_join(&argv, " ");
    run_argv(&r, NULL, (const char *const *)argv.items);
    ck_assert_msg(
        r.code == code && (!out || !strcmp(r.out.data, out)) && strstr(r.err.data, err),
        "%s: '%s' gave %d, expected %d\nstdout: %s\nexpected: %s\nstderr: %s\nexpected: %s", where,
        line, r.code, code, r.out.data, out ? out : "(anything)", r.err.data, err);
    return r.out.data;
}

void peers_await(const char *const prefix[], const char *const args[], const char *text)
{
    cleanup_run struct run_result r = {0};
    cleanup_strv struct strv argv = {0};

    join(&argv, prefix, args);
    for (int i = 0; i < 400; i++) {
        run_argv(&r, NULL, (const char *const *)argv.items);
        if (strstr(r.out.data, text))
            return;
        tick();
    }
    ck_abort_msg("'%s' never said '%s' but '%s' %s", argv.items[0], text, r.out.data, r.err.data);
}
