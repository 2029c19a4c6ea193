/* The build context: from a directory, a pipe, an address, a repository; its Dockerfile and its
 * .dockerignore. */
#include "support/suite.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "build/context.h"
#include "build/copy.h"
#include "build/git.h"
#include "build_files.h"
#include "layer_tar.h"
#include "support/fake_registry.h"

static char home[4096];
static struct store *store;
static struct err err;
static int here; /* the directory of the test: the current one */

static void setup(void)
{
    snprintf(home, sizeof home, "%s/context-XXXXXX", getenv("TMPDIR"));
    ck_assert_ptr_nonnull(mkdtemp(home));
    umask(022);
    ck_assert_int_eq(chdir(home), 0);
    here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_msg(!store_open("root", &store, &err), "%s", err.message);
}

static void teardown(void)
{
    struct err ignored;

    store_close(store);
    ck_assert_int_eq(chdir("/"), 0);
    file_remove_tree(AT_FDCWD, home, &ignored);
}

/* A pipe that gives these bytes. */
static int input_of(const void *data, size_t len)
{
    int fd = file_memfd("input", data, len, &err);

    ck_assert_int_ge(fd, 0);
    return fd;
}

/* What COPY . finds in a context. */
static char *tell_context(const struct context *c)
{
    cleanup_close int to = -1;
    char *told;

    ck_assert_int_eq(mkdir("told", 0755), 0);
    to = open("told", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_msg(!tree_copy(&c->tree, ".", to, &err), "%s", err.message);
    told = files_tell(to);
    ck_assert_int_eq(file_remove_tree(AT_FDCWD, "told", &err), 0);
    return told;
}

struct scene {
    const char *files; /* beneath the current directory */
    const char *source, *dockerfile, *input;
    const char *name, *text, *context; /* expected; text "": what `input` is */
    const char *error;                 /* or this */
};

static const struct scene scenes[] = {
    {.files = "d c 755; f c/Dockerfile 644 FROM; f c/a 644 A",
     .source = "c",
     .name = "Dockerfile",
     .text = "FROM",
     .context = "f Dockerfile 644 FROM; f a 644 A"},
    {.files = "d c 755; f c/dockerfile 644 FROM",
     .source = "c/",
     .name = "dockerfile",
     .text = "FROM",
     .context = "f dockerfile 644 FROM"},
    {.files = "d c 755; f c/x 644 FROM; f c/Dockerfile 644 no; f c/Dockerfile.dockerignore 644 *",
     .source = "c",
     .dockerfile = "c/x",
     .name = "c/x",
     .text = "FROM",
     .context = "f Dockerfile 644 no; f Dockerfile.dockerignore 644 *; f x 644 FROM"},
    {.files = "d c 755; f c/a 644 A; d e 755; f e/x 644 FROM; f e/x.dockerignore 644 b; f c/b 644; "
              "f c/.dockerignore 644 a",
     .source = "c",
     .dockerfile = "e/x", /* outside of the context, with its own .dockerignore */
     .name = "e/x",
     .text = "FROM",
     .context = "f .dockerignore 644 a; f a 644 A"},
    {.files = "d c 755; f c/a 644 A; f c/b 644 B; f c/.dockerignore 644 a\n.dockerignore",
     .source = "c",
     .dockerfile = "-",
     .input = "FROM scratch",
     .name = "Dockerfile",
     .text = "FROM scratch",
     .context = "f b 644 B"},
    {.files = "d c 755; f c/Dockerfile 644 FROM; f c/.dockerignore 644 Dockerfile\n.dockerignore",
     .source = "c", /* not in the context, and yet the build's */
     .name = "Dockerfile",
     .text = "FROM",
     .context = ""},
    {.files = "",
     .source = "-",
     .input = "FROM scratch\n",
     .name = "Dockerfile",
     .text = "FROM scratch\n",
     .context = ""},
    {.files = "", .source = "-", .input = "", .name = "Dockerfile", .text = "", .context = ""},
    {.files = "", .source = "none", .error = "unable to prepare context: path \"none\" not found"},
    {.files = "f c 644",
     .source = "c",
     .error = "unable to prepare context: context must be a directory: c"},
    {.files = "d c 755",
     .source = "c",
     .error = "unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat "},
    {.files = "d c 755",
     .source = "c",
     .dockerfile = "x/y",
     .error = "Dockerfile path: lstat x/y: no such file or directory"},
    {.files = "d c 755; d c/Dockerfile 755",
     .source = "c",
     .error = "the Dockerfile 'Dockerfile' is not a regular file"},
    {.files = "d c 755; p c/Dockerfile 644", .source = "c", .error = "is not a regular file"},
    {.files = "d c 755; f c/Dockerfile 644 F; d c/.dockerignore 755",
     .source = "c",
     .error = "cannot read '.dockerignore': not a regular file"},
    {.files = "d c 755; f c/Dockerfile 644 F; f c/.dockerignore 644 a\n[",
     .source = "c",
     .error = ".dockerignore line 2: syntax error in pattern '['"},
    {.files = "",
     .source = "-",
     .dockerfile = "-",
     .input = "",
     .error = "can't use stdin for both build context and dockerfile"},
    {.files = "",
     .source = "-",
     .dockerfile = "x",
     .input = "FROM scratch",
     .error = "ambiguous Dockerfile source"},
    {.files = "", .source = "", .error = "path \"\" not found"},
};

static bool nothing_staged(void)
{
    cleanup_close int fd = openat(store->root_fd, "staging", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_closedir DIR *list = fdopendir(dup(fd));

    return !file_next_entry(list);
}

static void must_be(const struct context_request *request, const char *name, const char *text,
                    const char *files)
{
    struct context c;
    cleanup_free char *told = NULL;

    ck_assert_msg(!context_open(store, request, &c, &err), "%s", err.message);
    told = tell_context(&c);
    ck_assert_str_eq(c.name, name);
    ck_assert_str_eq(c.dockerfile.data ? c.dockerfile.data : "", text);
    ck_assert_str_eq(told, files);
    context_close(&c);
    ck_assert(nothing_staged());
}

static void must_fail_with(const struct context_request *request, const char *message)
{
    struct context c;

    ck_assert_int_lt(context_open(store, request, &c, &err), 0);
    ck_assert_msg(strstr(err.message, message) != NULL, "%s", err.message);
    ck_assert(nothing_staged());
}

START_TEST(a_context_is_what_docker_takes_it_for)
{
    const struct scene *s = &scenes[_i];
    cleanup_close int input = s->input ? input_of(s->input, strlen(s->input)) : -1;
    const struct context_request request = {
        .source = s->source, .dockerfile = s->dockerfile, .input = input};

    files_make(here, s->files);
    if (s->error)
        must_fail_with(&request, s->error);
    else
        must_be(&request, s->name, s->text, s->context);
}
END_TEST

/* --- tars ------------------------------------------------------------------------------------- */

static void make_tar(struct buf *tar)
{
    tar_add(tar, &(struct tar_member){.name = "./Dockerfile", .data = "FROM in"});
    tar_add(tar, &(struct tar_member){.name = "sub/a", .data = "A", .uid = 5, .gid = 6});
    tar_add(tar, &(struct tar_member){.name = "sub/x", .data = "FROM sub"});
    tar_add(tar, &(struct tar_member){.name = "passwd", .type = '2', .link = "/etc/passwd"});
    tar_add(tar, &(struct tar_member){.name = ".dockerignore", .data = ".dockerignore\nb"});
    tar_add(tar, &(struct tar_member){.name = "b", .data = "B"});
    tar_end(tar);
}

#define IN_TAR                                                                                     \
    "f Dockerfile 644 FROM in; l passwd /etc/passwd; d sub 755; f sub/a 644 A; f sub/x 644 FROM "  \
    "sub"

START_TEST(a_tar_on_stdin_is_a_context)
{
    cleanup_buf struct buf tar = {0};
    cleanup_close int input = -1, again = -1, third = -1;

    make_tar(&tar);
    input = input_of(tar.data, tar.len);
    again = input_of(tar.data, tar.len);
    third = input_of(tar.data, tar.len);
    must_be(&(struct context_request){.source = "-", .input = input}, "Dockerfile", "FROM in",
            IN_TAR);
    must_be(&(struct context_request){.source = "-", .input = again, .dockerfile = "sub/x"},
            "sub/x", "FROM sub", IN_TAR);
    must_fail_with(&(struct context_request){.source = "-", .input = third, .dockerfile = "passwd"},
                   "lstat passwd: no such file"); /* not this machine's */
}
END_TEST

START_TEST(a_tar_that_breaks_off_is_no_context)
{
    cleanup_buf struct buf tar = {0};
    cleanup_close int input = -1;

    make_tar(&tar);
    input = input_of(tar.data, 1300);
    must_fail_with(&(struct context_request){.source = "-", .input = input},
                   "unable to prepare context: ");
}
END_TEST

START_TEST(an_address_gives_a_tar_or_a_dockerfile)
{
    struct fake_registry *f = fake_start();
    cleanup_free char *tar_url = str_format("http://%s/c.tar", fake_address(f));
    cleanup_free char *text_url = str_format("http://%s/Dockerfile", fake_address(f));
    cleanup_free char *none = str_format("http://%s/none", fake_address(f));
    cleanup_buf struct buf tar = {0};

    make_tar(&tar);
    fake_serve(f, "/c.tar", NULL, tar.data, tar.len);
    fake_serve(f, "/Dockerfile", NULL, "FROM there", 10);
    must_be(&(struct context_request){.source = tar_url}, "Dockerfile", "FROM in", IN_TAR);
    must_be(&(struct context_request){.source = text_url}, "Dockerfile", "FROM there", "");
    must_fail_with(&(struct context_request){.source = none}, "unable to prepare context: ");
    fake_stop(f);
}
END_TEST

START_TEST(nobody_waits_for_a_cancelled_build)
{
    const volatile bool cancelled = true;
    cleanup_close int input = input_of("FROM", 4);

    must_fail_with(
        &(struct context_request){.source = "-", .input = input, .cancelled = &cancelled},
        "cancelled");
}
END_TEST

/* --- git -------------------------------------------------------------------------------------- */

static const char *needs_git(void)
{
    return system("git --version >/dev/null 2>&1 && test -x \"$(git --exec-path)/git-daemon\"")
               ? "git is not installed"
               : NULL;
}
TAG("needs-git", needs_git)

static const struct {
    const char *text;
    bool is;
} urls[] = {
    {"git://x/y", true},
    {"git@x:y", true},
    {"ssh://git@x/y", true},
    {"https://x/y.git", true},
    {"https://x/y.git#main:sub", true},
    {"http://x/y.git?a=b", true},
    {"github.com/x/y", true},
    {"https://x/y", false},
    {"https://x/y.git/archive.tar", false},
    {"https://x/y#.git", false},
    {"git", false},
    {"./github.com/x/y", false},
    {"x.git", false},
};

START_TEST(some_addresses_are_repositories)
{
    ck_assert_msg(git_is_url(urls[_i].text) == urls[_i].is, "%s", urls[_i].text);
}
END_TEST

static int listener;

/* Connections, one after the other, each for a git of its own. */
static void *serve_git(void *context)
{
    int fd;

    (void)context;
    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        cleanup_free char *base = str_format("--base-path=%s", home);
        pid_t pid = fork();

        if (!pid) {
            dup2(fd, 0);
            dup2(fd, 1);
            execlp("git", "git", "daemon", "--inetd", "--export-all", base, home, (char *)NULL);
            _exit(1);
        }
        close(fd);
        waitpid(pid, NULL, 0);
    }
    return NULL;
}

static void git(const char *words)
{
    cleanup_free char *line =
        str_format("cd repo && git -c user.name=n -c user.email=e -c init.defaultBranch=main %s "
                   ">/dev/null 2>&1",
                   words);

    ck_assert_msg(!system(line), "%s", line);
}

static char *start_repository(pthread_t *thread)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;

    files_make(here, "d repo 755; f repo/Dockerfile 644 FROM; d repo/sub 755; f repo/sub/a 755 A; "
                     "f repo/sub/Dockerfile 644 FROM-sub");
    git("init -q .");
    git("add -A");
    git("commit -q -m one");
    git("checkout -q -b other");
    files_make(here, "f repo/sub/a 755 B");
    git("commit -q -a -m two");
    git("checkout -q main");
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(listen(listener, 16), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    ck_assert_int_eq(pthread_create(thread, NULL, serve_git, NULL), 0);
    return str_format("git://127.0.0.1:%d/repo", ntohs(address.sin_port));
}

static void stop_repository(pthread_t thread)
{
    shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(listener);
}

START_TEST(a_repository_is_a_context)
{
    pthread_t thread;
    cleanup_free char *url = start_repository(&thread);
    cleanup_free char *sub = str_format("%s#other:sub", url), *none = str_format("%s#none", url);
    cleanup_free char *no_directory = str_format("%s#:none", url);
    cleanup_free char *option = str_format("%s#--upload-pack=touch${IFS}evil", url);

    setenv("GIT_DIR", "/nonexistent", 1); /* as in a hook */
    must_be(&(struct context_request){.source = url}, "Dockerfile", "FROM",
            "f Dockerfile 644 FROM; d sub 755; f sub/Dockerfile 644 FROM-sub; f sub/a 755 A");
    must_be(&(struct context_request){.source = sub}, "Dockerfile", "FROM-sub",
            "f Dockerfile 644 FROM-sub; f a 755 B");
    must_fail_with(&(struct context_request){.source = none}, "git fetch of ");
    must_fail_with(&(struct context_request){.source = no_directory}, "no directory 'none' in ");
    must_fail_with(&(struct context_request){.source = option}, "invalid refspec");
    unsetenv("GIT_DIR");
    stop_repository(thread);
}
END_TEST

START_TEST(a_password_in_an_address_is_not_shown)
{
    must_fail_with(&(struct context_request){.source = "http://me:hush@127.0.0.1:1/x.git"},
                   "git fetch of 'http://me:xxxxx@127.0.0.1:1/x.git' failed: ");
    ck_assert_ptr_null(strstr(err.message, "hush"));
}
END_TEST

static char *add_repository(const char *url, bool keep, const char *checksum)
{
    const struct tree nowhere = {.root = here};
    cleanup_strv struct strv sources = {0};
    const struct copy_request request = {.add = true,
                                         .store = store,
                                         .from = &nowhere,
                                         .sources = &sources,
                                         .destination = "/r",
                                         .keep_git_dir = keep,
                                         .checksum = checksum,
                                         .unpack = -1};
    cleanup_close int to = -1;
    struct copy_plan *plan;
    char *told;

    strv_add(&sources, url);
    if (copy_plan(&request, &plan, &err) < 0)
        return NULL;
    ck_assert_int_eq(mkdir("to", 0755), 0);
    to = open("to", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_msg(!copy_apply(plan, &(struct copy_target){to, -1}, &err), "%s", err.message);
    copy_plan_free(plan);
    told = files_tell(to);
    ck_assert_int_eq(file_remove_tree(AT_FDCWD, "to", &err), 0);
    return told;
}

/* What the cache would be asked. */
static void repository_digest(const char *url, const char *exclude, char ret[DIGEST_LEN + 1])
{
    const struct tree nowhere = {.root = here};
    cleanup_strv struct strv sources = {0}, excludes = {0};
    const struct copy_request request = {.add = true,
                                         .store = store,
                                         .from = &nowhere,
                                         .sources = &sources,
                                         .excludes = &excludes,
                                         .destination = "/r",
                                         .keep_git_dir = true,
                                         .unpack = -1};
    struct copy_plan *plan;

    strv_add(&sources, url);
    strv_add(&excludes, exclude);
    ck_assert_msg(copy_plan(&request, &plan, &err) >= 0, "%s", err.message);
    copy_plan_digest(plan, ret);
    copy_plan_free(plan);
}

/* In its .git are times, so its files are never the same again. */
START_TEST(a_repository_is_known_by_its_commit)
{
    pthread_t thread;
    cleanup_free char *url = start_repository(&thread);
    cleanup_free char *sub = str_format("%s#main:sub", url);
    char once[DIGEST_LEN + 1], again[DIGEST_LEN + 1];

    repository_digest(url, "none", once);
    repository_digest(url, "none", again);
    ck_assert_str_eq(once, again);
    repository_digest(url, "a", again);
    ck_assert_str_ne(once, again);
    repository_digest(sub, "none", again);
    ck_assert_str_ne(once, again);
    stop_repository(thread);
}
END_TEST

START_TEST(a_repository_can_be_added)
{
    pthread_t thread;
    cleanup_free char *url = start_repository(&thread);
    cleanup_free char *sub = str_format("%s#main:sub", url);
    cleanup_free char *part = add_repository(sub, false, NULL), *whole = NULL, *no = NULL;

    ck_assert_str_eq(part, "d r 755; f r/Dockerfile 644 FROM-sub; f r/a 755 A");
    whole = add_repository(url, true, NULL);
    ck_assert_ptr_nonnull(strstr(whole, "d r/.git 755"));
    no = add_repository(url, false, "0123456789abcdef0123456789abcdef01234567");
    ck_assert_ptr_null(no);
    ck_assert_ptr_nonnull(strstr(err.message, "expected checksum to match 0123456789"));
    ck_assert(nothing_staged());
    stop_repository(thread);
}
END_TEST

SUITE(build_context)
{
    TCase *t = tcase_create("context"), *g = tcase_create("git");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, a_context_is_what_docker_takes_it_for, 0,
                        sizeof scenes / sizeof *scenes);
    tcase_add_test(t, a_tar_on_stdin_is_a_context);
    tcase_add_test(t, a_tar_that_breaks_off_is_no_context);
    tcase_add_test(t, an_address_gives_a_tar_or_a_dockerfile);
    tcase_add_test(t, nobody_waits_for_a_cancelled_build);
    suite_add_tcase(suite, t);

    tcase_set_tags(g, "needs-root needs-git");
    tcase_set_timeout(g, 60);
    tcase_add_checked_fixture(g, setup, teardown);
    tcase_add_loop_test(g, some_addresses_are_repositories, 0, sizeof urls / sizeof *urls);
    tcase_add_test(g, a_repository_is_a_context);
    tcase_add_test(g, a_password_in_an_address_is_not_shown);
    tcase_add_test(g, a_repository_can_be_added);
    tcase_add_test(g, a_repository_is_known_by_its_commit);
    suite_add_tcase(suite, g);
}
