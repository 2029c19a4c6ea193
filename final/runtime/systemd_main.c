/* cooper-systemd: the runtime's words with systemd. One question on standard input, one answer on
 * standard output, both JSON (cgroup_systemd.h).
 *
 * As root the manager is spoken to directly, through its private socket, as systemctl(1) does: no
 * bus daemon is needed, and none is in the way. An ordinary user's manager has such a socket, too.
 *
 *     cooper-systemd [ADDRESS]      of another manager, for tests: unix:path=... */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define SERVICE  "org.freedesktop.systemd1"
#define OBJECT   "/org/freedesktop/systemd1"
#define MANAGER  "org.freedesktop.systemd1.Manager"
#define JOB_USEC (30 * 1000000ULL)

struct session {
    sd_bus *bus;
    const json_t *question;
    json_t *answer;
    const char *job; /* being waited for */
    char result[32]; /* its result, once it has one */
};

static int fail(struct session *s, int code, const char *text)
{
    json_object_set_new(s->answer, "error", json_string(text));
    json_object_set_new(s->answer, "code", json_integer(code < 0 ? -code : code));
    return -1;
}

static int fail_bus(struct session *s, int r, const sd_bus_error *error)
{
    if (sd_bus_error_has_name(error, SERVICE ".UnitExists"))
        r = -EEXIST;
    return fail(s, r, error && error->message ? error->message : strerror(-r));
}

static const char *text_of(const struct session *s, const char *member)
{
    const char *text = json_string_value(json_object_get(s->question, member));

    return text ? text : "";
}

static int open_bus(struct session *s, const char *address)
{
    char path[4096];
    const char *directory = getenv("XDG_RUNTIME_DIR");
    int r;

    if (json_is_true(json_object_get(s->question, "user"))) {
        if (directory && *directory)
            snprintf(path, sizeof path, "unix:path=%s/systemd/private", directory);
        else
            snprintf(path, sizeof path, "unix:path=/run/user/%u/systemd/private", getuid());
    } else {
        snprintf(path, sizeof path, "unix:path=/run/systemd/private");
    }
    r = sd_bus_new(&s->bus);
    if (r >= 0)
        r = sd_bus_set_address(s->bus, address ? address : path);
    if (r >= 0)
        r = sd_bus_start(s->bus);
    if (r < 0) {
        char text[4400];

        snprintf(text, sizeof text, "no manager at '%s': %s", address ? address : path,
                 strerror(-r));
        return fail(s, r, text);
    }
    return 0;
}

/* --- values --------------------------------------------------------------------------------------
 * JSON by a D-Bus signature: "t", "as", "a(ss)". Numbers are cast: -1 is systemd's infinity. */

static int append(sd_bus_message *m, const char *signature, const json_t *value);

/* The length of the first complete type: "a(ss)b" -> 5. */
static size_t type_length(const char *signature)
{
    size_t n = 0, depth = 0;

    while (signature[n] == 'a')
        n++;
    do {
        depth += signature[n] == '(';
        depth -= signature[n] == ')';
    } while (signature[n++] && depth);
    return n;
}

static int append_basic(sd_bus_message *m, char type, const json_t *value)
{
    long long number = json_integer_value(value);

    switch (type) {
    case 'b':
        return sd_bus_message_append(m, "b", json_is_true(value));
    case 's':
        return sd_bus_message_append(m, "s", json_string_value(value));
    case 'y':
        return sd_bus_message_append(m, "y", (uint8_t)number);
    case 'n':
    case 'q':
        return sd_bus_message_append(m, type == 'n' ? "n" : "q", (int)number);
    case 'i':
    case 'u':
        return sd_bus_message_append(m, type == 'i' ? "i" : "u", (uint32_t)number);
    case 'x':
    case 't':
        return sd_bus_message_append(m, type == 'x' ? "x" : "t", (uint64_t)number);
    default:
        return -EINVAL;
    }
}

static int append_array(sd_bus_message *m, const char *element, const json_t *list)
{
    const json_t *value;
    size_t i;
    int r = sd_bus_message_open_container(m, 'a', element);

    json_array_foreach(list, i, value) if (r >= 0) r = append(m, element, value);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_struct(sd_bus_message *m, const char *members, const json_t *list)
{
    int r = sd_bus_message_open_container(m, 'r', members);
    size_t i = 0;

    while (r >= 0 && *members) {
        size_t n = type_length(members);
        char one[64];

        snprintf(one, sizeof one, "%.*s", (int)n, members);
        r = append(m, one, json_array_get(list, i++));
        members += n;
    }
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append(sd_bus_message *m, const char *signature, const json_t *value)
{
    char inner[64];

    if (*signature == 'a')
        return append_array(m, signature + 1, value);
    if (*signature != '(')
        return append_basic(m, *signature, value);
    snprintf(inner, sizeof inner, "%.*s", (int)strlen(signature) - 2, signature + 1);
    return append_struct(m, inner, value);
}

static int append_property(sd_bus_message *m, const json_t *property)
{
    const char *name = json_string_value(json_array_get(property, 0));
    const char *signature = json_string_value(json_array_get(property, 1));
    int r = sd_bus_message_open_container(m, 'r', "sv");

    if (!name || !signature || strlen(signature) > 60)
        return -EINVAL;
    if (r >= 0)
        r = sd_bus_message_append(m, "s", name);
    if (r >= 0)
        r = sd_bus_message_open_container(m, 'v', signature);
    if (r >= 0)
        r = append(m, signature, json_array_get(property, 2));
    if (r >= 0)
        r = sd_bus_message_close_container(m);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

/* The manager's version, "252.39-1": 252; 0 when it does not say. Asked only if somebody needs it.
 */
static int version_of(struct session *s)
{
    char *text = NULL;
    int version;

    if (sd_bus_get_property_string(s->bus, SERVICE, OBJECT, MANAGER, "Version", NULL, &text) < 0)
        return 0;
    version = atoi(text + strcspn(text, "0123456789"));
    free(text);
    return version;
}

static int append_properties(struct session *s, sd_bus_message *m)
{
    const json_t *property;
    int r = sd_bus_message_open_container(m, 'a', "(sv)"), version = -1;
    size_t i;

    json_array_foreach(json_object_get(s->question, "properties"), i, property)
    {
        int since = (int)json_integer_value(json_array_get(property, 3));

        if (since && version < 0)
            version = version_of(s);
        if (r >= 0 && (!since || version >= since))
            r = append_property(m, property);
    }
    return r < 0 ? r : sd_bus_message_close_container(m);
}

/* --- jobs ------------------------------------------------------------------------------------- */

static int job_removed(sd_bus_message *m, void *context, sd_bus_error *error)
{
    struct session *s = context;
    const char *job, *unit, *result;
    uint32_t id;

    (void)error;
    if (sd_bus_message_read(m, "uoss", &id, &job, &unit, &result) >= 0 && s->job &&
        !strcmp(job, s->job))
        snprintf(s->result, sizeof s->result, "%s", result);
    return 0;
}

/* Before the call that makes the job: its end may come before the answer to that call is looked at.
 */
static int listen_for_jobs(struct session *s)
{
    return sd_bus_match_signal(s->bus, NULL, NULL, OBJECT, MANAGER, "JobRemoved", job_removed, s);
}

/* The answer to a call that starts a job is its path. */
static int wait_for_job(struct session *s, sd_bus_message *reply)
{
    int r = sd_bus_message_read(reply, "o", &s->job);

    while (r >= 0 && !*s->result) {
        r = sd_bus_process(s->bus, NULL);
        if (!r)
            r = sd_bus_wait(s->bus, JOB_USEC) ?: -ETIMEDOUT;
    }
    if (r < 0)
        return fail(s, r, r == -ETIMEDOUT ? "the job did not end in 30 seconds" : strerror(-r));
    if (strcmp(s->result, "done")) {
        char text[64];

        snprintf(text, sizeof text, "the job ended as '%s'", s->result);
        return fail(s, EIO, text);
    }
    return 0;
}

/* --- calls ------------------------------------------------------------------------------------ */

static void reset_failed(struct session *s)
{
    sd_bus_call_method(s->bus, SERVICE, OBJECT, MANAGER, "ResetFailedUnit", NULL, NULL, "s",
                       text_of(s, "unit"));
}

static int call_start(struct session *s, sd_bus_message **ret, sd_bus_error *error)
{
    sd_bus_message *m = NULL;
    int r =
        sd_bus_message_new_method_call(s->bus, &m, SERVICE, OBJECT, MANAGER, "StartTransientUnit");

    if (r >= 0)
        r = sd_bus_message_append(m, "ss", text_of(s, "unit"), "replace");
    if (r >= 0)
        r = append_properties(s, m);
    if (r >= 0)
        r = sd_bus_message_append(m, "a(sa(sv))", 0); /* no other units with it */
    if (r >= 0)
        r = sd_bus_call(s->bus, m, 0, error, ret);
    sd_bus_message_unref(m);
    return r;
}

/* The group of the unit, or with an empty name of the manager itself. */
static int tell_group(struct session *s)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    const char *unit = text_of(s, "unit");
    sd_bus_message *reply = NULL;
    const char *object = OBJECT;
    char *group = NULL;
    int r = 0;

    if (*unit)
        r = sd_bus_call_method(s->bus, SERVICE, OBJECT, MANAGER, "GetUnit", &error, &reply, "s",
                               unit);
    if (r >= 0 && *unit)
        r = sd_bus_message_read(reply, "o", &object);
    if (r >= 0)
        r = sd_bus_get_property_string(s->bus, SERVICE, object, *unit ? SERVICE ".Scope" : MANAGER,
                                       "ControlGroup", &error, &group);
    if (r >= 0)
        json_object_set_new(s->answer, "group", json_string(group));
    else
        fail_bus(s, r, &error);
    free(group);
    sd_bus_message_unref(reply);
    sd_bus_error_free(&error);
    return r < 0 ? -1 : 0;
}

static int do_start(struct session *s)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *reply = NULL;
    int r = listen_for_jobs(s);

    if (r >= 0)
        r = call_start(s, &reply, &error);
    /* A unit of that name that ended badly and was not collected. */
    if (r < 0 && sd_bus_error_has_name(&error, SERVICE ".UnitExists")) {
        reset_failed(s);
        sd_bus_error_free(&error);
        r = call_start(s, &reply, &error);
    }
    r = r < 0 ? fail_bus(s, r, &error) : wait_for_job(s, reply);
    sd_bus_message_unref(reply);
    sd_bus_error_free(&error);
    return r < 0 ? r : tell_group(s);
}

static int do_stop(struct session *s)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *reply = NULL;
    int r = listen_for_jobs(s);

    if (r >= 0)
        r = sd_bus_call_method(s->bus, SERVICE, OBJECT, MANAGER, "StopUnit", &error, &reply, "ss",
                               text_of(s, "unit"), "replace");
    if (r < 0)
        r = sd_bus_error_has_name(&error, SERVICE ".NoSuchUnit") ? 0 : fail_bus(s, r, &error);
    else
        r = wait_for_job(s, reply);
    reset_failed(s);
    sd_bus_message_unref(reply);
    sd_bus_error_free(&error);
    return r;
}

static int do_set(struct session *s)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *m = NULL;
    int r =
        sd_bus_message_new_method_call(s->bus, &m, SERVICE, OBJECT, MANAGER, "SetUnitProperties");

    if (r >= 0) /* true: until the unit is gone, not in a file */
        r = sd_bus_message_append(m, "sb", text_of(s, "unit"), true);
    if (r >= 0)
        r = append_properties(s, m);
    if (r >= 0)
        r = sd_bus_call(s->bus, m, 0, &error, NULL);
    if (r < 0)
        fail_bus(s, r, &error);
    sd_bus_message_unref(m);
    sd_bus_error_free(&error);
    return r < 0 ? -1 : 0;
}

static int call_unit(struct session *s, const char *method)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    int r = sd_bus_call_method(s->bus, SERVICE, OBJECT, MANAGER, method, &error, NULL, "s",
                               text_of(s, "unit"));

    if (r < 0)
        fail_bus(s, r, &error);
    sd_bus_error_free(&error);
    return r < 0 ? -1 : 0;
}

static int do_freeze(struct session *s)
{
    return call_unit(s, "FreezeUnit");
}

static int do_thaw(struct session *s)
{
    return call_unit(s, "ThawUnit");
}

static int do_attach(struct session *s)
{
    uint32_t pid = (uint32_t)json_integer_value(json_object_get(s->question, "pid"));
    sd_bus_error error = SD_BUS_ERROR_NULL;
    int r = sd_bus_call_method(s->bus, SERVICE, OBJECT, MANAGER, "AttachProcessesToUnit", &error,
                               NULL, "ssau", text_of(s, "unit"), text_of(s, "below"), 1, pid);

    if (r < 0)
        fail_bus(s, r, &error);
    sd_bus_error_free(&error);
    return r < 0 ? -1 : 0;
}

static const struct {
    const char *name;
    int (*run)(struct session *s);
} calls[] = {
    {"start", do_start}, {"stop", do_stop},     {"set", do_set},       {"freeze", do_freeze},
    {"thaw", do_thaw},   {"group", tell_group}, {"attach", do_attach},
};

static int serve(struct session *s, const char *address)
{
    const char *call = text_of(s, "call");

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (!strcmp(call, calls[i].name))
            return open_bus(s, address) < 0 ? -1 : calls[i].run(s);
    return fail(s, EINVAL, "there is no such call");
}

int main(int argc, char **argv)
{
    struct session s = {.answer = json_object()};
    json_t *question = json_loadf(stdin, 0, NULL);
    int r;

    s.question = question;
    r = question ? serve(&s, argc > 1 ? argv[1] : NULL)
                 : fail(&s, EINVAL, "the question is no JSON");
    json_dumpf(s.answer, stdout, JSON_COMPACT);
    sd_bus_flush_close_unref(s.bus);
    json_decref(question);
    json_decref(s.answer);
    return r < 0;
}
