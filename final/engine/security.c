/* security.c - which capabilities and which syscall filter a container gets. */
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/internal.h"
#include "engine/shim/shim.h"
#include "runtime/runtime.h"

void security_free(struct security *s)
{
    strv_free(&s->caps);
    free(s->seccomp);
    *s = (struct security){0};
}

static void remove_name(struct strv *names, const char *name)
{
    for (size_t i = 0; i < names->len; i++)
        if (!strcmp(names->items[i], name)) {
            free(names->items[i]);
            memmove(names->items + i, names->items + i + 1,
                    (names->len - i) * sizeof *names->items);
            names->len--;
            return;
        }
}

/* Docker shows the name as it understood it: upper case, with CAP_. */
static int unknown_capability(const char *flag, const char *text, struct err *err)
{
    cleanup_free char *upper = str_copy(text);

    for (char *p = upper; *p; p++)
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 32);
    return err_set(err, EINVAL, "invalid %s: unknown capability: \"%s%s\"", flag,
                   str_starts(upper, "CAP_") ? "" : "CAP_", upper);
}

/* Canonical names of a --cap-add or --cap-drop list; `ret_all` when ALL is among them. */
static int parse_caps(const json_t *list, const char *flag, struct strv *ret, bool *ret_all,
                      struct err *err)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        const char *text = json_string_value(item) ? json_string_value(item) : "", *name;

        if (!strcasecmp(text, "ALL") || !strcasecmp(text, "CAP_ALL")) {
            *ret_all = true;
            continue;
        }
        name = runtime_cap_name(text);
        if (!name)
            return unknown_capability(flag, text, err);
        strv_add(ret, name);
    }
    return 0;
}

/* Docker's order: ALL in --cap-add gives everything, --cap-drop then takes; ALL in --cap-drop
 * leaves only what
 * --cap-add names. */
static int choose_caps(const json_t *host, struct strv *ret, struct err *err)
{
    cleanup_strv struct strv add = {0}, drop = {0};
    bool add_all = false, drop_all = false;
    int r = parse_caps(json_object_get(host, "CapAdd"), "CapAdd", &add, &add_all, err);

    if (!r)
        r = parse_caps(json_object_get(host, "CapDrop"), "CapDrop", &drop, &drop_all, err);
    if (r < 0)
        return r;
    if (add_all)
        runtime_all_caps(ret);
    else if (!drop_all)
        for (const char *const *name = runtime_default_caps; *name; name++)
            strv_add(ret, *name);
    for (size_t i = 0; i < drop.len; i++)
        remove_name(ret, drop.items[i]);
    for (size_t i = 0; i < add.len; i++)
        if (!strv_contains(ret, add.items[i]) && !(add_all && strv_contains(&drop, add.items[i])))
            strv_add(ret, add.items[i]);
    return 0;
}

static bool on_off(const char *value)
{
    return !strcmp(value, "true") || !strcmp(value, "1");
}

/* One --security-opt: "no-new-privileges[:bool]", "seccomp=...", "systempaths=unconfined", ... */
static int parse_option(const char *option, struct security *s, struct err *err)
{
    size_t n = strcspn(option, "=:");
    const char *value = option[n] ? option + n + 1 : NULL;

    if (!strncmp(option, "no-new-privileges", n) && n == strlen("no-new-privileges")) {
        s->no_new_privileges = !value || on_off(value);
    } else if (str_starts(option, "seccomp") && n == 7 && value && *value) {
        free(s->seccomp);
        s->seccomp = str_copy(!strcmp(value, "builtin") ? "default" : value);
    } else if (!strcmp(option, "systempaths=unconfined")) {
        s->unmasked = true;
    } else if (!strcmp(option, "apparmor=unconfined") || !strcmp(option, "label=disable")) {
        return 0; /* what this engine does anyway: it sets no profile and no label */
    } else {
        return err_set(
            err, EINVAL,
            "invalid --security-opt: \"%s\": known are no-new-privileges[:bool], "
            "seccomp=unconfined|builtin|FILE, systempaths=unconfined, apparmor=unconfined, "
            "label=disable",
            option);
    }
    return 0;
}

int security_parse(const json_t *host, struct security *ret, struct err *err)
{
    struct security s = {.privileged = json_flag(host, "Privileged", false)};
    json_t *item;
    size_t i;
    int r = 0;

    s.seccomp = str_copy(s.privileged ? "unconfined" : "default");
    s.unmasked = s.privileged;
    json_array_foreach(json_object_get(host, "SecurityOpt"), i, item)
    {
        r = parse_option(json_string_value(item) ? json_string_value(item) : "", &s, err);
        if (r < 0)
            break;
    }
    if (!r && s.privileged)
        runtime_all_caps(&s.caps);
    else if (!r)
        r = choose_caps(host, &s.caps, err);
    if (r < 0) {
        security_free(&s);
        err->exit_status = 125;
        return r;
    }
    *ret = s;
    return 0;
}

void security_warnings(const struct security *s, struct strv *ret)
{
    cleanup_strv struct strv ours = {0};

    runtime_all_caps(&ours);
    for (size_t i = 0; i < s->caps.len; i++)
        if (!strv_contains(&ours, s->caps.items[i]))
            strv_take(ret, str_format("%s is not given: cooper itself does not have it here",
                                      s->caps.items[i]));
}

static bool is_default_set(const struct strv *caps)
{
    size_t n = 0;

    for (const char *const *name = runtime_default_caps; *name; name++, n++)
        if (!strv_contains(caps, *name))
            return false;
    return n == caps->len;
}

int security_filter(const struct security *s, int dir, const char **ret, struct err *err)
{
    cleanup_close int fd = -1;
    bool builtin = !strcmp(s->seccomp, "default");
    int r;

    *ret = NULL;
    if (!strcmp(s->seccomp, "unconfined"))
        return 0;
    if (builtin && is_default_set(&s->caps)) {
        *ret = "default";
        return 0;
    }
    fd = openat(dir, "seccomp.bpf", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, "cannot create 'seccomp.bpf'");
    r = builtin ? runtime_seccomp_compile_default(&s->caps, fd, err)
                : runtime_seccomp_compile_file(s->seccomp, &s->caps, fd, err);
    if (r < 0) {
        err->exit_status = 125;
        return err_wrap(err, "cannot compile the seccomp profile");
    }
    *ret = "seccomp.bpf";
    return 0;
}

int security_document(const struct security *s, int dir, struct err *err)
{
    cleanup_json json_t *document = NULL;
    cleanup_free char *text = NULL;

    if (!strcmp(s->seccomp, "unconfined"))
        return 0;
    document =
        runtime_seccomp_document(strcmp(s->seccomp, "default") ? s->seccomp : NULL, &s->caps, err);
    if (!document)
        return -err->code;
    text = json_text(document, JSON_COMPACT);
    return file_create(dir, SHIM_SECCOMP_FILE, text, strlen(text), 0600, err);
}
