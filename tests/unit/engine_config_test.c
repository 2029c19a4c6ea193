/* What the user says over what the image says, and which requests are refused before anything is
 * made. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/internal.h"
#include "engine/mounts.h"
#include "support/suite.h"

static struct err err;

static json_t *parse(const char *text)
{
    json_t *json = json_parse(text, strlen(text), "test", &err);

    ck_assert_msg(json != NULL, "%s", err.message);
    return json;
}

static char *command(const char *user, const char *image)
{
    cleanup_json json_t *config = parse(user), *theirs = parse(image);
    cleanup_strv struct strv argv = {0};

    ck_assert_int_eq(config_merge(config, theirs, &err), 0);
    if (config_command(config, &argv, &err) < 0)
        return str_copy(err.message);
    return strv_join(&argv, " ");
}

static const struct {
    const char *user, *image, *argv;
} commands[] = {
    {"{}", "{\"Cmd\":[\"a\",\"b\"]}", "a b"},
    {"{\"Cmd\":[\"x\"]}", "{\"Cmd\":[\"a\",\"b\"]}", "x"},
    {"{}", "{\"Entrypoint\":[\"e\"],\"Cmd\":[\"a\"]}", "e a"},
    {"{\"Cmd\":[\"x\"]}", "{\"Entrypoint\":[\"e\"],\"Cmd\":[\"a\"]}", "e x"},
    {"{\"Entrypoint\":[\"n\"]}", "{\"Entrypoint\":[\"e\"],\"Cmd\":[\"a\"]}", "n"},
    {"{\"Entrypoint\":[\"n\"],\"Cmd\":[\"x\"]}", "{\"Entrypoint\":[\"e\"],\"Cmd\":[\"a\"]}", "n x"},
    {"{\"Entrypoint\":[\"\"],\"Cmd\":[\"x\"]}", "{\"Entrypoint\":[\"e\"]}", "x"},
    {"{}", "{}", "No command specified"},
};

START_TEST(command_follows_dockers_table)
{
    cleanup_free char *argv = command(commands[_i].user, commands[_i].image);

    ck_assert_str_eq(argv, commands[_i].argv);
}
END_TEST

START_TEST(users_variables_win)
{
    cleanup_json json_t *config = parse("{\"Env\":[\"A=user\"]}");
    cleanup_json json_t *image = parse("{\"Env\":[\"A=image\",\"B=image\"]}");
    cleanup_strv struct strv env = {0};

    ck_assert_int_eq(config_merge(config, image, &err), 0);
    json_strings(json_object_get(config, "Env"), &env);
    ck_assert(strv_contains(&env, "A=user"));
    ck_assert(!strv_contains(&env, "A=image"));
    ck_assert(strv_contains(&env, "B=image"));
    ck_assert_uint_eq(env.len, 2);
}
END_TEST

START_TEST(image_with_wrong_types_is_refused)
{
    cleanup_json json_t *config = parse("{}"), *image = parse("{\"Env\":\"A=b\"}");

    ck_assert_int_eq(config_merge(config, image, &err), -EINVAL);
}
END_TEST

static int parse_bind(const char *spec, struct mount_list *list)
{
    cleanup_json json_t *config = json_object(), *host = json_object();
    json_t *binds = json_array();

    json_push(binds, json_string(spec));
    json_put(host, "Binds", binds);
    return mounts_parse(NULL, config, host, list, &err);
}

static const struct {
    const char *spec, *message; /* NULL: accepted */
} binds[] = {
    {"/a:/b", NULL},
    {"/a:/b:ro", NULL},
    {"/a:/b:ro,rslave", NULL},
    {"name:/b", NULL},
    {"/b", NULL},
    {"a:b:c:d", "invalid volume specification"},
    {"/x:/", "destination can't be '/'"},
    {"/x:/..", "destination can't be '/'"},
    {"/x:relative", "invalid mount path: 'relative' mount path must be absolute"},
    {"/a:/b:rw,z,nocopy", NULL},
    {"/x:/y:bogus", "invalid mode: bogus"},
    {"/x:/y:ro,rw", "invalid mode: ro,rw"},
    {"/x:/y:slave,rshared", "invalid mode: slave,rshared"},
    {"rel/path:/x", "includes invalid characters for a local volume name"},
    {"../x:/y", "includes invalid characters for a local volume name"},
    {":/x", "empty section between colons"},
    {"", "invalid volume specification"},
    {"x:/y", "volume name is too short"},
};

START_TEST(bind_specifications)
{
    struct mount_list list = {0};
    int r = parse_bind(binds[_i].spec, &list);

    if (!binds[_i].message)
        ck_assert_msg(!r, "'%s': %s", binds[_i].spec, err.message);
    else
        ck_assert_msg(r == -EINVAL && strstr(err.message, binds[_i].message), "'%s': %d %s",
                      binds[_i].spec, r, err.message);
    mount_list_free(&list);
}
END_TEST

#define CONFIG "invalid mount config for type "
static const struct {
    const char *entry, *message; /* NULL: accepted */
} objects[] = {
    {"{\"Type\":\"bind\",\"Source\":\"/tmp\",\"Target\":\"/x\"}", NULL},
    {"{\"Type\":\"volume\",\"Target\":\"/x\"}", NULL},
    {"{\"Type\":\"tmpfs\",\"Target\":\"/x\",\"TmpfsOptions\":{\"SizeBytes\":4096,\"Mode\":448}}",
     NULL},
    {"{\"Type\":\"image\",\"Source\":\"a\",\"Target\":\"/x\"}", NULL},
    {"{\"Type\":\"foo\",\"Target\":\"/x\"}", CONFIG "\"foo\": mount type unknown"},
    {"{\"Type\":\"bind\",\"Source\":\"/tmp\"}", CONFIG "\"bind\": field Target must not be empty"},
    {"{\"Type\":\"bind\",\"Source\":\"/tmp\",\"Target\":\"/\"}",
     CONFIG "\"bind\": invalid specification: destination can't be '/'"},
    {"{\"Type\":\"bind\",\"Source\":\"/tmp\",\"Target\":\"x\"}",
     CONFIG "\"bind\": invalid mount path: 'x' mount path must be absolute"},
    {"{\"Type\":\"bind\",\"Target\":\"/x\"}", CONFIG "\"bind\": field Source must not be empty"},
    {"{\"Type\":\"bind\",\"Source\":\"rel\",\"Target\":\"/x\"}",
     CONFIG "\"bind\": invalid mount path: 'rel' mount path must be absolute"},
    {"{\"Type\":\"bind\",\"Source\":\"/nonexist\",\"Target\":\"/x\"}",
     CONFIG "\"bind\": bind source path does not exist: /nonexist"},
    {"{\"Type\":\"bind\",\"Source\":\"/tmp\",\"Target\":\"/"
     "x\",\"BindOptions\":{\"Propagation\":\"foo\"}}",
     CONFIG "\"bind\": invalid propagation mode: foo"},
    {"{\"Type\":\"volume\",\"Target\":\"/x\",\"ReadOnly\":true}",
     CONFIG "\"volume\": must not set ReadOnly mode when using anonymous volumes"},
    {"{\"Type\":\"volume\",\"Source\":\"a/b\",\"Target\":\"/x\"}",
     "create a/b: \"a/b\" includes invalid characters for a local volume name, only "
     "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use "
     "absolute path"},
    {"{\"Type\":\"volume\",\"Source\":\"vv\",\"Target\":\"/x\",\"VolumeOptions\":{\"Subpath\":\"../"
     "y\"}}",
     CONFIG "\"volume\": subpath must be a relative path within the volume"},
    {"{\"Type\":\"volume\",\"Source\":\"vv\",\"Target\":\"/"
     "x\",\"VolumeOptions\":{\"DriverConfig\":{"
     "\"Name\":\"foo\"}}}",
     "create vv: error looking up volume plugin foo: plugin \"foo\" not found"},
    {"{\"Type\":\"volume\",\"Source\":\"vv\",\"Target\":\"/"
     "x\",\"VolumeOptions\":{\"DriverConfig\":{"
     "\"Options\":{\"type\":\"tmpfs\"}}}}",
     "create vv: missing required option: \"device\""},
    {"{\"Type\":\"tmpfs\",\"Source\":\"/y\",\"Target\":\"/x\"}",
     CONFIG "\"tmpfs\": field Source must not be specified"},
};

START_TEST(mount_objects)
{
    cleanup_json json_t *config = json_object(), *host = json_object();
    json_t *list = json_array();
    struct mount_list mounts = {0};
    int r;

    json_push(list, parse(objects[_i].entry));
    json_put(host, "Mounts", list);
    r = mounts_parse(NULL, config, host, &mounts, &err);
    if (!objects[_i].message)
        ck_assert_msg(!r, "'%s': %s", objects[_i].entry, err.message);
    else
        ck_assert_str_eq(err.message, objects[_i].message);
    mount_list_free(&mounts);
}
END_TEST

START_TEST(mounts_are_cleaned_and_parents_come_first)
{
    cleanup_json json_t *config = parse("{\"Volumes\":{\"/a\":{},\"/d/e\":{}}}");
    cleanup_json json_t *host =
        parse("{\"Binds\":[\"/s:/a//b/./c/../d\",\"/t:/d/e\"],\"Tmpfs\":{\"/z\":\"size=1m\"}}");
    struct mount_list list = {0};

    ck_assert_msg(!mounts_parse(NULL, config, host, &list, &err), "%s", err.message);
    ck_assert_uint_eq(list.len, 4); /* the image's /d/e is the user's bind */
    ck_assert_str_eq(list.items[3].destination, "/a/b/d");
    for (size_t i = 0; i < list.len; i++)
        if (!strcmp(list.items[i].destination, "/d/e"))
            ck_assert_str_eq(list.items[i].type, "bind");
    mount_list_free(&list);
}
END_TEST

START_TEST(same_destination_twice_is_refused)
{
    cleanup_json json_t *config = json_object();
    cleanup_json json_t *host = parse("{\"Binds\":[\"/s:/a\",\"/t:/a/\"]}");
    struct mount_list list = {0};

    ck_assert_int_eq(mounts_parse(NULL, config, host, &list, &err), -EINVAL);
    ck_assert_str_eq(err.message, "Duplicate mount point: /a");
}
END_TEST

static const struct {
    const char *host, *message;
} limits[] = {
    {"{\"Memory\":6291456}", NULL},
    {"{\"Memory\":6291455}", "Minimum memory limit allowed is 6MB"},
    {"{\"MemorySwap\":10000000}", "You should always set the Memory limit"},
    {"{\"Memory\":20000000,\"MemorySwap\":10000000}", "Minimum memoryswap limit should be larger"},
    {"{\"NanoCpus\":10000000}", NULL},
    {"{\"NanoCpus\":1}", "Range of CPUs is from 0.01 to"},
    {"{\"NanoCpus\":999999000000000}", "Range of CPUs is from 0.01 to"},
    {"{\"NanoCpus\":500000000,\"CpuQuota\":5000}", "Nano CPUs and CPU Quota"},
    {"{\"CpuPeriod\":10}", "CPU cfs period"},
    {"{\"CpusetCpus\":\"0-1,3\"}", NULL},
    {"{\"CpusetCpus\":\"1-0\"}", "Invalid value 1-0 for cpuset cpus"},
    {"{\"CpusetCpus\":\"0-99999999999\"}", "Invalid value"},
    {"{\"CpusetMems\":\"x\"}", "Invalid value x for cpuset mems"},
};

START_TEST(limits_are_checked)
{
    cleanup_json json_t *host = parse(limits[_i].host);
    int r = limits_check(host, false, &err);

    if (!limits[_i].message)
        ck_assert_msg(!r, "%s: %s", limits[_i].host, err.message);
    else
        ck_assert_msg(r == -EINVAL && strstr(err.message, limits[_i].message) &&
                          err.exit_status == 125,
                      "%s: %d %s", limits[_i].host, r, err.message);
}
END_TEST

START_TEST(swap_defaults_to_twice_the_memory)
{
    cleanup_json json_t *host =
        parse("{\"Memory\":10000000,\"NanoCpus\":500000000,\"PidsLimit\":5}");
    cleanup_json json_t *resources = NULL;

    ck_assert_int_eq(limits_check(host, false, &err), 0);
    limits_default(host);
    resources = limits_resources(host);
    ck_assert_int_eq(json_int(resources, "memory.swap", 0), 20000000);
    ck_assert_int_eq(json_int(resources, "cpu.quota", 0), 50000);
    ck_assert_int_eq(json_int(resources, "cpu.period", 0), 100000);
    ck_assert_int_eq(json_int(resources, "pids.limit", 0), 5);
}
END_TEST

START_TEST(twice_an_enormous_memory_is_no_limit)
{
    cleanup_json json_t *host = parse("{\"Memory\":8000000000000000000}");

    ck_assert_int_eq(limits_check(host, false, &err), 0);
    limits_default(host);
    ck_assert_int_eq(json_int(host, "MemorySwap", 0), -1);
}
END_TEST

START_TEST(names)
{
    ck_assert(name_valid("web"));
    ck_assert(name_valid("a_.-9"));
    ck_assert(!name_valid("a"));
    ck_assert(!name_valid("../x"));
    ck_assert(!name_valid("-web"));
    ck_assert(!name_valid("we b"));
    ck_assert(!name_valid(""));
}
END_TEST

static const struct {
    const char *host, *has, *lacks, *message;
} caps[] = {
    {"{}", "CAP_CHOWN", "CAP_SYS_ADMIN", NULL},
    {"{\"CapAdd\":[\"sys_admin\"]}", "CAP_SYS_ADMIN", "CAP_NET_ADMIN", NULL},
    {"{\"CapDrop\":[\"CAP_CHOWN\"]}", "CAP_KILL", "CAP_CHOWN", NULL},
    {"{\"CapDrop\":[\"ALL\"],\"CapAdd\":[\"KILL\"]}", "CAP_KILL", "CAP_CHOWN", NULL},
    {"{\"CapAdd\":[\"ALL\"],\"CapDrop\":[\"KILL\"]}", "CAP_SYS_ADMIN", "CAP_KILL", NULL},
    {"{\"CapAdd\":[\"BOGUS\"]}", NULL, NULL, "invalid CapAdd: unknown capability: \"CAP_BOGUS\""},
    {"{\"SecurityOpt\":[\"bogus=1\"]}", NULL, NULL, "invalid --security-opt"},
};

START_TEST(capabilities_are_chosen)
{
    cleanup_json json_t *host = parse(caps[_i].host);
    struct security s = {0};
    int r = security_parse(host, &s, &err);

    if (caps[_i].message) {
        ck_assert_msg(r == -EINVAL && strstr(err.message, caps[_i].message), "%s", err.message);
        return;
    }
    ck_assert_msg(!r, "%s", err.message);
    ck_assert(strv_contains(&s.caps, caps[_i].has));
    ck_assert(!strv_contains(&s.caps, caps[_i].lacks));
    security_free(&s);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

SUITE(engine_config)
{
    TCase *t = tcase_create("requests");

    tcase_add_loop_test(t, command_follows_dockers_table, 0, COUNT(commands));
    tcase_add_test(t, users_variables_win);
    tcase_add_test(t, image_with_wrong_types_is_refused);
    tcase_add_loop_test(t, mount_objects, 0, COUNT(objects));
    tcase_add_loop_test(t, bind_specifications, 0, COUNT(binds));
    tcase_add_test(t, mounts_are_cleaned_and_parents_come_first);
    tcase_add_test(t, same_destination_twice_is_refused);
    tcase_add_loop_test(t, limits_are_checked, 0, COUNT(limits));
    tcase_add_test(t, swap_defaults_to_twice_the_memory);
    tcase_add_test(t, twice_an_enormous_memory_is_no_limit);
    tcase_add_test(t, names);
    tcase_add_loop_test(t, capabilities_are_chosen, 0, COUNT(caps));
    suite_add_tcase(suite, t);
}
