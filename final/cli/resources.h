/* resources.h - the limits that run, create and update have in common: rows for their tables of
 * flags, and the members of HostConfig they are. */
#pragma once

#include "cli/members.h"
#include "cli/values.h"

#define RESOURCE_FLAGS                                                                             \
    {0,                                                                                            \
     "blkio-weight",                                                                               \
     FLAG_ONE,                                                                                     \
     "uint16",                                                                                     \
     value_check_uint16,                                                                           \
     NULL,                                                                                         \
     .help = "Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)"},      \
        {0,                                                                                        \
         "cpu-period",                                                                             \
         FLAG_ONE,                                                                                 \
         "int",                                                                                    \
         value_check_int,                                                                          \
         NULL,                                                                                     \
         .help = "Limit CPU CFS (Completely Fair Scheduler) period"},                              \
        {0,                                                                                        \
         "cpu-quota",                                                                              \
         FLAG_ONE,                                                                                 \
         "int",                                                                                    \
         value_check_int,                                                                          \
         NULL,                                                                                     \
         .help = "Limit CPU CFS (Completely Fair Scheduler) quota"},                               \
        {0,                                                                                        \
         "cpu-rt-period",                                                                          \
         FLAG_ONE,                                                                                 \
         "int",                                                                                    \
         value_check_int,                                                                          \
         NULL,                                                                                     \
         .help = "Limit CPU real-time period in microseconds"},                                    \
        {0,                                                                                        \
         "cpu-rt-runtime",                                                                         \
         FLAG_ONE,                                                                                 \
         "int",                                                                                    \
         value_check_int,                                                                          \
         NULL,                                                                                     \
         .help = "Limit CPU real-time runtime in microseconds"},                                   \
        {'c',                                                                                      \
         "cpu-shares",                                                                             \
         FLAG_ONE,                                                                                 \
         "int",                                                                                    \
         value_check_int,                                                                          \
         NULL,                                                                                     \
         .help = "CPU shares (relative weight)"},                                                  \
        {0, "cpus", FLAG_ONE, "decimal", value_check_cpus, NULL, .help = "Number of CPUs"},        \
        {0,                                                                                        \
         "cpuset-cpus",                                                                            \
         FLAG_ONE,                                                                                 \
         "string",                                                                                 \
         NULL,                                                                                     \
         NULL,                                                                                     \
         .help = "CPUs in which to allow execution (0-3, 0,1)"},                                   \
        {0,                                                                                        \
         "cpuset-mems",                                                                            \
         FLAG_ONE,                                                                                 \
         "string",                                                                                 \
         NULL,                                                                                     \
         NULL,                                                                                     \
         .help = "MEMs in which to allow execution (0-3, 0,1)"},                                   \
        {'m', "memory", FLAG_ONE, "bytes", value_check_bytes, NULL, .help = "Memory limit"},       \
        {0,    "memory-reservation",       FLAG_ONE, "bytes", value_check_bytes,                   \
         NULL, .help = "Memory soft limit"},                                                       \
        {0,                                                                                        \
         "memory-swap",                                                                            \
         FLAG_ONE,                                                                                 \
         "bytes",                                                                                  \
         value_check_swap,                                                                         \
         NULL,                                                                                     \
         .help = "Swap limit equal to memory plus swap: '-1' to enable unlimited swap"},           \
    {                                                                                              \
        0, "pids-limit", FLAG_ONE, "int", value_check_int, NULL,                                   \
            .help = "Tune container pids limit (set -1 for unlimited)"                             \
    }

extern const struct member resource_members[];
