/* Instructions that change a configuration: what docker makes of them, asked of a real one. */
#include "support/suite.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "build/build.h"

/* What the changes are applied to. */
#define BASE                                                                                       \
    "{\"Env\":[\"C=3\",\"A=1\"],\"Cmd\":[\"sh\"],\"WorkingDir\":\"/wd\","                          \
    "\"Labels\":{\"l\":\"v\"}}"

static const struct {
    const char *change, *path, *json; /* path NULL: refused, json is a part of the message */
} changes[] = {
    {"CMD [\"a\",\"b\"]", "Cmd", "[\"a\",\"b\"]"},
    {"cmd echo  two   $C \"x\"", "Cmd", "[\"/bin/sh\",\"-c\",\"echo  two   $C \\\"x\\\"\"]"},
    {"CMD []", "Cmd", "[]"},
    {"CMD [", "Cmd", "[\"/bin/sh\",\"-c\",\"[\"]"},
    {"CMD [\"a\", 1]", NULL, "arrays must be comprised of strings only"},
    {"CMD", NULL, "CMD requires at least one argument"},
    {"ENTRYPOINT [\"/e\"]", "Entrypoint", "[\"/e\"]"},
    {"ENTRYPOINT z", "Cmd", "null"},
    {"CMD a\nENTRYPOINT z", "Cmd", "[\"/bin/sh\",\"-c\",\"a\"]"},
    {"ENV A=$C B=${C}x D=${NO:-def} E=${C:+set} F=\\$C G='$C' H=\"a \\\"$C\\\" \\b\"", "Env",
     "[\"C=3\",\"A=3\",\"B=3x\",\"D=def\",\"E=set\",\"F=$C\",\"G=$C\",\"H=a \\\"3\\\" \\\\b\"]"},
    {"ENV C=9 D=$C", "Env", "[\"C=9\",\"A=1\",\"D=3\"]"},
    {"ENV C=9\nENV D=$C", "Env", "[\"C=9\",\"A=1\",\"D=9\"]"},
    {"ENV K the rest of $C", "Env", "[\"C=3\",\"A=1\",\"K=the rest of 3\"]"},
    {"ENV a=b\\\n# in between\nc=d", "Env", "[\"C=3\",\"A=1\",\"a=bc=d\"]"},
    {"ENV N=${C-no}${X-no}${X+yes}$$ ${", NULL, "Must be of the form"},
    {"ENV N=${C-no}${X-no}${X+yes}$", "Env", "[\"C=3\",\"A=1\",\"N=3no$\"]"},
    {"ENV N=\"${X:?is wanted}\"", NULL, "X: is wanted"},
    {"ENV N=${X", NULL, "missing '}'"},
    {"ENV N=\"x", NULL, "looking for matching double-quote"},
    {"ENV a", NULL, "ENV must have two arguments"},
    {"ENV =x", NULL, "ENV names can not be blank"},
    {"ENV a=b c", NULL, "Syntax error - can't find = in \"c\""},
    {"ENV", NULL, "ENV requires at least one argument"},
    {"LABEL a=$C \"q k\"=\"v w\" k2=v\\ w", "Labels",
     "{\"l\":\"v\",\"a\":\"3\",\"q k\":\"v w\",\"k2\":\"v w\"}"},
    {"LABEL old style value", "Labels", "{\"l\":\"v\",\"old\":\"style value\"}"},
    {"LABEL =x", NULL, "LABEL names can not be blank"},
    {"EXPOSE 80-82 90/TCP 10.0.0.1:80:83 $C 53/udp", "ExposedPorts",
     "{\"80/tcp\":{},\"81/tcp\":{},\"82/tcp\":{},\"90/tcp\":{},\"83/tcp\":{},\"3/tcp\":{},"
     "\"53/udp\":{}}"},
    {"EXPOSE 70000", NULL, "invalid containerPort: 70000"},
    {"EXPOSE 82-80", NULL, "invalid containerPort: 82-80"},
    {"EXPOSE x", NULL, "invalid containerPort: x"},
    {"EXPOSE 80/xyz", NULL, "invalid proto: xyz"},
    {"HEALTHCHECK NONE", "Healthcheck", "{\"Test\":[\"NONE\"]}"},
    {"HEALTHCHECK NONE x", NULL, "takes no arguments"},
    {"HEALTHCHECK --interval=1s --timeout=2s --retries=3 --start-period=4m CMD [\"a\",\"b\"]",
     "Healthcheck",
     "{\"Test\":[\"CMD\",\"a\",\"b\"],\"Interval\":1000000000,\"Timeout\":2000000000,"
     "\"StartPeriod\":240000000000,\"Retries\":3}"},
    {"HEALTHCHECK cmd curl  x", "Healthcheck", "{\"Test\":[\"CMD-SHELL\",\"curl  x\"]}"},
    {"HEALTHCHECK --bad=1 CMD x", NULL, "Unknown flag: bad"},
    {"HEALTHCHECK --interval=x CMD y", NULL, "time: invalid duration \"x\""},
    {"HEALTHCHECK --interval=1us CMD y", NULL, "Interval \"interval\" cannot be less than 1ms"},
    {"HEALTHCHECK CMD", NULL, "Missing command after HEALTHCHECK CMD"},
    {"HEALTHCHECK FOO", NULL, "Unknown type \"FOO\" in HEALTHCHECK (try CMD)"},
    {"onbuild copy a b", "OnBuild", "[\"copy a b\"]"},
    {"ONBUILD FROM x", NULL, "FROM isn't allowed as an ONBUILD trigger"},
    {"ONBUILD onbuild RUN x", NULL, "Chaining ONBUILD"},
    {"STOPSIGNAL SIGINT", "StopSignal", "\"SIGINT\""},
    {"STOPSIGNAL FOO", NULL, "invalid signal: FOO"},
    {"USER $C:g", "User", "\"3:g\""},
    {"USER \"a b\"", "User", "\"a b\""},
    {"VOLUME [\"/a b\", \"/$C\"]", "Volumes", "{\"/a b\":{},\"/3\":{}}"},
    {"VOLUME /$C /y", "Volumes", "{\"/3\":{},\"/y\":{}}"},
    {"VOLUME [\"\"]", NULL, "VOLUME specified can not be an empty string"},
    {"VOLUME []", NULL, "VOLUME requires at least one argument"},
    {"WORKDIR sub", "WorkingDir", "\"/wd/sub\""},
    {"WORKDIR ../x/./y", "WorkingDir", "\"/x/y\""},
    {"WORKDIR ../../..", "WorkingDir", "\"/\""},
    {"WORKDIR a b", "WorkingDir", "\"/wd/a b\""},
    {"RUN ls", NULL, "run is not a valid change command"},
    {"SHELL [\"a\"]", NULL, "shell is not a valid change command"},
    {"", NULL, "file with no instructions"},
    {"# only this", NULL, "file with no instructions"},
};

START_TEST(changes_become_a_config)
{
    cleanup_strv struct strv list = {0};
    struct err err = {0};
    cleanup_json json_t *config = json_parse(BASE, sizeof BASE - 1, "base", &err);
    cleanup_free char *text = NULL;
    int r;

    strv_add(&list, changes[_i].change);
    r = changes_apply(config, &list, &err);
    if (!changes[_i].path) {
        ck_assert_msg(r < 0 && strstr(err.message, changes[_i].json), "'%s': '%s'",
                      changes[_i].change, err.message);
        return;
    }
    ck_assert_msg(!r, "'%s': %s", changes[_i].change, err.message);
    text = json_object_get(config, changes[_i].path)
               ? json_text(json_object_get(config, changes[_i].path), JSON_COMPACT)
               : str_copy("null");
    ck_assert_str_eq(text, changes[_i].json);
}
END_TEST

START_TEST(other_instructions_are_somebody_elses)
{
    cleanup_json json_t *config = json_object();
    struct change_state state = {0};
    struct err err = {0};

    ck_assert_int_eq(change_apply(config, "COPY", "a b", &state, &err), -ENOENT);
    ck_assert_int_eq(change_apply(config, "shell", "[\"/bin/bash\", \"-c\"]", &state, &err), 0);
    ck_assert_int_eq(change_apply(config, "CMD", "x", &state, &err), 0);
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(config, "Cmd"), 0)),
                     "/bin/bash");
}
END_TEST

SUITE(build_change)
{
    TCase *t = tcase_create("change");

    tcase_add_loop_test(t, changes_become_a_config, 0, sizeof changes / sizeof *changes);
    tcase_add_test(t, other_instructions_are_somebody_elses);
    suite_add_tcase(suite, t);
}
