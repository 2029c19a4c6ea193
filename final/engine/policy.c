/* policy.c - the restart policy: which there are, and what may be said of them. What it does is in
 * shim/restart.c. */
#include <string.h>

#include "base/json.h"
#include "engine/internal.h"

int policy_check(json_t *host, struct err *err)
{
    const char *name = json_str(host, "RestartPolicy.Name", "");
    long long most = json_int(host, "RestartPolicy.MaximumRetryCount", 0);

    if (!*name) {
        json_t *policy = json_object();

        json_put_str(policy, "Name", "no");
        json_put(policy, "MaximumRetryCount", json_integer(0));
        json_put(host, "RestartPolicy", policy);
        return 0;
    }
    if (!strcmp(name, "always") || !strcmp(name, "unless-stopped") || !strcmp(name, "no")) {
        if (most)
            return err_set(err, EINVAL,
                           "maximum retry count cannot be used with restart policy '%s'", name);
    } else if (strcmp(name, "on-failure")) {
        return err_set(err, EINVAL, "invalid restart policy '%s'", name);
    } else if (most < 0) {
        return err_set(err, EINVAL, "maximum retry count cannot be negative");
    }
    if (strcmp(name, "no") && json_flag(host, "AutoRemove", false))
        return err_set(err, EINVAL, "can't create 'AutoRemove' container with restart policy");
    return 0;
}
