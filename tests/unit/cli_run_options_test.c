#include "support/suite.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/run_options.h"

struct built {
    json_t *config, *host, *networks;
    struct err err;
};

/* Parses a line of words in single blanks (a '~' in a word stands for a blank) and builds from it.
 */
static int build(const char *line, struct built *ret)
{
    struct options options;
    struct strv words = {0};
    int r;

    *ret = (struct built){0};
    strv_split(&words, line, ' ');
    for (size_t i = 0; i < words.len; i++)
        for (char *p = words.items[i]; *p; p++)
            *p = *p == '~' ? ' ' : *p;
    char **argv = malloc((words.len + 1) * sizeof *argv);
    memcpy(argv, words.items, (words.len + 1) * sizeof *argv);
    r = options_parse(run_flags, argv, true, &options, &ret->err);
    if (!r) {
        r = run_options_build(&options, options.args, &ret->config, &ret->host, &ret->networks,
                              &ret->err);
        options_free(&options);
    }
    free(argv);
    strv_free(&words);
    return r;
}

static void built_free(struct built *b)
{
    json_decref(b->config);
    json_decref(b->host);
    json_decref(b->networks);
}

static const struct {
    const char *line;
    bool host;
    const char *member, *json;
} members[] = {
    {"x", false, "Image", "\"x\""},
    {"x", false, "Cmd", "null"},
    {"x", false, "Env", "null"},
    {"x", false, "Tty", "false"},
    {"x", true, "NetworkMode", "\"bridge\""},
    {"x", true, "RestartPolicy", "{\"Name\":\"no\",\"MaximumRetryCount\":0}"},
    {"x", true, "LogConfig", "{\"Type\":\"json-file\",\"Config\":{}}"},
    {"x", true, "CapAdd", "null"},
    {"x", true, "Init", "null"},
    {"-it x sh -c ls", false, "Cmd", "[\"sh\",\"-c\",\"ls\"]"},
    {"-it x", false, "OpenStdin", "true"},
    {"--entrypoint /e x a", false, "Entrypoint", "[\"/e\"]"},
    {"--entrypoint= x a", false, "Entrypoint", "[\"\"]"},
    {"-e A=1 -e B=x~y x", false, "Env", "[\"A=1\",\"B=x y\"]"},
    {"-l a=b -l c -l a=d x", false, "Labels", "{\"a\":\"d\",\"c\":\"\"}"},
    {"-w /tmp -u 1:2 x", false, "User", "\"1:2\""},
    {"-w /tmp x", false, "WorkingDir", "\"/tmp\""},
    {"-h web --domainname example.org x", false, "Hostname", "\"web\""},
    {"--stop-signal TERM --stop-timeout 3 x", false, "StopTimeout", "3"},
    {"--stop-signal TERM x", false, "StopSignal", "\"TERM\""},
    {"-v /data x", false, "Volumes", "{\"/data\":{}}"},
    {"-v /a/../b:/c:ro -v vol:/d x", true, "Binds", "[\"/a/../b:/c:ro\",\"vol:/d\"]"},
    {"--tmpfs /t:size=1m --tmpfs /u x", true, "Tmpfs", "{\"/t\":\"size=1m\",\"/u\":\"\"}"},
    {"-m 64m x", true, "Memory", "67108864"},
    {"-m 64m --memory-swap -1 x", true, "MemorySwap", "-1"},
    {"--cpus 0.5 x", true, "NanoCpus", "500000000"},
    {"-c 512 x", true, "CpuShares", "512"},
    {"--pids-limit -1 x", true, "PidsLimit", "-1"},
    {"--cpuset-cpus 0-1,3 x", true, "CpusetCpus", "\"0-1,3\""},
    {"--cap-add net_admin --cap-drop ALL x", true, "CapAdd", "[\"net_admin\"]"},
    {"--cap-add net_admin --cap-drop ALL x", true, "CapDrop", "[\"ALL\"]"},
    {"--privileged x", true, "Privileged", "true"},
    {"--privileged=false x", true, "Privileged", "false"},
    {"--security-opt no-new-privileges:true x", true, "SecurityOpt",
     "[\"no-new-privileges=true\"]"},
    {"--security-opt seccomp=unconfined x", true, "SecurityOpt", "[\"seccomp=unconfined\"]"},
    {"--net host x", true, "NetworkMode", "\"host\""},
    {"x", true, "ShmSize", "67108864"},
    {"--shm-size 1m x", true, "ShmSize", "1048576"},
    {"--init x", true, "Init", "true"},
    {"--ulimit nofile=1:2 x", true, "Ulimits", "[{\"Name\":\"nofile\",\"Hard\":2,\"Soft\":1}]"},
    {"--log-opt max-size=1k --log-opt max-file=3 x", true, "LogConfig",
     "{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"1k\",\"max-file\":\"3\"}}"},
    {"--log-driver none x", true, "LogConfig", "{\"Type\":\"none\",\"Config\":{}}"},
    {"--device /dev/null:/dev/x:r x", true, "Devices",
     "[{\"PathOnHost\":\"/dev/null\",\"PathInContainer\":\"/dev/x\",\"CgroupPermissions\":\"r\"}]"},
    {"--device /dev/null:rw x", true, "Devices",
     "[{\"PathOnHost\":\"/dev/null\",\"PathInContainer\":\"/dev/"
     "null\",\"CgroupPermissions\":\"rw\"}]"},
    {"--sysctl net.ipv4.ip_forward=1 x", true, "Sysctls", "{\"net.ipv4.ip_forward\":\"1\"}"},
    {"--add-host a:1.2.3.4 x", true, "ExtraHosts", "[\"a:1.2.3.4\"]"},
    {"--shm-size 1m --oom-score-adj -5 x", true, "OomScoreAdj", "-5"},
    {"--rm -rm x", true, "AutoRemove", "true"},
};

START_TEST(flags_become_dockers_json)
{
    struct built b;
    int r = build(members[_i].line, &b);
    cleanup_free char *text = NULL;

    ck_assert_msg(r == 0, "%s: %s", members[_i].line, b.err.message);
    text = json_text(json_object_get(members[_i].host ? b.host : b.config, members[_i].member),
                     JSON_COMPACT);
    ck_assert_str_eq(text, members[_i].json);
    built_free(&b);
}
END_TEST

#define DAEMON "Error response from daemon: "

static const struct {
    const char *line, *message;
} bad[] = {
    {"-v= x", "invalid empty volume spec"},
    {"--security-opt foo x", "Invalid --security-opt: \"foo\""},
    {"--security-opt apparmor=docker-default x",
     "Invalid --security-opt: \"apparmor=docker-default\""},
    {"--security-opt seccomp=/nonexist x",
     "opening seccomp profile (/nonexist) failed: open /nonexist: no such file or directory"},
    {"--log-driver none --log-opt a=b x", "invalid logging opts for driver none"},
    {"--device a:b:c:d x", "bad format for path: a:b:c:d"},
    {"--device /dev/null:/x:q x", "bad mode specified: q"},
    {"--env-file /nonexist x", "open /nonexist: no such file or directory"},
    {"--label-file /nonexist x", "open /nonexist: no such file or directory"},
    {"-e \xff=1 x", "the environment variable '\xff' is not valid UTF-8"},
};

START_TEST(mistakes_are_found_before_anything_is_made)
{
    struct built b;

    ck_assert_msg(build(bad[_i].line, &b) < 0, "%s was accepted", bad[_i].line);
    ck_assert_str_eq(b.err.message, bad[_i].message);
    ck_assert_ptr_null(b.config);
    ck_assert_ptr_null(b.host);
}
END_TEST

START_TEST(a_dot_is_below_the_working_directory)
{
    cleanup_free char *here = getcwd(NULL, 0), *expected = str_format("%s/x:/y", here);
    struct built b;

    ck_assert_int_eq(build("-v ./x:/y x", &b), 0);
    ck_assert_str_eq(json_string_value(json_array_get(json_at(b.host, "Binds"), 0)), expected);
    built_free(&b);
}
END_TEST

START_TEST(ten_thousand_variables_are_fine)
{
    struct buf line = {0};
    struct built b;

    for (int i = 0; i < 10000; i++)
        buf_printf(&line, "-e V%d=%d ", i, i);
    buf_add_str(&line, "x");
    ck_assert_int_eq(build(line.data, &b), 0);
    ck_assert_uint_eq(json_array_size(json_at(b.config, "Env")), 10000);
    built_free(&b);
    buf_free(&line);
}
END_TEST

SUITE(cli_run_options)
{
    TCase *t = tcase_create("run");

    tcase_add_loop_test(t, flags_become_dockers_json, 0, sizeof members / sizeof *members);
    tcase_add_loop_test(t, mistakes_are_found_before_anything_is_made, 0, sizeof bad / sizeof *bad);
    tcase_add_test(t, a_dot_is_below_the_working_directory);
    tcase_add_test(t, ten_thousand_variables_are_fine);
    suite_add_tcase(suite, t);
}
