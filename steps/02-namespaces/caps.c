/* Root's power is some forty separate permits, the capabilities. A process holds them in several
 * sets; three matter here. *Effective* is what the kernel looks at, *permitted* what may be made
 * effective, and *bounding* is the ceiling: execve(2) of a root process fills the first two again,
 * but never above it. So the bounding set goes first, and while it is cut we still need
 * CAP_SETPCAP, which the other two give us. */
#include "caps.h"

#include <errno.h>
#include <stddef.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "die.h"

/* Enough to install packages, change owners and serve port 80. Not enough to mount, to load a
 * module, to set the clock, to reconfigure the network or to look into other processes. */
static const cap_value_t kept[] = {
    CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_FSETID,           CAP_FOWNER,
    CAP_MKNOD,   CAP_NET_RAW,      CAP_SETGID,           CAP_SETUID,
    CAP_SETFCAP, CAP_SETPCAP,      CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT,
    CAP_KILL,    CAP_AUDIT_WRITE,
};
enum { KEPT_COUNT = sizeof kept / sizeof *kept };

static int is_kept(cap_value_t cap)
{
    for (int i = 0; i < KEPT_COUNT; i++)
        if (kept[i] == cap)
            return 1;
    return 0;
}

static void lower_ceiling(void)
{
    for (cap_value_t cap = 0; cap < cap_max_bits(); cap++)
        if (!is_kept(cap) && cap_drop_bound(cap) < 0)
            die(errno == EPERM ? "dropping capabilities needs CAP_SETPCAP: run keg as root" : NULL,
                "cannot drop capability %d from the bounding set: %m", cap);
}

/* Keeps of `kept` what we hold: asking for one more would fail. */
static void keep_what_we_have(void)
{
    cap_t have = cap_get_proc(), keep = cap_init();

    if (!have || !keep)
        die(NULL, "cannot read our capabilities: %m");
    for (int i = 0; i < KEPT_COUNT; i++) {
        cap_flag_value_t held = CAP_CLEAR;

        cap_get_flag(have, kept[i], CAP_PERMITTED, &held);
        cap_set_flag(keep, CAP_PERMITTED, 1, &kept[i], held);
        cap_set_flag(keep, CAP_EFFECTIVE, 1, &kept[i], held);
    }
    if (cap_set_proc(keep) < 0)
        die(NULL, "cannot set our capabilities: %m");
    cap_free(have);
    cap_free(keep);
}

void caps_drop(void)
{
    lower_ceiling();
    if (cap_reset_ambient() < 0)
        die(NULL, "cannot empty the ambient capabilities: %m");
    keep_what_we_have();
    /* A set-user-ID program would still make an ordinary user root. Not any more. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        die(NULL, "cannot set no_new_privs: %m");
}
