/* drain.c: see drain.h. */
#include "worker/drain.h"

#include <utlist.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "worker/delivery.h"
#include "worker/verdict.h"
#include "worker/worker.h"

bool moil_drain_starts(const struct worker *w)
{
    bool brief = w->average_s > 0 && w->average_s < MOIL_FETCHER_AHEAD_US / 1e6;
    return w->state == WORKER_STOPPING && !w->cold && brief &&
           moil_clock_monotonic_us() < w->stopped_us + MOIL_DRAIN_RUN_US;
}

void moil_drain_give_back(struct worker *w)
{
    if (w->fetcher.calls > 0 || w->fetcher.reclaiming)
        return;
    while (w->reserved) {
        if (moil_delivery_claim(w->reserved->prev))
            moil_verdict_requeue(w->reserved->prev);
        MOIL_CRASH_POINT("worker.giving_back");
    }
    while (w->cold && w->running) {
        moil_verdict_requeue(w->running->prev);
        MOIL_CRASH_POINT("worker.closing");
    }
}
