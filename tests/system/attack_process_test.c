/* Attacks on a process that becomes a container's, and by what it brings along: each after a hole
 * that some engine once had. */
#include "support/suite.h"

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "container.h"

/* --- the newcomer is looked into (CVE-2016-9962) ---------------------------------------------- */

enum { ORDINARY, ALL_POWERS_OF_A_USER_NAMESPACE, AMONG_THE_HOSTS_PROCESSES, WATCHES };

static void all_capabilities(json_t *config)
{
    static const char *const sets[] = {"bounding", "effective", "permitted"};
    cleanup_strv struct strv all = {0};

    runtime_all_caps(&all);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        json_put(json_at(config, "process.capabilities"), sets[i], json_from_strings(&all));
}

static void user_namespace(json_t *config, const char *bundle)
{
    cleanup_free char *rootfs = str_format("%s/rootfs", bundle);

    ck_assert(!chown(rootfs, 7000, 7000));
    container_append(config, "linux.namespaces", json_pack("{s:s}", "type", "user"));
    container_set(config, "linux.uidMappings",
                  json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID", 7000, "size", 2000));
    container_set(config, "linux.gidMappings",
                  json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID", 7000, "size", 2000));
}

/* The host's processes in sight: its procfs, bound. */
static void host_processes(json_t *config)
{
    container_remove_namespace(config, "pid");
    json_array_set_new(json_at(config, "mounts"), 0,
                       container_mount("bind", "/proc", "/proc", "rbind"));
    container_set(config, "linux.maskedPaths", json_array());
    container_set(config, "linux.readonlyPaths", json_array());
}

static json_t *watcher_config(const char *bundle, int kind)
{
    json_t *config = container_config_of(bundle, "watch", "");

    container_set(config, "process.args", json_pack("[s]", "/bin/watch"));
    json_object_clear(
        json_object_get(config, "annotations")); /* no filter between it and ptrace(2) */
    if (kind != ORDINARY) {
        all_capabilities(config);
        user_namespace(config, bundle);
    }
    if (kind == AMONG_THE_HOSTS_PROCESSES)
        host_processes(config);
    return config;
}

/* Looking the user up in it takes the newcomer a while, in which it can be seen. */
static void long_passwd(const char *bundle)
{
    cleanup_free char *path = str_format("%s/rootfs/etc/passwd", bundle);
    cleanup_buf struct buf text = {0};
    struct err err = {0};

    for (int i = 0; i < 30000; i++)
        buf_printf(&text, "u%d:x:%d:100::/:/bin/sh\n", i, 2000 + i);
    buf_add_str(&text, "root:x:0:0::/root:/bin/sh\n");
    ck_assert(!file_store(AT_FDCWD, path, text.data, text.len, 0644, false, &err));
}

static char *end_of_watch(struct running *r)
{
    char *said;

    close(r->in);
    r->in = -1;
    said = read_all(r->out);
    container_end(r);
    return said;
}

START_TEST(a_newcomer_cannot_be_touched)
{
    cleanup_free char *bundle = container_bundle(), *said = NULL;
    cleanup_json json_t *config = watcher_config(bundle, _i);
    cleanup_json json_t *process = json_deep_copy(json_object_get(config, "process"));
    unsigned saw = 0, touched = 99;
    struct running r;

    long_passwd(bundle);
    container_start(bundle, config, &r);
    container_await(&r, "watching");
    json_put(process, "args", json_pack("[s,s]", "/bin/probe", "true"));
    for (int i = 0; i < 60; i++) {
        struct executed e;

        container_exec_process(&r, bundle, config, process, NULL, &e);
        ck_assert_msg(!e.result, "%s", e.err.message);
        free(e.output);
    }
    said = end_of_watch(&r);
    ck_assert_msg(sscanf(said, "saw %u touched %u", &saw, &touched) == 2, "%s", said);
    ck_assert_msg(saw > 0, "the newcomers came and went unseen: nothing was tried");
    ck_assert_msg(touched == 0, "%s", said);
}
END_TEST

/* A second container in the first one's PID namespace: its init is a newcomer, too. */
START_TEST(an_init_that_joins_cannot_be_touched)
{
    cleanup_free char *first = container_bundle(), *said = NULL, *path = NULL;
    cleanup_json json_t *config = watcher_config(first, ORDINARY);
    unsigned saw = 0, touched = 99;
    struct running r;

    container_start(first, config, &r);
    container_await(&r, "watching");
    path = str_format("/proc/%d/ns/pid", runtime_pid(r.c));
    for (int i = 0; i < 20; i++) {
        cleanup_free char *second = container_bundle();
        cleanup_json json_t *joining = container_config(second, "true");
        cleanup_outcome struct outcome o;

        container_remove_namespace(joining, "pid");
        container_append(joining, "linux.namespaces",
                         json_pack("{s:s,s:s}", "type", "pid", "path", path));
        container_run(second, joining, &o);
        ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    }
    said = end_of_watch(&r);
    ck_assert_msg(sscanf(said, "saw %u touched %u", &saw, &touched) == 2, "%s", said);
    ck_assert_msg(saw > 0, "nothing was tried");
    ck_assert_msg(touched == 0, "%s", said);
}
END_TEST

/* --- what the caller has leaks in ------------------------------------------------------------- */

/* CVE-2024-21626: a descriptor of a host directory, left open, as working directory. */
START_TEST(no_descriptor_leads_out)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "fds + list . + wait");
    int leak = open("/", O_RDONLY | O_DIRECTORY); /* not O_CLOEXEC */
    struct executed e;
    struct running r;

    ck_assert_int_ge(leak, 0);
    ck_assert_int_eq(dup2(leak, 60), 60);
    for (int fd = 3; fd < 62; fd += fd < 16 ? 1 : 22) {
        cleanup_free char *cwd = str_format("/proc/self/fd/%d", fd);
        cleanup_outcome struct outcome o;

        container_set(config, "process.cwd", json_string(cwd));
        container_run(bundle, config, &o);
        ck_assert_msg(o.created < 0, "'%s' was a working directory: %s", cwd, o.output);
    }
    container_set(config, "process.cwd", json_string("/"));
    container_start(bundle, config, &r);
    container_await(&r, "fds: 0 1 2 \n");
    for (int fd = 3; fd < 62; fd += fd < 16 ? 1 : 22) {
        cleanup_json json_t *process = json_deep_copy(json_object_get(config, "process"));
        cleanup_free char *cwd = str_format("/proc/self/fd/%d", fd);

        json_put_str(process, "cwd", cwd);
        container_exec_process(&r, bundle, config, process, NULL, &e);
        ck_assert_msg(e.result < 0, "'%s' was a working directory: %s", cwd, e.output);
        free(e.output);
    }
    container_end(&r);
    close(leak);
    close(60);
}
END_TEST

/* Through links of the image and of its processes, too. */
static const char *const magic[] = {"/proc/self/root", "/proc/1/root", "/proc/self/cwd", "/link",
                                    "/proc/1/cwd/../../../.."};

START_TEST(no_link_leads_out)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *link = str_format("%s/rootfs/link", bundle);
    cleanup_json json_t *config = container_config(bundle, "self + list /");
    cleanup_outcome struct outcome o;

    ck_assert(!symlink("/proc/self/fd/3", link));
    container_set(config, "process.cwd", json_string(magic[_i]));
    container_run(bundle, config, &o);
    if (!o.created) {
        ck_assert_ptr_ne(strstr(answer(&o, "self"), "cwd=/"), NULL);
        ck_assert_ptr_eq(strstr(answer(&o, "self"), "unreachable"), NULL);
    }
}
END_TEST

static void set_caps_of_caller(void)
{
    cap_t now = cap_get_proc();

    for (int i = 0; i <= CAP_AUDIT_READ; i++) {
        cap_value_t cap = i;
        cap_flag_value_t on = CAP_CLEAR;

        if (!cap_get_flag(now, cap, CAP_PERMITTED, &on) && on == CAP_SET)
            ck_assert(!cap_set_flag(now, CAP_INHERITABLE, 1, &cap, CAP_SET));
    }
    ck_assert(!cap_set_proc(now));
    cap_free(now);
    ck_assert(!cap_set_ambient(CAP_SYS_ADMIN, CAP_SET));
    ck_assert(!cap_set_ambient(CAP_CHOWN, CAP_SET));
}

/* CVE-2022-24769: inheritable capabilities make a program with file capabilities raise anybody; and
 * ambient ones are simply there. */
START_TEST(the_callers_capabilities_stay_outside)
{
    static const char sets[] =
        "status CapInh + status CapAmb + status CapPrm + status CapEff + status CapBnd";
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *command = str_format("%s + wait", sets);
    cleanup_json json_t *config = container_config(bundle, command);
    struct outcome o = {0};
    struct executed e;
    struct running r;

    set_caps_of_caller();
    container_start(bundle, config, &r);
    container_await(&r, "status CapInh: 0000000000000000\nstatus CapAmb: 0000000000000000\n"
                        "status CapPrm: 00000000a80425fb\nstatus CapEff: 00000000a80425fb\n"
                        "status CapBnd: 00000000a80425fb\n");
    container_exec(&r, bundle, config, sets, "app", &e);
    ck_assert_msg(!e.result, "%s", e.err.message);
    o.output = e.output;
    ck_assert_str_eq(answer(&o, "status CapInh"), "0000000000000000");
    ck_assert_str_eq(answer(&o, "status CapAmb"), "0000000000000000");
    ck_assert_str_eq(answer(&o, "status CapPrm"), "0000000000000000");
    ck_assert_str_eq(answer(&o, "status CapBnd"), "00000000a80425fb");
    outcome_free(&o);
    container_end(&r);
}
END_TEST

/* CVE-2022-36109, CVE-2023-25173: groups of the caller, or one too few. */
START_TEST(the_groups_are_the_containers)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "ids + wait");
    const gid_t ours[] = {4, 6, 27, 999};
    struct executed e;
    struct running r;

    ck_assert(!setgroups(4, ours));
    container_set(config, "process.user",
                  json_pack("{s:i,s:i,s:[i]}", "uid", 1000, "gid", 1001, "additionalGids", 77));
    container_start(bundle, config, &r);
    container_await(&r, "ids: 1000 1001 [77 1001 ]\n");
    container_exec(&r, bundle, config, "ids", "app", &e);
    ck_assert_msg(!e.result, "%s", e.err.message);
    /* exec takes the process of the document and another user: that one's groups, and the listed */
    ck_assert_str_eq(e.output, "ids: 1000 1001 [10 29 77 1001 ]\n");
    free(e.output);
    container_end(&r);
}
END_TEST

/* Without new privileges even root's own setuid program gives none. */
START_TEST(no_new_privileges)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *program = str_format("%s/rootfs/bin/probe", bundle);
    cleanup_json json_t *config = container_config(bundle, "status Uid");
    cleanup_outcome struct outcome o;

    ck_assert(!chmod(program, 04755));
    container_annotate(config, "org.cooper.user", "app");
    container_set(config, "process.noNewPrivileges", json_boolean(_i));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "status Uid"), _i ? "1000\t1000\t1000\t1000" : "1000\t0\t0\t0");
}
END_TEST

/* --- who is who ------------------------------------------------------------------------------- */

static const struct {
    const char *user, *message;
} bad_users[] = {
    {"nosuch", "unable to find user nosuch"},
    {"2147483648", "uids and gids must be in range 0-2147483647"}, /* CVE-2024-40635 */
    {"4294967296", "uids and gids must be in range 0-2147483647"}, /* would wrap to root */
    {"0:4294967295", "uids and gids must be in range 0-2147483647"},
    {"-1", "unable to find user -1"},
    {"0x0", "unable to find user 0x0"},
    {" 0", "unable to find user  0"},
    {"1000:nosuch", "unable to find group nosuch"},
};

START_TEST(exec_takes_no_wrong_user_for_root)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait");
    struct executed e, digits;
    struct running r;

    container_start(bundle, config, &r);
    container_exec(&r, bundle, config, "ids", bad_users[_i].user, &e);
    ck_assert_int_lt(e.result, 0);
    ck_assert_msg(strstr(e.err.message, bad_users[_i].message) != NULL, "%s", e.err.message);
    free(e.output);
    /* CVE-2016-3697: a line of passwd whose name is a number does not make that number another one
     */
    container_exec(&r, bundle, config, "ids", "1234", &digits);
    ck_assert_msg(!digits.result, "%s", digits.err.message);
    ck_assert_str_eq(digits.output, "ids: 1234 0 [0 ]\n");
    free(digits.output);
    container_end(&r);
}
END_TEST

/* CVE-2024-9676 and its kin: what an image may have in the place of its passwd and group. */
enum { FIFO, DEVICE, DIRECTORY, HUGE_FILE, LINK_OUT, STRANGE };

static void replace(const char *path, int kind)
{
    static const char evil[] = "app:x:0:0::/root:/bin/sh\naudio:x:0:\n";
    cleanup_free char *outside = str_format("%s/evil", container_dir());
    struct err err = {0};

    ck_assert(!file_store(AT_FDCWD, outside, evil, sizeof evil - 1, 0644, false, &err));
    unlink(path);
    if (kind == FIFO)
        ck_assert(!mkfifo(path, 0644));
    if (kind == DEVICE)
        ck_assert(!mknod(path, S_IFCHR | 0644, makedev(1, 5))); /* zeros without end */
    if (kind == DIRECTORY)
        ck_assert(!mkdir(path, 0755));
    if (kind == HUGE_FILE)
        ck_assert(close(open(path, O_CREAT | O_WRONLY, 0644)) == 0 && !truncate(path, 1LL << 40));
    if (kind == LINK_OUT)
        ck_assert(!symlink(outside, path)); /* on the host; inside there is no such file */
}

START_TEST(a_strange_passwd_does_no_harm)
{
    static const char *const files[] = {"passwd", "group"};
    const char *file = files[_i / STRANGE];
    int kind = _i % STRANGE;
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *path = str_format("%s/rootfs/etc/%s", bundle, file);
    cleanup_json json_t *config = container_config(bundle, "wait");
    cleanup_outcome struct outcome o;
    struct executed e;
    struct running r;

    container_start(bundle, config, &r);
    replace(path, kind);
    container_exec(&r, bundle, config, "ids", "app:audio", &e);
    container_end(&r);
    ck_assert_msg(e.result < 0, "%s", e.output);
    free(e.output);
    container_annotate(config, "org.cooper.user", "app:audio");
    container_run(bundle, config, &o);
    ck_assert_msg(o.created < 0, "%s", o.output);
}
END_TEST

/* --- settings of the kernel ----------------------------------------------------------------------
 *
 * CVE-2022-0811: kernel.core_pattern by way of a value, or of a key that turns into another path.
 */
static const struct {
    const char *key, *value;
} smuggled[] = {
    {"kernel.shm_rmid_forced", "1+kernel.core_pattern=|/evil"},
    {"kernel.shm_rmid_forced", "1\nkernel.core_pattern = |/evil"},
    {"kernel.core_pattern", "|/evil"},
    {"kernel/core_pattern", "|/evil"},
    {"kernel.shmmax/../core_pattern", "|/evil"},
    {"net.ipv4/../../kernel.core_pattern", "|/evil"},
    {"net/../kernel/core_pattern", "|/evil"},
    {"net...kernel.core_pattern", "|/evil"},
    {"net.//..//kernel.core_pattern", "|/evil"},
    {"fs.mqueue.", "1"},
    {"fs.mqueue.../../kernel/core_pattern", "|/evil"},
    {"kernel.hostname", "evil"},
    {"kernel.randomize_va_space", "0"},
    {"vm.overcommit_memory", "1"},
    {"net", "1"},
    {"", "1"},
};

START_TEST(no_setting_is_smuggled)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_json json_t *sysctl = json_object();
    cleanup_buf struct buf before = {0}, after = {0};
    cleanup_outcome struct outcome o;
    struct err err = {0};

    ck_assert(!file_load(AT_FDCWD, "/proc/sys/kernel/core_pattern", 4096, &before, &err));
    json_put_str(sysctl, smuggled[_i].key, smuggled[_i].value);
    container_set(config, "linux.sysctl", json_incref(sysctl));
    container_run(bundle, config, &o);
    ck_assert_int_lt(o.created, 0);
    ck_assert(!file_load(AT_FDCWD, "/proc/sys/kernel/core_pattern", 4096, &after, &err));
    ck_assert_str_eq(before.data, after.data);
}
END_TEST

/* Both spellings of sysctl(8), for names that contain dots, too. */
static const struct {
    const char *key, *value, *command;
} settings[] = {
    {"net.ipv4.ip_forward", "1", "cat /proc/sys/net/ipv4/ip_forward"},
    {"net/ipv4/ip_forward", "1", "cat /proc/sys/net/ipv4/ip_forward"},
    {"net.ipv4.conf.lo.forwarding", "1", "cat /proc/sys/net/ipv4/conf/lo/forwarding"},
    {"kernel.shmmax", "123456", "cat /proc/sys/kernel/shmmax"},
    {"kernel/shmmax", "123456", "cat /proc/sys/kernel/shmmax"},
    {"fs.mqueue.msg_max", "11", "cat /proc/sys/fs/mqueue/msg_max"},
    {"kernel.domainname", "inside.example", "cat /proc/sys/kernel/domainname"},
};

START_TEST(a_setting_is_the_containers)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, settings[_i].command);
    cleanup_json json_t *sysctl = json_object();
    cleanup_free char *expected = str_format("%s\n", settings[_i].value);
    cleanup_outcome struct outcome o;

    json_put_str(sysctl, settings[_i].key, settings[_i].value);
    container_set(config, "linux.sysctl", json_incref(sysctl));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, settings[_i].command), expected);
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(attack_process)
{
    TCase *t = tcase_create("attack process");

    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_loop_test(t, a_newcomer_cannot_be_touched, 0, WATCHES);
    tcase_add_test(t, an_init_that_joins_cannot_be_touched);
    tcase_add_test(t, no_descriptor_leads_out);
    LOOP(no_link_leads_out, magic);
    tcase_add_test(t, the_callers_capabilities_stay_outside);
    tcase_add_test(t, the_groups_are_the_containers);
    tcase_add_loop_test(t, no_new_privileges, 0, 2);
    LOOP(exec_takes_no_wrong_user_for_root, bad_users);
    tcase_add_loop_test(t, a_strange_passwd_does_no_harm, 0, 2 * STRANGE);
    LOOP(no_setting_is_smuggled, smuggled);
    LOOP(a_setting_is_the_containers, settings);
    suite_add_tcase(suite, t);
}
