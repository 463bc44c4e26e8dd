/* advancer.c: what the scripts have left undone of workflows, so as not to hold Redis: large
 * fan-outs, cascades of failures, workflows that come in batches. A part of the agent (agent.h).
 *
 * Each promote tells whether there is something, at least every 5 s; a token on the `tick` list
 * brings one at once. Any number of agents and clients may do this at once: each script takes what
 * it does off the list in the same step. */
#include "base/crash_point.h"
#include "base/error.h"
#include "worker/agent.h"

static void advanced(void *data, int err, const struct reply *reply)
{
    struct agent *a = data;
    a->advancing = false;
    MOIL_CRASH_POINT_IF(!err, "agent.advanced");
    if (err == MOIL_ENOSCRIPT || (!err && moil_reply_integer(reply) == 1)) /* else the next promote
                                                                              tells */
        moil_advancer_run(a);
}

void moil_advancer_run(struct agent *a)
{
    if (a->advancing || a->stopping)
        return;
    moil_args_clear(&a->broker.args);
    moil_args_int(&a->broker.args, MOIL_BATCH_MAX);
    MOIL_CRASH_POINT("agent.advancing");
    a->advancing = moil_broker_eval(&a->broker, SCRIPT_ADVANCE, advanced, a) == 0;
}
