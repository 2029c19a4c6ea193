/* linux.netDevices: an interface of the host moves in, keeps what it had, and is not lost when the
 * container is not made. The "host" is a network namespace of each test's own. */
#include "support/suite.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "container.h"
#include "support/run.h"

/* Two cables with their other ends, the first one set up as an administrator would. */
static const char *const setup[] = {
    "link add dev0 type veth peer name far0",
    "link add dev1 type veth peer name far1",
    "link set far0 up",
    "link set dev0 mtu 1400 address 02:00:00:00:00:07 up",
    "address add 192.0.2.7/24 broadcast 192.0.2.255 dev dev0",
    "address add 198.51.100.7/32 dev dev0",
    "address add 203.0.113.7/24 scope link dev dev0",
    "address add 2001:db8::7/64 nodad dev dev0",
};

static void ip(const char *words)
{
    cleanup_free char *line = str_format("ip %s", words);
    cleanup_strv struct strv argv = {0};
    struct run_result r = {0};

    strv_split(&argv, line, ' ');
    run_argv_ok(&r, NULL, (const char *const *)argv.items);
    run_free(&r);
}

/* What `ip` says of one interface, or "" if there is none. */
static char *shown(const char *name)
{
    struct run_result r = {0};
    char *text;

    RUN(&r, NULL, "ip", "address", "show", "dev", name);
    text = str_copy(r.code ? "" : r.out.data);
    run_free(&r);
    return text;
}

static void begin(void)
{
    ck_assert(!unshare(CLONE_NEWNET));
    ip("link set lo up");
    for (size_t i = 0; i < sizeof setup / sizeof *setup; i++)
        ip(setup[i]);
}

static void end(void)
{
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "[b a ]" -> "[a b ]" */
static char *sorted(const char *list)
{
    cleanup_free char *inner = str_copy_n(list + 1, strlen(list) - 2);
    cleanup_strv struct strv words = {0};
    cleanup_buf struct buf text = {0};

    strv_split(&words, inner, ' ');
    qsort(words.items, words.len, sizeof *words.items, by_text);
    for (size_t i = 0; i < words.len; i++)
        if (*words.items[i])
            buf_printf(&text, "%s ", words.items[i]);
    return str_format("[%s]", text.data);
}

#define LOOK                                                                                       \
    "list /sys/class/net + cat /proc/net/fib_trie + cat /proc/net/if_inet6 + cat "                 \
    "/sys/class/net/net0/mtu + cat /sys/class/net/net0/address + cat /sys/class/net/net0/flags"

static json_t *config_with(const char *bundle, const char *command, const char *devices)
{
    json_t *config = container_config(bundle, command);

    container_set(config, "linux.netDevices", json_loads(devices, 0, NULL));
    return config;
}

START_TEST(a_device_moves_in_as_it_was)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_with(bundle, LOOK, "{\"dev0\":{\"name\":\"net0\"}}");
    cleanup_outcome struct outcome o;
    cleanup_free char *outside = NULL, *list = NULL;

    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    list = sorted(answer(&o, "list /sys/class/net"));
    ck_assert_str_eq(list, "[lo net0 ]");
    ck_assert_str_eq(answer(&o, "cat /sys/class/net/net0/mtu"), "1400\n");
    ck_assert_str_eq(answer(&o, "cat /sys/class/net/net0/address"), "02:00:00:00:00:07\n");
    ck_assert(strtol(answer(&o, "cat /sys/class/net/net0/flags"), NULL, 16) & 1); /* IFF_UP */
    ck_assert_ptr_nonnull(strstr(answer(&o, "cat /proc/net/fib_trie"), "192.0.2.7"));
    ck_assert_ptr_nonnull(strstr(answer(&o, "cat /proc/net/fib_trie"), "192.0.2.255"));
    ck_assert_ptr_nonnull(strstr(answer(&o, "cat /proc/net/fib_trie"), "198.51.100.7"));
    ck_assert_ptr_null(strstr(answer(&o, "cat /proc/net/fib_trie"), "203.0.113.7"));
    ck_assert_ptr_nonnull(
        strstr(answer(&o, "cat /proc/net/if_inet6"), "20010db8000000000000000000000007"));
    outside = shown("dev0");
    ck_assert_str_eq(outside, "");
}
END_TEST

static const struct {
    const char *devices, *list;
} names[] = {
    {"{\"dev0\":{}}", "[dev0 lo ]"},
    {"{\"dev0\":{},\"dev1\":{\"name\":\"dev0b\"}}", "[dev0 dev0b lo ]"},
    {"{\"dev1\":{\"name\":\"eth%d\"}}", "[eth0 lo ]"},
    {"{\"dev0\":{\"name\":\"eth%d\"},\"dev1\":{\"name\":\"eth%d\"}}", "[eth0 eth1 lo ]"},
    {"{\"dev0\":{\"name\":\"dev1\"},\"dev1\":{\"name\":\"dev0\"}}", "[dev0 dev1 lo ]"},
};

START_TEST(a_device_has_the_name_it_shall_have)
{
    cleanup_free char *bundle = container_bundle(), *list = NULL;
    cleanup_json json_t *config = config_with(bundle, "list /sys/class/net", names[_i].devices);
    cleanup_outcome struct outcome o;

    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    list = sorted(answer(&o, "list /sys/class/net"));
    ck_assert_str_eq(list, names[_i].list);
}
END_TEST

START_TEST(it_works_in_a_user_namespace_and_one_joined)
{
    cleanup_free char *first = container_bundle(), *second = container_bundle();
    cleanup_free char *rootfs = str_format("%s/rootfs", first), *path = NULL;
    cleanup_json json_t *owner =
        config_with(first, "list /sys/class/net + wait", "{\"dev0\":{\"name\":\"net0\"}}");
    cleanup_json json_t *config = config_with(
        second, "list /sys/class/net + cat /proc/net/fib_trie", "{\"dev1\":{\"name\":\"net1\"}}");
    cleanup_outcome struct outcome o;
    struct running r;

    ip("address add 192.0.2.99/24 dev dev1");
    ck_assert(!chown(rootfs, 7000, 7000));
    container_append(owner, "linux.namespaces", json_pack("{s:s}", "type", "user"));
    container_set(owner, "linux.uidMappings",
                  json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID", 7000, "size", 10));
    container_set(owner, "linux.gidMappings",
                  json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID", 7000, "size", 10));
    container_start(first, owner, &r);
    container_await(&r, "net0 ");
    path = str_format("/proc/%d/ns/net", runtime_pid(r.c));
    container_remove_namespace(config, "network");
    container_append(config, "linux.namespaces",
                     json_pack("{s:s,s:s}", "type", "network", "path", path));
    container_run(second, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_ptr_nonnull(strstr(answer(&o, "list /sys/class/net"), "net0 "));
    ck_assert_ptr_nonnull(strstr(answer(&o, "list /sys/class/net"), "net1 "));
    ck_assert_ptr_nonnull(strstr(answer(&o, "cat /proc/net/fib_trie"), "192.0.2.99"));
    container_end(&r);
}
END_TEST

/* A virtual interface goes with its namespace: what failed to become a container must give it back.
 */
static const struct {
    const char *devices, *member, *value, *message;
} failures[] = {
    {"{\"dev0\":{\"name\":\"net0\"},\"nowhere\":{}}", NULL, NULL,
     "linux.netDevices: 'nowhere': there is no network device 'nowhere'"},
    {"{\"dev0\":{\"name\":\"net0\"},\"dev1\":{\"name\":\"net0\"}}", NULL, NULL,
     "linux.netDevices: 'dev1': the container's network namespace has a 'net0' already"},
    {"{\"dev0\":{\"name\":\"lo\"}}", NULL, NULL, "has a 'lo' already"},
    {"{\"dev0\":{\"name\":\"net0\"}}", "process.cwd", "\"/etc/passwd\"", "working directory"},
    {"{\"dev0\":{\"name\":\"net0\"}}", "mounts",
     "[{\"destination\":\"/x\",\"type\":\"bind\",\"source\":\"/no/such\",\"options\":[\"bind\"]}]",
     "/no/such"},
};

START_TEST(a_failure_gives_it_back)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_with(bundle, "true", failures[_i].devices);
    cleanup_free char *text = NULL;
    cleanup_outcome struct outcome o;

    if (failures[_i].member)
        container_set(config, failures[_i].member,
                      json_loads(failures[_i].value, JSON_DECODE_ANY, NULL));
    container_run(bundle, config, &o);
    ck_assert_int_lt(o.created, 0);
    ck_assert_msg(strstr(o.err.message, failures[_i].message) != NULL, "%s", o.err.message);
    text = shown("dev0");
    ck_assert_msg(strstr(text, "mtu 1400") && strstr(text, ",UP"), "%s", text);
    ck_assert_msg(strstr(text, "192.0.2.7/24") && strstr(text, "2001:db8::7/64"), "%s", text);
}
END_TEST

static const struct {
    const char *devices, *message;
} bad[] = {
    {"{\"a/b\":{}}", "invalid network device name 'a/b'"},
    {"{\"dev0\":{\"name\":\"a name of blanks\"}}",
     "invalid network device name 'a name of blanks'"},
    {"{\"dev0\":{\"name\":\"..\"}}", "invalid network device name '..'"},
    {"{\"dev0\":{\"name\":\"sixteen-and-more\"}}", "invalid network device name"},
};

START_TEST(a_name_that_is_none_is_an_error)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_with(bundle, "true", bad[_i].devices);
    cleanup_outcome struct outcome o;

    container_run(bundle, config, &o);
    ck_assert_int_lt(o.created, 0);
    ck_assert_msg(strstr(o.err.message, bad[_i].message) != NULL, "%s", o.err.message);
}
END_TEST

START_TEST(it_needs_a_network_of_its_own)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_with(bundle, "true", "{\"dev0\":{}}");
    cleanup_outcome struct outcome o;

    container_remove_namespace(config, "network");
    container_run(bundle, config, &o);
    ck_assert_int_eq(o.created, -EINVAL);
    ck_assert_str_eq(o.err.message, "unable to move network devices without a NET namespace");
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(netdevices)
{
    TCase *t = tcase_create("netdevices");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_test(t, a_device_moves_in_as_it_was);
    LOOP(a_device_has_the_name_it_shall_have, names);
    tcase_add_test(t, it_works_in_a_user_namespace_and_one_joined);
    LOOP(a_failure_gives_it_back, failures);
    LOOP(a_name_that_is_none_is_an_error, bad);
    tcase_add_test(t, it_needs_a_network_of_its_own);
    suite_add_tcase(suite, t);
}
