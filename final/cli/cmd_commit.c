/* commit, in the program cooper-image. */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "build/build.h"
#include "cli/commands.h"
#include "cli/values.h"

/* The container's configuration with the changes applied. */
static int change_config(struct cli *cli, const struct container *c, json_t **ret, struct err *err)
{
    json_t *config = json_object_get(c->config, "Config");

    *ret = config ? json_deep_copy(config) : json_object();
    return changes_apply(*ret, options_list(&cli->options, "change"), err);
}

int cmd_commit(struct cli *cli)
{
    const struct options *o = &cli->options;
    struct commit_request request = {.reference = o->args[1] && *o->args[1] ? o->args[1] : NULL,
                                     .author = options_one(o, "author"),
                                     .message = options_one(o, "message"),
                                     .pause =
                                         options_flag(o, "pause") && !options_flag(o, "no-pause")};
    cleanup_json json_t *config = NULL;
    char id[DIGEST_LEN + 1];
    struct err err = {0};
    struct container c;
    int r;

    if (request.reference && value_check_image(request.reference, &err) < 0)
        return cli_fail(cli, &err);
    if (cli_engine(cli, &err) < 0 || engine_find(cli->engine, o->args[0], &c, &err) < 0)
        return cli_engine_fail(cli, &err);
    r = change_config(cli, &c, &config, &err);
    request.config = config;
    if (r >= 0)
        r = engine_commit(cli->engine, &c, &request, id, &err);
    container_free(&c);
    if (r < 0)
        return cli_engine_fail(cli, &err);
    puts(id);
    return 0;
}
