/* Cache and bandwidth classes, on a directory in the place of resctrl: what is written where. */
#include "support/suite.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "runtime/rdt.h"
#include "support/run.h"

static char *root;

static void begin(void)
{
    root = temp_dir();
}

static void end(void)
{
    temp_dir_remove(root);
}

static json_t *config_of(const char *rdt)
{
    cleanup_free char *text = str_format("{\"linux\":{\"intelRdt\":%s}}", rdt);
    json_t *config = json_loads(text, 0, NULL);

    ck_assert_ptr_nonnull(config);
    return config;
}

static void make_dir(const char *name)
{
    cleanup_free char *path = str_format("%s/%s", root, name);

    ck_assert(!mkdir(path, 0755));
}

static bool is_there(const char *name)
{
    cleanup_free char *path = str_format("%s/%s", root, name);

    return !access(path, F_OK);
}

static void holds(const char *name, const char *expected)
{
    cleanup_free char *path = str_format("%s/%s", root, name);
    cleanup_buf struct buf text = {0};
    struct err err = {0};

    ck_assert_msg(!file_load(AT_FDCWD, path, 4096, &text, &err), "%s", err.message);
    ck_assert_str_eq(text.data, expected);
    unlink(path); /* resctrl's files do not keep a directory from being removed */
}

START_TEST(a_class_of_its_own)
{
    cleanup_json json_t *config =
        config_of("{\"l3CacheSchema\":\"L3:0=f;1=f0\",\"memBwSchema\":\"MB:0=20\",\"schemata\":["
                  "\"L2:0=3\",\"MB:1=70\"]}");
    struct err err = {0};

    ck_assert_msg(!rdt_check(root, config, "box", &err), "%s", err.message);
    ck_assert_msg(!rdt_create(root, config, "box", 4321, &err), "%s", err.message);
    holds("box/schemata", "L3:0=f;1=f0\nMB:0=20\nL2:0=3\nMB:1=70\n");
    holds("box/tasks", "4321");
    ck_assert_msg(!rdt_join(root, config, "box", 77, &err), "%s", err.message);
    holds("box/tasks", "77");
    ck_assert(!rdt_destroy(root, config, "box", &err));
    ck_assert(!is_there("box"));
    ck_assert(!rdt_destroy(root, config, "box", &err)); /* once more is no error */
}
END_TEST

/* It is somebody's, who keeps it. */
START_TEST(a_class_by_name)
{
    cleanup_json json_t *config = config_of("{\"closID\":\"gold\",\"enableMonitoring\":true}");
    struct err err = {0};

    ck_assert_int_eq(rdt_check(root, config, "box", &err), -ENOENT);
    ck_assert_ptr_ne(strstr(err.message, "must be pre-created"), NULL);
    make_dir("gold");
    ck_assert_msg(!rdt_check(root, config, "box", &err), "%s", err.message);
    ck_assert_msg(!rdt_create(root, config, "box", 5, &err), "%s", err.message);
    ck_assert(!is_there("gold/schemata"));
    holds("gold/tasks", "5");
    holds("gold/mon_groups/box/tasks", "5");
    ck_assert(!rdt_destroy(root, config, "box", &err));
    ck_assert(is_there("gold"));
    ck_assert(!is_there("gold/mon_groups/box"));
}
END_TEST

START_TEST(everybodys_class)
{
    cleanup_json json_t *config = config_of("{\"closID\":\"/\",\"enableMonitoring\":true}");
    struct err err = {0};

    ck_assert_msg(!rdt_create(root, config, "box", 5, &err), "%s", err.message);
    holds("tasks", "5");
    holds("mon_groups/box/tasks", "5");
    ck_assert(!rdt_destroy(root, config, "box", &err));
    ck_assert(is_there("mon_groups"));
}
END_TEST

static const struct {
    const char *rdt, *message;
} bad[] = {
    {"{\"closID\":\"..\",\"schemata\":[\"L3:0=f\"]}", "'..' is no name for a class"},
    {"{\"closID\":\"info\"}", "'info' is no name for a class"},
    {"{\"closID\":\"a/b\"}", "'a/b' is not the name of one directory"},
    {"{\"schemata\":[\"L3:0=f\\nMB:0=1\"]}", "entry 0 is not one line"},
    {"{\"schemata\":[7]}", "entry 0 is not one line"},
};

START_TEST(what_is_no_class_is_an_error)
{
    cleanup_json json_t *config = config_of(bad[_i].rdt);
    struct err err = {0};

    ck_assert_int_lt(rdt_check(root, config, "box", &err), 0);
    ck_assert_msg(strstr(err.message, bad[_i].message) != NULL, "%s", err.message);
}
END_TEST

/* The refusal comes with resctrl's own explanation. */
START_TEST(a_refusal_is_explained)
{
    cleanup_json json_t *config = config_of("{\"schemata\":[\"L3:9=f\"]}");
    cleanup_free char *status = str_format("%s/info/last_cmd_status", root);
    struct err err = {0};

    make_dir("info");
    make_dir("box");
    make_dir("box/schemata"); /* cannot be written to */
    ck_assert(!file_store(AT_FDCWD, status, "Invalid domain 9\n", 17, 0644, false, &err));
    ck_assert_int_lt(rdt_create(root, config, "box", 5, &err), 0);
    ck_assert_ptr_ne(strstr(err.message, "linux.intelRdt: Invalid domain 9: cannot write 'L3:9=f"),
                     NULL);
}
END_TEST

/* Where nothing is asked for nothing is looked at. */
START_TEST(without_it_nothing_happens)
{
    cleanup_json json_t *config = json_object();
    struct err err = {0};

    ck_assert(!rdt_check("/nowhere", config, "box", &err) &&
              !rdt_create("/nowhere", config, "box", 5, &err) &&
              !rdt_join("/nowhere", config, "box", 5, &err) &&
              !rdt_destroy("/nowhere", config, "box", &err));
}
END_TEST

SUITE(rdt)
{
    TCase *t = tcase_create("rdt");

    tcase_add_checked_fixture(t, begin, end);
    tcase_add_test(t, a_class_of_its_own);
    tcase_add_test(t, a_class_by_name);
    tcase_add_test(t, everybodys_class);
    tcase_add_loop_test(t, what_is_no_class_is_an_error, 0, sizeof bad / sizeof *bad);
    tcase_add_test(t, a_refusal_is_explained);
    tcase_add_test(t, without_it_nothing_happens);
    suite_add_tcase(suite, t);
}
