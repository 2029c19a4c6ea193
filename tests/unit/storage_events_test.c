/* Events: appended by many at once, bounded, read across rotation, past torn lines. And a database
 * of an older version. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "storage/db.h"
#include "storage/storage.h"
#include "support/suite.h"

static char root[4096];
static struct store *store;
static struct err err;

static void setup(void)
{
    snprintf(root, sizeof root, "%s/events-XXXXXX", getenv("TMPDIR"));
    ck_assert_ptr_nonnull(mkdtemp(root));
    ck_assert_msg(!store_open(root, &store, &err), "%s", err.message);
}

static void teardown(void)
{
    store_close(store);
    file_remove_tree(AT_FDCWD, root, &err);
}

static void add(const char *id)
{
    struct event event = {"container", "start", id, NULL};

    ck_assert_msg(!store_event_add(store->root_fd, &event, &err), "%s", err.message);
}

/* What was read: how many, the last id, and whether numbers followed each other. */
struct seen {
    int count, last, gaps, stop_at, pace;
};
enum { PACE = 300 }; /* events after which `pace`, a pipe, gets a byte */

static int see(void *context, const json_t *event)
{
    struct seen *seen = context;
    int number = atoi(json_str(event, "Actor.ID", ""));

    seen->count++;
    seen->gaps += seen->last && number != seen->last + 1;
    seen->last = number;
    if (seen->pace && number % PACE == 0)
        ck_assert_int_eq(write(seen->pace, "", 1), 1);
    return seen->stop_at && number == seen->stop_at ? -ECANCELED : 0;
}

static struct seen look(struct event_query query, int stop_at)
{
    struct seen seen = {.stop_at = stop_at};
    int r = store_events_read(store, &query, see, &seen, &err);

    ck_assert_msg(r == 0 || r == -ECANCELED, "%s", err.message);
    return seen;
}

START_TEST(what_was_added_is_read_with_docker_s_members)
{
    cleanup_json json_t *attributes = json_pack("{s:s}", "name", "web");
    struct event event = {"container", "die", "abc", attributes};
    cleanup_buf struct buf text = {0};

    ck_assert_int_eq(store_event_add(store->root_fd, &event, &err), 0);
    ck_assert_int_eq(file_load(store->root_fd, "events/log", 4096, &text, &err), 0);
    ck_assert_ptr_nonnull(strstr(text.data, "{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{"
                                            "\"ID\":\"abc\",\"Attributes\":{\"name\":\"web\"}},"
                                            "\"scope\":\"local\",\"time\":"));
}
END_TEST

START_TEST(bounds_in_time)
{
    int64_t before, between;

    before = clock_now();
    add("1");
    between = clock_now();
    add("2");
    ck_assert_int_eq(look((struct event_query){0}, 0).count, 2);
    ck_assert_int_eq(look((struct event_query){.until_ns = between}, 0).last, 1);
    ck_assert_int_eq(look((struct event_query){.since_ns = between}, 0).count, 1);
    ck_assert_int_eq(look((struct event_query){.until_ns = before}, 0).count, 0);
}
END_TEST

START_TEST(a_torn_line_spoils_only_itself)
{
    cleanup_close int fd = -1;

    add("1");
    fd = openat(store->root_fd, "events/log", O_WRONLY | O_APPEND);
    ck_assert_int_eq(write(fd, "\n{\"Type\":\"cont", 14), 14);
    add("2");
    ck_assert_int_eq(look((struct event_query){0}, 0).count, 2);
}
END_TEST

/* Pads events so that a few thousand of them fill the file several times. */
static void add_many(int from, int to)
{
    cleanup_json json_t *attributes = json_object();
    char padding[1001], id[16];

    memset(padding, 'x', 1000);
    padding[1000] = 0;
    json_put_str(attributes, "padding", padding);
    for (int i = from; i <= to; i++) {
        struct event event = {"container", "start", id, attributes};

        snprintf(id, sizeof id, "%d", i);
        ck_assert_int_eq(store_event_add(store->root_fd, &event, &err), 0);
    }
}

START_TEST(the_log_is_bounded_and_keeps_the_newest)
{
    struct stat now, old;
    struct seen seen;

    add_many(1, 5000);
    ck_assert_int_eq(fstatat(store->root_fd, "events/log", &now, 0), 0);
    ck_assert_int_eq(fstatat(store->root_fd, "events/log.1", &old, 0), 0);
    ck_assert_int_lt(now.st_size, (1 << 20) + 4096);
    ck_assert_int_lt(old.st_size, (1 << 20) + 4096);
    seen = look((struct event_query){0}, 0);
    ck_assert_int_eq(seen.last, 5000);
    ck_assert_int_eq(seen.gaps, 0);
    ck_assert_int_gt(seen.count, 800);
}
END_TEST

/* Never further ahead of the reader than the bounded log remembers. */
static void add_paced(int to, int pace)
{
    char byte;

    for (int i = 2; i <= to; i++) {
        add_many(i, i);
        if (i % PACE == 0 && i > PACE && read(pace, &byte, 1) != 1)
            _exit(1);
    }
    _exit(0);
}

/* A reader that follows misses nothing while the file is replaced under it several times. */
START_TEST(following_goes_across_rotation)
{
    struct event_query query = {.follow = true};
    struct seen seen = {.stop_at = 4200};
    int pipes[2], status;
    pid_t writer;

    add("1");
    ck_assert_int_eq(pipe(pipes), 0);
    writer = fork();
    if (!writer)
        add_paced(seen.stop_at, pipes[0]);
    seen.pace = pipes[1];
    ck_assert_int_eq(store_events_read(store, &query, see, &seen, &err), -ECANCELED);
    ck_assert_int_eq(waitpid(writer, &status, 0), writer);
    ck_assert_int_eq(status, 0);
    ck_assert_msg(seen.gaps == 0 && seen.count == seen.stop_at, "%d gaps, %d events", seen.gaps,
                  seen.count);
    close(pipes[0]);
    close(pipes[1]);
}
END_TEST

START_TEST(following_ends_when_asked)
{
    struct event_query query = {.follow = true, .until_ns = clock_now() + 20000000};

    add("1");
    ck_assert_int_eq(look(query, 0).count, 1);
    ck_assert_int_ge(clock_now(), query.until_ns);
}
END_TEST

START_TEST(many_writers_lose_nothing)
{
    enum { WRITERS = 4, EACH = 150 };
    int status;

    for (int i = 0; i < WRITERS; i++)
        if (!fork()) {
            add_many(1, EACH);
            _exit(0);
        }
    for (int i = 0; i < WRITERS; i++) {
        ck_assert_int_gt(wait(&status), 0);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_int_eq(look((struct event_query){0}, 0).count, WRITERS * EACH);
}
END_TEST

/* --- older databases
 * ------------------------------------------------------------------------------ */

static void run_sql(sqlite3 *db, const char *sql)
{
    char *message = NULL;

    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK, "%s: %s", sql, message);
}

/* Makes the database one of version 1, with an image and a container in it. */
static void make_version_1(void)
{
    cleanup_free char *path = str_format("%s/cooper.db", root);
    cleanup_free char *wal = str_format("%s-wal", path);
    sqlite3 *db = NULL;

    store_close(store);
    store = NULL;
    unlink(path);
    unlink(wal);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    run_sql(db, db_schema[0]);
    run_sql(db,
            "INSERT INTO images VALUES('sha256:a', '', 1, 2);"
            "INSERT INTO containers VALUES('c1', 'web', 'sha256:a', 'box', 'exited', '{}', 0, 1,"
            " 2, 3, 7, 0, '', 1, 2, 3, 4, 'boot'); PRAGMA user_version=1");
    sqlite3_close(db);
}

START_TEST(an_older_database_is_brought_up_to_date)
{
    struct container c;

    make_version_1();
    for (int i = 0; i < 2; i++) { /* the second time there is nothing to do */
        ck_assert_msg(!store_open(root, &store, &err), "%s", err.message);
        ck_assert_msg(!store_container_find(store, "web", &c, &err), "%s", err.message);
        ck_assert_int_eq(c.exit_code, 7);
        container_free(&c);
        store_close(store);
        store = NULL;
    }
    ck_assert_int_eq(store_open(root, &store, &err), 0);
}
END_TEST

SUITE(storage_events)
{
    TCase *t = tcase_create("storage_events");

    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, what_was_added_is_read_with_docker_s_members);
    tcase_add_test(t, bounds_in_time);
    tcase_add_test(t, a_torn_line_spoils_only_itself);
    tcase_add_test(t, the_log_is_bounded_and_keeps_the_newest);
    tcase_add_test(t, following_goes_across_rotation);
    tcase_add_test(t, following_ends_when_asked);
    tcase_add_test(t, many_writers_lose_nothing);
    tcase_add_test(t, an_older_database_is_brought_up_to_date);
    suite_add_tcase(suite, t);
}
