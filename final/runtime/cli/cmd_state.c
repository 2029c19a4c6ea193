/* state and list. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/container.h"

/* runc's document: OCI's members and some more, in its order. */
static json_t *describe(const struct container *c, const char *owner)
{
    enum state_status status = container_status(c);
    json_t *document = json_object();

    json_put_str(document, "ociVersion", STATE_OCI_VERSION);
    json_put_str(document, "id", c->state.id);
    json_put(document, "pid", json_integer(status == STATE_STOPPED ? 0 : c->state.init.pid));
    json_put_str(document, "status", state_status_name(status));
    json_put_str(document, "bundle", c->state.bundle);
    json_put_str(document, "rootfs", c->state.rootfs);
    json_put_str(document, "created", c->state.created);
    if (json_object_size(c->state.annotations))
        json_put(document, "annotations", json_incref(c->state.annotations));
    json_put_str(document, "owner", owner);
    return document;
}

static const struct flag state_flags[] = {
    {'f', "format", FLAG_TEXT, "json", "the only format there is: json"},
    FLAGS_END,
};

static int cmd_state(struct cli *cli)
{
    cleanup_container struct container c = CONTAINER_NONE;
    cleanup_json json_t *document = NULL;
    cleanup_free char *text = NULL;
    struct err err = {0};

    if (strcmp(args_text(&cli->args, "format"), "json"))
        err_set(&err, EINVAL, "invalid format option");
    if (err.code || container_open(cli, cli->args.rest[0], &c, &err) < 0)
        return cli_fail(NULL, &err);
    document = describe(&c, "");
    text = json_text(document, JSON_INDENT(2));
    printf("%s\n", text);
    return 0;
}

const struct command command_state = {
    .name = "state",
    .arguments = "<container-id>",
    .summary = "output the state of a container",
    .flags = state_flags,
    .min = 1,
    .max = 1,
    .run = cmd_state,
};

/* --- list ------------------------------------------------------------------------------------- */

static const struct flag list_flags[] = {
    {'f', "format", FLAG_TEXT, "table", "select one of: table or json"},
    {'q', "quiet", FLAG_BOOL, NULL, "display only container IDs"},
    FLAGS_END,
};

/* The owner of the state directory by name: from the file, because a static program has no NSS. */
static char *owner_of(int dir)
{
    cleanup_fclose FILE *passwd = fopen("/etc/passwd", "re");
    char line[1024], name[256];
    unsigned uid;
    struct stat st;

    if (fstat(dir, &st) < 0)
        return str_copy("?");
    while (passwd && fgets(line, sizeof line, passwd))
        if (sscanf(line, "%255[^:]:%*[^:]:%u:", name, &uid) == 2 && uid == st.st_uid)
            return str_copy(name);
    return str_format("#%u", st.st_uid);
}

/* What goes while we look, or has no record yet, is not there. */
static json_t *list_all(const struct cli *cli, struct err *err)
{
    cleanup_strv struct strv ids = {0};
    struct err ignored = {0};
    json_t *list;

    if (container_match(cli, NULL, &ids, err) < 0)
        return NULL;
    list = json_array();
    for (size_t i = 0; i < ids.len; i++) {
        cleanup_container struct container c = CONTAINER_NONE;

        if (!container_open(cli, ids.items[i], &c, &ignored)) {
            cleanup_free char *owner = owner_of(c.dir);

            json_push(list, describe(&c, owner));
        }
    }
    return list;
}

struct column {
    const char *title, *member;
    int width;
};

static const char *cell(const json_t *row, const struct column *column, char number[24])
{
    const json_t *value = json_object_get(row, column->member);

    if (json_is_string(value))
        return json_string_value(value);
    snprintf(number, 24, "%lld", (long long)json_integer_value(value));
    return number;
}

/* Go's tabwriter with minimal width 12, padding 3. */
static void print_table(const json_t *list)
{
    struct column columns[] = {{"ID", "id", 9},           {"PID", "pid", 9},
                               {"STATUS", "status", 9},   {"BUNDLE", "bundle", 9},
                               {"CREATED", "created", 9}, {"OWNER", "owner", 0}};
    size_t count = sizeof columns / sizeof *columns, i;
    char number[24];
    json_t *row;

    json_array_foreach(list, i, row) for (size_t k = 0; k + 1 < count; k++)
    {
        int width = (int)strlen(cell(row, &columns[k], number));

        columns[k].width = width > columns[k].width ? width : columns[k].width;
    }
    for (size_t k = 0; k < count; k++)
        printf(k + 1 < count ? "%-*s" : "%.*s\n", k + 1 < count ? columns[k].width + 3 : 64,
               columns[k].title);
    json_array_foreach(list, i, row) for (size_t k = 0; k < count; k++)
        printf(k + 1 < count ? "%-*s" : "%.*s\n", k + 1 < count ? columns[k].width + 3 : 64,
               cell(row, &columns[k], number));
}

static int cmd_list(struct cli *cli)
{
    const char *format = args_text(&cli->args, "format");
    struct err err = {0};
    cleanup_json json_t *list = list_all(cli, &err);
    json_t *row;
    size_t i;

    if (!list)
        return cli_fail(NULL, &err);
    if (args_flag(&cli->args, "quiet")) {
        json_array_foreach(list, i, row) printf("%s\n", json_str(row, "id", ""));
    } else if (!strcmp(format, "table")) {
        print_table(list);
    } else if (!strcmp(format, "json")) {
        cleanup_free char *text = json_text(list, JSON_COMPACT);

        printf("%s\n", text);
    } else {
        err_set(&err, EINVAL, "invalid format option");
        return cli_fail(NULL, &err);
    }
    return 0;
}

const struct command command_list = {
    .name = "list",
    .arguments = "",
    .summary = "lists containers started with the given root",
    .flags = list_flags,
    .max = 0,
    .run = cmd_list,
};
