/* The rows of build and builder prune; cooper-image has their functions (cmd_build.c). */
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/forward.h"
#include "cli/resources.h"

static const struct flag build_flags[] = {
    RESOURCE_FLAGS,
    {0, "add-host", FLAG_LIST, "list", value_check_host, NULL,
     .help = "Add a custom host-to-IP mapping (host:ip)"},
    {0, "allow", FLAG_LIST, "list", NULL, NULL,
     .help = "Allow extra privileges to steps: network.host, security.insecure"},
    {0, "build-arg", FLAG_LIST, "list", value_check_env, NULL, .help = "Set build-time variables"},
    {0, "cache-from", FLAG_LIST, "list", NULL, NULL,
     .help = "Images whose layers may stand for steps"},
    {0, "cgroup-parent", FLAG_ONE, "string", NULL, NULL,
     .help = "Set the parent cgroup for the RUN instructions during build"},
    {0, "check", .help = "Only say what is wrong or doubtful in the Dockerfile"},
    {0, "compress", .help = "Accepted for docker's sake: nothing is sent anywhere"},
    {'f', "file", FLAG_ONE, "string", NULL, NULL,
     .help = "Name of the Dockerfile (default \"PATH/Dockerfile\")"},
    {0, "force-rm", .help = "Accepted for docker's sake: containers of steps are always removed"},
    {0, "iidfile", FLAG_ONE, "string", NULL, NULL, .help = "Write the image ID to the file"},
    {0, "label", FLAG_LIST, "list", value_check_label, NULL, .help = "Set metadata for an image"},
    {0, "network", FLAG_ONE, "string", NULL, "default",
     .help = "Set the networking mode for the RUN instructions during build"},
    {0, "no-cache", .help = "Do not use cache when building the image"},
    {0, "no-cache-filter", FLAG_LIST, "list", NULL, NULL, .help = "Do not cache specified stages"},
    {0, "platform", FLAG_ONE, "string", NULL, NULL, .help = "Set target platform for build"},
    {0, "progress", FLAG_ONE, "string", NULL, "auto",
     .help = "Set type of progress output (\"auto\", \"plain\", \"tty\", \"quiet\")"},
    {0, "pull", .help = "Always attempt to pull all referenced images"},
    {'q', "quiet", .help = "Suppress the build output and print image ID on success"},
    {0, "rm", FLAG_BOOL, NULL, NULL, "true",
     .help = "Accepted for docker's sake: containers of steps are always removed"},
    {0, "secret", FLAG_LIST, "list", NULL, NULL,
     .help = "Secret to expose to the build: id=mysecret[,src=/local/secret|,env=VAR]"},
    {0, "security-opt", FLAG_LIST, "list", NULL, NULL, .help = "Security options"},
    {0, "shell-on-fail", .help = "When a RUN fails, start a shell in its files"},
    {0, "shm-size", FLAG_ONE, "bytes", value_check_bytes, NULL,
     .help = "Shared memory size for RUN instructions"},
    {0, "squash", .help = "Squash newly built layers into a single new layer"},
    {0, "ssh", FLAG_LIST, "list", NULL, NULL,
     .help = "SSH agent socket to expose to the build: default|<id>[=<socket>]"},
    {'t', "tag", FLAG_LIST, "list", value_check_tag, NULL,
     .help = "Name and optionally a tag (name:tag)"},
    {0, "target", FLAG_ONE, "string", NULL, NULL, .help = "Set the target build stage to build"},
    {0, "ulimit", FLAG_LIST, "ulimit", value_check_ulimit, NULL, .help = "Ulimit options"},
    {0, "verify", .help = "Build twice and compare: is it reproducible?"},
    {0, "why", .help = "For each step that is not in the cache, say what changed"},
    FLAGS_END,
};

static const struct flag prune_flags[] = {
    {'a', "all", .help = "Remove all unused build cache, not just dangling ones"},
    PRUNE_FLAGS("Provide filter values (e.g., \"until=24h\")"),
    {0, "keep-storage", FLAG_ONE, "bytes", value_check_bytes, NULL,
     .help = "Amount of disk space to keep for cache"},
    FLAGS_END,
};

const struct command command_build = {
    .paths = {"image build", "builder build", "build"},
    .arguments = "[OPTIONS] PATH | URL | -",
    .summary = "Build an image from a Dockerfile",
    .flags = build_flags,
    .min_args = 1,
    .max_args = 1,
    .common = true,
    .run = forward_command,
};

const struct command command_builder_prune = {
    .paths = {"builder prune"},
    .arguments = "[OPTIONS]",
    .summary = "Remove build cache",
    .flags = prune_flags,
    .run = forward_command,
};
