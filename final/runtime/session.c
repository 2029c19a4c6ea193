#include "runtime/session.h"

#include <linux/keyctl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "runtime/lsm.h"

#define KEY_USR_SEARCH 0x00080000UL /* keyctl(2), KEYCTL_SETPERM */

/* Joining by name needs the right to search, which a new keyring grants to nobody: to exec, who is
 * the same user, it should. Without it exec gets a keyring of its own. */
static void let_exec_join(long ring)
{
    char description[256];
    unsigned long rights;
    long n = syscall(SYS_keyctl, KEYCTL_DESCRIBE, ring, description, sizeof description);

    if (n > 0 && n <= (long)sizeof description &&
        sscanf(description, "%*[^;];%*d;%*d;%lx;", &rights) == 1)
        syscall(SYS_keyctl, KEYCTL_SETPERM, ring, rights | KEY_USR_SEARCH);
}

static int join_keyring(const char *id, struct err *err)
{
    cleanup_free char *name = id ? str_format("_ses.%s", id) : NULL;
    long ring = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name);

    if (ring >= 0) {
        let_exec_join(ring);
        return 0;
    }
    /* ENOSYS: a kernel without keyrings; EDQUOT and EPERM: the caller's quota or filter. Then the
     * keys of the caller's session stay reachable, but keyctl(2) is behind the syscall filter
     * anyway. */
    if (errno == ENOSYS || errno == EDQUOT || errno == EPERM || errno == EACCES)
        return 0;
    return err_errno(err, "cannot join a new session keyring");
}

int session_begin(const struct spec_process *process, const char *id, bool no_keyring,
                  struct err *err)
{
    if (setsid() < 0)
        return err_errno(err, "cannot start a session");
    if (no_keyring)
        return 0;
    if (lsm_begin_keys(process, err) < 0 || join_keyring(id, err) < 0)
        return -err->code;
    return lsm_end_keys(process, err);
}
