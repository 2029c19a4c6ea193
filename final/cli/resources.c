#include "cli/resources.h"

const struct member resource_members[] = {
    {"blkio-weight", "BlkioWeight", MEMBER_INT},
    {"cpu-shares", "CpuShares", MEMBER_INT},
    {"memory", "Memory", MEMBER_BYTES},
    {"cpus", "NanoCpus", MEMBER_CPUS},
    {"cpu-period", "CpuPeriod", MEMBER_INT},
    {"cpu-quota", "CpuQuota", MEMBER_INT},
    {"cpu-rt-period", "CpuRealtimePeriod", MEMBER_INT},
    {"cpu-rt-runtime", "CpuRealtimeRuntime", MEMBER_INT},
    {"cpuset-cpus", "CpusetCpus", MEMBER_TEXT},
    {"cpuset-mems", "CpusetMems", MEMBER_TEXT},
    {"memory-reservation", "MemoryReservation", MEMBER_BYTES},
    {"memory-swap", "MemorySwap", MEMBER_BYTES},
    {"pids-limit", "PidsLimit", MEMBER_INT},
    MEMBERS_END,
};
