/* Rules about devices, as the specification orders them and as version 1's kernel can keep them. */
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cgroup_world.h"
#include "runtime/cgroup_device.h"

static void describe(const struct device_rules *rules, struct buf *ret)
{
    for (size_t i = 0; i < rules->len; i++)
        buf_printf(ret, "%c%c%lld:%lld%s ", rules->items[i].allow ? '+' : '-', rules->items[i].type,
                   rules->items[i].major, rules->items[i].minor, rules->items[i].access);
}

/* The rules as read, or as version 1 gets them; or the error. Caller frees. */
static char *rules_of(const char *devices, bool for_v1)
{
    cleanup_with(device_rules_free) struct device_rules rules = {0}, kernels = {0};
    cleanup_free char *text = str_format("{'devices':%s}", devices);
    cleanup_json json_t *json = resources_of(text);
    struct buf out = {0};
    struct err err = {0};

    if (device_rules_read(json, &rules, &err) < 0 ||
        (for_v1 && device_rules_for_v1(&rules, &kernels, &err) < 0))
        return str_copy(err.message);
    describe(for_v1 ? &kernels : &rules, &out);
    return buf_steal(&out);
}

#define USUAL                                                                                      \
    "+c-1:-1m +b-1:-1m +c1:3rwm +c1:5rwm +c1:7rwm +c1:8rwm +c1:9rwm +c5:0rwm +c5:2rwm "            \
    "+c136:-1rwm "
#define DENY_ALL  "{'allow':false,'access':'rwm'}"
#define ALLOW_ALL "{'allow':true,'access':'rwm'}"
#define TUN       "'type':'c','major':10,'minor':200"

static const struct {
    const char *devices, *read, *v1;
} rules[] = {
    {"[]", "-a-1:-1rwm " USUAL, "-a-1:-1rwm " USUAL},
    {"[" DENY_ALL "]", "-a-1:-1rwm " USUAL, "-a-1:-1rwm " USUAL},
    {"[" ALLOW_ALL "]", "+a-1:-1rwm ", "+a-1:-1rwm "},
    {"[{'allow':true," TUN ",'access':'rw'}]", "-a-1:-1rwm +c10:200rw " USUAL,
     "-a-1:-1rwm +c10:200rw " USUAL},
    /* what is allowed twice is one exception; what is taken back goes from it */
    {"[" DENY_ALL ",{'allow':true," TUN ",'access':'r'},{'allow':true," TUN ",'access':'w'},"
     "{'allow':false," TUN ",'access':'r'}]",
     "-a-1:-1rwm +c10:200r +c10:200w -c10:200r " USUAL, "-a-1:-1rwm +c10:200w " USUAL},
    /* a wider rule takes back all narrower ones: version 1's kernel would not */
    {"[{'allow':true," TUN ",'access':'rwm'},{'allow':false,'type':'c','major':10,'access':'w'}]",
     "-a-1:-1rwm +c10:200rwm -c10:-1w " USUAL, "-a-1:-1rwm +c10:200rm " USUAL},
    /* docker denies fuse after allowing none */
    {"[" DENY_ALL ",{'allow':false,'type':'c','major':10,'minor':229,'access':'rwm'}]",
     "-a-1:-1rwm -c10:229rwm " USUAL, "-a-1:-1rwm " USUAL},
    /* all but one */
    {"[" ALLOW_ALL ",{'allow':false,'type':'c','major':1,'minor':11,'access':'rwm'}]",
     "+a-1:-1rwm -c1:11rwm ", "+a-1:-1rwm -c1:11rwm "},
    /* type 'a' with less than everything is both kinds, never all: the kernel's "a" knows no
       numbers */
    {"[{'allow':true,'access':'m'}]", "-a-1:-1rwm +b-1:-1m +c-1:-1m " USUAL,
     "-a-1:-1rwm +b-1:-1m +c-1:-1m +c1:3rwm +c1:5rwm +c1:7rwm +c1:8rwm +c1:9rwm +c5:0rwm +c5:2rwm "
     "+c136:-1rwm "},
    {"[{'allow':true,'type':'a','major':7,'access':'r'}]", "-a-1:-1rwm +b7:-1r +c7:-1r " USUAL,
     "-a-1:-1rwm +b7:-1r +c7:-1r " USUAL},
    /* -1 and null are any */
    {"[{'allow':true,'type':'b','major':-1,'minor':null,'access':'r'}]",
     "-a-1:-1rwm +b-1:-1r " USUAL,
     "-a-1:-1rwm +b-1:-1rm +c-1:-1m +c1:3rwm +c1:5rwm +c1:7rwm +c1:8rwm +c1:9rwm +c5:0rwm +c5:2rwm "
     "+c136:-1rwm "},
    /* everything forbidden again at the end */
    {"[" ALLOW_ALL "," DENY_ALL "]", "+a-1:-1rwm -a-1:-1rwm " USUAL, "-a-1:-1rwm " USUAL},
    /* holes in exceptions: version 2 can, version 1 says that it cannot */
    {"[{'allow':true,'type':'c','major':1,'access':'rwm'},"
     "{'allow':false,'type':'c','major':1,'minor':11,'access':'r'}]",
     "-a-1:-1rwm +c1:-1rwm -c1:11r " USUAL,
     "linux.resources.devices: cgroup v1 cannot deny 'c 1:11 r' after 'c 1:* rwm', which is more: "
     "list single devices instead"},
    {"[" ALLOW_ALL ",{'allow':false,'type':'b','access':'w'},"
     "{'allow':true,'type':'b','major':7,'minor':0,'access':'w'}]",
     "+a-1:-1rwm -b-1:-1w +b7:0w ",
     "linux.resources.devices: cgroup v1 cannot allow 'b 7:0 w' after 'b *:* w', which is more: "
     "list single devices instead"},
    /* nonsense */
    {"[{'access':'rwm'}]", "linux.resources.devices: 'allow' is neither true nor false", NULL},
    {"[{'allow':true,'type':'x'}]", "linux.resources.devices: there is no type 'x'", NULL},
    {"[{'allow':true,'access':'rx'}]", "linux.resources.devices: access 'rx' is not of \"rwm\"",
     NULL},
    {"[{'allow':true,'access':''}]", "linux.resources.devices: access '' is not of \"rwm\"", NULL},
    {"[{'allow':true,'major':-2}]", "linux.resources.devices: there is no major -2", NULL},
    {"[{'allow':true,'minor':4294967296}]", "linux.resources.devices: there is no minor 4294967296",
     NULL},
    {"[{'allow':true,'minor':'3'}]", "linux.resources.devices: minor is not a number", NULL},
};

START_TEST(rules_are_read)
{
    cleanup_free char *got = rules_of(rules[_i].devices, false);

    ck_assert_str_eq(got, rules[_i].read);
}
END_TEST

START_TEST(version_1_gets_what_its_kernel_can_keep)
{
    cleanup_free char *got = rules_of(rules[_i].devices, true);

    ck_assert_str_eq(got, rules[_i].v1 ? rules[_i].v1 : rules[_i].read);
}
END_TEST

SUITE(cgroup_device)
{
    TCase *t = tcase_create("rules");

    tcase_add_loop_test(t, rules_are_read, 0, sizeof rules / sizeof *rules);
    tcase_add_loop_test(t, version_1_gets_what_its_kernel_can_keep, 0,
                        sizeof rules / sizeof *rules);
    suite_add_tcase(suite, t);
}
