/* flags.h - rows of the tables of flags that several commands have, so that all say the same.
 * (RESOURCE_FLAGS: resources.h) */
#pragma once

#include "cli/options.h"
#include "cli/values.h"

#define FORMAT_HELP_DOCUMENT                                                                       \
    "'json':             Print in JSON format\n"                                                   \
    "'TEMPLATE':         Print output using the given Go template."
#define FORMAT_HELP_TABLE                                                                          \
    "'table':            Print output in table format with column headers (default)\n"             \
    "'table TEMPLATE':   Print output in table format using the given Go template\n"
#define FORMAT_FLAG(letter, text)                                                                  \
    {                                                                                              \
        letter, "format", FLAG_ONE, "string", NULL, NULL,                                          \
            .help = "Format output using a custom template:\n" text                                \
    }

/* --format of a command that prints rows: format_rows(). */
#define FORMAT_TABLE_FLAG FORMAT_FLAG(0, FORMAT_HELP_TABLE FORMAT_HELP_DOCUMENT)
/* --format of one that prints documents: format_document(). */
#define FORMAT_DOCUMENT_FLAG(letter) FORMAT_FLAG(letter, FORMAT_HELP_DOCUMENT)

#define FILTER_FLAG                                                                                \
    {                                                                                              \
        'f', "filter", FLAG_LIST, "filter", value_check_filter, NULL,                              \
            .help = "Filter output based on conditions provided"                                   \
    }

/* --filter and --force of a prune command. */
#define PRUNE_FLAGS(filter_help)                                                                   \
    {0, "filter", FLAG_LIST, "filter", value_check_filter, NULL, .help = filter_help},             \
    {                                                                                              \
        'f', "force", .help = "Do not prompt for confirmation"                                     \
    }

/* --detach-keys of a command that may attach: client_options.detach_keys. */
#define DETACH_KEYS_FLAG                                                                           \
    {                                                                                              \
        0, "detach-keys", FLAG_ONE, "string", NULL, NULL,                                          \
            .help = "Override the key sequence for detaching a container"                          \
    }
