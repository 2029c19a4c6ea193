/* scenarios.h - the tables of scenarios, each ended by one without a name. */
#pragma once

#include "crash/scenario.h"

extern const struct scenario scenarios_engine[], scenarios_images[], scenarios_runtime[];
