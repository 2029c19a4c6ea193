/* What a process is given beside its identity: limits, scheduling, memory, keys, environment. Each
 * is seen from inside, of a container's first process and of one that joins it. */
#include "support/suite.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "container.h"

static json_t *traits(const char *bundle, const char *command)
{
    return container_config_of(bundle, "traits", command);
}

/* Sets members given as text: path, JSON, path, JSON, ..., NULL. */
static void set(json_t *config, const char *const *members)
{
    for (; members[0]; members += 2)
        container_set(config, members[0], json_loads(members[1], JSON_DECODE_ANY, NULL));
}

/* --- seen by both ----------------------------------------------------------------------------- */

static const struct given {
    const char *member, *value; /* JSON */
    const char *command, *answer;
} given[] = {
    {"process.scheduler", "{\"policy\":\"SCHED_BATCH\",\"nice\":7}", "scheduler",
     "3 7 0 0x0 0/0/0"},
    {"process.scheduler", "{\"policy\":\"SCHED_OTHER\",\"nice\":-3}", "scheduler",
     "0 -3 0 0x0 0/0/0"},
    {"process.scheduler", "{\"policy\":\"SCHED_IDLE\"}", "scheduler", "5 0 0 0x0 0/0/0"},
    {"process.scheduler",
     "{\"policy\":\"SCHED_DEADLINE\",\"runtime\":1000000,\"deadline\":5000000,"
     "\"period\":10000000}",
     "scheduler", "6 0 0 0x0 1000000/5000000/10000000"},
    {"process.ioPriority", "{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":6}", "io",
     "class 2 level 6"},
    {"process.ioPriority", "{\"class\":\"IOPRIO_CLASS_IDLE\"}", "io", "class 3 level 0"},
    {"process.ioPriority", "{\"class\":\"IOPRIO_CLASS_RT\",\"priority\":1}", "io",
     "class 1 level 1"},
    {"linux.memoryPolicy", "{\"mode\":\"MPOL_INTERLEAVE\",\"nodes\":\"0\"}", "memory",
     "0x3 nodes 1"},
    {"linux.memoryPolicy",
     "{\"mode\":\"MPOL_BIND\",\"nodes\":\"0\",\"flags\":["
     "\"MPOL_F_STATIC_NODES\"]}",
     "memory", "0x8002 nodes 1"},
    {"linux.memoryPolicy", "{\"mode\":\"MPOL_LOCAL\"}", "memory", "0x4 nodes 0"},
    {"process.rlimits", "[{\"type\":\"RLIMIT_NOFILE\",\"soft\":40,\"hard\":50}]", "limit 7",
     "40:50"},
    {"process.user.umask", "63", "groups", "1, 0 to 0"},
#if defined(__x86_64__)
    {"linux.personality", "{\"domain\":\"LINUX32\"}", "machine", "i686 0x8"},
    {"linux.personality", "{\"domain\":\"LINUX\"}", "machine", "x86_64 0x0"},
#endif
};

static const struct given real_time[] = {
    {"process.scheduler",
     "{\"policy\":\"SCHED_RR\",\"priority\":11,\"flags\":["
     "\"SCHED_FLAG_RESET_ON_FORK\"]}",
     "scheduler", "2 0 11 0x1 0/0/0"},
    {"process.scheduler", "{\"policy\":\"SCHED_FIFO\",\"priority\":12}", "scheduler",
     "1 0 12 0x0 0/0/0"},
};

/* A kernel with real-time group scheduling gives a new group none of it. */
static const char *probe_real_time(void)
{
    return access("/sys/fs/cgroup/cpu/cpu.rt_runtime_us", F_OK) ? NULL
                                                                : "new groups here have none";
}
TAG("real-time", probe_real_time)

/* The syscall filter of this container knows no get_mempolicy(2). */
static json_t *given_config(const char *bundle, const struct given *g)
{
    json_t *config = traits(bundle, g->command);

    json_object_clear(json_object_get(config, "annotations"));
    container_set(config, g->member, json_loads(g->value, JSON_DECODE_ANY, NULL));
    return config;
}

static void check_init(const struct given *g)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = given_config(bundle, g);
    cleanup_outcome struct outcome o;

    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, g->command), g->answer);
}

static void check_exec(const struct given *g)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = given_config(bundle, g);
    cleanup_json json_t *process = json_deep_copy(json_object_get(config, "process"));
    struct outcome o = {0};
    struct executed e;
    struct running r;

    container_set(config, "process", json_object());
    container_set(config, "process.args", json_pack("[s,s]", "/bin/probe", "wait"));
    container_start(bundle, config, &r);
    container_exec_process(&r, bundle, config, process, NULL, &e);
    ck_assert_msg(!e.result, "%s", e.err.message);
    o.output = e.output;
    ck_assert_str_eq(answer(&o, g->command), g->answer);
    outcome_free(&o);
    container_end(&r);
}

START_TEST(init_gets_it)
{
    check_init(&given[_i]);
}
END_TEST

START_TEST(exec_gets_it)
{
    check_exec(&given[_i]);
}
END_TEST

START_TEST(real_time_is_given)
{
    check_init(&real_time[_i]);
    check_exec(&real_time[_i]);
}
END_TEST

/* What only the host's root may do to a process in a user namespace its parent does. */
START_TEST(a_user_namespace_gets_it_too)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = traits(bundle, "scheduler + io");
    cleanup_free char *rootfs = str_format("%s/rootfs", bundle);
    cleanup_outcome struct outcome o;
    static const char *const members[] = {
        "process.scheduler",
        "{\"policy\":\"SCHED_OTHER\",\"nice\":-5}",
        "process.ioPriority",
        "{\"class\":\"IOPRIO_CLASS_RT\",\"priority\":2}",
        "linux.uidMappings",
        "[{\"containerID\":0,\"hostID\":7000,\"size\":10}]",
        "linux.gidMappings",
        "[{\"containerID\":0,\"hostID\":7000,\"size\":10}]",
        NULL,
    };

    ck_assert(!chown(rootfs, 7000, 7000));
    set(config, members);
    container_append(config, "linux.namespaces", json_pack("{s:s}", "type", "user"));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "scheduler"), "0 -5 0 0x0 0/0/0");
    ck_assert_str_eq(answer(&o, "io"), "class 1 level 2");
}
END_TEST

/* --- what is refused -------------------------------------------------------------------------- */

static const struct {
    const char *member, *value, *message;
} refused[] = {
    {"process.scheduler", "{\"nice\":1}", "process.scheduler has no policy"},
    {"process.scheduler", "{\"policy\":\"SCHED_X\"}", "there is no 'SCHED_X'"},
    {"process.scheduler", "{\"policy\":\"SCHED_ISO\"}", "no such scheduler"},
    {"process.scheduler", "{\"policy\":\"SCHED_OTHER\",\"nice\":20}", "nice 20"},
    {"process.scheduler", "{\"policy\":\"SCHED_OTHER\",\"priority\":1}",
     "scheduler.priority can only be specified for SchedFIFO or SchedRR policy"},
    {"process.scheduler", "{\"policy\":\"SCHED_OTHER\",\"runtime\":1}",
     "scheduler runtime/deadline/period can only be specified for SchedDeadline policy"},
    {"process.scheduler", "{\"policy\":\"SCHED_OTHER\",\"flags\":[\"SCHED_FLAG_X\"]}",
     "there is no 'SCHED_FLAG_X'"},
    {"process.scheduler", "{\"policy\":\"SCHED_FIFO\",\"priority\":500}", "'SCHED_FIFO'"},
    {"process.ioPriority", "{\"class\":\"IOPRIO_CLASS_X\"}", "there is no 'IOPRIO_CLASS_X'"},
    {"process.ioPriority", "{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":8}", "priority 8"},
    {"process.execCPUAffinity", "{\"initial\":\"0-\"}", "process.execCPUAffinity.initial"},
    {"process.execCPUAffinity", "{\"final\":\"3-1\"}", "process.execCPUAffinity.final"},
    {"process.execCPUAffinity", "{\"final\":\"99999999999999999999\"}", "is not a list"},
    {"linux.memoryPolicy", "{\"mode\":\"MPOL_X\"}", "there is no 'MPOL_X'"},
    {"linux.memoryPolicy", "{\"mode\":\"MPOL_BIND\",\"nodes\":\"x\"}", "linux.memoryPolicy.nodes"},
    {"linux.memoryPolicy", "{\"mode\":\"MPOL_BIND\",\"nodes\":\"4000\"}",
     "cannot set linux.memoryPolicy to 'MPOL_BIND' on the nodes '4000'"},
    {"linux.memoryPolicy", "{\"mode\":\"MPOL_BIND\",\"flags\":[\"MPOL_F_X\"]}",
     "there is no 'MPOL_F_X'"},
    {"linux.personality", "{\"domain\":\"BSD\"}", "there is no 'BSD'"},
    {"linux.personality", "{\"domain\":\"LINUX\",\"flags\":[\"ADDR_NO_RANDOMIZE\"]}",
     "'linux.personality.flags' is not supported"},
    {"linux.intelRdt", "{\"schemata\":[\"L3:0=f\\nMB:0=1\"]}", "intelRdt"},
    {"process.apparmorProfile", "\"nowhere\"", "apparmor"},
    {"process.selinuxLabel", "\"a_u:a_r:a_t:s0\"", "selinux"},
    {"process.args", "[]", "process.args is empty"},
    {"process.env", "[\"A\"]", "invalid environment variable 'A': missing '='"},
    {"process.env", "[\"=A\"]", "invalid environment variable '=A': name cannot be empty"},
    {"process.rlimits",
     "[{\"type\":\"RLIMIT_CORE\",\"soft\":0,\"hard\":0},{\"type\":\"RLIMIT_CORE\",\"soft\":0,"
     "\"hard\":0}]",
     "'RLIMIT_CORE' is there twice"},
    {"process.oomScoreAdj", "1001", "process.oomScoreAdj 1001 is not from -1000 to 1000"},
    {"process.oomScoreAdj", "4294967296", "process.oomScoreAdj 4294967296 is not from"},
    {"process.consoleSize", "{\"height\":65536,\"width\":1}",
     "consoleSize.height 65536 is not from"},
    {"hooks", "{\"poststop\":[\"x\"]}", "hooks.poststop[0]: path '' is not an absolute path"},
    {"linux.resources", "{\"devices\":{}}", "linux.resources.devices is not a list"},
    {"linux.resources", "{\"devices\":[{\"allow\":true,\"type\":[\"c\"]}]}",
     "type is not a string"},
    {"linux.resources", "{\"devices\":[{\"allow\":true,\"access\":1}]}", "access is not a string"},
    {"process.user", "{\"uid\":0,\"gid\":0,\"umask\":-1}", "process.user.umask -1 is not from 0"},
    {"process.user", "{\"uid\":0,\"gid\":0,\"umask\":512}", "process.user.umask 512 is not"},
    {"process.capabilities",
     "{\"effective\":[\"CAP_CHOWN\",\"CAP_KILL\"],\"permitted\":[\"CAP_KILL\"]}",
     "process.capabilities.effective has what"},
    {"mounts", "[{\"destination\":\"/x\",\"type\":\"tmpfs\",\"options\":\"ro\"}]",
     "mounts[0]: options is not an array"},
    {"mounts", "[{\"destination\":\"/x\",\"type\":\"tmpfs\",\"uidMappings\":\"x\"}]",
     "mounts[0]: uidMappings is not an array"},
    {"hooks", "{\"poststop\":{\"path\":\"/bin/true\"}}", "hooks.poststop is not an array"},
    {"annotations", "{\"a\":1}", "annotations: the value of 'a' is not a string"},
    {"linux.timeOffsets", "{\"monotonic\":{\"secs\":\"5\"}}",
     "linux.timeOffsets.monotonic.secs is not a whole number"},
};

START_TEST(what_cannot_be_given_is_an_error)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = traits(bundle, "scheduler");
    cleanup_outcome struct outcome o;

    container_set(config, refused[_i].member, json_loads(refused[_i].value, JSON_DECODE_ANY, NULL));
    container_run(bundle, config, &o);
    ck_assert_int_lt(o.created, 0);
    ck_assert_msg(strstr(o.err.message, refused[_i].message) != NULL, "%s", o.err.message);
}
END_TEST

/* --- processors ------------------------------------------------------------------------------- */

static unsigned long processors_of(struct running *r, const char *bundle, json_t *config,
                                   const char *affinity)
{
    cleanup_json json_t *process = json_deep_copy(json_object_get(config, "process"));
    struct outcome o = {0};
    struct executed e;
    unsigned long mask;

    json_put(process, "args", json_pack("[s,s]", "/bin/traits", "cpus"));
    json_put(process, "execCPUAffinity", json_loads(affinity, 0, NULL));
    container_exec_process(r, bundle, config, process, NULL, &e);
    ck_assert_msg(!e.result, "%s", e.err.message);
    o.output = e.output;
    mask = strtoul(answer(&o, "cpus"), NULL, 16);
    outcome_free(&o);
    return mask;
}

static unsigned long our_processors(void)
{
    cpu_set_t set;
    unsigned long mask = 0;

    ck_assert(!sched_getaffinity(0, sizeof set, &set));
    for (int i = 0; i < 64; i++)
        mask |= CPU_ISSET(i, &set) ? 1UL << i : 0;
    return mask;
}

/* It is about processes that enter: the first one is where its caller is. */
START_TEST(a_process_that_enters_is_bound)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait");
    unsigned long before = our_processors();
    struct running r;

    container_install(bundle, "traits");
    container_start(bundle, config, &r);
    ck_assert_uint_eq(processors_of(&r, bundle, config, "{\"final\":\"0\"}"), 1);
    ck_assert_uint_eq(processors_of(&r, bundle, config, "{\"initial\":\"0\",\"final\":\"0\"}"), 1);
    /* Only for its way in: then it gets what the container's group has. */
    ck_assert_uint_eq(processors_of(&r, bundle, config, "{\"initial\":\"0\"}"), before);
    ck_assert_uint_eq(our_processors(), before);
    container_end(&r);
}
END_TEST

/* --- environment, groups, terminal, capabilities ---------------------------------------------- */

START_TEST(of_a_name_given_twice_the_last_counts)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "environment");
    cleanup_outcome struct outcome o;

    container_set(
        config, "process.env",
        json_pack("[s,s,s,s,s,s,s]", "A=1", "AB=x", "B=2", "A=3", "A=", "HOME=", "B=4=5"));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "environment"), "AB=x;A=;B=4=5;HOME=/root;");
}
END_TEST

START_TEST(ten_thousand_variables_and_groups)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = traits(bundle, "groups");
    cleanup_outcome struct outcome o;

    for (int i = 0; i < 10000; i++) {
        cleanup_free char *variable = str_format("V%d=%d", i % 5000, i);

        container_append(config, "process.env", json_string(variable));
        container_append(config, "process.user.additionalGids", json_integer(20000 - i % 5000));
    }
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "groups"), "5001, 0 to 20000");
}
END_TEST

static char *warned;

static void take_warning(void *context, const char *message)
{
    (void)context;
    free(warned);
    warned = str_copy(message);
}

/* A configuration written for a newer kernel runs on this one. */
START_TEST(unknown_capabilities_are_told_and_passed_over)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "exit 5");
    struct runtime_request request = {
        .id = "x", .bundle = bundle, .config = config, .stdio = {-1, -1, -1}, .warn = take_warning};
    struct runtime_container *c;
    struct err err = {0};
    int status;

    container_append(config, "process.capabilities.bounding", json_string("CAP_NOPE"));
    container_append(config, "process.capabilities.effective", json_string("CAP_NOPE"));
    ck_assert_msg(!runtime_create(&request, &c, &err), "%s", err.message);
    ck_assert_msg(!runtime_start(c, &err), "%s", err.message);
    ck_assert_int_eq(waitpid(runtime_pid(c), &status, 0), runtime_pid(c));
    ck_assert_int_eq(WEXITSTATUS(status), 5);
    ck_assert(!runtime_destroy(c, &err));
    runtime_free(c);
    ck_assert_str_eq(warned, "ignoring unknown or unavailable capabilities: [CAP_NOPE]");
}
END_TEST

START_TEST(capabilities_we_lack_are_told)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    struct runtime_request request = {
        .id = "x", .bundle = bundle, .config = config, .stdio = {-1, -1, -1}, .warn = take_warning};
    struct runtime_container *c;
    struct err err = {0};

    ck_assert(!cap_drop_bound(CAP_AUDIT_WRITE));
    ck_assert_msg(!runtime_create(&request, &c, &err), "%s", err.message);
    ck_assert_msg(!runtime_start(c, &err), "%s", err.message);
    ck_assert_int_eq(waitpid(runtime_pid(c), NULL, 0), runtime_pid(c));
    ck_assert(!runtime_destroy(c, &err));
    runtime_free(c);
    ck_assert_str_eq(warned,
                     "capabilities not given because we do not have them: [CAP_AUDIT_WRITE]");
}
END_TEST

/* --- the working directory -------------------------------------------------------------------- */

/* Root of a user namespace may not enter what belongs to nobody in it; its owner may. */
START_TEST(a_directory_for_the_user_alone)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "self");
    cleanup_free char *rootfs = str_format("%s/rootfs", bundle);
    cleanup_free char *home = str_format("%s/rootfs/home", bundle);
    cleanup_outcome struct outcome o;
    static const char *const members[] = {
        "linux.uidMappings",
        "[{\"containerID\":0,\"hostID\":7000,\"size\":10},{\"containerID\":1000,\"hostID\":8000,"
        "\"size\":1}]",
        "linux.gidMappings",
        "[{\"containerID\":0,\"hostID\":7000,\"size\":10}]",
        "process.user",
        "{\"uid\":1000,\"gid\":5}",
        "process.cwd",
        "\"/home\"",
        NULL,
    };

    ck_assert(!chown(rootfs, 7000, 7000) && !mkdir(home, 0700) && !chown(home, 8000, 9000) &&
              !chmod(home, 0700));
    set(config, members);
    container_append(config, "linux.namespaces", json_pack("{s:s}", "type", "user"));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_ptr_ne(strstr(answer(&o, "self"), "cwd=/home "), NULL);
}
END_TEST

/* --- keys ------------------------------------------------------------------------------------- */

static json_t *key_config(const char *bundle, const char *payload, const char *command)
{
    json_t *config = container_config_of(bundle, payload, command);

    json_object_clear(json_object_get(config, "annotations")); /* keyctl(2) is filtered */
    return config;
}

START_TEST(exec_shares_the_containers_keys)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = key_config(bundle, "traits", "keyring + add-key mine");
    cleanup_free char *ring = str_format("_ses.%s", strrchr(bundle, '/') + 1);
    cleanup_json json_t *process = json_deep_copy(json_object_get(config, "process"));
    cleanup_outcome struct outcome o;
    struct outcome inside = {0};
    struct executed e;
    struct running r;

    container_run(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "keyring"), ring);
    ck_assert_str_eq(answer(&o, "add-key mine"), "ok");
    container_set(config, "process.args", json_pack("[s,s]", "/bin/probe", "wait"));
    container_start(bundle, config, &r);
    container_exec_process(&r, bundle, config, process, NULL, &e);
    ck_assert_msg(!e.result, "%s", e.err.message);
    free(e.output);
    json_put(process, "args", json_pack("[s,s,s]", "/bin/traits", "find-key", "mine"));
    container_exec_process(&r, bundle, config, process, NULL, &e);
    ck_assert_msg(!e.result, "%s", e.err.message);
    inside.output = e.output;
    ck_assert_str_eq(answer(&inside, "find-key mine"), "found");
    outcome_free(&inside);
    container_end(&r);
}
END_TEST

START_TEST(the_callers_keys_stay_outside)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = key_config(bundle, "traits", "find-key ours");
    cleanup_outcome struct outcome o;

    ck_assert_int_ge(syscall(SYS_keyctl, 1 /* JOIN_SESSION_KEYRING */, NULL), 0);
    ck_assert_int_ge(syscall(SYS_add_key, "user", "ours", "secret", 6, -3), 0);
    container_run(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "find-key ours"), "ENOKEY");
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(traits)
{
    TCase *t = tcase_create("traits"), *times = tcase_create("real time");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    LOOP(init_gets_it, given);
    LOOP(exec_gets_it, given);
    tcase_add_test(t, a_user_namespace_gets_it_too);
    LOOP(what_cannot_be_given_is_an_error, refused);
    tcase_add_test(t, a_process_that_enters_is_bound);
    tcase_add_test(t, of_a_name_given_twice_the_last_counts);
    tcase_add_test(t, ten_thousand_variables_and_groups);
    tcase_add_test(t, unknown_capabilities_are_told_and_passed_over);
    tcase_add_test(t, capabilities_we_lack_are_told);
    tcase_add_test(t, a_directory_for_the_user_alone);
    tcase_add_test(t, exec_shares_the_containers_keys);
    tcase_add_test(t, the_callers_keys_stay_outside);
    suite_add_tcase(suite, t);
    tcase_set_tags(times, "real-time");
    tcase_set_timeout(times, 30);
    tcase_add_unchecked_fixture(times, container_setup, container_teardown);
    tcase_add_loop_test(times, real_time_is_given, 0, 2);
    suite_add_tcase(suite, times);
}
