/* The commands of cooper. The container is called "cask", and its image is busybox. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "crash/furnish.h"
#include "crash/place.h"
#include "crash/scenarios.h"
#include "support/run.h"

#define ROOT PLACE_HOME "/root"
#define TAR  PLACE_HOME "/box.tar"
#define BOX  "box:1"
#define ARCHIVE PLACE_HOME "/cask.tar" /* with cask:1, of a layer more than the box */
#define CONTEXT PLACE_HOME "/context"

static const char *const programs[] = {"cooper",     "cooper-shim", "cooper-image",
                                       "cooper-nft", "cooper-init", NULL};
static const char *const prefix[] = {BUILD_DIR "/bin/cooper", "--root", ROOT, NULL};

/* --- the place ----------------------------------------------------------------------------------
 */

static int make_image(struct err *err)
{
    struct run_result r = {0};

    if (furnish_tree(PLACE_HOME "/tree", err) < 0)
        return -err->code;
    RUN_OK(&r, NULL, "tar", "-C", PLACE_HOME "/tree", "-cf", TAR, ".");
    file_remove_tree(AT_FDCWD, PLACE_HOME "/tree", err);
    RUN(&r, NULL, BUILD_DIR "/bin/cooper", "--root", ROOT, "import", TAR, BOX);
    if (r.code)
        err_set(err, EIO, "cannot import the image: %s", r.err.data);
    run_free(&r);
    return err->code ? -err->code : 0;
}

static int cooper(const char *const args[], struct err *err)
{
    const char *argv[WORDS_MAX + 4] = {BUILD_DIR "/bin/cooper", "--root", ROOT};
    struct run_result r = {0};

    for (size_t i = 0; args[i]; i++)
        argv[i + 3] = args[i];
    run_argv(&r, NULL, argv);
    if (r.code)
        err_set(err, EIO, "%s: %s", args[0], r.err.data);
    run_free(&r);
    return err->code ? -err->code : 0;
}

/* And an archive, and a container that wrote something. */
static int make_material(struct err *err)
{
    static const char *const commands[][WORDS_MAX] = {
        {"run", "--name", "maker", "--network", "none", BOX, "sh", "-c", "echo made >/etc/made"},
        {"commit", "maker", "cask:1"},
        {"save", "-o", ARCHIVE, "cask:1"},
        {"rmi", "cask:1"},
    };
    int r = make_image(err);

    for (size_t i = 0; i < sizeof commands / sizeof *commands && !r; i++)
        r = cooper(commands[i], err);
    return r;
}

/* With a context to build from: a step of files, and one of a command. */
static int make_context(struct err *err)
{
    /* Not a file of the context: what is known of one is noted when it is a second old. */
    static const char dockerfile[] =
        "FROM " BOX "\nCOPY <<EOF /file\nf\nEOF\nRUN echo x >/x\n";
    int r = make_image(err);

    if (!r)
        r = file_make_dirs(AT_FDCWD, CONTEXT, 0755, err);
    return r < 0 ? r
                 : file_store(AT_FDCWD, CONTEXT "/Dockerfile", dockerfile, strlen(dockerfile), 0644,
                              false, err);
}

/* --- containers ---------------------------------------------------------------------------------
 */

static bool state_of_word(const char *word, enum state *ret)
{
    static const struct {
        const char *word;
        enum state state;
    } words[] = {
        {"created", CREATED}, {"running", RUNNING}, {"exited", STOPPED}, {"dead", STOPPED}};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i].word, word)) {
            *ret = words[i].state;
            return true;
        }
    return false;
}

/* "NAME STATE" lines: ours, or none. */
static bool container_answer(const struct outcome *o, enum state *ret)
{
    char name[64], word[64], more;

    if (o->status || o->err.len)
        return false;
    if (!o->out.len) {
        *ret = ABSENT;
        return true;
    }
    return sscanf(o->out.data, "%63s %63s\n%c", name, word, &more) == 2 && !strcmp(name, "cask") &&
           state_of_word(word, ret);
}

static const struct subject container = {
    .programs = programs,
    .prefix = prefix,
    .furnish = make_image,
    .question = {"ps", "-a", "--format", "{{.Names}} {{.State}}"},
    .answer = container_answer,
    .undo = {"rm", "-f", "cask"},
    .database = ROOT "/cooper.db",
};

/* --- images -------------------------------------------------------------------------------------
 */

/* Other images than the box: one line each, "REPOSITORY:TAG". */
static bool image_answer(const struct outcome *o, enum state *ret)
{
    cleanup_free char *pulled = str_format("%s/cask:1", scenario_registry());
    cleanup_free char *pushed = str_format("%s/keg:1", scenario_registry());
    cleanup_strv struct strv lines = {0};

    if (o->status || o->err.len)
        return false;
    *ret = ABSENT;
    strv_split(&lines, o->out.data, '\n');
    for (size_t i = 0; i < lines.len; i++) {
        if (str_equal(lines.items[i], "cask:1") || str_equal(lines.items[i], pulled) ||
            str_equal(lines.items[i], pushed))
            *ret = CREATED;
        else if (*lines.items[i] && !str_starts(lines.items[i], "box:") &&
                 !str_equal(lines.items[i], "<none>:<none>"))
            return false;
    }
    return true;
}

static const struct subject image = {
    .programs = programs,
    .prefix = prefix,
    .furnish = make_image,
    .question = {"images", "--format", "{{.Repository}}:{{.Tag}}"},
    .answer = image_answer,
    .undo = {"rmi", "-f", "cask:1"},
    .others = {"images", "-q", "--filter", "dangling=true"}, /* a name that went to a newer image */
    .database = ROOT "/cooper.db",
};

static const struct subject pulled = {
    .programs = programs,
    .prefix = prefix,
    .furnish = make_image,
    .question = {"images", "--format", "{{.Repository}}:{{.Tag}}"},
    .answer = image_answer,
    .undo = {"rmi", "-f", REGISTRY_WORD "cask:1"},
    .database = ROOT "/cooper.db",
    .needs_registry = true,
};

static const struct subject pushed = {
    .programs = programs,
    .prefix = prefix,
    .furnish = make_image,
    .question = {"images", "--format", "{{.Repository}}:{{.Tag}}"},
    .answer = image_answer,
    .undo = {"rmi", "-f", REGISTRY_WORD "keg:1"},
    .database = ROOT "/cooper.db",
    .needs_registry = true,
};

static const struct subject made = {
    .programs = programs,
    .prefix = prefix,
    .furnish = make_material,
    .question = {"images", "--format", "{{.Repository}}:{{.Tag}}"},
    .answer = image_answer,
    .undo = {"rmi", "-f", "cask:1"},
    .others = {"images", "-q", "--filter", "dangling=true"},
    .database = ROOT "/cooper.db",
};

static const struct subject built = {
    .programs = programs,
    .prefix = prefix,
    .furnish = make_context,
    .question = {"images", "--format", "{{.Repository}}:{{.Tag}}"},
    .answer = image_answer,
    .undo = {"rmi", "-f", "cask:1"},
    .database = ROOT "/cooper.db",
};

/* --- the table ----------------------------------------------------------------------------------
 */

/* clang-format off */
/* Without a network where it does not matter: the kernel takes a tenth of a second to take one down,
 * and a network has points of its own. */
#define CASK      "--name", "cask", "--network", "none", BOX
#define DETACHED  "run", "-d", CASK, "sleep", "1000"
#define PUBLISHED "run", "-d", "--name", "cask", "-p", "8080:80", BOX, "sleep", "1000"
#define RUNS      {DETACHED}
#define ENDED     {"run", CASK, "true"}

const struct scenario scenarios_engine[] = {
    {.name = "run-rm", .subject = &container, .from = ABSENT, .to = ABSENT,
     .command = {"run", "--rm", CASK, "echo", "done"}, .output = "done\n"},
    {.name = "run", .subject = &container, .from = ABSENT, .to = STOPPED,
     .between = CREATED, .command = {"run", CASK, "echo", "done"}, .output = "done\n",
     .again = "already in use"},
    {.name = "run-d", .subject = &container, .from = ABSENT, .to = RUNNING,
     .between = CREATED | STOPPED, .command = {DETACHED}, .again = "already in use"},
    {.name = "create", .subject = &container, .from = ABSENT, .to = CREATED,
     .command = {"create", CASK, "echo", "done"}, .again = "already in use"},
    {.name = "start", .subject = &container, .from = CREATED, .to = RUNNING,
     .before = {{"create", CASK, "sleep", "1000"}},
     .command = {"start", "cask"}, .output = "cask\n"},
    {.name = "start-a", .subject = &container, .from = CREATED, .to = STOPPED,
     .before = {{"create", CASK, "echo", "done"}},
     .command = {"start", "-a", "cask"}, .output = "done\n"},
    {.name = "stop", .subject = &container, .from = RUNNING, .to = STOPPED,
     .before = {RUNS}, .command = {"stop", "-t", "0", "cask"}, .output = "cask\n"},
    {.name = "kill", .subject = &container, .from = RUNNING, .to = STOPPED,
     .before = {RUNS}, .command = {"kill", "cask"}, .output = "cask\n", .again = "is not running"},
    {.name = "rm", .subject = &container, .from = STOPPED, .to = ABSENT,
     .before = {ENDED}, .command = {"rm", "cask"}, .output = "cask\n",
     .again = "No such container"},
    {.name = "rm-f", .subject = &container, .from = RUNNING, .to = ABSENT, .between = STOPPED,
     .before = {RUNS}, .command = {"rm", "-f", "cask"}, .output = "cask\n",
     .again = "No such container"},
    {.name = "exec", .subject = &container, .from = RUNNING, .to = RUNNING,
     .before = {RUNS}, .command = {"exec", "cask", "echo", "done"}, .output = "done\n"},
    {.name = "net-run-rm", .subject = &container, .from = ABSENT, .to = ABSENT,
     .command = {"run", "--rm", "--name", "cask", BOX, "echo", "done"}, .output = "done\n"},
    {.name = "net-run-d", .subject = &container, .from = ABSENT, .to = RUNNING,
     .between = CREATED | STOPPED, .command = {PUBLISHED}, .again = "already in use"},
    {.name = "net-stop", .subject = &container, .from = RUNNING, .to = STOPPED,
     .before = {{PUBLISHED}}, .command = {"stop", "-t", "0", "cask"}, .output = "cask\n"},
    {.name = "net-rm-f", .subject = &container, .from = RUNNING, .to = ABSENT, .between = STOPPED,
     .before = {{PUBLISHED}}, .command = {"rm", "-f", "cask"}, .output = "cask\n",
     .again = "No such container"},
    {.name = "import", .subject = &image, .from = ABSENT, .to = CREATED,
     .command = {"import", TAR, "cask:1"}},
    {.name = "pull", .subject = &pulled, .from = ABSENT, .to = CREATED,
     .command = {"pull", REGISTRY_WORD "cask:1"}},
    {.name = "load", .subject = &made, .from = ABSENT, .to = CREATED,
     .command = {"load", "-i", ARCHIVE}, .output = "Loaded image: cask:1\n"},
    {.name = "commit", .subject = &made, .from = ABSENT, .to = CREATED,
     .command = {"commit", "maker", "cask:1"}},
    {.name = "tag", .subject = &image, .from = ABSENT, .to = CREATED,
     .command = {"tag", BOX, "cask:1"}},
    {.name = "push", .subject = &pushed, .from = CREATED, .to = CREATED,
     .before = {{"import", TAR, REGISTRY_WORD "keg:1"}}, .command = {"push", REGISTRY_WORD "keg:1"}},
    /* What the cache has already stays there: only what is too much is told. */
    {.name = "build", .subject = &built, .from = ABSENT, .to = CREATED,
     .before = {{"build", "-q", "--network", "none", "-t", "box:2", CONTEXT}},
     .command = {"build", "-q", "--no-cache", "--network", "none", "-t", "cask:1", CONTEXT}},
    {.name = "rmi", .subject = &image, .from = CREATED, .to = ABSENT,
     .before = {{"import", TAR, "cask:1"}}, .command = {"rmi", "cask:1"},
     .again = "No such image"},
    {.name = NULL},
};
/* clang-format on */
