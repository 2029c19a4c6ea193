#include "runtime/lsm.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

static bool is_given(const char *text)
{
    return text && *text;
}

/* The module may be compiled in and switched off. */
static bool has_apparmor(void)
{
    cleanup_buf struct buf text = {0};
    struct err ignored = {0};

    return !file_load(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", 64, &text, &ignored) &&
           *text.data == 'Y';
}

/* Mounted only where it is in use. */
static bool has_selinux(void)
{
    struct statfs fs;

    return !statfs("/sys/fs/selinux", &fs) && fs.f_type == SELINUX_MAGIC;
}

int lsm_check(const struct spec_process *process, struct err *err)
{
    if (is_given(process->apparmor_profile) && !has_apparmor())
        return err_set(err, ENOTSUP, "apparmor: config provided but apparmor not supported");
    if (is_given(process->selinux_label) && !has_selinux())
        return err_set(err, ENOTSUP,
                       "selinux label is specified in config, but selinux is "
                       "disabled or not supported");
    return 0;
}

/* /proc/thread-self is for us alone, and what is written takes effect on us whatever the file's
 * owner. That it is really on a procfs is checked on the open file. */
static int write_attribute(const char *name, const char *text, struct err *err)
{
    cleanup_free char *path = str_format("/proc/thread-self/attr/%s", name);
    cleanup_close int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    struct statfs fs;

    if (fd < 0 || fstatfs(fd, &fs) < 0)
        return err_errno(err, "cannot open '%s'", path);
    if (fs.f_type != PROC_SUPER_MAGIC)
        return err_set(err, EPERM, "'%s' is not on a procfs", path);
    if (write(fd, text, strlen(text)) < 0)
        return err_errno(err, "cannot write '%s' to '%s'", text, path);
    return 0;
}

/* attr/apparmor/ is there since Linux 5.1; before, attr/ belongs to whichever module is first. */
static int apply_apparmor(const char *profile, struct err *err)
{
    cleanup_free char *text = str_format("exec %s", profile);
    int r = write_attribute("apparmor/exec", text, err);

    if (r == -ENOENT && access("/proc/thread-self/attr/apparmor", F_OK) < 0)
        r = write_attribute("exec", text, err);
    if (r < 0)
        return err_wrap(err, "unable to apply apparmor profile '%s'%s", profile,
                        r == -ENOENT ? " (is it loaded? aa-status shows those that are)" : "");
    return 0;
}

int lsm_apply(const struct spec_process *process, struct err *err)
{
    if (is_given(process->apparmor_profile) && apply_apparmor(process->apparmor_profile, err) < 0)
        return -err->code;
    if (is_given(process->selinux_label) &&
        write_attribute("exec", process->selinux_label, err) < 0)
        return err_wrap(err, "unable to set the selinux label");
    return 0;
}

int lsm_begin_keys(const struct spec_process *process, struct err *err)
{
    if (!is_given(process->selinux_label))
        return 0;
    return write_attribute("keycreate", process->selinux_label, err);
}

int lsm_end_keys(const struct spec_process *process, struct err *err)
{
    if (!is_given(process->selinux_label))
        return 0;
    /* One byte of nothing means "as always"; an empty write would not reach the module. */
    return write_attribute("keycreate", "\n", err);
}
