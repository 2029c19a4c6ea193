#include "engine/engine.h"

#include <stdlib.h>

#include "base/clock.h"
#include "engine/internal.h"
#include "network/network.h"

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
    if (e->shim)
        shim_process_close(e->shim);
    free(e->shim);
    if (e->place)
        net_place_close(e->place);
    free(e->place);
    strv_free(&e->notes);
    store_close(e->store);
    free(e);
}

int engine_prepare_run(struct engine *e, struct err *err)
{
    int r = id_generate(e->next_id, err);

    if (!r)
        r = shim_prepare(e, "run", e->next_id, err);
    if (r < 0)
        e->next_id[0] = 0;
    return r;
}
