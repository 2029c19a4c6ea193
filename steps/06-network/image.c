/* An OCI layout is a directory of files that point to each other by digest: index.json names a
 * manifest, the manifest a configuration and the layers. So one digest stands for all of it, down
 * to the last byte of the last layer. */
#include "image.h"

#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "die.h"
#include "layer.h"

enum { MOST_JSON = 4 << 20 }; /* what registries take as well */

static const char *user;

const struct option_row image_options[] = {{"user", "NAME|UID[:GROUP|GID]", &user},
                                           {NULL, NULL, NULL}};

static json_t *parse(int fd, const char *what)
{
    char *text = malloc(MOST_JSON);
    ssize_t n, len = 0;
    json_error_t error;
    json_t *json;

    while ((n = read(fd, text + len, MOST_JSON - len)) > 0)
        len += n;
    json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        die(NULL, "%s is not JSON of at most 4 MiB: line %d: %s", what, error.line, error.text);
    free(text);
    close(fd);
    return json;
}

struct descriptor {
    const char *digest;
    json_int_t size;
};

static struct descriptor describe(json_t *json)
{
    struct descriptor it;
    json_error_t error;

    if (json_unpack_ex(json, &error, 0, "{s:s, s:I}", "digest", &it.digest, "size", &it.size) < 0)
        die(NULL, "a descriptor in the image is not complete: %s", error.text);
    return it;
}

/* The JSON that a descriptor leads to. */
static json_t *follow(const char *layout, json_t *json)
{
    struct descriptor it = describe(json);

    return parse(layer_open_blob(layout, it.digest, it.size), it.digest);
}

static json_t *find_manifest(const char *layout, const char *tag)
{
    char path[PATH_MAX];
    json_t *index, *manifest;
    size_t i;
    int fd;

    snprintf(path, sizeof path, "%s/index.json", layout);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO would keep us waiting */
    if (fd < 0)
        die("an OCI layout is a directory with an index.json", "cannot open '%s': %m", path);
    index = parse(fd, path);
    json_array_foreach(json_object_get(index, "manifests"), i, manifest)
    {
        const char *name = "";

        json_unpack(manifest, "{s:{s:s}}", "annotations", "org.opencontainers.image.ref.name",
                    &name);
        if (!tag || !strcmp(name, tag))
            return follow(layout, manifest);
    }
    die("index.json tells what is in it", "there is no image '%s' in '%s'", tag ? tag : "", layout);
}

/* The manifest lists the layers from the bottom up; overlay_mount() wants the topmost first. A
 * layer that is there twice counts where it is higher: what it has there hides what it has below,
 * and overlayfs takes no directory twice. */
static char *unpack_layers(const char *layout, json_t *layers)
{
    char *lowers = NULL, *path;

    for (size_t i = json_array_size(layers); i-- > 0;) {
        struct descriptor it = describe(json_array_get(layers, i));

        path = layer_unpack(layout, it.digest, it.size);
        if (!lowers)
            lowers = path;
        else if (!strstr(lowers, path) && asprintf(&lowers, "%s:%s", lowers, path) < 0)
            die(NULL, "there is no memory left");
    }
    if (!lowers)
        die(NULL, "the image '%s' has no layers", layout);
    return lowers;
}

/* A list of the strings of `array`, which may be NULL, with room for some more. */
static char **strings(json_t *array, size_t more)
{
    char **list = calloc(json_array_size(array) + more + 1, sizeof *list);
    json_t *string;
    size_t i;

    json_array_foreach(array, i, string) list[i] =
        strdup(json_is_string(string) ? json_string_value(string) : "");
    return list;
}

/* What stands on the command line takes the place of Cmd, and Entrypoint comes before either. */
static char **join(json_t *entrypoint, json_t *cmd, char **args)
{
    char **given = *args ? args : strings(cmd, 0), **command;
    size_t count = 0;

    while (given[count])
        count++;
    command = strings(entrypoint, count);
    memcpy(command + json_array_size(entrypoint), given, count * sizeof *given);
    return command;
}

static struct image open_layout(char *name, char **args)
{
    const char *layout = strsep(&name, ":");
    json_t *config, *layers, *entrypoint = NULL, *cmd = NULL, *env = NULL;
    struct image image = {.directory = "/", .user = ""};
    json_error_t error;

    if (json_unpack_ex(find_manifest(layout, name), &error, 0, "{s:o, s:o}", "config", &config,
                       "layers", &layers) < 0 ||
        json_unpack_ex(follow(layout, config), &error, 0, "{s?{s?o, s?o, s?o, s?s, s?s}}", "config",
                       "Entrypoint", &entrypoint, "Cmd", &cmd, "Env", &env, "WorkingDir",
                       &image.directory, "User", &image.user) < 0)
        die(NULL, "the image in '%s' is not what the specification says: %s", layout, error.text);
    if (!*image.directory)
        image.directory = "/";
    image.lowers = unpack_layers(layout, layers);
    image.command = join(entrypoint, cmd, args);
    image.environment = strings(env, 1);
    return image;
}

struct image image_open(char **args)
{
    struct image image = {args[0], args + 1, command_environment, "/", ""};

    if (!strncmp(args[0], "oci:", strlen("oci:")))
        image = open_layout(args[0] + strlen("oci:"), args + 1);
    if (user)
        image.user = user;
    if (!image.command[0])
        die("write it behind the name; an image is called oci:LAYOUT",
            "there is no command to run in '%s'", args[0]);
    return image;
}
