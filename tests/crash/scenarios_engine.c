/* What is done with containers. Ours is called "cask", and its image is busybox. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "crash/furnish.h"
#include "crash/scenarios.h"
#include "crash/scenarios_engine.h"
#include "support/run.h"

const char *const engine_programs[] = {"cooper",     "cooper-shim", "cooper-image",
                                       "cooper-nft", "cooper-init", NULL};
const char *const engine_prefix[] = {COOPER, "--root", ROOT, NULL};

/* --- the place -------------------------------------------------------------------------------- */

int engine_furnish(struct err *err)
{
    struct run_result r = {0};

    if (furnish_tree(PLACE_HOME "/tree", err) < 0)
        return -err->code;
    RUN_OK(&r, NULL, "tar", "-C", PLACE_HOME "/tree", "-cf", TAR, ".");
    file_remove_tree(AT_FDCWD, PLACE_HOME "/tree", err);
    RUN(&r, NULL, COOPER, "--root", ROOT, "import", TAR, BOX);
    if (r.code)
        err_set(err, EIO, "cannot import the image: %s", r.err.data);
    run_free(&r);
    return err->code ? -err->code : 0;
}

/* --- containers ------------------------------------------------------------------------------- */

static bool state_of_word(const char *word, enum state *ret)
{
    static const struct {
        const char *word;
        enum state state;
    } words[] = {{"created", CREATED},
                 {"running", RUNNING},
                 {"paused", PAUSED},
                 {"exited", STOPPED},
                 {"dead", STOPPED}};

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
    .programs = engine_programs,
    .prefix = engine_prefix,
    .furnish = engine_furnish,
    .question = {"ps", "-a", "--format", "{{.Names}} {{.State}}"},
    .answer = container_answer,
    .undo = {{"rm", "-f", "cask"}},
    .database = ROOT "/cooper.db",
};

/* A container that may have another name: as "cask" it is created, as "keg" it is stopped. */
static bool renamed_answer(const struct outcome *o, enum state *ret)
{
    *ret = !o->out.len ? ABSENT : str_equal(o->out.data, "cask\n") ? CREATED : STOPPED;
    return !o->status && !o->err.len && (*ret != STOPPED || str_equal(o->out.data, "keg\n"));
}

static const struct subject renamed = {
    .programs = engine_programs,
    .prefix = engine_prefix,
    .furnish = engine_furnish,
    .question = {"ps", "-a", "--format", "{{.Names}}"},
    .answer = renamed_answer,
    .undo = {{"rm", "-f", "cask"}, {"rm", "-f", "keg"}},
    .database = ROOT "/cooper.db",
};

/* --- the table -------------------------------------------------------------------------------- */

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
    {.name = "restart", .subject = &container, .from = RUNNING, .to = RUNNING, .between = STOPPED,
     .before = {RUNS}, .command = {"restart", "-t", "0", "cask"}, .output = "cask\n"},
    {.name = "pause", .subject = &container, .from = RUNNING, .to = PAUSED,
     .before = {RUNS}, .command = {"pause", "cask"}, .output = "cask\n", .again = "is "},
    {.name = "unpause", .subject = &container, .from = PAUSED, .to = RUNNING,
     .before = {RUNS, {"pause", "cask"}}, .command = {"unpause", "cask"}, .output = "cask\n",
     .again = "is not paused"},
    {.name = "update", .subject = &container, .from = CREATED, .to = CREATED,
     .before = {{"create", CASK, "sleep", "1000"}},
     .command = {"update", "--cpus", "1", "--restart", "always", "cask"}},
    {.name = "rename", .subject = &renamed, .from = CREATED, .to = STOPPED,
     .before = {{"create", CASK, "true"}}, .command = {"rename", "cask", "keg"},
     .again = "No such container"},
    {.name = "prune", .subject = &container, .from = STOPPED, .to = ABSENT,
     .before = {ENDED}, .command = {"container", "prune", "-f"}},
    {.name = "system-stop", .subject = &container, .from = RUNNING, .to = STOPPED,
     .before = {{"run", "-d", "--stop-signal", "KILL", CASK, "sleep", "1000"}},
     .command = {"system", "stop"}},
    {.name = "system-start", .subject = &container, .from = STOPPED, .to = RUNNING,
     .before = {{"run", "-d", "--stop-signal", "KILL", "--restart", "always", CASK, "sleep", "1000"},
                {"system", "stop"}},
     .command = {"system", "start"}},
    {.name = "cp-in", .subject = &container, .from = STOPPED, .to = STOPPED,
     .before = {ENDED}, .command = {"cp", TAR, "cask:/file"}},
    {.name = "cp-in-live", .subject = &container, .from = RUNNING, .to = RUNNING,
     .before = {RUNS}, .command = {"cp", TAR, "cask:/file"}},
    {.name = "volume-rm", .subject = &container, .from = ABSENT, .to = ABSENT,
     .command = {"run", "--rm", "-v", "/data", CASK, "echo", "done"}, .output = "done\n"},
    {.name = NULL},
};
/* clang-format on */
