#include "engine/engine.h"

#include <stdlib.h>

int engine_open(const char *root, struct engine **ret, struct err *err)
{
    struct engine *e = mem_alloc(sizeof *e);
    int r = store_open(root, &e->store, err);

    if (r < 0) {
        engine_close(e);
        return r;
    }
    *ret = e;
    return 0;
}

void engine_close(struct engine *e)
{
    if (!e)
        return;
    store_close(e->store);
    free(e);
}
