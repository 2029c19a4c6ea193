/* Several commands at once: one wins, the others say why not, and nothing is lost or left. */
#include "runtime/tool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/proc.h"
#include "system/container.h"

#define RIVALS 8

/* Starts `count` times the same; how many ended with 0, and the rest's messages hold one of two. */
static int contest(const struct box *box, const char *const args[], int count, const char *one,
                   const char *other)
{
    pid_t pids[RIVALS];
    int winners = 0;

    for (int i = 0; i < count; i++) {
        cleanup_free char *log = str_format("%s/rival-%d", box->bundle, i);

        unlink(log);
        pids[i] = tool_start(log, args);
    }
    for (int i = 0; i < count; i++) {
        cleanup_free char *log = str_format("%s/rival-%d", box->bundle, i);
        int code = run_wait(pids[i], 60);
        cleanup_buf struct buf said = {0};
        struct err err = {0};

        ck_assert_msg(!file_load(AT_FDCWD, log, 1 << 20, &said, &err), "%s", err.message);
        winners += code == 0;
        ck_assert_msg(code == 0 || strstr(said.data, one) || strstr(said.data, other), "%d: %s",
                      code, said.data);
    }
    return winners;
}

START_TEST(one_of_many_creates_wins)
{
    cleanup_box struct box box;
    const char *args[] = {"create", "--bundle", NULL, NULL, NULL};

    tool_box(&box, "term");
    args[2] = box.bundle;
    args[3] = box.id;
    ck_assert_int_eq(contest(&box, args, RIVALS, "container with given ID already exists", "?"), 1);
    ck_assert_str_eq(tool_status(box.id), "created");
    EXPECT(0, "", "", "delete", box.id);
    tool_gone(&box);
}
END_TEST

START_TEST(one_of_many_starts_wins)
{
    cleanup_box struct box box;

    tool_box(&box, "term");
    CREATE(&box, NULL);
    ck_assert_int_eq(contest(&box, (const char *const[]){"start", box.id, NULL}, RIVALS,
                             "cannot start an already running container", "?"),
                     1);
    free(tool_await(&box, "waiting"));
    EXPECT(0, "", "", "delete", "-f", box.id);
    tool_gone(&box);
}
END_TEST

START_TEST(one_of_many_deletes_wins)
{
    cleanup_box struct box box;

    tool_box(&box, "true");
    tool_hook(&box, "poststop", "echo x >>stops", 0);
    CREATE(&box, NULL);
    ck_assert_int_eq(contest(&box, (const char *const[]){"delete", box.id, NULL}, RIVALS,
                             "container does not exist", "?"),
                     1);
    tool_gone(&box);
    {
        cleanup_free char *path = str_format("%s/stops", box.bundle);
        cleanup_buf struct buf text = {0};
        struct err err = {0};

        ck_assert(!file_load(AT_FDCWD, path, 64, &text, &err));
        ck_assert_str_eq(text.data, "x\n");
    }
}
END_TEST

/* start and delete --force: whoever is first, in the end there is nothing. */
START_TEST(start_and_delete_meet)
{
    cleanup_box struct box box;
    cleanup_free char *log = NULL;
    pid_t starter;

    tool_box(&box, "term");
    log = str_format("%s/start", box.bundle);
    CREATE(&box, NULL);
    starter = START(log, "start", box.id);
    EXPECT(0, "", "", "delete", "--force", box.id);
    ck_assert_int_ge(run_wait(starter, 60), 0);
    tool_gone(&box);
}
END_TEST

/* A name is free again at once, and never shows anything between. */
START_TEST(create_and_delete_take_turns)
{
    cleanup_box struct box box;
    cleanup_free char *log = NULL;
    pid_t maker;

    tool_box(&box, "term");
    log = str_format("%s/maker", box.bundle);
    for (int i = 0; i < 20; i++) {
        maker = START(log, "create", "-b", box.bundle, box.id);
        EXPECT(0, "", "", "delete", "--force", box.id);
        ck_assert_int_ge(run_wait(maker, 60), 0);
    }
    EXPECT(0, "", "", "delete", "--force", box.id);
    tool_gone(&box);
}
END_TEST

#define MANY 100

START_TEST(a_hundred_at_once)
{
    static struct box boxes[MANY];
    static pid_t pids[MANY];
    cleanup_json json_t *list = NULL;
    struct err err = {0};
    const char *out;

    for (int i = 0; i < MANY; i++)
        tool_box(&boxes[i], "term");
    for (int i = 0; i < MANY; i++)
        pids[i] = START(boxes[i].log, "create", "-b", boxes[i].bundle, boxes[i].id);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(run_wait(pids[i], 120), 0);
    out = EXPECT(0, NULL, "", "list", "--format", "json");
    list = json_parse(out, strlen(out), "list", &err);
    ck_assert_uint_eq(json_array_size(list), MANY);
    for (int i = 0; i < MANY; i++) {
        ck_assert_str_eq(json_str(json_array_get(list, (size_t)i), "status", ""), "created");
        pids[i] = START("/dev/null", "start", boxes[i].id);
    }
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(run_wait(pids[i], 120), 0);
    for (int i = 0; i < MANY; i++)
        free(tool_await(&boxes[i], "waiting"));
    for (int i = 0; i < MANY; i++)
        pids[i] = START("/dev/null", "delete", "--force", boxes[i].id);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(run_wait(pids[i], 120), 0);
    for (int i = 0; i < MANY; i++) {
        tool_gone(&boxes[i]);
        tool_free(&boxes[i]);
    }
}
END_TEST

/* A hook that never ends holds the lock of its container, and no other. It can be ended from
 * outside. */
START_TEST(a_held_lock_is_reported_in_time)
{
    cleanup_box struct box box, other;
    cleanup_free char *log = NULL;
    pid_t maker;

    tool_box(&box, "true");
    tool_box(&other, "true");
    tool_hook(&box, "createRuntime", "echo $$ >hook; exec sleep 1000", 0);
    log = str_format("%s/maker", box.bundle);
    maker = START(log, "create", "-b", box.bundle, box.id);
    {
        cleanup_free char *path = str_format("%s/hook", box.bundle), *text = NULL;

        text = run_wait_for_text(path, "\n", 60);
        ck_assert_ptr_ne(text, NULL);
        ck_assert_str_eq(tool_status(box.id), "creating");
        EXPECT(1, "", "container with given ID already exists", "create", "-b", box.bundle, box.id);
        EXPECT(0, "", "", "run", "-b", other.bundle, other.id);
        EXPECT(1, "", "another command has been at work on container", "delete", "--force", box.id);
        ck_assert(!kill(atoi(text), SIGKILL));
    }
    ck_assert_int_eq(run_wait(maker, 60), 1);
    tool_gone(&box);
}
END_TEST

SUITE(races)
{
    TCase *t = tcase_create("races");

    tcase_set_timeout(t, 240);
    tcase_add_unchecked_fixture(t, tool_setup, tool_teardown);
    tcase_add_loop_test(t, one_of_many_creates_wins, 0, 3);
    tcase_add_loop_test(t, one_of_many_starts_wins, 0, 3);
    tcase_add_loop_test(t, one_of_many_deletes_wins, 0, 3);
    tcase_add_loop_test(t, start_and_delete_meet, 0, 5);
    tcase_add_test(t, create_and_delete_take_turns);
    tcase_add_test(t, a_hundred_at_once);
    tcase_add_test(t, a_held_lock_is_reported_in_time);
    suite_add_tcase(suite, t);
}
