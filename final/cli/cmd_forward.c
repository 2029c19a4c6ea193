/* The rows of what cooper-image does, and how cooper hands them to the
 * program that has them.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/proc.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/forward.h"
#include "cli/values.h"

#define IMAGE_PROGRAM "cooper-image"

static const struct flag pull_flags[] = {
    {'a', "all-tags", .help = "Download all tagged images in the repository"},
    {0, "disable-content-trust", FLAG_BOOL, NULL, NULL, "true", .help = "Skip image verification"},
    /* For cooper itself: whose command the pull is a part of; errors are then printed as that
       command's. */
    {0, "part-of", FLAG_ONE, .word = "string"},
    {0, "platform", FLAG_ONE, "string", NULL, NULL,
     .help = "Set platform of the image: os/arch[/variant]"},
    {'q', "quiet", .help = "Suppress verbose output"},
    FLAGS_END,
};

static const struct flag import_flags[] = {
    {'c', "change", FLAG_LIST, "list", NULL, NULL,
     .help = "Apply Dockerfile instruction to the created image"},
    {'m', "message", FLAG_ONE, "string", NULL, NULL,
     .help = "Set commit message for imported image"},
    {0, "platform", FLAG_ONE, "string", NULL, NULL,
     .help = "Set platform of the image: os/arch[/variant]"},
    FLAGS_END,
};

static const struct flag commit_flags[] = {
    {'a', "author", FLAG_ONE, "string", NULL, NULL,
     .help = "Author (e.g., \"John Hannibal Smith <hannibal@a-team.com>\")"},
    {'c', "change", FLAG_LIST, "list", NULL, NULL,
     .help = "Apply Dockerfile instruction to the created image"},
    {'m', "message", FLAG_ONE, "string", NULL, NULL, .help = "Commit message"},
    {0, "no-pause", .help = "Disable pausing container during commit"},
    {'p', "pause", FLAG_BOOL, NULL, NULL, "true", .help = "Pause container during commit"},
    FLAGS_END,
};

static const struct flag save_flags[] = {
    {0, "format", FLAG_ONE, "string", NULL, "docker-archive",
     .help = "\"docker-archive\", which is an OCI archive as well, or \"oci-archive\""},
    {'o', "output", FLAG_ONE, "string", NULL, NULL, .help = "Write to a file, instead of STDOUT"},
    {0, "platform", FLAG_ONE, "string", NULL, NULL,
     .help = "Save only the given platform. Formatted as \"os[/arch[/variant]]\""},
    FLAGS_END,
};

static const struct flag load_flags[] = {
    {'i', "input", FLAG_ONE, "string", NULL, NULL,
     .help = "Read from tar archive file or OCI layout directory, instead of STDIN"},
    {0, "platform", FLAG_ONE, "string", NULL, NULL,
     .help = "Load only the given platform. Formatted as \"os[/arch[/variant]]\""},
    {'q', "quiet", .help = "Suppress the load output"},
    FLAGS_END,
};

static const struct flag push_flags[] = {
    {'a', "all-tags", .help = "Push all tags of an image to the repository"},
    {0, "disable-content-trust", FLAG_BOOL, NULL, NULL, "true", .help = "Skip image signing"},
    {0, "platform", FLAG_ONE, "string", NULL, NULL,
     .help = "Push a platform-specific manifest. Image must be for it: \"os[/arch[/variant]]\""},
    {'q', "quiet", .help = "Suppress verbose output"},
    FLAGS_END,
};

static const struct flag login_flags[] = {
    {'p', "password", FLAG_ONE, "string", NULL, NULL,
     .help = "Password or Personal Access Token (PAT)"},
    {0, "password-stdin", .help = "Take the Password or Personal Access Token (PAT) from stdin"},
    {'u', "username", FLAG_ONE, "string", NULL, NULL, .help = "Username"},
    FLAGS_END,
};

static const struct flag no_flags[] = {FLAGS_END};

static const struct flag search_flags[] = {
    FILTER_FLAG,
    {0, "format", FLAG_ONE, "string", NULL, NULL,
     .help = "Pretty-print search using a Go template"},
    {0, "limit", FLAG_ONE, "int", value_check_int, NULL, .help = "Max number of search results"},
    {0, "no-trunc", .help = "Don't truncate output"},
    FLAGS_END,
};

int forward_command(struct cli *cli)
{
    struct err err = {0};
    cleanup_free char *program = proc_helper_path(IMAGE_PROGRAM, &err);

    if (!program)
        return cli_fail(cli, &err);
    execv(program, cli->argv);
    err_errno(&err, "cannot execute '%s'", program);
    return cli_fail(cli, &err);
}

const struct command command_pull = {
    .paths = {"image pull", "pull"},
    .arguments = "[OPTIONS] NAME[:TAG|@DIGEST]",
    .summary = "Download an image from a registry",
    .flags = pull_flags,
    .min_args = 1,
    .max_args = 1,
    .common = true,
    .run = forward_command,
};

const struct command command_push = {
    .paths = {"image push", "push"},
    .arguments = "[OPTIONS] NAME[:TAG]",
    .summary = "Upload an image to a registry",
    .flags = push_flags,
    .min_args = 1,
    .max_args = 1,
    .common = true,
    .run = forward_command,
};

const struct command command_login = {
    .paths = {"login"},
    .arguments = "[OPTIONS] [SERVER]",
    .summary = "Authenticate to a registry",
    .flags = login_flags,
    .max_args = 1,
    .common = true,
    .run = forward_command,
};

const struct command command_logout = {
    .paths = {"logout"},
    .arguments = "[SERVER]",
    .summary = "Log out from a registry",
    .flags = no_flags,
    .max_args = 1,
    .common = true,
    .run = forward_command,
};

const struct command command_search = {
    .paths = {"search"},
    .arguments = "[OPTIONS] TERM",
    .summary = "Search Docker Hub, or a registry, for images",
    .flags = search_flags,
    .min_args = 1,
    .max_args = 1,
    .common = true,
    .run = forward_command,
};

const struct command command_import = {
    .paths = {"image import", "import"},
    .arguments = "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
    .summary = "Import the contents from a tarball to create a filesystem image",
    .flags = import_flags,
    .min_args = 1,
    .max_args = 2,
    .run = forward_command,
};

const struct command command_insert = {
    .paths = {"insert"},
    .arguments = "IMAGE URL PATH",
    .summary = "Make a new image with a file from a URL in it",
    .flags = no_flags,
    .min_args = 3,
    .max_args = 3,
    .run = forward_command,
};

const struct command command_commit = {
    .paths = {"container commit", "commit"},
    .arguments = "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
    .summary = "Create a new image from a container's changes",
    .flags = commit_flags,
    .min_args = 1,
    .max_args = 2,
    .run = forward_command,
};

const struct command command_save = {
    .paths = {"image save", "save"},
    .arguments = "[OPTIONS] IMAGE [IMAGE...]",
    .summary = "Save one or more images to a tar archive (streamed to STDOUT by default)",
    .flags = save_flags,
    .min_args = 1,
    .max_args = -1,
    .run = forward_command,
};

const struct command command_load = {
    .paths = {"image load", "load"},
    .arguments = "[OPTIONS]",
    .summary = "Load an image from a tar archive or STDIN",
    .flags = load_flags,
    .run = forward_command,
};

static void pull_arguments(const struct cli *cli, const char *image, const char *platform,
                           bool quiet, struct strv *ret)
{
    strv_add(ret, PROGRAM);
    if (cli->root) {
        strv_add(ret, "--root");
        strv_add(ret, cli->root);
    }
    strv_add(ret, "pull");
    strv_take(ret, str_format("--part-of=%s", cli->path));
    if (platform)
        strv_take(ret, str_format("--platform=%s", platform));
    if (quiet)
        strv_add(ret, "--quiet");
    strv_add(ret, "--");
    strv_add(ret, image);
}

static int wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return EXIT_ENGINE;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int forward_pull(const struct cli *cli, const char *image, const char *platform, bool quiet)
{
    struct err err = {0};
    cleanup_free char *program = proc_helper_path(IMAGE_PROGRAM, &err);
    cleanup_strv struct strv arguments = {0};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int r;

    if (!program)
        return cli_fail(cli, &err);
    pull_arguments(cli, image, platform, quiet, &arguments);
    posix_spawn_file_actions_init(&actions);
    /* stdout belongs to the container's own output. */
    if (quiet)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    else
        posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    r = posix_spawn(&pid, program, &actions, NULL, arguments.items, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (r) {
        errno = r;
        err_errno(&err, "cannot execute '%s'", program);
        return cli_fail(cli, &err);
    }
    return wait_for(pid);
}
