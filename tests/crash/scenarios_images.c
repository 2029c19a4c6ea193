/* What is done with images, archives and networks. Ours are called "cask:1" and "casknet". */
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "crash/scenarios.h"
#include "crash/scenarios_engine.h"
#include "support/run.h"

#define FIRST   PLACE_HOME "/first"
#define SAVED   PLACE_HOME "/saved.tar"
#define ARCHIVE PLACE_HOME "/archive.tar"
#define CONTEXT PLACE_HOME "/context"

/* --- images ----------------------------------------------------------------------------------- */

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
    .programs = engine_programs,
    .prefix = engine_prefix,
    .furnish = engine_furnish,
    .question = {"images", "--format", "{{.Repository}}:{{.Tag}}"},
    .answer = image_answer,
    .undo = {{"rmi", "-f", "cask:1"}},
    .others = {"images", "-q", "--filter", "dangling=true"}, /* a name that went to a newer image */
    .database = ROOT "/cooper.db",
};

static const struct subject pulled = {
    .programs = engine_programs,
    .prefix = engine_prefix,
    .furnish = engine_furnish,
    .question = {"images", "--format", "{{.Repository}}:{{.Tag}}"},
    .answer = image_answer,
    .undo = {{"rmi", "-f", REGISTRY_WORD "cask:1"}},
    .database = ROOT "/cooper.db",
    .needs_registry = true,
};

static const struct subject pushed = {
    .programs = engine_programs,
    .prefix = engine_prefix,
    .furnish = engine_furnish,
    .question = {"images", "--format", "{{.Repository}}:{{.Tag}}"},
    .answer = image_answer,
    .undo = {{"rmi", "-f", REGISTRY_WORD "keg:1"}},
    .database = ROOT "/cooper.db",
    .needs_registry = true,
};

static int cooper(const char *const args[], struct err *err)
{
    const char *argv[WORDS_MAX + 4] = {COOPER, "--root", ROOT};
    struct run_result r = {0};

    for (size_t i = 0; args[i]; i++)
        argv[i + 3] = args[i];
    run_argv(&r, NULL, argv);
    if (r.code)
        err_set(err, EIO, "%s: %s", args[0], r.err.data);
    run_free(&r);
    return err->code ? -err->code : 0;
}

/* A container that wrote something, and an archive of the image that was made of it. */
static int make_material(struct err *err)
{
    static const char *const commands[][WORDS_MAX] = {
        {"run", "--name", "maker", "--network", "none", BOX, "sh", "-c", "echo made >/etc/made"},
        {"commit", "maker", "cask:1"},
        {"save", "-o", ARCHIVE, "cask:1"},
        {"rmi", "cask:1"},
    };
    int r = engine_furnish(err);

    for (size_t i = 0; i < sizeof commands / sizeof *commands && !r; i++)
        r = cooper(commands[i], err);
    return r;
}

static const struct subject made = {
    .programs = engine_programs,
    .prefix = engine_prefix,
    .furnish = make_material,
    .question = {"images", "--format", "{{.Repository}}:{{.Tag}}"},
    .answer = image_answer,
    .undo = {{"rmi", "-f", "cask:1"}},
    .others = {"images", "-q", "--filter", "dangling=true"},
    .database = ROOT "/cooper.db",
};

/* With a context to build from: a step of files, and one of a command. */
static int make_context(struct err *err)
{
    /* Not a file of the context: what is known of one is noted when it is a second old. */
    static const char dockerfile[] = "FROM " BOX "\nCOPY <<EOF /file\nf\nEOF\nRUN echo x >/x\n";
    int r = engine_furnish(err);

    if (!r)
        r = file_make_dirs(AT_FDCWD, CONTEXT, 0755, err);
    return r < 0 ? r
                 : file_store(AT_FDCWD, CONTEXT "/Dockerfile", dockerfile, strlen(dockerfile), 0644,
                              false, err);
}

static const struct subject built = {
    .programs = engine_programs,
    .prefix = engine_prefix,
    .furnish = make_context,
    .question = {"images", "--format", "{{.Repository}}:{{.Tag}}"},
    .answer = image_answer,
    .undo = {{"rmi", "-f", "cask:1"}},
    .database = ROOT "/cooper.db",
};

/* --- other things that are there or not ------------------------------------------------------- */

static bool line_answer(const struct outcome *o, enum state *ret)
{
    *ret = strstr(o->out.data, "cask") ? CREATED : ABSENT;
    return !o->status && !o->err.len;
}

/* A state directory that is not there before the first command. */
static const char *const no_prefix[] = {NULL};
static const struct subject first = {
    .programs = engine_programs,
    .prefix = no_prefix,
    .furnish = engine_furnish,
    .question = {COOPER, "--root", FIRST, "images", "--format", "{{.Repository}}"},
    .answer = line_answer,
    .undo = {{"/bin/rm", "-rf", FIRST}},
    .database = FIRST "/cooper.db",
};

/* A file that save, cp or export writes. */
static const struct subject saved = {
    .programs = engine_programs,
    .prefix = no_prefix,
    .furnish = engine_furnish,
    .question = {"/bin/sh", "-c", "[ ! -e " SAVED " ] || echo cask"},
    .answer = line_answer,
    .undo = {{"/bin/rm", "-f", SAVED}, {COOPER, "--root", ROOT, "rm", "-f", "copied"}},
    .database = ROOT "/cooper.db",
};

/* The first container on a network brings up the default one, which stays. */
static int furnish_network(struct err *err)
{
    static const char *const first_run[] = {"run", "--rm", BOX, "true", NULL};

    return engine_furnish(err) < 0 ? -err->code : cooper(first_run, err);
}

static const struct subject network = {
    .programs = engine_programs,
    .prefix = engine_prefix,
    .furnish = furnish_network,
    .question = {"network", "ls", "--format", "{{.Name}}"},
    .answer = line_answer,
    .undo = {{"network", "rm", "casknet"}},
    .database = ROOT "/cooper.db",
};

/* clang-format off */
const struct scenario scenarios_images[] = {
    {.name = "import", .subject = &image, .from = ABSENT, .to = CREATED,
     .command = {"import", TAR, "cask:1"}},
    {.name = "pull", .subject = &pulled, .from = ABSENT, .to = CREATED,
     .command = {"pull", REGISTRY_WORD "cask:1"}},
    {.name = "rmi", .subject = &image, .from = CREATED, .to = ABSENT,
     .before = {{"import", TAR, "cask:1"}}, .command = {"rmi", "cask:1"},
     .again = "No such image"},
    {.name = "commit", .subject = &made, .from = ABSENT, .to = CREATED,
     .command = {"commit", "maker", "cask:1"}},
    {.name = "tag", .subject = &image, .from = ABSENT, .to = CREATED,
     .command = {"tag", BOX, "cask:1"}},
    {.name = "load", .subject = &made, .from = ABSENT, .to = CREATED,
     .command = {"load", "-i", ARCHIVE}, .output = "Loaded image: cask:1\n"},
    {.name = "push", .subject = &pushed, .from = CREATED, .to = CREATED,
     .before = {{"import", TAR, REGISTRY_WORD "keg:1"}}, .command = {"push", REGISTRY_WORD "keg:1"}},
    /* What the cache has already stays there: only what is too much is told. */
    {.name = "build", .subject = &built, .from = ABSENT, .to = CREATED,
     .before = {{"build", "-q", "--network", "none", "-t", "box:2", CONTEXT}},
     .command = {"build", "-q", "--no-cache", "--network", "none", "-t", "cask:1", CONTEXT}},
    {.name = "save", .subject = &saved, .from = ABSENT, .to = CREATED,
     .command = {COOPER, "--root", ROOT, "save", "-o", SAVED, BOX}},
    {.name = "cp-out", .subject = &saved, .from = ABSENT, .to = CREATED,
     .before = {{COOPER, "--root", ROOT, "create", "--name", "copied", "--network", "none", BOX, "true"}},
     .command = {COOPER, "--root", ROOT, "cp", "copied:/bin/busybox", SAVED}},
    {.name = "export", .subject = &saved, .from = ABSENT, .to = CREATED,
     .before = {{COOPER, "--root", ROOT, "create", "--name", "copied", "--network", "none", BOX, "true"}},
     .command = {COOPER, "--root", ROOT, "export", "-o", SAVED, "copied"}},
    {.name = "first", .subject = &first, .from = ABSENT, .to = CREATED,
     .command = {COOPER, "--root", FIRST, "import", TAR, "cask:1"}},
    {.name = "network", .subject = &network, .from = ABSENT, .to = CREATED,
     .command = {"network", "create", "casknet"}, .again = "already exists"},
    {.name = "network-rm", .subject = &network, .from = CREATED, .to = ABSENT,
     .before = {{"network", "create", "casknet"}}, .command = {"network", "rm", "casknet"},
     .again = "not found"},
    {.name = NULL},
};
/* clang-format on */
