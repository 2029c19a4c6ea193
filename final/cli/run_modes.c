/* --pid, --ipc, --uts, --userns, --cgroupns: what docker's command line itself finds wrong. */
#include <string.h>

#include "base/json.h"
#include "cli/run_options.h"

static const struct {
    const char *flag, *member, *error;
    const char *words[3];
    bool container; /* "container:NAME" */
} modes[] = {
    {"pid", "PidMode", "--pid: invalid PID mode", {"", "host", NULL}, true},
    {"uts", "UTSMode", "--uts: invalid UTS mode", {"", "host", NULL}, false},
    {"userns", "UsernsMode", "--userns: invalid USER mode", {"", "host", NULL}, false},
    {"cgroupns",
     "CgroupnsMode",
     "--cgroupns: invalid CGROUP mode",
     {"private", "host", NULL},
     false},
};

static bool is_container(const char *mode)
{
    return str_starts(mode, "container:") && mode[strlen("container:")];
}

int run_modes_build(const struct options *o, json_t *host, struct err *err)
{
    const char *ipc = options_one(o, "ipc");

    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        const char *mode = options_one(o, modes[i].flag);
        const char *const *word = modes[i].words;

        if (!mode)
            mode = modes[i].words[0];
        while (*word && strcmp(*word, mode))
            word++;
        if (!*word && !(modes[i].container && is_container(mode)))
            return err_set(err, EINVAL, "%s", modes[i].error);
        json_put_str(host, modes[i].member, mode);
    }
    json_put_str(host, "IpcMode", ipc && *ipc ? ipc : "private");
    return 0;
}
