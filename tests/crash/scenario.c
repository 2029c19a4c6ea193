#include "crash/scenario.h"

#include <string.h>
#include <unistd.h>

#include "crash/scenarios.h"

static const struct scenario *const tables[] = {scenarios_engine, scenarios_images,
                                                scenarios_runtime};

const struct scenario *scenario_at(size_t i)
{
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const struct scenario *s = tables[t]; s->name; s++)
            if (!i--)
                return s;
    return NULL;
}

const struct scenario *scenario_find(const char *name)
{
    const struct scenario *s;

    for (size_t i = 0; (s = scenario_at(i)); i++)
        if (!strcmp(s->name, name))
            return s;
    return NULL;
}

bool scenario_possible(const struct scenario *s, const char **ret_why)
{
    const char *program = s->subject->prefix[0] ? s->subject->prefix[0] : s->command[0];

    if (!access(program, X_OK))
        return true;
    *ret_why = "the program is not there";
    return false;
}
