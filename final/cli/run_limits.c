/* The rules that tie limits to each other and to the machine, in docker's words. */
#include <stdint.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "base/json.h"
#include "cli/run_options.h"

#define MEMORY_MIN (6 << 20)

static int check_memory(const json_t *host, struct err *err)
{
    long long memory = json_int(host, "Memory", 0), swap = json_int(host, "MemorySwap", 0);
    long long reservation = json_int(host, "MemoryReservation", 0);

    if (memory && memory < MEMORY_MIN)
        return run_daemon_error(err, "Minimum memory limit allowed is 6MB");
    if (swap > 0 && !memory)
        return run_daemon_error(
            err, "You should always set the Memory limit when using Memoryswap limit, see usage");
    if (memory && swap > 0 && swap < memory)
        return run_daemon_error(
            err, "Minimum memoryswap limit should be larger than memory limit, see usage");
    if (reservation && reservation < MEMORY_MIN)
        return run_daemon_error(err, "Minimum memory reservation allowed is 6MB");
    if (memory && reservation > memory)
        return run_daemon_error(
            err, "Minimum memory limit can not be less than memory reservation limit, see usage");
    return 0;
}

static int check_cpus(const json_t *host, struct err *err)
{
    long long nano = json_int(host, "NanoCpus", 0), period = json_int(host, "CpuPeriod", 0);
    long long quota = json_int(host, "CpuQuota", 0), shares = json_int(host, "CpuShares", 0);

    if (nano && period)
        return run_daemon_error(err,
                                "Conflicting options: Nano CPUs and CPU Period cannot both be set");
    if (nano && quota)
        return run_daemon_error(err,
                                "Conflicting options: Nano CPUs and CPU Quota cannot both be set");
    if (nano && (nano < 10000000 || nano > get_nprocs() * 1000000000LL))
        return run_daemon_error(
            err, "Range of CPUs is from 0.01 to %d.00, as there are only %d CPUs available",
            get_nprocs(), get_nprocs());
    if (period && (period < 1000 || period > 1000000))
        return run_daemon_error(
            err, "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. "
                 "1000000)");
    if (quota > 0 && quota < 1000)
        return run_daemon_error(err, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
    if (shares < 0 || (shares > 0 && shares < 2) || shares > 262144)
        return run_daemon_error(
            err, "invalid CPU shares (%lld): value must be between 2 and 262144", shares);
    return 0;
}

/* "0-3,5": at most 8192 is named, so that a hostile "0-4294967295" is refused at once
 * (CVE-2018-20699). */
static bool valid_cpuset(const char *text)
{
    while (*text) {
        long long from = 0, to;
        size_t digits = strspn(text, "0123456789");

        for (size_t i = 0; i < digits && from <= 8192; i++)
            from = from * 10 + (text[i] - '0');
        text += digits;
        to = from;
        if (digits && *text == '-') {
            size_t more = strspn(++text, "0123456789");

            to = more ? 0 : -1;
            for (size_t i = 0; i < more && to <= 8192; i++)
                to = to * 10 + (text[i] - '0');
            text += more;
        }
        if (!digits || to < from || to > 8192 || (*text && (*text != ',' || !text[1])))
            return false;
        text += *text == ',';
    }
    return true;
}

int run_limits_check(const json_t *host, struct err *err)
{
    const char *cpus = json_str(host, "CpusetCpus", ""), *mems = json_str(host, "CpusetMems", "");
    long long score = json_int(host, "OomScoreAdj", 0);

    if (check_memory(host, err) < 0 || check_cpus(host, err) < 0)
        return -err->code;
    if (!valid_cpuset(cpus))
        return run_daemon_error(err, "Invalid value %s for cpuset cpus", cpus);
    if (!valid_cpuset(mems))
        return run_daemon_error(err, "Invalid value %s for cpuset mems", mems);
    if (score < -1000 || score > 1000)
        return run_daemon_error(err, "Invalid value %lld, range for oom score adj is [-1000, 1000]",
                                score);
    if (json_int(host, "PidsLimit", 0) < -1)
        return run_daemon_error(err, "Invalid pids limit %lld: a number, or -1 for none",
                                json_int(host, "PidsLimit", 0));
    return 0;
}
