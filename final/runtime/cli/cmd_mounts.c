/* mounts add|remove: crun's command for a container that runs. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/proc.h"
#include "runtime/cli/bundle.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/container.h"
#include "runtime/runtime_mounts.h"

static const struct flag no_flags[] = {FLAGS_END};

/* A list as in config.json, alone or in an object as its "mounts". */
static json_t *load(const char *path, struct err *err)
{
    cleanup_close int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
                                             : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    cleanup_buf struct buf text = {0};
    cleanup_json json_t *document = NULL;

    if (fd < 0) {
        err_errno(err, "cannot open '%s'", path);
        return NULL;
    }
    if (file_load_fd(fd, CONFIG_MAX, &text, err) < 0) {
        err_wrap(err, "'%s'", path);
        return NULL;
    }
    document = json_parse(text.data, text.len, path, err);
    if (json_is_object(document))
        return json_incref(json_object_get(document, "mounts"));
    return json_incref(document);
}

static int change(const struct container *c, bool adds, const char *path, struct err *err)
{
    cleanup_json json_t *config = container_config(c, err);
    cleanup_json json_t *mounts = config ? load(path, err) : NULL;
    cleanup_close int pidfd = proc_open(&c->state.init);
    struct runtime_mounts_request request = {
        .init = c->state.init.pid,
        .init_pidfd = pidfd,
        .bundle = c->state.bundle,
        .config = config,
        .mounts = mounts,
    };

    if (!mounts)
        return err->code ? -err->code : err_set(err, EINVAL, "'%s' holds no list of mounts", path);
    if (pidfd < 0 || container_status(c) == STATE_STOPPED)
        return err_set(err, ESRCH, "container not running");
    return adds ? runtime_mounts_add(&request, err) : runtime_mounts_remove(&request, err);
}

static int cmd_mounts(struct cli *cli)
{
    const char *verb = cli->args.rest[0];
    cleanup_container struct container c = CONTAINER_NONE;
    bool adds = !strcmp(verb, "add");
    struct err err = {0};

    if (!adds && strcmp(verb, "remove")) {
        err_set(&err, EINVAL, "unknown command '%s': it is add or remove", verb);
        return cli_fail("mounts", &err);
    }
    if (container_lock(cli, cli->args.rest[1], &c, &err) < 0 ||
        change(&c, adds, cli->args.rest[2], &err) < 0)
        return cli_fail(NULL, &err);
    return 0;
}

const struct command command_mounts = {
    .name = "mounts",
    .arguments = "add|remove <container-id> <file>",
    .summary = "add or remove mounts of a running container",
    .details =
        "   The file ('-': the standard input) holds a list as the mounts of a config.json:\n\n"
        "   [{\"destination\": \"/data\", \"type\": \"bind\", \"source\": \"/srv/data\",\n"
        "     \"options\": [\"rbind\", \"ro\"]}]\n\n"
        "   All of them are added, or none. To remove them only the destinations matter.\n",
    .flags = no_flags,
    .min = 3,
    .max = 3,
    .run = cmd_mounts,
};
