/* burst.c: see burst.h. */
#include "worker/burst.h"

#include "base/error.h"
#include "worker/worker.h"

void moil_burst_init(struct burst *b, struct worker *w)
{
    *b = (struct burst){.worker = w, .held = atomic_load(&w->options.page->hold)};
}

static void advanced(void *data, int err, const struct reply *reply)
{
    struct burst *b = data;
    b->asking = false;
    bool refused = err && !moil_link_is_transient(err); /* it is not for us to do */
    b->sure = refused || (!err && moil_reply_integer(reply) == 0);
    moil_fetcher_wake(&b->worker->fetcher); /* it may have put jobs into our queues; so may another
                                               who did the same just before */
}

static void advance(struct burst *b)
{
    struct broker *broker = &b->worker->broker;
    moil_args_clear(&broker->args);
    moil_args_int(&broker->args, MOIL_BATCH_MAX);
    b->asking = moil_broker_eval(broker, SCRIPT_ADVANCE, advanced, b) == 0;
}

/* An older generation may give jobs back yet. When it is gone, they are looked for once more. */
static bool is_held(struct burst *b)
{
    bool hold = atomic_load(&b->worker->options.page->hold), over = b->held && !hold;
    b->held = hold;
    if (over)
        moil_fetcher_wake(&b->worker->fetcher);
    return hold || over;
}

bool moil_burst_is_over(struct burst *b, bool idle)
{
    const struct worker *w = b->worker;
    if (w->reserved || w->running || !moil_settler_is_empty(&w->settler))
        b->sure = false;
    if (!idle || is_held(b) || b->asking)
        return false;
    if (!b->sure)
        advance(b);
    return b->sure;
}
