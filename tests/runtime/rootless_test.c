/* An ordinary user and cooper-runtime: from `spec --rootless` to delete, with nothing of root's. */
#include "runtime/tool.h"

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "system/container.h"

enum { USER = 54321 };

static char *program, *runtime_dir;

/* A copy that anybody may run: this tree may be in a directory of root's. */
static void copy_program(void)
{
    cleanup_buf struct buf text = {0};
    struct err err = {0};

    program = str_format("%s/cooper-runtime", container_dir());
    ck_assert_msg(!file_load(AT_FDCWD, RUNTIME, 64 << 20, &text, &err) &&
                      !file_store(AT_FDCWD, program, text.data, text.len, 0755, false, &err),
                  "%s", err.message);
}

/* In the bundle, which is ours. */
static char *begin(void)
{
    char *bundle = container_bundle();
    cleanup_free char *owner = str_format("%d:%d", USER, USER);
    struct run_result r = {0};

    copy_program();
    runtime_dir = str_format("XDG_RUNTIME_DIR=%s/run", bundle);
    ck_assert(!chdir(bundle) && !mkdir("run", 0700));
    RUN_OK(&r, NULL, "chown", "-R", owner, bundle);
    run_free(&r);
    ck_assert(!setgroups(0, NULL) && !setresgid(USER, USER, USER) && !setresuid(USER, USER, USER));
    ck_assert(!prctl(PR_SET_DUMPABLE, 1));
    return bundle;
}

static const char *expect(int code, const char *err, const char *const args[])
{
    static struct run_result r;
    const char *environment[] = {runtime_dir, NULL};
    const struct run_options options = {.environment = environment};
    cleanup_strv struct strv argv = {0};

    strv_add(&argv, program);
    for (size_t i = 0; args[i]; i++)
        strv_add(&argv, args[i]);
    run_argv(&r, &options, (const char *const *)argv.items);
    ck_assert_msg(r.code == code && (*err ? strstr(r.err.data, err) != NULL : !r.err.len),
                  "'%s' gave %d, expected %d\n%s%s", args[0], r.code, code, r.out.data, r.err.data);
    return r.out.data;
}
#define AS_USER(code, err, ...) expect(code, err, (const char *const[]){__VA_ARGS__, NULL})

/* The document that `spec --rootless` writes, running probe. */
static json_t *make_config(const char *command)
{
    cleanup_free char *line = str_format("/bin/probe %s", command);
    cleanup_strv struct strv words = {0};
    struct err err = {0};
    json_t *config;

    if (access("config.json", F_OK) < 0)
        AS_USER(0, "", "spec", "--rootless");
    config = json_load(AT_FDCWD, "config.json", 1 << 20, &err);
    ck_assert_msg(config != NULL, "%s", err.message);
    strv_split(&words, line, ' ');
    container_set(config, "process.args", json_from_strings(&words));
    container_set(config, "process.terminal", json_false());
    ck_assert(!json_store(AT_FDCWD, "config.json", config, 0644, false, &err));
    return config;
}

START_TEST(a_users_life_with_containers)
{
    cleanup_free char *bundle = begin();
    cleanup_json json_t *config = make_config("ids + self + open /dev/null + exit 6");
    const char *said = AS_USER(6, "", "run", "first");

    ck_assert_ptr_ne(strstr(said, "ids: 0 0 ["), NULL);
    ck_assert_ptr_ne(strstr(said, "pid=1 "), NULL);
    ck_assert_ptr_ne(strstr(said, "open /dev/null: ok"), NULL);
    json_decref(config);
    config = make_config("term");
    AS_USER(0, "", "create", "second");
    ck_assert_ptr_ne(strstr(AS_USER(0, "", "state", "second"), "\"created\""), NULL);
    AS_USER(0, "", "start", "second");
    ck_assert_ptr_ne(strstr(AS_USER(0, "", "list"), "running"), NULL);
    said = AS_USER(0, "", "exec", "second", "/bin/probe", "ids", "+", "list", "/proc/1/task");
    ck_assert_ptr_ne(strstr(said, "ids: 0 0 ["), NULL);
    ck_assert_ptr_ne(strstr(said, "task: [1 ]"), NULL);
    said = AS_USER(0, "", "ps", "--format", "json", "second");
    ck_assert_msg(*said == '[' && said[1] != ']', "%s", said); /* also without a control group */
    AS_USER(0, "", "delete", "--force", "second");
    ck_assert_ptr_eq(strstr(AS_USER(0, "", "list"), "second"), NULL);
}
END_TEST

/* Not root's directory, and root's containers are not to be seen or touched. */
START_TEST(a_user_has_a_place_of_his_own)
{
    cleanup_free char *bundle = begin();
    cleanup_json json_t *config = make_config("true");

    AS_USER(0, "", "run", "here");
    ck_assert_int_eq(access("run/cooper-runtime", F_OK), 0);
    AS_USER(1, "does not exist", "state", "nobodys");
    AS_USER(1, "is below XDG_RUNTIME_DIR, or where --root says", "--root", "/proc/self/x", "run",
            "there");
    AS_USER(1, "cannot list the containers of '/proc/1/task/1/fdinfo'", "--root",
            "/proc/1/task/1/fdinfo", "list");
}
END_TEST

START_TEST(what_he_may_not_he_is_told)
{
    cleanup_free char *bundle = begin();
    cleanup_json json_t *config = make_config("true");
    struct err err = {0};

    json_object_del(json_object_get(config, "linux"), "uidMappings");
    json_object_del(json_object_get(config, "linux"), "gidMappings");
    container_remove_namespace(config, "user");
    ck_assert(!json_store(AT_FDCWD, "config.json", config, 0644, false, &err));
    AS_USER(1, "rootless container requires user namespaces", "run", "first");
    ck_assert_ptr_eq(strstr(AS_USER(0, "", "list"), "first"), NULL);
}
END_TEST

SUITE(rootless)
{
    TCase *t = tcase_create("rootless");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, a_users_life_with_containers);
    tcase_add_test(t, a_user_has_a_place_of_his_own);
    tcase_add_test(t, what_he_may_not_he_is_told);
    suite_add_tcase(suite, t);
}
