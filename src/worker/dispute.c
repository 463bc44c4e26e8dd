/* dispute.c: see dispute.h. */
#include "worker/dispute.h"

#include <utlist.h>

#include "base/clock.h"
#include "worker/delivery.h"
#include "worker/worker.h"

enum {
    LOOK_MS = 20,
    /* An agent that stands still is replaced by then, and the next one tells what it finds. */
    OPEN_US = 20 * 1000 * 1000,
};

static void look_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct worker *w = timer->data; /* the turn that follows looks */
    if (moil_clock_monotonic_us() - w->dispute.since_us >= OPEN_US)
        moil_claims_give_up(&w->options.page->claims);
}

void moil_dispute_init(struct dispute *d, struct worker *w)
{
    *d = (struct dispute){.seizures = atomic_load(&w->options.page->claims.seizures)};
    ev_timer_init(&d->look, look_cb, 0, LOOK_MS / 1000.0);
    d->look.data = w;
}

void moil_dispute_fini(struct dispute *d, struct worker *w)
{
    ev_timer_stop(w->loop, &d->look);
}

/* They are in the queues again, or will be: the worker is not through with these. */
static void drop_seized(struct worker *w)
{
    struct delivery *d, *next;
    DL_FOREACH_SAFE(w->reserved, d, next) {
        if (!moil_claims_is_reserved(&w->options.page->claims, d->claim)) {
            moil_delivery_free(d);
            moil_fetcher_wake(&w->fetcher);
        }
    }
}

static void set_open(struct worker *w, bool open)
{
    struct dispute *d = &w->dispute;
    if (open && !d->open) {
        d->since_us = moil_clock_monotonic_us();
        ev_timer_again(w->loop, &d->look);
    } else if (!open) {
        ev_timer_stop(w->loop, &d->look);
    }
    d->open = open;
}

void moil_dispute_turn(struct worker *w)
{
    struct claims *c = &w->options.page->claims;
    uint32_t seizures = atomic_load_explicit(&c->seizures, memory_order_acquire);
    if (seizures == w->dispute.seizures)
        return;
    w->dispute.seizures = seizures;
    if (w->reserved && !moil_claims_is_reserved(c, w->reserved->claim) &&
        moil_worker_is_in_the_way(w))
        moil_fetcher_stall(&w->fetcher);
    drop_seized(w);
    struct claims_review review = moil_claims_review(c);
    set_open(w, review.undecided);
    if (review.left)
        w->fetcher.lost = true;
}
