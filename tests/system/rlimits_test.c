/* Resource limits: all sixteen, down for everybody, up for who may. */
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "container.h"

static bool has_cap(cap_value_t cap)
{
    cap_t now = cap_get_proc();
    cap_flag_value_t on = CAP_CLEAR;

    cap_get_flag(now, cap, CAP_EFFECTIVE, &on);
    cap_free(now);
    return on == CAP_SET;
}

static const char *probe_sys_resource(void)
{
    return has_cap(CAP_SYS_RESOURCE) ? NULL : "root here has no CAP_SYS_RESOURCE";
}
TAG("cap-sys-resource", probe_sys_resource)

static const char *const limit_names[] = {
    "RLIMIT_CPU",      "RLIMIT_FSIZE", "RLIMIT_DATA",   "RLIMIT_STACK",
    "RLIMIT_CORE",     "RLIMIT_RSS",   "RLIMIT_NPROC",  "RLIMIT_NOFILE",
    "RLIMIT_MEMLOCK",  "RLIMIT_AS",    "RLIMIT_LOCKS",  "RLIMIT_SIGPENDING",
    "RLIMIT_MSGQUEUE", "RLIMIT_NICE",  "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
}; /* by number */

/* All sixteen at once, each one below what we have; what is infinite becomes a terabyte. */
START_TEST(every_limit_is_set)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = NULL;
    cleanup_buf struct buf command = {0};
    cleanup_outcome struct outcome o;
    long long hard[16];

    for (int i = 0; i < 16; i++)
        buf_printf(&command, "%slimit %d", i ? " + " : "", i);
    config = container_config_of(bundle, "traits", command.data);
    for (int i = 0; i < 16; i++) {
        struct rlimit now;

        ck_assert(!getrlimit((__rlimit_resource_t)i, &now));
        hard[i] = now.rlim_max == RLIM_INFINITY ? 1LL << 46
                  : now.rlim_max                ? (long long)now.rlim_max - 1
                                                : 0;
        container_append(config, "process.rlimits",
                         json_pack("{s:s,s:I,s:I}", "type", limit_names[i], "soft",
                                   (json_int_t)hard[i], "hard", (json_int_t)hard[i]));
    }
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    for (int i = 0; i < 16; i++) {
        cleanup_free char *one = str_format("limit %d", i);
        cleanup_free char *expected = str_format("%lld:%lld", hard[i], hard[i]);

        ck_assert_str_eq(answer(&o, one), expected);
    }
}
END_TEST

/* Docker, Podman and containerd write RLIM_INFINITY as the unsigned number it is in Go. */
START_TEST(infinity_as_go_writes_it)
{
    static const char text[] = "[{\"type\":\"RLIMIT_CORE\",\"soft\":18446744073709551615,"
                               "\"hard\":18446744073709551615}]";
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config_of(bundle, "traits", "limit 4");
    cleanup_outcome struct outcome o;
    struct err err = {0};
    json_t *limits = json_parse_u64(text, strlen(text), "limits", &err);

    ck_assert_msg(limits != NULL, "%s", err.message);
    container_set(config, "process.rlimits", limits);
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "limit 4"), "-1:-1");
}
END_TEST

/* Without CAP_SYS_RESOURCE a limit goes down and never up, and the message says which and why. */
START_TEST(a_limit_is_not_raised_without_the_right_to)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config_of(bundle, "traits", "limit 7");
    const struct rlimit low = {100, 100};
    cleanup_outcome struct outcome o;
    cap_value_t cap = CAP_SYS_RESOURCE;
    cap_t now = cap_get_proc();

    ck_assert(!setrlimit(RLIMIT_NOFILE, &low));
    ck_assert(!cap_set_flag(now, CAP_EFFECTIVE, 1, &cap, CAP_CLEAR) &&
              !cap_set_flag(now, CAP_PERMITTED, 1, &cap, CAP_CLEAR) && !cap_set_proc(now));
    cap_free(now);
    container_set(config, "process.rlimits",
                  json_pack("[{s:s,s:i,s:i}]", "type", "RLIMIT_NOFILE", "soft", 50, "hard", 101));
    container_run(bundle, config, &o);
    ck_assert_int_eq(o.created, -EPERM);
    ck_assert_ptr_ne(strstr(o.err.message, "cannot raise the hard limit of RLIMIT_NOFILE to 101: "
                                           "Operation not permitted: that needs CAP_SYS_RESOURCE"),
                     NULL);
}
END_TEST

START_TEST(limits_are_raised_for_a_user_namespace)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config_of(bundle, "traits", "limit 7");
    cleanup_free char *rootfs = str_format("%s/rootfs", bundle);
    const struct rlimit low = {100, 100};
    cleanup_outcome struct outcome o;
    static const char *const members[] = {
        "process.rlimits",
        "[{\"type\":\"RLIMIT_NOFILE\",\"soft\":200,\"hard\":300}]",
        "linux.uidMappings",
        "[{\"containerID\":0,\"hostID\":7000,\"size\":10}]",
        "linux.gidMappings",
        "[{\"containerID\":0,\"hostID\":7000,\"size\":10}]",
        NULL,
    };

    ck_assert(!setrlimit(RLIMIT_NOFILE, &low));
    ck_assert(!chown(rootfs, 7000, 7000));
    for (size_t i = 0; members[i]; i += 2)
        container_set(config, members[i], json_loads(members[i + 1], 0, NULL));
    container_append(config, "linux.namespaces", json_pack("{s:s}", "type", "user"));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "limit 7"), "200:300");
}
END_TEST

SUITE(rlimits)
{
    TCase *t = tcase_create("rlimits"), *raising = tcase_create("raising limits");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, every_limit_is_set);
    tcase_add_test(t, infinity_as_go_writes_it);
    tcase_add_test(t, a_limit_is_not_raised_without_the_right_to);
    suite_add_tcase(suite, t);
    tcase_set_tags(raising, "cap-sys-resource");
    tcase_set_timeout(raising, 30);
    tcase_add_unchecked_fixture(raising, container_setup, container_teardown);
    tcase_add_test(raising, limits_are_raised_for_a_user_namespace);
    suite_add_tcase(suite, raising);
}
