/* capabilities(7) in one paragraph: a thread has *permitted* (what it may switch on), *effective*
 * (what counts now), *inheritable* and *ambient* (what survives execve(2) without being root) and
 * *bounding* (the ceiling of everything execve(2) can grant). Root in a container is user 0 whose
 * bounding set was cut down to docker's fourteen: each execve(2) of root fills permitted up to the
 * bounding set, no further. Inheritable and ambient stay empty (CVE-2022-24769: with a full
 * inheritable set, any program with file capabilities raises an ordinary user). */
#include "runtime/caps.h"

#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/runtime.h"

const char *const runtime_default_caps[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
    NULL,
};

#define BIT(n) (UINT64_C(1) << (n))

/* Indexed by number; libcap's own names are lower case and not docker's spelling. */
#define CAP_NAME(name) [name] = #name
static const char *const cap_names[] = {
    CAP_NAME(CAP_CHOWN),
    CAP_NAME(CAP_DAC_OVERRIDE),
    CAP_NAME(CAP_DAC_READ_SEARCH),
    CAP_NAME(CAP_FOWNER),
    CAP_NAME(CAP_FSETID),
    CAP_NAME(CAP_KILL),
    CAP_NAME(CAP_SETGID),
    CAP_NAME(CAP_SETUID),
    CAP_NAME(CAP_SETPCAP),
    CAP_NAME(CAP_LINUX_IMMUTABLE),
    CAP_NAME(CAP_NET_BIND_SERVICE),
    CAP_NAME(CAP_NET_BROADCAST),
    CAP_NAME(CAP_NET_ADMIN),
    CAP_NAME(CAP_NET_RAW),
    CAP_NAME(CAP_IPC_LOCK),
    CAP_NAME(CAP_IPC_OWNER),
    CAP_NAME(CAP_SYS_MODULE),
    CAP_NAME(CAP_SYS_RAWIO),
    CAP_NAME(CAP_SYS_CHROOT),
    CAP_NAME(CAP_SYS_PTRACE),
    CAP_NAME(CAP_SYS_PACCT),
    CAP_NAME(CAP_SYS_ADMIN),
    CAP_NAME(CAP_SYS_BOOT),
    CAP_NAME(CAP_SYS_NICE),
    CAP_NAME(CAP_SYS_RESOURCE),
    CAP_NAME(CAP_SYS_TIME),
    CAP_NAME(CAP_SYS_TTY_CONFIG),
    CAP_NAME(CAP_MKNOD),
    CAP_NAME(CAP_LEASE),
    CAP_NAME(CAP_AUDIT_WRITE),
    CAP_NAME(CAP_AUDIT_CONTROL),
    CAP_NAME(CAP_SETFCAP),
    CAP_NAME(CAP_MAC_OVERRIDE),
    CAP_NAME(CAP_MAC_ADMIN),
    CAP_NAME(CAP_SYSLOG),
    CAP_NAME(CAP_WAKE_ALARM),
    CAP_NAME(CAP_BLOCK_SUSPEND),
    CAP_NAME(CAP_AUDIT_READ),
    CAP_NAME(CAP_PERFMON),
    CAP_NAME(CAP_BPF),
    CAP_NAME(CAP_CHECKPOINT_RESTORE),
};
#define CAP_COUNT ((int)(sizeof cap_names / sizeof *cap_names))

/* The number of "CAP_KILL", "kill" or "Cap_Kill"; -1 if there is none. */
static int cap_number(const char *text)
{
    if (!strncasecmp(text, "cap_", 4))
        text += 4;
    for (int i = 0; i < CAP_COUNT; i++)
        if (!strcasecmp(text, cap_names[i] + 4))
            return i;
    return -1;
}

/* Does the running kernel have it? Asking for an unknown one is EINVAL. */
static bool kernel_has(int cap)
{
    return prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0;
}

const char *runtime_cap_name(const char *text)
{
    int cap = cap_number(text);

    return cap >= 0 && kernel_has(cap) ? cap_names[cap] : NULL;
}

void runtime_all_caps(struct strv *ret)
{
    for (int i = 0; i < CAP_COUNT; i++)
        if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
            strv_add(ret, cap_names[i]);
}

void caps_known(struct strv *ret)
{
    for (int i = 0; i < CAP_COUNT; i++)
        if (kernel_has(i))
            strv_add(ret, cap_names[i]);
}

int caps_parse(const json_t *names, uint64_t *ret, struct strv *unknown, struct err *err)
{
    const json_t *item;
    uint64_t set = 0;
    size_t i;

    json_array_foreach(names, i, item)
    {
        const char *name = json_string_value(item);
        int cap = name ? cap_number(name) : -1;

        if (!name)
            return err_set(err, EINVAL, "entry %zu is not a name", i);
        if (cap >= 0 && kernel_has(cap))
            set |= BIT(cap);
        else if (!strv_contains(unknown, name))
            strv_add(unknown, name);
    }
    *ret = set;
    return 0;
}

void caps_warn_of_missing(const struct spec_caps *caps, struct strv *warnings)
{
    uint64_t wanted = caps->permitted | caps->bounding;
    cleanup_strv struct strv missing = {0};
    cleanup_free char *names = NULL;

    for (int i = 0; i < CAP_COUNT; i++)
        if (wanted & BIT(i) && prctl(PR_CAPBSET_READ, i, 0, 0, 0) != 1)
            strv_add(&missing, cap_names[i]);
    names = strv_join(&missing, " ");
    if (missing.len)
        strv_take(warnings,
                  str_format("capabilities not given because we do not have them: [%s]", names));
}

int caps_limit_bounding(const struct spec_caps *caps, struct err *err)
{
    for (int i = 0; i < CAP_LAST_CAP + 1 || kernel_has(i); i++) {
        if (caps->bounding & BIT(i))
            continue;
        if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0 && errno != EINVAL)
            return err_errno(err, "cannot drop capability %d from the bounding set", i);
    }
    /* Nothing ambient may come from whoever started us. ENOSYS-like EINVAL: a kernel before 4.3. */
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
        return err_errno(err, "cannot clear the ambient capabilities");
    return 0;
}

static int raise_flags(cap_t state, cap_flag_t flag, uint64_t set)
{
    for (int i = 0; i < CAP_COUNT; i++) {
        cap_value_t value = i;

        if (set & BIT(i) && cap_set_flag(state, flag, 1, &value, CAP_SET) < 0)
            return -errno;
    }
    return 0;
}

static void free_caps(cap_t *state)
{
    if (*state)
        cap_free(*state);
}

/* What of `wanted` this process has now: asking for more fails as a whole, and a host may well
 * withhold some from root (CAP_SYS_RESOURCE on many virtual machines). */
static uint64_t available(cap_t now, uint64_t wanted)
{
    uint64_t have = 0;

    for (int i = 0; i < CAP_COUNT; i++) {
        cap_flag_value_t on = CAP_CLEAR;

        if (wanted & BIT(i) && !cap_get_flag(now, i, CAP_PERMITTED, &on) && on == CAP_SET)
            have |= BIT(i);
    }
    return have;
}

static int set_caps(const struct spec_caps *caps, uint64_t extra, struct err *err)
{
    cleanup_with(free_caps) cap_t now = cap_get_proc(), next = cap_init();
    uint64_t permitted;

    if (!now || !next)
        return err_errno(err, "cannot read the capabilities");
    permitted = available(now, caps->permitted | extra);
    if (raise_flags(next, CAP_PERMITTED, permitted) < 0 ||
        raise_flags(next, CAP_EFFECTIVE, permitted & (caps->effective | extra)) < 0 ||
        raise_flags(next, CAP_INHERITABLE, available(now, caps->inheritable)) < 0 ||
        cap_set_proc(next) < 0)
        return err_errno(err, "cannot set the capabilities");
    return 0;
}

int caps_keep(const struct spec_caps *caps, struct err *err)
{
    return set_caps(caps, BIT(CAP_SYS_ADMIN), err);
}

int caps_finish(const struct spec_caps *caps, struct err *err)
{
    int r = set_caps(caps, 0, err);

    for (int i = 0; r >= 0 && i < CAP_COUNT; i++)
        if (caps->ambient & BIT(i) && cap_set_ambient(i, CAP_SET) < 0)
            r = err_errno(err, "cannot make %s ambient", cap_names[i]);
    return r;
}
