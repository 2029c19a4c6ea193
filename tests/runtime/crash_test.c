/* Commands killed at awkward moments, and what others say and do afterwards. The sweep over every
 * system call is elsewhere (tests/crash); these are the moments that have a name. */
#include "runtime/tool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/proc.h"
#include "system/container.h"

static char *record_path(const struct box *box, const char *name)
{
    return str_format("%s/%s/%s", tool_root(), box->id, name);
}

/* `create` is killed while this hook of its runs; returns when it is gone. */
static void kill_in_hook(const struct box *box, const char *kind)
{
    cleanup_free char *log = str_format("%s/maker", box->bundle);
    cleanup_free char *mark = str_format("%s/hook-runs", box->bundle);
    cleanup_free char *script = str_format("echo $$ >%s; exec sleep 1000", mark), *pid = NULL;
    pid_t maker;

    tool_hook(box, kind, script, 0);
    maker = START(log, "create", "-b", box->bundle, box->id);
    pid = run_wait_for_text(mark, "\n", 60);
    ck_assert_ptr_ne(pid, NULL);
    ck_assert_str_eq(tool_status(box->id), "creating");
    ck_assert(!kill(maker, SIGKILL));
    ck_assert_int_eq(run_wait(maker, 60), 137);
    if (strcmp(kind, "createContainer") != 0)
        kill(atoi(pid), SIGKILL); /* the administrator's program goes on without its runtime */
    container_set(box->config, "hooks", json_object());
    tool_write(box);
}

static const char *const kinds[] = {"prestart", "createRuntime", "createContainer"};

START_TEST(create_killed_in_a_hook_can_be_deleted)
{
    cleanup_box struct box box;

    tool_box(&box, "true");
    kill_in_hook(&box, kinds[_i]);
    EXPECT(0, "", "", "delete", "--force", box.id);
    tool_gone(&box);
}
END_TEST

START_TEST(create_killed_in_a_hook_can_be_repeated)
{
    cleanup_box struct box box;

    tool_box(&box, "exit 4");
    kill_in_hook(&box, kinds[_i]);
    EXPECT(4, NULL, "", "run", "-b", box.bundle, box.id);
    tool_gone(&box);
}
END_TEST

/* init waits for its creator's word and does not outlive it. */
START_TEST(init_ends_with_a_killed_create)
{
    cleanup_box struct box box;

    tool_box(&box, "true");
    kill_in_hook(&box, "createRuntime");
    tool_await_status(box.id, "stopped");
    ck_assert_int_eq(tool_pid(box.id), 0);
    EXPECT(1, "", "cannot start a container that has stopped", "start", box.id);
    EXPECT(0, "", "", "delete", box.id);
    tool_gone(&box);
}
END_TEST

/* Between making the directory and the record. */
START_TEST(a_directory_without_record_is_nothing)
{
    cleanup_box struct box box;
    cleanup_free char *directory = NULL;

    tool_box(&box, "exit 2");
    directory = str_format("%s/%s", tool_root(), box.id);
    EXPECT(0, "", "", "list", "-q");
    ck_assert(!mkdir(directory, 0700));
    EXPECT(0, "", "", "list", "-q");
    EXPECT(1, "", "container does not exist", "state", box.id);
    EXPECT(1, "", "container does not exist", "start", box.id);
    EXPECT(2, NULL, "", "run", "-b", box.bundle, box.id);
    ck_assert(!mkdir(directory, 0700));
    EXPECT(0, "", "", "delete", "--force", box.id);
    tool_gone(&box);
}
END_TEST

START_TEST(init_killed_before_its_start)
{
    cleanup_box struct box box;

    tool_box(&box, "true");
    CREATE(&box, NULL);
    ck_assert(!kill(tool_pid(box.id), SIGKILL));
    tool_await_status(box.id, "stopped");
    EXPECT(1, "", "cannot start a container that has stopped", "start", box.id);
    EXPECT(0, "", "", "delete", box.id);
    tool_gone(&box);
}
END_TEST

/* Whoever only looked whether it waits, or came and was killed, has started nothing. */
START_TEST(a_start_that_says_nothing_starts_nothing)
{
    cleanup_box struct box box;

    tool_box(&box, "term");
    CREATE(&box, NULL);
    for (int i = 0; i < 50; i++)
        ck_assert_str_eq(tool_status(box.id), "created"); /* each connects and goes */
    EXPECT(0, "", "", "start", box.id);
    free(tool_await(&box, "waiting"));
    EXPECT(0, "", "", "delete", "-f", box.id);
}
END_TEST

static void set_record(const struct box *box, const char *member, json_int_t value)
{
    cleanup_free char *path = record_path(box, "state.json");
    struct err err = {0};
    cleanup_json json_t *record = json_load(AT_FDCWD, path, 1 << 20, &err);

    ck_assert_msg(record != NULL, "%s", err.message);
    container_set(record, member, json_integer(value));
    ck_assert(!json_store(AT_FDCWD, path, record, 0600, false, &err));
}

/* The pid is another process's by now: it is neither the container nor killed for it. */
START_TEST(a_reused_pid_is_somebody_else)
{
    cleanup_box struct box box;
    pid_t bystander = run_start(NULL, NULL, (const char *const[]){"sleep", "1000", NULL});
    struct proc_id id;

    tool_box(&box, "term");
    tool_up(&box, "waiting");
    EXPECT(0, "", "", "kill", box.id, "KILL");
    tool_await_status(box.id, "stopped");
    ck_assert(!proc_identify(bystander, &id));
    set_record(&box, "init.pid", bystander);
    set_record(&box, "init.start", 1);
    ck_assert_str_eq(tool_status(box.id), "stopped");
    EXPECT(1, "", "container not running", "kill", box.id, "KILL");
    EXPECT(0, "", "", "delete", "--force", box.id);
    ck_assert(proc_alive(&id));
    run_stop(bystander);
    tool_gone(&box);
}
END_TEST

/* With a --root that outlives it: nothing of another boot lives, whatever has its pids now. */
START_TEST(another_boot_has_ended_everything)
{
    cleanup_box struct box box;
    cleanup_free char *path = NULL;
    cleanup_json json_t *record = NULL;
    struct err err = {0};
    pid_t pid;

    tool_box(&box, "term");
    tool_up(&box, "waiting");
    pid = tool_pid(box.id);
    path = record_path(&box, "state.json");
    record = json_load(AT_FDCWD, path, 1 << 20, &err);
    json_put_str(record, "boot", "00000000-0000-0000-0000-000000000000");
    ck_assert(!json_store(AT_FDCWD, path, record, 0600, false, &err));
    ck_assert_str_eq(tool_status(box.id), "stopped");
    EXPECT(1, "", "container not running", "kill", box.id, "KILL");
    ck_assert(!kill(pid, 0));
    EXPECT(0, "", "", "delete", box.id); /* by its control group, which is this boot's here */
    tool_gone(&box);
}
END_TEST

static const char *const damages[] = {"", "{", "{}", "[1]", "{\"id\":1}"};

START_TEST(a_damaged_record_says_what_to_do)
{
    cleanup_box struct box box;
    cleanup_free char *path = NULL;
    struct err err = {0};

    tool_box(&box, "true");
    CREATE(&box, NULL);
    EXPECT(0, "", "", "kill", box.id, "KILL");
    tool_await_status(box.id, "stopped");
    path = record_path(&box, "state.json");
    ck_assert(!file_store(AT_FDCWD, path, damages[_i], strlen(damages[_i]), 0600, false, &err));
    EXPECT(1, "", "cannot read the container's state", "state", box.id);
    EXPECT(1, "", "delete --force", "create", "-b", box.bundle, box.id);
    EXPECT(1, "", "delete --force", "delete", box.id);
    EXPECT(0, "", "", "delete", "--force", box.id);
    path[strlen(path) - strlen("/state.json")] = 0;
    ck_assert(access(path, F_OK) < 0);
}
END_TEST

/* A writer that was killed leaves its temporary file; it goes with the container. */
START_TEST(left_temporaries_go_with_the_container)
{
    cleanup_box struct box box;
    cleanup_free char *path = NULL;
    struct err err = {0};

    tool_box(&box, "true");
    CREATE(&box, NULL);
    path = record_path(&box, "state.json.4711.tmp");
    ck_assert(!file_store(AT_FDCWD, path, "{", 1, 0600, false, &err));
    EXPECT(0, "", "", "delete", box.id);
    tool_gone(&box);
}
END_TEST

SUITE(crash)
{
    TCase *t = tcase_create("crash");

    tcase_set_timeout(t, 90);
    tcase_add_unchecked_fixture(t, tool_setup, tool_teardown);
    tcase_add_loop_test(t, create_killed_in_a_hook_can_be_deleted, 0, 3);
    tcase_add_loop_test(t, create_killed_in_a_hook_can_be_repeated, 0, 3);
    tcase_add_test(t, init_ends_with_a_killed_create);
    tcase_add_test(t, a_directory_without_record_is_nothing);
    tcase_add_test(t, init_killed_before_its_start);
    tcase_add_test(t, a_start_that_says_nothing_starts_nothing);
    tcase_add_test(t, a_reused_pid_is_somebody_else);
    tcase_add_test(t, another_boot_has_ended_everything);
    tcase_add_loop_test(t, a_damaged_record_says_what_to_do, 0, 5);
    tcase_add_test(t, left_temporaries_go_with_the_container);
    suite_add_tcase(suite, t);
}
