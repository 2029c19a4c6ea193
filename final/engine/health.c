/* health.c - what a health check may be told. The checks themselves: shim/health.c. */
#include "base/json.h"
#include "engine/internal.h"

int health_check(const json_t *config, struct err *err)
{
    static const char *const times[] = {"Interval", "Timeout", "StartPeriod", "StartInterval"};
    const json_t *check = json_object_get(config, "Healthcheck");

    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        long long ns = json_int(check, times[i], 0);

        if (ns && ns < 1000000)
            return err_set(err, EINVAL, "%s in Healthcheck cannot be less than 1ms", times[i]);
    }
    if (json_int(check, "Retries", 0) < 0)
        return err_set(err, EINVAL, "Retries in Healthcheck cannot be negative");
    return 0;
}
