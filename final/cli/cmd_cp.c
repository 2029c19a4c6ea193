/* cp and export: files out of containers and into them. A tar from stdin is read by cooper-image
 * (cmd_cp_tar.c), which has libarchive; all else is done here. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/draft.h"
#include "cli/commands.h"
#include "cli/copy.h"
#include "cli/forward.h"
#include "cli/human.h"
#include "cli/values.h"

static const struct flag cp_flags[] = {
    {'a', "archive", .help = "Archive mode (copy all uid/gid information)"},
    {'L', "follow-link", .help = "Always follow symbol link in SRC_PATH"},
    {'q', "quiet",
     .help = "Suppress progress output during copy. Progress output is automatically "
             "suppressed if no terminal is attached"},
    FLAGS_END,
};

static const struct flag export_flags[] = {
    {'o', "output", FLAG_ONE, "string", NULL, NULL, .help = "Write to a file, instead of STDOUT"},
    FLAGS_END,
};

/* "web:/etc" is a container's; "/a:b", "./a:b" and what has no colon is the host's. */
bool copy_split(const char *argument, char **ret_container, const char **ret_path)
{
    const char *colon = strchr(argument, ':');

    *ret_container = NULL;
    *ret_path = argument;
    if (*argument == '/' || *argument == '.' || !colon || colon == argument)
        return false;
    *ret_container = str_copy_n(argument, (size_t)(colon - argument));
    *ret_path = colon + 1;
    return true;
}

static void show_progress(void *context, uint64_t bytes)
{
    struct copy_display *d = context;
    int64_t now = clock_now();
    char size[HUMAN_MAX];

    if (!d->shown || now - d->last_ns < 100000000)
        return;
    d->last_ns = now;
    human_size((double)bytes, 3, size);
    fprintf(stderr, "\r\033[K%s - %s", d->what, size);
}

void copy_display_init(const struct cli *cli, const char *what, struct copy_display *ret)
{
    *ret = (struct copy_display){.shown =
                                     !options_flag(&cli->options, "quiet") && isatty(STDERR_FILENO),
                                 .what = what,
                                 .last_ns = clock_now()};
}

void copy_display_end(const struct copy_display *d, uint64_t bytes, const char *where)
{
    char size[HUMAN_MAX];

    human_size((double)bytes, 3, size);
    if (d->shown)
        fprintf(stderr, "\r\033[KSuccessfully copied %s to %s\n", size, where);
}

int copy_fail(const struct cli *cli, const struct err *err)
{
    return err->exit_status == 1 ? cli_fail(cli, err) : cli_engine_fail(cli, err);
}

static struct copy_options options_of(const struct cli *cli, const char *container,
                                      struct copy_display *display)
{
    return (struct copy_options){.follow = options_flag(&cli->options, "follow-link"),
                                 .archive = options_flag(&cli->options, "archive"),
                                 .asked = container,
                                 .progress = show_progress,
                                 .context = display};
}

static int refuse_terminal(struct err *err)
{
    return err_set(err, EINVAL,
                   "cowardly refusing to save to a terminal. Use the -o flag or redirect");
}

/* docker shows the host's path whole. */
static char *shown_target(const char *path)
{
    cleanup_free char *here = *path == '/' ? NULL : getcwd(NULL, 0);

    return here ? str_format("%s/%s", here, path) : str_copy(path);
}

static int copy_out(struct cli *cli, const char *container, const char *from, const char *to)
{
    cleanup_free char *where = shown_target(to);
    struct copy_display display;
    struct copy_options options = options_of(cli, container, &display);
    struct container c;
    struct err err = {0};
    uint64_t bytes = 0;
    int r;

    copy_display_init(cli, "Copying from container", &display);
    if (!strcmp(to, "-") && isatty(STDOUT_FILENO) && refuse_terminal(&err) < 0)
        return cli_fail(cli, &err);
    if (cli_engine(cli, &err) < 0 || engine_find(cli->engine, container, &c, &err) < 0)
        return cli_engine_fail(cli, &err);
    if (!strcmp(to, "-"))
        r = engine_copy_out_tar(cli->engine, &c, from, STDOUT_FILENO, &options, &err);
    else
        r = engine_copy_out(cli->engine, &c, from, to, &options, &bytes, &err);
    container_free(&c);
    if (r < 0)
        return copy_fail(cli, &err);
    if (strcmp(to, "-"))
        copy_display_end(&display, bytes, where);
    return 0;
}

static int copy_in(struct cli *cli, const char *from, const char *container, const char *to)
{
    struct copy_display display;
    struct copy_options options = options_of(cli, container, &display);
    struct container c;
    struct err err = {0};
    uint64_t bytes;
    int r;

    copy_display_init(cli, "Copying to container", &display);
    if (cli_engine(cli, &err) < 0 || engine_find(cli->engine, container, &c, &err) < 0)
        return cli_engine_fail(cli, &err);
    r = engine_copy_in(cli->engine, &c, from, to, &options, &bytes, &err);
    container_free(&c);
    if (r < 0)
        return copy_fail(cli, &err);
    copy_display_end(&display, bytes, cli->options.args[1]);
    return 0;
}

static int cmd_cp(struct cli *cli)
{
    cleanup_free char *from_container = NULL, *to_container = NULL;
    const char *from, *to;
    bool out = copy_split(cli->options.args[0], &from_container, &from);
    bool in = copy_split(cli->options.args[1], &to_container, &to);
    struct err err = {0};

    if (out && in)
        err_set(&err, EINVAL, "copying between containers is not supported");
    else if (!out && !in)
        err_set(&err, EINVAL, "must specify at least one container source");
    else if (!*(out ? from : to))
        err_set(&err, EINVAL, "Error response from daemon: bad parameter: path cannot be empty");
    else if (out)
        return copy_out(cli, from_container, from, to);
    else
        return strcmp(from, "-") ? copy_in(cli, from, to_container, to) : forward_command(cli);
    return cli_fail(cli, &err);
}

/* --- export
 * ------------------------------------------------------------------------------------- */

static int export_to(struct cli *cli, int out, struct err *err)
{
    struct container c;
    int r = engine_find(cli->engine, cli->options.args[0], &c, err);

    if (r < 0)
        return r;
    r = engine_export(cli->engine, &c, out, err);
    container_free(&c);
    return r;
}

static int export_to_file(struct cli *cli, const char *path)
{
    struct err err = {0};
    struct draft draft;

    if (value_check_output(path, &err) < 0 || draft_begin(path, &draft, &err) < 0) {
        err_wrap(&err, "failed to export container");
        return cli_fail(cli, &err);
    }
    if (export_to(cli, draft.fd, &err) < 0) {
        draft_drop(&draft);
        return cli_engine_fail(cli, &err);
    }
    if (draft_keep(&draft, &err) < 0) {
        err_wrap(&err, "failed to export container");
        return cli_fail(cli, &err);
    }
    return 0;
}

static int cmd_export(struct cli *cli)
{
    const char *path = options_one(&cli->options, "output");
    struct err err = {0};

    if (!path && isatty(STDOUT_FILENO) && refuse_terminal(&err) < 0)
        return cli_fail(cli, &err);
    if (cli_engine(cli, &err) < 0)
        return cli_engine_fail(cli, &err);
    if (path)
        return export_to_file(cli, path);
    return export_to(cli, STDOUT_FILENO, &err) < 0 ? cli_engine_fail(cli, &err) : 0;
}

const struct command command_cp = {
    .paths = {"container cp", "cp"},
    .arguments = "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tcooper cp [OPTIONS] SRC_PATH|- "
                 "CONTAINER:DEST_PATH",
    .summary = "Copy files/folders between a container and the local filesystem",
    .flags = cp_flags,
    .min_args = 2,
    .max_args = 2,
    .run = cmd_cp,
};

const struct command command_export = {
    .paths = {"container export", "export"},
    .arguments = "[OPTIONS] CONTAINER",
    .summary = "Export a container's filesystem as a tar archive",
    .flags = export_flags,
    .min_args = 1,
    .max_args = 1,
    .run = cmd_export,
};
