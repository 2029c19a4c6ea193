/* process.apparmorProfile, where the kernel has AppArmor: the program runs under the profile and is
 * held to it. What a kernel without says is in traits_test.c. */
#include "support/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "container.h"
#include "support/run.h"

#define PROFILE "cooper-test-profile"
#define POLICY  "/sys/kernel/security/apparmor"

static const char *probe_apparmor(void)
{
    struct buf text = {0};
    struct err err = {0};
    bool on = !file_load(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", 64, &text, &err) &&
              *text.data == 'Y';

    buf_free(&text);
    if (!on)
        return "this kernel has no AppArmor";
    return run_has_program("apparmor_parser") ? NULL : "no apparmor_parser here";
}
TAG("apparmor", probe_apparmor)

/* Everything is allowed but one file. */
static void load_profile(void)
{
    static const char text[] = "profile " PROFILE " flags=(attach_disconnected) {\n"
                               "  file, capability, network, signal, mount, ptrace,\n"
                               "  deny /tmp/secret rwkl,\n}\n";
    struct run_options options = {.input = text, .input_len = sizeof text - 1};
    struct run_result r = {0};

    container_setup();
    if (access(POLICY, F_OK) < 0 &&
        mount("securityfs", "/sys/kernel/security", "securityfs", 0, NULL) < 0)
        perror("cannot mount securityfs");
    RUN_OK(&r, &options, "apparmor_parser", "--replace", "--skip-cache");
    run_free(&r);
}

static void remove_profile(void)
{
    int fd = open(POLICY "/.remove", O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, PROFILE, strlen(PROFILE)) < 0)
        perror("cannot remove the profile");
    close(fd);
    container_teardown();
}

#define COMMAND "cat /proc/self/attr/apparmor/current + cat /tmp/secret + cat /tmp/open"

static json_t *confined(const char *bundle, const char *command)
{
    cleanup_free char *secret = str_format("%s/rootfs/tmp/secret", bundle);
    cleanup_free char *open_file = str_format("%s/rootfs/tmp/open", bundle);
    json_t *config = container_config(bundle, command);
    struct err err = {0};

    ck_assert(!file_store(AT_FDCWD, secret, "x", 1, 0644, false, &err));
    ck_assert(!file_store(AT_FDCWD, open_file, "x", 1, 0644, false, &err));
    container_set(config, "process.apparmorProfile", json_string(PROFILE));
    return config;
}

static void check(const struct outcome *o)
{
    ck_assert_str_eq(answer(o, "cat /proc/self/attr/apparmor/current"), PROFILE " (enforce)\n");
    ck_assert_str_eq(answer(o, "cat /tmp/secret"), "EACCES");
    ck_assert_str_eq(answer(o, "cat /tmp/open"), "x");
}

START_TEST(the_program_is_confined)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = confined(bundle, COMMAND);
    cleanup_outcome struct outcome o, plain;

    container_set(config, "process.noNewPrivileges", json_boolean(_i));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    check(&o);
    json_object_del(json_object_get(config, "process"), "apparmorProfile");
    container_run(bundle, config, &plain);
    ck_assert_str_eq(answer(&plain, "cat /tmp/secret"), "x");
}
END_TEST

START_TEST(exec_is_confined)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = confined(bundle, "wait");
    struct outcome o = {0};
    struct executed e;
    struct running r;

    container_start(bundle, config, &r);
    container_exec(&r, bundle, config, COMMAND, NULL, &e);
    ck_assert_msg(!e.result, "%s", e.err.message);
    o.output = e.output;
    check(&o);
    outcome_free(&o);
    container_end(&r);
}
END_TEST

START_TEST(root_of_a_user_namespace_is_confined)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = confined(bundle, COMMAND);
    cleanup_free char *rootfs = str_format("%s/rootfs", bundle);
    cleanup_outcome struct outcome o;

    ck_assert(!chown(rootfs, 7000, 7000));
    container_append(config, "linux.namespaces", json_pack("{s:s}", "type", "user"));
    container_set(config, "linux.uidMappings",
                  json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID", 7000, "size", 10));
    container_set(config, "linux.gidMappings",
                  json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID", 7000, "size", 10));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    check(&o);
}
END_TEST

START_TEST(a_profile_that_is_not_loaded_is_an_error)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = confined(bundle, COMMAND);
    cleanup_outcome struct outcome o;

    container_set(config, "process.apparmorProfile", json_string("cooper-test-nowhere"));
    container_run(bundle, config, &o);
    ck_assert_int_eq(o.created, -ENOENT);
    ck_assert_ptr_ne(strstr(o.err.message, "unable to apply apparmor profile "
                                           "'cooper-test-nowhere' (is it loaded?"),
                     NULL);
}
END_TEST

SUITE(lsm)
{
    TCase *t = tcase_create("AppArmor");

    tcase_set_tags(t, "apparmor");
    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, load_profile, remove_profile);
    tcase_add_loop_test(t, the_program_is_confined, 0, 2);
    tcase_add_test(t, exec_is_confined);
    tcase_add_test(t, root_of_a_user_namespace_is_confined);
    tcase_add_test(t, a_profile_that_is_not_loaded_is_an_error);
    suite_add_tcase(suite, t);
}
