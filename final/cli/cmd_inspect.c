/* inspect, container inspect, image inspect, volume inspect: docker's documents, or a template on
 * each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/format.h"
#include "cli/sizes.h"

static const struct flag inspect_flags[] = {
    FORMAT_DOCUMENT_FLAG('f'),
    {'s', "size", .help = "Display total file sizes if the type is container"},
    {0, "type", FLAG_ONE, "string", NULL, NULL, .help = "Only inspect objects of the given type"},
    FLAGS_END,
};

static const struct flag container_inspect_flags[] = {
    FORMAT_DOCUMENT_FLAG('f'),
    {'s', "size", .help = "Display total file sizes"},
    FLAGS_END,
};

static const struct flag image_inspect_flags[] = {
    FORMAT_DOCUMENT_FLAG('f'),
    {0, "platform", FLAG_ONE, "string", NULL, NULL,
     .help = "Fail unless the image is for this platform: \"os[/arch[/variant]]\""},
    FLAGS_END,
};

static const struct flag volume_inspect_flags[] = {
    FORMAT_DOCUMENT_FLAG('f'),
    FLAGS_END,
};

static int inspect_container(struct cli *cli, const char *name, bool size, json_t **ret,
                             struct err *err)
{
    struct container c;
    int r = engine_find(cli->engine, name, &c, err);

    if (r < 0)
        return r;
    *ret = engine_inspect_container(cli->engine, &c, err);
    if (*ret && size) {
        json_put(*ret, "SizeRw", json_integer((json_int_t)sizes_container(cli->engine, &c)));
        json_put(*ret, "SizeRootFs",
                 json_integer((json_int_t)sizes_container_whole(cli->engine, &c)));
    }
    container_free(&c);
    return *ret ? 0 : -err->code;
}

static int inspect_image(struct cli *cli, const char *name, bool size, json_t **ret,
                         struct err *err)
{
    const char *platform =
        cli->command == &command_image_inspect ? options_one(&cli->options, "platform") : NULL;
    struct image image;
    int r = engine_find_image(cli->engine, name, &image, err);

    if (r < 0)
        return r;
    if (size)
        fputs("WARNING: --size ignored for image\n", stderr);
    r = platform ? engine_check_platform(cli->engine, &image, name, platform, err) : 0;
    *ret = r < 0 ? NULL : engine_inspect_image(cli->engine, &image, err);
    image_free(&image);
    return *ret ? 0 : -err->code;
}

static int inspect_network(struct cli *cli, const char *name, bool size, json_t **ret,
                           struct err *err)
{
    struct network n;
    int r = engine_network_find(cli->engine, name, &n, err);

    if (r < 0)
        return r;
    if (size)
        fputs("WARNING: --size ignored for network\n", stderr);
    *ret = engine_inspect_network(cli->engine, &n, err);
    network_free(&n);
    return *ret ? 0 : -err->code;
}

static int inspect_volume(struct cli *cli, const char *name, bool size, json_t **ret,
                          struct err *err)
{
    struct volume v;
    int r = engine_volume_find(cli->engine, name, &v, err);

    if (r < 0)
        return r;
    if (size)
        fputs("WARNING: --size ignored for volume\n", stderr);
    *ret = engine_inspect_volume(cli->engine, &v);
    volume_free(&v);
    return 0;
}

/* In the order in which a name is looked for when no type is given. */
static const struct {
    const char *type;
    int (*inspect)(struct cli *cli, const char *name, bool size, json_t **ret, struct err *err);
} kinds[] = {
    {"container", inspect_container},
    {"image", inspect_image},
    {"network", inspect_network},
    {"volume", inspect_volume},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static bool has_size_flag(const struct cli *cli)
{
    return cli->command == &command_inspect || cli->command == &command_container_inspect;
}

static int inspect_one(struct cli *cli, const char *name, const char *type, json_t **ret,
                       struct err *err)
{
    bool size = has_size_flag(cli) && options_flag(&cli->options, "size");
    int r = -ENOENT;

    for (size_t i = 0; i < KINDS && r == -ENOENT; i++) {
        if (*type && strcmp(type, kinds[i].type))
            continue;
        err_clear(err);
        r = kinds[i].inspect(cli, name, size, ret, err);
    }
    return r;
}

static int fail_one(struct cli *cli, const char *name, bool typed, struct err *err)
{
    if (typed || err->code != ENOENT)
        return cli_engine_fail(cli, err);
    err_set(err, ENOENT, "Error: No such object: %s", name);
    return cli_fail(cli, err);
}

/* docker leaves these out of its documents when nothing is in them, though its templates know them.
 */
static void omit_empty(json_t *document)
{
    static const char *const members[][2] = {{"State", "Health"},
                                             {"Config", "Healthcheck"},
                                             {"Config", "ExposedPorts"},
                                             {"Config", "StopSignal"}};

    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        json_t *section = json_object_get(document, members[i][0]);
        const json_t *value = json_object_get(section, members[i][1]);

        if (json_is_null(value) || (json_is_string(value) && !*json_string_value(value)) ||
            (json_is_object(value) && !json_object_size(value)))
            json_object_del(section, members[i][1]);
    }
}

/* And some that we do not have, or have only when they were given. */
static void add_known(json_t *document)
{
    static const char *const nil[] = {"Healthcheck", "Shell", "StopTimeout", "ExposedPorts"};
    static const char *const texts[] = {"Variant", "OsVersion"};
    json_t *config = json_object_get(document, "Config");

    for (size_t i = 0; json_object_get(document, "RootFS") && i < sizeof texts / sizeof *texts; i++)
        if (!json_object_get(document, texts[i]))
            json_put_str(document, texts[i], "");
    for (size_t i = 0; config && i < sizeof nil / sizeof *nil; i++)
        if (!json_object_get(config, nil[i]))
            json_put(config, nil[i], json_null());
}

static int print_document(const char *format, const json_t *document, struct err *err)
{
    cleanup_json json_t *known = json_deep_copy(document);

    add_known(known);
    return format_document(format, known, err);
}

/* With a template each object is printed as it is found; without, all of them are one array. */
static int inspect_all(struct cli *cli, const char *type)
{
    const char *format = options_one(&cli->options, "format");
    cleanup_json json_t *all = json_array();
    struct err errors[1] = {0};
    int code = 0, printed = 0;

    for (size_t i = 0; i < cli->options.arg_count; i++) {
        const char *name = cli->options.args[i];
        struct err err = {0};
        json_t *document = NULL;

        if (inspect_one(cli, name, type, &document, &err) < 0) {
            code = EXIT_FAILURE;
            if (!format && cli->options.arg_count == 1)
                errors[0] = err;
            else
                fail_one(cli, name, *type, &err);
            continue;
        }
        json_push(all, document);
        if (format && print_document(format, document, &err) < 0)
            return cli_fail(cli, &err);
        omit_empty(document);
        printed++;
    }
    if (!format) {
        cleanup_free char *text = json_text(all, JSON_INDENT(4));

        puts(text);
    } else if (!printed) {
        puts("");
    }
    if (errors[0].code)
        fail_one(cli, cli->options.args[0], *type, &errors[0]);
    return code;
}

static int inspect(struct cli *cli, const char *type)
{
    struct err err = {0};

    if (format_check(options_one(&cli->options, "format"), &err) < 0)
        return cli_fail(cli, &err);
    if (cli_engine(cli, &err) < 0)
        return cli_engine_fail(cli, &err);
    return inspect_all(cli, type);
}

static int cmd_inspect(struct cli *cli)
{
    const char *type = options_one(&cli->options, "type");
    struct err err = {0};

    for (size_t i = 0; type && i < KINDS; i++)
        if (!strcmp(type, kinds[i].type))
            return inspect(cli, type);
    if (!type)
        return inspect(cli, "");
    err_set(&err, EINVAL,
            "unknown type: \"%s\": must be one of \"container\", \"image\", \"network\", "
            "\"volume\"",
            type);
    return cli_fail(cli, &err);
}

static int cmd_container_inspect(struct cli *cli)
{
    return inspect(cli, "container");
}

static int cmd_image_inspect(struct cli *cli)
{
    return inspect(cli, "image");
}

static int cmd_volume_inspect(struct cli *cli)
{
    return inspect(cli, "volume");
}

const struct command command_inspect = {
    .paths = {"inspect"},
    .arguments = "[OPTIONS] NAME|ID [NAME|ID...]",
    .summary = "Return low-level information on containers, images, networks and volumes",
    .flags = inspect_flags,
    .min_args = 1,
    .max_args = -1,
    .run = cmd_inspect,
};

const struct command command_container_inspect = {
    .paths = {"container inspect"},
    .arguments = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Display detailed information on one or more containers",
    .flags = container_inspect_flags,
    .min_args = 1,
    .max_args = -1,
    .run = cmd_container_inspect,
};

const struct command command_image_inspect = {
    .paths = {"image inspect"},
    .arguments = "[OPTIONS] IMAGE [IMAGE...]",
    .summary = "Display detailed information on one or more images",
    .flags = image_inspect_flags,
    .min_args = 1,
    .max_args = -1,
    .run = cmd_image_inspect,
};

const struct command command_volume_inspect = {
    .paths = {"volume inspect"},
    .arguments = "[OPTIONS] VOLUME [VOLUME...]",
    .summary = "Display detailed information on one or more volumes",
    .flags = volume_inspect_flags,
    .min_args = 1,
    .max_args = -1,
    .run = cmd_volume_inspect,
};
