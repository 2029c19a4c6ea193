/* mounts add|remove, by the command line: crun's. */
#include "runtime/tool.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "system/bundle.h"

static const char list[] =
    "[{\"destination\":\"/"
    "data\",\"type\":\"bind\",\"source\":\"dir\",\"options\":[\"bind\",\"ro\"]},"
    "{\"destination\":\"/data2\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}]";

static char *write_list(const struct box *box, const char *text)
{
    put_dir(box->bundle, "dir");
    put_file(box->bundle, "dir/file", "from the host");
    put_file(box->bundle, "mounts.json", text);
    return path_in(box->bundle, "mounts.json");
}

START_TEST(mounts_come_and_go)
{
    cleanup_box struct box box;
    cleanup_free char *file = NULL;

    tool_box(&box, "term");
    file = write_list(&box, list);
    tool_up(&box, "waiting");
    EXPECT(0, "", "", "mounts", "add", box.id, file);
    EXPECT(0, "cat /data/file: <from the host>\nput /data/x y: EROFS\nput /data2/x y: ok\n", "",
           "exec", box.id, "/bin/probe", "cat", "/data/file", "+", "put", "/data/x", "y", "+",
           "put", "/data2/x", "y");
    EXPECT(0, "", "", "mounts", "remove", box.id, file);
    EXPECT(0, "mounted /data: no\nmounted /data2: no\n", "", "exec", box.id, "/bin/probe",
           "mounted", "/data", "+", "mounted", "/data2");
    EXPECT(1, "", "mounts[0]: cannot unmount '/data': nothing is mounted there", "mounts", "remove",
           box.id, file);
    EXPECT(0, "", "", "delete", "--force", box.id);
    tool_gone(&box);
}
END_TEST

/* As `mounts` of an object, and from the standard input. */
START_TEST(the_list_may_come_in_other_ways)
{
    static const char object[] = "{\"mounts\":[{\"destination\":\"/data\",\"type\":\"tmpfs\"}]}";
    const struct run_options options = {.input = object, .input_len = sizeof object - 1};
    cleanup_run struct run_result r = {0};
    cleanup_box struct box box;

    tool_box(&box, "term");
    tool_up(&box, "waiting");
    tool_run(&r, &options, (const char *const[]){"mounts", "add", box.id, "-", NULL});
    ck_assert_msg(!r.code, "%s", r.err.data);
    EXPECT(0, NULL, "", "exec", box.id, "/bin/probe", "mounted", "/data");
    tool_run(&r, &options, (const char *const[]){"mounts", "remove", box.id, "-", NULL});
    ck_assert_msg(!r.code, "%s", r.err.data);
    EXPECT(0, "mounted /data: no\n", "", "exec", box.id, "/bin/probe", "mounted", "/data");
    EXPECT(0, "", "", "delete", "--force", box.id);
}
END_TEST

START_TEST(what_is_wrong_is_said)
{
    cleanup_box struct box box;
    cleanup_free char *file = NULL, *bad = NULL;

    tool_box(&box, "term");
    file = write_list(&box, list);
    bad = path_in(box.bundle, "bad.json");
    put_file(box.bundle, "bad.json", "{\"mounts\": 5");
    EXPECT(1, "", "container does not exist", "mounts", "add", box.id, file);
    tool_up(&box, "waiting");
    EXPECT(1, "", "unknown command 'list': it is add or remove", "mounts", "list", box.id, file);
    EXPECT(1, "", "cannot open '/no/such/file'", "mounts", "add", box.id, "/no/such/file");
    EXPECT(1, "", bad, "mounts", "add", box.id, bad);
    put_file(box.bundle, "bad.json", "{\"mount\": []}");
    EXPECT(1, "", "holds no list of mounts", "mounts", "add", box.id, bad);
    put_file(box.bundle, "bad.json",
             "[{\"destination\":\"/data\",\"type\":\"tmpfs\",\"options\":[\"size=foo\"]}]");
    EXPECT(1, "", "mounts[0]: cannot mount 'tmpfs' on '/data': option 'size=foo'", "mounts", "add",
           box.id, bad);
    EXPECT(0, "", "", "kill", box.id, "KILL");
    tool_await_status(box.id, "stopped");
    EXPECT(1, "", "container not running", "mounts", "add", box.id, file);
    EXPECT(0, "", "", "delete", box.id);
    tool_gone(&box);
}
END_TEST

/* --no-pivot is a flag of create and run: the container's root is the same, entered in another way.
 */
START_TEST(a_root_is_entered_without_pivot)
{
    cleanup_box struct box box;
    const char *said;

    tool_box(&box, "mounted / + link /proc/self + escape");
    put_file(box.bundle, "rootfs/this-is-the-container", "");
    said = EXPECT(0, NULL, "", "run", "--no-pivot", "--bundle", box.bundle, box.id);
    ck_assert_ptr_ne(strstr(said, "mounted /: rw,"), NULL);
    ck_assert_ptr_ne(strstr(said, "link /proc/self: 1\n"), NULL);
    ck_assert_ptr_ne(strstr(strstr(said, "escape: "), "this-is-the-container "), NULL);
    tool_gone(&box);
}
END_TEST

SUITE(mounts)
{
    TCase *t = tcase_create("mounts");

    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, tool_setup, tool_teardown);
    tcase_add_test(t, mounts_come_and_go);
    tcase_add_test(t, the_list_may_come_in_other_ways);
    tcase_add_test(t, what_is_wrong_is_said);
    tcase_add_test(t, a_root_is_entered_without_pivot);
    suite_add_tcase(suite, t);
}
