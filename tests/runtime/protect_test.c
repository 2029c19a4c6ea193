/* CVE-2019-5736: what a container may learn of the runtime's own file must not let it write there.
 */
#include "runtime/tool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "system/container.h"

/* The way the attack takes: get hold of /proc/PID/exe while the process is the runtime's, and write
 * to it when nobody executes it any more. */
START_TEST(the_programs_file_cannot_be_written_through_init)
{
    cleanup_box struct box box;
    cleanup_free char *path = NULL, *again = NULL;
    cleanup_close int exe = -1;

    tool_box(&box, "term");
    CREATE(&box, NULL);
    path = str_format("/proc/%d/exe", (int)tool_pid(box.id));
    exe = open(path, O_PATH | O_CLOEXEC);
    ck_assert_int_ge(exe, 0);
    EXPECT(0, "", "", "delete", "--force", box.id);
    again = str_format("/proc/self/fd/%d", exe);
    ck_assert_int_lt(open(again, O_WRONLY | O_CLOEXEC), 0);
    ck_assert_msg(errno == EROFS || errno == EPERM, "%s", strerror(errno));
}
END_TEST

/* It was executed, in the container: 3 for a command it does not have. With shared libraries (as
 * the sanitizers need them) it does not even start there. */
static void expect_useless(const char *const args[])
{
    cleanup_run struct run_result r = {0};

    tool_run(&r, NULL, args);
    ck_assert_str_eq(r.out.data, "");
    if (r.code == 127)
        ck_assert_ptr_ne(strstr(r.err.data, "exec /bin/self: no such file or directory"), NULL);
    else
        ck_assert_msg(r.code == 3 && strstr(r.err.data, "there is no command '/bin/self'"), "%d %s",
                      r.code, r.err.data);
}

/* An image can have the runtime execute itself: that does nothing for it. */
START_TEST(an_image_that_executes_the_runtime_gains_nothing)
{
    cleanup_box struct box box;
    cleanup_free char *script = NULL;
    struct err err = {0};

    tool_box(&box, "term");
    script = str_format("%s/rootfs/bin/self", box.bundle);
    ck_assert(!file_store(AT_FDCWD, script, "#!/proc/self/exe\n", 17, 0755, false, &err));
    tool_up(&box, "waiting");
    expect_useless((const char *const[]){"exec", box.id, "/bin/self", NULL});
    EXPECT(0, "", "", "delete", "--force", box.id);
    container_set(box.config, "process.args", json_pack("[s]", "/bin/self"));
    tool_write(&box);
    expect_useless((const char *const[]){"run", "-b", box.bundle, box.id, NULL});
    tool_gone(&box);
}
END_TEST

/* CVE-2024-21626: no directory of the host's may be found among a process's descriptors. */
START_TEST(no_descriptor_of_the_hosts_leads_out)
{
    cleanup_box struct box box;

    tool_box(&box, "list /proc/self/fd + link /proc/self/cwd + term");
    container_set(box.config, "process.cwd", json_string("/proc/self/fd/7"));
    tool_write(&box);
    EXPECT(1, "", "cannot enter the working directory '/proc/self/fd/7'", "create", "-b",
           box.bundle, box.id);
    container_set(box.config, "process.cwd", json_string("/"));
    tool_write(&box);
    tool_up(&box, "list /proc/self/fd: [0 1 2 3 ]"); /* 3: how list reads it */
    EXPECT(255, "", "cannot enter the working directory", "exec", "--cwd", "/proc/self/fd/7",
           box.id, "/bin/probe", "true");
    EXPECT(0, "", "", "delete", "--force", box.id);
}
END_TEST

SUITE(protect)
{
    TCase *t = tcase_create("protect");

    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, tool_setup, tool_teardown);
    tcase_add_test(t, the_programs_file_cannot_be_written_through_init);
    tcase_add_test(t, an_image_that_executes_the_runtime_gains_nothing);
    tcase_add_test(t, no_descriptor_of_the_hosts_leads_out);
    suite_add_tcase(suite, t);
}
