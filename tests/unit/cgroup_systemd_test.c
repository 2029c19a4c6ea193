/* What systemd is told: where a unit is, limits and devices as properties, annotations. */
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cgroup_world.h"
#include "runtime/cgroup_systemd.h"

static struct cgroup cg;

static void begin_v1(void)
{
    fake_begin(1, &cg);
}
static void begin_v2(void)
{
    fake_begin(2, &cg);
}
static void end(void)
{
    fake_end(&cg);
}

/* --- places ----------------------------------------------------------------------------------- */

static const struct {
    const char *wanted;
    bool user;
    const char *path; /* or the error */
} places[] = {
    {NULL, false, "/system.slice/cooper-id1.scope"},
    {"", false, "/system.slice/cooper-id1.scope"},
    {"::", true, "/user.slice/cooper-id1.scope"},
    {"system.slice:docker:0123", false, "/system.slice/docker-0123.scope"},
    {"a-b-c.slice:p:n", false, "/a.slice/a-b.slice/a-b-c.slice/p-n.scope"},
    {"-.slice:p:n", false, "/p-n.scope"},
    {"kubepods-burstable-pod1_2.slice:cri-containerd:x", false,
     "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/"
     "cri-containerd-x.scope"},
    {"machine.slice:libpod:a:b", false,
     "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got "
     "\"machine.slice:libpod:a:b\" instead"},
    {"/a/b", false,
     "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got "
     "\"/a/b\" instead"},
    {".slice:p:n", false, "invalid slice name: .slice"},
    {"-a.slice:p:n", false, "invalid slice name: -a.slice"},
    {"a-.slice:p:n", false, "invalid slice name: a-.slice"},
    {"a/b.slice:p:n", false, "invalid slice name: a/b.slice"},
    {":p:n m", false, "'p-n m.scope' cannot be the name of a systemd unit"},
};

START_TEST(a_unit_has_its_place)
{
    cleanup_with(systemd_unit_free) struct systemd_unit unit = {0};
    struct err err = {0};
    int r = systemd_unit_parse(places[_i].wanted, "id1", places[_i].user, &unit, &err);

    ck_assert_str_eq(r < 0 ? err.message : unit.path, places[_i].path);
    if (!r)
        ck_assert_str_eq(systemd_unit_of(unit.path), unit.name);
}
END_TEST

/* --- limits ----------------------------------------------------------------------------------- */

/* The properties as JSON without the outer brackets, ' for "; or the error. Caller frees. */
static char *told(const char *resources, bool update)
{
    cleanup_with(cgroup_plan_free) struct cgroup_plan plan = {0};
    cleanup_json json_t *json = resources_of(resources), *properties = json_array();
    struct err err = {0};
    char *text;

    ck_assert_int_eq(cgroup_check_resources(json, &err), 0);
    ck_assert_msg((cg.version == 2 ? cgroup_v2_plan(&cg, json, update, &plan, &err)
                                   : cgroup_v1_plan(&cg, json, update, &plan, &err)) == 0,
                  "%s", err.message);
    systemd_add_limits(&cg, &plan, properties);
    text = json_text(properties, JSON_COMPACT);
    for (char *c = text; *c; c++)
        if (*c == '"')
            *c = '\'';
    return text;
}

#define DEVICE "'major':8,'minor':16"

static const struct {
    const char *resources, *wanted;
} v2[] = {
    {"{}", "[]"},
    {"{'memory':{'limit':33554432,'swap':50331648,'reservation':8388608}}",
     "[['MemorySwapMax','t',16777216],['MemoryMax','t',33554432],['MemoryLow','t',8388608]]"},
    {"{'memory':{'limit':-1}}", "[['MemorySwapMax','t',-1],['MemoryMax','t',-1]]"},
    {"{'cpu':{'shares':512}}", "[['CPUWeight','t',20]]"},
    {"{'cpu':{'shares':512,'idle':1}}", "[['CPUWeight','t',20],['CPUWeight','t',0,252]]"},
    {"{'cpu':{'quota':50000,'period':200000}}",
     "[['CPUQuotaPeriodUSec','t',200000,242],['CPUQuotaPerSecUSec','t',250000]]"},
    /* a third of a processor is rounded up to a whole percent */
    {"{'cpu':{'quota':33333}}",
     "[['CPUQuotaPeriodUSec','t',100000,242],['CPUQuotaPerSecUSec','t',340000]]"},
    {"{'cpu':{'quota':-1}}",
     "[['CPUQuotaPeriodUSec','t',100000,242],['CPUQuotaPerSecUSec','t',-1]]"},
    {"{'cpu':{'cpus':'0-2,5','mems':'0'}}",
     "[['AllowedCPUs','ay',[39],244],['AllowedMemoryNodes','ay',[1],244]]"},
    {"{'cpu':{'cpus':'8,17'}}", "[['AllowedCPUs','ay',[0,1,2],244]]"},
    {"{'pids':{'limit':7}}", "[['TasksMax','t',7]]"},
    {"{'pids':{'limit':-1}}", "[['TasksMax','t',-1]]"},
    {"{'blockIO':{'weight':500,'weightDevice':[{" DEVICE ",'weight':10}]}}",
     "[['IOWeight','t',4950],['IODeviceWeight','a(st)',[['/dev/block/8:16',1]]]]"},
    {"{'blockIO':{'throttleReadBpsDevice':[{" DEVICE ",'rate':600}],"
     "'throttleWriteIOPSDevice':[{" DEVICE ",'rate':0}]}}",
     "[['IOReadBandwidthMax','a(st)',[['/dev/block/8:16',600]]],"
     "['IOWriteIOPSMax','a(st)',[['/dev/block/8:16',-1]]]]"},
    {"{'unified':{'memory.high':'1073741824','memory.min':'max','io.latency':'8:16 target=10'}}",
     "[['MemoryHigh','t',1073741824],['MemoryMin','t',-1]]"},
    {"{'hugepageLimits':[{'pageSize':'2MB','limit':4194304}]}", "[]"},
};

START_TEST(limits_of_version_2_are_properties)
{
    cleanup_free char *got = told(v2[_i].resources, false);

    ck_assert_str_eq(got, v2[_i].wanted);
}
END_TEST

static const struct {
    const char *resources, *wanted;
} v1[] = {
    {"{'memory':{'limit':33554432,'swap':50331648}}", "[['MemoryLimit','t',33554432]]"},
    {"{'cpu':{'shares':512,'cpus':'1'}}", "[['CPUShares','t',512],['AllowedCPUs','ay',[2],244]]"},
    {"{'cpu':{'quota':50000,'period':200000}}",
     "[['CPUQuotaPeriodUSec','t',200000,242],['CPUQuotaPerSecUSec','t',250000]]"},
    {"{'pids':{'limit':7},'blockIO':{'weight':500}}",
     "[['BlockIOWeight','t',500],['TasksMax','t',7]]"},
};

START_TEST(limits_of_version_1_are_properties)
{
    cleanup_free char *got = told(v1[_i].resources, false);

    ck_assert_str_eq(got, v1[_i].wanted);
}
END_TEST

/* Half of a quotient: the other half is what the group has. */
START_TEST(an_update_of_the_quota_keeps_the_period)
{
    cleanup_free char *quota = NULL, *period = NULL;

    fake_file(&cg, "cpu.max", "20000 400000\n");
    quota = told("{'cpu':{'quota':100000}}", true);
    ck_assert_str_eq(quota,
                     "[['CPUQuotaPeriodUSec','t',400000,242],['CPUQuotaPerSecUSec','t',250000]]");
    period = told("{'cpu':{'period':200000}}", true);
    ck_assert_str_eq(period,
                     "[['CPUQuotaPeriodUSec','t',200000,242],['CPUQuotaPerSecUSec','t',100000]]");
}
END_TEST

/* --- devices ---------------------------------------------------------------------------------- */

#define USUAL                                                                                      \
    "['char-*','m'],['block-*','m'],['/dev/char/1:3','rwm'],['/dev/char/1:5','rwm'],"              \
    "['/dev/char/1:7','rwm'],['/dev/char/1:8','rwm'],['/dev/char/1:9','rwm'],"                     \
    "['/dev/char/5:0','rwm'],['/dev/char/5:2','rwm'],['char-136','rwm']"
#define STRICT "[['DevicePolicy','s','strict'],['DeviceAllow','a(ss)',[]],['DeviceAllow','a(ss)',["
#define AUTO   "[['DevicePolicy','s','auto'],['DeviceAllow','a(ss)',[]]]"

static const struct {
    const char *devices, *wanted;
} devices[] = {
    {"[]", STRICT USUAL "]]]"},
    {"[{'allow':true,'type':'b','major':8,'minor':0,'access':'r'}]",
     STRICT "['/dev/block/8:0','r']," USUAL "]]]"},
    {"[{'allow':true,'type':'b','major':8,'access':'r'}]", STRICT "['block-8','r']," USUAL "]]]"},
    {"[{'allow':true,'access':'rwm'}]", AUTO},
    /* no words for it: ours decide alone */
    {"[{'allow':true,'type':'c','minor':7,'access':'r'}]", AUTO},
    {"[{'allow':true,'access':'rwm'},{'allow':false,'type':'c','major':1,'minor':11}]", AUTO},
    {"[{'allow':true,'type':'c','major':1,'access':'rwm'},"
     "{'allow':false,'type':'c','major':1,'minor':11,'access':'r'}]",
     AUTO},
};

START_TEST(devices_are_a_list)
{
    cleanup_free char *text = str_format("{'devices':%s}", devices[_i].devices), *got = NULL;
    cleanup_json json_t *json = resources_of(text), *properties = json_array();
    struct err err = {0};

    ck_assert_int_eq(systemd_add_devices(json, properties, &err), 0);
    got = json_text(properties, JSON_COMPACT);
    for (char *c = got; *c; c++)
        if (*c == '"')
            *c = '\'';
    ck_assert_str_eq(got, devices[_i].wanted);
}
END_TEST

/* --- annotations ------------------------------------------------------------------------------ */

static const struct {
    const char *name, *value, *wanted; /* the property, or the error */
} annotations[] = {
    {"TimeoutStopUSec", "uint64 5000", "['TimeoutStopUSec','t',5000]"},
    {"TimeoutStopSec", "uint64 17", "['TimeoutStopUSec','t',17000000]"},
    {"TimeoutStopSec", "17", "['TimeoutStopUSec','t',17000000]"},
    {"CollectMode", "'inactive-or-failed'", "['CollectMode','s','inactive-or-failed']"},
    {"Description", "\"it's \\\"one\\\"\"", "['Description','s','it's \\'one\\'']"},
    {"DefaultDependencies", "true", "['DefaultDependencies','b',true]"},
    {"OOMScoreAdjust", "int32 -3", "['OOMScoreAdjust','i',-3]"},
    {"After", "['a.service', 'b.service']", "['After','as',['a.service','b.service']]"},
    {"Numbers", "[uint32 1, 2 ,3]", "['Numbers','au',[1,2,3]]"},
    {"Numbers", " [ byte 0x10 ] ", "['Numbers','ay',[16]]"},
    {"After", "['a',", NULL},
    {"After", "['a' 'b']", NULL},
    {"After", "['a', 1]", NULL},
    {"After", "[]", NULL},
    {"Description", "'open", NULL},
    {"Description", "", NULL},
    {"Description", "12 monkeys", NULL},
    {"description", "'x'", NULL},
    {"Exec.Start", "'x'", NULL},
};

START_TEST(annotations_are_properties)
{
    cleanup_free char *name = str_format("org.systemd.property.%s", annotations[_i].name);
    cleanup_json json_t *all = json_object(), *properties = json_array();
    cleanup_free char *got = NULL;
    struct err err = {0};
    int r;

    json_put_str(all, name, annotations[_i].value);
    json_put_str(all, "org.other", "untouched");
    r = systemd_add_annotations(all, properties, &err);
    if (!annotations[_i].wanted) {
        ck_assert_int_eq(r, -EINVAL);
        ck_assert_msg(strstr(err.message, annotations[_i].name) != NULL, "%s", err.message);
        return;
    }
    ck_assert_msg(!r, "%s", err.message);
    got = json_text(json_array_get(properties, 0), JSON_COMPACT);
    for (char *c = got; *c; c++)
        if (*c == '"')
            *c = '\'';
    ck_assert_str_eq(got, annotations[_i].wanted);
}
END_TEST

#define COUNT(array) (int)(sizeof array / sizeof *array)

SUITE(cgroup_systemd)
{
    TCase *t = tcase_create("version 2");

    tcase_add_checked_fixture(t, begin_v2, end);
    tcase_add_loop_test(t, a_unit_has_its_place, 0, COUNT(places));
    tcase_add_loop_test(t, limits_of_version_2_are_properties, 0, COUNT(v2));
    tcase_add_test(t, an_update_of_the_quota_keeps_the_period);
    tcase_add_loop_test(t, devices_are_a_list, 0, COUNT(devices));
    tcase_add_loop_test(t, annotations_are_properties, 0, COUNT(annotations));
    suite_add_tcase(suite, t);
    t = tcase_create("version 1");
    tcase_add_checked_fixture(t, begin_v1, end);
    tcase_add_loop_test(t, limits_of_version_1_are_properties, 0, COUNT(v1));
    suite_add_tcase(suite, t);
}
