/* The flags of `run` and `create`, one table each over the same rows: only what the engine really does. */
#include "cli/run_options.h"

#include "cli/values.h"

#define CONTAINER_FLAGS                                                                            \
    {0, "add-host", FLAG_LIST, "list", value_check_host, NULL,                                     \
     "Add a custom host-to-IP mapping (host:ip)"},                                                 \
    {0, "cap-add", FLAG_LIST, "list", NULL, NULL, "Add Linux capabilities"},                       \
    {0, "cap-drop", FLAG_LIST, "list", NULL, NULL, "Drop Linux capabilities"},                     \
    {0, "cidfile", FLAG_ONE, "string", NULL, NULL, "Write the container ID to the file"},          \
    {0, "cpu-period", FLAG_ONE, "int", value_check_int, NULL,                                      \
     "Limit CPU CFS (Completely Fair Scheduler) period"},                                          \
    {0, "cpu-quota", FLAG_ONE, "int", value_check_int, NULL,                                       \
     "Limit CPU CFS (Completely Fair Scheduler) quota"},                                           \
    {'c', "cpu-shares", FLAG_ONE, "int", value_check_int, NULL, "CPU shares (relative weight)"},   \
    {0, "cpus", FLAG_ONE, "decimal", value_check_cpus, NULL, "Number of CPUs"},                    \
    {0, "cpuset-cpus", FLAG_ONE, "string", NULL, NULL,                                             \
     "CPUs in which to allow execution (0-3, 0,1)"},                                               \
    {0, "cpuset-mems", FLAG_ONE, "string", NULL, NULL,                                             \
     "MEMs in which to allow execution (0-3, 0,1)"},                                               \
    {0, "device", FLAG_LIST, "list", NULL, NULL, "Add a host device to the container"},            \
    {0, "domainname", FLAG_ONE, "string", NULL, NULL, "Container NIS domain name"},                \
    {0, "entrypoint", FLAG_ONE, "string", NULL, NULL,                                              \
     "Overwrite the default ENTRYPOINT of the image"},                                             \
    {'e', "env", FLAG_LIST, "list", value_check_env, NULL, "Set environment variables"},           \
    {0, "env-file", FLAG_LIST, "list", NULL, NULL, "Read in a file of environment variables"},     \
    {0, "group-add", FLAG_LIST, "list", NULL, NULL, "Add additional groups to join"},              \
    {0, "help", .help = "Print usage"},                                                            \
    {'h', "hostname", FLAG_ONE, "string", value_check_hostname, NULL, "Container host name"},      \
    {0, "init",                                                                                    \
     .help = "Run an init inside the container that forwards signals and reaps processes"},        \
    {'i', "interactive", .help = "Keep STDIN open even if not attached"},                          \
    {'l', "label", FLAG_LIST, "list", value_check_label, NULL, "Set meta data on a container"},    \
    {0, "label-file", FLAG_LIST, "list", NULL, NULL, "Read in a line delimited file of labels"},   \
    {0, "log-driver", FLAG_ONE, "string", NULL, NULL, "Logging driver for the container"},         \
    {0, "log-opt", FLAG_LIST, "list", NULL, NULL, "Log driver options"},                           \
    {'m', "memory", FLAG_ONE, "bytes", value_check_bytes, NULL, "Memory limit"},                   \
    {0, "memory-reservation", FLAG_ONE, "bytes", value_check_bytes, NULL, "Memory soft limit"},    \
    {0, "memory-swap", FLAG_ONE, "bytes", value_check_swap, NULL,                                  \
     "Swap limit equal to memory plus swap: '-1' to enable unlimited swap"},                       \
    {0, "name", FLAG_ONE, "string", NULL, NULL, "Assign a name to the container"},                 \
    {0, "net", FLAG_ONE, "network", .alias_of = "network"},                                        \
    {0, "network", FLAG_ONE, "network", NULL, NULL, "Connect a container to a network"},           \
    {0, "oom-score-adj", FLAG_ONE, "int", value_check_int, NULL,                                   \
     "Tune host's OOM preferences (-1000 to 1000)"},                                               \
    {0, "pids-limit", FLAG_ONE, "int", value_check_int, NULL,                                      \
     "Tune container pids limit (set -1 for unlimited)"},                                          \
    {0, "platform", FLAG_ONE, "string", NULL, NULL, "Set platform of the image to pull"},          \
    {0, "privileged", .help = "Give extended privileges to this container"},                       \
    {0, "pull", FLAG_ONE, "string", NULL, "missing",                                               \
     "Pull image before running (\"always\", \"missing\", \"never\")"},                            \
    {'q', "quiet", .help = "Suppress the pull output"},                                            \
    {0, "read-only", .help = "Mount the container's root filesystem as read only"},                \
    {0, "rm",                                                                                      \
     .help = "Automatically remove the container and its associated anonymous volumes when it "    \
             "exits"},                                                                             \
    {0, "security-opt", FLAG_LIST, "list", NULL, NULL, "Security Options"},                        \
    {0, "shm-size", FLAG_ONE, "bytes", value_check_bytes, NULL, "Size of /dev/shm"},               \
    {0, "stop-signal", FLAG_ONE, "string", value_check_signal, NULL,                               \
     "Signal to stop the container"},                                                              \
    {0, "stop-timeout", FLAG_ONE, "int", value_check_int, NULL,                                    \
     "Timeout (in seconds) to stop a container"},                                                  \
    {0, "sysctl", FLAG_LIST, "map", value_check_sysctl, NULL, "Sysctl options"},                   \
    {0, "tmpfs", FLAG_LIST, "list", NULL, NULL, "Mount a tmpfs directory"},                        \
    {'t', "tty", .help = "Allocate a pseudo-TTY"},                                                 \
    {0, "ulimit", FLAG_LIST, "ulimit", value_check_ulimit, NULL, "Ulimit options"},                \
    {'u', "user", FLAG_ONE, "string", value_check_user, NULL,                                      \
     "Username or UID (format: <name|uid>[:<group|gid>])"},                                        \
    {'v', "volume", FLAG_LIST, "list", NULL, NULL, "Bind mount a volume"},                         \
    {'w', "workdir", FLAG_ONE, "string", NULL, NULL, "Working directory inside the container"}

const struct flag run_flags[] = {
    CONTAINER_FLAGS,
    {'d', "detach", .help = "Run container in background and print container ID"},
    {0, "detach-keys", FLAG_ONE, "string", NULL, NULL,
     "Override the key sequence for detaching a container"},
    {0, "sig-proxy", FLAG_BOOL, NULL, NULL, "true", "Proxy received signals to the process"},
    FLAGS_END,
};

const struct flag create_flags[] = {CONTAINER_FLAGS, FLAGS_END};
