/* Each namespace and each wall, seen from inside. */
#include "support/suite.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
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
#include "container.h"

START_TEST(init_is_alone_in_its_pid_namespace)
{
    cleanup_outcome struct outcome o;

    container_probe("self + states + fds", &o);
    ck_assert_str_eq(answer(&o, "self"),
                     "pid=1 ppid=0 sid=1 cwd=/ host=inside umask=0022 name=probe dumpable=1");
    ck_assert_str_eq(answer(&o, "states"), "1R ");
    ck_assert_str_eq(answer(&o, "fds"), "0 1 2 ");
    ck_assert_int_eq(o.status, 0);
}
END_TEST

static const char *const kinds[][2] = {{"mount", "mnt"}, {"pid", "pid"}, {"network", "net"},
                                       {"ipc", "ipc"},   {"uts", "uts"}, {"cgroup", "cgroup"}};

/* The inode in "/proc/self/ns/KIND" is the namespace's name. */
START_TEST(every_namespace_is_new)
{
    cleanup_free char *path = str_format("/proc/self/ns/%s", kinds[_i][1]);
    cleanup_free char *command = str_format("link %s", path);
    cleanup_outcome struct outcome o;
    char here[64] = "";

    ck_assert_int_gt(readlink(path, here, sizeof here - 1), 0);
    container_probe(command, &o);
    ck_assert_int_eq(strncmp(answer(&o, command), kinds[_i][1], strlen(kinds[_i][1])), 0);
    ck_assert_str_ne(answer(&o, command), here);
}
END_TEST

/* Host mode, but for the mount namespace, which is always one's own. */
START_TEST(a_namespace_that_is_not_asked_for_is_the_hosts)
{
    cleanup_free char *path = str_format("/proc/self/ns/%s", kinds[_i][1]);
    cleanup_free char *command = str_format("link %s", path);
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, command);
    cleanup_outcome struct outcome o;
    char here[64] = "";

    ck_assert_int_gt(readlink(path, here, sizeof here - 1), 0);
    container_remove_namespace(config, kinds[_i][0]);
    if (!strcmp(kinds[_i][0], "uts"))
        json_object_del(config, "hostname");
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, command), here);
}
END_TEST

START_TEST(a_namespace_can_be_joined_by_path)
{
    cleanup_free char *bundle = container_bundle(), *second = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait");
    cleanup_free char *command = str_format("link /proc/self/ns/%s", kinds[_i][1]);
    cleanup_json json_t *joining = container_config(second, command);
    cleanup_outcome struct outcome o;
    struct running r;
    char path[64], there[64] = "";

    container_start(bundle, config, &r);
    snprintf(path, sizeof path, "/proc/%d/ns/%s", runtime_pid(r.c), kinds[_i][1]);
    ck_assert_int_gt(readlink(path, there, sizeof there - 1), 0);
    container_remove_namespace(joining, kinds[_i][0]);
    container_append(joining, "linux.namespaces",
                     json_pack("{s:s,s:s}", "type", kinds[_i][0], "path", path));
    if (!strcmp(kinds[_i][0], "uts"))
        json_object_del(joining, "hostname");
    container_run(second, joining, &o);
    container_end(&r);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, command), there);
}
END_TEST

/* The mount table inside names nothing of the host, and the old root is gone, not just hidden. */
START_TEST(only_the_containers_mounts_are_there)
{
    cleanup_outcome struct outcome o;
    const char *mounts;

    container_probe("cat /proc/self/mountinfo + list /..", &o);
    mounts = answer(&o, "cat /proc/self/mountinfo");
    ck_assert_msg(!strstr(mounts, container_dir() + 4) || strstr(mounts, "/rootfs / "), "%s",
                  mounts);
    /* One mount at "/", and the host's, were it there, would be a second one. */
    ck_assert_ptr_ne(strstr(mounts, " / rw"), NULL);
    ck_assert_ptr_eq(strstr(strstr(mounts, " / rw") + 1, " / r"), NULL);
    ck_assert_ptr_ne(strstr(mounts, " /proc "), NULL);
    ck_assert_ptr_ne(strstr(mounts, " /sys/fs/cgroup "), NULL);
    ck_assert_ptr_eq(strstr(mounts, "shared:"), NULL);
    ck_assert_ptr_ne(strstr(answer(&o, "list /.."), "bin "), NULL);
}
END_TEST

/* CVE-2024-21626 and the like: a descriptor, a root or a working directory that leads outside. */
START_TEST(no_inherited_descriptor_arrives)
{
    cleanup_close int leak = open("/", O_RDONLY | O_DIRECTORY); /* without O_CLOEXEC */
    cleanup_outcome struct outcome o;

    ck_assert_int_ge(leak, 3);
    container_probe("fds + link /proc/self/fd/0 + link /proc/self/cwd", &o);
    ck_assert_str_eq(answer(&o, "fds"), "0 1 2 ");
    ck_assert_str_eq(answer(&o, "link /proc/self/fd/0"), "/dev/null");
    ck_assert_str_eq(answer(&o, "link /proc/self/cwd"), "/");
}
END_TEST

START_TEST(capabilities_are_the_fourteen)
{
    cleanup_outcome struct outcome o;

    container_probe(
        "status CapPrm + status CapEff + status CapBnd + status CapInh + status CapAmb + "
        "status Seccomp + status NoNewPrivs",
        &o);
    ck_assert_str_eq(answer(&o, "status CapPrm"), "00000000a80425fb");
    ck_assert_str_eq(answer(&o, "status CapEff"), "00000000a80425fb");
    ck_assert_str_eq(answer(&o, "status CapBnd"), "00000000a80425fb");
    ck_assert_str_eq(answer(&o, "status CapInh"), "0000000000000000");
    ck_assert_str_eq(answer(&o, "status CapAmb"), "0000000000000000");
    ck_assert_str_eq(answer(&o, "status Seccomp"), "2");
    ck_assert_str_eq(answer(&o, "status NoNewPrivs"), "0");
}
END_TEST

static json_t *all_names(void)
{
    cleanup_strv struct strv all = {0};

    runtime_all_caps(&all);
    strv_add(&all, "CAP_SYS_RESOURCE"); /* which this host may withhold even from root */
    return json_from_strings(&all);
}

/* --privileged: everything the caller has, and no error about what it has not. */
START_TEST(privileged_is_what_the_caller_has)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        container_config(bundle, "status CapEff + status CapBnd + status Seccomp");
    cleanup_outcome struct outcome o;
    unsigned long long have = 0;
    char expected[20];

    for (int i = 0; i <= CAP_LAST_CAP; i++)
        have |= (unsigned long long)(prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1) << i;
    snprintf(expected, sizeof expected, "%016llx", have);
    container_set(config, "process.capabilities.bounding", all_names());
    container_set(config, "process.capabilities.permitted", all_names());
    container_set(config, "process.capabilities.effective", all_names());
    json_object_clear(json_object_get(config, "annotations"));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "status CapEff"), expected);
    ck_assert_str_eq(answer(&o, "status CapBnd"), expected);
    ck_assert_str_eq(answer(&o, "status Seccomp"), "0");
}
END_TEST

START_TEST(no_new_privileges_is_set_when_asked)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "status NoNewPrivs + status Seccomp");
    cleanup_outcome struct outcome o;

    container_set(config, "process.noNewPrivileges", json_true());
    container_run(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "status NoNewPrivs"), "1");
    ck_assert_str_eq(answer(&o, "status Seccomp"), "2");
}
END_TEST

/* Masked: empty, and not to be undone. Both file and directory kinds. */
START_TEST(masked_paths_are_empty)
{
    cleanup_outcome struct outcome o;

    container_probe(
        "size /proc/keys + size /proc/kcore + size /proc/iomem + size /proc/timer_list + "
        "size /proc/interrupts + list /sys/firmware + list /proc/acpi + open /proc/keys + "
        "put /sys/firmware/x y",
        &o);
    ck_assert_str_eq(answer(&o, "size /proc/keys"), "0");
    ck_assert_str_eq(answer(&o, "size /proc/iomem"), "0");
    ck_assert_str_eq(answer(&o, "size /proc/interrupts"), "0");
    ck_assert_msg(!strcmp(answer(&o, "size /proc/kcore"), "0") ||
                      !strcmp(answer(&o, "size /proc/kcore"), "ENOENT"),
                  "%s", o.output);
    ck_assert_msg(!strcmp(answer(&o, "size /proc/timer_list"), "0") ||
                      !strcmp(answer(&o, "size /proc/timer_list"), "ENOENT"),
                  "%s", o.output);
    ck_assert_msg(!strcmp(answer(&o, "list /sys/firmware"), "[]") ||
                      !strcmp(answer(&o, "list /sys/firmware"), "ENOENT"),
                  "%s", o.output);
    ck_assert_msg(!strcmp(answer(&o, "list /proc/acpi"), "[]") ||
                      !strcmp(answer(&o, "list /proc/acpi"), "ENOENT"),
                  "%s", o.output);
}
END_TEST

/* The same paths hold something on the host, or the test above would prove nothing. */
START_TEST(unmasked_paths_are_not_empty)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(
        bundle, "size /proc/iomem + size /proc/interrupts + put /proc/sys/kernel/hostname x");
    cleanup_outcome struct outcome o;

    json_array_clear(json_at(config, "linux.maskedPaths"));
    json_array_clear(json_at(config, "linux.readonlyPaths"));
    container_run(bundle, config, &o);
    ck_assert_str_ne(answer(&o, "size /proc/iomem"), "0");
    ck_assert_str_ne(answer(&o, "size /proc/interrupts"), "0");
    ck_assert_str_ne(answer(&o, "put /proc/sys/kernel/hostname x"), "EROFS");
}
END_TEST

START_TEST(read_only_paths_cannot_be_written)
{
    cleanup_outcome struct outcome o;

    container_probe("put /proc/sys/kernel/hostname x + put /proc/sysrq-trigger h + "
                    "put /proc/irq/default_smp_affinity 1 + put /sys/kernel/mm/ksm/run 1 + "
                    "put /sys/fs/cgroup/x y",
                    &o);
    ck_assert_str_eq(answer(&o, "put /proc/sys/kernel/hostname x"), "EROFS");
    ck_assert_str_eq(answer(&o, "put /proc/irq/default_smp_affinity 1"), "EROFS");
    ck_assert_str_eq(answer(&o, "put /sys/kernel/mm/ksm/run 1"), "EROFS");
    /* not every kernel has it */
    ck_assert_msg(!strcmp(answer(&o, "put /proc/sysrq-trigger h"), "EROFS") ||
                      !strcmp(answer(&o, "put /proc/sysrq-trigger h"), "ENOENT"),
                  "%s", o.output);
    ck_assert_str_eq(answer(&o, "put /sys/fs/cgroup/x y"), "EROFS");
}
END_TEST

START_TEST(cgroups_show_only_the_containers_own)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        container_config(bundle, "cat /proc/self/cgroup + list /sys/fs/cgroup");
    cleanup_outcome struct outcome o;
    const char *groups;

    container_run(bundle, config, &o);
    groups = answer(&o, "cat /proc/self/cgroup");
    ck_assert_ptr_eq(strstr(groups, "cooper"), NULL);
    ck_assert_ptr_ne(strstr(groups, ":/\n"), NULL);
    if (runtime_cgroup_version(NULL) == 1) {
        ck_assert_ptr_ne(strstr(answer(&o, "list /sys/fs/cgroup"), "memory "), NULL);
        /* a tree it has not joined would show the engine's own group */
        ck_assert_ptr_eq(strstr(answer(&o, "list /sys/fs/cgroup"), "cpuset"), NULL);
    } else {
        ck_assert_ptr_ne(strstr(answer(&o, "list /sys/fs/cgroup"), "cgroup.procs "), NULL);
    }
}
END_TEST

/* The group's root inside is its own directory: a limit can be read there. */
START_TEST(the_mounted_cgroup_is_the_containers)
{
    bool v1 = runtime_cgroup_version(NULL) == 1;
    const char *command = v1 ? "cat /sys/fs/cgroup/pids/pids.max" : "cat /sys/fs/cgroup/pids.max";
    const char *write = v1 ? "put /sys/fs/cgroup/pids/pids.max 9" : "put /sys/fs/cgroup/pids.max 9";
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *both = str_format("%s + %s", command, write);
    cleanup_json json_t *config = container_config(bundle, both);
    cleanup_outcome struct outcome o;

    container_set(config, "linux.resources.pids.limit", json_integer(17));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, command), "17\n");
    ck_assert_str_eq(answer(&o, write), "EROFS");
}
END_TEST

START_TEST(devices_are_the_usual_ones)
{
    cleanup_outcome struct outcome o;

    container_probe(
        "stat /dev/null + stat /dev/zero + stat /dev/full + stat /dev/random + "
        "stat /dev/urandom + stat /dev/tty + link /dev/ptmx + link /dev/fd + "
        "link /dev/stdin + put /dev/null x + size /dev/urandom + list /dev + stat /dev/shm",
        &o);
    ck_assert_str_eq(answer(&o, "stat /dev/null"), "020666 0:0 1:3 0");
    ck_assert_str_eq(answer(&o, "stat /dev/zero"), "020666 0:0 1:5 0");
    ck_assert_str_eq(answer(&o, "stat /dev/full"), "020666 0:0 1:7 0");
    ck_assert_str_eq(answer(&o, "stat /dev/random"), "020666 0:0 1:8 0");
    ck_assert_str_eq(answer(&o, "stat /dev/urandom"), "020666 0:0 1:9 0");
    ck_assert_str_eq(answer(&o, "stat /dev/tty"), "020666 0:0 5:0 0");
    ck_assert_str_eq(answer(&o, "link /dev/ptmx"), "pts/ptmx");
    ck_assert_str_eq(answer(&o, "link /dev/fd"), "/proc/self/fd");
    ck_assert_str_eq(answer(&o, "link /dev/stdin"), "/proc/self/fd/0");
    ck_assert_str_eq(answer(&o, "put /dev/null x"), "ok");
    ck_assert_str_eq(answer(&o, "size /dev/urandom"), "65536");
    ck_assert_ptr_eq(strstr(answer(&o, "list /dev"), "console"), NULL);
    ck_assert_int_eq(strncmp(answer(&o, "stat /dev/shm"), "041777", 6), 0);
}
END_TEST

/* mknod(2) of the host's disk works, opening it does not. */
START_TEST(the_device_cgroup_forbids_the_hosts_disks)
{
    cleanup_outcome struct outcome o;

    container_probe(
        "mknod /tmp/null c 1 3 + open /tmp/null + mknod /tmp/mem c 1 1 + open /tmp/mem + "
        "mknod /tmp/kmsg c 1 11 + open /tmp/kmsg + mknod /tmp/loop b 7 0 + open /tmp/loop + "
        "mknod /tmp/tun c 10 200 + open /tmp/tun",
        &o);
    ck_assert_str_eq(answer(&o, "open /tmp/null"), "ok");
    ck_assert_str_eq(answer(&o, "mknod /tmp/mem c 1 1"), "ok");
    ck_assert_str_eq(answer(&o, "open /tmp/mem"), "EPERM");
    ck_assert_str_eq(answer(&o, "mknod /tmp/loop b 7 0"), "ok");
    ck_assert_str_eq(answer(&o, "open /tmp/loop"), "EPERM");
    ck_assert_str_eq(answer(&o, "open /tmp/kmsg"), "EPERM");
    ck_assert_str_eq(answer(&o, "open /tmp/tun"), "EPERM");
}
END_TEST

/* The same open succeeds where all is allowed: it was the device group that said no. /dev/tun needs
 * no capability to be opened. */
START_TEST(with_all_devices_allowed_nothing_is_forbidden)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        container_config(bundle, "mknod /tmp/tun c 10 200 + open /tmp/tun");
    cleanup_outcome struct outcome o;

    json_array_clear(json_at(config, "linux.resources.devices"));
    container_append(config, "linux.resources.devices",
                     json_pack("{s:b,s:s}", "allow", 1, "access", "rwm"));
    container_run(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "open /tmp/tun"), "ok");
}
END_TEST

/* Who says nothing about devices did not allow any. */
START_TEST(without_device_rules_all_is_forbidden)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(
        bundle, "mknod /tmp/tun c 10 200 + open /tmp/tun + mknod /tmp/null c 1 3 + open /tmp/null");
    cleanup_outcome struct outcome o;

    json_object_del(json_at(config, "linux.resources"), "devices");
    container_run(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "open /tmp/tun"), "EPERM");
    ck_assert_str_eq(answer(&o, "open /tmp/null"), "ok");
}
END_TEST

START_TEST(an_allowed_device_opens)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(
        bundle, "stat /dev/net/tun + open /dev/net/tun + mknod /tmp/b c 1 11 + open /tmp/b");
    cleanup_outcome struct outcome o;

    container_append(config, "linux.resources.devices",
                     json_pack("{s:b,s:s,s:i,s:i,s:s}", "allow", 1, "type", "c", "major", 10,
                               "minor", 200, "access", "rw"));
    container_append(config, "linux.devices",
                     json_pack("{s:s,s:s,s:i,s:i,s:i,s:i}", "path", "/dev/net/tun", "type", "c",
                               "major", 10, "minor", 200, "fileMode", 0640, "gid", 5));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "stat /dev/net/tun"), "020640 0:5 10:200 0");
    ck_assert_str_eq(answer(&o, "open /dev/net/tun"), "ok");
    ck_assert_str_eq(answer(&o, "open /tmp/b"), "EPERM");
}
END_TEST

START_TEST(loopback_is_up_and_nothing_else_is_there)
{
    cleanup_outcome struct outcome o;

    container_probe("list /sys/class/net + cat /sys/class/net/lo/flags + cat /proc/net/route", &o);
    ck_assert_ptr_ne(strstr(answer(&o, "list /sys/class/net"), "lo "), NULL);
    ck_assert_ptr_eq(strstr(answer(&o, "list /sys/class/net"), "eth"), NULL);
    ck_assert_str_eq(answer(&o, "cat /sys/class/net/lo/flags"), "0x9\n"); /* up, loopback */
}
END_TEST

START_TEST(a_sysctl_of_a_namespace_is_set)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(
        bundle, "cat /proc/sys/net/ipv4/ip_unprivileged_port_start + cat /proc/sys/kernel/msgmax");
    cleanup_outcome struct outcome o;

    container_set(config, "linux.sysctl",
                  json_pack("{s:s,s:s}", "net.ipv4.ip_unprivileged_port_start", "0",
                            "kernel.msgmax", "4242"));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "cat /proc/sys/net/ipv4/ip_unprivileged_port_start"), "0\n");
    ck_assert_str_eq(answer(&o, "cat /proc/sys/kernel/msgmax"), "4242\n");
}
END_TEST

static const char *const bad_sysctls[] = {
    "kernel.core_pattern",         "kernel.panic",        "vm.swappiness", "net",
    "net./../kernel/core_pattern", "net.//.kernel.panic", "kernel/panic",  "fs.mqueue",
};

START_TEST(a_sysctl_of_the_host_is_refused)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o;
    json_t *sysctl = json_object();

    json_put_str(sysctl, bad_sysctls[_i], "1");
    container_set(config, "linux.sysctl", sysctl);
    container_run(bundle, config, &o);
    ck_assert_int_eq(o.created, -EPERM);
    ck_assert_int_eq(o.err.exit_status, 125);
}
END_TEST

/* The host's network namespace is shared, so its settings are the host's. */
START_TEST(a_sysctl_of_a_shared_namespace_is_refused)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o;

    container_remove_namespace(config, "network");
    container_set(config, "linux.sysctl", json_pack("{s:s}", "net.ipv4.ip_forward", "1"));
    container_run(bundle, config, &o);
    ck_assert_int_eq(o.created, -EPERM);
}
END_TEST

START_TEST(a_read_only_root_is)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        container_config(bundle, "put /file x + put /dev/shm/file x + put /tmp/file x + self");
    cleanup_outcome struct outcome o;

    container_set(config, "root.readonly", json_true());
    container_set(config, "process.cwd", json_string("/new/dir"));
    container_append(config, "mounts",
                     container_mount("tmpfs", "tmpfs", "/tmp", "nosuid,nodev,size=1m"));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "put /file x"), "EROFS");
    ck_assert_str_eq(answer(&o, "put /dev/shm/file x"), "ok");
    ck_assert_str_eq(answer(&o, "put /tmp/file x"), "ok");
    ck_assert_ptr_ne(strstr(answer(&o, "self"), "cwd=/new/dir "), NULL);
}
END_TEST

/* The root as an overlay, named relative to a directory, mounted only in the container's namespace.
 */
START_TEST(an_overlay_root_vanishes_with_the_container)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "put /written x + list /");
    cleanup_free char *merged = str_format("%s/merged", bundle),
                      *upper = str_format("%s/upper", bundle);
    cleanup_free char *work = str_format("%s/work", bundle),
                      *file = str_format("%s/upper/written", bundle);
    cleanup_free char *below = str_format("%s/rootfs/written", bundle);
    cleanup_buf struct buf mounts = {0};
    cleanup_outcome struct outcome o;
    struct err err = {0};

    ck_assert(!mkdir(merged, 0755) && !mkdir(upper, 0755) && !mkdir(work, 0755));
    container_set(config, "root.path", json_string("merged"));
    container_annotate(config, "org.cooper.overlay.base", bundle);
    container_annotate(config, "org.cooper.overlay.options",
                       "lowerdir=rootfs,upperdir=upper,workdir=work");
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "put /written x"), "ok");
    ck_assert_int_eq(access(file, F_OK), 0);
    ck_assert_int_ne(access(below, F_OK), 0);
    ck_assert(!file_load(AT_FDCWD, "/proc/self/mountinfo", 1 << 20, &mounts, &err));
    ck_assert_ptr_eq(strstr(mounts.data, merged), NULL);
}
END_TEST

START_TEST(signals_are_as_a_program_expects)
{
    cleanup_outcome struct outcome o;
    sigset_t all;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    container_probe("status SigIgn + status SigBlk", &o);
    ck_assert_str_eq(answer(&o, "status SigIgn"), "0000000000000000");
    ck_assert_str_eq(answer(&o, "status SigBlk"), "0000000000000000");
}
END_TEST

START_TEST(oom_score_and_limits_are_set)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        container_config(bundle, "cat /proc/self/oom_score_adj + cat /proc/self/limits");
    cleanup_outcome struct outcome o;

    container_set(config, "process.oomScoreAdj", json_integer(321));
    container_append(config, "process.rlimits",
                     json_pack("{s:s,s:i,s:i}", "type", "RLIMIT_NOFILE", "soft", 123, "hard", 456));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "cat /proc/self/oom_score_adj"), "321\n");
    ck_assert_ptr_ne(strstr(answer(&o, "cat /proc/self/limits"),
                            "Max open files            123                  456"),
                     NULL);
}
END_TEST

/* Two containers do not see each other, whatever they share of the machine. */
START_TEST(ipc_is_separate)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "put /dev/shm/secret x + wait");
    cleanup_outcome struct outcome o;
    struct running r;

    container_start(bundle, config, &r);
    container_await(&r, "put /dev/shm/secret x: ok");
    container_probe("list /dev/shm + states", &o);
    container_end(&r);
    ck_assert_str_eq(answer(&o, "list /dev/shm"), "[]");
    ck_assert_str_eq(answer(&o, "states"), "1R ");
}
END_TEST

SUITE(isolation)
{
    TCase *t = tcase_create("isolation");
    int kind_count = (int)(sizeof kinds / sizeof *kinds);

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, init_is_alone_in_its_pid_namespace);
    tcase_add_loop_test(t, every_namespace_is_new, 0, kind_count);
    tcase_add_loop_test(t, a_namespace_that_is_not_asked_for_is_the_hosts, 1, kind_count);
    tcase_add_loop_test(t, a_namespace_can_be_joined_by_path, 2, kind_count - 1);
    tcase_add_test(t, only_the_containers_mounts_are_there);
    tcase_add_test(t, no_inherited_descriptor_arrives);
    tcase_add_test(t, capabilities_are_the_fourteen);
    tcase_add_test(t, privileged_is_what_the_caller_has);
    tcase_add_test(t, no_new_privileges_is_set_when_asked);
    tcase_add_test(t, masked_paths_are_empty);
    tcase_add_test(t, unmasked_paths_are_not_empty);
    tcase_add_test(t, read_only_paths_cannot_be_written);
    tcase_add_test(t, cgroups_show_only_the_containers_own);
    tcase_add_test(t, the_mounted_cgroup_is_the_containers);
    tcase_add_test(t, devices_are_the_usual_ones);
    tcase_add_test(t, the_device_cgroup_forbids_the_hosts_disks);
    tcase_add_test(t, with_all_devices_allowed_nothing_is_forbidden);
    tcase_add_test(t, without_device_rules_all_is_forbidden);
    tcase_add_test(t, an_allowed_device_opens);
    tcase_add_test(t, loopback_is_up_and_nothing_else_is_there);
    tcase_add_test(t, a_sysctl_of_a_namespace_is_set);
    tcase_add_loop_test(t, a_sysctl_of_the_host_is_refused, 0,
                        sizeof bad_sysctls / sizeof *bad_sysctls);
    tcase_add_test(t, a_sysctl_of_a_shared_namespace_is_refused);
    tcase_add_test(t, a_read_only_root_is);
    tcase_add_test(t, an_overlay_root_vanishes_with_the_container);
    tcase_add_test(t, signals_are_as_a_program_expects);
    tcase_add_test(t, oom_score_and_limits_are_set);
    tcase_add_test(t, ipc_is_separate);
    suite_add_tcase(suite, t);
}
